//! What the fuzz targets do with bytes: each module has one `check` that panics when a promise is broken.
//!
//! The protocol's own files are links here and are compiled into this crate, without the server around them:
//! it is pure, so it stands alone, the targets are built in seconds, and the fuzzer counts no edges but its own.

#[allow(dead_code, reason = "the server around the protocol uses the rest")]
mod clock;
#[allow(dead_code, reason = "the server around the protocol uses the rest")]
pub mod id;
mod nearest;
#[allow(dead_code, reason = "the server around the protocol uses the rest")]
pub mod protocol;
#[allow(dead_code, reason = "the server around the protocol uses the rest")]
pub mod secret;

pub mod envelope;
pub mod push;
pub mod query;
pub mod xml;

mod wechat;
