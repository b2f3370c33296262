//! Reply templates: files that become messages.
//!
//! A directory is read whole ([`Files`]), compiled and checked whole ([`Templates::compile`]), and then never
//! changes. Everything that can be known before a push comes is a [`Fault`] with its file and line; what only
//! a push can show is a [`RenderError`] that names template, line and variable. Rendering itself does no I/O,
//! asks no clock, and is bounded in work, depth and size.
//!
//! ```
//! use bytes::Bytes;
//! use serde_json::json;
//! use wxhook::id::AppId;
//! use wxhook::protocol::push::Push;
//! use wxhook::template::{Files, Render, Scope, Templates};
//!
//! let files = Files::of([("sent.txt", "{# needs: order #}\n{{ user.openid }}：订单 {{ order.number }} 已发货。\n")]);
//! let templates = Templates::compile(&files)?;
//! let document = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oABC</FromUserName><CreateTime>1</CreateTime>\
//!                 <MsgType>text</MsgType><Content>查</Content><MsgId>1</MsgId></xml>";
//! let account = AppId::parse("wx0123456789abcdef")?;
//! let push = Push::parse(&account, &Bytes::from(document))?;
//! let scope = Scope::new(&push, "default", &account);
//! let render = Render::new("sent.txt", json!({ "order": { "number": 1001 } }));
//! let message = templates.render(&render, &scope)?.unwrap();
//! assert_eq!(message, "oABC：订单 1001 已发货。".into());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod compose;
mod engine;
mod fault;
mod files;
mod name;
mod render;
mod scan;
mod scope;
#[cfg(test)]
mod tests;

pub use check::{Templates, UseError};
pub use fault::{Fault, Faults};
pub use files::{Files, Look, read_text};
pub use name::{Locale, NoLocale};
pub use render::{Render, RenderError};
pub(crate) use scan::line_of;
pub use scope::Scope;

/// Files of a directory, whatever they are; more is a fault.
pub const MAX_FILES: usize = 1_000;
/// Bytes of one file.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// Directories within each other.
pub const MAX_DEPTH: usize = 4;
/// Bytes that a template may come to. A text of more than one message is said in several.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// The work of one rendering, about an instruction or 64 bytes each; it bounds time and memory.
pub const FUEL: u64 = 50_000;
/// Includes and macros within each other.
pub const MAX_NESTING: usize = 50;
