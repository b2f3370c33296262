//! `wxhook user`: followers (关注者) of the account.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::door::{AccountArgs, Door};
use super::output::{Failure, line, local_time};
use crate::api::{RawCall, Refusal};
use crate::clock::Timestamp;

/// Look at the account's followers (关注者), and name them.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Show one user: since when, from where, remark, tags; WeChat gives no names and pictures since 2021
    Show(ShowArgs),
    /// List the OpenIDs of all followers, one a line, as they come
    List(ListArgs),
    /// Set the account's own name for a user (备注名)
    Remark(RemarkArgs),
}

/// Which user.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The user's OpenID
    open_id: String,
    /// The language of names of places
    #[arg(long, value_enum, default_value_t = Language::ZhCn)]
    lang: Language,
    /// WeChat's answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    #[value(name = "zh_CN")]
    ZhCn,
    #[value(name = "zh_TW")]
    ZhTw,
    En,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::ZhCn => "zh_CN",
            Self::ZhTw => "zh_TW",
            Self::En => "en",
        }
    }
}

/// How many, and from where on.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those who follow this one in WeChat's order
    #[arg(long, value_name = "OPENID")]
    after: Option<String>,
    /// At most so many
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line: {"openid"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// Whom, and how.
#[derive(Debug, Args)]
pub(super) struct RemarkArgs {
    /// The user's OpenID
    open_id: String,
    /// The name, of less than 30 bytes; empty takes it away
    remark: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// Bytes of the longest remark. Source: the official page "设置用户备注名", read 2026-11.
const MAX_REMARK_BYTES: usize = 29;

pub(super) fn run(command: &UserCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    match command {
        UserCommand::Show(args) => show(args, config)?,
        UserCommand::List(args) => {
            let door = Door::open(config, &args.account)?;
            let after = args.after.as_deref().unwrap_or_default();
            each(args.limit, after, args.json, |next| {
                let mut call = RawCall::get("/cgi-bin/user/get");
                if !next.is_empty() {
                    call.query.push(("next_openid".to_owned(), next.to_owned()));
                }
                door.call(call)
            })?;
        }
        UserCommand::Remark(args) => {
            let length = args.remark.len();
            if length > MAX_REMARK_BYTES {
                return Err(Failure::wrong(format!(
                    "the remark has {length} bytes; less than 30 are allowed, a Chinese character has 3"
                )));
            }
            let door = Door::open(config, &args.account)?;
            let body = json!({ "openid": args.open_id, "remark": args.remark });
            door.post("/cgi-bin/user/info/updateremark", body.clone())?;
            match args.json {
                true => line(body)?,
                false => line(format_args!("{}: {:?}", args.open_id, args.remark))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints OpenIDs page by page: `page` asks for those after the one that it is given.
pub(super) fn each(
    limit: Option<usize>,
    after: &str,
    json: bool,
    mut page: impl FnMut(&str) -> Result<Value, Refusal>,
) -> Result<usize, Failure> {
    let (mut next, mut printed) = (after.to_owned(), 0);
    loop {
        let answer = page(&next)?;
        // The last page may lack `data` altogether.
        let listed = answer["data"]["openid"].as_array();
        let listed = listed.map_or(&[][..], Vec::as_slice);
        for open_id in listed.iter().filter_map(Value::as_str) {
            if limit.is_some_and(|limit| printed >= limit) {
                return Ok(printed);
            }
            match json {
                true => line(json!({ "openid": open_id }))?,
                false => line(open_id)?,
            }
            printed += 1;
        }
        let following = answer["next_openid"].as_str().unwrap_or_default();
        if listed.is_empty() || following.is_empty() || following == next {
            return Ok(printed);
        }
        next = following.to_owned();
    }
}

fn show(args: &ShowArgs, config: Option<&Path>) -> Result<(), Failure> {
    let door = Door::open(config, &args.account)?;
    let query = [("openid", &*args.open_id), ("lang", args.lang.name())];
    let answer = door.call(RawCall {
        query: query
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..RawCall::get("/cgi-bin/user/info")
    })?;
    if args.json {
        return line(answer);
    }
    if answer["subscribe"] == 0 {
        return line(format_args!(
            "{}: does not follow the account; WeChat tells nothing more",
            args.open_id
        ));
    }
    let seconds = answer["subscribe_time"].as_i64().unwrap_or(0);
    let since = Timestamp::from_milliseconds(seconds.saturating_mul(1000));
    line(format_args!(
        "{}: follows since {}",
        args.open_id,
        local_time(since)
    ))?;
    for (title, key) in [
        ("from", "subscribe_scene"),
        ("qr scene", "qr_scene_str"),
        ("remark", "remark"),
        ("unionid", "unionid"),
    ] {
        let value = answer[key].as_str().unwrap_or_default();
        if !value.is_empty() {
            line(format_args!("  {title}: {}", value.escape_debug()))?;
        }
    }
    let tags = answer["tagid_list"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let tags: Vec<String> = tags.iter().map(Value::to_string).collect();
    if !tags.is_empty() {
        line(format_args!("  tags: {}", tags.join(", ")))?;
    }
    Ok(())
}
