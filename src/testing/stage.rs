//! Where a bot is played: the server's engine on a thread of its own, over a store in memory, in time
//! that passes only when the play needs it.
//!
//! Between two plays the thread does not run the runtime at all, so no time passes. During one, tokio's
//! paused time goes from one timer to the next whenever nothing else is left to do: a handler that
//! sleeps for a minute costs none, and everything happens in the same order each time.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::ApiCourier;
use crate::clock::{Clock, Timestamp};
use crate::dispatch::{
    AccountFacts, Accounts, BundleSettings, Bundles, Courier, Engine, EngineError, EngineParts,
    Replays, Routes, Settings, Stopped,
};
use crate::id::{AppId, PushId};
use crate::metric::Counters;
use crate::platform::hosts::HostError;
use crate::protocol::push::Head;
use crate::store::memory::{Limits, MemoryInbox};
use crate::store::{Accepted, Filter, Inbox, NewPush, PushState, StoreError, Ticket};
use crate::template::Faults;
use crate::testing::clock::PausedClock;
use crate::testing::platform::StandIn;

/// What a stage is set up with.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) account: AppId,
    /// The account's configured name.
    pub(super) name: String,
    pub(super) routes: Routes,
    pub(super) settings: Settings,
    /// Where templates and rules are.
    pub(super) files: BundleSettings,
    /// What time it is when the first play begins.
    pub(super) begins_at: Timestamp,
    /// Whether time passes as it really does while a play is under way.
    pub(super) in_real_time: bool,
    /// How long a play may really take.
    pub(super) patience: Duration,
}

/// What a stage is asked to do.
#[derive(Debug)]
pub(super) enum Cue {
    /// A push comes in.
    Push(Bytes),
    /// An operator has a push handled again.
    Replay(PushId),
    /// Time passes.
    Pass(Duration),
    /// Time passes until the next try of what failed.
    NextTry,
}

/// Why a play could not be played.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the stage could not be set up: {0}")]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the templates and rules are not whole:\n{0}")]
    Files(#[from] Faults),
    #[error(
        "after {0:?} of real time the bot has not come to rest: a handler computes without end, waits for something outside that does not come, or sleeps in a function that is not async: for that say .in_real_time()"
    )]
    Busy(Duration),
    #[error("the engine has ended: {0}")]
    Engine(EngineError),
    #[error("the stage broke down")]
    Broken,
    #[error("the store did not take it: {0}")]
    Store(#[from] StoreError),
    #[error("it cannot be handled again: {0}")]
    Replay(#[from] crate::dispatch::ReplayError),
    #[error("nothing waits for its next try")]
    NoTry,
}

/// The push that came in, if it was one.
type Played = Result<Option<PushId>, Trouble>;

/// The stage, as the test's thread has it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inbox: Arc<dyn Inbox>,
    cues: Sender<(Cue, SyncSender<Played>)>,
    patience: Duration,
}

impl Stage {
    /// Sets it up.
    pub(super) fn open(setting: Setting, platform: &Arc<StandIn>) -> Result<Self, Trouble> {
        let patience = setting.patience;
        let (cues, waiting) = mpsc::channel::<(Cue, SyncSender<Played>)>();
        let (tell, told) = mpsc::sync_channel(1);
        let platform = Arc::clone(platform);
        std::thread::Builder::new()
            .name("wxhook-stage".to_owned())
            .spawn(move || {
                let (runtime, mut troupe) = match Troupe::gather(setting, &platform) {
                    Ok(gathered) => gathered,
                    Err(trouble) => return drop(tell.send(Err(trouble))),
                };
                let seen = (Arc::clone(&troupe.clock), Arc::clone(&troupe.inbox));
                // A test that is gone plays nothing any more.
                drop(tell.send(Ok(seen)));
                while let Ok((cue, tell)) = waiting.recv() {
                    let played = runtime.block_on(troupe.play(cue));
                    // Whoever asked may have lost patience.
                    drop(tell.send(played));
                }
                runtime.shutdown_background();
            })?;
        let (clock, inbox) = told.recv().unwrap_or(Err(Trouble::Broken))?;
        Ok(Self {
            clock,
            inbox,
            cues,
            patience,
        })
    }

    /// Plays one thing, until the bot is at rest.
    pub(super) fn play(&self, cue: Cue) -> Played {
        let (tell, told) = mpsc::sync_channel(1);
        self.cues.send((cue, tell)).map_err(|_| Trouble::Broken)?;
        told.recv_timeout(self.patience)
            .unwrap_or_else(|error| match error {
                RecvTimeoutError::Timeout => Err(Trouble::Busy(self.patience)),
                RecvTimeoutError::Disconnected => Err(Trouble::Broken),
            })
    }
}

/// The stage, as its own thread has it.
struct Troupe {
    account: AppId,
    clock: Arc<dyn Clock>,
    inbox: Arc<dyn Inbox>,
    replays: Replays,
    resting: watch::Receiver<bool>,
    engine: JoinHandle<Result<Stopped, EngineError>>,
    /// Dropping it ends the engine.
    _stop: watch::Sender<bool>,
    in_real_time: bool,
}

/// So long nothing else can happen: the engine pauses for a millisecond when much comes at once, and
/// timers are rounded up to the next.
const STILL: Duration = Duration::from_millis(5);

/// How often the engine is given its turn before it counts as awake.
const TURNS: usize = 8;

/// How late the engine may look for what is due.
const LATEST_LOOK: Duration = Duration::from_secs(2);

impl Troupe {
    fn gather(setting: Setting, platform: &Arc<StandIn>) -> Result<(Runtime, Self), Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        // The server has run for long enough to know who may not be written to.
        let watched = setting.settings.windows.longest();
        let started_at = setting.begins_at.milliseconds() - milliseconds(watched);
        let started_at = Timestamp::from_milliseconds(started_at);
        let clock = PausedClock::starting_at(started_at, runtime.handle().clone());
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let inbox: Arc<dyn Inbox> = MemoryInbox::with_limits(Arc::clone(&clock), Limits::NONE);
        let api = platform.courier_api(&setting.account, &clock)?;
        let client = platform.handler_api(&setting.account, &clock)?;
        let facts = AccountFacts {
            name: setting.name.clone(),
            ..AccountFacts::unnamed(setting.account.clone())
        };
        // Rules may be for accounts that this test has not; whether there are such is the server's question.
        let files = BundleSettings {
            accounts: Vec::new(),
            ..setting.files
        };
        let bundles = Bundles::new(files.read()?, &[facts]);
        let accounts = Accounts::named([(setting.account.clone(), setting.name)]);
        let parts = EngineParts {
            inbox: Arc::clone(&inbox),
            courier: Arc::new(ApiCourier(Arc::new(api))) as Arc<dyn Courier>,
            routes: setting.routes,
            bundles,
            accounts: accounts.calling(client, runtime.handle().clone()),
            clock: Arc::clone(&clock),
            counters: Arc::new(Counters::default()),
            settings: setting.settings,
            // Nobody asks by HTTP here: what could answer a request goes out as a customer message.
            passive: None,
        };
        let entered = runtime.enter();
        let engine = Engine::beside_its_handlers(parts);
        let (replays, resting) = (engine.replays(), engine.resting());
        let (stop, stopped) = watch::channel(false);
        let engine = runtime.spawn(engine.run(stopped));
        drop(entered);
        let mut troupe = Self {
            account: setting.account,
            clock,
            inbox,
            replays,
            resting,
            engine,
            _stop: stop,
            in_real_time: setting.in_real_time,
        };
        runtime.block_on(async {
            troupe.rest().await?;
            troupe.jump(setting.begins_at).await;
            troupe.rest().await
        })?;
        Ok((runtime, troupe))
    }

    async fn play(&mut self, cue: Cue) -> Played {
        match cue {
            Cue::Push(body) => {
                let id = self.accept(body).await?;
                self.rest().await?;
                Ok(Some(id))
            }
            Cue::Replay(id) => {
                self.replays.replay(id, true).await?;
                self.rest().await?;
                Ok(Some(id))
            }
            Cue::Pass(time) => {
                self.pass(self.clock.now().after(time)).await?;
                Ok(None)
            }
            Cue::NextTry => {
                let at = self.next_try().await?.ok_or(Trouble::NoTry)?;
                self.pass(at).await?;
                Ok(None)
            }
        }
    }

    /// As the server accepts a push, from its verified document on.
    async fn accept(&self, body: Bytes) -> Result<PushId, Trouble> {
        let head = Head::read(&self.account, &body);
        let push = NewPush {
            account: self.account.clone(),
            user: head.user,
            kind: head.kind,
            key: head.dedupe_key,
            body,
            received_at: self.clock.now(),
            verified: "testing",
            malformed: head.malformed,
            ticket: None,
        };
        let room = Arc::clone(self.inbox.room()).acquire_owned().await;
        let room = room.map_err(|_| StoreError::Closed)?;
        let (ticket, outcome) = Ticket::once();
        self.inbox.accept(push, room, ticket);
        match outcome.await? {
            Accepted::Stored(id) | Accepted::Repeat(id) => Ok(id),
        }
    }

    /// Lets everything happen that happens without waiting for a next try.
    async fn rest(&mut self) -> Result<(), Trouble> {
        if self.in_real_time {
            tokio::time::resume();
            let rested = self.come_to_rest().await;
            tokio::time::pause();
            return rested;
        }
        self.come_to_rest().await
    }

    async fn come_to_rest(&mut self) -> Result<(), Trouble> {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        loop {
            tokio::time::sleep(STILL).await;
            let resting = self.resting.wait_for(|resting| *resting);
            tokio::select! {
                // The engine's end is told by its task.
                Ok(_) = resting => {}
                ended = &mut self.engine => return Err(match ended {
                    Ok(Err(error)) => Trouble::Engine(error),
                    Ok(Ok(_)) | Err(_) => Trouble::Broken,
                }),
            }
            // What it has just come from may have been the end of a long wait, with more to follow.
            tokio::time::sleep(STILL).await;
            if *self.resting.borrow() {
                return Ok(());
            }
        }
    }

    /// Goes on to this moment, from one next try to another.
    async fn pass(&mut self, until: Timestamp) -> Result<(), Trouble> {
        while let Some(at) = self.next_try().await?
            && at <= until
        {
            self.jump(at).await;
            self.rest().await?;
            // The engine looks for what is due now and then.
            let latest = at.after(LATEST_LOOK);
            while self.next_try().await? == Some(at) && self.clock.now() < latest {
                self.jump(self.clock.now().after(LATEST_LOOK / 20)).await;
                self.rest().await?;
            }
            if self.next_try().await? == Some(at) {
                // It waits behind something else.
                break;
            }
        }
        self.jump(until).await;
        self.rest().await
    }

    async fn jump(&self, to: Timestamp) {
        let left = to.since(self.clock.now());
        if !left.is_zero() {
            tokio::time::advance(left).await;
        }
    }

    /// When the next push that failed is tried again.
    async fn next_try(&self) -> Result<Option<Timestamp>, Trouble> {
        let filter = Filter {
            state: Some(PushState::Retry),
            ..Filter::default()
        };
        let waiting = self.inbox.list(filter).await?;
        Ok(waiting.iter().filter_map(|push| push.retry_at).min())
    }
}

/// The answer of a store in memory: it is there at once.
pub(super) fn at_once<T>(
    answer: futures_util::future::BoxFuture<'_, Result<T, StoreError>>,
) -> Result<T, Trouble> {
    Ok(answer.now_or_never().unwrap_or(Err(StoreError::Closed))?)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
