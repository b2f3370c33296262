//! The files of a data directory, and how they become durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Names of the files in one data directory.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    directory: PathBuf,
}

impl Paths {
    pub(super) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Pushes and everything about them.
    pub(super) fn database(&self) -> PathBuf {
        self.directory.join("wxhook.db")
    }

    /// Access tokens, and who may ask for the next one.
    pub(super) fn tokens(&self) -> PathBuf {
        self.directory.join("tokens.db")
    }

    /// How often what was called.
    pub(super) fn counters(&self) -> PathBuf {
        self.directory.join("counters.db")
    }

    /// SQLite's write-ahead log; without it the database lacks its newest commits.
    pub(super) fn wal(&self) -> PathBuf {
        self.directory.join("wxhook.db-wal")
    }

    /// SQLite's index of the log, shared by the processes that have it open.
    pub(super) fn shared_memory(&self) -> PathBuf {
        self.directory.join("wxhook.db-shm")
    }

    /// Held by the one process that writes.
    pub(super) fn lock(&self) -> PathBuf {
        self.directory.join("wxhook.lock")
    }

    /// Present when a write or a sync failed: what the disk holds must be verified first.
    pub(super) fn marker(&self) -> PathBuf {
        self.directory.join("wxhook.poisoned")
    }

    /// Space that is given up when the disk is full, so that outcomes can still be written.
    pub(super) fn reserve(&self) -> PathBuf {
        self.directory.join("wxhook.reserve")
    }

    /// A copy that is being written.
    pub(super) fn unfinished_copy(&self) -> PathBuf {
        self.directory.join("wxhook.copy-unfinished.db")
    }

    /// A whole and synced copy that is to take the database's place.
    pub(super) fn finished_copy(&self) -> PathBuf {
        self.directory.join("wxhook.copy.db")
    }

    /// The copy made before the schema of version `version` is changed.
    pub(super) fn backup(&self, version: u32) -> PathBuf {
        self.directory
            .join(format!("wxhook.before-schema-{}.db", version + 1))
    }

    /// Makes creations, renames and removals in the directory durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    /// Creates the directory, for its owner only: it holds what followers write.
    pub(super) fn create_directory(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory)
    }
}

/// Makes an empty file that only its owner can read, unless it is there. SQLite fills it, and gives its
/// log the same rights.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    private().truncate(false).open(path).map(drop)
}

/// How files are made here: for their owner only, whatever the umask allows.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file of the data directory anew, and syncs it.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private().truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file; one that is not there is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
