//! `wxhook send`: one message, or a file of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, value_parser};
use serde_json::{Value, json};

use self::batch::Settings;
use self::message::{Kind, Message};
use super::api::json_of;
use super::door::{AccountArgs, Door};
use super::output::{Failure, line};

mod batch;
mod feed;
mod journal;
mod message;
mod pace;

/// Send a message, or a file of messages.
///
/// A message is the JSON of WeChat's API: with "msgtype" a customer message (客服消息), with "template_id" a
/// template message (模板消息), or with --subscribe a subscribe notice (订阅通知). Nothing is sent twice: what
/// may have been sent is told as unknown.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["text", "message", "batch"]))]
pub(super) struct SendArgs {
    /// Send this text
    #[arg(long, requires = "to")]
    text: Option<String>,
    /// Send this message: the JSON itself, @FILE, or - for standard input
    #[arg(value_name = "JSON")]
    message: Option<String>,
    /// To this user (OpenID), whatever the message says
    #[arg(long, value_name = "OPENID", conflicts_with = "batch")]
    to: Option<String>,
    /// Messages with "template_id" are subscribe notices
    #[arg(long)]
    subscribe: bool,
    /// Send every message of this file: JSON, one a line
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// At most so many messages in a time: 20/s, 600/m
    #[arg(long, requires = "batch", default_value = "20/s", value_parser = pace::rate)]
    rate: f64,
    /// The name under which the data directory keeps how far it came; else one made of the file's content
    #[arg(long, requires = "batch", value_name = "NAME", value_parser = journal::name)]
    job: Option<String>,
    /// Go on where the job ended, however it did; nothing that was sent is sent again
    #[arg(long, requires = "batch")]
    resume: bool,
    /// With --resume: send again what may have been sent before
    #[arg(long, requires = "resume")]
    repeat_unknown: bool,
    /// Messages under way at once
    #[arg(long, requires = "batch", default_value_t = 8, value_parser = value_parser!(u8).range(1..=32))]
    at_once: u8,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

pub(super) fn run(args: &SendArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    if let Some(file) = &args.batch {
        let settings = Settings {
            file: file.clone(),
            job: args.job.clone(),
            resume: args.resume,
            repeat_unknown: args.repeat_unknown,
            rate: args.rate,
            at_once: usize::from(args.at_once),
            subscribe: args.subscribe,
            json: args.json,
        };
        return batch::run(&settings, config, &args.account);
    }
    let mut message = match (&args.text, &args.message) {
        (Some(text), _) => json!({ "msgtype": "text", "text": { "content": text } }),
        (None, Some(given)) => json_of(given, message::MAX_BYTES)?,
        (None, None) => return Err(Failure::wrong("no message")),
    };
    if let (Some(open_id), Value::Object(members)) = (&args.to, &mut message) {
        members.insert("touser".to_owned(), json!(open_id));
    }
    let message = Message::parse(message, args.subscribe).map_err(Failure::wrong)?;
    let door = Door::open(config, &args.account)?;
    let told = match message.kind {
        Kind::Custom => "customer message",
        Kind::Template => "template message",
        Kind::Subscribe => "subscribe notice",
    };
    match door.call(message.call()) {
        Ok(answer) if args.json => line(json!({
            "outcome": "sent", "touser": message.to, "msgid": answer["msgid"],
        }))?,
        Ok(_) => line(format_args!("sent to {}: a {told}", message.to))?,
        Err(refusal) => {
            let outcome = match refusal.surely_not_executed {
                true => "not sent",
                false => "unknown",
            };
            if args.json {
                line(json!({
                    "outcome": outcome, "touser": message.to, "errcode": refusal.errcode,
                    "error": refusal.to_string(),
                }))?;
            }
            return Err(Failure::failed(match refusal.surely_not_executed {
                true => format!("not sent to {}: {refusal}", message.to),
                false => format!("it may have been sent to {}: {refusal}", message.to),
            }));
        }
    }
    Ok(ExitCode::SUCCESS)
}
