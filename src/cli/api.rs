//! `wxhook api`: one call of WeChat's API, as it is written down.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::door::{AccountArgs, Door};
use super::output::{Failure, line};
use crate::api::RawCall;
use crate::transport::Method;

/// Bytes of the longest body.
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024 - 4096;

/// Make one call of WeChat's API and print its answer.
///
/// The access token is added, quotas are counted, and what passes is waited out, as for every call. A
/// code of WeChat is exit code 1, with its meaning.
#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    #[arg(value_enum, ignore_case = true)]
    method: MethodName,
    /// The path: /cgi-bin/getcallbackip
    path: String,
    /// A parameter besides the access token; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    query: Vec<(String, String)>,
    /// The JSON body of a POST: the text itself, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// One line instead of many; a refusal is printed as JSON, too
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodName {
    Get,
    Post,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Reads a text that is given itself, in a file (`@FILE`), or on standard input (`-`), as JSON.
pub(super) fn json_of(text: &str, limit: u64) -> Result<Value, Failure> {
    let named = |error: io::Error| Failure::wrong(format!("{text}: {error}"));
    let given = match (text, text.strip_prefix('@')) {
        ("-", _) => read(io::stdin().lock(), limit).map_err(named)?,
        (_, Some(file)) => fs::File::open(file)
            .and_then(|file| read(file, limit))
            .map_err(named)?,
        _ => text.to_owned(),
    };
    serde_json::from_str(&given).map_err(|error| Failure::wrong(format!("no JSON: {error}")))
}

fn read(from: impl io::Read, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    from.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("has more than {limit} bytes")));
    }
    Ok(text)
}

pub(super) fn run(args: &ApiArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let body = args.body.as_deref();
    let body = body.map(|body| json_of(body, MAX_BODY_BYTES)).transpose()?;
    let call = RawCall {
        method: match args.method {
            MethodName::Get => Method::Get,
            MethodName::Post => Method::Post,
        },
        query: args.query.clone(),
        body,
        ..RawCall::get(args.path.clone())
    };
    call.check().map_err(Failure::wrong)?;
    let door = Door::open(config, &args.account)?;
    match door.call(call) {
        Ok(answer) if args.json => line(answer)?,
        Ok(answer) => line(format_args!("{answer:#}"))?,
        Err(refusal) => {
            if args.json {
                line(serde_json::to_value(&refusal).map_err(Failure::failed)?)?;
            }
            return Err(refusal.into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
