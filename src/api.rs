//! The typed client of the platform's API.
//!
//! Every call goes one way, in [`Api::call`]: a request type says which endpoint it is for, and what
//! its answer is; the families below have them all. What has no type goes through [`Api::raw`]. From
//! the ground up, a client is put together like this:
//!
//! ```
//! use std::sync::Arc;
//!
//! use wxhook::api::{Api, ApiParts, Settings};
//! use wxhook::clock::SystemClock;
//! use wxhook::id::AppId;
//! use wxhook::platform::Platform;
//! use wxhook::platform::hosts::Hosts;
//! use wxhook::secret::AppSecret;
//! use wxhook::store::memory_tokens::MemoryTokens;
//! use wxhook::token::{Endpoint, Keeper, KeeperParts};
//! use wxhook::transport::{self, HttpTransport};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock::start());
//! let hosts = Arc::new(Hosts::parse(["http://127.0.0.1:9000"])?);
//! let transport = HttpTransport::new(&transport::Settings {
//!     https: hosts.any_https(),
//!     plain_http: hosts.any_plain_http(),
//!     ..transport::Settings::default()
//! })?;
//! let platform = Arc::new(Platform::new(transport, hosts, clock.clone()));
//! let keeper = Keeper::new(KeeperParts {
//!     account: AppId::parse("wx0123456789abcdef")?,
//!     secret: AppSecret::new("…"),
//!     endpoint: Endpoint::Stable,
//!     store: MemoryTokens::new(clock.clone()),
//!     platform: platform.clone(),
//!     clock: clock.clone(),
//!     counters: Arc::default(),
//! });
//! let api = Api::new(ApiParts {
//!     platform,
//!     sources: vec![Arc::new(keeper)],
//!     clock,
//!     settings: Settings::default(),
//! });
//! # drop(api);
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::api::endpoint::Spec;
use crate::clock::Clock;
use crate::id::AppId;
use crate::platform::Platform;
use crate::platform::exchange::CALL_TIMEOUT;
use crate::token::TokenSource;

mod call;
pub mod endpoint;
mod error;
mod handle;
pub mod jssdk;
mod message;
mod raw;
mod request;
mod retry;
pub mod tag;
mod ticket;
pub mod user;

pub use self::error::CallError;
pub use self::handle::ApiHandle;
pub use self::raw::RawCall;
pub use self::request::RequestError;
use self::ticket::Tickets;
pub use self::ticket::{TICKET_RENEWAL_WINDOW, TicketKind, TicketLease};

/// What became of a message handed to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The platform took it.
    Sent {
        /// The platform's request id, when it gave one.
        rid: Option<String>,
    },
    /// The platform answered that it did not deliver it, and trying again would not help.
    Refused {
        /// The platform's code.
        code: i64,
        /// What the code means and what to do, for people.
        meaning: String,
        /// The platform's request id.
        rid: Option<String>,
    },
    /// Surely not delivered for now: no connection, no access token, or the platform is busy.
    NotSent {
        /// Why, for people.
        reason: String,
        /// The platform's code, when it was the platform that refused for now.
        code: Option<i64>,
    },
    /// Surely not delivered, and no later try can change that: the account has no AppSecret.
    Impossible {
        /// Why, and what to do, for people.
        reason: String,
    },
    /// The request left and its answer was not seen: it may have been delivered.
    Unknown {
        /// Why, for people.
        reason: String,
    },
}

/// How long a call that carries a file may take on one host: 10 MB at 1.4 Mbit/s.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(60);

/// How long what passes may be waited out: a little more than a minute, after which the minute's
/// quota (45011) is there again.
pub const PATIENCE: Duration = Duration::from_secs(70);

/// The table of all endpoints, one part for each family.
const SPECS: &[&[Spec]] = &[tag::SPECS, user::SPECS];

/// All endpoints that have a type, in the order of their families.
pub fn endpoints() -> impl Iterator<Item = &'static Spec> {
    SPECS.iter().copied().flatten()
}

/// How the client behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long one call to one host may take. Default: [`CALL_TIMEOUT`].
    pub timeout: Duration,
    /// The same for calls that carry a file, and until the first byte of one that comes. Default:
    /// [`MEDIA_TIMEOUT`].
    pub media_timeout: Duration,
    /// How long what passes (busy, no connection, the minute's quota) may be waited out before a call
    /// fails. Zero: calls are made once. Default: [`PATIENCE`].
    pub patience: Duration,
    /// Whether the answer −1 ("system error") counts as *not executed* for what must not happen
    /// twice, so that it may be tried again. The platform does not promise it: where a message that
    /// arrives twice is worse than one that does not arrive, set false, and such a message is
    /// *unknown*. Default: true.
    pub busy_means_not_sent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: CALL_TIMEOUT,
            media_timeout: MEDIA_TIMEOUT,
            patience: PATIENCE,
            busy_means_not_sent: true,
        }
    }
}

/// What the client is made of.
#[derive(Debug)]
pub struct ApiParts {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Where each account's tokens come from; one that only receives has no source.
    pub sources: Vec<Arc<dyn TokenSource>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How the client behaves.
    pub settings: Settings,
}

/// The client: of all accounts, on one runtime. Cloning it is cheap; clones are the same client.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    platform: Arc<Platform>,
    sources: HashMap<AppId, Arc<dyn TokenSource>>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    tickets: Tickets,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("accounts", &self.0.sources.keys())
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the parts together. Calls nobody.
    pub fn new(parts: ApiParts) -> Self {
        let named = |source: Arc<dyn TokenSource>| (source.account().clone(), source);
        Self(Arc::new(Inner {
            platform: parts.platform,
            sources: parts.sources.into_iter().map(named).collect(),
            settings: parts.settings,
            clock: parts.clock,
            tickets: Tickets::default(),
        }))
    }

    /// Sends one customer message (客服消息): the exact JSON of `custom/send`.
    ///
    /// It is sent again only when it surely was not executed: to the next host, or once more when the
    /// access token was refused. Must be called within a tokio runtime.
    pub async fn deliver(&self, account: &AppId, message: Bytes) -> Delivery {
        let settings = &self.0.settings;
        let ask = message::send(message, settings);
        message::delivery(self.ask(account, &ask).await, settings)
    }
}
