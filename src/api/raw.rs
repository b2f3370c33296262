//! Calls of what has no type here: the caller says method, path, parameters and body.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::api::call::Ask;
use crate::api::{Api, CallError, RequestError, SPECS};
use crate::id::AppId;
use crate::platform::exchange::{Answer, Call, Payload, Repeat};
use crate::quota::QuotaKey;
use crate::transport::Method;

/// Bytes of the longest path.
const MAX_PATH_BYTES: usize = 256;

/// Bytes of the longest body.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// What only this server may put into a call. A payload with a parameter `access_token` makes the
/// platform answer 40001 whatever the real token is, and good tokens would be thrown away for it.
const OURS: [&str; 3] = ["access_token", "appsecret", "secret"];

/// What brings access tokens: another one asking for them would end ours.
const TOKEN_PATHS: [&str; 2] = ["/cgi-bin/token", "/cgi-bin/stable_token"];

/// A call as it was written down by its caller; checked when it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct RawCall {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, from its slash, without host and query.
    pub path: String,
    /// The parameters, not encoded, without the access token.
    pub query: Vec<(String, String)>,
    /// The JSON body of a `POST`.
    pub body: Option<Value>,
    /// Whether it may be made again when it is not known whether it was executed. `None`: as the
    /// table of endpoints says, and of what does not stand there only a `GET`.
    pub repeat: Option<Repeat>,
}

impl RawCall {
    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            body: None,
            repeat: None,
        }
    }

    /// A `POST` of a JSON document.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            method: Method::Post,
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// Looks for what must not be called, and for what could lead elsewhere.
    ///
    /// # Errors
    /// [`RequestError`] names what is wrong.
    pub fn check(&self) -> Result<(), RequestError> {
        check_path(&self.path)?;
        for (name, value) in &self.query {
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(ours(name));
            }
            check_text(value)?;
        }
        match (&self.body, self.method) {
            (Some(_), Method::Get) => Err(RequestError::new("body", "does not go with a GET")),
            (Some(body), Method::Post) => check_body(body),
            (None, _) => Ok(()),
        }
    }
}

fn ours(name: &str) -> RequestError {
    let fault = "is added here, or not at all: with it in the request the platform refuses the call \
                 as if the access token were bad";
    RequestError::new(name.to_owned(), fault)
}

fn check_path(path: &str) -> Result<(), RequestError> {
    let fault = |text: &'static str| Err(RequestError::new("path", text));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte);
    if !path.starts_with('/') {
        return fault("must begin with a slash, and have no host");
    }
    if path.len() > MAX_PATH_BYTES {
        return fault("has more than 256 bytes");
    }
    if path.contains('?') {
        return fault("has a query; give parameters by themselves");
    }
    if !path.bytes().all(is_plain) {
        return fault("may have letters, digits, '/', '_', '-' and '.'");
    }
    if path
        .split('/')
        .skip(1)
        .any(|step| step.is_empty() || step.starts_with('.'))
    {
        return fault("has an empty step, or one that begins with a dot");
    }
    if TOKEN_PATHS.contains(&path) {
        return fault(
            "brings access tokens, which this server alone asks for; see `wxhook access-token`",
        );
    }
    Ok(())
}

/// Texts that hold a whole `access_token=…` are what the platform takes for its own parameter.
pub(crate) fn check_text(text: &str) -> Result<(), RequestError> {
    if text.to_ascii_lowercase().contains("access_token=") {
        return Err(ours("access_token="));
    }
    Ok(())
}

fn check_body(body: &Value) -> Result<(), RequestError> {
    match body {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            if name.eq_ignore_ascii_case("access_token") {
                return Err(ours(name));
            }
            check_body(value)
        }),
        Value::Array(values) => values.iter().try_for_each(check_body),
        Value::String(text) => check_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

impl Api {
    /// Makes a call of what has no type here, on the same way as all others: with the account's token,
    /// other hosts, and again what may be made again. Answers of more than a mebibyte, and files, are
    /// errors.
    ///
    /// # Errors
    /// [`CallError`], as for [`Api::call`].
    pub async fn raw(&self, account: &AppId, raw: &RawCall) -> Result<Answer, CallError> {
        raw.check()?;
        let known = SPECS
            .iter()
            .copied()
            .flatten()
            .find(|spec| spec.path == raw.path && spec.method == raw.method);
        let assumed = match raw.method {
            Method::Get => Repeat::Harmless,
            Method::Post => Repeat::Harmful,
        };
        let repeat = raw.repeat.or(known.map(|spec| spec.repeat));
        let parameter =
            |(name, value): &(String, String)| (Cow::Owned(name.clone()), value.clone());
        let call = Call {
            method: raw.method,
            query: raw.query.iter().map(parameter).collect(),
            payload: payload(raw)?,
            repeat: repeat.unwrap_or(assumed),
            timeout: self.0.settings.timeout,
            ..Call::get(raw.path.clone())
        };
        let ask = Ask {
            call,
            quota: known
                .and_then(|spec| spec.quota)
                .or_else(|| QuotaKey::of_path(&raw.path)),
            needs_token: known.is_none_or(|spec| spec.needs_token),
            may_be_a_file: false,
            patience: self.0.settings.patience,
        };
        let received = self.ask(account, &ask).await?;
        <Answer as crate::api::endpoint::FromAnswer>::read(received)
    }
}

fn payload(raw: &RawCall) -> Result<Payload, RequestError> {
    let Some(body) = &raw.body else {
        return Ok(Payload::None);
    };
    let json = body.to_string();
    if json.len() > MAX_BODY_BYTES {
        return Err(RequestError::new("body", "has more than 10 MiB"));
    }
    Ok(Payload::Json(Bytes::from(json)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for (path, fault) in [
            (
                "cgi-bin/x",
                Some("path must begin with a slash, and have no host"),
            ),
            (
                "https://evil.example/x",
                Some("path must begin with a slash, and have no host"),
            ),
            (
                "//evil.example/x",
                Some("path has an empty step, or one that begins with a dot"),
            ),
            (
                "/a/../b",
                Some("path has an empty step, or one that begins with a dot"),
            ),
            (
                "/a/",
                Some("path has an empty step, or one that begins with a dot"),
            ),
            (
                "/a?b=c",
                Some("path has a query; give parameters by themselves"),
            ),
            (
                "/a#b",
                Some("path may have letters, digits, '/', '_', '-' and '.'"),
            ),
            (
                "/a b",
                Some("path may have letters, digits, '/', '_', '-' and '.'"),
            ),
            (
                "/a%2e",
                Some("path may have letters, digits, '/', '_', '-' and '.'"),
            ),
            (
                "/a@evil",
                Some("path may have letters, digits, '/', '_', '-' and '.'"),
            ),
            (
                "/cgi-bin/stable_token",
                Some(
                    "path brings access tokens, which this server alone asks for; see `wxhook access-token`",
                ),
            ),
            ("/cgi-bin/tags/get", None),
            ("/wxa/sec/query.v2-x", None),
        ] {
            let found = RawCall::get(path)
                .check()
                .map_err(|error| error.to_string());
            assert_eq!(found.err().as_deref(), fault, "{path}");
        }
        let long = format!("/{}", "a".repeat(256));
        assert!(RawCall::get(long).check().is_err());
    }

    #[test]
    fn a_payload_never_carries_an_access_token_of_its_own() {
        let query = |name: &str, value: &str| RawCall {
            query: vec![(name.to_owned(), value.to_owned())],
            ..RawCall::get("/cgi-bin/x")
        };
        let post = |body| RawCall::post("/cgi-bin/shorturl", body);
        for (raw, is_good) in [
            (query("Access_Token", "x"), false),
            (query("secret", "x"), false),
            (query("url", "https://e.example/?access_token=1"), false),
            (query("url", "https://e.example/?a=1"), true),
            (post(json!({"access_token": "x"})), false),
            (
                post(json!({"a": [{"long_url": "https://e.example/?ACCESS_TOKEN=1"}]})),
                false,
            ),
            (
                post(json!({"long_url": "https://e.example/?a=1", "n": 1, "z": null})),
                true,
            ),
            (
                RawCall {
                    body: Some(json!({})),
                    ..RawCall::get("/cgi-bin/x")
                },
                false,
            ),
        ] {
            assert_eq!(raw.check().is_ok(), is_good, "{raw:?}");
        }
    }
}
