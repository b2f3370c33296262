//! wxhook is the server that a WeChat service account (服务号, 公众号) registers as its server URL.
//!
//! A push is verified, decrypted, parsed and **stored before** WeChat is told `success`; then your
//! handler functions run, one user's pushes in order, users in parallel; what they reply goes out
//! through the customer-message API, and is never sent twice.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod http;
pub mod id;
pub mod metric;
pub mod platform;
pub mod protocol;
pub mod secret;
pub mod simulator;
pub mod store;
pub mod token;
pub mod transport;
