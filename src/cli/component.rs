//! `wxhook component ticket`: the newest component_verify_ticket and its age.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::inbox::open_view;
use super::output::{Failure, line, local_time};
use crate::clock::{Clock as _, SystemClock};

/// Look at what third-party platforms (第三方平台) were sent.
#[derive(Debug, Subcommand)]
pub(super) enum ComponentCommand {
    /// Show when the newest component_verify_ticket came; WeChat sends one every 10 minutes, valid for 12 hours
    Ticket(TicketArgs),
}

/// Which component, and how its ticket is printed.
#[derive(Debug, Args)]
pub(super) struct TicketArgs {
    /// The component's name in the configuration
    #[arg(default_value = "default")]
    name: String,
    /// Print the ticket itself, and nothing else
    #[arg(long, conflicts_with = "json")]
    reveal: bool,
    /// One JSON object, without the ticket
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &ComponentCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let ComponentCommand::Ticket(args) = command;
    let config = super::load_for_reading(config)?;
    let component = config.components.get(&args.name).ok_or_else(|| {
        let name = &args.name;
        Failure::wrong(format!("components.{name}: is not configured"))
    })?;
    let app_id = component.credentials.app_id();
    let view = open_view(&config)?;
    let kept = view.component_ticket(app_id).map_err(Failure::failed)?;
    let kept = kept.ok_or_else(|| {
        Failure::failed(format!(
            "no component_verify_ticket has come for {app_id}; WeChat sends one every 10 minutes once the \
             authorization URL is https://YOUR.HOST/component/{}",
            args.name
        ))
    })?;
    let age = SystemClock::start().now().since(kept.received_at).as_secs();
    if args.reveal {
        line(kept.ticket.expose())?;
    } else if args.json {
        line(json!({
            "component": app_id.as_str(),
            "created_at": kept.created_at.milliseconds(),
            "received_at": kept.received_at.milliseconds(),
            "age_seconds": age,
        }))?;
    } else {
        line(format_args!(
            "{app_id}: the newest ticket came {} ({age} s ago); --reveal prints it",
            local_time(kept.received_at)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
