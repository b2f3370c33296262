//! How the configuration in force relates to the one that is written, for `/readyz`.

use serde_json::{Value, json};

use crate::clock::Timestamp;

/// What became of the configuration when it was last read again.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// When it was.
    pub read_at: Option<Timestamp>,
    /// What is wrong with what is written now, one line for each fault; what was in force before stays.
    pub faults: Vec<String>,
    /// The settings that are written otherwise than they are in force, until a restart.
    pub waiting: Vec<String>,
}

impl Standing {
    pub(super) fn json(&self) -> Value {
        json!({
            "read_again_at": self.read_at.map(Timestamp::milliseconds),
            "faults": self.faults,
            "restart_needed_for": self.waiting,
        })
    }
}
