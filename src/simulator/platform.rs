//! api.weixin.qq.com as a state machine: a call and the time go in, an answer comes out.
//!
//! Nothing here reads a clock, opens a socket or draws true randomness, so whatever a test does can
//! be done again exactly. It answers what text replies need: the two token endpoints,
//! `custom/send`, `get_api_domain_ip` and the JS-SDK's tickets, with the codes, texts and shapes that the
//! platform uses.

mod access;
mod answer;
mod blacklist;
mod calendar;
mod check;
mod draft;
mod endpoint;
mod existing;
mod fault;
mod inspection;
mod job;
mod library;
mod mass;
mod media;
mod menu;
mod multipart;
mod network;
mod picture;
mod publish;
mod qr;
mod quota;
mod record;
mod rid;
mod send;
mod service;
mod shorten;
mod state;
mod tags;
mod template;
mod ticket;
mod token;
mod typing;
mod users;
mod window;
mod words;

use core::net::IpAddr;
use core::net::Ipv4Addr;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::id::OpenId;
use crate::secret::AppSecret;
use crate::simulator::random::Random;

pub use access::AdminAct;
pub use access::FREEZE_DELAY_SECONDS;
pub use access::Network;
pub use access::NetworkError;
pub use answer::Answer;
pub use answer::File;
pub use answer::Shape;
pub use answer::WireFault;
pub use blacklist::BLACKLISTED_PER_PAGE;
pub use blacklist::USERS_PER_BLACKLISTING;
pub use draft::MAX_ARTICLES;
pub use draft::MAX_AUTHOR;
pub use draft::MAX_CONTENT;
pub use draft::MAX_DIGEST;
pub use draft::MAX_PICTURES;
pub use draft::MAX_TITLE;
pub use endpoint::endpoints;
pub use existing::References;
pub use fault::Fault;
pub use fault::FaultError;
pub use fault::FaultRule;
pub use fault::MAX_FAULT_RULES;
pub use fault::When;
pub use inspection::Arrangement;
pub use inspection::InspectionError;
pub use inspection::Shelf;
pub use job::Event;
pub use job::JobKind;
pub use job::JobTimes;
pub use library::LibraryLimits;
pub use mass::CLIENT_MESSAGE_ID_BYTES;
pub use mass::CLIENT_MESSAGE_ID_SECONDS;
pub use mass::MASS_PER_USER_AND_MONTH;
pub use mass::MASS_RECIPIENTS;
pub use media::MAX_ARTICLE_IMAGE_BYTES;
pub use media::MEDIA_SECONDS;
pub use media::MediaKind;
pub use menu::MAX_KEY_BYTES;
pub use menu::MAX_NAME_BYTES;
pub use menu::MAX_SUB_BUTTONS;
pub use menu::MAX_SUB_NAME_BYTES;
pub use menu::MAX_TOP_BUTTONS;
pub use menu::MAX_URL_BYTES;
pub use qr::DEFAULT_QR_SECONDS;
pub use qr::MAX_PERMANENT_CODES;
pub use qr::MAX_PERMANENT_SCENE;
pub use qr::MAX_QR_SECONDS;
pub use qr::MAX_SCENE_CHARACTERS;
pub use quota::AccountKind;
pub use quota::CLEARS_PER_MONTH;
pub use quota::PATH_CLEARS_PER_MONTH;
pub use quota::QuotaOrder;
pub use quota::QuotaRow;
pub use quota::Quotas;
pub use record::CallRecord;
pub use record::Delivery;
pub use record::RECORDED_BODY_BYTES;
pub use record::Way;
pub use rid::RID_SECONDS;
pub use send::Escapes;
pub use send::MAX_TEXT_BYTES;
pub use service::MAX_NICKNAME_CHARACTERS;
pub use service::MAX_SERVICE_ACCOUNTS;
pub use shorten::MAX_LONG_DATA_BYTES;
pub use shorten::MAX_SHORT_KEY_SECONDS;
pub use tags::MAX_TAG_NAME;
pub use tags::MAX_TAGS;
pub use tags::MAX_TAGS_PER_USER;
pub use tags::USERS_PER_TAGGING;
pub use template::CLIENT_MSG_ID_SECONDS;
pub use template::MAX_NOTICE_TITLE;
pub use template::MAX_TEMPLATES;
pub use token::TokenClass;
pub use token::TokenRecord;
pub use typing::TYPING_AFTER_MESSAGE_SECONDS;
pub use typing::TYPING_SECONDS;
pub use users::FOLLOWERS_PER_PAGE;
pub use users::REMARK_BYTES;
pub use users::USERS_PER_BATCH;
pub use window::Scene;
pub use window::Windows;

use access::Access;
use answer::Refusal;
use endpoint::Endpoint;
use fault::Faults;
use record::Ring;
use rid::Rids;
use state::State;
use token::Tokens;
use window::Grants;

/// A service account that the simulated platform knows.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its AppID.
    pub app_id: AppId,
    /// Its AppSecret.
    pub secret: AppSecret,
    /// Who follows it.
    pub users: Users,
    /// Whether its AppSecret is frozen: the token endpoints then answer 40243.
    pub secret_frozen: bool,
}

/// Whose OpenIDs an account may write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Users {
    /// Everybody's.
    Any,
    /// Only these; all others are answered 40003.
    Known(HashSet<OpenId>),
}

/// How the simulated platform behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Whether customer messages need an open sending window.
    pub windows: Windows,
    /// Characters of a token; at least 16 are made. The platform asks callers to expect 512.
    pub token_length: usize,
    /// Seconds that a token lives.
    pub token_lifetime_seconds: u32,
    /// Seconds for which a token outlives its successor, forced renewal apart.
    pub token_overlap_seconds: u32,
    /// Seconds for which a token outlives a forced renewal; the platform promises none.
    pub forced_overlap_seconds: u32,
    /// Whether plain http is answered 43003, as the platform does it on its own hosts. The skin speaks
    /// nothing else.
    pub https_only: bool,
    /// What a `\uXXXX` escape in the body of a message does.
    pub escapes: Escapes,
    /// Deliveries, calls and tokens kept for inspection, of each the latest so many.
    pub records: usize,
    /// How calls are counted.
    pub quotas: Quotas,
    /// Whether media and articles that a call names must exist.
    pub references: References,
    /// How much permanent material an account may have.
    pub library: LibraryLimits,
    /// How long jobs take.
    pub jobs: JobTimes,
    /// Whether errors of downloads come as `text/plain`, in which they were seen, too.
    pub media_errors_as_text: bool,
    /// Whether a server URL stands in the console; `callback/check` has nothing to check otherwise.
    pub has_server_url: bool,
}

impl Users {
    /// So many followers with made-up OpenIDs, always the same: for lists of many pages.
    pub fn made_up(count: usize) -> Self {
        let open_id = |number: usize| {
            let mut random = Random::new(number as u64);
            OpenId::new(format!("o{}", random.letters(27)))
        };
        Self::Known((0..count).map(open_id).collect())
    }
}

impl Settings {
    /// One account with everybody as its follower, and the platform's own figures.
    pub fn for_account(app_id: AppId, secret: AppSecret) -> Self {
        let account = Account {
            app_id,
            secret,
            users: Users::Any,
            secret_frozen: false,
        };
        Self {
            accounts: vec![account],
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            windows: Windows::Off,
            token_length: DEFAULT_TOKEN_LENGTH,
            token_lifetime_seconds: TOKEN_LIFETIME_SECONDS,
            token_overlap_seconds: TOKEN_OVERLAP_SECONDS,
            forced_overlap_seconds: 0,
            https_only: false,
            escapes: Escapes::Refused,
            records: DEFAULT_RECORDS,
            quotas: Quotas::default(),
            references: References::default(),
            library: LibraryLimits::default(),
            jobs: JobTimes::default(),
            media_errors_as_text: false,
            has_server_url: true,
        }
    }
}

/// Characters of a token. Real ones were seen with 130 to 200.
pub const DEFAULT_TOKEN_LENGTH: usize = 170;

/// Seconds that a token lives, as the platform hands them out today.
pub const TOKEN_LIFETIME_SECONDS: u32 = 7200;

/// Seconds for which old and new token both work after a renewal.
pub const TOKEN_OVERLAP_SECONDS: u32 = 300;

/// Deliveries, calls and tokens kept for inspection.
pub const DEFAULT_RECORDS: usize = 100_000;

/// One HTTP request, as far as the platform looks at it. `Debug` hides query and body, in which
/// secrets travel.
#[derive(Clone, Default)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path alone.
    pub path: String,
    /// The `Host` header: a name, with a port when one was written.
    pub host: String,
    /// From which address it came; this machine's own when missing.
    pub from: Option<IpAddr>,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The `Content-Type` header.
    pub content_type: String,
    /// Whether a `Content-Length` was sent; the platform answers 412 to a POST without.
    pub has_content_length: bool,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path, length) = (&self.method, &self.path, self.body.len());
        write!(f, "{method} {path} ({length} bytes)")
    }
}

impl Call {
    fn address(&self) -> IpAddr {
        self.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// The first value of a query parameter, decoded; `None` when it is missing or empty.
    fn parameter(&self, name: &str) -> Option<String> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| percent_decoded(value))
            .filter(|value| !value.is_empty())
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The simulated platform.
#[derive(Debug)]
pub struct Platform {
    settings: Settings,
    random: Random,
    tokens: Tokens,
    access: Vec<Access>,
    states: Vec<State>,
    rids: Rids,
    grants: Grants,
    faults: Faults,
    tickets: ticket::Tickets,
    deliveries: Ring<Delivery>,
    events: Ring<Event>,
    calls: Ring<CallRecord>,
}

impl Platform {
    /// A platform on its first day. Tokens, request ids and chance follow from `seed`.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let records = settings.records;
        Self {
            random: Random::new(seed),
            tokens: Tokens::new(&settings),
            access: settings
                .accounts
                .iter()
                .map(|account| Access::new(account.secret_frozen))
                .collect(),
            states: settings
                .accounts
                .iter()
                .map(|account| State::new(&settings, &account.users))
                .collect(),
            rids: Rids::default(),
            grants: Grants::new(settings.windows),
            faults: Faults::default(),
            tickets: ticket::Tickets::default(),
            deliveries: Ring::new(records),
            events: Ring::new(records),
            calls: Ring::new(records),
            settings,
        }
    }

    /// Answers one call.
    pub fn handle(&mut self, now: Timestamp, call: &Call) -> Answer {
        self.settle(now);
        let recipient = self
            .faults
            .look_at_users()
            .then(|| send::recipient(&call.body))
            .flatten();
        let fault = self
            .faults
            .applying(&mut self.random, call, recipient.as_deref());
        let answer = match fault {
            Some(fault) => self.answer_with_fault(now, call, fault),
            None => self.answer(now, call),
        };
        self.record(now, call, &answer);
        answer
    }

    fn answer_with_fault(&mut self, now: Timestamp, call: &Call, fault: Fault) -> Answer {
        let failed = |wire| Answer::bad_gateway().with_fault(wire);
        match fault {
            Fault::Code { code, message } => {
                self.refused(now, Refusal::with_message(code, message))
            }
            Fault::Reset => failed(WireFault::Reset {
                after_milliseconds: 0,
            }),
            Fault::Hang { milliseconds } => failed(WireFault::Reset {
                after_milliseconds: milliseconds,
            }),
            Fault::BadGateway => Answer::bad_gateway(),
            Fault::GatewayTimeout => Answer::gateway_timeout(),
            Fault::Shape(shape) => self.answer(now, call).shaped(shape),
            Fault::Delay { milliseconds } => self
                .answer(now, call)
                .with_fault(WireFault::Delay { milliseconds }),
            Fault::LostAnswer { after_milliseconds } => self
                .answer(now, call)
                .with_fault(WireFault::Reset { after_milliseconds }),
            Fault::ResetLater { after_milliseconds } => self
                .answer(now, call)
                .with_fault(WireFault::ResetLater { after_milliseconds }),
            Fault::HalfAnswer => self.answer(now, call).with_fault(WireFault::Half),
            Fault::Gzip => self.answer(now, call).with_fault(WireFault::Gzip),
            Fault::WrongLength => self.answer(now, call).with_fault(WireFault::WrongLength),
            Fault::Date { skew_seconds } => self
                .answer(now, call)
                .with_fault(WireFault::Date { skew_seconds }),
        }
    }

    fn answer(&mut self, now: Timestamp, call: &Call) -> Answer {
        if call.method == "POST" && !call.has_content_length {
            return Answer::length_required();
        }
        let Some(endpoint) = Endpoint::at(&call.path) else {
            return Answer::not_found();
        };
        if self.settings.https_only {
            return self.refused(now, Refusal::code(43003));
        }
        match self.execute(now, endpoint, call) {
            Ok(answer) => answer,
            Err(refusal) => self.refused(now, refusal),
        }
    }

    fn refused(&mut self, now: Timestamp, refusal: Refusal) -> Answer {
        Answer::refusal(&refusal, now, &mut self.random)
    }

    fn record(&mut self, now: Timestamp, call: &Call, answer: &Answer) {
        let token = call
            .parameter("access_token")
            .and_then(|claimed| self.tokens.number_of(&claimed));
        let (method, path) = (call.method.clone(), call.path.clone());
        let (host, from) = (call.host.clone(), call.address());
        let query = token::query_without_secret(&call.query);
        let body = match Endpoint::at(&call.path) {
            Some(endpoint) if endpoint.has_secret => token::without_secret(&call.body),
            _ => record::beginning_of(&call.body),
        };
        self.calls.push(|number| CallRecord {
            number,
            at_milliseconds: now.milliseconds(),
            from,
            host,
            method,
            path,
            query,
            token,
            body,
            body_bytes: call.body.len(),
            status: answer.status,
            code: answer.code,
            fault: answer.fault,
        });
        if answer.code.is_some_and(|code| code != 0)
            && let Some(record) = self.calls.get(self.calls.count())
        {
            let account = token.and_then(|number| self.tokens.account_of(number));
            self.rids.note(record, account, answer);
        }
    }

    /// A user did something that opens or closes a sending window.
    pub fn user_acted(&mut self, now: Timestamp, open_id: &OpenId, scene: Scene) {
        self.grants.acted(now, open_id, scene);
        for state in &mut self.states {
            state.followers.acted(now, open_id.as_str(), scene);
            if scene == Scene::Message {
                state.talks.exchanged(now, open_id.as_str());
            }
        }
    }

    /// An administrator of the account acts. False when the account is not known.
    pub fn administer(&mut self, now: Timestamp, app_id: &str, act: AdminAct) -> bool {
        let place = |account: &Account| account.app_id.as_str() == app_id;
        let place = self.settings.accounts.iter().position(place);
        let access = place.and_then(|place| self.access.get_mut(place));
        access.map(|access| access.act(now, act)).is_some()
    }

    /// The addresses for which an administrator of the account was asked (89503) and has not answered.
    pub fn prompts(&self, app_id: &str) -> Vec<IpAddr> {
        let accounts = self.settings.accounts.iter().zip(&self.access);
        accounts
            .filter(|(account, _)| account.app_id.as_str() == app_id)
            .flat_map(|(_, access)| access.prompts())
            .collect()
    }

    /// Makes calls fail from now on as the rule says.
    ///
    /// # Errors
    /// [`FaultError`] when the rule makes no sense, or when there are [`MAX_FAULT_RULES`] already.
    pub fn add_fault(&mut self, rule: FaultRule) -> Result<(), FaultError> {
        self.faults.add(rule)
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults = Faults::default();
    }

    /// What was delivered to users, oldest first, with numbers greater than `after`; numbers count
    /// from 1. Only the latest [`Settings::records`] are kept.
    pub fn deliveries_after(&self, after: u64) -> impl Iterator<Item = &Delivery> {
        self.deliveries.after(after)
    }

    /// How many messages were delivered so far.
    pub fn delivery_count(&self) -> u64 {
        self.deliveries.count()
    }

    /// What was called, oldest first, with numbers greater than `after`; numbers count from 1.
    pub fn calls_after(&self, after: u64) -> impl Iterator<Item = &CallRecord> {
        self.calls.after(after)
    }

    /// How many calls came so far.
    pub fn call_count(&self) -> u64 {
        self.calls.count()
    }

    /// Every token that was minted, oldest first.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenRecord> {
        self.tokens.history()
    }
}

#[cfg(test)]
mod tests;
