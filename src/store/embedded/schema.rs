//! The file's format: opening it, and bringing an older one up to date.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;
use super::paths::{self, Paths};

/// `wxhk`: tells our files from other SQLite files.
const APPLICATION_ID: i32 = 0x7778_686b;

/// Each brings the schema from its index to the next version.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("component_ticket.sql"),
    include_str!("replay.sql"),
    include_str!("passive.sql"),
    include_str!("conversation.sql"),
];

/// Bytes of one page.
pub(super) const PAGE_BYTES: u64 = 4096;

/// The writer's page cache, in KiB.
const CACHE_KIBIBYTES: i32 = 8 * 1024;

/// The log is cut to this size when it starts anew, in bytes.
const LOG_BYTES: i64 = 64 * 1024 * 1024;

/// Statements that stay prepared.
const STATEMENTS: usize = 64;

/// Opens the file to write, making it when there is none. Everything that is committed is synced, and
/// nothing is written back to the main file except by our own checkpoints, whose results we read.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Opens the file to read, beside whoever writes it.
pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Brings the schema up to date, after a copy of what was there.
pub(super) fn migrate(
    connection: &mut Connection,
    paths: &Paths,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let found = check_version(connection, paths, migrations.len())?;
    if found == migrations.len() {
        return Ok(());
    }
    if found > 0 {
        back_up(connection, paths, found as u32)?;
        tracing::info!(
            from = found,
            to = migrations.len(),
            "The store's schema is brought up to date."
        );
    }
    let transaction = connection.transaction()?;
    for migration in &migrations[found..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", migrations.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// The schema's version, when it is ours and not newer than `newest`.
pub(super) fn check_version(
    connection: &Connection,
    paths: &Paths,
    newest: usize,
) -> Result<usize, OpenError> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        connection.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let path = paths.database();
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(OpenError::Foreign { path });
    }
    match usize::try_from(version) {
        Ok(found) if found <= newest => Ok(found),
        _ => Err(OpenError::Newer {
            path,
            found: version,
            known: newest,
        }),
    }
}

/// Copies the database to a file of its own, durably.
fn back_up(connection: &Connection, paths: &Paths, version: u32) -> Result<(), OpenError> {
    let backup = paths.backup(version);
    copy_into(connection, &backup)?;
    paths.sync().map_err(|source| OpenError::File {
        path: backup,
        source,
    })
}

/// Writes a compact copy of everything committed into a new file, and syncs that.
pub(super) fn copy_into(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    paths::remove(path)
        .and_then(|()| paths::create_private(path))
        .map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed)
}
