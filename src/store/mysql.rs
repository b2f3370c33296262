//! Tokens in MySQL or MariaDB, for any number of processes.
//!
//! Three tables, made on first use in the database that the address names: `wxhook_tokens`, one row for
//! each account and kind with the record and the right to ask, `wxhook_token_notes`, and
//! `wxhook_token_clients` for who read. Every step is one statement on one row, outside any
//! transaction: a process that stands still holds no lock.
//!
//! The token stands there in clear: whoever may read the table may act as the account. So a connection
//! that leaves this machine is encrypted, or does not come about, unless the address asks for less:
//! `?ssl-mode=VERIFY_IDENTITY` verifies the certificate and its name, `VERIFY_CA` the certificate alone,
//! `REQUIRED` (the default beyond this machine) nothing; `PREFERRED` and `DISABLED` allow clear text.
//! Beside the system's authorities, the one of `?ssl-ca=FILE` (PEM) is trusted. Without TLS, MySQL's
//! `caching_sha2_password` works only once the server has cached the password.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use reqwest::Url;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlQueryResult, MySqlRow, MySqlSslMode};
use sqlx::{Connection as _, Row as _};
use tokio::sync::Semaphore;

use crate::clock::Timestamp;
use crate::secret::AccessToken;
use crate::store::address::{AuthorityError, NOT_LET_IN, authority, certificate_fault};
use crate::store::tokens::{
    LONGEST_RIGHT, NOTES_KEPT, NewToken, Note, Owner, Promise, PutBack, Right, Saved, TokenKey,
    TokenRecord, Tokens, TokensError,
};

mod usage;

/// The longest that a call may take, with connecting: a server that needs longer is away.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Connections of one process at most; further calls wait for one within their limit.
const CONNECTIONS: usize = 4;

/// Tries of a step that others keep getting in the way of. Two would do: the right is one process's.
const STEPS: usize = 16;

/// `token` is NULL until there is one; `right_ends_ms` is of the server's clock.
const TOKENS_TABLE: &str = "CREATE TABLE IF NOT EXISTS wxhook_tokens (
    account VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    token VARBINARY(4096) NULL,
    generation BIGINT UNSIGNED NOT NULL DEFAULT 0,
    obtained_at_ms BIGINT NOT NULL DEFAULT 0,
    confirmed_at_ms BIGINT NOT NULL DEFAULT 0,
    expires_at_ms BIGINT NOT NULL DEFAULT 0,
    obtained_by VARBINARY(1024) NOT NULL DEFAULT '',
    right_owner VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    right_fence BIGINT UNSIGNED NOT NULL DEFAULT 0,
    right_ends_ms BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account, kind)
) ENGINE = InnoDB";

const NOTES_TABLE: &str = "CREATE TABLE IF NOT EXISTS wxhook_token_notes (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at_ms BIGINT NOT NULL,
    who VARBINARY(1024) NOT NULL,
    what VARBINARY(1024) NOT NULL,
    KEY of_one_token (account, kind, id)
) ENGINE = InnoDB";

/// The server's clock, one moment for a whole statement.
macro_rules! now {
    () => {
        "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
    };
}

const ADD_ROW: &str = "INSERT IGNORE INTO wxhook_tokens (account, kind) VALUES (?, ?)";

const LOAD: &str =
    "SELECT token, generation, obtained_at_ms, confirmed_at_ms, expires_at_ms, obtained_by
    FROM wxhook_tokens WHERE account = ? AND kind = ? AND token IS NOT NULL";

/// LAST_INSERT_ID brings the new fence back with the statement's own answer.
const ACQUIRE: &str = concat!(
    "UPDATE wxhook_tokens SET right_owner = ?,
    right_fence = LAST_INSERT_ID(GREATEST(right_fence + 1, CAST(",
    now!(),
    " AS UNSIGNED))), right_ends_ms = ",
    now!(),
    " + ? WHERE account = ? AND kind = ? AND (right_ends_ms <= ",
    now!(),
    " OR right_ends_ms > ",
    now!(),
    " + ?)"
);

const HOLDS: &str = concat!(
    "UPDATE wxhook_tokens SET right_ends_ms = ",
    now!(),
    " + ? WHERE account = ? AND kind = ? AND right_owner = ? AND right_fence = ? AND right_ends_ms > ",
    now!()
);

const IS_HELD: &str = concat!(
    "SELECT 1 FROM wxhook_tokens
    WHERE account = ? AND kind = ? AND right_owner = ? AND right_fence = ? AND right_ends_ms > ",
    now!()
);

const SAVE: &str = concat!(
    "UPDATE wxhook_tokens SET token = ?, generation = ?, obtained_at_ms = ?, confirmed_at_ms = ?,
    expires_at_ms = ?, obtained_by = ?
    WHERE account = ? AND kind = ? AND generation = ? AND token <=> ?
    AND right_owner = ? AND right_fence = ? AND right_ends_ms > ",
    now!()
);

const PUT_BACK: &str = "UPDATE wxhook_tokens SET token = ?, generation = ?, obtained_at_ms = ?,
    confirmed_at_ms = ?, expires_at_ms = ?, obtained_by = ?
    WHERE account = ? AND kind = ? AND (token IS NULL OR generation < ?)";

const RELEASE: &str = "UPDATE wxhook_tokens SET right_ends_ms = 0, right_owner = ''
    WHERE account = ? AND kind = ? AND right_owner = ?";

const ADD_NOTE: &str =
    "INSERT INTO wxhook_token_notes (account, kind, at_ms, who, what) VALUES (?, ?, ?, ?, ?)";

const OLD_NOTE: &str = "SELECT id FROM wxhook_token_notes WHERE account = ? AND kind = ?
    ORDER BY id DESC LIMIT 1 OFFSET ?";

const FORGET_NOTES: &str =
    "DELETE FROM wxhook_token_notes WHERE account = ? AND kind = ? AND id <= ?";

const NOTES: &str = "SELECT at_ms, who, what FROM wxhook_token_notes
    WHERE account = ? AND kind = ? ORDER BY id DESC LIMIT ?";

/// Why an address of a MySQL or MariaDB server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not of the form `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    #[error("the address is not of the form mysql://USER:PASSWORD@HOST:PORT/DATABASE")]
    Form,
    /// The authority that it names cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Tokens in one database of a MySQL or MariaDB server.
pub struct MysqlTokens {
    options: MySqlConnectOptions,
    idle: Mutex<Vec<MySqlConnection>>,
    permits: Semaphore,
}

impl fmt::Debug for MysqlTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlTokens").finish_non_exhaustive()
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::MySql, sqlx::mysql::MySqlArguments>;

impl MysqlTokens {
    /// Takes the address; opens no connection yet, so a server that is away stops nobody from starting.
    ///
    /// # Errors
    /// [`AddressError`] when it is no address of a database, or its authority cannot be used.
    pub fn open(url: &str) -> Result<Self, AddressError> {
        // An error says that a provider is installed already: an embedding program's choice stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // What the library says about an address might repeat the password.
        let options = MySqlConnectOptions::from_str(url).map_err(|_unsaid| AddressError::Form)?;
        let parsed = Url::parse(url).map_err(|_unsaid| AddressError::Form)?;
        if parsed.scheme() != "mysql" || options.get_database().is_none() {
            return Err(AddressError::Form);
        }
        // The library reads it anew for each connection; whoever starts the server is told at once.
        authority(&parsed)?;
        Ok(Self {
            options: encrypted(url, options),
            idle: Mutex::default(),
            permits: Semaphore::new(CONNECTIONS),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<MySqlConnection>> {
        self.idle.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// An idle connection that still answers, or a new one that has seen to the tables.
    async fn ready(&self) -> Result<MySqlConnection, sqlx::Error> {
        let idle = self.idle().pop();
        if let Some(mut idle) = idle {
            if idle.ping().await.is_ok() {
                return Ok(idle);
            }
            // The others are as old: they go with it.
            self.idle().clear();
        }
        let mut connection = MySqlConnection::connect_with(&self.options).await?;
        for table in [TOKENS_TABLE, NOTES_TABLE, usage::CLIENTS_TABLE] {
            sqlx::raw_sql(table).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Works on a connection that answered just now, within [`ANSWER_LIMIT`]. One that failed, or was
    /// not waited for to its end, is not used again: nobody knows what would come over it.
    async fn work<T>(
        &self,
        task: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, TokensError>,
    ) -> Result<T, TokensError> {
        let within = tokio::time::timeout(ANSWER_LIMIT, async {
            let _permit = self.permits.acquire().await.map_err(TokensError::away)?;
            let mut connection = self.ready().await.map_err(failure)?;
            let answer = task(&mut connection).await?;
            self.idle().push(connection);
            Ok(answer)
        });
        within
            .await
            .unwrap_or_else(|_elapsed| Err(TokensError::away("it did not answer in time")))
    }
}

/// What the library prefers, it does without when the server has no TLS; whoever sits in between can
/// say that it has none.
fn encrypted(url: &str, options: MySqlConnectOptions) -> MySqlConnectOptions {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let is_said = query
        .split('&')
        .any(|pair| pair.starts_with("ssl-mode=") || pair.starts_with("sslmode="));
    let host = options.get_host().trim_matches(['[', ']']);
    let is_here = host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
        || options.get_socket().is_some();
    if is_said || is_here {
        options
    } else {
        options.ssl_mode(MySqlSslMode::Required)
    }
}

impl Tokens for MysqlTokens {
    fn durability(&self) -> &'static str {
        "tokens are in MySQL or MariaDB, shared by all processes"
    }

    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>> {
        Box::pin(self.work(async move |connection| load(connection, key).await))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>> {
        Box::pin(self.work(async move |connection| {
            let take = || {
                sqlx::query(ACQUIRE)
                    .bind(owner.as_str())
                    .bind(milliseconds(lasting))
                    .bind(key.account.as_str())
                    .bind(key.kind.name())
                    .bind(milliseconds(LONGEST_RIGHT))
            };
            let mut taken = execute(connection, take()).await?;
            if taken.rows_affected() == 0 && add_row(connection, key).await? {
                taken = execute(connection, take()).await?;
            }
            Ok((taken.rows_affected() == 1).then(|| Right {
                key: key.clone(),
                owner: owner.clone(),
                fence: taken.last_insert_id(),
            }))
        }))
    }

    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool> {
        Box::pin(self.work(async move |connection| {
            let query = bind_right(sqlx::query(HOLDS).bind(milliseconds(lasting)), right);
            Ok(execute(connection, query).await?.rows_affected() == 1)
        }))
    }

    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved> {
        Box::pin(self.work(async move |connection| {
            for _ in 0..STEPS {
                let stored = load(connection, &right.key).await?;
                let record = new.clone().beside(stored.as_ref());
                let query = bind_record(sqlx::query(SAVE), &record)
                    .bind(right.key.account.as_str())
                    .bind(right.key.kind.name())
                    .bind(stored.as_ref().map_or(0, |stored| stored.generation))
                    .bind(
                        stored
                            .as_ref()
                            .map(|stored| stored.token.expose().as_bytes()),
                    )
                    .bind(right.owner.as_str())
                    .bind(right.fence);
                if execute(connection, query).await?.rows_affected() == 1 {
                    return Ok(Saved::Stored(record));
                }
                let held = bind_right(sqlx::query(IS_HELD), right);
                if held
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(failure)?
                    .is_none()
                {
                    return Ok(Saved::Fenced);
                }
            }
            Err(TokensError::away("others keep changing the record"))
        }))
    }

    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack> {
        Box::pin(self.work(async move |connection| {
            for _ in 0..STEPS {
                add_row(connection, key).await?;
                let query = bind_record(sqlx::query(PUT_BACK), record)
                    .bind(key.account.as_str())
                    .bind(key.kind.name())
                    .bind(record.generation);
                if execute(connection, query).await?.rows_affected() == 1 {
                    return Ok(PutBack::Stored);
                }
                if let Some(newer) = load(connection, key).await? {
                    return Ok(PutBack::Newer(newer));
                }
            }
            Err(TokensError::away("others keep changing the record"))
        }))
    }

    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()> {
        Box::pin(self.work(async move |connection| {
            let query = bind_key(sqlx::query(RELEASE), key).bind(owner.as_str());
            execute(connection, query).await.map(drop)
        }))
    }

    fn note<'a>(&'a self, key: &'a TokenKey, note: Note) -> Promise<'a, ()> {
        Box::pin(self.work(async move |connection| {
            let note = note.cut();
            let add = bind_key(sqlx::query(ADD_NOTE), key)
                .bind(note.at.milliseconds())
                .bind(note.who.into_bytes())
                .bind(note.what.into_bytes());
            execute(connection, add).await?;
            let oldest = bind_key(sqlx::query(OLD_NOTE), key).bind(NOTES_KEPT as u64);
            let oldest = oldest
                .fetch_optional(&mut *connection)
                .await
                .map_err(failure)?;
            if let Some(oldest) = oldest {
                let id: u64 = oldest.try_get(0).map_err(failure)?;
                execute(
                    connection,
                    bind_key(sqlx::query(FORGET_NOTES), key).bind(id),
                )
                .await?;
            }
            Ok(())
        }))
    }

    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>> {
        Box::pin(self.work(async move |connection| {
            let query = bind_key(sqlx::query(NOTES), key).bind(NOTES_KEPT as u64);
            let rows = query.fetch_all(&mut *connection).await.map_err(failure)?;
            rows.iter().rev().map(note_of).collect()
        }))
    }
}

async fn load(
    connection: &mut MySqlConnection,
    key: &TokenKey,
) -> Result<Option<TokenRecord>, TokensError> {
    let query = bind_key(sqlx::query(LOAD), key);
    let row = query.fetch_optional(connection).await.map_err(failure)?;
    row.as_ref().map(record_of).transpose()
}

/// Adds the row of a key; whether it was not there.
async fn add_row(connection: &mut MySqlConnection, key: &TokenKey) -> Result<bool, TokensError> {
    let added = execute(connection, bind_key(sqlx::query(ADD_ROW), key)).await?;
    Ok(added.rows_affected() == 1)
}

async fn execute(
    connection: &mut MySqlConnection,
    query: Query<'_>,
) -> Result<MySqlQueryResult, TokensError> {
    query.execute(connection).await.map_err(failure)
}

fn bind_key<'q>(query: Query<'q>, key: &'q TokenKey) -> Query<'q> {
    query.bind(key.account.as_str()).bind(key.kind.name())
}

fn bind_right<'q>(query: Query<'q>, right: &'q Right) -> Query<'q> {
    bind_key(query, &right.key)
        .bind(right.owner.as_str())
        .bind(right.fence)
}

fn bind_record<'q>(query: Query<'q>, record: &'q TokenRecord) -> Query<'q> {
    query
        .bind(record.token.expose().as_bytes().to_vec())
        .bind(record.generation)
        .bind(record.obtained_at.milliseconds())
        .bind(record.confirmed_at.milliseconds())
        .bind(record.expires_at.milliseconds())
        .bind(record.obtained_by.clone().into_bytes())
}

fn record_of(row: &MySqlRow) -> Result<TokenRecord, TokensError> {
    let moment = |index| row.try_get(index).map(Timestamp::from_milliseconds);
    Ok(TokenRecord {
        token: AccessToken::new(text(row, 0)?),
        generation: row.try_get(1).map_err(failure)?,
        obtained_at: moment(2).map_err(failure)?,
        confirmed_at: moment(3).map_err(failure)?,
        expires_at: moment(4).map_err(failure)?,
        obtained_by: text(row, 5)?,
    })
}

fn note_of(row: &MySqlRow) -> Result<Note, TokensError> {
    Ok(Note {
        at: Timestamp::from_milliseconds(row.try_get(0).map_err(failure)?),
        who: text(row, 1)?,
        what: text(row, 2)?,
    })
}

fn text(row: &MySqlRow, index: usize) -> Result<String, TokensError> {
    let bytes: Vec<u8> = row.try_get(index).map_err(failure)?;
    String::from_utf8(bytes).map_err(|_not_text| TokensError::unreadable("a text is none"))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The SQLSTATE of a server that does not know the user, or finds the password wrong.
const ACCESS_DENIED: &str = "28000";

/// What a server says names its user and host, never the password or a value.
fn failure(error: sqlx::Error) -> TokensError {
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_) => {
            TokensError::Unreadable(Arc::from("a column is of another type"))
        }
        sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some(ACCESS_DENIED) => {
            TokensError::away(NOT_LET_IN)
        }
        other => match certificate_fault(&other) {
            Some(fault) => TokensError::away(fault),
            None => TokensError::away(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_leaves_this_machine_is_encrypted_unless_the_address_asks_for_less() {
        for (address, expected) in [
            ("mysql://wx:p@db.example/tokens", "Required"),
            (
                "mysql://wx:p@10.0.0.5:3306/tokens?charset=utf8mb4",
                "Required",
            ),
            (
                "mysql://wx:p@db.example/tokens?ssl-mode=VERIFY_IDENTITY",
                "VerifyIdentity",
            ),
            (
                "mysql://wx:p@db.example/tokens?ssl-mode=DISABLED",
                "Disabled",
            ),
            (
                "mysql://wx:p@db.example/tokens?ssl-mode=PREFERRED",
                "Preferred",
            ),
            ("mysql://wx:p@127.0.0.1/tokens", "Preferred"),
            ("mysql://wx:p@localhost/tokens", "Preferred"),
            ("mysql://wx:p@[::1]/tokens", "Preferred"),
            ("mysql://wx:p@localhost.example/tokens", "Required"),
        ] {
            let store = MysqlTokens::open(address).unwrap();
            let mode = format!("{:?}", store.options.get_ssl_mode());
            assert_eq!(mode, expected, "{address}");
        }
    }
}
