//! The engine: one task that takes pushes out of the inbox, has them handled, and sends what they say.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::dispatch::Settings;
use crate::dispatch::accounts::Accounts;
use crate::dispatch::attempt::Report;
use crate::dispatch::bundle::Bundles;
use crate::dispatch::ending::Spoken;
use crate::dispatch::machine::{Event, Machine};
use crate::dispatch::outbox::Courier;
use crate::dispatch::passive::PassiveDesk;
use crate::dispatch::replay::Replays;
use crate::dispatch::router::Routes;
use crate::dispatch::runtime::{HandlerRuntime, Staffing};
use crate::dispatch::windows::{SharedWindows, WindowKeeper};
use crate::id::PushId;
use crate::metric::Counters;
use crate::store::{Inbox, StoreError};

/// What an engine works with.
#[derive(Debug, Clone)]
pub struct EngineParts {
    /// Where pushes come from and replies are kept.
    pub inbox: Arc<dyn Inbox>,
    /// Who delivers replies.
    pub courier: Arc<dyn Courier>,
    /// Who handles what.
    pub routes: Routes,
    /// What answers beside them, and how: rules and templates.
    pub bundles: Bundles,
    /// The accounts' names, and how handlers call the platform for them.
    pub accounts: Accounts,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where attempts and parts are counted.
    pub counters: Arc<Counters>,
    /// The bounds.
    pub settings: Settings,
    /// Where the requests of pushes wait for passive replies; `None`: none does.
    pub passive: Option<Arc<PassiveDesk>>,
}

/// Why an engine ended without being told to. The process should end: the store is of no use to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The operating system refused threads for the handlers.
    #[error("the handlers' threads could not be started")]
    Threads(#[source] io::Error),
    /// The store failed: what becomes of pushes can no longer be recorded.
    #[error("the engine cannot go on: {0}")]
    Store(#[from] StoreError),
    /// A task of the engine's panicked, which is a fault of this program.
    #[error("a task of the engine ended unexpectedly")]
    Task(#[from] tokio::task::JoinError),
}

/// How an engine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether everything under way came to its end within the grace.
    pub clean: bool,
    /// Attempts and deliveries that were still under way. The attempts run again at the next start;
    /// messages that were being sent become *unknown*.
    pub running: usize,
}

/// Runs pushes through their handlers. Made once in a process.
#[derive(Debug)]
pub struct Engine {
    parts: EngineParts,
    runtime: HandlerRuntime,
    replays: (mpsc::Sender<PushId>, mpsc::Receiver<PushId>),
    windows: SharedWindows,
    resting: watch::Sender<bool>,
}

/// Replays on their way to the engine.
const REPLAYS: usize = 64;
/// Reports, events and deliveries taken in before the engine looks around again.
const BATCH: usize = 256;
/// How long handlers wait for what is to be remembered of sending windows.
const REMEMBERING: Duration = Duration::from_millis(500);
/// How long threads without work may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts the handlers' threads; pushes are taken up by [`Engine::run`].
    ///
    /// # Errors
    /// [`EngineError::Threads`].
    pub fn new(parts: EngineParts) -> Result<Self, EngineError> {
        let staffing = Staffing {
            threads: parts.settings.handler_threads.max(1),
            most: parts.settings.max_handler_threads,
            blocked_after: parts.settings.blocked_after,
            blocking: parts.settings.blocking_threads,
        };
        let clock = Arc::clone(&parts.clock);
        let runtime = HandlerRuntime::start(staffing, clock, Arc::clone(&parts.counters))
            .map_err(EngineError::Threads)?;
        Ok(Self::with(parts, runtime))
    }

    /// An engine whose handlers run on the current tokio runtime, beside the engine itself. On one thread
    /// with paused time everything then happens in one order.
    #[cfg(feature = "testing")]
    pub(crate) fn beside_its_handlers(parts: EngineParts) -> Self {
        let (clock, counters) = (Arc::clone(&parts.clock), Arc::clone(&parts.counters));
        let runtime = HandlerRuntime::here(clock, counters);
        Self::with(parts, runtime)
    }

    fn with(parts: EngineParts, runtime: HandlerRuntime) -> Self {
        Self {
            parts,
            runtime,
            replays: mpsc::channel(REPLAYS),
            windows: SharedWindows::default(),
            resting: watch::Sender::new(false),
        }
    }

    /// The way to have pushes handled again while the engine runs.
    pub fn replays(&self) -> Replays {
        let (inbox, clock) = (&self.parts.inbox, &self.parts.clock);
        Replays::new(Arc::clone(inbox), self.replays.0.clone(), Arc::clone(clock))
    }

    /// The sending windows, for messages that are sent beside the engine.
    pub fn windows(&self) -> SharedWindows {
        self.windows.clone()
    }

    /// Whether nothing is under way: no attempt, no commit, no delivery. What waits for its next try, and
    /// what waits behind that, is not under way.
    pub fn resting(&self) -> watch::Receiver<bool> {
        self.resting.subscribe()
    }

    /// Runs until `stop` becomes true or its sender is gone, then waits for what is under way, at
    /// most [`Settings::stop_grace`]. Replies are sent on the tokio runtime that polls this.
    ///
    /// # Errors
    /// [`EngineError`] when the store fails; then nothing more can be recorded and the process should end.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<Stopped, EngineError> {
        let settings = &self.parts.settings;
        // Every attempt under way has one report on its way at most: that it waits at a gate, after which
        // it is not under way, or its end. Of those taken as timed out, only blocked ones still report.
        let reports = settings.handlers.max(1) + settings.max_handler_threads.max(1);
        let (sender, reported) = mpsc::channel(reports);
        let newest = self.parts.inbox.newest();
        let inbox = Arc::clone(&self.parts.inbox);
        let mut machine = Machine::new(self.parts, self.runtime, sender);
        self.windows.share(machine.outbox.windows());
        // Mostly it takes a moment. What takes longer goes on beside everything else, and what is not
        // known until then is tried. Whatever is left of it when the engine ends, ends with it.
        let mut remembering = JoinSet::new();
        remembering.spawn(remember(Arc::clone(machine.outbox.windows()), inbox));
        drop(tokio::time::timeout(REMEMBERING, remembering.join_next()).await);
        machine.deliver_unsent().await?;
        machine.ring();
        let mut inputs = Inputs {
            reported,
            gates: machine.gates.bell(),
            newest,
            replays: self.replays.1,
            _replaying: self.replays.0,
            stop,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            batch: Vec::with_capacity(BATCH),
            breath: Breath::default(),
            resting: self.resting,
        };
        let stopped = inputs.serve(&mut machine).await?;
        remembering.shutdown().await;
        let runtime = machine.into_runtime();
        tokio::task::spawn_blocking(move || runtime.close(LEAVING)).await?;
        Ok(stopped)
    }
}

/// Remembers what users did before this process began.
async fn remember(windows: Arc<WindowKeeper>, inbox: Arc<dyn Inbox>) {
    if let Err(error) = windows.remember(&inbox).await {
        tracing::warn!(%error, "Sending windows from before this start are not remembered; what is unknown is tried.");
    }
}

/// What the engine waits for.
struct Inputs {
    reported: mpsc::Receiver<Report>,
    /// Rings when a handler has left its gate.
    gates: Arc<Notify>,
    newest: watch::Receiver<PushId>,
    replays: mpsc::Receiver<PushId>,
    /// Keeps the channel open when nobody else does.
    _replaying: mpsc::Sender<PushId>,
    stop: watch::Receiver<bool>,
    alarm: Pin<Box<Sleep>>,
    /// What the alarm is set to, on the monotonic clock.
    armed: Option<Duration>,
    batch: Vec<Report>,
    breath: Breath,
    /// Whether the engine waits with nothing under way.
    resting: watch::Sender<bool>,
}

/// Keeps the engine from being woken for every single event while many come.
///
/// Events come from other threads, and each wake of a sleeping one costs more than what is then done.
/// So after a few looks within a moment the engine pauses for one, and finds many events at the next.
/// One push after another never meets a pause.
#[derive(Debug, Default)]
struct Breath {
    began: Duration,
    looks: u32,
}

/// A moment: the shortest pause that tokio's timer knows.
const MOMENT: Duration = Duration::from_millis(1);
/// Looks in a moment before the engine pauses. One push from its storing to its end needs about four.
const LOOKS: u32 = 8;

impl Breath {
    /// Counts a look, and pauses when there were many.
    async fn take(&mut self, clock: &dyn Clock) {
        let now = clock.monotonic();
        if now.saturating_sub(self.began) >= MOMENT {
            *self = Self {
                began: now,
                looks: 0,
            };
        }
        self.looks += 1;
        if self.looks > LOOKS {
            tokio::time::sleep(MOMENT).await;
        }
    }
}

/// What came first.
enum Woke {
    Reports,
    Gate,
    Event(Event),
    Spoken(Result<Spoken, tokio::task::JoinError>),
    Stored,
    Replay(PushId),
    Stop,
    Alarm,
}

impl Inputs {
    async fn serve(&mut self, machine: &mut Machine) -> Result<Stopped, EngineError> {
        let mut deadline = None;
        loop {
            // After every wake and before anything is started: what was stored after the word to
            // stop is not taken up.
            if !machine.stopping && self.is_told_to_stop() {
                machine.stopping = true;
                let grace = machine.parts.settings.stop_grace;
                deadline = Some(machine.parts.clock.monotonic() + grace);
            }
            machine.advance();
            if let Some(deadline) = deadline {
                let clean = machine.is_idle();
                if clean || machine.parts.clock.monotonic() >= deadline {
                    let running = machine.busy();
                    return Ok(Stopped { clean, running });
                }
                machine.set_alarm(deadline);
            }
            self.arm(machine);
            self.rest(machine.is_idle());
            let woke = self.wake(machine).await;
            self.rest(false);
            match woke {
                Woke::Reports | Woke::Gate => {}
                Woke::Event(event) => machine.happened(event)?,
                Woke::Spoken(spoken) => machine.spoken(spoken?)?,
                Woke::Stored => machine.intake.wake(),
                Woke::Replay(id) => machine.intake.replay(id),
                Woke::Stop => {}
                Woke::Alarm => machine.ring(),
            }
            self.take_batch(machine)?;
            self.breath.take(&*machine.parts.clock).await;
        }
    }

    fn rest(&self, resting: bool) {
        self.resting
            .send_if_modified(|known| std::mem::replace(known, resting) != resting);
    }

    /// Waits for whatever comes first.
    async fn wake(&mut self, machine: &mut Machine) -> Woke {
        let stopping = machine.stopping;
        tokio::select! {
            count = self.reported.recv_many(&mut self.batch, BATCH) => {
                debug_assert!(count > 0, "the machine holds a sender");
                Woke::Reports
            }
            () = self.gates.notified() => Woke::Gate,
            Some(event) = machine.work.next() => Woke::Event(event),
            Some(spoken) = machine.sends.join_next() => Woke::Spoken(spoken),
            Ok(()) = self.newest.changed(), if !stopping => Woke::Stored,
            Some(id) = self.replays.recv(), if !stopping => Woke::Replay(id),
            // With a value or with the end of its sender.
            _ = self.stop.changed(), if !stopping => Woke::Stop,
            () = self.alarm.as_mut(), if self.armed.is_some() => {
                self.armed = None;
                Woke::Alarm
            }
        }
    }

    /// A sender that is gone can tell nothing more: that is a stop too.
    fn is_told_to_stop(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Takes in what has come meanwhile, so that one wake serves many pushes.
    fn take_batch(&mut self, machine: &mut Machine) -> Result<(), EngineError> {
        for report in self.batch.drain(..) {
            machine.reported(report);
        }
        for _ in 0..BATCH {
            let Ok(report) = self.reported.try_recv() else {
                break;
            };
            machine.reported(report);
        }
        for _ in 0..BATCH {
            let Some(Some(event)) = machine.work.next().now_or_never() else {
                break;
            };
            machine.happened(event)?;
        }
        for _ in 0..BATCH {
            let Some(spoken) = machine.sends.try_join_next() else {
                break;
            };
            machine.spoken(spoken?)?;
        }
        Ok(())
    }

    /// Sets the alarm anew when it would ring too late.
    fn arm(&mut self, machine: &Machine) {
        let Some(at) = machine.alarm() else {
            return;
        };
        if self.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        let delay = at.saturating_sub(machine.parts.clock.monotonic());
        self.alarm.as_mut().reset(Instant::now() + delay);
        self.armed = Some(at);
    }
}
