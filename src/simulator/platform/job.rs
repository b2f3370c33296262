//! What takes the platform some time, and what it then tells the server URL.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use super::Platform;
use super::mass;
use super::publish;
use super::record::Ring;
use super::service;
use super::state::State;
use super::template;
use crate::clock::Timestamp;

/// Milliseconds that jobs take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobTimes {
    /// A mass message: on the platform, minutes.
    pub mass: u64,
    /// Publishing a draft: on the platform, minutes.
    pub publish: u64,
    /// A template message or subscribe notice.
    pub template: u64,
}

impl Default for JobTimes {
    fn default() -> Self {
        Self {
            mass: 2_000,
            publish: 2_000,
            template: 500,
        }
    }
}

/// What kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobKind {
    /// A mass message; ends with `MASSSENDJOBFINISH`.
    Mass,
    /// Publishing a draft; ends with `PUBLISHJOBFINISH`.
    Publish,
    /// A template message; ends with `TEMPLATESENDJOBFINISH`.
    Template,
    /// A subscribe notice; ends with `subscribe_msg_sent_event`.
    SubscribeNotice,
}

/// An event that the platform pushes by itself: how a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counts from 1 in the order in which they happened.
    pub number: u64,
    /// When it happened, in milliseconds since 1970: its `CreateTime`.
    pub at_milliseconds: i64,
    /// Whose server URL is told.
    pub app_id: String,
    /// The `FromUserName`.
    pub from_user: String,
    /// Its name, as the platform writes it.
    pub event: String,
    /// The elements after its name, as XML.
    pub elements: String,
}

/// An event on its way into the list: who, which, and its elements.
pub(super) struct Happened {
    pub(super) from_user: String,
    pub(super) event: &'static str,
    pub(super) elements: String,
}

/// Who speaks in events that no user causes.
pub(super) const OPERATOR: &str = "oPl4tformPushAccount00000_1";

#[derive(Debug, Clone)]
pub(super) enum Job {
    Mass {
        message_id: i64,
    },
    Publish {
        publish_id: i64,
    },
    Template {
        message_id: i64,
        open_id: String,
        is_blocked: bool,
    },
    SubscribeNotice {
        message_id: i64,
        open_id: String,
        template_id: String,
    },
    /// A session of customer service begins or ends.
    Service {
        event: &'static str,
        open_id: String,
        kf_account: String,
    },
}

impl Job {
    /// `None` for what only happens, so that nobody orders how it ends.
    const fn kind(&self) -> Option<JobKind> {
        Some(match self {
            Self::Mass { .. } => JobKind::Mass,
            Self::Publish { .. } => JobKind::Publish,
            Self::Template { .. } => JobKind::Template,
            Self::SubscribeNotice { .. } => JobKind::SubscribeNotice,
            Self::Service { .. } => return None,
        })
    }
}

/// Verdicts that wait for their jobs.
const MAX_VERDICTS: usize = 1_000;

/// The jobs of one account that have not ended.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    due: BTreeMap<(i64, u64), Job>,
    begun: u64,
    verdicts: VecDeque<(JobKind, String)>,
}

impl Jobs {
    pub(super) fn begin(&mut self, now: Timestamp, milliseconds: u64, job: Job) {
        self.begun += 1;
        let due = now.after(std::time::Duration::from_millis(milliseconds));
        self.due.insert((due.milliseconds(), self.begun), job);
    }

    /// How the next job of this kind ends; false when too many verdicts wait already.
    pub(super) fn decide(&mut self, kind: JobKind, status: String) -> bool {
        let has_room = self.verdicts.len() < MAX_VERDICTS;
        if has_room {
            self.verdicts.push_back((kind, status));
        }
        has_room
    }

    fn verdict(&mut self, kind: JobKind) -> Option<String> {
        let at = self.verdicts.iter().position(|(own, _)| *own == kind)?;
        self.verdicts.remove(at).map(|(_, status)| status)
    }

    fn take_due(&mut self, now: Timestamp) -> Option<(i64, Job)> {
        let first = self.due.first_entry()?;
        let (at, _) = *first.key();
        (at <= now.milliseconds()).then(|| (at, first.remove()))
    }

    fn next(&self) -> Option<i64> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Text as an element holds it.
pub(super) fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

impl Platform {
    /// Ends every job whose time has come, in the order of their ends.
    pub fn settle(&mut self, now: Timestamp) {
        for (state, account) in self.states.iter_mut().zip(&self.settings.accounts) {
            while let Some((at, job)) = state.jobs.take_due(now) {
                let verdict = job.kind().and_then(|kind| state.jobs.verdict(kind));
                let ended_at = Timestamp::from_milliseconds(at);
                let mut ending = Ending {
                    at: ended_at,
                    state,
                    deliveries: &mut self.deliveries,
                    app_id: account.app_id.as_str(),
                    verdict,
                };
                let Some(happened) = ending.end(&job, &mut self.random) else {
                    continue;
                };
                self.events.push(|number| Event {
                    number,
                    at_milliseconds: at,
                    app_id: account.app_id.as_str().to_owned(),
                    from_user: happened.from_user,
                    event: happened.event.to_owned(),
                    elements: happened.elements,
                });
            }
        }
    }

    /// When the next job ends, if one runs.
    pub fn next_end(&self) -> Option<Timestamp> {
        let ends = self.states.iter().filter_map(|state| state.jobs.next());
        ends.min().map(Timestamp::from_milliseconds)
    }

    /// Events that happened, oldest first, with numbers greater than `after`; numbers count from 1. Only
    /// the latest [`Settings::records`](super::Settings::records) are kept.
    pub fn events_after(&self, after: u64) -> impl Iterator<Item = &Event> {
        self.events.after(after)
    }
}

/// The end of one job: everything that it may look at and change.
pub(super) struct Ending<'a> {
    pub(super) at: Timestamp,
    pub(super) state: &'a mut State,
    pub(super) deliveries: &'a mut Ring<super::Delivery>,
    pub(super) app_id: &'a str,
    /// How it ends, if that was ordered.
    pub(super) verdict: Option<String>,
}

impl Ending<'_> {
    fn end(
        &mut self,
        job: &Job,
        random: &mut crate::simulator::random::Random,
    ) -> Option<Happened> {
        match job {
            Job::Mass { message_id } => mass::end(self, *message_id),
            Job::Publish { publish_id } => publish::end(self, *publish_id, random),
            Job::Template {
                message_id,
                open_id,
                is_blocked,
            } => Some(template::end(self, *message_id, (open_id, *is_blocked))),
            Job::SubscribeNotice {
                message_id,
                open_id,
                template_id,
            } => Some(template::end_notice(
                self,
                *message_id,
                (open_id, template_id),
            )),
            Job::Service {
                event,
                open_id,
                kf_account,
            } => Some(service::happened(event, open_id, kf_account)),
        }
    }
}
