//! The answer to a push that its handler gives: a passive reply, or `success` when there is none in time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::webhook::success;
use crate::clock::Timestamp;
use crate::dispatch::passive::{Answer, Outcome, Waiting};
use crate::id::PushId;
use crate::metric::{Counter, Counters};
use crate::protocol::message::PassiveReply;
use crate::protocol::{Credentials, Fresh, Opened};
use crate::store::{Accepted, Inbox, Part, PartState, Story};

/// How long an answer that was given is given again to a repeat.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// When WeChat has surely hung up on a request that gets no answer.
const HUNG_UP: Duration = Duration::from_millis(5_500);

pub(super) const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// A stored push whose request may wait for its handler.
pub(super) struct Request<'a> {
    pub(super) opened: &'a Opened,
    pub(super) credentials: &'a Credentials,
    pub(super) counters: &'a Counters,
    pub(super) came_at: Instant,
    pub(super) now: Timestamp,
}

impl Request<'_> {
    /// Waits for what the handler says, and answers with it.
    pub(super) async fn answer(
        self,
        accepted: Accepted,
        waiting: Waiting,
        inbox: &dyn Inbox,
    ) -> HttpResponse {
        if let Accepted::Repeat(push) = accepted
            && waiting.is_first()
        {
            match self.look_back(push, inbox).await {
                Past::Open => {}
                Past::Answered(document) => {
                    waiting.give_up();
                    return self.say(Answer::kept(document));
                }
                Past::Handled => {
                    waiting.give_up();
                    return success();
                }
            }
        }
        match waiting.outcome().await {
            Outcome::Answer(answer) => self.say(answer),
            Outcome::Success => success(),
            Outcome::Silence => {
                sleep_until(self.came_at + HUNG_UP).await;
                self.counters.add(Counter::RequestsUnanswered);
                HttpResponse::ServiceUnavailable().finish()
            }
        }
    }

    /// What became of a push that nobody waits for any more.
    async fn look_back(&self, push: PushId, inbox: &dyn Inbox) -> Past {
        match inbox.story(push).await {
            // It is waited for: at worst its request waits in vain.
            Err(error) => {
                tracing::warn!(push_id = %push, %error, "What became of a repeated push could not be read.");
                Past::Open
            }
            Ok(None) => Past::Handled,
            Ok(Some(story)) => past(&story, self.now),
        }
    }

    /// Protects the answer as the push was.
    fn say(&self, answer: Answer) -> HttpResponse {
        let document = String::from_utf8(answer.document().to_vec()).ok();
        let reply = document.map(PassiveReply::kept);
        let body = reply.and_then(|reply| seal(self.opened, &reply, self.credentials, self.now));
        match body.map(Bytes::from) {
            Some(body) => HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, XML))
                .body(AnswerBody {
                    length: body.len() as u64,
                    body: Some(body),
                    answer,
                }),
            // The answer comes back, and goes out by a call.
            None => success(),
        }
    }
}

/// The body that answers a push, protected as that was.
pub(super) fn seal(
    opened: &Opened,
    reply: &PassiveReply,
    credentials: &Credentials,
    now: Timestamp,
) -> Option<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).ok()?;
    let (nonce, random) = bytes.split_first_chunk::<8>()?;
    let fresh = Fresh {
        random: random.try_into().ok()?,
        nonce: u64::from_be_bytes(*nonce),
        timestamp: now,
    };
    let sealed = opened.answer(reply, credentials, &fresh);
    sealed
        .inspect_err(|error| tracing::error!(%error, "A passive reply could not be sealed."))
        .ok()
}

/// What became of a push before its repeat came.
#[derive(Debug, PartialEq, Eq)]
enum Past {
    /// It is not handled yet.
    Open,
    /// It was answered with this document.
    Answered(Bytes),
    /// It was handled without, or long ago.
    Handled,
}

fn past(story: &Story, now: Timestamp) -> Past {
    if story.push.run == 1 && story.push.state.is_open() {
        return Past::Open;
    }
    let was_given = |part: &&Part| {
        let may_have_left = !matches!(part.state, PartState::Waiting | PartState::Refused);
        part.key.run == 1 && may_have_left && now.since(part.changed_at) <= KEPT_FOR
    };
    let answer = story
        .parts
        .iter()
        .filter(was_given)
        .find_map(|part| part.passive.clone());
    answer.map_or(Past::Handled, Past::Answered)
}

/// The body of an answer, which tells when its connection takes it.
struct AnswerBody {
    body: Option<Bytes>,
    length: u64,
    answer: Answer,
}

impl MessageBody for AnswerBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let body = this.body.take();
        if body.is_some() {
            this.answer.take();
        }
        Poll::Ready(body.map(Ok))
    }
}
