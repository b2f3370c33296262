//! One batch as one transaction.

use std::collections::HashMap;

use rusqlite::Connection;

use super::command::{Applied, Change, Command};
use super::ledger::{self, Fault};
use crate::clock::{Clock, Timestamp};
use crate::id::PushId;
use crate::protocol::push::DedupeKey;
use crate::store::seen::Seen;
use crate::store::{Accepted, NewPush, StoreError};

type Outcome = Result<Applied, StoreError>;

/// What the writer knows beside the file: rebuilt from it at every start.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) seen: Seen,
    /// The newest id handed out.
    pub(super) last: PushId,
    /// No push below it is pending.
    pub(super) low_water: PushId,
    /// The low-water mark that the file has.
    pub(super) written_low_water: PushId,
    /// Up to here keys were dropped from memory; their rows are still to be deleted.
    pub(super) dropped: Option<PushId>,
}

impl Memory {
    /// Drops the keys whose time is over. Their rows go later, a few at a time.
    pub(super) fn forget_keys(&mut self, now: Timestamp) {
        let Some(dropped) = self.seen.expire(now) else {
            return;
        };
        if dropped.early {
            tracing::warn!(
                "More pushes arrive than dedupe keys may be kept: the oldest were forgotten early."
            );
        }
        self.dropped = Some(dropped.upto);
    }
}

/// Applies a batch and commits it; undoes everything when that fails.
pub(super) fn commit(
    connection: &Connection,
    memory: &mut Memory,
    clock: &dyn Clock,
    commands: &[Command],
) -> rusqlite::Result<Vec<Outcome>> {
    let mut batch = Batch {
        connection,
        now: clock.now(),
        fresh: Vec::new(),
        low_water: memory.low_water,
        settles: settles(commands),
        starts: HashMap::new(),
        outcomes: Vec::with_capacity(commands.len()),
        memory,
    };
    let result = batch.run(commands);
    let Batch {
        fresh,
        outcomes,
        low_water,
        memory,
        ..
    } = batch;
    match result {
        Ok(()) => {
            memory.low_water = low_water;
            memory.written_low_water = low_water;
            Ok(outcomes)
        }
        Err(error) => {
            for key in &fresh {
                memory.seen.remove(key);
            }
            roll_back(connection);
            Err(error)
        }
    }
}

/// Leaves a failed transaction. Some errors end it by themselves.
pub(super) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(error = %error, "A failed transaction could not be rolled back.");
    }
}

pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

pub(super) fn end(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// How many settlements each push has in the batch.
fn settles(commands: &[Command]) -> HashMap<PushId, u32> {
    let mut settles = HashMap::new();
    for command in commands {
        if let Command::Change {
            change: Change::Settle(settlement),
            ..
        } = command
        {
            *settles.entry(settlement.push).or_default() += 1;
        }
    }
    settles
}

struct Batch<'a> {
    connection: &'a Connection,
    memory: &'a mut Memory,
    now: Timestamp,
    /// Keys that this batch made known.
    fresh: Vec<DedupeKey>,
    low_water: PushId,
    /// Settlements still to come, by push.
    settles: HashMap<PushId, u32>,
    /// Starts whose settlement is still to come in this batch: they need not be written.
    starts: HashMap<PushId, Vec<usize>>,
    outcomes: Vec<Outcome>,
}

impl Batch<'_> {
    fn run(&mut self, commands: &[Command]) -> rusqlite::Result<()> {
        begin(self.connection)?;
        for command in commands {
            let outcome = match self.apply(command) {
                Ok(applied) => Ok(applied),
                Err(Fault::Refused(error)) => Err(error),
                Err(Fault::Broken(error)) => return Err(error),
            };
            self.outcomes.push(outcome);
            self.catch_up(command)?;
        }
        if self.low_water != self.memory.written_low_water {
            write_low_water(self.connection, self.low_water)?;
        }
        end(self.connection)
    }

    fn apply(&mut self, command: &Command) -> Result<Applied, Fault> {
        match command {
            Command::Accept { push, .. } => Ok(Applied::Accepted(self.accept(push)?)),
            Command::Change { change, .. } => self.change(change).map(|()| Applied::Changed),
            Command::Unspill { lane, limit, .. } => Ok(Applied::Unspilled(ledger::unspill(
                self.connection,
                lane,
                *limit,
            )?)),
            Command::Stop { .. } => Ok(Applied::Changed),
        }
    }

    fn accept(&mut self, push: &NewPush) -> rusqlite::Result<Accepted> {
        self.memory.forget_keys(self.now);
        if let Some(first) = self.memory.seen.find(&push.key) {
            ledger::count_repeat(self.connection, first)?;
            return Ok(Accepted::Repeat(first));
        }
        let id = PushId::next(self.memory.last, self.now);
        self.memory.last = id;
        ledger::insert_push(self.connection, id, self.now, push)?;
        self.memory.seen.insert(push.key, id, self.now);
        self.fresh.push(push.key);
        Ok(Accepted::Stored(id))
    }

    fn change(&mut self, change: &Change) -> Result<(), Fault> {
        match change {
            Change::Start(push) => {
                if self.settles.get(push).is_some_and(|left| *left > 0) {
                    let place = self.outcomes.len();
                    self.starts.entry(*push).or_default().push(place);
                    return Ok(());
                }
                ledger::start(self.connection, *push)
            }
            Change::Settle(settlement) => ledger::settle(self.connection, settlement),
            Change::MarkSending(part) => ledger::mark_sending(self.connection, part),
            Change::Record(verdict) => ledger::record(self.connection, verdict),
            Change::Replay(push, at) => {
                self.write_starts(*push)?;
                ledger::replay(self.connection, *push, *at)?;
                self.low_water = self.low_water.min(*push);
                Ok(())
            }
            Change::Reread(push, kind, user, at) => {
                self.write_starts(*push)?;
                ledger::reread(self.connection, *push, *kind, user, *at)?;
                self.low_water = self.low_water.min(*push);
                Ok(())
            }
            Change::Discard(push) => ledger::discard(self.connection, *push),
            Change::Spill(lane, pushes) => Ok(ledger::spill(self.connection, lane, pushes)?),
        }
    }

    /// After a settlement that was refused, the starts before it must be written after all.
    fn catch_up(&mut self, command: &Command) -> rusqlite::Result<()> {
        let Command::Change {
            change: Change::Settle(settlement),
            ..
        } = command
        else {
            return Ok(());
        };
        if let Some(left) = self.settles.get_mut(&settlement.push) {
            *left -= 1;
        }
        if self.outcomes.last().is_some_and(Result::is_ok) {
            self.starts.remove(&settlement.push);
            return Ok(());
        }
        self.write_starts(settlement.push)
    }

    /// Writes starts that were left out, because what comes now is not their settlement.
    fn write_starts(&mut self, push: PushId) -> rusqlite::Result<()> {
        for place in self.starts.remove(&push).unwrap_or_default() {
            self.outcomes[place] = match ledger::start(self.connection, push) {
                Ok(()) => Ok(Applied::Changed),
                Err(Fault::Refused(error)) => Err(error),
                Err(Fault::Broken(error)) => return Err(error),
            };
        }
        Ok(())
    }
}

fn write_low_water(connection: &Connection, low_water: PushId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'low_water'")?
        .execute([low_water.0])?;
    Ok(())
}
