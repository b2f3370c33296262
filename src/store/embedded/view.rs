//! Reading the store, beside whoever writes it.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params, params_from_iter};

use super::code::{self, ATTEMPT_COLUMNS, Code, PART_COLUMNS, PUSH_COLUMNS};
use super::paths::Paths;
use super::{OpenError, check, conversation, poison, schema};
use crate::clock::Timestamp;
use crate::id::{AppId, PushId};
use crate::secret::VerifyTicket;
use crate::store::{
    Aside, ComponentTicket, Filter, LaneKey, Page, Part, PartKey, Past, PushState, StoreError,
    StoredConversation, StoredPush, Story,
};

/// A read-only look at a data directory. Works while a server runs on it, and sees every commit that
/// was made before the call.
#[derive(Debug)]
pub struct View {
    connection: Connection,
}

impl View {
    /// Opens the store in a data directory to read.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is none; else as [`super::Embedded::open`] without its lock.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let paths = Paths::new(data_dir);
        if !paths.database().exists() {
            return Err(OpenError::Missing {
                directory: data_dir.to_owned(),
            });
        }
        let connection = schema::connect_to_read(&paths.database())?;
        let newest = schema::MIGRATIONS.len();
        let found = schema::check_version(&connection, &paths, newest)?;
        if found < newest {
            return Err(OpenError::Older {
                path: paths.database(),
                found,
                known: newest,
            });
        }
        Ok(Self { connection })
    }

    /// Lists pushes, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn list(&self, filter: &Filter) -> Result<Vec<StoredPush>, StoreError> {
        let (condition, mut values) = conditions(filter);
        values.push(Value::Integer(filter.limit.map_or(-1, count)));
        let place = values.len();
        let sql = format!(
            "SELECT {PUSH_COLUMNS} FROM push WHERE {condition} ORDER BY id DESC LIMIT ?{place}"
        );
        let mut found = self.rows(&sql, params_from_iter(values), code::push)?;
        found.reverse();
        Ok(found)
    }

    /// The oldest pushes that the filter takes, its own limit aside: at most `limit`, oldest first.
    /// The next page begins after the last one's id.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn page(&self, filter: &Filter, limit: usize) -> Result<Vec<StoredPush>, StoreError> {
        let (condition, values) = conditions(filter);
        let sql = format!(
            "SELECT {PUSH_COLUMNS} FROM push WHERE {condition} ORDER BY id LIMIT {}",
            count(limit)
        );
        self.rows(&sql, params_from_iter(values), code::push)
    }

    /// The newest ticket of a component.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn component_ticket(
        &self,
        component: &AppId,
    ) -> Result<Option<ComponentTicket>, StoreError> {
        let sql =
            "SELECT ticket, created_at, received_at FROM component_ticket WHERE component = ?1";
        let kept = |row: &Row<'_>| {
            let (Code(created_at), Code(received_at)) = (row.get(1)?, row.get(2)?);
            Ok(ComponentTicket {
                component: component.clone(),
                ticket: VerifyTicket::new(row.get::<_, String>(0)?),
                created_at,
                received_at,
            })
        };
        let mut statement = self.connection.prepare_cached(sql).map_err(read)?;
        let found = statement.query_row([component.as_str()], kept);
        found.optional().map_err(read)
    }

    /// Everything kept about one push.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn story(&self, push: PushId) -> Result<Option<Story>, StoreError> {
        // One transaction, so that the rows belong together.
        let _transaction = self.connection.unchecked_transaction().map_err(read)?;
        let sql = format!("SELECT {PUSH_COLUMNS} FROM push WHERE id = ?1");
        let Some(found) = self.rows(&sql, [Code(push)], code::push)?.pop() else {
            return Ok(None);
        };
        let attempts =
            format!("SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE push = ?1 ORDER BY run, number");
        let parts =
            format!("SELECT {PART_COLUMNS} FROM part WHERE push = ?1 ORDER BY run, ordinal");
        Ok(Some(Story {
            push: found,
            attempts: self.rows(&attempts, [Code(push)], code::attempt)?,
            parts: self.rows(&parts, [Code(push)], code::part)?,
            replays: self.rows(
                "SELECT run, at, was FROM replay WHERE push = ?1 ORDER BY run",
                [Code(push)],
                code::replay,
            )?,
            turns: self.rows(conversation::TURNS, [Code(push)], conversation::read_turn)?,
        }))
    }

    /// Where the conversation with a user stands at this time.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn conversation(
        &self,
        lane: &LaneKey,
        now: Timestamp,
    ) -> Result<Option<StoredConversation>, StoreError> {
        conversation::find(&self.connection, lane, now).map_err(read)
    }

    /// Reads everything, and tells what does not hold together; nothing when all is well.
    ///
    /// # Errors
    /// [`StoreError::Read`], when the file is so damaged that it cannot be read to its end.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        // One transaction, so that the rows belong together.
        let _transaction = self.connection.unchecked_transaction().map_err(read)?;
        match check::faults(&self.connection) {
            Err(error) if poison::is_damage(&error) => Ok(vec![error.to_string()]),
            found => found.map_err(read),
        }
    }

    /// Counts what stands aside.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn aside(&self) -> Result<Aside, StoreError> {
        let count = |sql: &str| {
            let mut statement = self.connection.prepare_cached(sql).map_err(read)?;
            let counted = statement.query_one([], |row| row.get::<_, i64>(0));
            counted.map(i64::unsigned_abs).map_err(read)
        };
        Ok(Aside {
            retry: count("SELECT count(*) FROM push WHERE state = 2 AND state > 1")?,
            dead: count("SELECT count(*) FROM push WHERE state = 3 AND state > 1")?,
            malformed: count("SELECT count(*) FROM push WHERE state = 4 AND state > 1")?,
            unknown_parts: count("SELECT count(*) FROM part WHERE state = 2 AND state < 3")?,
        })
    }

    /// Pushes in state *pending* above `after`. None is below `low_water`.
    pub(super) fn pending(
        &self,
        after: PushId,
        low_water: PushId,
        limit: usize,
    ) -> Result<Page, StoreError> {
        // First, so that everything up to it is visible to the query below.
        let newest = self.newest()?.max(after);
        // One lower bound: of two, SQLite would begin at either.
        let below = after.max(PushId(low_water.0.saturating_sub(1)));
        let sql = format!(
            "SELECT {PUSH_COLUMNS} FROM push \
             WHERE id > ?1 AND id <= ?2 AND state = 0 ORDER BY id LIMIT ?3"
        );
        let bounds = params![Code(below), Code(newest), count(limit)];
        let pushes = self.rows(&sql, bounds, code::push)?;
        let upto = match pushes.last() {
            Some(last) if pushes.len() == limit => last.id,
            _ if limit == 0 => after,
            _ => newest,
        };
        Ok(Page { pushes, upto })
    }

    /// Pushes in state *retry* whose time has come.
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<StoredPush>, StoreError> {
        let sql = format!(
            "SELECT {PUSH_COLUMNS} FROM push WHERE state = 2 AND state > 1 AND retry_at <= ?1 \
             ORDER BY retry_at, id LIMIT ?2"
        );
        self.rows(&sql, params![Code(now), count(limit)], code::push)
    }

    /// Parts in state *waiting* above `after`.
    pub(super) fn waiting(
        &self,
        after: Option<PartKey>,
        limit: usize,
    ) -> Result<Vec<Part>, StoreError> {
        let after = after.unwrap_or(PartKey {
            push: PushId(i64::MIN),
            run: 0,
            ordinal: 0,
        });
        let sql = format!(
            "SELECT {PART_COLUMNS} FROM part WHERE state = 0 AND state < 3 \
             AND (push, run, ordinal) > (?1, ?2, ?3) ORDER BY push, run, ordinal LIMIT ?4"
        );
        let bounds = params![Code(after.push), after.run, after.ordinal, count(limit)];
        self.rows(&sql, bounds, code::part)
    }

    /// The parts of one run.
    pub(super) fn parts(&self, push: PushId, run: u32) -> Result<Vec<Part>, StoreError> {
        let sql = format!(
            "SELECT {PART_COLUMNS} FROM part WHERE push = ?1 AND run = ?2 ORDER BY ordinal"
        );
        self.rows(&sql, params![Code(push), run], code::part)
    }

    /// Pushes above `after`, up to and with `upto`, with their parts.
    pub(super) fn past(
        &self,
        after: PushId,
        upto: PushId,
        limit: usize,
    ) -> Result<Past, StoreError> {
        // One transaction, so that the rows belong together.
        let _transaction = self.connection.unchecked_transaction().map_err(read)?;
        let sql = format!(
            "SELECT {PUSH_COLUMNS} FROM push WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
        );
        let bounds = params![Code(after), Code(upto), count(limit)];
        let pushes = self.rows(&sql, bounds, code::push)?;
        let parts = match pushes.last() {
            Some(last) => {
                let sql = format!(
                    "SELECT {PART_COLUMNS} FROM part WHERE push > ?1 AND push <= ?2 \
                     ORDER BY push, run, ordinal"
                );
                self.rows(&sql, params![Code(after), Code(last.id)], code::part)?
            }
            None => Vec::new(),
        };
        let oldest = "SELECT received_at FROM push WHERE state = 1 ORDER BY id LIMIT 1";
        let received_at = |row: &Row<'_>| Ok(row.get::<_, Code<Timestamp>>(0)?.0);
        Ok(Past {
            pushes,
            parts,
            complete_since: self.rows(oldest, [], received_at)?.pop(),
        })
    }

    fn newest(&self) -> Result<PushId, StoreError> {
        let newest = self
            .connection
            .prepare_cached("SELECT max(id) FROM push")
            .and_then(|mut statement| {
                statement
                    .query_row([], |row| row.get::<_, Option<Code<PushId>>>(0))
                    .optional()
            })
            .map_err(read)?;
        Ok(newest.flatten().map_or(PushId::ZERO, |code| code.0))
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        decode: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(read)?;
        let rows = statement.query_map(params, decode).map_err(read)?;
        rows.collect::<Result<_, _>>().map_err(read)
    }
}

fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut condition = match filter.state {
        Some(PushState::Pending) => String::from(
            "id > max(?1, (SELECT value - 1 FROM meta WHERE name = 'low_water')) AND state = 0",
        ),
        _ => String::from("id > ?1"),
    };
    let mut values = vec![Value::Integer(filter.after.0)];
    match filter.state {
        None => {}
        Some(PushState::Pending) => condition
            .push_str(" AND state = 0 AND id >= (SELECT value FROM meta WHERE name = 'low_water')"),
        Some(PushState::Done) => condition.push_str(" AND state = 1"),
        // Their index is in the order of ids where no time to retry comes between.
        Some(PushState::Retry) => condition.push_str(" AND state = 2 AND state > 1"),
        Some(PushState::Dead) => {
            condition.push_str(" AND state = 3 AND state > 1 AND retry_at IS NULL");
        }
        Some(PushState::Malformed) => {
            condition.push_str(" AND state = 4 AND state > 1 AND retry_at IS NULL");
        }
        Some(PushState::Discarded) => {
            condition.push_str(" AND state = 5 AND state > 1 AND retry_at IS NULL");
        }
    }
    if let Some(user) = &filter.user {
        values.push(Value::Text(user.as_str().to_owned()));
        condition.push_str(&format!(" AND user = ?{}", values.len()));
    }
    if let Some(since) = filter.since {
        values.push(Value::Integer(since.milliseconds()));
        condition.push_str(&format!(" AND received_at >= ?{}", values.len()));
    }
    (condition, values)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn read(error: rusqlite::Error) -> StoreError {
    StoreError::Read(error.to_string().into())
}
