//! Access tokens: minted, handed out, replaced, expired.

use core::net::IpAddr;
use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::Account;
use super::Answer;
use super::Call;
use super::Platform;
use super::Settings;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Method;
use super::endpoint::open;
use super::quota::QuotaRow;
use super::record::Ring;
use crate::clock::Timestamp;
use crate::simulator::random::Random;

/// Which endpoint minted a token. The two never touch each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// `/cgi-bin/token`: every call mints.
    Plain,
    /// `/cgi-bin/stable_token`: mints only when it must.
    Stable,
}

/// A token that was minted. It opens nothing but this simulator, so its text may be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// Counts from 1 in the order of minting.
    pub number: u64,
    /// The account's AppID.
    pub app_id: String,
    /// Which endpoint minted it.
    pub class: TokenClass,
    /// Whether `force_refresh` asked for it.
    pub forced: bool,
    /// From which address it was asked for.
    pub from: IpAddr,
    /// When it was minted, in milliseconds since 1970.
    pub minted_at_milliseconds: i64,
    /// When its life ends, in milliseconds since 1970.
    pub expires_at_milliseconds: i64,
    /// From when on it is refused because another replaced it.
    pub replaced_at_milliseconds: Option<i64>,
    /// How often it was handed out.
    pub answers: u64,
    /// The token.
    pub text: String,
    #[serde(skip)]
    account: usize,
}

pub(super) const ENDPOINTS: &[Endpoint] = &[
    // The official page of the plain endpoint says GET; the other is POST only.
    open(Method::Get, "/cgi-bin/token", Platform::plain_token).counted(QuotaRow::Token),
    open(
        Method::Post,
        "/cgi-bin/stable_token",
        Platform::stable_token,
    )
    .with_secret(),
];

/// A token that is good now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Valid {
    pub(super) number: u64,
    pub(super) account: usize,
}

/// Calls within one minute to the stable endpoint, per account.
const STABLE_PER_MINUTE: u32 = 10_000;
/// Calls within one day to the stable endpoint, per account.
const STABLE_PER_DAY: u32 = 500_000;
/// Forced renewals within one day, per account.
const FORCED_PER_DAY: u32 = 20;
/// Seconds between two forced renewals; sooner, nothing is renewed.
const FORCED_APART_SECONDS: i64 = 30;
/// Seconds of life left at which the stable endpoint mints the next token.
const EARLY_RENEWAL_SECONDS: i64 = 300;

/// Counts calls within the current minute or day.
#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    period: i64,
    count: u32,
}

impl Meter {
    /// Counts one call of `period`; false when that is more than `limit`.
    fn take(&mut self, period: i64, limit: u32) -> bool {
        if self.period != period {
            *self = Self { period, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= limit
    }
}

fn minute(now: Timestamp) -> i64 {
    now.seconds().div_euclid(60)
}

/// The day of the platform: it begins at midnight in Beijing, eight hours before Greenwich.
fn day(now: Timestamp) -> i64 {
    (now.seconds().saturating_add(8 * 3600)).div_euclid(24 * 3600)
}

#[derive(Debug, Default)]
struct Ledger {
    plain: Option<u64>,
    stable: Option<u64>,
    stable_minute: Meter,
    stable_day: Meter,
    forced_day: Meter,
    forced_at_seconds: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Tokens {
    length: usize,
    lifetime_milliseconds: i64,
    overlap_milliseconds: i64,
    forced_overlap_milliseconds: i64,
    ledgers: Vec<Ledger>,
    minted: Ring<TokenRecord>,
    numbers: HashMap<String, u64>,
}

impl Tokens {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            length: settings.token_length.clamp(16, 4096),
            lifetime_milliseconds: i64::from(settings.token_lifetime_seconds) * 1000,
            overlap_milliseconds: i64::from(settings.token_overlap_seconds) * 1000,
            forced_overlap_milliseconds: i64::from(settings.forced_overlap_seconds) * 1000,
            ledgers: settings
                .accounts
                .iter()
                .map(|_| Ledger::default())
                .collect(),
            minted: Ring::new(settings.records),
            numbers: HashMap::new(),
        }
    }

    pub(super) fn history(&self) -> impl Iterator<Item = &TokenRecord> {
        self.minted.after(0)
    }

    pub(super) fn number_of(&self, claimed: &str) -> Option<u64> {
        self.numbers.get(claimed).copied()
    }

    /// The account of a token that is still remembered, good or not.
    pub(super) fn account_of(&self, number: u64) -> Option<usize> {
        self.minted.get(number).map(|token| token.account)
    }

    /// Whether a call may be made with this token now.
    pub(super) fn check(
        &self,
        now: Timestamp,
        claimed: &str,
        random: &mut Random,
    ) -> Result<Valid, Refusal> {
        let known = self
            .number_of(claimed)
            .and_then(|number| self.minted.get(number));
        let Some(token) = known else {
            return Err(Refusal::code(unknown_token_code(claimed, random)));
        };
        let now = now.milliseconds();
        if token.replaced_at_milliseconds.is_some_and(|at| at <= now) {
            return Err(Refusal::code(40001));
        }
        if token.expires_at_milliseconds <= now {
            return Err(Refusal::code(42001));
        }
        Ok(Valid {
            number: token.number,
            account: token.account,
        })
    }

    /// A new token of this class; the one before it works for the overlap, or the rest of its life.
    fn mint(
        &mut self,
        now: Timestamp,
        account: (usize, &Account),
        (class, forced, from): (TokenClass, bool, IpAddr),
        random: &mut Random,
    ) -> u64 {
        let (at, account) = account;
        let overlap = if forced {
            self.forced_overlap_milliseconds
        } else {
            self.overlap_milliseconds
        };
        let text = token_text(self.length, random);
        let mut number = 0;
        let forgotten = self.minted.push(|next| {
            number = next;
            TokenRecord {
                number,
                app_id: account.app_id.as_str().to_owned(),
                class,
                forced,
                from,
                minted_at_milliseconds: now.milliseconds(),
                expires_at_milliseconds: now.milliseconds() + self.lifetime_milliseconds,
                replaced_at_milliseconds: None,
                answers: 0,
                text: text.clone(),
                account: at,
            }
        });
        if let Some(forgotten) = forgotten {
            self.numbers.remove(&forgotten.text);
        }
        self.numbers.insert(text, number);
        let current = match class {
            TokenClass::Plain => &mut self.ledgers[at].plain,
            TokenClass::Stable => &mut self.ledgers[at].stable,
        };
        let previous = current.replace(number);
        if let Some(previous) = previous.and_then(|number| self.minted.get_mut(number)) {
            previous.replaced_at_milliseconds = Some(now.milliseconds() + overlap);
        }
        number
    }

    /// The current stable token, unless it lives for five minutes or less.
    fn reusable(&self, now: Timestamp, account: usize) -> Option<u64> {
        let number = self.ledgers[account].stable?;
        let left = self.minted.get(number)?.expires_at_milliseconds - now.milliseconds();
        (left > EARLY_RENEWAL_SECONDS * 1000).then_some(number)
    }

    /// Whether a forced renewal renews now; one that comes too soon after the last does nothing.
    fn may_force(&mut self, now: Timestamp, account: usize) -> Result<bool, Refusal> {
        let ledger = &mut self.ledgers[account];
        let too_soon = ledger
            .forced_at_seconds
            .is_some_and(|at| now.seconds() - at < FORCED_APART_SECONDS);
        if too_soon {
            return Ok(false);
        }
        if !ledger.forced_day.take(day(now), FORCED_PER_DAY) {
            return Err(Refusal::code(45009));
        }
        ledger.forced_at_seconds = Some(now.seconds());
        Ok(true)
    }

    fn hand_out(&mut self, now: Timestamp, number: u64) -> Option<Answer> {
        let token = self.minted.get_mut(number)?;
        token.answers += 1;
        let left = (token.expires_at_milliseconds - now.milliseconds()).div_euclid(1000);
        let body = serde_json::json!({ "access_token": token.text, "expires_in": left });
        Some(Answer::json(body.to_string()))
    }
}

/// What looks like a token but is none of ours is 40001; for the rest the platform has two codes and
/// does not say which it uses when.
fn unknown_token_code(claimed: &str, random: &mut Random) -> i64 {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let well_formed = claimed.len() >= 16 && claimed.bytes().all(belongs);
    if well_formed || random.below(2) == 0 {
        40001
    } else {
        40014
    }
}

/// Digits, an underscore, then letters, digits, `-` and `_`, as real tokens look.
fn token_text(length: usize, random: &mut Random) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = format!("{}_", 10 + random.below(90));
    while text.len() < length {
        text.push(char::from(ALPHABET[random.below(64) as usize]));
    }
    text
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StableRequest {
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    force_refresh: bool,
}

/// The body of a token request as it may be looked at: without the AppSecret, right or wrong.
pub(super) fn without_secret(body: &Bytes) -> Bytes {
    let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else {
        return Bytes::from(format!("(unreadable, {} bytes)", body.len()));
    };
    for name in ["secret", "appsecret"] {
        if let Some(secret) = request.get_mut(name) {
            *secret = Value::from("(redacted)");
        }
    }
    Bytes::from(Value::Object(request).to_string())
}

/// The query as it may be looked at: the same.
pub(super) fn query_without_secret(query: &str) -> String {
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name @ ("secret" | "appsecret"), _)) => format!("{name}=(redacted)"),
        _ => pair.to_owned(),
    };
    let shown: Vec<String> = query.split('&').map(shown).collect();
    shown.join("&")
}

impl Platform {
    /// `GET /cgi-bin/token`
    fn plain_token(&mut self, now: Timestamp, call: &Call) -> Result<Answer, Refusal> {
        let account = self.authenticate(
            (now, call.address()),
            call.parameter("grant_type").as_deref(),
            call.parameter("appid").as_deref(),
            call.parameter("secret").as_deref(),
        )?;
        self.states[account].quota.take(now, QuotaRow::Token)?;
        self.mint_and_hand_out(now, account, (TokenClass::Plain, false, call.address()))
    }

    /// `POST /cgi-bin/stable_token`
    fn stable_token(&mut self, now: Timestamp, call: &Call) -> Result<Answer, Refusal> {
        if call.body.is_empty() {
            return Err(Refusal::code(44002));
        }
        let request: StableRequest =
            serde_json::from_slice(&call.body).map_err(|_| Refusal::code(47001))?;
        let account = self.authenticate(
            (now, call.address()),
            request.grant_type.as_deref(),
            request.appid.as_deref(),
            request.secret.as_deref(),
        )?;
        let ledger = &mut self.tokens.ledgers[account];
        if !ledger.stable_minute.take(minute(now), STABLE_PER_MINUTE) {
            return Err(Refusal::code(45011));
        }
        if !ledger.stable_day.take(day(now), STABLE_PER_DAY) {
            return Err(Refusal::code(45009));
        }
        let forced = request.force_refresh && self.tokens.may_force(now, account)?;
        let reusable = self.tokens.reusable(now, account).filter(|_| !forced);
        if let Some(answer) = reusable.and_then(|number| self.tokens.hand_out(now, number)) {
            return Ok(answer);
        }
        self.mint_and_hand_out(now, account, (TokenClass::Stable, forced, call.address()))
    }

    fn mint_and_hand_out(
        &mut self,
        now: Timestamp,
        at: usize,
        kind: (TokenClass, bool, IpAddr),
    ) -> Result<Answer, Refusal> {
        let account = (at, &self.settings.accounts[at]);
        let number = self.tokens.mint(now, account, kind, &mut self.random);
        self.tokens.hand_out(now, number).ok_or(Refusal::code(-1))
    }

    /// The place of the account that asks. The AppID is looked at before everything else.
    fn authenticate(
        &mut self,
        (now, address): (Timestamp, IpAddr),
        grant_type: Option<&str>,
        app_id: Option<&str>,
        secret: Option<&str>,
    ) -> Result<usize, Refusal> {
        let app_id = app_id.ok_or(Refusal::code(41002))?;
        let accounts = &self.settings.accounts;
        let place = accounts
            .iter()
            .position(|account| account.app_id.as_str() == app_id)
            .ok_or(Refusal::code(40013))?;
        if grant_type != Some("client_credential") {
            return Err(Refusal::code(40002));
        }
        let secret = secret.ok_or(Refusal::code(41004))?;
        if !accounts[place].secret.matches(secret) {
            return Err(Refusal::code(40125));
        }
        self.access[place].check(now, address)?;
        Ok(place)
    }
}
