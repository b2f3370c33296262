//! A stand-in for the platform: takes messages, or fails as it was told; answers calls as it was told.
//!
//! Everything between it and the engine is the server's own: tokens, the API client, the courier.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::{Value, json};

use crate::api::{Api, ApiParts, Settings};
use crate::clock::Clock;
use crate::id::AppId;
use crate::metric::Counters;
use crate::platform::Platform;
use crate::platform::hosts::{HostError, Hosts};
use crate::secret::AppSecret;
use crate::store::memory_tokens::MemoryTokens;
use crate::token::{Endpoint, Keeper, KeeperParts};
use crate::transport::{Body, Request, Response, Transport, TransportError};

/// Calls that are remembered between two looks: code that calls without end must not fill the memory
/// before its test loses patience.
const MOST_CALLS: usize = 10_000;

/// Where customer messages go.
const MESSAGES: &str = "/cgi-bin/message/custom/send";

/// What happens to a customer message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The platform answers this code.
    Says(i64),
    /// The platform takes it, and its answer is lost.
    LosesAnswer,
    /// There is no connection.
    Unreachable,
}

/// A call that a handler made through [`Api`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ApiCall {
    /// Its path: `/cgi-bin/user/info`.
    pub path: String,
    /// Its query, without the access token.
    pub query: Vec<(String, String)>,
    /// Its JSON body; `null` when it has none, or one that is no JSON.
    pub body: Value,
}

/// The stand-in.
#[derive(Debug, Default)]
pub(super) struct StandIn {
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    faults: VecDeque<Fault>,
    answers: HashMap<String, VecDeque<Value>>,
    calls: Vec<ApiCall>,
    unanswered: Vec<ApiCall>,
}

impl StandIn {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The next message meets this.
    pub(super) fn fails_next(&self, fault: Fault) {
        self.script().faults.push_back(fault);
    }

    /// Faults that no message has met.
    pub(super) fn unmet_faults(&self) -> Vec<Fault> {
        self.script().faults.iter().copied().collect()
    }

    /// Answers calls of this path with this; the last of several goes on for ever.
    pub(super) fn answers(&self, path: &str, answer: Value) {
        let mut script = self.script();
        script
            .answers
            .entry(path.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// The calls since the last time.
    pub(super) fn take_calls(&self) -> Vec<ApiCall> {
        std::mem::take(&mut self.script().calls)
    }

    /// The calls that there was no answer for, since the last time.
    pub(super) fn take_unanswered(&self) -> Vec<ApiCall> {
        std::mem::take(&mut self.script().unanswered)
    }

    /// A customer message has come.
    fn take_message(&self) -> Result<Value, TransportError> {
        let fault = self.script().faults.pop_front();
        match fault {
            None => Ok(json!({"errcode": 0, "errmsg": "ok"})),
            Some(Fault::Says(code)) => Ok(json!({"errcode": code, "errmsg": "said by the test"})),
            Some(Fault::LosesAnswer) => Err(TransportError::Broken {
                reason: "the test lost the answer".to_owned(),
            }),
            Some(Fault::Unreachable) => Err(TransportError::NotConnected {
                reason: "the test cut the connection".to_owned(),
            }),
        }
    }

    /// A call of a handler's has come.
    fn take_call(&self, call: ApiCall) -> Value {
        let mut script = self.script();
        let answer = script.answers.get_mut(&call.path).and_then(|answers| {
            let more = answers.len() > 1;
            if more {
                answers.pop_front()
            } else {
                answers.front().cloned()
            }
        });
        if script.calls.len() < MOST_CALLS {
            if answer.is_none() {
                script.unanswered.push(call.clone());
            }
            script.calls.push(call);
        }
        // What the platform answers to a call that the account has no right to: it is not tried again.
        answer
            .unwrap_or_else(|| json!({"errcode": 48001, "errmsg": "the test does not answer this"}))
    }

    /// The API client that sends replies.
    pub(super) fn courier_api(
        self: &Arc<Self>,
        account: &AppId,
        clock: &Arc<dyn Clock>,
    ) -> Result<Api, HostError> {
        client(Line::Messages(Arc::clone(self)), account, clock)
    }

    /// The API client that handlers ask for.
    pub(super) fn handler_api(
        self: &Arc<Self>,
        account: &AppId,
        clock: &Arc<dyn Clock>,
    ) -> Result<Api, HostError> {
        client(Line::Calls(Arc::clone(self)), account, clock)
    }
}

fn client(line: Line, account: &AppId, clock: &Arc<dyn Clock>) -> Result<Api, HostError> {
    let hosts = Arc::new(Hosts::parse(["https://platform.test"])?);
    let platform = Arc::new(Platform::new(Arc::new(line), hosts, Arc::clone(clock)));
    let keeper = Keeper::new(KeeperParts {
        account: account.clone(),
        secret: AppSecret::new("testing"),
        endpoint: Endpoint::Stable,
        store: MemoryTokens::new(Arc::clone(clock)),
        platform: Arc::clone(&platform),
        clock: Arc::clone(clock),
        counters: Arc::new(Counters::default()),
        tally: None,
    });
    Ok(Api::new(ApiParts {
        platform,
        sources: vec![Arc::new(keeper)],
        tickets: None,
        clock: Arc::clone(clock),
        quotas: None,
        settings: Settings::default(),
    }))
}

/// Who asks: the outbox with messages, or a handler with calls. A handler may send messages too, and
/// those are calls like any other.
enum Line {
    Messages(Arc<StandIn>),
    Calls(Arc<StandIn>),
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages(_) => "Messages",
            Self::Calls(_) => "Calls",
        })
    }
}

impl Line {
    fn answer(&self, call: ApiCall) -> Result<Value, TransportError> {
        if call.path == "/cgi-bin/stable_token" {
            return Ok(json!({"access_token": "testing", "expires_in": 7200}));
        }
        match self {
            Self::Messages(platform) if call.path == MESSAGES => platform.take_message(),
            // That an answer is being written may be shown.
            Self::Messages(_) => Ok(json!({"errcode": 0, "errmsg": "ok"})),
            Self::Calls(platform) => Ok(platform.take_call(call)),
        }
    }
}

impl Transport for Line {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let answer = self.answer(read(request));
        Box::pin(async move {
            // No time passes, so that plain functions, which stop paused time, may wait for an answer.
            tokio::task::yield_now().await;
            let body = Bytes::from(answer?.to_string());
            Ok(Response {
                status: 200,
                content_type: Some("application/json".to_owned()),
                content_length: Some(body.len() as u64),
                content_disposition: None,
                body: stream::iter([Ok(body)]).boxed(),
            })
        })
    }
}

/// A request as people see it.
fn read(request: Request) -> ApiCall {
    // What cannot be read was not written by the client, and shows as it is.
    let url = reqwest::Url::parse(&request.url).ok();
    let path = url.as_ref().map_or("", |url| url.path()).to_owned();
    let pairs = url.iter().flat_map(|url| url.query_pairs());
    let shown = pairs.filter(|(name, _)| name != "access_token");
    let query = shown
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    ApiCall {
        path,
        query,
        body: match request.body {
            Body::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            Body::Empty | Body::Stream { .. } => Value::Null,
        },
    }
}
