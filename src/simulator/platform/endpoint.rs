//! What an endpoint is: path, method, quota row and what answers it, in one declaration.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::Account;
use super::Answer;
use super::Call;
use super::Delivery;
use super::Platform;
use super::Settings;
use super::answer::Refusal;
use super::quota::QuotaRow;
use super::record::Ring;
use super::rid::Rids;
use super::send;
use super::state::State;
use super::token::Valid;
use super::window::Grants;
use crate::clock::Timestamp;
use crate::simulator::random::Random;

/// What a handler gives.
pub(super) type Handled = Result<Answer, Refusal>;

/// The method that a path wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Any,
}

/// Who answers.
#[derive(Debug, Clone, Copy)]
enum Handler {
    /// No access_token is needed.
    Open(fn(&mut Platform, Timestamp, &Call) -> Handled),
    /// With an access_token: for the account that it belongs to.
    Account(fn(&mut Visit<'_>) -> Handled),
}

/// One endpoint of the platform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    method: Method,
    path: &'static str,
    handler: Handler,
    row: Option<QuotaRow>,
    /// Whether its body holds an AppSecret.
    pub(super) has_secret: bool,
}

/// An endpoint that is asked by GET, with an access_token.
pub(super) const fn get(path: &'static str, handler: fn(&mut Visit<'_>) -> Handled) -> Endpoint {
    Endpoint::new(Method::Get, path, Handler::Account(handler))
}

/// An endpoint that is asked by POST, with an access_token.
pub(super) const fn post(path: &'static str, handler: fn(&mut Visit<'_>) -> Handled) -> Endpoint {
    Endpoint::new(Method::Post, path, Handler::Account(handler))
}

/// An endpoint that is asked by any method, with an access_token.
pub(super) const fn any(path: &'static str, handler: fn(&mut Visit<'_>) -> Handled) -> Endpoint {
    Endpoint::new(Method::Any, path, Handler::Account(handler))
}

/// An endpoint that needs no access_token.
pub(super) const fn open(
    method: Method,
    path: &'static str,
    handler: fn(&mut Platform, Timestamp, &Call) -> Handled,
) -> Endpoint {
    Endpoint::new(method, path, Handler::Open(handler))
}

impl Endpoint {
    const fn new(method: Method, path: &'static str, handler: Handler) -> Self {
        Self {
            method,
            path,
            handler,
            row: None,
            has_secret: false,
        }
    }

    /// The row of the quota tables that its calls count for.
    pub(super) const fn counted(self, row: QuotaRow) -> Self {
        Self {
            row: Some(row),
            ..self
        }
    }

    pub(super) const fn with_secret(self) -> Self {
        Self {
            has_secret: true,
            ..self
        }
    }

    pub(super) fn at(path: &str) -> Option<&'static Self> {
        static BY_PATH: LazyLock<HashMap<&str, &Endpoint>> = LazyLock::new(|| {
            let all = FAMILIES.iter().copied().flatten();
            all.map(|endpoint| (endpoint.path, endpoint)).collect()
        });
        BY_PATH.get(path).copied()
    }

    pub(super) fn row(&self) -> Option<QuotaRow> {
        self.row
    }

    fn check_method(&self, method: &str) -> Result<(), Refusal> {
        match (self.method, method) {
            (Method::Any, _) | (Method::Get, "GET") | (Method::Post, "POST") => Ok(()),
            (Method::Get, _) => Err(Refusal::code(43001)),
            (Method::Post, _) => Err(Refusal::code(43002)),
        }
    }
}

/// Every family of endpoints.
const FAMILIES: &[&[Endpoint]] = &[
    super::token::ENDPOINTS,
    super::ticket::ENDPOINTS,
    super::send::ENDPOINTS,
    super::network::ENDPOINTS,
    super::users::ENDPOINTS,
    super::tags::ENDPOINTS,
    super::blacklist::ENDPOINTS,
    super::menu::ENDPOINTS,
    super::media::ENDPOINTS,
    super::library::ENDPOINTS,
    super::qr::ENDPOINTS,
    super::quota::ENDPOINTS,
    super::rid::ENDPOINTS,
    super::typing::ENDPOINTS,
    super::mass::ENDPOINTS,
    super::draft::ENDPOINTS,
    super::publish::ENDPOINTS,
    super::template::ENDPOINTS,
    super::shorten::ENDPOINTS,
    super::service::ENDPOINTS,
];

/// Method and path of every endpoint that the local platform answers, in the order of their families:
/// `GET`, `POST`, or `ANY`.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FAMILIES.iter().copied().flatten();
    all.map(|endpoint| {
        let method = match endpoint.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Any => "ANY",
        };
        (method, endpoint.path)
    })
}

/// One call of an account: everything that a handler may look at and change.
pub(super) struct Visit<'a> {
    pub(super) now: Timestamp,
    pub(super) call: &'a Call,
    pub(super) token: Valid,
    pub(super) settings: &'a Settings,
    pub(super) account: &'a Account,
    pub(super) state: &'a mut State,
    pub(super) grants: &'a mut Grants,
    pub(super) deliveries: &'a mut Ring<Delivery>,
    pub(super) rids: &'a Rids,
    pub(super) random: &'a mut Random,
}

impl Visit<'_> {
    /// The body as JSON: 44002 when there is none, 47001 when it is not an object.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let body = &self.call.body;
        if body.is_empty() {
            return Err(Refusal::code(44002));
        }
        serde_json::from_slice(body)
            .ok()
            .filter(Value::is_object)
            .ok_or(Refusal::code(47001))
    }

    /// The body as JSON that holds texts for people: 40033 for `\uXXXX` escapes, too.
    pub(super) fn text_json(&self) -> Result<Value, Refusal> {
        let body = &self.call.body;
        if body.is_empty() {
            return Err(Refusal::code(44002));
        }
        let raw = std::str::from_utf8(body).map_err(|_| Refusal::code(47001))?;
        send::parse(raw, self.settings.escapes)
    }

    /// Refuses, and tells something beside code and message.
    pub(super) fn refusing_with(&mut self, code: i64, members: &Value) -> Answer {
        Answer::refusal_with(&Refusal::code(code), members, self.now, self.random)
    }
}

impl Platform {
    pub(super) fn execute(&mut self, now: Timestamp, endpoint: &Endpoint, call: &Call) -> Handled {
        endpoint.check_method(&call.method)?;
        let handler = match endpoint.handler {
            Handler::Open(handler) => return handler(self, now, call),
            Handler::Account(handler) => handler,
        };
        let claimed = call.parameter("access_token").ok_or(Refusal::code(41001))?;
        let token = self.tokens.check(now, &claimed, &mut self.random)?;
        let (accounts, states) = (&self.settings.accounts, &mut self.states);
        let (Some(account), Some(state)) =
            (accounts.get(token.account), states.get_mut(token.account))
        else {
            return Err(Refusal::code(40013));
        };
        if let Some(row) = endpoint.row {
            state.quota.take(now, row)?;
        }
        let mut visit = Visit {
            now,
            call,
            token,
            settings: &self.settings,
            account,
            state,
            grants: &mut self.grants,
            deliveries: &mut self.deliveries,
            rids: &self.rids,
            random: &mut self.random,
        };
        let handled = handler(&mut visit);
        if let (Err(_), Some(row)) = (&handled, endpoint.row) {
            visit.state.quota.failed(now, row);
        }
        handled
    }
}

/// A member of an object that is a text and not empty.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let text = object.get(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// A member of an object that is a number, or a number written as a text, as callers often do.
pub(super) fn number(object: &Value, name: &str) -> Option<i64> {
    match object.get(name)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A member of an object that is a list of texts, none of which is empty.
pub(super) fn texts<'a>(object: &'a Value, name: &str) -> Option<Vec<&'a str>> {
    let items = object.get(name)?.as_array()?;
    let text = |item: &'a Value| item.as_str().filter(|text| !text.is_empty());
    items.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_path_is_declared_once() {
        let mut seen = HashSet::new();
        for (method, path) in endpoints() {
            assert!(path.starts_with('/'), "{path}");
            assert!(seen.insert(path), "{method} {path} twice");
        }
        assert!(seen.len() >= 40, "{}", seen.len());
    }
}
