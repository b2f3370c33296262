//! `wxhook access-token`: what the running server knows of its access tokens.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::good;
use super::output::{Failure, line, local_time};
use crate::clock::Timestamp;
use crate::config::Config;

/// How many of the newest questions to the platform are printed for people.
const SHOWN: usize = 8;

/// Look at the access tokens of the running server.
#[derive(Debug, Subcommand)]
pub(super) enum AccessTokenCommand {
    /// Show age, generation, remaining life and source of each token, who read it and who caused renewals
    Show(ShowArgs),
    /// Have WeChat asked once for the token; nothing is forced, so it may give the same one again
    Refresh(AccountArgs),
    /// Report that WeChat refused a token; prints the generation to use instead
    Report(ReportArgs),
}

/// Which accounts are shown, and how.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The account's name or AppID; all without one
    account: Option<String>,
    /// Print the token itself, and nothing else
    #[arg(long, requires = "account", conflicts_with = "json")]
    reveal: bool,
    /// One JSON object an account, without the token
    #[arg(long)]
    json: bool,
}

/// Which account.
#[derive(Debug, Args)]
pub(super) struct AccountArgs {
    /// The account's name or AppID
    #[arg(default_value = "default")]
    account: String,
    /// One JSON object, without the token
    #[arg(long)]
    json: bool,
}

/// Which token was refused, and how.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    which: AccountArgs,
    /// The generation with which the token was given
    #[arg(long, required_unless_present = "sha256", conflicts_with = "sha256")]
    generation: Option<u64>,
    /// The SHA-256 of the token, 64 hexadecimal digits
    #[arg(long)]
    sha256: Option<String>,
    /// The errcode of WeChat's answer: 40001, 40014 or 42001
    #[arg(long, default_value_t = 40001)]
    errcode: i64,
}

pub(super) fn run(
    command: &AccessTokenCommand,
    config: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let config = super::read_for_tokens(config)?.config;
    match command {
        AccessTokenCommand::Show(args) => show(args, &config)?,
        AccessTokenCommand::Refresh(args) => {
            let path = format!("/v1/token/{}/refresh", args.account);
            given(args, &good(&config, ("POST", &path), "")?)?;
        }
        AccessTokenCommand::Report(args) => {
            let path = format!("/v1/token/{}/report", args.which.account);
            let body = match (&args.sha256, args.generation) {
                (Some(sha256), _) => json!({"sha256": sha256, "errcode": args.errcode}),
                (None, generation) => json!({"generation": generation, "errcode": args.errcode}),
            };
            let answer = good(&config, ("POST", &path), &body.to_string())?;
            given(&args.which, &answer)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs, config: &Config) -> Result<(), Failure> {
    if args.reveal {
        let account = args.account.as_deref().unwrap_or_default();
        let answer = good(config, ("GET", &format!("/v1/token/{account}")), "")?;
        return line(answer["access_token"].as_str().unwrap_or_default());
    }
    let answer = good(config, ("GET", "/v1/token"), "")?;
    let all = answer["tokens"].as_array().cloned().unwrap_or_default();
    let wanted = |status: &&Value| {
        let named =
            |name: &String| status["name"] == name.as_str() || status["account"] == name.as_str();
        args.account.as_ref().is_none_or(named)
    };
    let shown: Vec<&Value> = all.iter().filter(wanted).collect();
    if let (true, Some(name)) = (shown.is_empty(), &args.account) {
        return Err(Failure::failed(format!(
            "no account {name:?} with an AppSecret is configured"
        )));
    }
    if let (false, Some(seconds)) = (args.json, answer["clock_skew_seconds"].as_i64()) {
        line(format_args!(
            "WeChat's clock is {seconds} s ahead of this machine's: look at its time server"
        ))?;
    }
    for status in shown {
        if args.json {
            line(status)?;
        } else {
            for text in told(status) {
                line(text)?;
            }
        }
    }
    Ok(())
}

fn told(status: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, account) = (text(&status["name"]), text(&status["account"]));
    let held = match (status["generation"].as_u64(), status["expires_in"].as_u64()) {
        (Some(generation), Some(left)) => {
            let age = status["age_seconds"].as_u64();
            let age = age.map_or_else(String::new, |age| format!(", first seen {age} s ago"));
            format!("generation {generation}{age}, {left} s left")
        }
        _ => "none in hand; it is asked for when it is first needed".to_owned(),
    };
    let mut lines = vec![
        format!("{name} ({account}): {held}"),
        format!("  source: {}", text(&status["source"])),
    ];
    if let Some(by) = status["obtained_by"].as_str() {
        lines.push(format!("  asked for by: {by}"));
    }
    if let Some(failure) = status["failure"].as_str() {
        lines.push(format!("  last failure: {failure}"));
    }
    if let (Some(today), Some(a_day)) = (
        status["questions"]["today"].as_u64(),
        status["questions"]["a_day"].as_u64(),
    ) {
        lines.push(format!(
            "  asked WeChat {today} times today, of at most {a_day}"
        ));
    }
    let all = |key: &str| status[key].as_array().map_or(&[][..], Vec::as_slice);
    for entry in all("history").iter().rev().take(SHOWN) {
        let (process, what) = (text(&entry["process"]), text(&entry["what"]));
        lines.push(format!("  {} {process}: {what}", at(&entry["at"])));
    }
    for used in all("clients") {
        lines.push(format!("  {}", client(used)));
    }
    if let Some(missing) = status["missing"].as_str() {
        lines.push(format!(
            "  what was done before is not known now: {missing}"
        ));
    }
    lines
}

fn at(milliseconds: &Value) -> String {
    let at = Timestamp::from_milliseconds(milliseconds.as_i64().unwrap_or(0));
    local_time(at)
}

/// `client crm: read it 12 times, last at …; reported it once, last at … with 40001`.
fn client(used: &Value) -> String {
    let times = |count: &Value| match count.as_u64().unwrap_or(0) {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let name = used["client"].as_str().unwrap_or_default();
    let mut told = format!("client {name}: read it {}", times(&used["reads"]));
    if used["reads"] != 0 {
        told += &format!(", last at {}", at(&used["last_read_at"]));
    }
    if used["reports"] != 0 {
        told += &format!(
            "; reported it {}, last at {} with {}",
            times(&used["reports"]),
            at(&used["last_report_at"]),
            used["last_errcode"]
        );
    }
    told
}

fn given(args: &AccountArgs, answer: &Value) -> Result<(), Failure> {
    let (generation, left) = (&answer["generation"], &answer["expires_in"]);
    if args.json {
        return line(json!({
            "account": args.account,
            "generation": generation,
            "expires_in": left,
            "usable_until": answer["usable_until"],
        }));
    }
    line(format_args!(
        "{}: generation {generation}, {left} s left",
        args.account
    ))
}
