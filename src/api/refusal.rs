//! A call that was not answered well, as it is told to another process.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::CallError;
use crate::platform::error::ErrorCode;

/// Why a call was not answered well: what a [`CallError`] tells, in a form that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What happened and what to do, for people.
    pub error: String,
    /// The platform's code, if it answered one; of what was refused here, the one that it would have
    /// answered, if that is known.
    pub errcode: Option<i64>,
    /// The platform's request id, if it gave one.
    pub rid: Option<String>,
    /// Whether the platform surely did nothing of what was asked.
    pub surely_not_executed: bool,
}

impl Refusal {
    /// The platform's code as the table knows it.
    pub fn code(&self) -> Option<ErrorCode> {
        self.errcode.map(ErrorCode)
    }
}

impl From<&CallError> for Refusal {
    fn from(error: &CallError) -> Self {
        Self {
            error: error.to_string(),
            errcode: error.code().map(|code| code.0),
            rid: error.rid().map(str::to_owned),
            surely_not_executed: error.surely_not_executed(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.rid {
            Some(rid) => write!(f, " (rid {rid})"),
            None => Ok(()),
        }
    }
}
