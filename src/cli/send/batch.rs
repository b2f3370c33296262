//! A file of messages is sent: at a rate, a few at once, one user's in their order, and each once.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures_util::future::join_all;
use serde_json::json;

use super::feed::Feed;
use super::journal::{Head, Journal, Outcome, Standing, VERSION};
use super::message::Message;
use super::pace::Pace;
use crate::api::Refusal;
use crate::cli::door::{AccountArgs, Door};
use crate::cli::output::{Failure, line};
use crate::clock::{Clock as _, SystemClock};
use crate::platform::error::{Class, ErrorCode};
use crate::quota::Purpose;

/// The platform recognises a template message that comes again for ten minutes; less a minute, for
/// clocks and for the way.
const RECOGNISED_MILLISECONDS: i64 = 9 * 60 * 1000;

/// So many messages that the platform finds wrong in themselves, one after the other: the rest will be
/// no better, and each costs quota.
const WRONG_IN_A_ROW: u32 = 20;

/// So many answers that were not seen, one after the other: whatever is in the way will be in the way of
/// the next one.
const LOST_IN_A_ROW: u32 = 3;

/// Lines of the list for people.
const MAX_SHOWN: usize = 50;

/// What is sent, and how.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) file: PathBuf,
    pub(super) job: Option<String>,
    pub(super) resume: bool,
    pub(super) repeat_unknown: bool,
    pub(super) rate: f64,
    pub(super) at_once: usize,
    pub(super) subscribe: bool,
    pub(super) json: bool,
}

pub(super) fn run(
    settings: &Settings,
    config: Option<&Path>,
    account: &AccountArgs,
) -> Result<ExitCode, Failure> {
    let looked = Feed::look(&settings.file, settings.subscribe).map_err(Failure::wrong)?;
    let head = Head {
        version: VERSION,
        file_sha256: looked.digest,
        messages: looked.lines,
        subscribe: settings.subscribe,
    };
    let made_up = || head.file_sha256.chars().take(16).collect();
    let job = settings.job.clone().unwrap_or_else(made_up);
    let data_dir = crate::cli::load_for_reading(config)?.store.data_dir;
    // The way first: a job that never began must not be there when the way was barred.
    let door = Door::open(config, account)?;
    let journal = open(settings, &Journal::path(&data_dir, &job), &job, &head)?;
    let feed = Feed::open(&settings.file, settings.subscribe).map_err(Failure::failed)?;
    let mut batch = Batch {
        job,
        feed,
        journal,
        put_back: None,
        clock: SystemClock::start(),
        repeat_unknown: settings.repeat_unknown,
        id: head.file_sha256.chars().take(12).collect(),
        wrong: 0,
        lost: 0,
    };
    let stopped = door.run(batch.send_all(&door, settings.rate, settings.at_once));
    let stopped = stopped.map_err(Failure::failed)?;
    batch.report(&head, stopped.as_deref(), settings.json)
}

fn open(settings: &Settings, path: &Path, job: &str, head: &Head) -> Result<Journal, Failure> {
    let named = |error: io::Error| Failure::failed(format!("{}: {error}", path.display()));
    if !settings.resume {
        return Journal::begin(path, head).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::wrong(format!(
                "the job {job} has begun before ({}): add --resume to go on with it, or choose another --job to send everything again",
                path.display()
            )),
            _ => named(error),
        });
    }
    let (found, journal) = Journal::resume(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::wrong(format!(
            "there is no job {job} to resume ({} is missing)",
            path.display()
        )),
        _ => named(error),
    })?;
    if found != *head {
        return Err(Failure::wrong(format!(
            "the job {job} is of another file than {}: lines that were sent could be taken for others",
            settings.file.display()
        )));
    }
    Ok(journal)
}

/// A batch that is being sent.
struct Batch {
    job: String,
    feed: Feed,
    journal: Journal,
    /// Read, and not to be sent yet.
    put_back: Option<(u32, Message)>,
    clock: SystemClock,
    repeat_unknown: bool,
    /// What the ids of its messages begin with: the same whenever the file is sent.
    id: String,
    /// How many in a row were wrong in themselves.
    wrong: u32,
    /// How many answers in a row were not seen.
    lost: u32,
}

impl Batch {
    /// Sends all that is to be sent; or tells why it stopped before.
    async fn send_all(
        &mut self,
        door: &Door,
        rate: f64,
        at_once: usize,
    ) -> io::Result<Option<String>> {
        let mut pace = Pace::new(rate);
        loop {
            let some = self.next(&mut pace, at_once).await?;
            if some.is_empty() {
                return Ok(None);
            }
            let lines = some.iter().map(|(line, _)| *line).collect();
            self.journal.sending(lines, self.now())?;
            let calls = some
                .iter()
                .map(|(_, message)| door.begin(message.call(), Purpose::Bulk));
            let answers = join_all(calls).await;
            let mut stop = None;
            for ((line, _), answer) in some.iter().zip(answers) {
                let (outcome, reason) = self.judge(answer.err());
                self.journal.outcome(*line, outcome)?;
                stop = stop.or(reason.map(|reason| format!("at line {line}: {reason}")));
            }
            if stop.is_some() {
                return Ok(stop);
            }
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().milliseconds()
    }

    /// The messages that may go now, at least one if there is any left: one user's never beside each
    /// other, so that they keep their order.
    async fn next(
        &mut self,
        pace: &mut Pace,
        at_once: usize,
    ) -> io::Result<VecDeque<(u32, Message)>> {
        let mut some: VecDeque<(u32, Message)> = VecDeque::new();
        while some.len() < at_once {
            let Some((line, message)) = self.waiting()? else {
                break;
            };
            let same_user = some.iter().any(|(_, other)| other.to == message.to);
            if same_user || !(some.is_empty() || pace.take()) {
                self.put_back = Some((line, message));
                break;
            }
            if some.is_empty() {
                while !pace.take() {
                    pace.wait().await;
                }
            }
            some.push_back((line, message));
        }
        Ok(some)
    }

    /// The next message that is still to be sent.
    fn waiting(&mut self) -> io::Result<Option<(u32, Message)>> {
        loop {
            let next = match self.put_back.take() {
                Some(next) => Some(next),
                None => self.feed.next().map_err(io::Error::other)?,
            };
            let Some((line, message)) = next else {
                return Ok(None);
            };
            let message = message.with_id(&format!("{}-{line}", self.id));
            let is_waiting = match self.journal.standings.get(&line) {
                None => true,
                Some(Standing::Sent | Standing::Refused(_)) => false,
                Some(Standing::Unknown(at)) => {
                    let age = self.now() - at;
                    let is_recognised = (0..RECOGNISED_MILLISECONDS).contains(&age);
                    self.repeat_unknown || message.may_come_again() && is_recognised
                }
            };
            if is_waiting {
                return Ok(Some((line, message)));
            }
        }
    }

    /// What an answer means for the message, and why no other should be tried, if so.
    fn judge(&mut self, refusal: Option<Refusal>) -> (Outcome, Option<String>) {
        let Some(refusal) = refusal else {
            (self.wrong, self.lost) = (0, 0);
            return (Outcome::Sent, None);
        };
        let told = refusal.to_string();
        if !refusal.surely_not_executed {
            self.lost += 1;
            let count = self.lost;
            let too_many =
                (count >= LOST_IN_A_ROW).then(|| format!("{count} answers were lost: {told}"));
            return (Outcome::Unknown, too_many);
        }
        self.lost = 0;
        let Some(code) = refusal.code() else {
            return (Outcome::NotSent, Some(told));
        };
        let refused = Outcome::Refused {
            errcode: Some(code.0),
        };
        match code.class() {
            Class::Ok | Class::AlreadyDone => {
                self.wrong = 0;
                (Outcome::Sent, None)
            }
            Class::User | Class::Unknown => (refused, None),
            Class::Bug | Class::Content => {
                self.wrong += 1;
                let count = self.wrong;
                let too_many = (count >= WRONG_IN_A_ROW)
                    .then(|| format!("{count} messages in a row were wrong: {told}"));
                (refused, too_many)
            }
            Class::Token
            | Class::Transient
            | Class::Quota
            | Class::Permission
            | Class::Risk
            | Class::Config => (Outcome::NotSent, Some(told)),
        }
    }

    /// Says how far the job is.
    fn report(
        &self,
        head: &Head,
        stopped: Option<&str>,
        as_json: bool,
    ) -> Result<ExitCode, Failure> {
        let mut refused: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let (mut sent, mut unknown) = (0u32, Vec::new());
        for (line, standing) in &self.journal.standings {
            match standing {
                Standing::Sent => sent += 1,
                Standing::Refused(code) => {
                    refused.entry(code.unwrap_or(0)).or_default().push(*line)
                }
                Standing::Unknown(_) => unknown.push(*line),
            }
        }
        let standing = u32::try_from(self.journal.standings.len()).unwrap_or(u32::MAX);
        let left = head.messages.saturating_sub(standing);
        let is_whole = left == 0 && unknown.is_empty() && refused.is_empty() && stopped.is_none();
        if as_json {
            let refused: Vec<_> = refused
                .iter()
                .map(|(code, lines)| json!({ "errcode": code, "lines": lines }))
                .collect();
            line(json!({
                "job": self.job, "messages": head.messages, "sent": sent, "refused": refused,
                "unknown": unknown, "left": left, "stopped": stopped,
            }))?;
        } else {
            let job = &self.job;
            line(format_args!("job {job}: {sent} of {} sent", head.messages))?;
            for (code, lines) in &refused {
                let meaning = ErrorCode(*code).meaning();
                let count = lines.len();
                line(format_args!(
                    "  refused: {count} by {code} ({meaning}): {}",
                    listed(lines)
                ))?;
            }
            if !unknown.is_empty() {
                let count = unknown.len();
                line(format_args!(
                    "  unknown: {count}, which may have been sent: {}",
                    listed(&unknown)
                ))?;
            }
            if left > 0 {
                line(format_args!(
                    "  left: {left}; go on with --job {job} --resume"
                ))?;
            }
        }
        if let Some(reason) = stopped {
            return Err(Failure::failed(format!("stopped {reason}")));
        }
        Ok(match is_whole {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(1),
        })
    }
}

fn listed(lines: &[u32]) -> String {
    let shown = lines.iter().take(MAX_SHOWN).map(u32::to_string);
    let shown: Vec<String> = shown.collect();
    let more = lines.len().saturating_sub(MAX_SHOWN);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more; --json lists all"),
    };
    format!("lines {}{more}", shown.join(", "))
}
