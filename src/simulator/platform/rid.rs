//! Request ids: what was refused in the last seven days can be looked up.

use std::collections::VecDeque;

use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::post;
use super::endpoint::text;
use super::record::CallRecord;

pub(super) const ENDPOINTS: &[Endpoint] = &[post("/cgi-bin/openapi/rid/get", look_up)];

/// Seconds for which a request id can be looked up.
pub const RID_SECONDS: i64 = 7 * 24 * 3600;

/// Characters of a request id: three times eight hex digits.
const RID_LENGTH: usize = 26;

/// Request ids that are kept, the latest so many.
const KEPT: usize = 10_000;

#[derive(Debug)]
struct Refused {
    rid: String,
    account: Option<usize>,
    seconds: i64,
    from: String,
    request: String,
    response: String,
}

/// The latest refusals.
#[derive(Debug, Default)]
pub(super) struct Rids(VecDeque<Refused>);

impl Rids {
    /// Keeps a refusal under the request id in its answer.
    pub(super) fn note(&mut self, call: &CallRecord, account: Option<usize>, answer: &Answer) {
        let Some(rid) = rid_in(&answer.body) else {
            return;
        };
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Refused {
            rid: rid.to_owned(),
            account,
            seconds: call.at_milliseconds.div_euclid(1000),
            from: call.from.to_string(),
            request: String::from_utf8_lossy(&call.body).into_owned(),
            response: answer.body.clone(),
        });
    }

    fn find(&self, rid: &str) -> Option<&Refused> {
        self.0.iter().rev().find(|refused| refused.rid == rid)
    }
}

/// The request id at the end of an `errmsg`.
fn rid_in(body: &str) -> Option<&str> {
    let (_, rest) = body.rsplit_once("rid: ")?;
    rest.get(..RID_LENGTH).filter(|rid| time_of(rid).is_some())
}

/// When the request of a well-formed id was made, in seconds since 1970.
fn time_of(rid: &str) -> Option<i64> {
    let mut parts = rid.split('-');
    let mut next = || {
        let part = parts.next()?;
        let is_hex = part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| i64::from_str_radix(part, 16).ok()).flatten()
    };
    let (time, _, _) = (next()?, next()?, next()?);
    parts.next().is_none().then_some(time)
}

/// `POST /cgi-bin/openapi/rid/get`: only what was refused has an id that its caller knows.
fn look_up(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let rid = text(&request, "rid").ok_or(Refusal::code(76002))?;
    let time = time_of(rid).ok_or(Refusal::code(76002))?;
    if visit.now.seconds() - time > RID_SECONDS {
        return Err(Refusal::code(76004));
    }
    let refused = visit.rids.find(rid).ok_or(Refusal::code(76001))?;
    if refused.account != Some(visit.token.account) {
        return Err(Refusal::code(76003));
    }
    let told = json!({
        "invoke_time": refused.seconds,
        "cost_in_ms": 1,
        "request_url": "access_token=***",
        "request_body": refused.request,
        "response_body": refused.response,
        "client_ip": refused.from,
    });
    Ok(Answer::done(json!({ "request": told })))
}
