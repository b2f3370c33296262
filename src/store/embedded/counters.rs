//! Counts in a SQLite file of their own, shared by all processes of this machine that open it.
//!
//! It is apart from the pushes' file because a process without an inbox counts too, and because a count
//! must not wait for a batch of pushes. Each step is synced before it is answered: whatever ends the
//! process, or the machine, no count is low.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::OpenError;
use super::paths::{self, Paths};
use crate::clock::Clock;
use crate::id::AppId;
use crate::store::counters::{
    Counted, CounterKey, Counters, CountersError, KEPT, Reservation, Reserved,
};

/// `wxhc`: tells this file from other SQLite files.
const APPLICATION_ID: i32 = 0x7778_6863;

/// The version of the file's format.
const VERSION: i64 = 1;

/// How long another process's step is waited for.
const BUSY: Duration = Duration::from_millis(800);

/// The counts of a data directory: `counters.db`.
pub struct EmbeddedCounters {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    connection: Mutex<Connection>,
}

impl EmbeddedCounters {
    /// Opens the counts of a data directory, making what is missing. Takes no lock: several processes
    /// may have them open.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let paths = Paths::new(data_dir);
        let path = paths.counters();
        let file = |source| OpenError::File {
            path: path.clone(),
            source,
        };
        paths.create_directory().map_err(file)?;
        paths::create_private(&path).map_err(file)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        prepare(&mut connection, &path)?;
        paths.sync().map_err(file)?;
        Ok(Arc::new(Self {
            shared: Arc::new(Shared {
                clock,
                connection: Mutex::new(connection),
            }),
        }))
    }

    /// One step is one transaction, on a thread that may wait for the disk.
    fn step<'a, T: Send + 'static>(
        &self,
        step: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<T> + Send + 'static,
    ) -> Counted<'a, T> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = shared.connection.lock().unwrap_or_else(|e| e.into_inner());
            let now_ms = shared.clock.now().milliseconds();
            let behaviour = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behaviour)?;
            let outcome = step(&transaction, now_ms)?;
            transaction.commit()?;
            Ok(outcome)
        });
        Box::pin(async move {
            match done.await {
                Ok(outcome) => outcome.map_err(|error: rusqlite::Error| CountersError::away(error)),
                Err(_ended) => Err(CountersError::away("its thread ended")),
            }
        })
    }
}

/// Makes the table of a new file, and knows an old one.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        transaction.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && tables == 0 {
        transaction.execute_batch(include_str!("counters.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    } else if application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    } else if version != VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known: 1,
        });
    }
    transaction.commit()?;
    Ok(())
}

impl fmt::Debug for EmbeddedCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedCounters").finish_non_exhaustive()
    }
}

fn total(step: &Transaction<'_>, key: &CounterKey) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT total FROM counter WHERE account = ?1 AND period = ?2 AND counter = ?3";
    let names = [key.account.as_str(), &key.period, &key.counter];
    step.prepare_cached(sql)?
        .query_row(names, |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
        .optional()
}

/// Writes a count. A new one is the moment to forget old ones: there are few of them.
fn write(
    step: &Transaction<'_>,
    key: &CounterKey,
    (total, is_new): (u64, bool),
    now_ms: i64,
) -> rusqlite::Result<()> {
    if is_new {
        let kept_ms = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        step.prepare_cached("DELETE FROM counter WHERE written_at < ?1")?
            .execute([now_ms.saturating_sub(kept_ms)])?;
    }
    step.prepare_cached("INSERT OR REPLACE INTO counter VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            key.account.as_str(),
            key.period,
            key.counter,
            i64::try_from(total).unwrap_or(i64::MAX),
            now_ms,
        ])?;
    Ok(())
}

impl Counters for EmbeddedCounters {
    fn durability(&self) -> &'static str {
        "embedded: counts are synced to the data directory; all processes that open it share them"
    }

    fn reserve<'a>(&'a self, key: &'a CounterKey, asked: Reservation) -> Counted<'a, Reserved> {
        let key = key.clone();
        self.step(move |step, now_ms| {
            let stored = total(step, &key)?;
            let reserved = asked.beside(stored.unwrap_or(0));
            if reserved.total != stored.unwrap_or(0) {
                write(step, &key, (reserved.total, stored.is_none()), now_ms)?;
            }
            Ok(reserved)
        })
    }

    fn give_back<'a>(&'a self, key: &'a CounterKey, amount: u64, known: u64) -> Counted<'a, ()> {
        let key = key.clone();
        self.step(move |step, now_ms| {
            if let Some(stored) = total(step, &key)?.filter(|stored| *stored >= known) {
                let left = stored.saturating_sub(amount);
                write(step, &key, (left, false), now_ms)?;
            }
            Ok(())
        })
    }

    fn replace<'a>(&'a self, key: &'a CounterKey, expected: u64, new: u64) -> Counted<'a, bool> {
        let key = key.clone();
        self.step(move |step, now_ms| {
            let stored = total(step, &key)?;
            let is_expected = stored.unwrap_or(0) == expected;
            if is_expected && new != expected {
                write(step, &key, (new, stored.is_none()), now_ms)?;
            }
            Ok(is_expected)
        })
    }

    fn counts<'a>(
        &'a self,
        account: &'a AppId,
        period: &'a str,
    ) -> Counted<'a, Vec<(String, u64)>> {
        let names = [account.as_str().to_owned(), period.to_owned()];
        self.step(move |step, _| {
            let sql = "SELECT counter, total FROM counter WHERE account = ?1 AND period = ?2 \
                       ORDER BY counter";
            let mut statement = step.prepare_cached(sql)?;
            let rows = statement.query_map([&names[0], &names[1]], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
            rows.collect()
        })
    }
}
