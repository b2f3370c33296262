//! How what is said becomes messages: long texts in pieces, as many as the window allows.

use bytes::Bytes;

use crate::dispatch::live::{Live, SendError};
use crate::metric::Counter;
use crate::protocol::message::Message;
use crate::protocol::push::Push;
use crate::quota::window::Standing;

/// Bytes of the longest [`LongTexts::cut_sign`].
pub const MAX_CUT_SIGN_BYTES: usize = 200;

/// What becomes of texts that are longer than one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongTexts {
    /// Whether they are said in several messages; otherwise they cannot be said. Default: they are.
    pub split: bool,
    /// What the last message ends with when not all could be said; at most [`MAX_CUT_SIGN_BYTES`].
    pub cut_sign: String,
}

impl Default for LongTexts {
    fn default() -> Self {
        Self {
            split: true,
            cut_sign: "……（内容过长，未能全部发送）".to_owned(),
        }
    }
}

/// Everything that a handler returned, as it leaves.
#[derive(Debug, Default)]
pub(crate) struct Sayings {
    /// The exact bodies of the customer messages, in order. Empty for what only a passive reply can say.
    pub(crate) messages: Vec<Bytes>,
    /// The first of them as the answer to the push, when its request waits and it can be said so.
    pub(crate) passive: Option<Bytes>,
}

/// One thing to say, as the messages that leave.
pub(super) struct Wording {
    /// Their exact bodies, in order.
    pub(super) messages: Vec<Bytes>,
    /// How many there would be if the window allowed it: what it takes of a run's ordinals, whatever
    /// the window is.
    pub(super) ordinals: u32,
}

impl Live {
    /// Everything that a handler returned, as messages. Of what the window allows, each thing said gets
    /// one, and long texts share the rest, the first first.
    ///
    /// # Errors
    /// [`SendError::Message`], [`SendError::Nobody`] or [`SendError::AnswerOnly`]: the platform would refuse it.
    pub(crate) fn encode_all(
        &self,
        push: &Push,
        messages: &[Message],
    ) -> Result<Sayings, SendError> {
        let passive = match messages.first() {
            Some(first) if self.is_awaited() => {
                let later = messages.len() - 1;
                self.word_passively(push, first, (self.allowed() + 1).saturating_sub(later))
            }
            _ => None,
        };
        // A passive reply uses nothing of the window.
        let mut left = self.allowed() + usize::from(passive.is_some());
        let mut bodies = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            if index == 0 && passive.is_some() && message.is_passive_only() {
                bodies.push(Bytes::new());
                continue;
            }
            let later = messages.len() - index - 1;
            let wording = self.word(message, left.saturating_sub(later))?;
            left = left.saturating_sub(wording.messages.len());
            bodies.extend(wording.messages);
        }
        Ok(Sayings {
            messages: bodies,
            passive,
        })
    }

    /// The first message of what is said, as the answer to the push; `None` when such a reply cannot say it.
    /// It is cut as [`word`](Self::word) cuts it, so that the next message goes on where it ends.
    fn word_passively(&self, push: &Push, message: &Message, at_most: usize) -> Option<Bytes> {
        let now = self.outbox().now();
        let texts = self.outbox().texts();
        let document = match texts.split && !message.is_passive_only() {
            true => {
                let at_most = self.most().min(at_most);
                let mut pieces = message.split(at_most, &texts.cut_sign).messages;
                pieces.swap_remove(0).to_passive(push, now)
            }
            false => message.to_passive(push, now),
        };
        Some(Bytes::from(document.ok()?.into_document()))
    }

    /// One thing to say, in as many messages as the window allows.
    ///
    /// # Errors
    /// [`SendError::Message`] or [`SendError::Nobody`]: the platform would refuse it.
    pub(super) fn encode(&self, message: &Message) -> Result<Wording, SendError> {
        self.word(message, self.allowed())
    }

    /// Messages that the window allows now; a whole window's when that is not known.
    fn allowed(&self) -> usize {
        match self.standing() {
            Standing::Open { remaining, .. } => usize::try_from(remaining).unwrap_or(usize::MAX),
            // They will be refused, each with its reason.
            Standing::Closed(_) | Standing::Unknown => self.most(),
        }
    }

    fn most(&self) -> usize {
        usize::from(self.outbox().most_messages())
    }

    fn word(&self, message: &Message, at_most: usize) -> Result<Wording, SendError> {
        if self.to().as_str().is_empty() {
            return Err(SendError::Nobody);
        }
        if message.is_passive_only() {
            return Err(SendError::AnswerOnly);
        }
        let texts = self.outbox().texts();
        if !texts.split {
            message.check()?;
            return Ok(self.bodies(std::slice::from_ref(message), 1));
        }
        let pieces = message.split(self.most().min(at_most), &texts.cut_sign);
        // Independent of what is left of the window, so that a repeated run counts alike.
        let ordinals = match pieces.messages.len() {
            1 if pieces.left_out == 0 => 1,
            _ => message.split(self.most(), &texts.cut_sign).messages.len(),
        };
        for piece in &pieces.messages {
            piece.check()?;
        }
        if pieces.left_out > 0 {
            self.outbox().counters().add(Counter::TextsCut);
            tracing::warn!(
                push_id = %self.push(),
                route = self.route(),
                messages = pieces.messages.len(),
                left_out_bytes = pieces.left_out,
                "A text is longer than its sending window allows; it is cut, with a sign."
            );
        }
        Ok(self.bodies(&pieces.messages, ordinals))
    }

    fn bodies(&self, messages: &[Message], ordinals: usize) -> Wording {
        let body = |message: &Message| Bytes::from(message.to_json(self.to()));
        Wording {
            messages: messages.iter().map(body).collect(),
            ordinals: u32::try_from(ordinals).unwrap_or(u32::MAX),
        }
    }
}
