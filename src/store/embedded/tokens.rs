//! Tokens in a SQLite file of their own, shared by all processes of this machine that open it.
//!
//! The file holds access tokens as they are: only its owner may read it (0600), and it stays out of
//! backups that others can read. It is apart from the pushes' file because a process that only serves
//! tokens needs no inbox, and because SQLite's own locks suffice here: a few writes an hour.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::OpenError;
use super::paths::{self, Paths};
use crate::clock::{Clock, Timestamp};
use crate::secret::AccessToken;
use crate::store::tokens::{
    LONGEST_RIGHT, NOTES_KEPT, NewToken, Note, Owner, Promise, PutBack, Right, Saved, TokenKey,
    TokenRecord, Tokens, TokensError,
};

mod usage;

/// `wxht`: tells this file from other SQLite files.
const APPLICATION_ID: i32 = 0x7778_6874;

/// The version of the file's format: so many steps of [`STEPS`] were made.
const VERSION: i64 = STEPS.len() as i64;

/// What makes the tables of each version out of those of the one before.
const STEPS: [&str; 2] = [include_str!("tokens.sql"), include_str!("tokens/usage.sql")];

/// How long another process's step is waited for.
const BUSY: Duration = Duration::from_millis(800);

/// The token store of a data directory: `tokens.db`.
pub struct EmbeddedTokens {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    connection: Mutex<Connection>,
}

impl EmbeddedTokens {
    /// Opens the token store of a data directory, making what is missing. Takes no lock: several
    /// processes may have it open.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let paths = Paths::new(data_dir);
        let path = paths.tokens();
        let file = |source| OpenError::File {
            path: path.clone(),
            source,
        };
        paths.create_directory().map_err(file)?;
        paths::create_private(&path).map_err(file)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // No sync for each step: what a power cut takes costs one question, what the end of the process
        // takes is nothing.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "secure_delete", true)?;
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
    ) -> Promise<'a, T> {
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
                Ok(outcome) => outcome.map_err(|error: rusqlite::Error| TokensError::away(error)),
                Err(_ended) => Err(TokensError::away("its thread ended")),
            }
        })
    }
}

/// Makes the tables of a new file, brings those of an old one up to date, and knows a foreign one.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        transaction.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && tables == 0;
    if !is_new && application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    let Some(missing) = usize::try_from(version)
        .ok()
        .and_then(|made| STEPS.get(made..))
    else {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known: STEPS.len(),
        });
    };
    if is_new {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

impl fmt::Debug for EmbeddedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedTokens").finish_non_exhaustive()
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let at = |column| row.get(column).map(Timestamp::from_milliseconds);
    Ok(TokenRecord {
        token: AccessToken::new(row.get::<_, String>(0)?),
        generation: row.get::<_, i64>(1)?.unsigned_abs(),
        obtained_at: at(2)?,
        confirmed_at: at(3)?,
        expires_at: at(4)?,
        obtained_by: row.get(5)?,
    })
}

fn stored(step: &Transaction<'_>, key: &TokenKey) -> rusqlite::Result<Option<TokenRecord>> {
    let sql = "SELECT token, generation, obtained_at, confirmed_at, expires_at, obtained_by \
               FROM token WHERE account = ?1 AND kind = ?2";
    let mut statement = step.prepare_cached(sql)?;
    let names = [key.account.as_str(), key.kind.name()];
    statement.query_row(names, record).optional()
}

fn store(step: &Transaction<'_>, key: &TokenKey, record: &TokenRecord) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    step.prepare_cached(sql)?.execute(params![
        key.account.as_str(),
        key.kind.name(),
        record.token.expose(),
        whole(record.generation),
        record.obtained_at.milliseconds(),
        record.confirmed_at.milliseconds(),
        record.expires_at.milliseconds(),
        record.obtained_by,
    ])?;
    Ok(())
}

/// Until when a right holds, if it does. One that would last longer than any may was made before the
/// clock was set back: it has ended.
const HELD: &str = "until > ?3 AND until <= ?3 + ?4";

fn holds(step: &Transaction<'_>, right: &Right, now_ms: i64) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT 1 FROM permit WHERE account = ?1 AND kind = ?2 AND {HELD} \
         AND owner = ?5 AND fence = ?6"
    );
    step.prepare_cached(&sql)?.exists(params![
        right.key.account.as_str(),
        right.key.kind.name(),
        now_ms,
        milliseconds(LONGEST_RIGHT),
        right.owner.as_str(),
        whole(right.fence),
    ])
}

fn acquire(
    step: &Transaction<'_>,
    key: &TokenKey,
    owner: &Owner,
    (now_ms, lasting): (i64, Duration),
) -> rusqlite::Result<Option<u64>> {
    let (account, kind) = (key.account.as_str(), key.kind.name());
    let sql = format!("SELECT {HELD}, fence FROM permit WHERE account = ?1 AND kind = ?2");
    let limits = params![account, kind, now_ms, milliseconds(LONGEST_RIGHT)];
    let found: Option<(bool, i64)> = step
        .prepare_cached(&sql)?
        .query_row(limits, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let fence = match found {
        Some((true, _)) => return Ok(None),
        Some((false, last)) => last.saturating_add(1).max(now_ms),
        None => now_ms.max(1),
    };
    let until = now_ms.saturating_add(milliseconds(lasting));
    step.prepare_cached("INSERT OR REPLACE INTO permit VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![account, kind, owner.as_str(), until, fence])?;
    Ok(Some(fence.unsigned_abs()))
}

fn note(step: &Transaction<'_>, key: &TokenKey, note: &Note) -> rusqlite::Result<()> {
    let (account, kind) = (key.account.as_str(), key.kind.name());
    let at = note.at.milliseconds();
    step.prepare_cached("INSERT INTO note (account, kind, at, who, what) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![account, kind, at, note.who, note.what])?;
    step.prepare_cached(
        "DELETE FROM note WHERE account = ?1 AND kind = ?2 AND id <= (SELECT id FROM note \
         WHERE account = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute(params![account, kind, NOTES_KEPT as i64])?;
    Ok(())
}

fn notes(step: &Transaction<'_>, key: &TokenKey) -> rusqlite::Result<Vec<Note>> {
    let sql = "SELECT at, who, what FROM note WHERE account = ?1 AND kind = ?2 ORDER BY id";
    let mut statement = step.prepare_cached(sql)?;
    let rows = statement.query_map([key.account.as_str(), key.kind.name()], |row| {
        Ok(Note {
            at: Timestamp::from_milliseconds(row.get(0)?),
            who: row.get(1)?,
            what: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Tokens for EmbeddedTokens {
    fn durability(&self) -> &'static str {
        "embedded: tokens survive the end of the process; all processes that open this data directory share them"
    }

    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>> {
        let key = key.clone();
        self.step(move |step, _| stored(step, &key))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>> {
        let (key, owner) = (key.clone(), owner.clone());
        self.step(move |step, now_ms| {
            let fence = acquire(step, &key, &owner, (now_ms, lasting))?;
            Ok(fence.map(|fence| Right { key, owner, fence }))
        })
    }

    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool> {
        let right = right.clone();
        self.step(move |step, now_ms| {
            if !holds(step, &right, now_ms)? {
                return Ok(false);
            }
            let until = now_ms.saturating_add(milliseconds(lasting));
            let (account, kind) = (right.key.account.as_str(), right.key.kind.name());
            step.prepare_cached("UPDATE permit SET until = ?3 WHERE account = ?1 AND kind = ?2")?
                .execute(params![account, kind, until])?;
            Ok(true)
        })
    }

    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved> {
        let right = right.clone();
        self.step(move |step, now_ms| {
            if !holds(step, &right, now_ms)? {
                return Ok(Saved::Fenced);
            }
            let record = new.beside(stored(step, &right.key)?.as_ref());
            store(step, &right.key, &record)?;
            Ok(Saved::Stored(record))
        })
    }

    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack> {
        let (key, record) = (key.clone(), record.clone());
        self.step(move |step, _| match stored(step, &key)? {
            Some(stored) if stored.generation >= record.generation => Ok(PutBack::Newer(stored)),
            _ => {
                store(step, &key, &record)?;
                Ok(PutBack::Stored)
            }
        })
    }

    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()> {
        let (key, owner) = (key.clone(), owner.clone());
        self.step(move |step, _| {
            let sql = "UPDATE permit SET owner = '', until = 0 \
                       WHERE account = ?1 AND kind = ?2 AND owner = ?3";
            let names = [key.account.as_str(), key.kind.name(), owner.as_str()];
            step.prepare_cached(sql)?.execute(names)?;
            Ok(())
        })
    }

    fn note<'a>(&'a self, key: &'a TokenKey, new: Note) -> Promise<'a, ()> {
        let (key, new) = (key.clone(), new.cut());
        self.step(move |step, _| note(step, &key, &new))
    }

    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>> {
        let key = key.clone();
        self.step(move |step, _| notes(step, &key))
    }
}
