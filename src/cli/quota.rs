//! `wxhook quota`: how much of WeChat's limits is used, as the running server counts, and their clearing.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::good;
use super::output::{Failure, line, local_time};
use crate::clock::{Clock as _, SystemClock, Timestamp};

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
            let now = SystemClock::start().now();
            for status in answer["keys"].as_array().map_or(&[][..], Vec::as_slice) {
                match args.json {
                    true => line(status)?,
                    false => line(told(status, now))?,
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
                false => line(format_args!(
                    "{}: {what} cleared{}",
                    args.account,
                    left(&answer["clears"])
                ))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(status: &Value, now: Timestamp) -> String {
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
        told += &format!(
            "; used up for the {limit}, {}",
            returns(&status["obstacle"], now)
        );
    }
    if status["store_is_away"] == true {
        told += "; the store of counts does not answer, so this is what this server counted";
    }
    told
}

/// When calls are made again: as a clock in Beijing shows it, and how long that is from now.
fn returns(obstacle: &Value, now: Timestamp) -> String {
    let at = obstacle["returns_at"].as_str().unwrap_or_default();
    let shown = at.replace('T', " ").replace('+', " +");
    let at_ms = obstacle["returns_at_ms"].as_i64().unwrap_or(0);
    let wait = Timestamp::from_milliseconds(at_ms).since(now);
    format!("returns at {shown} (Beijing), {}", from_now(wait))
}

fn from_now(wait: Duration) -> String {
    let (minutes, seconds) = (wait.as_secs() / 60, wait.as_secs() % 60);
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match (days, minutes / 60, minutes) {
        (0, 0, 0) => format!("in {seconds} s"),
        (0, 0, _) => format!("in {minutes} min"),
        (0, _, _) => format!("in {hours} h {} min", minutes % 60),
        (_, _, _) => format!("in {days} d {hours} h"),
    }
}

/// What is left of the month's clears.
fn left(clears: &Value) -> String {
    let remain = clears["remain"].as_u64();
    let (Some(remain), Some(limit)) = (remain, clears["limit"].as_u64()) else {
        return String::new();
    };
    let period = clears["period"].as_str().unwrap_or_default();
    format!("; {remain} of the {limit} such clears of {period} are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_quota_returns_is_told_with_its_zone_and_as_a_wait() {
        let now = Timestamp::from_milliseconds(1_700_000_000_000);
        for (name, seconds, expected) in [
            ("at once", 0, "in 0 s"),
            ("in the past", -5, "in 0 s"),
            ("seconds", 59, "in 59 s"),
            ("minutes", 60 * 59 + 59, "in 59 min"),
            ("hours", 3 * 3600 + 12 * 60, "in 3 h 12 min"),
            ("a day short of a minute", 24 * 3600 - 1, "in 23 h 59 min"),
            ("days", (24 + 25) * 3600, "in 2 d 1 h"),
        ] {
            let at_ms = now.milliseconds() + seconds * 1000;
            let obstacle =
                json!({ "returns_at": "2026-11-26T00:01:30+08:00", "returns_at_ms": at_ms });
            let expected = format!("returns at 2026-11-26 00:01:30 +08:00 (Beijing), {expected}");
            assert_eq!(returns(&obstacle, now), expected, "{name}");
        }
    }
}
