//! What an embedded store is opened with.

use std::path::PathBuf;
use std::time::Duration;

use crate::store::{SEEN_CAP, SEEN_RETENTION};

/// How long handled pushes are kept for looking at.
pub const DONE_RETENTION: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Bytes of the file beyond which handled pushes go before their time, oldest first.
pub const DONE_BYTES: u64 = 2 << 30;

/// Dead and malformed pushes kept at most; beyond that the oldest are discarded.
pub const DEAD_CAP: u64 = 100_000;

/// How long dead and malformed pushes, and replies whose fate is unknown, are kept for somebody to deal with.
pub const DEAD_RETENTION: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Bytes of the file beyond which new pushes are refused.
pub const MAX_BYTES: u64 = 16 << 30;

/// Bytes kept back for outcomes, for when the disk is full.
pub const RESERVE_BYTES: u64 = 16 << 20;

/// How long a change that nobody's answer waits for may wait for a batch to ride in.
pub const RIDE: Duration = Duration::from_millis(100);

/// New pushes that are synced together at most.
pub const BATCH: usize = 1_024;

/// What an embedded store is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directory of its files; made when it is missing.
    pub data_dir: PathBuf,
    /// How long a dedupe key is kept at least: [`SEEN_RETENTION`].
    pub seen_retention: Duration,
    /// Dedupe keys kept at most: [`SEEN_CAP`].
    pub seen_cap: usize,
    /// How long handled pushes are kept: [`DONE_RETENTION`].
    pub done_retention: Duration,
    /// Bytes beyond which handled pushes go before that: [`DONE_BYTES`].
    pub done_bytes: u64,
    /// Dead and malformed pushes kept at most: [`DEAD_CAP`].
    pub dead_cap: u64,
    /// How long they, and pushes with a reply whose fate is unknown, are kept: [`DEAD_RETENTION`].
    pub dead_retention: Duration,
    /// Bytes beyond which new pushes are refused: [`MAX_BYTES`].
    pub max_bytes: u64,
    /// Bytes kept back for outcomes: [`RESERVE_BYTES`]. 0 keeps nothing back.
    pub reserve_bytes: u64,
    /// How long a change that is not urgent waits for a batch to ride in, at most: [`RIDE`]. What a
    /// crash within that time takes with it is done again.
    pub ride: Duration,
    /// New pushes that are synced together at most: [`BATCH`].
    pub batch: usize,
}

impl Settings {
    /// The defaults, for this directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            seen_retention: SEEN_RETENTION,
            seen_cap: SEEN_CAP,
            done_retention: DONE_RETENTION,
            done_bytes: DONE_BYTES,
            dead_cap: DEAD_CAP,
            dead_retention: DEAD_RETENTION,
            max_bytes: MAX_BYTES,
            reserve_bytes: RESERVE_BYTES,
            ride: RIDE,
            batch: BATCH,
        }
    }
}
