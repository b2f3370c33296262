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
//!     tally: None,
//! });
//! let api = Api::new(ApiParts {
//!     platform,
//!     sources: vec![Arc::new(keeper)],
//!     tickets: None,
//!     clock,
//!     quotas: None,
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

use crate::api::call::Ask;
use crate::api::endpoint::Spec;
use crate::api::message::{SendMessage, Typing};
use crate::clock::Clock;
use crate::id::AppId;
use crate::platform::Platform;
use crate::platform::exchange::CALL_TIMEOUT;
use crate::platform::hosts::ApiHost;
use crate::quota::{Purpose, Quotas};
use crate::store::memory_tokens::MemoryTokens;
use crate::store::tokens::Tokens;
use crate::token::TokenSource;

mod call;
pub mod customer_service;
pub mod draft;
pub mod endpoint;
mod error;
pub mod group;
mod handle;
pub mod jssdk;
mod lenient;
mod limits;
pub mod mass;
pub mod material;
pub mod media;
pub mod menu;
pub mod message;
pub mod network;
mod order;
pub mod publish;
pub mod qr;
pub mod quota;
mod raw;
mod refusal;
mod request;
mod retry;
pub mod short_key;
pub mod subscribe;
pub mod tag;
pub mod template;
mod ticket;
mod upload;
pub mod user;

pub use self::error::CallError;
pub use self::handle::ApiHandle;
pub use self::limits::Clearing;
pub(crate) use self::order::{Fetch, PutOrder};
pub use self::raw::RawCall;
pub use self::refusal::Refusal;
pub use self::request::RequestError;
use self::ticket::Tickets;
pub use self::ticket::{TicketKind, TicketLease};
pub use self::upload::{Upload, UploadError};
/// The host of QR codes' images, which wants no token.
pub use crate::platform::hosts::QR_HOST;

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
    /// Surely not delivered, and no later try can change that soon: the account has no AppSecret, or the
    /// day's quota is used up.
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
const SPECS: &[&[Spec]] = &[
    network::SPECS,
    message::SPECS,
    media::SPECS,
    material::SPECS,
    user::SPECS,
    tag::SPECS,
    group::SPECS,
    menu::SPECS,
    qr::SPECS,
    mass::SPECS,
    template::SPECS,
    subscribe::SPECS,
    draft::SPECS,
    publish::SPECS,
    short_key::SPECS,
    quota::SPECS,
    customer_service::SPECS,
];

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
    /// The host that shows the images of QR codes. `None`: [`QR_HOST`], or the stand-in for the
    /// platform where that is what the hosts are.
    pub qr_host: Option<ApiHost>,
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
            qr_host: None,
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
    /// Where JS-SDK tickets are kept, for other processes of the same accounts to find; none: in this
    /// process's memory.
    pub tickets: Option<Arc<dyn Tokens>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The limits that calls are counted against; without them nothing is counted, and nothing refused.
    pub quotas: Option<Arc<Quotas>>,
    /// How the client behaves.
    pub settings: Settings,
}

/// The client: of all accounts, on one runtime. Cloning it is cheap; clones are the same client.
#[derive(Clone)]
pub struct Api(Arc<Inner>, Purpose);

struct Inner {
    platform: Arc<Platform>,
    sources: HashMap<AppId, Arc<dyn TokenSource>>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    quotas: Option<Arc<Quotas>>,
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
        let tickets = parts
            .tickets
            .unwrap_or_else(|| MemoryTokens::new(Arc::clone(&parts.clock)));
        let named = |source: Arc<dyn TokenSource>| (source.account().clone(), source);
        let inner = Inner {
            platform: parts.platform,
            sources: parts.sources.into_iter().map(named).collect(),
            settings: parts.settings,
            tickets: Tickets::kept_in(tickets, Arc::clone(&parts.clock)),
            clock: parts.clock,
            quotas: parts.quotas,
        };
        Self(Arc::new(inner), Purpose::Interactive)
    }

    /// The same client for a job of many calls: it leaves the last part of each day's quota to replies.
    pub fn in_bulk(&self) -> Self {
        Self(Arc::clone(&self.0), Purpose::Bulk)
    }

    /// Sends one customer message (客服消息): the exact JSON of `custom/send`.
    ///
    /// It is sent again only when it surely was not executed: to the next host, or once more when the
    /// access token was refused. Must be called within a tokio runtime.
    pub async fn deliver(&self, account: &AppId, message: Bytes) -> Delivery {
        let outcome = async {
            // What passes is waited out by the caller, with the message marked as waiting meanwhile.
            let ask = Ask {
                patience: Duration::ZERO,
                ..self.prepare(&SendMessage::exact(message))?
            };
            self.ask(account, &ask).await
        };
        message::delivery(outcome.await, &self.0.settings)
    }

    /// Shows a user that an answer is being written, or no longer (客服输入状态). What passes is not waited
    /// out: by then it would be wrong. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`CallError`]; none of them says anything about a message.
    pub async fn show_typing(&self, account: &AppId, typing: &Typing) -> Result<(), CallError> {
        let ask = Ask {
            patience: Duration::ZERO,
            ..self.prepare(typing)?
        };
        self.ask(account, &ask).await.map(drop)
    }
}
