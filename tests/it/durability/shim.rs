//! The library that delays and fails syncs and fills the disk: built from C, preloaded into a child process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Milliseconds that every sync takes longer.
pub(crate) const DELAY_MS: &str = "FSYNC_SHIM_DELAY_MS";
/// Path of a trigger: while that file exists, syncs of the write-ahead log wait. A file of that name with `.held`
/// behind it is there as soon as one does.
pub(crate) const HOLD: &str = "FSYNC_SHIM_HOLD";
/// Path of a trigger: while that file exists, syncs of the write-ahead log fail with EIO.
pub(crate) const FAIL_WAL: &str = "FSYNC_SHIM_FAIL_WAL";
/// Path of a trigger: while that file exists, syncs of the main file fail with EIO.
pub(crate) const FAIL_MAIN: &str = "FSYNC_SHIM_FAIL_MAIN";
/// Path of a trigger: while that file exists the disk is full but for what [`RESERVE`] holds.
pub(crate) const FULL: &str = "FSYNC_SHIM_FULL";
/// Path of the file whose space is free again when it is removed.
pub(crate) const RESERVE: &str = "FSYNC_SHIM_RESERVE";
/// File to which each sync adds a line: `wal|main|other ok|eio size`.
pub(crate) const LOG: &str = "FSYNC_SHIM_LOG";

/// Builds the library once and returns where it is. Give it to a child as `LD_PRELOAD`.
///
/// # Panics
/// When there is no C compiler named `cc`.
pub(crate) fn build_shim() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fsync_shim.c");
            // Of this process alone: another test process may be building its own.
            let library = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("fsync_shim-{}.so", std::process::id()));
            let status = Command::new("cc")
                .args([
                    "-std=gnu11",
                    "-Wall",
                    "-Werror",
                    "-O1",
                    "-shared",
                    "-fPIC",
                    "-o",
                ])
                .args([&library, &source])
                .status()
                .expect("a C compiler named cc");
            assert!(status.success(), "the shim does not compile");
            library
        })
        .clone()
}

/// One sync that the shim saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sync {
    /// `wal`, `main` or `other`.
    pub(crate) file: String,
    /// Whether it was let through.
    pub(crate) ok: bool,
    /// Bytes of the file then.
    pub(crate) size: u64,
}

/// The syncs that a child made, in their order.
pub(crate) fn read_log(path: &Path) -> Vec<Sync> {
    let text = std::fs::read_to_string(path).expect("the shim's log");
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("a word").to_owned();
        Sync {
            file: word(),
            ok: word() == "ok",
            size: word().parse().expect("a size"),
        }
    };
    text.lines().map(line).collect()
}
