//! After a failed write or sync nobody knows what the disk holds: the kernel may show pages that it
//! could not write. So the failing process leaves a marker, and the next one copies everything that
//! can be read into a new file, synced, before it is ready.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::OpenError;
use super::paths::{self, Paths};
use super::schema;

/// Leaves the marker. The best that a process on a failing disk can do: a failure is only logged.
pub(super) fn mark(paths: &Paths, reason: &str) {
    let path = paths.marker();
    let written = paths::private()
        .truncate(true)
        .open(&path)
        .and_then(|mut file| {
            writeln!(file, "{reason}")?;
            file.sync_all()
        })
        .and_then(|()| paths.sync());
    if let Err(error) = written {
        tracing::error!(
            path = %path.display(),
            error = %error,
            "The marker of a failed write could not be left; check the database before the next start."
        );
    }
}

/// Finishes what a poisoned process left: verifies the database, copies it, and puts the copy in its
/// place. Can be cut off anywhere and begun again.
///
/// # Errors
/// [`OpenError::Damaged`] when the database does not hold together.
pub(super) fn heal(paths: &Paths) -> Result<(), OpenError> {
    let marker = paths.marker();
    let failed = |source| OpenError::File {
        path: marker.clone(),
        source,
    };
    if !paths.finished_copy().exists() {
        if !marker.exists() {
            return Ok(());
        }
        let reason = fs::read_to_string(&marker).unwrap_or_default();
        tracing::warn!(
            reason = reason.trim(),
            "A write or a sync failed before; the store is verified and copied."
        );
        if paths.database().exists() {
            copy(paths)?;
        }
    }
    if paths.finished_copy().exists() {
        replace(paths).map_err(failed)?;
    }
    paths::remove(&marker)
        .and_then(|()| paths.sync())
        .map_err(failed)
}

/// Makes the whole, synced copy. From its last rename on, the old database and its log are waste.
fn copy(paths: &Paths) -> Result<(), OpenError> {
    let unfinished = paths.unfinished_copy();
    let failed = |source| OpenError::File {
        path: unfinished.clone(),
        source,
    };
    verified_copy(paths, &unfinished).map_err(|error| match error {
        OpenError::Database(error) if is_damage(&error) => OpenError::Damaged {
            path: paths.database(),
            report: error.to_string(),
        },
        other => other,
    })?;
    fs::rename(&unfinished, paths.finished_copy())
        .and_then(|()| paths.sync())
        .map_err(failed)
}

fn verified_copy(paths: &Paths, to: &Path) -> Result<(), OpenError> {
    let connection = schema::connect(&paths.database())?;
    verify(&connection, paths)?;
    schema::copy_into(&connection, to)
}

/// Whether the error says that the file itself is wrong, and not that it cannot be reached.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Puts the copy in the database's place. The old log goes first: it must never be read as the copy's.
fn replace(paths: &Paths) -> io::Result<()> {
    paths::remove(&paths.wal())?;
    paths::remove(&paths.shared_memory())?;
    paths.sync()?;
    fs::rename(paths.finished_copy(), paths.database())?;
    paths.sync()
}

fn verify(connection: &Connection, paths: &Paths) -> Result<(), OpenError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let report = lines.collect::<Result<Vec<_>, _>>()?.join("; ");
    if report == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged {
        path: paths.database(),
        report,
    })
}
