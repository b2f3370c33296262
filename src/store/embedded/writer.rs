//! The one thread that writes: many commands, one transaction, one sync.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use super::batch::{self, Memory};
use super::command::{self, Command};
use super::lock::DirectoryLock;
use super::paths::Paths;
use super::recent::Recent;
use super::upkeep::{self, Checkpoints, Sweep};
use super::{Settings, poison, reserve};
use crate::clock::Clock;
use crate::id::PushId;
use crate::store::{Health, StoreError};

/// Commands in one transaction at most.
const COMMANDS: usize = 1_024;

/// A commit is expected to take as long as the last one, but no longer than this: however slow the disk
/// is, it is tried.
const EXPECTED_AT_MOST: Duration = Duration::from_secs(1);

/// How long nothing must happen before the writer tidies up; also, how often it does so at least
/// when there are pauses.
const REST: Duration = Duration::from_secs(1);

/// How often it does so while there is more to tidy up.
const REST_UNTIDY: Duration = Duration::from_millis(100);

/// How often the writer tidies up when there are no pauses.
const REST_UNDER_LOAD: Duration = Duration::from_secs(10);

/// How often finished pushes are looked through from the oldest on.
const SWEEP_AGAIN: Duration = Duration::from_secs(60 * 60);

/// Whether the writer writes.
#[derive(Debug)]
enum Condition {
    Ready,
    /// Only what concerns pushes that are stored already.
    Refusing(Arc<str>),
    Poisoned(Arc<str>),
}

/// What an error of the database means.
enum Trouble {
    /// There is no space; nothing is broken.
    Full,
    /// Another process writes; nothing is broken.
    Busy,
    /// It is not known what the disk holds.
    Fatal,
}

impl Trouble {
    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Fatal,
        }
    }
}

/// What the writer shows to others.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    pub(super) health: Arc<watch::Sender<Health>>,
    pub(super) newest: Arc<watch::Sender<PushId>>,
    pub(super) low_water: Arc<AtomicI64>,
    pub(super) recent: Arc<Recent>,
}

/// The writer, before and while it runs.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
    queue: Receiver<Command>,
    signs: Signs,
    settings: Settings,
    paths: Paths,
    clock: Arc<dyn Clock>,
    condition: Condition,
    checkpoints: Checkpoints,
    sweep: Sweep,
    rested_at: Duration,
    swept_at: Duration,
    tidy: bool,
    /// How long the last commit took.
    took: Duration,
    /// Released last, when the file is closed.
    _lock: DirectoryLock,
}

/// What opening a store has prepared.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) memory: Memory,
    pub(super) settings: Settings,
    pub(super) paths: Paths,
    pub(super) lock: DirectoryLock,
}

impl Writer {
    pub(super) fn new(
        opened: Opened,
        queue: Receiver<Command>,
        signs: Signs,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let now = clock.monotonic();
        Self {
            connection: opened.connection,
            memory: opened.memory,
            queue,
            signs,
            settings: opened.settings,
            paths: opened.paths,
            clock,
            condition: Condition::Ready,
            checkpoints: Checkpoints::default(),
            sweep: Sweep::default(),
            rested_at: now,
            swept_at: now,
            tidy: false,
            took: Duration::ZERO,
            _lock: opened.lock,
        }
    }

    /// Works until it is told to stop; then the file is closed and the lock released.
    pub(super) fn run(self) {
        let ended = self.work();
        // Whoever told us to stop may have gone.
        if let Some(ended) = ended {
            let _gone = ended.send(());
        }
    }

    fn work(mut self) -> Option<oneshot::Sender<()>> {
        let mut commands = Vec::new();
        loop {
            let stop = self.gather(&mut commands);
            if let Some(Stop { crash: true, ended }) = stop {
                return ended;
            }
            let idle = commands.is_empty();
            if !idle {
                self.commit(std::mem::take(&mut commands));
            }
            if let Some(Stop { ended, .. }) = stop {
                self.finish();
                return ended;
            }
            self.rest_if_due(idle);
        }
    }

    /// Waits for something to do, and takes all there is. What is not urgent waits a while for what
    /// is.
    fn gather(&self, commands: &mut Vec<Command>) -> Option<Stop> {
        let patience = if self.tidy { REST } else { Duration::ZERO };
        let mut next = match self.queue.recv_timeout(patience) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => return None,
            // Everyone who could send a command is gone.
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Stop {
                    crash: false,
                    ended: None,
                });
            }
        };
        let mut urgent = false;
        let mut pushes = 0;
        let mut departure = None;
        while let Some(command) = next {
            urgent |= command.is_urgent();
            pushes += usize::from(command.is_accept());
            match command {
                Command::Stop { crash, ended } => {
                    let ended = Some(ended);
                    return Some(Stop { crash, ended });
                }
                command => commands.push(command),
            }
            if commands.len() == COMMANDS || pushes == self.settings.batch {
                return None;
            }
            next = match self.queue.try_recv() {
                Ok(command) => Some(command),
                Err(_) if urgent => None,
                Err(_) => self.wait_for_company(&mut departure),
            };
        }
        None
    }

    /// The next command, if one comes before the departure.
    fn wait_for_company(&self, departure: &mut Option<Receiver<Instant>>) -> Option<Command> {
        let departure =
            departure.get_or_insert_with(|| crossbeam_channel::after(self.settings.ride));
        crossbeam_channel::select! {
            recv(self.queue) -> command => command.ok(),
            recv(departure) -> _ => None,
        }
    }

    fn commit(&mut self, commands: Vec<Command>) {
        let began = self.clock.monotonic();
        // Under overload, storing what nobody waits for any more would make the next ones late, too.
        let done_at = began + self.took.min(EXPECTED_AT_MOST);
        let commands = fail_where(commands, &StoreError::Late, |command| {
            command.is_late(done_at)
        });
        let commands = match &self.condition {
            Condition::Ready => commands,
            Condition::Refusing(reason) => {
                let error = StoreError::Refusing(Arc::clone(reason));
                let seen = &self.memory.seen;
                fail_where(commands, &error, |command| command.is_new(seen))
            }
            Condition::Poisoned(reason) => {
                let error = StoreError::Poisoned(Arc::clone(reason));
                return drop(fail_where(commands, &error, |_| true));
            }
        };
        if commands.is_empty() {
            // Nothing was tried, so nothing is known of the next one: it is tried.
            self.took = Duration::ZERO;
            return;
        }
        let before = self.memory.last;
        let clock = Arc::clone(&self.clock);
        match batch::commit(&self.connection, &mut self.memory, &*clock, &commands) {
            Ok(outcomes) => {
                self.took = clock.monotonic().saturating_sub(began);
                self.show_low_water();
                self.signs.recent.note(&commands, &outcomes);
                command::deliver(commands, outcomes);
                if self.memory.last != before {
                    self.signs.newest.send_replace(self.memory.last);
                }
                self.check_log();
            }
            Err(error) => self.failed(commands, &error),
        }
    }

    fn failed(&mut self, commands: Vec<Command>, error: &rusqlite::Error) {
        match Trouble::of(error) {
            Trouble::Full if matches!(self.condition, Condition::Ready) => {
                self.refuse(error);
                // Now without the new pushes, and with the reserve's space.
                self.commit(commands);
            }
            Trouble::Full | Trouble::Busy => {
                let error = StoreError::Refusing(error.to_string().into());
                drop(fail_where(commands, &error, |_| true));
            }
            Trouble::Fatal => {
                self.poison(error);
                self.commit(commands);
            }
        }
    }

    /// Takes no new pushes until there is space again.
    fn refuse(&mut self, error: &rusqlite::Error) {
        reserve::release(&self.paths);
        let limit = self.settings.max_bytes + self.settings.reserve_bytes;
        if let Err(error) = upkeep::limit_bytes(&self.connection, limit) {
            tracing::error!(error = %error, "The file's limit could not be raised.");
        }
        let reason = format!("no space is left: {error}");
        tracing::error!(
            error = %error,
            "The disk or the store is full: new pushes are refused; make room."
        );
        self.signs
            .health
            .send_replace(Health::Refusing(reason.clone()));
        self.condition = Condition::Refusing(reason.into());
    }

    /// Puts the reserve back; with it and space in the file, new pushes are taken again.
    pub(super) fn make_room(&mut self) {
        if matches!(self.condition, Condition::Poisoned(_)) {
            return;
        }
        match self.has_room() {
            Ok(()) if matches!(self.condition, Condition::Ready) => {}
            Ok(()) => {
                tracing::info!("There is space again: new pushes are taken.");
                self.signs.health.send_replace(Health::Ready);
                self.condition = Condition::Ready;
            }
            Err(reason) => {
                if matches!(self.condition, Condition::Ready) {
                    tracing::error!(
                        reason,
                        "The disk or the store is full: new pushes are refused; make room."
                    );
                }
                self.signs
                    .health
                    .send_replace(Health::Refusing(reason.clone()));
                self.condition = Condition::Refusing(reason.into());
            }
        }
    }

    fn has_room(&self) -> Result<(), String> {
        let used = upkeep::used_bytes(&self.connection).map_err(|error| error.to_string())?;
        let limit = self.settings.max_bytes;
        // With a margin, so that it does not fill up again at once.
        if used + self.settings.reserve_bytes >= limit {
            return Err(format!(
                "the store holds {used} bytes, and may hold {limit}"
            ));
        }
        let refused = matches!(self.condition, Condition::Refusing(_));
        reserve::make(&self.paths, self.settings.reserve_bytes, refused)
            .map_err(|error| format!("the disk has no space for the reserve: {error}"))?;
        upkeep::limit_bytes(&self.connection, limit).map_err(|error| error.to_string())
    }

    /// Never writes or syncs this file again.
    fn poison(&mut self, error: &rusqlite::Error) {
        let reason = format!("writing the store failed: {error}");
        tracing::error!(
            error = %error,
            "Writing the store failed: nothing more is stored, and this process must end."
        );
        poison::mark(&self.paths, &reason);
        self.signs.recent.close();
        self.signs
            .health
            .send_replace(Health::Poisoned(reason.clone()));
        self.condition = Condition::Poisoned(reason.into());
    }

    /// Writes the log back in time, and looks how far everything is settled.
    fn check_log(&mut self) {
        let result = self.checkpoints.keep_up(&self.connection).and_then(|made| {
            if made {
                self.memory.low_water = upkeep::low_water(&self.connection, &self.memory)?;
            }
            Ok(())
        });
        self.note(result);
        self.show_low_water();
    }

    fn show_low_water(&self) {
        let mark = self.memory.low_water.0;
        self.signs.low_water.store(mark, Ordering::Release);
    }

    fn rest_if_due(&mut self, idle: bool) {
        let since = self.clock.monotonic().saturating_sub(self.rested_at);
        let pause = match (self.queue.is_empty(), self.tidy) {
            (false, _) => REST_UNDER_LOAD,
            (true, true) => REST,
            (true, false) => REST_UNTIDY,
        };
        let due = idle || since >= pause;
        if due && !matches!(self.condition, Condition::Poisoned(_)) {
            self.rest();
        }
    }

    fn rest(&mut self) {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.swept_at) >= SWEEP_AGAIN {
            self.sweep.restart();
            self.swept_at = now;
        }
        let wall = self.clock.now();
        let step = self
            .sweep
            .step(&self.connection, &mut self.memory, &self.settings, wall);
        self.tidy = !*step.as_ref().unwrap_or(&false);
        self.note(step.map(drop));
        self.rested_at = now;
        if matches!(self.condition, Condition::Refusing(_)) {
            self.make_room();
        }
        self.check_log();
    }

    /// Draws the conclusion from an error outside a batch.
    fn note(&mut self, result: rusqlite::Result<()>) {
        let Err(error) = result else {
            return;
        };
        match Trouble::of(&error) {
            Trouble::Full if matches!(self.condition, Condition::Ready) => self.refuse(&error),
            Trouble::Full | Trouble::Busy => {}
            Trouble::Fatal => self.poison(&error),
        }
    }

    /// Leaves a short log behind.
    fn finish(&mut self) {
        if matches!(self.condition, Condition::Poisoned(_)) {
            return;
        }
        let written = upkeep::write_back(&self.connection);
        self.note(written);
    }
}

/// The order to end.
struct Stop {
    crash: bool,
    ended: Option<oneshot::Sender<()>>,
}

/// Fails those commands that match, and returns the others.
fn fail_where(
    commands: Vec<Command>,
    error: &StoreError,
    matches: impl Fn(&Command) -> bool,
) -> Vec<Command> {
    if !commands.iter().any(&matches) {
        return commands;
    }
    let (failed, kept): (Vec<_>, Vec<_>) = commands.into_iter().partition(matches);
    for command in failed {
        command::fail(command, error);
    }
    kept
}
