//! What a handler answers with, before it is worded.

use crate::dispatch::bundle::Bundle;
use crate::id::AppId;
use crate::protocol::message::Message;
use crate::protocol::push::Push;
use crate::template::{Locale, Render, RenderError, Scope};

/// One thing that a handler answers with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// A message as it is.
    Message(Message),
    /// A template, which becomes a message when the handler has returned.
    Render(Render),
}

impl From<Message> for Answer {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Render> for Answer {
    fn from(render: Render) -> Self {
        Self::Render(render)
    }
}

/// An account as rules and templates know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its name in the configuration.
    pub name: String,
    /// Its AppID.
    pub app_id: AppId,
    /// The language that its followers read, where nothing else is known.
    pub locale: Option<Locale>,
}

impl AccountFacts {
    /// One that is known by its AppID alone.
    pub fn unnamed(app_id: AppId) -> Self {
        Self {
            name: app_id.as_str().to_owned(),
            app_id,
            locale: None,
        }
    }
}

impl Bundle {
    /// Words answers to a push: every template is one of this bundle.
    ///
    /// # Errors
    /// The first template that came to no message; then nothing is said.
    pub fn word(
        &self,
        answers: Vec<Answer>,
        push: &Push,
        account: &AccountFacts,
    ) -> Result<Vec<Message>, RenderError> {
        // Most answers are messages, and need nothing of all this.
        let mut scope = None;
        let mut messages = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Answer::Message(message) => messages.push(message),
                Answer::Render(render) => {
                    let scope = scope.get_or_insert_with(|| {
                        Scope::new(push, &account.name, &account.app_id)
                            .locale(account.locale.clone())
                    });
                    messages.extend(self.templates().render(&render, scope)?);
                }
            }
        }
        Ok(messages)
    }
}
