//! `wxhook decode`: a push as JSON, without a server.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;

use super::output::{Failure, line};
use super::record::{Facts, push_json};
use crate::http::MAX_BODY_BYTES;
use crate::id::AppId;
use crate::protocol::push::{Head, Kind, Push};
use crate::protocol::{Credentials, Sealed};

/// Turn a push into JSON.
#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// The query of the request (signature=…&timestamp=…): standard input is then the sealed body, opened
    /// with the configured account's token and key
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// Which configured account, when there are several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// JSON is what this command prints; accepted for uniformity
    #[arg(long, hide = true)]
    json: bool,
}

pub(super) fn run(args: &DecodeArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let body = read_body()?;
    let (account, body) = match &args.query {
        Some(query) => open(args, query, body, config)?,
        None => (account_of_plain(args, config), body),
    };
    let head = Head::read(&account, &body);
    let push = Push::parse(&account, &body)
        .ok()
        .filter(|_| head.kind != Kind::Malformed);
    let facts = Facts {
        id: None,
        account: &account,
        dedupe_key: head.dedupe_key,
        state: None,
        malformed: head.malformed.as_deref(),
    };
    line(push_json(&facts, push.as_ref()))?;
    Ok(if push.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// An inner document from standard input, bounded as requests are.
pub(super) fn read_body() -> Result<Bytes, Failure> {
    read_document(std::io::stdin().lock(), "standard input")
}

/// The same from anywhere; `what` is its name in messages.
pub(super) fn read_document(source: impl Read, what: &str) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    let limit = MAX_BODY_BYTES as u64 + 1;
    source
        .take(limit)
        .read_to_end(&mut body)
        .map_err(|error| Failure::failed(format!("{what}: {error}")))?;
    if body.len() > MAX_BODY_BYTES {
        return Err(Failure::wrong(format!(
            "{what} is longer than {MAX_BODY_BYTES} bytes, which no push is"
        )));
    }
    Ok(body.into())
}

/// A text message as an inner document.
pub(super) fn text_message(text: &str) -> Bytes {
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    let document = format!(
        "<xml><ToUserName>gh_account</ToUserName><FromUserName>oUSER</FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType>text</MsgType>\
         <Content><![CDATA[{text}]]></Content><MsgId>1</MsgId></xml>"
    );
    document.into()
}

fn open(
    args: &DecodeArgs,
    query: &str,
    body: Bytes,
    config: Option<&Path>,
) -> Result<(AppId, Bytes), Failure> {
    let credentials = credentials(args, config)?;
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let opened = Sealed::parse(query)
        .map_err(|error| Failure::failed(format!("--query: {error}")))?
        .verify(&credentials)
        .map_err(|error| Failure::failed(format!("not authentic: {error}; is the Token right?")))?
        .open(&credentials, body)
        .map_err(|error| {
            Failure::failed(format!(
                "the body does not open: {error}; are key and AppID right?"
            ))
        })?;
    Ok((credentials.app_id().clone(), opened.body().clone()))
}

fn credentials(args: &DecodeArgs, config: Option<&Path>) -> Result<Credentials, Failure> {
    let mut accounts = super::load(config)?.accounts;
    let account = match &args.account {
        Some(name) => accounts.remove(name),
        None if accounts.len() == 1 => accounts.pop_first().map(|(_, account)| account),
        None => None,
    };
    account.map(|account| account.credentials).ok_or_else(|| {
        Failure::wrong("--account: name one of the configured accounts with this argument")
    })
}

/// An inner document does not say its AppID; the configured account's is taken, else none.
fn account_of_plain(args: &DecodeArgs, config: Option<&Path>) -> AppId {
    credentials(args, config).map_or_else(|_| AppId::unknown(), |found| found.app_id().clone())
}
