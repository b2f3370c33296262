//! `wxhook inbox list|show`: what was received, read beside a running server.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::output::{Failure, line, local_time};
use super::record::{stored_json, story_json};
use super::replay::{self, ReplayArgs};
use super::timeline::print_story;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::{Config, StoreKind};
use crate::id::{OpenId, PushId};
use crate::protocol::push::{Kind, Push};
use crate::store::embedded::View;
use crate::store::{Filter, PushState, StoredPush};

/// Look at the pushes that were received.
#[derive(Debug, Subcommand)]
pub(super) enum InboxCommand {
    /// List pushes, oldest first; everything kept unless narrowed
    List(ListArgs),
    /// Show one push: how it was verified, its attempts, its reply parts
    Show(ShowArgs),
    /// Handle a push again: a dead one, a malformed one after an upgrade, with --force a handled one
    Replay(ReplayArgs),
}

/// Which pushes, and how they are printed.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only pushes in this state
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// Only this user's (OpenID)
    #[arg(long)]
    user: Option<String>,
    /// Only those received since: yesterday, today, 2026-11-01, or within a time such as 30m, 2h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// At most so many, the newest of them
    #[arg(long)]
    limit: Option<usize>,
    /// Only authentic pushes that could not be read
    #[arg(long, conflicts_with = "state")]
    malformed: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Which push, and how it is printed.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The push's id, as `list` prints it
    id: i64,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum StateName {
    Pending,
    Retry,
    Done,
    Dead,
    Malformed,
    Discarded,
}

impl StateName {
    fn state(self) -> PushState {
        match self {
            Self::Pending => PushState::Pending,
            Self::Retry => PushState::Retry,
            Self::Done => PushState::Done,
            Self::Dead => PushState::Dead,
            Self::Malformed => PushState::Malformed,
            Self::Discarded => PushState::Discarded,
        }
    }
}

pub(super) fn run(command: &InboxCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    match command {
        InboxCommand::List(args) => {
            let view = open_view(&config)?;
            let state = if args.malformed {
                Some(PushState::Malformed)
            } else {
                args.state.map(StateName::state)
            };
            let filter = Filter {
                state,
                user: args.user.as_deref().map(OpenId::new),
                since: args.since,
                after: PushId::ZERO,
                limit: args.limit,
            };
            print_list(&view, &filter, args.json)?;
        }
        InboxCommand::Show(args) => show(&open_view(&config)?, args)?,
        InboxCommand::Replay(args) => replay::run(args, &config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the store for reading, beside whoever holds it.
pub(super) fn open_view(config: &Config) -> Result<View, Failure> {
    if config.store_kind == StoreKind::Memory {
        return Err(Failure::wrong(
            "store.kind = \"memory\": a store in memory can be seen only by the server itself; use store.kind = \"embedded\"",
        ));
    }
    View::open(&config.store.data_dir).map_err(Failure::failed)
}

/// A day of this machine's calendar, or a time before now.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    let zone = jiff::tz::TimeZone::system();
    let now = jiff::Timestamp::from_millisecond(SystemClock::start().now().milliseconds())
        .map_err(|error| error.to_string())?;
    let today = now.to_zoned_datetime(zone.clone()).date();
    let day = match text {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        text => text.parse().ok(),
    };
    let Some(day) = day else {
        return crate::config::parse_duration(text)
            .map(ago)
            .map_err(|error| {
                format!("{error}; or write yesterday, today, or a day like 2026-11-01")
            });
    };
    let midnight = day
        .to_zoned_datetime(zone)
        .map_err(|error| error.to_string())?;
    Ok(Timestamp::from_milliseconds(
        midnight.timestamp().as_millisecond(),
    ))
}

fn ago(duration: std::time::Duration) -> Timestamp {
    let back = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_milliseconds(
        SystemClock::start()
            .now()
            .milliseconds()
            .saturating_sub(back),
    )
}

/// Prints page by page, so that a large store fills no memory.
pub(super) fn print_list(view: &View, filter: &Filter, json: bool) -> Result<(), Failure> {
    if filter.limit.is_some() {
        let pushes = view.list(filter).map_err(Failure::failed)?;
        return pushes.iter().try_for_each(|push| print_push(push, json));
    }
    let mut filter = filter.clone();
    loop {
        let page = view.page(&filter, PAGE).map_err(Failure::failed)?;
        page.iter().try_for_each(|push| print_push(push, json))?;
        match page.last() {
            Some(last) => filter.after = last.id,
            None => return Ok(()),
        }
    }
}

/// Pushes read at once.
pub(super) const PAGE: usize = 500;

fn print_push(push: &StoredPush, json: bool) -> Result<(), Failure> {
    if json {
        return line(stored_json(push));
    }
    line(format_args!(
        "{}  {}  {:9}  {:28}  {}",
        push.id,
        local_time(push.received_at),
        push.state.name(),
        push.user,
        summary(push)
    ))
}

/// What a push says, in a few words.
fn summary(push: &StoredPush) -> String {
    let parsed = match push.kind {
        Kind::Malformed => None,
        _ => Push::parse(&push.account, &push.body).ok(),
    };
    let Some(parsed) = parsed else {
        return format!(
            "malformed: {}",
            push.reason.as_deref().unwrap_or("unreadable")
        );
    };
    let what = parsed.event().unwrap_or(parsed.msg_type()).to_owned();
    let detail = parsed
        .fields()
        .get("Content")
        .or_else(|| parsed.fields().get("EventKey"));
    match detail.filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("{what} {:?}", shorten(detail)),
        None => what,
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn show(view: &View, args: &ShowArgs) -> Result<(), Failure> {
    let story = view
        .story(PushId(args.id))
        .map_err(Failure::failed)?
        .ok_or_else(|| {
            Failure::failed(format!(
                "there is no push {}; `wxhook inbox list` shows those that are kept",
                args.id
            ))
        })?;
    if args.json {
        line(story_json(&story))
    } else {
        print_story(&story, &summary(&story.push))
    }
}
