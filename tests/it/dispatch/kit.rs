//! An engine in a test: pushes in, deliveries out, and waits with a deadline.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use wxhook::api::Delivery;
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::{
    Accounts, Attempts, Bundles, Courier, Engine, EngineError, EngineParts, Replays, Router,
    Settings, Stopped,
};
use wxhook::id::{AppId, OpenId, PushId};
use wxhook::metric::{Counter, Counters};
use wxhook::protocol::push::{DedupeKey, Kind};
use wxhook::store::memory::MemoryInbox;
use wxhook::store::{Accepted, Inbox, NewPush, PushState, Story, Ticket};

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn account() -> AppId {
    AppId::parse("wx0123456789abcdef").unwrap()
}

/// Another account, with the same users.
pub(crate) fn other_account() -> AppId {
    AppId::parse("wxfedcba9876543210").unwrap()
}

/// A message, as it was handed over.
#[derive(Debug, Clone)]
struct Delivered {
    account: AppId,
    user: String,
    text: String,
}

/// Plays the platform: takes every message, or does what the script says first.
#[derive(Debug, Default)]
pub(crate) struct Platform {
    script: Mutex<VecDeque<Delivery>>,
    delivered: Mutex<Vec<Delivered>>,
    /// While there is one, each answer needs a permit of it.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Platform {
    pub(crate) fn scripted(script: impl IntoIterator<Item = Delivery>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        })
    }

    /// What arrived, as "user: text", in order; calls that were answered otherwise included.
    pub(crate) fn calls(&self) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        let shown = delivered
            .iter()
            .map(|Delivered { user, text, .. }| format!("{user}: {text}"));
        shown.collect()
    }

    /// What arrived at one user.
    pub(crate) fn texts(&self, user: &str) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        let theirs = delivered.iter().filter(|message| message.user == user);
        theirs.map(|message| message.text.clone()).collect()
    }

    /// What was handed over in the name of one account, to whomever.
    pub(crate) fn texts_of(&self, account: &AppId) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        let its_own = delivered
            .iter()
            .filter(|message| message.account == *account);
        its_own.map(|message| message.text.clone()).collect()
    }
}

impl Courier for Platform {
    fn deliver(&self, account: &AppId, message: Bytes) -> BoxFuture<'static, Delivery> {
        let json: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let user = json["touser"].as_str().unwrap().to_owned();
        let text = json["text"]["content"].as_str().unwrap().to_owned();
        self.delivered.lock().unwrap().push(Delivered {
            account: account.clone(),
            user,
            text,
        });
        let answer = self.script.lock().unwrap().pop_front();
        let gate = self.gate.lock().unwrap().clone();
        async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            answer.unwrap_or(Delivery::Sent { rid: None })
        }
        .boxed()
    }
}

/// Settings with which nothing takes longer than a test may, and users may be written to at any time.
pub(crate) fn quick() -> Settings {
    let mut settings = with_windows();
    settings.windows.check = false;
    settings
}

/// The same with sending windows.
pub(crate) fn with_windows() -> Settings {
    Settings {
        attempts: Attempts::after(["10ms", "20ms"]).unwrap(),
        stop_grace: LONG,
        ..Settings::default()
    }
}

/// One inbox, as many engines one after another as a test wants.
pub(crate) struct House {
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) counters: Arc<Counters>,
    /// Rules and templates; none unless a test swaps some in.
    pub(crate) bundles: Bundles,
    pub(crate) accounts: Accounts,
    clock: Arc<dyn Clock>,
    next: Mutex<u64>,
}

/// An engine that runs.
pub(crate) struct Open {
    pub(crate) replays: Replays,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<Stopped, EngineError>>,
}

impl Open {
    pub(crate) fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn stop(self) -> Stopped {
        self.tell_to_stop();
        within(self.task).await.unwrap().unwrap()
    }

    /// The error with which the engine ends by itself.
    pub(crate) async fn fail(self) -> EngineError {
        within(self.task).await.unwrap().unwrap_err()
    }

    /// As the end of a process would end it: nothing more is awaited, nothing more is said.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(Platform::scripted([]))
    }

    pub(crate) fn with(platform: Arc<Platform>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let inbox = MemoryInbox::new(Arc::clone(&clock));
        Self::over(inbox, platform, clock)
    }

    /// A house over a store of the test's own.
    pub(crate) fn over(
        inbox: Arc<dyn Inbox>,
        platform: Arc<Platform>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // What an earlier house pushed into the same store is not pushed again.
        let next = Mutex::new(inbox.newest().borrow().0.unsigned_abs());
        Self {
            inbox,
            platform,
            counters: Arc::default(),
            bundles: Bundles::default(),
            accounts: Accounts::named([(account(), "default")]),
            clock,
            next,
        }
    }

    pub(crate) fn engine<S: Send + Sync + 'static>(
        &self,
        router: Router<S>,
        state: S,
        settings: Settings,
    ) -> Open {
        let courier: Arc<dyn Courier> = self.platform.clone();
        let engine = Engine::new(EngineParts {
            passive: None,
            inbox: Arc::clone(&self.inbox),
            courier,
            routes: router.with_state(state).unwrap(),
            bundles: self.bundles.clone(),
            accounts: self.accounts.clone(),
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            settings,
        })
        .unwrap();
        let (stop, stopped) = watch::channel(false);
        Open {
            replays: engine.replays(),
            stop,
            task: tokio::spawn(engine.run(stopped)),
        }
    }

    /// A text message of a user.
    pub(crate) async fn text(&self, user: &str, content: &str) -> PushId {
        self.text_to(&account(), user, content).await
    }

    /// The same to another account.
    pub(crate) async fn text_to(&self, account: &AppId, user: &str, content: &str) -> PushId {
        let inner = format!("<MsgType>text</MsgType><Content><![CDATA[{content}]]></Content>");
        self.push_to(account, user, Kind::Message, &inner).await
    }

    pub(crate) async fn event(&self, user: &str, event: &str) -> PushId {
        let inner = format!("<MsgType>event</MsgType><Event>{event}</Event>");
        self.push(user, Kind::Event, &inner).await
    }

    /// A tap on a menu button.
    pub(crate) async fn click(&self, user: &str, key: &str) -> PushId {
        let inner =
            format!("<MsgType>event</MsgType><Event>CLICK</Event><EventKey>{key}</EventKey>");
        self.push(user, Kind::Event, &inner).await
    }

    /// A message of any type: what is inside the document.
    pub(crate) async fn message(&self, user: &str, inner: &str) -> PushId {
        self.push(user, Kind::Message, inner).await
    }

    /// What an older version could not read.
    pub(crate) async fn malformed(&self, inner: &str) -> PushId {
        self.push("a", Kind::Malformed, inner).await
    }

    async fn push(&self, user: &str, kind: Kind, inner: &str) -> PushId {
        self.push_to(&account(), user, kind, inner).await
    }

    async fn push_to(&self, account: &AppId, user: &str, kind: Kind, inner: &str) -> PushId {
        let number = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            *next
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{user}</FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgId>{number}</MsgId>{inner}</xml>"
        );
        let push = NewPush {
            account: account.clone(),
            user: OpenId::new(user),
            kind,
            key: DedupeKey(key),
            body: body.into(),
            received_at: self.clock.now(),
            verified: "secure",
            malformed: None,
            ticket: None,
        };
        let room = Arc::clone(self.inbox.room()).acquire_owned().await.unwrap();
        let (ticket, outcome) = Ticket::once();
        self.inbox.accept(push, room, ticket);
        match outcome.await.unwrap() {
            Accepted::Stored(id) => id,
            Accepted::Repeat(id) => panic!("{id} is a repeat"),
        }
    }

    pub(crate) async fn story(&self, id: PushId) -> Story {
        self.inbox.story(id).await.unwrap().unwrap()
    }

    /// Waits until a push is in this state, and tells its story.
    pub(crate) async fn until(&self, id: PushId, state: PushState) -> Story {
        eventually(async || {
            let story = self.story(id).await;
            (story.push.state == state).then_some(story)
        })
        .await
    }

    /// Waits until every push has its outcome. What they say may still be on its way: a clean stop waits for it.
    pub(crate) async fn settled(&self) {
        eventually(async || {
            let pushes = self.inbox.list(Default::default()).await.unwrap();
            let open = pushes.iter().any(|push| push.state.is_open());
            (!open).then_some(())
        })
        .await;
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }
}

/// Looks again and again until there is something; the only wait of these tests that is no event.
pub(crate) async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future)
        .await
        .expect("it takes too long")
}
