//! Why a store cannot be opened, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds the data directory.
    #[error(
        "{} is in use by {holder}; stop that process, or give this one a data directory of its own",
        directory.display()
    )]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// The process, as far as it is known.
        holder: String,
    },
    /// There is no store in the directory.
    #[error("{} holds no store: no server has run with this data directory yet", directory.display())]
    Missing {
        /// The data directory.
        directory: PathBuf,
    },
    /// The file was written by a newer wxhook.
    #[error(
        "{} has schema {found}, and this wxhook knows {known}: it was written by a newer version; run that one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The newest version known.
        known: usize,
    },
    /// The file is to be brought up to date by a server first.
    #[error(
        "{} has schema {found}, and this wxhook reads {known}: start this version's server once, which brings it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: usize,
        /// The version that is read.
        known: usize,
    },
    /// The file is a database, and not ours.
    #[error("{} is a database of another program; give wxhook a data directory of its own", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold together.
    #[error(
        "{} is damaged ({report}); move it away and restore a backup, or save what can be read with `sqlite3 … .recover`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        report: String,
    },
    /// A file could not be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database could not be read or written.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
    /// A thread could not be started.
    #[error("a thread of the store cannot be started: {0}")]
    Thread(#[source] io::Error),
}
