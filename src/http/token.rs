//! `/v1/token`: the tokens of the accounts, for those who may have them.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::Admin;
use super::client::{Caller, Right};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::store::usage::ClientUse;
use crate::token::central::{Central, Overview};
use crate::token::{Lease, MINIMUM_REMAINDER, Suspect, TokenError};

/// Bytes of the longest report.
pub(super) const MAX_REPORT_BYTES: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    sha256: Option<String>,
    generation: Option<u64>,
    errcode: i64,
}

impl Report {
    fn suspect(&self) -> Option<Suspect> {
        match (&self.sha256, self.generation) {
            (Some(text), None) => digest(text).map(Suspect::Digest),
            (None, Some(generation)) => Some(Suspect::Generation(generation)),
            _ => None,
        }
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

impl Admin {
    /// Answers what is below `/v1/token`.
    pub(super) async fn token(
        &self,
        method: &str,
        path: &[&str],
        caller: Caller<'_>,
        body: &[u8],
    ) -> HttpResponse {
        let central = &self.parts().central;
        let who = caller.name();
        match (method, path) {
            ("GET", []) if matches!(caller, Caller::Admin) => {
                let now = self.parts().clock.now();
                let overviews = central.overviews().await;
                let shown: Vec<Value> = overviews.iter().map(|known| shown(known, now)).collect();
                let skew = central.clock_skew();
                HttpResponse::Ok().json(json!({ "tokens": shown, "clock_skew_seconds": skew }))
            }
            ("GET", []) => refused("this needs the admin key"),
            ("GET", [account]) => match allowed(central, caller, Right::ReadToken, account) {
                Ok(account) => self.given(central.read(account, who).await),
                Err(denied) => denied.answer(),
            },
            ("POST", [account, "report"]) => {
                match allowed(central, caller, Right::ReportToken, account) {
                    Ok(account) => self.report(account, who, body).await,
                    Err(denied) => denied.answer(),
                }
            }
            ("POST", [_, "refresh"]) if !matches!(caller, Caller::Admin) => {
                refused("this needs the admin key")
            }
            ("POST", [account, "refresh"]) => match central.account(account) {
                Some(account) => self.given(central.refresh(account, who).await),
                None => missing(account),
            },
            (_, [] | [_] | [_, "report" | "refresh"]) => HttpResponse::MethodNotAllowed().finish(),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    async fn report(&self, account: &AppId, who: &str, body: &[u8]) -> HttpResponse {
        let report = serde_json::from_slice::<Report>(body).ok();
        let report = report.and_then(|report| Some((report.suspect()?, ErrorCode(report.errcode))));
        let Some((suspect, code)) = report else {
            return HttpResponse::BadRequest().body(
                "send {\"sha256\": \"64 hexadecimal digits\", \"errcode\": 40001} or {\"generation\": 7, \"errcode\": 40001}\n",
            );
        };
        let central = &self.parts().central;
        self.given(central.report(account, who, suspect, code).await)
    }

    fn given(&self, outcome: Result<Lease, TokenError>) -> HttpResponse {
        match outcome {
            Ok(lease) => {
                let cushion = MINIMUM_REMAINDER.min(lease.remaining / 3);
                let usable = lease.remaining.saturating_sub(cushion);
                let usable_until = self.parts().clock.now().after(usable).seconds();
                HttpResponse::Ok()
                    .insert_header((CACHE_CONTROL, "no-store"))
                    .json(json!({
                        "access_token": lease.token.expose(),
                        "generation": lease.generation,
                        "expires_in": lease.remaining.as_secs(),
                        "usable_until": usable_until,
                    }))
            }
            Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
        }
    }
}

/// Why a caller gets nothing.
pub(super) enum Denied {
    /// It may not: this right is missing.
    Right(String),
    /// There is no such account.
    Account(String),
}

impl Denied {
    pub(super) fn answer(&self) -> HttpResponse {
        match self {
            Self::Right(reason) => refused(reason),
            Self::Account(account) => missing(account),
        }
    }
}

/// The account, if the caller has the right for it.
pub(super) fn allowed<'a>(
    central: &'a Central,
    caller: Caller<'_>,
    right: Right,
    account: &str,
) -> Result<&'a AppId, Denied> {
    if !caller.may(right) {
        let name = caller.name();
        return Err(Denied::Right(format!(
            "clients.{name} lacks the right {right}"
        )));
    }
    let known = central.account(account);
    if !caller.may_use(known) {
        let name = caller.name();
        return Err(Denied::Right(format!(
            "this account is not among those of clients.{name}"
        )));
    }
    known.ok_or_else(|| Denied::Account(account.to_owned()))
}

pub(super) fn refused(reason: &str) -> HttpResponse {
    HttpResponse::Forbidden().body(format!("{reason}\n"))
}

fn missing(account: &str) -> HttpResponse {
    HttpResponse::NotFound().body(format!(
        "no account {account:?} with an AppSecret is configured\n"
    ))
}

/// One account for `wxhook access-token show`. Times are in milliseconds since 1970.
fn shown(known: &Overview, now: Timestamp) -> Value {
    let status = known.status.as_ref();
    let held = status.filter(|status| !status.remaining.is_zero());
    let history = known.history.iter().map(
        |note| json!({ "at": note.at.milliseconds(), "process": note.who, "what": note.what }),
    );
    json!({
        "name": known.name,
        "account": known.account.as_str(),
        "source": known.origin,
        "generation": held.map(|held| held.generation),
        "expires_in": held.map(|held| held.remaining.as_secs()),
        "age_seconds": held.map(|held| now.since(held.obtained_at).as_secs()),
        "obtained_at": held.map(|held| held.obtained_at.milliseconds()),
        "confirmed_at": held.map(|held| held.confirmed_at.milliseconds()),
        "obtained_by": held.map(|held| held.obtained_by.as_str()),
        "failure": known.failure.as_ref().map(ToString::to_string),
        "questions": questions(known),
        "store_is_away": status.is_some_and(|status| status.store_is_away),
        "history": history.collect::<Vec<_>>(),
        "clients": known.uses.iter().map(client).collect::<Vec<_>>(),
        "missing": known.missing.as_ref().map(ToString::to_string),
    })
}

fn questions(known: &Overview) -> Option<Value> {
    let (asked, allowed) = known.status.as_ref()?.questions?;
    Some(json!({ "today": asked, "a_day": allowed }))
}

/// One account for `/readyz`, which needs no key: no text of the platform's, which may name addresses.
pub(super) fn at_a_glance(known: &Overview) -> Value {
    let held = known
        .status
        .as_ref()
        .map(|status| status.remaining.as_secs());
    json!({
        "account": known.name,
        "expires_in": held.filter(|seconds| *seconds > 0),
        "is_failing": known.failure.is_some(),
        "errcode": known.failure.as_ref().and_then(TokenError::code).map(|code| code.0),
        "store_is_away": known.status.as_ref().is_some_and(|status| status.store_is_away),
        "questions": questions(known),
    })
}

fn client(used: &ClientUse) -> Value {
    let at = |at: Timestamp, count: u64| (count > 0).then(|| at.milliseconds());
    json!({
        "client": used.client,
        "reads": used.reads,
        "last_read_at": at(used.last_read_at, used.reads),
        "reports": used.reports,
        "last_report_at": at(used.last_report_at, used.reports),
        "last_errcode": (used.reports > 0).then_some(used.last_errcode),
    })
}
