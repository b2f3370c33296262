//! From a stored push to a delivered reply: lanes, routes, attempts, outbox.
//!
//! [`Router`] says which handler a push goes to, [`Engine`] takes pushes out of the inbox and runs
//! them: one user's pushes one after another, users in parallel, everything bounded. What a handler
//! returns is committed together with its outcome before the first byte of it leaves.
//!
//! Routes may be put together from routers of their own ([`Router::nest`]), take pushes under conditions
//! ([`Router::guard`]), ask for time, numbers and windows ([`Router::layer`]), and have code of yours around
//! them ([`Router::wrap`]). [`Router::explain`] says which of them takes a push, and why no other does.
//!
//! ```
//! use serde::Deserialize;
//! use wxhook::dispatch::{Attempts, Captures, Content, Error, Reply, Router, State, pattern};
//! use wxhook::protocol::push::Subscribe;
//!
//! #[derive(Clone)]
//! struct Shop;
//!
//! #[derive(Deserialize)]
//! struct Query {
//!     no: u32,
//! }
//!
//! async fn welcome(_: Subscribe) -> &'static str {
//!     "欢迎！"
//! }
//!
//! async fn track(
//!     Captures(query): Captures<Query>,
//!     State(_shop): State<Shop>,
//!     reply: Reply,
//! ) -> Result<String, Error> {
//!     reply.send("正在查……").await?;
//!     match query.no {
//!         0 => Err(Error::new("there is no parcel 0").give_up()),
//!         no => Ok(format!("包裹 {no} 在路上")),
//!     }
//! }
//!
//! let routes = Router::new()
//!     .on::<Subscribe, _>(welcome)
//!     .text(pattern(r"^查\s*(?<no>\d+)$"), track)
//!     .fallback(async |Content(text): Content| text)
//!     .layer(Attempts::after(["2s", "10s", "1m"]))
//!     .with_state(Shop)?;
//! assert_eq!(routes.names().next(), Some("on subscribe"));
//! # Ok::<(), wxhook::dispatch::RouteErrors>(())
//! ```

use std::time::Duration;

mod accounts;
mod answer;
mod attempt;
mod blocking;
mod bundle;
mod conversation;
mod ending;
mod engine;
mod error;
mod extract;
mod gates;
mod handler;
mod intake;
mod lane;
mod live;
mod machine;
mod middleware;
mod outbox;
mod outcome;
pub mod passive;
mod replay;
mod router;
mod rules;
mod runtime;
mod schedule;
mod sends;
mod settle;
mod slots;
mod typing;
mod windows;
mod wording;

pub use accounts::{Accounts, Api};
pub use answer::{AccountFacts, Answer};
pub use blocking::{Blocking, Plain, blocking, wait_for};
pub use bundle::{Bundle, BundleSettings, Bundles, LOOK_EVERY, MAX_RULES_BYTES};
pub use conversation::{
    Conversation, ConversationError, ConversationType, MAX_CONVERSATION_EXPIRES,
};
pub use engine::{Engine, EngineError, EngineParts, Stopped};
pub use error::Error;
pub use extract::{Captures, Content, Context, Deadline, FromPush, Rejection, State};
pub use handler::{Called, Handled, Handler, IntoReply};
pub use live::{Reply, SendError};
pub use middleware::{Middleware, Next};
pub use outbox::Courier;
pub use outcome::NO_CUSTOMER_MESSAGES;
pub use replay::{ReplayError, Replays};
pub(crate) use router::Takers;
pub use router::{
    AtOnce, Candidate, Explanation, Facts, Guard, Hours, HoursError, Layer, OnlyInWindow, Outcome,
    PassiveWithin, Pattern, Place, RouteError, RouteErrors, Router, Routes, Specificity, Step,
    TextRule, TimeLimit, account, between, guard, pattern,
};
pub use rules::{Found, MAX_RULES, Rule, Rules};
pub use schedule::{Attempts, ScheduleError};
pub(crate) use windows::Grant;
pub use windows::SharedWindows;
pub use wording::{LongTexts, MAX_CUT_SIGN_BYTES};

/// Handlers that run at the same time.
pub const HANDLERS: usize = 256;
/// How long a handler may take before its attempt counts as failed.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(60);
/// Starts without an outcome after which a push is given up: it may be killing the process.
pub const MAX_STARTS: u32 = 5;
/// How long a push that is to be tried again keeps its user's next pushes waiting, at most.
pub const LANE_HOLD: Duration = Duration::from_secs(5);
/// Pushes of one user kept in memory; further ones are put aside in the store.
pub const LANE_PUSHES: usize = 64;
/// Pushes of all users kept in memory.
pub const PUSHES_IN_MEMORY: usize = 4_096;
/// Bytes of their bodies, about: a page of pushes that is being read may come on top.
pub const BYTES_IN_MEMORY: usize = 32 << 20;
/// Messages being handed to the platform at the same time.
pub const SENDS: usize = 16;
/// How long a message that surely was not sent is tried again.
pub const SEND_PATIENCE: Duration = Duration::from_secs(60);
/// How long a conversation is remembered.
pub const CONVERSATION_EXPIRES: Duration = Duration::from_secs(30 * 60);
/// The longest time that a request may wait for its handler's answer. WeChat hangs up after 5 s, and the
/// answer must be committed and on its way before.
pub const LATEST_PASSIVE: Duration = Duration::from_millis(4_500);
/// Commits and deliveries that may be under way before no further handler is started.
pub const OPEN_WORK: usize = 2_048;
/// How long a stop waits for running handlers and open sends.
pub const STOP_GRACE: Duration = Duration::from_secs(25);
/// Threads that run handlers.
pub const HANDLER_THREADS: usize = 4;
/// Threads that run handlers, with the replacements of those that are blocked.
pub const MAX_HANDLER_THREADS: usize = 64;
/// Threads that run handlers that are not async.
pub const BLOCKING_THREADS: usize = 16;
/// How long a handler may keep its thread without awaiting before the thread is replaced.
pub const BLOCKED_AFTER: Duration = Duration::from_millis(500);

/// How pushes are dispatched. Every bound of this room is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Handlers that run at the same time; 1 or more. Default [`HANDLERS`].
    pub handlers: usize,
    /// How long a handler may take. Default [`HANDLER_TIMEOUT`].
    pub handler_timeout: Duration,
    /// After how long a failed push is tried again, when its router does not say. Default [`Attempts::default`].
    pub attempts: Attempts,
    /// Starts without an outcome after which a push is given up; 1 or more. Default [`MAX_STARTS`].
    pub max_starts: u32,
    /// A retry that is due within this time holds its user's lane; a later one lets it go on. Default [`LANE_HOLD`].
    pub lane_hold: Duration,
    /// Pushes of one user kept in memory; 1 or more. Default [`LANE_PUSHES`].
    pub lane_pushes: usize,
    /// Pushes of all users kept in memory; 1 or more. Default [`PUSHES_IN_MEMORY`].
    pub pushes_in_memory: usize,
    /// Bytes of their bodies. Default [`BYTES_IN_MEMORY`].
    pub bytes_in_memory: usize,
    /// Messages being handed to the platform at the same time; 1 or more. Default [`SENDS`].
    pub sends: usize,
    /// How long a message that surely was not sent is tried again. Default [`SEND_PATIENCE`].
    pub send_patience: Duration,
    /// How long a conversation is remembered when its handler does not say; at most
    /// [`MAX_CONVERSATION_EXPIRES`]. Default [`CONVERSATION_EXPIRES`].
    pub conversation_expires: Duration,
    /// The sending windows that are counted with.
    pub windows: crate::quota::window::Settings,
    /// Those of accounts that have figures of their own; each remembers users of its own.
    pub account_windows:
        std::collections::BTreeMap<crate::id::AppId, crate::quota::window::Settings>,
    /// What becomes of texts that are longer than one message.
    pub texts: LongTexts,
    /// Commits and deliveries under way before no further handler is started. Default [`OPEN_WORK`].
    pub open_work: usize,
    /// A push that waited longer than this for its handler is not handled but *dead*, as stale, so that
    /// nobody is answered hours late after an outage. `None`, the default: every push is handled.
    pub stale_after: Option<Duration>,
    /// How long a handler may take over a follower's message before the follower is shown that an answer is
    /// being prepared (客服输入状态). `None`, the default: never. Each time is a call, which the quota counts.
    pub typing_after: Option<Duration>,
    /// How long a stop waits for running handlers and open sends. Default [`STOP_GRACE`].
    pub stop_grace: Duration,
    /// Threads that run handlers; 1 or more. Default [`HANDLER_THREADS`].
    pub handler_threads: usize,
    /// The same with the replacements of blocked ones. Default [`MAX_HANDLER_THREADS`].
    pub max_handler_threads: usize,
    /// Threads that run handlers that are not async; 1 or more. Default [`BLOCKING_THREADS`].
    pub blocking_threads: usize,
    /// How long a handler may keep its thread without awaiting. Default [`BLOCKED_AFTER`].
    pub blocked_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handlers: HANDLERS,
            handler_timeout: HANDLER_TIMEOUT,
            attempts: Attempts::default(),
            max_starts: MAX_STARTS,
            lane_hold: LANE_HOLD,
            lane_pushes: LANE_PUSHES,
            pushes_in_memory: PUSHES_IN_MEMORY,
            bytes_in_memory: BYTES_IN_MEMORY,
            sends: SENDS,
            send_patience: SEND_PATIENCE,
            conversation_expires: CONVERSATION_EXPIRES,
            windows: crate::quota::window::Settings::default(),
            account_windows: std::collections::BTreeMap::new(),
            texts: LongTexts::default(),
            open_work: OPEN_WORK,
            stale_after: None,
            typing_after: None,
            stop_grace: STOP_GRACE,
            handler_threads: HANDLER_THREADS,
            max_handler_threads: MAX_HANDLER_THREADS,
            blocking_threads: BLOCKING_THREADS,
            blocked_after: BLOCKED_AFTER,
        }
    }
}
