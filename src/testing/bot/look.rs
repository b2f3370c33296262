//! What the test looks at.

use std::any::type_name;

use serde::de::DeserializeOwned;

use super::TestBot;
use crate::clock::Timestamp;
use crate::store::{Attempt, PushState};
use crate::testing::platform::ApiCall;
use crate::testing::said::{Fate, Outcome, Said};

/// What the test looks at.
impl TestBot {
    /// What the bot has said since the last look, to anybody, in the order of the pushes.
    #[track_caller]
    pub fn replies(&mut self) -> Vec<Said> {
        let unseen = self.unseen();
        self.said.extend(unseen.iter().map(|(key, _)| *key));
        unseen.into_iter().map(|(_, said)| said).collect()
    }

    /// The texts among [`TestBot::replies`], all of which must be texts that arrived.
    #[track_caller]
    pub fn texts(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        for said in self.replies() {
            match (said.text(), &said.fate) {
                (Some(text), Fate::Sent) => texts.push(text.to_owned()),
                _ => self.fail(&format!("this is no text that arrived: {said}")),
            }
        }
        texts
    }

    /// The next thing that the bot has said is this text, and it arrived.
    #[track_caller]
    pub fn says(&mut self, expected: &str) -> &mut Self {
        match self.unseen().into_iter().next() {
            Some((key, said)) if said.text() == Some(expected) && said.fate == Fate::Sent => {
                self.said.insert(key);
            }
            Some((_, said)) => {
                self.fail(&format!("the bot should say {expected:?}, but says {said}"))
            }
            None => self.fail(&format!(
                "the bot should say {expected:?}, but says nothing"
            )),
        }
        self
    }

    /// The bot has said nothing since the last look.
    #[track_caller]
    pub fn says_nothing(&mut self) -> &mut Self {
        if let Some((_, said)) = self.unseen().first() {
            self.fail(&format!("the bot should say nothing, but says {said}"));
        }
        self
    }

    /// Where the last push stands.
    #[track_caller]
    pub fn outcome(&mut self) -> Outcome {
        let id = self.last().id;
        self.looked_at.insert(id);
        Outcome::of(&self.story(id), self.stage().clock.now())
    }

    /// The attempts of the last push, of all its runs.
    #[track_caller]
    pub fn attempts(&mut self) -> Vec<Attempt> {
        let id = self.last().id;
        self.looked_at.insert(id);
        let attempts = self.story(id).attempts;
        attempts.into_iter().map(|(_, attempt)| attempt).collect()
    }

    /// The last push was not handled, for a reason that has these words in it.
    #[track_caller]
    pub fn fails(&mut self, words: &str) -> &mut Self {
        let outcome = self.outcome();
        match &outcome.reason {
            Some(reason) if reason.contains(words) => self,
            Some(reason) => self.fail(&format!(
                "the last push should fail with {words:?}, but fails with {reason:?}"
            )),
            None => self.fail(&format!(
                "the last push should fail with {words:?}, but is {}",
                outcome.state.name()
            )),
        }
    }

    /// Where the conversation with this user stands; `None` when nothing is remembered.
    #[track_caller]
    pub fn conversation<C: DeserializeOwned>(&mut self, user: &str) -> Option<C> {
        let found = self.remembered(user)?;
        if found.type_name != type_name::<C>() {
            let asked = type_name::<C>();
            self.fail(&format!(
                "the conversation with {user} is a {}, not a {asked}",
                found.type_name
            ));
        }
        match serde_json::from_str(&found.state) {
            Ok(state) => Some(state),
            Err(error) => self.fail(&format!(
                "the conversation with {user} cannot be read: {error}"
            )),
        }
    }

    /// The calls that handlers have made since the last look.
    pub fn api_calls(&mut self) -> Vec<ApiCall> {
        self.platform.take_calls()
    }

    /// What time it is for the bot.
    #[track_caller]
    pub fn now(&mut self) -> Timestamp {
        self.stage().clock.now()
    }

    /// Ends the test: nothing happened that it has not looked at. Dropping the bot does the same.
    ///
    /// # Panics
    /// When there are replies that the test has not looked at, pushes that were not handled and whose
    /// [`outcome`](TestBot::outcome) it has not looked at, or failures of the platform that no message met.
    #[track_caller]
    pub fn done(&mut self) {
        self.is_done = true;
        if let Some((_, said)) = self.unseen().first() {
            self.fail(&format!(
                "the test does not look at what the bot says: {said}"
            ));
        }
        for played in &self.played {
            let push = self.story(played.id).push;
            if push.state != PushState::Done && !self.looked_at.contains(&played.id) {
                let reason = push.reason.unwrap_or_default();
                let state = push.state.name();
                self.fail(&format!(
                    "the test does not look at a push that is {state}: {reason}"
                ));
            }
        }
        if let Some(fault) = self.platform.unmet_faults().first() {
            self.fail(&format!(
                "no message met what the platform was to do: {fault:?}"
            ));
        }
    }
}
