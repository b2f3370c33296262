//! "The other side is typing": shown for a moment to a user with whom one is talking.

use std::collections::HashMap;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::post;
use super::endpoint::text;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[post("/cgi-bin/message/custom/typing", typing)];

/// Seconds after a message within which typing may be shown.
pub const TYPING_AFTER_MESSAGE_SECONDS: i64 = 30;

/// Seconds for which typing is shown.
pub const TYPING_SECONDS: i64 = 15;

/// Users remembered; those with whom nothing was exchanged lately are forgotten first.
const MAX_USERS: usize = 100_000;

#[derive(Debug, Clone, Copy, Default)]
struct Talk {
    exchanged: i64,
    typing_until: i64,
}

/// With whom an account is talking.
#[derive(Debug, Default)]
pub(super) struct Talks(HashMap<String, Talk>);

impl Talks {
    /// A message went to or fro: typing ends by it.
    pub(super) fn exchanged(&mut self, now: Timestamp, open_id: &str) {
        let now = now.milliseconds();
        if let Some(talk) = self.0.get_mut(open_id) {
            *talk = Talk {
                exchanged: now,
                typing_until: now,
            };
            return;
        }
        if self.0.len() >= MAX_USERS {
            let lately = now - TYPING_AFTER_MESSAGE_SECONDS * 1000;
            self.0.retain(|_, talk| talk.exchanged > lately);
        }
        if self.0.len() < MAX_USERS {
            let talk = Talk {
                exchanged: now,
                typing_until: now,
            };
            self.0.insert(open_id.to_owned(), talk);
        }
    }

    fn begin(&mut self, now: Timestamp, open_id: &str) -> Result<(), Refusal> {
        let now = now.milliseconds();
        let talk = self.0.get_mut(open_id);
        let recent = |talk: &&mut Talk| now - talk.exchanged <= TYPING_AFTER_MESSAGE_SECONDS * 1000;
        let talk = talk.filter(recent).ok_or(Refusal::code(45080))?;
        if now < talk.typing_until {
            return Err(Refusal::code(45081));
        }
        talk.typing_until = now + TYPING_SECONDS * 1000;
        Ok(())
    }

    fn cancel(&mut self, now: Timestamp, open_id: &str) {
        if let Some(talk) = self.0.get_mut(open_id) {
            talk.typing_until = now.milliseconds();
        }
    }
}

/// `POST /cgi-bin/message/custom/typing`
fn typing(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let open_id = text(&request, "touser").ok_or(Refusal::code(40003))?;
    if !visit.state.followers.includes(open_id) {
        return Err(Refusal::code(40003));
    }
    let talks = &mut visit.state.talks;
    match text(&request, "command") {
        Some("Typing") => talks.begin(visit.now, open_id)?,
        Some("CancelTyping") => talks.cancel(visit.now, open_id),
        _ => return Err(Refusal::code(45072)),
    }
    Ok(Answer::ok())
}
