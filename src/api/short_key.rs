//! Short keys (短key): 15 letters and digits for a text of up to 4 KB, for 30 days at most.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoints;
use crate::api::raw::check_text;
use crate::api::{RequestError, request};

/// Bytes of the longest text.
pub const MAX_DATA_BYTES: usize = 4096;

/// Seconds that a key lives at most: 30 days.
pub const MAX_EXPIRE_SECONDS: u32 = 2_592_000;

endpoints! {
    MakeShortKey => ShortKey {
        call: Post "/cgi-bin/shorten/gen",
        page: "短key托管",
        send: json,
        check: MakeShortKey::limits,
        codes: [9410010, 9410011],
        limits: "long_data: 4 KB; expire_seconds: 30 days",
    }
    FetchShortKey => LongData {
        call: Post "/cgi-bin/shorten/fetch",
        page: "短key还原",
        send: json,
        check: |request: &FetchShortKey| request::given("short_key", &request.short_key),
        codes: [9410012],
    }
}

/// Makes a key for a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MakeShortKey {
    /// The text: at most [`MAX_DATA_BYTES`].
    pub long_data: String,
    /// How long the key lives: at most [`MAX_EXPIRE_SECONDS`].
    pub expire_seconds: u32,
}

impl MakeShortKey {
    fn limits(&self) -> Result<(), RequestError> {
        request::bytes("long_data", &self.long_data, MAX_DATA_BYTES)?;
        check_text(&self.long_data)?;
        let most = i64::from(MAX_EXPIRE_SECONDS);
        request::between("expire_seconds", i64::from(self.expire_seconds), 1, most)
    }
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ShortKey {
    /// It.
    pub short_key: String,
}

/// Asks for the text of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FetchShortKey {
    /// The key.
    pub short_key: String,
}

/// The text of a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct LongData {
    /// The text.
    pub long_data: String,
    /// When the key was made, in Unix seconds.
    pub create_time: i64,
    /// How long it still lives.
    pub expire_seconds: i64,
}
