//! What the writer does between batches: checkpoints, the low-water mark, and what is forgotten.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Settings;
use super::batch::{self, Memory};
use super::code::Code;
use super::conversation;
use super::schema::PAGE_BYTES;
use crate::clock::Timestamp;
use crate::id::PushId;

/// Log pages after which they are written back to the main file: 4 MiB.
const CHECKPOINT_PAGES: i64 = 1_000;

/// Pushes looked at in one sweep: a few milliseconds.
const SWEEP_PUSHES: usize = 500;

/// Dedupe keys deleted in one sweep.
const SWEEP_KEYS: i64 = 2_000;

/// When the log is written back.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Pages in the log, not written back, at which the next checkpoint is made.
    at: i64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            at: CHECKPOINT_PAGES,
        }
    }
}

impl Checkpoints {
    /// Makes a checkpoint when the log is long enough. SQLite's own would hide its errors.
    ///
    /// Returns whether one was made.
    pub(super) fn keep_up(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        if checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")? < self.at {
            return Ok(false);
        }
        // What a reader still needs stays in the log: trying again at once would be in vain.
        let left = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        self.at = left + CHECKPOINT_PAGES;
        Ok(true)
    }
}

/// Writes back everything that no reader needs.
pub(super) fn write_back(connection: &Connection) -> rusqlite::Result<()> {
    checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
}

/// Pages left in the log that are not written back.
fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(pragma)?.query_one([], |row| {
        let (log, done): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((log - done).max(0))
    })
}

/// Where the first pending push is, looked for from the known mark on.
pub(super) fn low_water(connection: &Connection, memory: &Memory) -> rusqlite::Result<PushId> {
    let first = connection
        .prepare_cached("SELECT id FROM push WHERE id >= ?1 AND state = 0 ORDER BY id LIMIT 1")?
        .query_row([Code(memory.low_water)], |row| {
            row.get::<_, Code<PushId>>(0)
        })
        .optional()?;
    Ok(first.map_or(PushId(memory.last.0.saturating_add(1)), |code| code.0))
}

/// The pages in use, without those that are free to be used again.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let value = |sql: &str| {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_one([], |row| row.get::<_, i64>(0))
    };
    let pages = value("PRAGMA page_count")? - value("PRAGMA freelist_count")?;
    Ok(u64::try_from(pages).unwrap_or(0) * PAGE_BYTES)
}

/// Allows the file to grow to so many bytes.
pub(super) fn limit_bytes(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

/// Forgets, a little at a time, what was handled long ago.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Everything up to here was looked at.
    upto: PushId,
}

impl Sweep {
    /// Begins again at the oldest push: what was not done at the last look may be by now.
    pub(super) fn restart(&mut self) {
        self.upto = PushId::ZERO;
    }

    /// One bounded step, in a transaction of its own if there is anything to forget. Returns whether
    /// there is more.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        memory: &mut Memory,
        settings: &Settings,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        memory.forget_keys(now);
        let too_many = used_bytes(connection)? > settings.done_bytes;
        let until = match too_many {
            true => memory.last,
            false => id_at(now, settings.done_retention),
        };
        let stale = id_at(now, settings.dead_retention);
        let (looked_at, old) = old_pushes(connection, self.upto, until, stale)?;
        let surplus = surplus_dead(connection, settings.dead_cap)?;
        let more_pushes = looked_at.len() == SWEEP_PUSHES || surplus > SWEEP_PUSHES;
        let expired = conversation::expired(connection, now)?;
        if !old.is_empty() || memory.dropped.is_some() || surplus > 0 || expired > 0 {
            batch::begin(connection)?;
            discard_oldest(connection, surplus.min(SWEEP_PUSHES))
                .and_then(|()| forget(connection, memory, &old))
                .and_then(|()| conversation::forget(connection, now))
                .and_then(|()| batch::end(connection))
                .inspect_err(|_| batch::roll_back(connection))?;
        }
        self.upto = looked_at.last().copied().unwrap_or(self.upto);
        Ok(more_pushes || memory.dropped.is_some() || conversation::is_full(expired))
    }
}

fn forget(connection: &Connection, memory: &mut Memory, old: &[PushId]) -> rusqlite::Result<()> {
    for push in old {
        delete_push(connection, *push)?;
    }
    if let Some(upto) = memory.dropped {
        let deleted = connection
            .prepare_cached(
                "DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE id <= ?1 ORDER BY id LIMIT ?2)",
            )?
            .execute(params![Code(upto), SWEEP_KEYS])?;
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < SWEEP_KEYS) {
            memory.dropped = None;
        }
    }
    Ok(())
}

/// The first id of the time so long ago: ids tell their time.
fn id_at(now: Timestamp, ago: Duration) -> PushId {
    let kept = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    PushId(now.milliseconds().saturating_sub(kept).max(0) << 20)
}

/// Dead and malformed pushes beyond those that may be kept.
fn surplus_dead(connection: &Connection, cap: u64) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM push WHERE state = 3 AND state > 1) \
         + (SELECT count(*) FROM push WHERE state = 4 AND state > 1)",
    )?;
    let count: i64 = statement.query_one([], |row| row.get(0))?;
    let surplus = count.unsigned_abs().saturating_sub(cap);
    Ok(usize::try_from(surplus).unwrap_or(usize::MAX))
}

/// Discards the oldest of them.
fn discard_oldest(connection: &Connection, count: usize) -> rusqlite::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let oldest = |state| {
        format!(
            "SELECT * FROM (SELECT id FROM push WHERE state = {state} AND state > 1 \
             AND retry_at IS NULL ORDER BY id LIMIT ?1)"
        )
    };
    let sql = format!(
        "UPDATE push SET state = 5 WHERE id IN ({} UNION ALL {} ORDER BY id LIMIT ?1)",
        oldest(3),
        oldest(4)
    );
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let discarded = connection.prepare_cached(&sql)?.execute([count])?;
    tracing::warn!(
        pushes = discarded,
        "More dead pushes than may be kept: the oldest were discarded."
    );
    Ok(())
}

/// The next pushes, and those among them about which nothing is open: handled, put away, or so old that
/// nobody will deal with them any more.
fn old_pushes(
    connection: &Connection,
    after: PushId,
    until: PushId,
    stale: PushId,
) -> rusqlite::Result<(Vec<PushId>, Vec<PushId>)> {
    let mut statement = connection.prepare_cached(
        "SELECT id, CASE \
           WHEN state = 1 AND id >= ?4 THEN NOT EXISTS \
             (SELECT 1 FROM part WHERE part.push = push.id AND part.state < 3) \
           WHEN state = 5 OR id < ?4 AND state IN (1, 3, 4) THEN NOT EXISTS \
             (SELECT 1 FROM part WHERE part.push = push.id AND part.state < 2) \
           ELSE 0 END \
         FROM push WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
    )?;
    let bounds = params![Code(after), Code(until), SWEEP_PUSHES as i64, Code(stale)];
    let mut rows = statement.query(bounds)?;
    let (mut looked_at, mut old) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let id = row.get::<_, Code<PushId>>(0)?.0;
        looked_at.push(id);
        if row.get(1)? {
            old.push(id);
        }
    }
    Ok((looked_at, old))
}

fn delete_push(connection: &Connection, push: PushId) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM part WHERE push = ?1",
        "DELETE FROM attempt WHERE push = ?1",
        "DELETE FROM replay WHERE push = ?1",
        "DELETE FROM push WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([Code(push)])?;
    }
    Ok(())
}
