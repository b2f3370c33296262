//! `wxhook dead`: what was given up, and why; and dealing with it, one by one or many at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::inbox::{PAGE, ShowArgs, open_view, show, since};
use super::operate::{Act, Operator, STEP};
use super::output::{Failure, line, local_time};
use super::record::stored_json;
use crate::clock::Timestamp;
use crate::id::PushId;
use crate::store::embedded::View;
use crate::store::{Filter, PushState, StoredPush};

/// Look at the pushes that were given up, and deal with them.
#[derive(Debug, Subcommand)]
pub(super) enum DeadCommand {
    /// List dead pushes, oldest first, each with its reason
    List(ListArgs),
    /// Show one push: its timeline, its attempts, its reply parts
    Show(ShowArgs),
    /// Handle dead pushes again, oldest first: those named, or all that the options choose
    Replay(DealArgs),
    /// Put dead (or malformed) pushes away: they are forgotten like handled ones
    Discard(DealArgs),
}

/// Which dead pushes.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Only those received since: yesterday, today, 2026-11-01, or within a time such as 30m, 2h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Only those that this route handled last, as `show` names it: "fallback", "click ORDER"
    #[arg(long)]
    route: Option<String>,
    /// Only those whose reason contains this text: "timed out", "stale"
    #[arg(long)]
    reason: Option<String>,
}

/// Which, and how they are printed.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    choice: Choice,
    /// At most so many, the oldest of them
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Which are dealt with.
#[derive(Debug, Args)]
pub(super) struct DealArgs {
    /// Ids, as `list` prints them
    #[arg(conflicts_with_all = ["since", "route", "reason", "all"])]
    ids: Vec<i64>,
    #[command(flatten)]
    choice: Choice,
    /// Every dead push
    #[arg(long, conflicts_with_all = ["since", "route", "reason"])]
    all: bool,
    /// Only count them, by their reasons
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(command: &DeadCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    let view = open_view(&config)?;
    match command {
        DeadCommand::List(args) => list(&view, args),
        DeadCommand::Show(args) => show(&view, args).map(|()| ExitCode::SUCCESS),
        DeadCommand::Replay(args) => deal(&view, args, Act::Replay, || Operator::find(&config)),
        DeadCommand::Discard(args) => deal(&view, args, Act::Discard, || Operator::find(&config)),
    }
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.since.is_none() && self.route.is_none() && self.reason.is_none()
    }

    /// Looks at every dead push that is chosen and was stored up to `upto`, page by page, until `look`
    /// says that it has seen enough.
    fn each(
        &self,
        view: &View,
        upto: PushId,
        mut look: impl FnMut(&StoredPush) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut filter = Filter {
            state: Some(PushState::Dead),
            since: self.since,
            ..Filter::default()
        };
        loop {
            let page = view.page(&filter, PAGE).map_err(Failure::failed)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            filter.after = last.id;
            for push in &page {
                if push.id > upto {
                    return Ok(());
                }
                if self.takes(view, push)? && !look(push)? {
                    return Ok(());
                }
            }
        }
    }

    fn takes(&self, view: &View, push: &StoredPush) -> Result<bool, Failure> {
        let reason = push.reason.as_deref().unwrap_or_default();
        if let Some(wanted) = &self.reason
            && !reason.contains(wanted.as_str())
        {
            return Ok(false);
        }
        let Some(wanted) = &self.route else {
            return Ok(true);
        };
        let story = view.story(push.id).map_err(Failure::failed)?;
        let last = story.and_then(|story| story.attempts.into_iter().next_back());
        Ok(last.is_some_and(|(_, attempt)| attempt.route == *wanted))
    }
}

/// Above every id.
const NEWEST: PushId = PushId(i64::MAX);

fn list(view: &View, args: &ListArgs) -> Result<ExitCode, Failure> {
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut any = false;
    if left > 0 {
        args.choice.each(view, NEWEST, |push| {
            any = true;
            print(push, args.json)?;
            left -= 1;
            Ok(left > 0)
        })?;
    }
    if !any && !args.json {
        line("no push is dead")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(push: &StoredPush, json: bool) -> Result<(), Failure> {
    if json {
        return line(stored_json(push));
    }
    line(format_args!(
        "{}  {}  {:28}  {}",
        push.id,
        local_time(push.received_at),
        push.user,
        reason_of(push)
    ))
}

fn reason_of(push: &StoredPush) -> &str {
    push.reason.as_deref().unwrap_or("no reason was recorded")
}

/// Reasons that are told apart when they are counted.
const REASONS: usize = 20;

/// How many pushes there are, by reason.
#[derive(Default)]
struct Count {
    by_reason: BTreeMap<String, u64>,
    others: u64,
    total: u64,
    newest: Option<PushId>,
}

impl Count {
    fn add(&mut self, push: &StoredPush) {
        self.total += 1;
        self.newest = Some(push.id);
        let reason = reason_of(push);
        if let Some(count) = self.by_reason.get_mut(reason) {
            *count += 1;
        } else if self.by_reason.len() < REASONS {
            self.by_reason.insert(reason.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    fn print(&self) -> Result<(), Failure> {
        let mut counts: Vec<_> = self.by_reason.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in counts {
            line(format_args!("{count:8}  {reason}"))?;
        }
        if self.others > 0 {
            line(format_args!("{:8}  other reasons", self.others))?;
        }
        line(format_args!("{:8}  in all", self.total))
    }
}

/// Counts, says so, and then does it: what dies meanwhile, or again, was not counted and is left alone.
fn deal<'a>(
    view: &View,
    args: &DealArgs,
    act: Act,
    find: impl FnOnce() -> Result<Operator<'a>, Failure>,
) -> Result<ExitCode, Failure> {
    if !args.ids.is_empty() {
        let ids: Vec<_> = args.ids.iter().map(|id| PushId(*id)).collect();
        if args.dry_run {
            line(format_args!("{:8}  in all", ids.len()))?;
            return Ok(ExitCode::SUCCESS);
        }
        return deal_with(&find()?, act, |step| ids.chunks(STEP).try_for_each(step));
    }
    if args.choice.is_empty() && !args.all {
        return Err(Failure::wrong(
            "which? Name ids, or choose with --since, --route, --reason, or say --all",
        ));
    }
    let mut count = Count::default();
    args.choice.each(view, NEWEST, |push| {
        count.add(push);
        Ok(true)
    })?;
    count.print()?;
    let Some(newest) = count.newest.filter(|_| !args.dry_run) else {
        return Ok(ExitCode::SUCCESS);
    };
    let operator = find()?;
    deal_with(&operator, act, |step| {
        let mut ids = Vec::with_capacity(STEP);
        args.choice.each(view, newest, |push| {
            ids.push(push.id);
            if ids.len() == STEP {
                step(&ids)?;
                ids.clear();
            }
            Ok(true)
        })?;
        match ids.is_empty() {
            true => Ok(()),
            false => step(&ids),
        }
    })
}

/// Does it in steps, and tells what came of it.
fn deal_with(
    operator: &Operator<'_>,
    act: Act,
    steps: impl FnOnce(&mut dyn FnMut(&[PushId]) -> Result<(), Failure>) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let (mut done, mut refused) = (0, 0);
    let outcome = steps(&mut |ids| {
        let tally = operator.act(act, ids)?;
        done += tally.done;
        refused += tally.refused.len();
        for refusal in tally.refused {
            line(format_args!("{}: {}", refusal.id, refusal.reason))?;
        }
        Ok(())
    });
    match act {
        Act::Replay => line(format_args!(
            "{done} pushes are pending; {} handles them",
            operator.handler()
        ))?,
        Act::Discard => line(format_args!("{done} pushes are discarded"))?,
    }
    outcome?;
    Ok(match refused {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
