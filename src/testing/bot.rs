//! A bot in a test: what users do, what passes, what the test sees of it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::dispatch::{BundleSettings, Routes, Settings};
use crate::id::{AppId, OpenId, PushId};
use crate::store::{LaneKey, PartKey, PushState, StoredConversation, Story};
use crate::testing::platform::StandIn;
use crate::testing::said::Said;
use crate::testing::stage::{Cue, Setting, Stage, Trouble, at_once};

mod act;
mod look;

/// The account that a bot under test has.
pub const ACCOUNT: &str = "wx7e57000000000000";

/// What time it is when a test begins, if it does not say otherwise: ten o'clock of a Monday in China, 2 March 2026.
pub const BEGINS_AT: Timestamp = Timestamp::from_seconds(1_772_416_800);

/// How long one play may really take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A bot under test. Its routes run on the server's own engine, with a store in memory and a stand-in
/// for the platform, in time that passes only when a play or the test needs it.
///
/// Plays can be chained. Each returns when the bot is at rest: handlers have ended, and what they say
/// is with the platform. What failed waits for its next try, until time passes.
///
/// # Panics
/// All its methods do, with what happened so far, when something is not as the test says. A bot that is
/// dropped panics when the test has not looked at everything: see [`TestBot::done`].
pub struct TestBot {
    setting: Option<Setting>,
    stage: Option<Stage>,
    platform: Arc<StandIn>,
    played: Vec<Played>,
    said: HashSet<PartKey>,
    looked_at: HashSet<PushId>,
    messages: u64,
    /// The second of the last push.
    second: i64,
    is_done: bool,
}

/// A push that came in.
struct Played {
    id: PushId,
    body: Bytes,
    /// What it was, for people.
    what: String,
}

impl TestBot {
    pub(super) fn new(routes: Routes) -> Self {
        Self {
            setting: Some(Setting {
                account: account(),
                name: "default".to_owned(),
                routes,
                settings: Settings::default(),
                files: BundleSettings::default(),
                begins_at: BEGINS_AT,
                in_real_time: false,
                patience: PATIENCE,
            }),
            stage: None,
            platform: Arc::default(),
            played: Vec::new(),
            said: HashSet::new(),
            looked_at: HashSet::new(),
            messages: 0,
            second: 0,
            is_done: false,
        }
    }

    #[track_caller]
    fn set(mut self, set: impl FnOnce(&mut Setting)) -> Self {
        match &mut self.setting {
            Some(setting) => set(setting),
            None => panic!("the play has begun: set the stage before it"),
        }
        self
    }

    /// The account has this name in the configuration, instead of `default`.
    #[must_use]
    #[track_caller]
    pub fn account(self, name: &str) -> Self {
        self.set(|setting| setting.name = name.to_owned())
    }

    /// With these settings of `dispatch`, instead of a new server's.
    #[must_use]
    #[track_caller]
    pub fn settings(self, settings: Settings) -> Self {
        self.set(|setting| setting.settings = settings)
    }

    /// With templates and rules from elsewhere than `./templates` and `./rules.toml` in the package's directory. The account
    /// is that of [`account`](Self::account), whatever `accounts` of these are.
    #[must_use]
    #[track_caller]
    pub fn files(self, files: BundleSettings) -> Self {
        self.set(|setting| setting.files = files)
    }

    /// It is this moment when the test begins, instead of [`BEGINS_AT`]: `"2026-10-01T03:00:00+08:00"`.
    #[must_use]
    #[track_caller]
    pub fn begins_at(self, moment: &str) -> Self {
        let Ok(at) = moment.parse::<jiff::Timestamp>() else {
            panic!("{moment:?} is no moment: write it like \"2026-10-01T03:00:00+08:00\"");
        };
        let at = Timestamp::from_milliseconds(at.as_millisecond());
        self.set(|setting| setting.begins_at = at)
    }

    /// While a play is under way, time passes as it really does, and timers really take their time: for
    /// handlers that wait for a database, another thread, a server. Between plays it stands still, as ever.
    #[must_use]
    #[track_caller]
    pub fn in_real_time(self) -> Self {
        self.set(|setting| setting.in_real_time = true)
    }

    /// One play may really take so long, instead of [`PATIENCE`].
    #[must_use]
    #[track_caller]
    pub fn patience(self, patience: Duration) -> Self {
        self.set(|setting| setting.patience = patience)
    }
}

impl TestBot {
    /// The stage, set up when it is first needed.
    #[track_caller]
    fn stage(&mut self) -> &Stage {
        if let Some(setting) = self.setting.take() {
            match Stage::open(setting, &self.platform) {
                Ok(stage) => self.stage = Some(stage),
                Err(trouble) => panic!("{trouble}"),
            }
        }
        match &self.stage {
            Some(stage) => stage,
            None => panic!("{}", Trouble::Broken),
        }
    }

    #[track_caller]
    fn cue(&mut self, cue: Cue, what: &str) -> Option<PushId> {
        match self.stage().play(cue) {
            Ok(id) => id,
            Err(trouble) => self.fail(&format!("{what}: {trouble}")),
        }
    }

    /// A call that the test does not answer fails it at once.
    #[track_caller]
    fn check_calls(&self) {
        if let Some(call) = self.platform.take_unanswered().first() {
            let path = &call.path;
            self.fail(&format!(
                "a handler calls {path}, which the test does not answer: say .api_answers({path:?}, json!(…)) before"
            ));
        }
    }

    #[track_caller]
    fn last(&self) -> &Played {
        match self.played.last() {
            Some(played) => played,
            None => panic!("nothing was played yet"),
        }
    }

    #[track_caller]
    fn story(&self, id: PushId) -> Story {
        let story = self
            .stage
            .as_ref()
            .map(|stage| at_once(stage.inbox.story(id)));
        match story {
            Some(Ok(Some(story))) => story,
            Some(Err(trouble)) => panic!("{trouble}"),
            Some(Ok(None)) | None => panic!("{}", Trouble::Broken),
        }
    }

    #[track_caller]
    fn remembered(&mut self, user: &str) -> Option<StoredConversation> {
        let lane = LaneKey {
            account: account(),
            user: OpenId::new(user),
        };
        let stage = self.stage();
        match at_once(stage.inbox.conversation(lane, stage.clock.now())) {
            Ok(found) => found,
            Err(trouble) => self.fail(&trouble.to_string()),
        }
    }

    /// What the test has not looked at, in the order of the pushes.
    #[track_caller]
    fn unseen(&self) -> Vec<(PartKey, Said)> {
        let mut ids: Vec<_> = self.played.iter().map(|played| played.id).collect();
        ids.sort_unstable();
        let parts = ids.into_iter().flat_map(|id| self.story(id).parts);
        let unseen = parts.filter(|part| !self.said.contains(&part.key));
        unseen
            .filter_map(|part| Some((part.key, Said::of(&part)?)))
            .collect()
    }

    /// Fails the test, and tells what happened so far.
    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        panic!("{what}\n\n{}", self.history());
    }

    fn history(&self) -> String {
        if self.played.is_empty() {
            return "nothing happened".to_owned();
        }
        let mut history = "what happened:\n".to_owned();
        for played in &self.played {
            history.push_str(&format!("  {}\n", played.what));
            let story = self.story(played.id);
            for (_, attempt) in &story.attempts {
                let error = attempt
                    .error
                    .as_deref()
                    .map_or_else(String::new, |error| format!(": {error}"));
                history.push_str(&format!(
                    "    {}, attempt {}: {}{error}\n",
                    attempt.route,
                    attempt.number,
                    attempt.ended.name()
                ));
            }
            for said in story.parts.iter().filter_map(Said::of) {
                history.push_str(&format!("    said {said}\n"));
            }
            if story.push.state != PushState::Done {
                history.push_str(&format!("    is {}\n", story.push.state.name()));
            }
        }
        history
    }
}

fn account() -> AppId {
    match AppId::parse(ACCOUNT) {
        Ok(account) => account,
        Err(error) => unreachable!("{ACCOUNT} {error}"),
    }
}

impl Drop for TestBot {
    fn drop(&mut self) {
        if !self.is_done && !std::thread::panicking() {
            self.done();
        }
    }
}

impl fmt::Debug for TestBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBot")
            .field("played", &self.played.len())
            .finish_non_exhaustive()
    }
}
