//! wxhook is the server that a WeChat service account (服务号, 公众号) registers as its server URL.
//!
//! A push is verified, decrypted, parsed and **stored before** WeChat is told `success`; then your
//! handler functions run, one user's pushes in order, users in parallel; what they reply goes out
//! through the customer-message API, and is never sent twice.
//!
//! A program of your own needs two things: routes and a state.
//!
//! ```no_run
//! use std::convert::Infallible;
//! use wxhook::{Content, Router};
//!
//! async fn echo(Content(text): Content) -> String {
//!     format!("You wrote: {text}")
//! }
//!
//! fn routes() -> Router<()> {
//!     Router::new().fallback(echo)
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     wxhook::main(routes, || Ok::<_, Infallible>(()))
//! }
//! ```
//!
//! What comes in is typed in [`push`]: every message, event and notice that is known, for
//! `Router::on::<push::Image, _>(…)` and for handlers' arguments. (`Text` here is what goes out; what a user
//! wrote is `push::Text`.)
//!
//! Rooms in reading order: [`protocol`] (bytes in, values out), [`template`] (files that become
//! messages), [`store`] (what must survive),
//! [`http`] (the way to `success`), [`dispatch`] (routes, lanes, attempts, outbox), [`token`],
//! [`quota`], [`platform`] and [`api`] (the way to WeChat), [`simulator`] (a local WeChat), [`config`],
//! [`app`] (start and stop), [`cli`]; with the feature `testing`, the kit for tests of handlers.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod http;
pub mod id;
pub mod menu;
pub mod metric;
mod nearest;
pub mod platform;
pub mod protocol;
pub mod quota;
pub mod secret;
pub mod simulator;
pub mod store;
pub mod template;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod transport;

pub use cli::{OpenState, main};
pub use dispatch::{
    Answer, Api, AtOnce, Attempts, Captures, Content, Context, Conversation, ConversationError,
    ConversationType, Deadline, Error, Facts, FromPush, Guard, Handled, Handler, IntoReply, Next,
    OnlyInWindow, PassiveWithin, Rejection, Reply, Router, Routes, SendError, State, Step,
    TimeLimit, account, between, blocking, guard, pattern, wait_for,
};
pub use id::{AppId, OpenId};
pub use protocol::message::{
    Article, Image, Message, MiniProgramPage, MsgMenu, Music, News, Text, Video, Voice,
    without_links,
};
pub use protocol::push;
pub use protocol::push::{Click, Push, Scan, Subscribe, Unsubscribe, View};
pub use secret::HandlerSecret;
pub use template::Render;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../README.zh-CN.md")]
struct ReadmeInChinese;

#[cfg(doctest)]
#[doc = include_str!("../docs/handlers.md")]
struct Handlers;

#[cfg(doctest)]
#[doc = include_str!("../docs/render.md")]
struct TemplatesPage;
