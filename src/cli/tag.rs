//! `wxhook tag`: tags (标签), and who has them.

use std::io::{self, BufRead as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::door::{AccountArgs, Door};
use super::output::{Failure, line};
use super::user::each;
use crate::api::Refusal;

/// Users that one call tags at most. Source: the official page "批量为用户打标签", read 2026-11.
const MAX_USERS: usize = 50;

/// Characters of the longest name.
const MAX_NAME_CHARACTERS: usize = 30;

/// Some users were done and some were not: the answer lists them.
const PARTLY: i64 = 45171;

/// Keep the account's tags (标签), and give them to users.
#[derive(Debug, Subcommand)]
pub(super) enum TagCommand {
    /// List all tags with how many users have them
    List(ListArgs),
    /// Make a tag; prints its number
    Create(NameArgs),
    /// Give a tag another name
    Rename(RenameArgs),
    /// Delete a tag; users lose it
    Delete(TagArgs),
    /// Give users the tag
    Add(UsersArgs),
    /// Take the tag from users
    Remove(UsersArgs),
    /// List the OpenIDs of those who have the tag, one a line
    Members(TagArgs),
}

/// How it is printed.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// A name.
#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The name: at most 30 characters
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    how: ListArgs,
}

/// A tag and its new name.
#[derive(Debug, Args)]
pub(super) struct RenameArgs {
    /// The tag's number, as `list` prints it
    id: i64,
    /// The new name: at most 30 characters
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    how: ListArgs,
}

/// A tag.
#[derive(Debug, Args)]
pub(super) struct TagArgs {
    /// The tag's number, as `list` prints it
    id: i64,
    #[command(flatten)]
    how: ListArgs,
}

/// A tag and users.
#[derive(Debug, Args)]
pub(super) struct UsersArgs {
    /// The tag's number, as `list` prints it
    id: i64,
    /// OpenIDs; - reads them from standard input, one a line
    #[arg(required = true)]
    open_ids: Vec<String>,
    #[command(flatten)]
    how: ListArgs,
}

fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=MAX_NAME_CHARACTERS => Ok(text.to_owned()),
        count => Err(format!("has {count} characters; 1 to 30 are allowed")),
    }
}

pub(super) fn run(command: &TagCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let open = |how: &ListArgs| Door::open(config, &how.account);
    match command {
        TagCommand::List(how) => {
            let answer = open(how)?.get("/cgi-bin/tags/get")?;
            let tags = answer["tags"].as_array().map_or(&[][..], Vec::as_slice);
            tags.iter().try_for_each(|tag| show(tag, how))?;
        }
        TagCommand::Create(args) => {
            let body = json!({ "tag": { "name": args.name } });
            let answer = open(&args.how)?.post("/cgi-bin/tags/create", body)?;
            show(&answer["tag"], &args.how)?;
        }
        TagCommand::Rename(args) => {
            let tag = json!({ "id": args.id, "name": args.name });
            open(&args.how)?.post("/cgi-bin/tags/update", json!({ "tag": tag }))?;
            show(&tag, &args.how)?;
        }
        TagCommand::Delete(args) => {
            let tag = json!({ "id": args.id });
            open(&args.how)?.post("/cgi-bin/tags/delete", json!({ "tag": tag }))?;
            match args.how.json {
                true => line(tag)?,
                false => line(format_args!("tag {} is deleted", args.id))?,
            }
        }
        TagCommand::Add(args) => {
            return give(args, config, "/cgi-bin/tags/members/batchtagging");
        }
        TagCommand::Remove(args) => {
            return give(args, config, "/cgi-bin/tags/members/batchuntagging");
        }
        TagCommand::Members(args) => {
            let door = open(&args.how)?;
            each(None, "", args.how.json, |next| {
                let body = json!({ "tagid": args.id, "next_openid": next });
                door.post("/cgi-bin/user/tag/get", body)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(tag: &Value, how: &ListArgs) -> Result<(), Failure> {
    if how.json {
        return line(tag);
    }
    let name = tag["name"].as_str().unwrap_or_default();
    let count = tag["count"].as_i64();
    let count = count.map_or_else(String::new, |count| format!("  {count} users"));
    line(format_args!(
        "{}  {}{count}",
        tag["id"],
        name.escape_debug()
    ))
}

/// Fifty users a call, as the platform has it; those for whom it failed are told at the end.
fn give(args: &UsersArgs, config: Option<&Path>, path: &str) -> Result<ExitCode, Failure> {
    let mut open_ids: Vec<String> = Vec::new();
    for given in &args.open_ids {
        if given == "-" {
            for text in io::stdin().lock().lines() {
                let text = text.map_err(Failure::wrong)?;
                open_ids.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
            }
        } else {
            open_ids.push(given.clone());
        }
    }
    let door = Door::open(config, &args.how.account)?;
    let (mut done, mut failed) = (0, Vec::new());
    for some in open_ids.chunks(MAX_USERS) {
        let body = json!({ "openid_list": some, "tagid": args.id });
        let answer = door.post(path, body);
        let not_all = |error: &Refusal| error.errcode == Some(PARTLY);
        let left = match &answer {
            Ok(answer) => answer["fail_openid_list"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            Err(error) if not_all(error) => some.iter().map(|open_id| json!(open_id)).collect(),
            Err(error) => {
                return Err(Failure::failed(format!(
                    "{error}; {done} users were done before, and {} are left from {:?} on",
                    open_ids.len() - done - failed.len(),
                    some.first().map_or("", String::as_str)
                )));
            }
        };
        done += some.len() - left.len();
        failed.extend(left);
    }
    if args.how.json {
        line(json!({ "id": args.id, "done": done, "failed": failed }))?;
    } else {
        line(format_args!("{done} users done"))?;
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let failed: Vec<&str> = failed.iter().filter_map(Value::as_str).collect();
    Err(Failure::failed(format!(
        "{} users were not done (45171): {}",
        failed.len(),
        failed.join(" ")
    )))
}
