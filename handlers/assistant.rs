//! An assistant: what nothing else answers, a language model does, over an OpenAI-compatible API.
//!
//! The answer is said in parts while it is still being written. Without `[handlers.assistant]` in the
//! configuration everything is said back. docs/assistant.md tells the whole.

use std::sync::Arc;
use std::time::Duration;

use wxhook::clock::{Clock, SystemClock, Timestamp};
use wxhook::{
    Content, Conversation, Deadline, Error, Message, Push, Reply, SendError, State, Text,
    without_links,
};

use crate::assistant::history::History;
use crate::assistant::parts::Parts;
use crate::assistant::rate::Rate;
use crate::assistant::service::{AskError, Finish, Piece, Service};
use crate::bot::Bot;
use crate::echo;

mod history;
mod parts;
mod rate;
mod service;
mod settings;

pub(crate) use crate::assistant::service::SetupError;
pub(crate) use crate::assistant::settings::Settings;

/// A question is put again after a failure that may pass, as long as its user asked it no longer ago.
const PATIENCE: Duration = Duration::from_secs(10);

const TOO_FAST: &str = "您问得太快了，请一分钟后再问。";
const UNAVAILABLE: &str = "抱歉，暂时无法回答，请稍后再试。";
const INTERRUPTED: &str = "抱歉，刚才的回答中断了，请再问一次。";

/// The assistant: cheap to clone.
#[derive(Clone)]
pub(crate) struct Assistant(Arc<Inner>);

struct Inner {
    service: Service,
    rate: Rate,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Assistant {
    /// Makes the client. Opens no connection.
    pub(crate) fn open(settings: Settings) -> Result<Self, SetupError> {
        Ok(Self(Arc::new(Inner {
            service: Service::open(&settings)?,
            rate: Rate::new(settings.per_minute),
            clock: Arc::new(SystemClock::start()),
            settings,
        })))
    }

    /// What the model wrote, as a message: nothing in it becomes a link, and it says who made it.
    fn word(&self, text: &str) -> Message {
        let Settings { label, mark, .. } = &self.0.settings;
        let text = Text::new(format!("{label}{}", without_links(text)));
        if *mark { text.ai() } else { text.into() }
    }

    async fn say(&self, reply: &Reply, part: &str) -> Result<(), Error> {
        match reply.send(self.word(part)).await {
            // It may have arrived: what follows would be missed more than it is doubted.
            Ok(()) | Err(SendError::Unknown { .. }) => Ok(()),
            Err(error) => Err(Error::from(error).give_up()),
        }
    }

    async fn answer(&self, asked: Asked) -> Result<Vec<Message>, Error> {
        let Asked {
            question,
            reply,
            deadline,
            ..
        } = &asked;
        let settings = &self.0.settings;
        let history = asked.talk.get().cloned().unwrap_or_default();
        let lines = history.lines(&settings.prompt, question);
        let mut answer = match self.0.service.ask(&lines, deadline).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.failed(error, &asked).await),
        };
        let mut parts = Parts::new(usize::from(settings.messages));
        let mut whole = String::new();
        let finish = loop {
            match answer.next(deadline).await {
                Ok(Piece::Text(text)) => {
                    whole.push_str(&text);
                    parts.push(&text);
                    parts.allow(reply.remaining());
                    while let Some(part) = parts.next() {
                        self.say(reply, &part).await?;
                    }
                    if parts.is_full() {
                        break Finish::TooLong;
                    }
                }
                Ok(Piece::End(finish)) => break finish,
                Err(error) if whole.trim().is_empty() => {
                    return Err(self.failed(error, &asked).await);
                }
                Err(error) => {
                    tracing::warn!(%error, "An answer of the assistant was cut short.");
                    break Finish::Broken;
                }
            }
        };
        if whole.trim().is_empty() {
            return Err(self.failed(AskError::Empty, &asked).await);
        }
        let history = history.with(question, &whole, usize::from(settings.turns));
        // Remembered in the same commit as the last message.
        asked.talk.set(history)?;
        let rest = parts.rest(finish.note());
        Ok(rest.iter().map(|rest| self.word(rest)).collect())
    }

    /// What comes of a question of which nothing was answered yet.
    async fn failed(&self, error: AskError, asked: &Asked) -> Error {
        if error.may_pass() && self.age(&asked.push) < PATIENCE {
            self.0.rate.give_back(asked.push.from());
            let wait = error.wait();
            let error = Error::from(error);
            return match wait {
                Some(wait) => error.retry_after(wait.min(PATIENCE)),
                None => error,
            };
        }
        // The user waits no longer, the operator finds the push among the dead ones with its reason. Whether
        // this message arrives changes neither.
        drop(asked.reply.send(UNAVAILABLE).await);
        Error::from(error).give_up()
    }

    /// How long ago the user wrote, by WeChat's clock, in whole seconds, and this machine's.
    fn age(&self, push: &Push) -> Duration {
        let then = push.create_time().unwrap_or_default();
        self.0.clock.now().since(Timestamp::from_seconds(then))
    }
}

/// A question, and where its answer goes.
struct Asked {
    question: String,
    push: Arc<Push>,
    talk: Conversation<History>,
    reply: Reply,
    deadline: Deadline,
}

/// Answers what no other route takes.
///
/// The route is not `resumable`, on purpose: a second attempt asks the model anew and gets another answer,
/// and its messages would go on where the first one's stopped. So a failure before the first message is
/// tried again; after it the user is told that something is missing, and that is the end of it.
pub(crate) async fn answer(
    Content(question): Content,
    push: Arc<Push>,
    talk: Conversation<History>,
    reply: Reply,
    deadline: Deadline,
    State(bot): State<Bot>,
) -> Result<Vec<Message>, Error> {
    let Some(assistant) = bot.assistant else {
        return Ok(vec![echo::echo(Content(question)).await.into()]);
    };
    let said = reply.said_before();
    if said > 0 {
        // The process ended in the middle of the answer. The first messages of this attempt are taken
        // for those that left then; the one after them tells the user.
        return Ok(vec![INTERRUPTED.into(); said + 1]);
    }
    if reply.remaining() == Some(0) {
        return Err(
            Error::new("the user's sending window is closed, so the model was not asked").give_up(),
        );
    }
    let now = assistant.0.clock.monotonic();
    if !assistant.0.rate.take(push.from(), now) {
        return Ok(vec![TOO_FAST.into()]);
    }
    let asked = Asked {
        question,
        push,
        talk,
        reply,
        deadline,
    };
    assistant.answer(asked).await
}
