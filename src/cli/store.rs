//! `wxhook store check`: whether what is stored holds together.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::inbox::open_view;
use super::output::{Failure, line};
use crate::store::Aside;

/// Look after the store of pushes.
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read the whole store and say whether it holds together; works beside a running server
    Check(CheckArgs),
}

/// How the outcome is printed.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &StoreCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let StoreCommand::Check(args) = command;
    let config = super::load_for_reading(config)?;
    let view = open_view(&config)?;
    let faults = view.check().map_err(Failure::failed)?;
    let aside = match faults.is_empty() {
        true => view.aside().map_err(Failure::failed)?,
        false => Aside::default(),
    };
    if args.json {
        line(json!({
            "sound": faults.is_empty(),
            "faults": faults,
            "retry": aside.retry,
            "dead": aside.dead,
            "malformed": aside.malformed,
            "unknown_parts": aside.unknown_parts,
        }))?;
    } else if faults.is_empty() {
        line(format_args!(
            "the store is sound; {} pushes to be tried again, {} dead, {} malformed, {} replies unknown",
            aside.retry, aside.dead, aside.malformed, aside.unknown_parts
        ))?;
    }
    if faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let directory = config.store.data_dir.display();
    Err(Failure::failed(format!(
        "the store in {directory} is damaged:\n{}\nstop the server, move the directory away, and restore \
         a backup, or save what can be read with: sqlite3 wxhook.db .recover",
        faults.join("\n")
    )))
}
