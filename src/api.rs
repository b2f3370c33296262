//! The typed client of the platform's API.
//!
//! Every call goes one way: token, host, exchange, and once more when the token was refused. From the
//! ground up, a client is put together like this:
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

use crate::clock::Clock;
use crate::id::AppId;
use crate::platform::Platform;
use crate::platform::exchange::CALL_TIMEOUT;
use crate::store::memory_tokens::MemoryTokens;
use crate::store::tokens::Tokens;
use crate::token::TokenSource;

mod call;
mod error;
pub mod jssdk;
mod message;
mod ticket;

pub use self::error::CallError;
use self::ticket::Tickets;
pub use self::ticket::{TicketKind, TicketLease};

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

/// How the client behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long one call to one host may take. Default: [`CALL_TIMEOUT`].
    pub timeout: Duration,
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

/// The client: of all accounts, on one runtime.
pub struct Api {
    platform: Arc<Platform>,
    sources: HashMap<AppId, Arc<dyn TokenSource>>,
    settings: Settings,
    tickets: Tickets,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("accounts", &self.sources.keys())
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the parts together. Calls nobody. JS-SDK tickets are kept in memory, until
    /// [`Api::keeping_tickets_in`] names a store.
    pub fn new(parts: ApiParts) -> Self {
        let tickets = MemoryTokens::new(Arc::clone(&parts.clock));
        let named = |source: Arc<dyn TokenSource>| (source.account().clone(), source);
        Self {
            platform: parts.platform,
            sources: parts.sources.into_iter().map(named).collect(),
            settings: parts.settings,
            tickets: Tickets::kept_in(tickets, parts.clock),
        }
    }

    /// Keeps JS-SDK tickets where other processes of the same accounts find them.
    pub fn keeping_tickets_in(mut self, store: Arc<dyn Tokens>, clock: Arc<dyn Clock>) -> Self {
        self.tickets = Tickets::kept_in(store, clock);
        self
    }

    /// Sends one customer message (客服消息): the exact JSON of `custom/send`.
    ///
    /// It is sent again only when it surely was not executed: to the next host, or once more when the
    /// access token was refused. Must be called within a tokio runtime.
    pub async fn deliver(&self, account: &AppId, message: Bytes) -> Delivery {
        let outcome = self
            .call(account, message::send(message, &self.settings))
            .await;
        message::delivery(outcome, &self.settings)
    }
}
