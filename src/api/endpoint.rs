//! What an endpoint is: a request type that knows its method, path, quota, answer and whether it may
//! be made twice. Each family declares its endpoints in one table; `docs/api.md` is written from them.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{CallError, RequestError};
use crate::platform::download::{Download, Received};
use crate::platform::exchange::{Answer, Payload, Repeat};
use crate::quota::QuotaKey;
use crate::transport::Method;

/// What is known of an endpoint before it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, from its slash.
    pub path: &'static str,
    /// The name of the platform's own page about it, without which no fact here can be checked.
    pub page: &'static str,
    /// What it is counted under; `None` where the platform names no limit.
    pub quota: Option<QuotaKey>,
    /// Whether it may be made again when it is not known whether it was executed.
    pub repeat: Repeat,
    /// Whether it carries an access token.
    pub needs_token: bool,
    /// Whether a file goes along or comes back: [`Settings::media_timeout`](crate::api::Settings)
    /// is its time limit.
    pub moves_a_file: bool,
    /// Codes that are good answers to it: what they say is in the response.
    pub accepts: &'static [i64],
    /// The codes with which the platform refuses just this, beside those that all calls share.
    pub codes: &'static [i64],
    /// Its limits, for people.
    pub limits: &'static str,
}

impl Spec {
    /// The name of its fixtures: the path without its slashes.
    pub fn name(&self) -> String {
        let path = self.path.strip_prefix("/cgi-bin").unwrap_or(self.path);
        path.trim_start_matches('/').replace('/', "_")
    }
}

/// What a request turns into: what stands in the query, and the body.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The parameters, as they are before they are encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub payload: Payload,
}

impl Outgoing {
    /// Neither parameters nor a body.
    pub const fn nothing() -> Self {
        Self {
            query: Vec::new(),
            payload: Payload::None,
        }
    }

    /// A JSON document. Text stands in it as UTF-8: the platform refuses or shows escapes.
    ///
    /// # Errors
    /// [`RequestError`] when the request cannot be written as JSON.
    pub fn json(request: &impl Serialize) -> Result<Self, RequestError> {
        match serde_json::to_vec(request) {
            Ok(json) => Ok(Self {
                payload: Payload::Json(Bytes::from(json)),
                ..Self::nothing()
            }),
            Err(error) => Err(RequestError::new("the request", error.to_string())),
        }
    }

    /// The members of a request as parameters of the query. What is `null` is left out.
    ///
    /// # Errors
    /// [`RequestError`] when a member is a list or an object.
    pub fn query(request: &impl Serialize) -> Result<Self, RequestError> {
        let fault = |text: String| RequestError::new("the request", text);
        let value = serde_json::to_value(request).map_err(|error| fault(error.to_string()))?;
        let Value::Object(members) = value else {
            return Err(fault("is no object".to_owned()));
        };
        let mut query = Vec::with_capacity(members.len());
        for (name, value) in members {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(RequestError::new(name, "cannot stand in a query"));
                }
            };
            query.push((Cow::Owned(name), text));
        }
        Ok(Self {
            query,
            payload: Payload::None,
        })
    }
}

/// A request of the platform's API: the type says everything about the call but the account.
///
/// ```
/// use wxhook::api::endpoint::Endpoint;
/// use wxhook::api::tag::CreateTag;
///
/// assert_eq!(CreateTag::SPEC.path, "/cgi-bin/tags/create");
/// let too_long = CreateTag::new("a".repeat(31));
/// assert_eq!(
///     too_long.check().unwrap_err().to_string(),
///     "tag.name has 31 characters; at most 30 are allowed"
/// );
/// ```
pub trait Endpoint: Send + Sync + fmt::Debug {
    /// What is known of the endpoint.
    const SPEC: Spec;

    /// What a good answer is.
    type Response: FromAnswer;

    /// Looks for what the platform could only refuse.
    ///
    /// # Errors
    /// [`RequestError`] names the member and the limit.
    fn check(&self) -> Result<(), RequestError>;

    /// The parameters and the body.
    ///
    /// # Errors
    /// [`RequestError`] when the request cannot be written down.
    fn write(&self) -> Result<Outgoing, RequestError>;
}

/// What an answer is read into.
pub trait FromAnswer: Sized + Send {
    /// Whether the answer may be a file.
    const MAY_BE_A_FILE: bool = false;

    /// Reads an answer that is no refusal.
    ///
    /// # Errors
    /// [`CallError::Answer`] says what the answer lacks.
    fn read(received: Received) -> Result<Self, CallError>;
}

/// The platform did it, and says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Done {}

impl<T: DeserializeOwned + Send> FromAnswer for T {
    fn read(received: Received) -> Result<Self, CallError> {
        let answer = Answer::read(received)?;
        serde_json::from_value(answer.value).map_err(|error| CallError::Answer {
            fault: without_quoted(&error.to_string()).into(),
        })
    }
}

impl FromAnswer for Answer {
    fn read(received: Received) -> Result<Self, CallError> {
        match received {
            Received::Json(answer) => Ok(answer),
            Received::File(_) => Err(CallError::Answer {
                fault: "a file where JSON was expected".into(),
            }),
        }
    }
}

impl FromAnswer for Received {
    const MAY_BE_A_FILE: bool = true;

    fn read(received: Received) -> Result<Self, CallError> {
        Ok(received)
    }
}

impl FromAnswer for Download {
    const MAY_BE_A_FILE: bool = true;

    fn read(received: Received) -> Result<Self, CallError> {
        match received {
            Received::File(file) => Ok(file),
            Received::Json(_) => Err(CallError::Answer {
                fault: "JSON where a file was expected".into(),
            }),
        }
    }
}

/// serde quotes the values that it did not expect; an error must not show what was answered.
fn without_quoted(text: &str) -> String {
    let parts = text.split('"').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 0 { part } else { "\"…\"" })
        .collect()
}

/// Declares the endpoints of a family: the trait for each, and the family's part of the table.
///
/// The rows stand in a fixed order: `call`, `page`, `send` (`json`, `query`, `nothing`, or a function
/// that writes it), then what there is of `check`, `quota`, `repeat` (else harmless), `token` (else
/// needed), `moves_a_file`, `accepts`, `codes`, `limits`.
macro_rules! endpoints {
    ($($request:ty => $response:ty {
        call: $method:ident $path:literal,
        page: $page:literal,
        send: $send:tt,
        $(check: $check:expr,)?
        $(quota: $quota:literal,)?
        $(repeat: $repeat:ident,)?
        $(token: $token:literal,)?
        $(moves_a_file: $file:literal,)?
        $(accepts: [$($accepts:literal),*],)?
        $(codes: [$($code:literal),*],)?
        $(limits: $limits:literal,)?
    })*) => {
        /// The family's part of the table of endpoints.
        pub(super) const SPECS: &[$crate::api::endpoint::Spec] = &[
            $(<$request as $crate::api::endpoint::Endpoint>::SPEC,)*
        ];

        $(impl $crate::api::endpoint::Endpoint for $request {
            const SPEC: $crate::api::endpoint::Spec = {
                let spec = $crate::api::endpoint::Spec {
                    method: $crate::transport::Method::$method,
                    path: $path,
                    page: $page,
                    quota: None,
                    repeat: $crate::platform::exchange::Repeat::Harmless,
                    needs_token: true,
                    moves_a_file: false,
                    accepts: &[],
                    codes: &[],
                    limits: "",
                };
                $(let spec = $crate::api::endpoint::Spec {
                    quota: Some($crate::quota::QuotaKey($quota)),
                    ..spec
                };)?
                $(let spec = $crate::api::endpoint::Spec {
                    repeat: $crate::platform::exchange::Repeat::$repeat,
                    ..spec
                };)?
                $(let spec = $crate::api::endpoint::Spec { needs_token: $token, ..spec };)?
                $(let spec = $crate::api::endpoint::Spec { moves_a_file: $file, ..spec };)?
                $(let spec = $crate::api::endpoint::Spec { accepts: &[$($accepts),*], ..spec };)?
                $(let spec = $crate::api::endpoint::Spec { codes: &[$($code),*], ..spec };)?
                $(let spec = $crate::api::endpoint::Spec { limits: $limits, ..spec };)?
                spec
            };

            type Response = $response;

            fn check(&self) -> Result<(), $crate::api::RequestError> {
                $(($check)(self)?;)?
                Ok(())
            }

            fn write(
                &self,
            ) -> Result<$crate::api::endpoint::Outgoing, $crate::api::RequestError> {
                $crate::api::endpoint::endpoints!(@send $send, self)
            }
        })*
    };
    (@send json, $request:expr) => { $crate::api::endpoint::Outgoing::json($request) };
    (@send query, $request:expr) => { $crate::api::endpoint::Outgoing::query($request) };
    (@send nothing, $request:expr) => {{
        let _ = $request;
        Ok($crate::api::endpoint::Outgoing::nothing())
    }};
    (@send ($write:expr), $request:expr) => { ($write)($request) };
}

pub(super) use endpoints;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(value: Value) -> Received {
        Received::Json(Answer { value, rid: None })
    }

    #[test]
    fn a_query_is_made_of_the_members_that_are_given() {
        let outgoing =
            Outgoing::query(&json!({"openid": "o1", "lang": null, "count": 3, "all": true}));
        let mut query = outgoing.unwrap().query;
        query.sort();
        let expected = [("all", "true"), ("count", "3"), ("openid", "o1")];
        assert!(
            query
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .eq(expected)
        );
        let nested = Outgoing::query(&json!({"a": [1]})).unwrap_err();
        assert_eq!(nested.to_string(), "a cannot stand in a query");
    }

    #[test]
    fn text_goes_out_as_it_is() {
        let outgoing = Outgoing::json(&json!({"name": "星标组 <a> & é"})).unwrap();
        let Payload::Json(json) = outgoing.payload else {
            panic!("no JSON");
        };
        assert_eq!(json, "{\"name\":\"星标组 <a> & é\"}".as_bytes());
    }

    #[test]
    fn an_answer_of_another_shape_is_a_fault_that_shows_nothing_of_it() {
        #[derive(Debug, serde::Deserialize)]
        struct Count {
            #[expect(dead_code, reason = "only its type matters")]
            total_count: i64,
        }
        let error = Count::read(answered(json!({"total_count": "private"}))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the platform's answer has invalid type: string \"…\", expected i64"
        );
        assert!(Done::read(answered(json!({"errcode": 0, "errmsg": "ok"}))).is_ok());
        assert!(Download::read(answered(json!({}))).is_err());
    }
}
