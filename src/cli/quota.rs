//! `wxhook quota`: how much of WeChat's limits is used, as the running server counts, and their clearing.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::good;
use super::output::{Failure, line, local_time};
use crate::clock::Timestamp;

/// Look at the calls that the running server counted.
#[derive(Debug, Subcommand)]
pub(super) enum QuotaCommand {
    /// Show what is used and left of each API today, what WeChat says, and the clears of this month
    Show(ShowArgs),
    /// Have WeChat clear the calls of one key (50 a month), or of all (10 a month, shared with the console)
    Clear(ClearArgs),
}

/// Whose limits are shown, and how.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The account's name or AppID
    #[arg(default_value = "default")]
    account: String,
    /// One JSON object a key
    #[arg(long)]
    json: bool,
}

/// What is cleared.
#[derive(Debug, Args)]
pub(super) struct ClearArgs {
    /// The account's name or AppID
    #[arg(default_value = "default")]
    account: String,
    /// The key whose calls are cleared, as `quota show` names it
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    key: Option<String>,
    /// Clear the calls of all keys, those of the account's other systems too
    #[arg(long)]
    all: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &QuotaCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    match command {
        QuotaCommand::Show(args) => {
            let path = format!("/v1/quota/{}", args.account);
            let answer = good(&config, ("GET", &path), "")?;
            for status in answer["keys"].as_array().map_or(&[][..], Vec::as_slice) {
                match args.json {
                    true => line(status)?,
                    false => line(told(status))?,
                }
            }
        }
        QuotaCommand::Clear(args) => {
            let path = format!("/v1/quota/{}/clear", args.account);
            let body = match &args.key {
                Some(key) => json!({ "key": key }),
                None => json!({ "all": args.all }),
            };
            let answer = good(&config, ("POST", &path), &body.to_string())?;
            let what = args.key.as_deref().unwrap_or("all keys");
            match args.json {
                true => line(answer)?,
                false => line(format_args!("{}: {what} cleared", args.account))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(status: &Value) -> String {
    let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
    let at = |value: &Value| local_time(Timestamp::from_milliseconds(value.as_i64().unwrap_or(0)));
    let used = status["used"].as_u64().unwrap_or(0);
    let mut told = format!("{:<20} {:<10} {used}", text("key"), text("period"));
    match status["limit"].as_u64() {
        Some(limit) => {
            let from = text("limit_from");
            let percent = used.saturating_mul(100).checked_div(limit).unwrap_or(100);
            told += &format!(" of {limit} ({percent} %; limit: {from})");
        }
        None => told += " (no limit is known)",
    }
    if let Some(used) = status["platform"]["used"].as_u64() {
        let asked_at = at(&status["platform"]["asked_at"]);
        told += &format!("; WeChat counted {used} at {asked_at}");
    }
    if let Some(calls) = status["rate"]["calls"].as_u64() {
        let seconds = status["rate"]["seconds"].as_u64().unwrap_or(0);
        told += &format!("; at most {calls} in {seconds} s");
    }
    if let Some(limit) = status["obstacle"]["limit"].as_str() {
        let returns_at = at(&status["obstacle"]["returns_at"]);
        told += &format!("; used up for the {limit}, returns at {returns_at}");
    }
    if status["store_is_away"] == true {
        told += "; the store of counts does not answer, so this is what this server counted";
    }
    told
}
