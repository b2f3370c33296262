//! Disk space kept back: given up when the disk is full, so that outcomes can still be written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::paths::{self, Paths};

/// Bytes written at once while the reserve is made.
const CHUNK_BYTES: usize = 1 << 20;

/// Makes the reserve, if it is not there in full already. After the disk was full (`refused`), there
/// must be as much again beside it: else the space just given up would count as space.
pub(super) fn make(paths: &Paths, bytes: u64, refused: bool) -> io::Result<()> {
    let path = paths.reserve();
    if bytes == 0 {
        return paths::remove(&path);
    }
    if fs::metadata(&path).is_ok_and(|known| known.len() == bytes) {
        return Ok(());
    }
    let needed = if refused { bytes * 2 } else { bytes };
    fill(&path, needed)
        .and_then(|file| file.set_len(bytes))
        .inspect_err(|_| {
            // Half a reserve would only make a full disk fuller.
            drop(paths::remove(&path));
        })
}

fn fill(path: &Path, bytes: u64) -> io::Result<File> {
    // Not zeros, which some file systems store as nothing.
    let chunk: Vec<u8> = (0..CHUNK_BYTES).map(|place| (place % 251) as u8).collect();
    let mut file = paths::private().truncate(true).open(path)?;
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        file.write_all(&chunk[..now])?;
        left -= now as u64;
    }
    file.sync_all()?;
    Ok(file)
}

/// Gives the space back to the file system.
pub(super) fn release(paths: &Paths) {
    if let Err(error) = paths::remove(&paths.reserve()) {
        tracing::error!(error = %error, "The disk is full and the reserve could not be released.");
    }
}
