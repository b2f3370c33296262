//! WeChat's push client: signs and seals a push, waits five seconds, judges the answer as WeChat
//! does, and repeats what failed with the same MsgId.

mod document;
mod feed;
mod judge;
mod load;
mod target;
mod wire;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::clock::Clock;
use crate::id::AppId;
use crate::secret::AesKey;
use crate::secret::PushToken;
use crate::simulator::platform::Event;
use crate::simulator::random::Random;
use crate::simulator::seal;

pub use document::Gesture;
pub use document::Push;
pub use feed::Feed;
pub use feed::RemoteFeed;
pub use judge::ERROR_TIP;
pub use judge::Reply;
pub use judge::ReplyFault;
pub use judge::Verdict;
pub use judge::judge;
pub use load::LoadPlan;
pub use load::LoadReport;
pub use target::Target;
pub use target::TargetError;
pub use wire::WireError;

use wire::Connection;

/// How pushes travel: the mode that the console calls 消息加解密方式.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// 明文: as they are.
    Plain,
    /// 兼容: as they are, and sealed beside it.
    Compatible,
    /// 安全: sealed.
    Secure,
}

impl Mode {
    /// Whether pushes are sealed.
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Compatible | Self::Secure)
    }

    /// The word in settings and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compatible => "compatible",
            Self::Secure => "secure",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no mode; the modes are plain (明文), compatible (兼容) and secure (安全)")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" | "明文" => Ok(Self::Plain),
            "compatible" | "兼容" => Ok(Self::Compatible),
            "secure" | "安全" => Ok(Self::Secure),
            _ => Err(UnknownMode),
        }
    }
}

/// The account that pushes, and where to.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The server URL as it would be registered: `http://host[:port]/path`.
    pub url: String,
    /// The AppID, with which sealed pushes are addressed.
    pub app_id: AppId,
    /// The Token that signs pushes.
    pub token: PushToken,
    /// The key of sealed modes.
    pub key: Option<AesKey>,
    /// How pushes travel.
    pub mode: Mode,
    /// The account's original id (`gh_…`), the `ToUserName` of its pushes.
    pub original_id: String,
}

/// Why an identity cannot push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PusherError {
    /// The URL is none that this client speaks.
    #[error("the URL {0}")]
    Target(#[from] TargetError),
    /// A sealed mode without a key.
    #[error("{0} mode needs an EncodingAESKey")]
    KeyMissing(Mode),
}

/// Seconds that WeChat waits for a connection.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Seconds that WeChat waits for the whole answer, the connection included.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Repeats after the first delivery that failed. The platform's page speaks of three; deliveries
/// counted in the field were three in all, so that a server must expect four.
pub const DEFAULT_REPEATS: u32 = 3;

/// WeChat's push client for one account.
#[derive(Debug)]
pub struct Pusher {
    identity: Arc<Identity>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    random: Random,
    feed: Feed,
    limit: Duration,
    repeats: u32,
    connection: Option<Connection>,
}

/// One delivery of a push, and what came of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The body, if an answer came.
    pub body: Vec<u8>,
    /// From the first byte sent, a new connection included, to the last byte of the answer.
    pub took: Duration,
    /// What WeChat makes of it.
    pub verdict: Verdict,
}

/// A push, its repeats, and what came of them.
#[derive(Debug, Clone)]
pub struct PushReport {
    /// All deliveries, in order. At least one.
    pub attempts: Vec<Attempt>,
}

impl PushReport {
    /// The last verdict, which is the one that counts.
    pub fn verdict(&self) -> &Verdict {
        const NONE: &Verdict = &Verdict::NotConnected;
        self.attempts
            .last()
            .map_or(NONE, |attempt| &attempt.verdict)
    }
}

/// What came of the question with which WeChat verifies a server URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whether the answer was the `echostr`, byte for byte, with status 200.
    pub is_right: bool,
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    /// From the first byte sent to the last byte of the answer.
    pub took: Duration,
}

impl Pusher {
    /// A push client. Nonces follow from `seed`.
    ///
    /// # Errors
    /// [`PusherError`] when the URL cannot be spoken to, or a sealed mode has no key.
    pub fn new(identity: Identity, clock: Arc<dyn Clock>, seed: u64) -> Result<Self, PusherError> {
        if identity.mode.is_sealed() && identity.key.is_none() {
            return Err(PusherError::KeyMissing(identity.mode));
        }
        let target = Target::parse(&identity.url)?;
        Ok(Self {
            identity: Arc::new(identity),
            target: Arc::new(target),
            clock,
            random: Random::new(seed),
            feed: Feed::Nobody,
            limit: ANSWER_LIMIT,
            repeats: DEFAULT_REPEATS,
            connection: None,
        })
    }

    /// Tells the simulated platform of each push first, so that it opens the user's sending window.
    #[must_use]
    pub fn with_feed(self, feed: Feed) -> Self {
        Self { feed, ..self }
    }

    /// How often a push that failed is sent again.
    #[must_use]
    pub fn with_repeats(self, repeats: u32) -> Self {
        Self { repeats, ..self }
    }

    /// How long an answer may take; five seconds unless this is called.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Another client of the same account with its own connection and its own nonces.
    fn split(&mut self) -> Self {
        Self {
            identity: Arc::clone(&self.identity),
            target: Arc::clone(&self.target),
            clock: Arc::clone(&self.clock),
            random: Random::new(self.random.next()),
            feed: self.feed.clone(),
            limit: self.limit,
            repeats: self.repeats,
            connection: None,
        }
    }

    /// The account that pushes.
    pub fn app_id(&self) -> &AppId {
        &self.identity.app_id
    }

    /// Pushes what the platform says by itself, and again while that fails.
    pub async fn tell(&mut self, event: &Event) -> PushReport {
        let push = Push::of_event(event, &self.identity.original_id);
        self.push(&push).await
    }

    /// A push of this account, made up now: a fresh MsgId and the present second.
    pub fn make(&mut self, gesture: Gesture, open_id: &str) -> Push {
        let now = self.clock.now();
        let message_id = 24_000_000_000_000_000 + self.random.below(1 << 53);
        Push::new(
            gesture,
            open_id,
            &self.identity.original_id,
            now,
            message_id,
        )
    }

    /// Sends a push, and sends it again while it fails: the same document, newly signed and sealed.
    pub async fn push(&mut self, push: &Push) -> PushReport {
        self.feed.tell(self.clock.now(), push).await;
        let mut attempts = Vec::new();
        loop {
            let attempt = self.attempt(push).await;
            let failed = attempt.verdict.is_repeated();
            attempts.push(attempt);
            if !failed || attempts.len() > self.repeats as usize {
                return PushReport { attempts };
            }
        }
    }

    async fn attempt(&mut self, push: &Push) -> Attempt {
        let request = self.request(push);
        let started = self.clock.monotonic();
        let answer = self.exchange(request).await;
        let took = self.clock.monotonic().saturating_sub(started);
        match answer {
            Ok((status, body)) => Attempt {
                verdict: judge::judge(&self.identity, push, status, &body),
                status: Some(status),
                body,
                took,
            },
            Err(error) => Attempt {
                verdict: error.into(),
                status: None,
                body: Vec::new(),
                took,
            },
        }
    }

    async fn exchange(&mut self, request: Vec<u8>) -> Result<(u16, Vec<u8>), WireError> {
        let connection = &mut self.connection;
        let exchange = wire::exchange(connection, &self.target, &request);
        let answer = tokio::time::timeout(self.limit, exchange)
            .await
            .unwrap_or(Err(WireError::TimedOut));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    /// The whole HTTP request of one delivery: fresh timestamp, nonce and ciphertext.
    fn request(&mut self, push: &Push) -> Vec<u8> {
        let identity = Arc::clone(&self.identity);
        let token = identity.token.expose();
        let timestamp = self.clock.now().seconds().to_string();
        let nonce = (100_000_000 + self.random.below(1 << 31)).to_string();
        let signature = seal::sign(&[token, &timestamp, &nonce]);
        let open_id = target::percent_encoded(&push.open_id);
        let mut query =
            format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&openid={open_id}");
        let sealed = match &identity.key {
            Some(key) if identity.mode.is_sealed() => {
                let app_id = identity.app_id.as_str();
                let random = self.random.hex_digits();
                seal::seal(key, app_id, random, push.document.as_bytes())
            }
            _ => {
                return self
                    .target
                    .post(&query, "text/xml", push.document.as_bytes());
            }
        };
        let message_signature = seal::sign(&[token, &timestamp, &nonce, &sealed]);
        query.push_str("&encrypt_type=aes&msg_signature=");
        query.push_str(&message_signature);
        let body = match identity.mode {
            Mode::Compatible => push.with_sealed_sibling(&sealed),
            Mode::Plain | Mode::Secure => document::sealed(&identity.original_id, &sealed),
        };
        self.target.post(&query, "text/xml", body.as_bytes())
    }

    /// Asks the server to prove that it knows the Token, as WeChat does when the URL is registered.
    pub async fn verify_url(&mut self) -> Verification {
        let timestamp = self.clock.now().seconds().to_string();
        let nonce = (100_000_000 + self.random.below(1 << 31)).to_string();
        let echo = (1_000_000_000_000_000_000 + self.random.below(1 << 62)).to_string();
        let signature = seal::sign(&[self.identity.token.expose(), &timestamp, &nonce]);
        let query =
            format!("signature={signature}&echostr={echo}&timestamp={timestamp}&nonce={nonce}");
        let request = self.target.get(&query);
        let started = self.clock.monotonic();
        let answer = self.exchange(request).await;
        let took = self.clock.monotonic().saturating_sub(started);
        let is_right = matches!(&answer, Ok((200, body)) if body == echo.as_bytes());
        Verification {
            is_right,
            status: answer.ok().map(|(status, _)| status),
            took,
        }
    }
}
