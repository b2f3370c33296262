//! `wxhook dead list`: what was given up, and why.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::inbox::{open_view, print_list};
use super::output::{Failure, line, local_time};
use crate::store::{Filter, PushState};

/// Look at the pushes that were given up.
#[derive(Debug, Subcommand)]
pub(super) enum DeadCommand {
    /// List dead pushes, oldest first, each with its reason
    List(DeadArgs),
}

/// How they are printed.
#[derive(Debug, Args)]
pub(super) struct DeadArgs {
    /// At most so many, the newest of them
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &DeadCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let DeadCommand::List(args) = command;
    let view = open_view(&super::load_for_reading(config)?)?;
    let filter = Filter {
        state: Some(PushState::Dead),
        limit: args.limit,
        ..Filter::default()
    };
    if args.json {
        print_list(&view, &filter, true)?;
        return Ok(ExitCode::SUCCESS);
    }
    let dead = view.list(&filter).map_err(Failure::failed)?;
    for push in &dead {
        let reason = push.reason.as_deref().unwrap_or("no reason was recorded");
        let time = local_time(push.received_at);
        line(format_args!(
            "{}  {time}  {:28}  {reason}",
            push.id, push.user
        ))?;
    }
    if dead.is_empty() {
        line("no push is dead")?;
    }
    Ok(ExitCode::SUCCESS)
}
