//! The durable store: one SQLite file, written by one thread, many pushes for each sync.
//!
//! - A ticket is completed after the commit that holds its push and dedupe key was synced.
//! - Dedupe keys are looked up in memory and rebuilt from their rows at the start.
//! - The log is written back by our own checkpoints, because SQLite's automatic one hides its errors.
//! - Any error of a write or a sync poisons the store: every caller fails, and the next start verifies
//!   and copies the file before it is ready.
//! - A full disk is not an error of that kind: new pushes are refused, while outcomes are still written
//!   into space that was kept back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use crossbeam_channel::Sender;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use self::batch::Memory;
use self::code::Code;
use self::command::{Answer, Change, Command};
use self::paths::Paths;
pub(crate) use self::paths::write_private;
use self::reader::Reader;
use self::recent::Recent;
use self::writer::{Opened, Signs, Writer};
use crate::clock::{Clock, Timestamp};
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::Kind;
use crate::store::seen::Seen;
use crate::store::{
    Aside, ComponentTicket, Filter, Health, Inbox, LaneKey, NewPush, Page, Part, PartKey,
    PartVerdict, Past, QUEUE_ROOM, Room, Settlement, StoreError, StoredConversation, StoredPush,
    Story, Ticket,
};

mod batch;
mod check;
mod code;
mod command;
mod conversation;
mod counters;
mod error;
mod ledger;
mod lock;
mod paths;
mod poison;
mod reader;
mod recent;
mod reserve;
mod schema;
mod settings;
mod tokens;
mod upkeep;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use counters::EmbeddedCounters;
pub use error::OpenError;
pub use lock::DirectoryLock;
pub use settings::{
    BATCH, DEAD_CAP, DEAD_RETENTION, DONE_BYTES, DONE_RETENTION, MAX_BYTES, RESERVE_BYTES, RIDE,
    Settings,
};
pub use tokens::EmbeddedTokens;
pub use view::View;

/// Changes of the engine that may wait in the writer's queue.
const ENGINE_ROOM: usize = 4_096;

/// The durable inbox. Dropping it commits what is queued and closes it.
pub struct Embedded {
    commands: Sender<Command>,
    room: Arc<Semaphore>,
    engine_room: Arc<Semaphore>,
    /// For the engine, whose queries are short and must not wait.
    reader: Reader,
    /// For people, who may ask for everything.
    lister: Reader,
    signs: Signs,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the store of a data directory: takes its lock, heals what a poisoned process left, brings
    /// the schema up to date, and rebuilds what is kept in memory. What was being sent when the last
    /// process ended becomes *unknown*.
    ///
    /// Reads every dedupe key: a million take about a second.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let paths = Paths::new(&settings.data_dir);
        paths.create_directory().map_err(|source| OpenError::File {
            path: settings.data_dir.clone(),
            source,
        })?;
        let lock = DirectoryLock::take(&paths)?;
        let (connection, memory) =
            prepare(&paths, &settings, clock.now()).inspect_err(|error| {
                if let OpenError::Database(error) = error
                    && error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
                {
                    poison::mark(&paths, &format!("opening the store failed: {error}"));
                }
            })?;
        let views = [
            View::open(&settings.data_dir)?,
            View::open(&settings.data_dir)?,
        ];
        let opened = Opened {
            connection,
            memory,
            settings,
            paths,
            lock,
        };
        Self::start(opened, views, clock).map_err(OpenError::Thread)
    }

    fn start(opened: Opened, views: [View; 2], clock: Arc<dyn Clock>) -> io::Result<Arc<Self>> {
        let signs = Signs {
            health: Arc::new(watch::Sender::new(Health::Ready)),
            newest: Arc::new(watch::Sender::new(opened.memory.last)),
            low_water: Arc::new(AtomicI64::new(opened.memory.low_water.0)),
            recent: Arc::new(Recent::after(opened.memory.last)),
        };
        // Whoever has a permit has a place; one more is for the order to stop.
        let (commands, queue) = crossbeam_channel::bounded(QUEUE_ROOM + ENGINE_ROOM + 1);
        let mut writer = Writer::new(opened, queue, signs.clone(), clock);
        writer.make_room();
        let writing = thread::Builder::new()
            .name("wxhook-writer".to_owned())
            .spawn({
                let health = Arc::clone(&signs.health);
                move || watch_over(writer, &health)
            })?;
        let [for_engine, for_people] = views;
        let (reader, reading) = Reader::start(for_engine, "wxhook-reader")?;
        let (lister, listing) = Reader::start(for_people, "wxhook-lister")?;
        Ok(Arc::new(Self {
            commands,
            room: Arc::new(Semaphore::new(QUEUE_ROOM)),
            engine_room: Arc::new(Semaphore::new(ENGINE_ROOM)),
            reader,
            lister,
            signs,
            threads: Mutex::new(vec![writing, reading, listing]),
        }))
    }

    /// Ends as a killed process would: nothing that is not committed yet is committed.
    #[doc(hidden)]
    pub fn crash(&self) {
        drop(self.stop(true));
        self.join();
    }

    fn stop(&self, crash: bool) -> oneshot::Receiver<()> {
        self.signs.recent.close();
        self.reader.close();
        self.lister.close();
        let (ended, end) = oneshot::channel();
        // Full is only possible when the order stands in it already.
        drop(self.commands.try_send(Command::Stop { crash, ended }));
        end
    }

    fn join(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(|e| e.into_inner());
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("A thread of the store panicked.");
            }
        }
        self.signs.health.send_if_modified(|health| {
            let changed = !matches!(health, Health::Closed | Health::Poisoned(_));
            if changed {
                *health = Health::Closed;
            }
            changed
        });
    }

    /// Puts a command into the queue now, if there is room; else when its future is polled and there
    /// is.
    fn order<T: Send + 'static>(
        &self,
        command: impl FnOnce(Answer<T>, OwnedSemaphorePermit) -> Command + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (answer, outcome) = oneshot::channel();
        let commands = self.commands.clone();
        let queue = move |permit| drop(commands.try_send(command(answer, permit)));
        // A command that finds no writer is dropped with its answer: that says that it is closed.
        let closed = |_| Err(StoreError::Closed);
        match Arc::clone(&self.engine_room).try_acquire_owned() {
            Ok(permit) => {
                queue(permit);
                Box::pin(async move { outcome.await.unwrap_or_else(closed) })
            }
            Err(_) => {
                let room = Arc::clone(&self.engine_room);
                Box::pin(async move {
                    let permit = room.acquire_owned().await;
                    queue(permit.map_err(|_| StoreError::Closed)?);
                    outcome.await.unwrap_or_else(closed)
                })
            }
        }
    }

    fn change(&self, change: Change) -> BoxFuture<'static, Result<(), StoreError>> {
        self.order(|answer, room| Command::Change {
            change,
            answer,
            room,
        })
    }

    fn ask<'a, T: Send + 'static>(
        &'a self,
        reader: &'a Reader,
        question: impl FnOnce(&View) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        if let Health::Poisoned(reason) = &*self.signs.health.borrow() {
            let error = StoreError::Poisoned(reason.as_str().into());
            return Box::pin(std::future::ready(Err(error)));
        }
        reader.ask(question)
    }
}

/// Runs the writer; should it ever panic, the store says so instead of looking well.
fn watch_over(writer: Writer, health: &watch::Sender<Health>) {
    let run = std::panic::AssertUnwindSafe(|| writer.run());
    if std::panic::catch_unwind(run).is_err() {
        tracing::error!(
            "The store's writer panicked: nothing more is stored, and this process must end."
        );
        health.send_replace(Health::Poisoned("the writer panicked".to_owned()));
    }
}

/// Everything before the first push: from the lock to the memory.
fn prepare(
    paths: &Paths,
    settings: &Settings,
    now: Timestamp,
) -> Result<(Connection, Memory), OpenError> {
    poison::heal(paths)?;
    let database = paths.database();
    paths::create_private(&database).map_err(|source| OpenError::File {
        path: database.clone(),
        source,
    })?;
    let mut connection = schema::connect(&database)?;
    schema::migrate(&mut connection, paths, schema::MIGRATIONS)?;
    paths.sync().map_err(|source| OpenError::File {
        path: paths.directory().to_owned(),
        source,
    })?;
    let transaction = connection.transaction()?;
    let unknown = ledger::recover(&transaction, now)?;
    transaction.commit()?;
    if unknown > 0 {
        tracing::warn!(
            parts = unknown,
            "Replies were being sent when the last process ended; whether they arrived is unknown."
        );
    }
    let memory = remember(&connection, settings, now)?;
    Ok((connection, memory))
}

fn remember(
    connection: &Connection,
    settings: &Settings,
    now: Timestamp,
) -> rusqlite::Result<Memory> {
    let mut seen = Seen::new(settings.seen_retention, settings.seen_cap);
    let mut dropped = None;
    ledger::each_seen(connection, |id, at, key| {
        dropped = seen.expire(at).or(dropped);
        seen.insert(key, id, at);
    })?;
    dropped = seen.expire(now).or(dropped);
    let id = |sql| {
        connection.query_one(sql, [], |row| {
            let id = row.get::<_, Option<Code<PushId>>>(0)?;
            Ok(id.map_or(PushId::ZERO, |code| code.0))
        })
    };
    let low_water = id("SELECT value FROM meta WHERE name = 'low_water'")?;
    Ok(Memory {
        seen,
        last: id("SELECT max(id) FROM push")?.max(id("SELECT max(id) FROM seen")?),
        low_water,
        written_low_water: low_water,
        dropped: dropped.map(|dropped| dropped.upto),
    })
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("health", &*self.signs.health.borrow())
            .field("newest", &*self.signs.newest.borrow())
            .finish_non_exhaustive()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop(false));
        self.join();
    }
}

impl Inbox for Embedded {
    fn durability(&self) -> &'static str {
        "embedded: a push is acknowledged after it was synced to the disk; it survives the end of the process and of the power"
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.signs.health.subscribe()
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    fn accept(&self, push: NewPush, room: Room, ticket: Ticket) {
        let command = Command::Accept { push, ticket, room };
        // With a permit there is a place. Without a writer the ticket is dropped, which says so.
        drop(self.commands.try_send(command));
    }

    fn newest(&self) -> watch::Receiver<PushId> {
        self.signs.newest.subscribe()
    }

    fn pending(&self, after: PushId, limit: usize) -> BoxFuture<'_, Result<Page, StoreError>> {
        if let Some(page) = self.signs.recent.pending(after, limit) {
            return Box::pin(std::future::ready(Ok(page)));
        }
        let mark = Arc::clone(&self.signs.low_water);
        self.ask(&self.reader, move |view| {
            view.pending(after, PushId(mark.load(Ordering::Acquire)), limit)
        })
    }

    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.ask(&self.reader, move |view| view.due(now, limit))
    }

    fn waiting(
        &self,
        after: Option<PartKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        self.ask(&self.reader, move |view| view.waiting(after, limit))
    }

    fn parts(&self, push: PushId, run: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        self.ask(&self.reader, move |view| view.parts(push, run))
    }

    fn conversation(
        &self,
        lane: LaneKey,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<StoredConversation>, StoreError>> {
        self.ask(&self.reader, move |view| view.conversation(&lane, now))
    }

    fn past(
        &self,
        after: PushId,
        upto: PushId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Past, StoreError>> {
        self.ask(&self.lister, move |view| view.past(after, upto, limit))
    }

    fn spill(&self, lane: LaneKey, pushes: Vec<PushId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.change(Change::Spill(lane, pushes))
    }

    fn unspill(
        &self,
        lane: LaneKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.order(move |answer, room| Command::Unspill {
            lane,
            limit,
            answer,
            room,
        })
    }

    fn start(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Start(push))
    }

    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Settle(settlement))
    }

    fn mark_sending(&self, part: Part) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::MarkSending(part))
    }

    fn record(&self, verdict: PartVerdict) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Record(verdict))
    }

    fn replay(&self, push: PushId, at: Timestamp) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Replay(push, at))
    }

    fn discard(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Discard(push))
    }

    fn aside(&self) -> BoxFuture<'_, Result<Aside, StoreError>> {
        self.ask(&self.lister, View::aside)
    }

    fn reread(
        &self,
        push: PushId,
        kind: Kind,
        user: OpenId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        self.change(Change::Reread(push, kind, user, at))
    }

    fn component_ticket(
        &self,
        component: AppId,
    ) -> BoxFuture<'_, Result<Option<ComponentTicket>, StoreError>> {
        self.ask(&self.lister, move |view| view.component_ticket(&component))
    }

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.ask(&self.lister, move |view| view.list(&filter))
    }

    fn story(&self, push: PushId) -> BoxFuture<'_, Result<Option<Story>, StoreError>> {
        self.ask(&self.lister, move |view| view.story(push))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Without an answer the writer has ended already.
            let end = self.stop(false);
            drop(end.await);
            self.join();
        })
    }
}
