//! `wxhook render`: what a template comes to, and whether all of them are right.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value, json};

use super::bundle;
use super::decode::{read_body, read_document, text_message};
use super::output::{Failure, line};
use crate::dispatch::{AccountFacts, Answer};
use crate::protocol::message::Body;
use crate::protocol::push::Push;
use crate::template::{Locale, Render};

/// Show what a reply template (回复模板) comes to, without sending it; or check all templates and rules.
///
/// Not the template messages (模板消息) of WeChat: those are sent with `wxhook send`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["name", "check"]))]
pub(super) struct RenderArgs {
    /// The template, as a handler names it: welcome.txt
    name: Option<String>,
    /// Check every template and rule; exit 1 with a line for each fault
    #[arg(long)]
    check: bool,
    /// The push that is answered: a file with its inner document, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "text"])]
    push: Option<PathBuf>,
    /// The push that is answered is this text message
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "你好",
        conflicts_with = "check"
    )]
    text: String,
    /// What a handler would give it: NAME=VALUE, or a JSON object
    #[arg(long, value_name = "NAME=VALUE|JSON", conflicts_with = "check")]
    with: Vec<String>,
    /// In this language: zh_CN, zh_TW, en
    #[arg(long, value_parser = locale, conflicts_with = "check")]
    locale: Option<Locale>,
    /// In the name of this account
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    account: Option<String>,
    /// Print JSON: the message as it would be sent, or what was checked
    #[arg(long)]
    json: bool,
}

fn locale(text: &str) -> Result<Locale, String> {
    Locale::parse(text).map_err(|error| error.to_string())
}

pub(super) fn run(args: &RenderArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    let bundle = bundle::read(&config, args.json)?;
    let Some(name) = &args.name else {
        bundle::print(&config, &bundle, args.json)?;
        return Ok(ExitCode::SUCCESS);
    };
    let account = bundle::named_account(&config, args.account.as_deref())?;
    let push = push(args, &account)?;
    let mut render = Render::new(name, with(&args.with)?);
    if let Some(locale) = &args.locale {
        render = render.locale(locale.as_str());
    }
    let said = bundle
        .word(vec![Answer::Render(render)], &push, &account)
        .map_err(Failure::failed)?;
    if said.is_empty() && !args.json {
        line("(nothing is said)")?;
    }
    for message in said {
        match &message.body {
            Body::Text(text) if !args.json => line(text.content.as_str())?,
            _ => line(String::from_utf8_lossy(&message.to_json(push.from())))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn push(args: &RenderArgs, account: &AccountFacts) -> Result<Push, Failure> {
    let document = match &args.push {
        Some(path) => document(path)?,
        None => text_message(&args.text),
    };
    Push::parse(&account.app_id, &document).map_err(|malformed| {
        Failure::failed(format!(
            "the push cannot be read: {malformed}; `wxhook inbox show --json` has real ones, \
             tests/fixtures/push one of each kind"
        ))
    })
}

fn document(path: &Path) -> Result<Bytes, Failure> {
    if path.to_str() == Some("-") {
        return read_body();
    }
    let what = format!("--push {}", path.display());
    let file =
        std::fs::File::open(path).map_err(|error| Failure::failed(format!("{what}: {error}")))?;
    read_document(file, &what)
}

/// Later ones win. A value that is JSON is taken as that, any other as a text.
fn with(given: &[String]) -> Result<Value, Failure> {
    let mut values = Map::new();
    for given in given {
        if let Ok(Value::Object(more)) = serde_json::from_str(given) {
            values.extend(more);
            continue;
        }
        let Some((name, value)) = given.split_once('=') else {
            return Err(Failure::wrong(format!(
                "--with {given:?}: write NAME=VALUE, or a JSON object"
            )));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        values.insert(name.trim().to_owned(), value);
    }
    Ok(Value::Object(values))
}
