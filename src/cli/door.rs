//! The way of commands to WeChat's API: through the running server, which has the token and counts the
//! quotas; with parts of their own where no server runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use clap::Args;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::admin::reachable;
use super::output::Failure;
use crate::api::{Api, RawCall, Refusal};
use crate::app::{Direct, find_admin_key};
use crate::config::Config;
use crate::id::AppId;
use crate::quota::Purpose;
use crate::secret::ClientKey;
use crate::transport::{
    Body, HttpTransport, Method, Request, Response, Settings, Transport, TransportError,
};

mod file;

pub(super) use self::file::Incoming;

/// How long a probe of the server may take.
const PROBE: Duration = Duration::from_secs(5);

/// How long a call through the server may take: longer than the server itself is patient.
const PATIENCE: Duration = Duration::from_secs(180);

/// Bytes of the longest answer that is read: the platform's longest, and what stands around it.
const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// Of which account.
#[derive(Debug, Clone, Args)]
pub(super) struct AccountArgs {
    /// The account's name or AppID; needed only when several are configured
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// The way to the platform's API, in one account's name.
#[derive(Debug)]
pub(super) struct Door {
    runtime: Runtime,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Through the running server.
    Server(Arc<Server>),
    /// By parts of our own.
    Here { direct: Direct, account: AppId },
}

#[derive(Debug)]
struct Server {
    transport: Arc<HttpTransport>,
    base: String,
    key: Option<ClientKey>,
    account: String,
}

/// What the server answers to a good call.
#[derive(Deserialize)]
struct Answered {
    answer: Value,
}

impl Door {
    /// Finds the way: asks the configured server first.
    pub(super) fn open(config: Option<&Path>, account: &AccountArgs) -> Result<Self, Failure> {
        let config = super::load_for_reading(config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Failure::failed)?;
        let server = Server::of(&config, account)?;
        let way = match runtime.block_on(server.probe()) {
            Ok(()) => Way::Server(Arc::new(server)),
            Err(TransportError::NotConnected { .. }) => {
                let account = configured(&config, account)?;
                let direct = Direct::open(&config, runtime.handle()).map_err(|error| {
                    Failure::failed(format!(
                        "no server answers at {} (admin.listen), so this command would call WeChat itself: {error}",
                        server.base
                    ))
                })?;
                Way::Here { direct, account }
            }
            Err(error) => {
                let base = &server.base;
                return Err(Failure::failed(format!("the server at {base}: {error}")));
            }
        };
        Ok(Self { runtime, way })
    }

    /// Makes a call and waits for its answer.
    pub(super) fn call(&self, call: RawCall) -> Result<Value, Refusal> {
        self.runtime
            .block_on(self.begin(call, Purpose::Interactive))
    }

    /// A `GET` without parameters.
    pub(super) fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.call(RawCall::get(path))
    }

    /// A `POST` of a JSON document.
    pub(super) fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        self.call(RawCall::post(path, body))
    }

    /// Runs what makes several calls at once.
    pub(super) fn run<T>(&self, calls: impl Future<Output = T>) -> T {
        self.runtime.block_on(calls)
    }

    /// Makes a call. One of many leaves the last part of a day's quota to replies.
    pub(super) async fn begin(&self, call: RawCall, purpose: Purpose) -> Result<Value, Refusal> {
        match &self.way {
            Way::Server(server) => server.call(&call, purpose).await,
            Way::Here { direct, account } => {
                let api = match purpose {
                    Purpose::Bulk => direct.api.in_bulk(),
                    Purpose::Interactive => Api::clone(&direct.api),
                };
                match api.raw(account, &call).await {
                    Ok(answer) => Ok(answer.value),
                    Err(error) => Err(Refusal::from(&error)),
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Way::Here { direct, .. } = &self.way {
            self.runtime.block_on(direct.close());
        }
    }
}

/// The account as the configuration knows it.
fn configured(config: &Config, wanted: &AccountArgs) -> Result<AppId, Failure> {
    let names = || {
        config
            .accounts
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut matching = config.accounts.iter().filter(|(name, account)| {
        let id = account.credentials.app_id().as_str();
        let is_named = |wanted: &String| wanted == *name || wanted == id;
        wanted.account.as_ref().is_none_or(is_named)
    });
    match (matching.next(), matching.next(), &wanted.account) {
        (Some((_, account)), None, _) => Ok(account.credentials.app_id().clone()),
        (Some(_), Some(_), _) => Err(Failure::wrong(format!(
            "several accounts are configured ({}): say which with --account",
            names()
        ))),
        (None, _, Some(name)) => Err(Failure::wrong(format!(
            "no account {name:?} is configured; there are: {}",
            names()
        ))),
        (None, _, None) => Err(Failure::wrong(
            "no account is configured, and no server runs here: set WECHAT_APP_ID and WECHAT_APP_SECRET",
        )),
    }
}

impl Server {
    fn of(config: &Config, account: &AccountArgs) -> Result<Self, Failure> {
        let account = match (&account.account, config.accounts.is_empty()) {
            (Some(name), true) => name.clone(),
            (None, true) => "default".to_owned(),
            (_, false) => configured(config, account)?.as_str().to_owned(),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if account.is_empty() || !account.bytes().all(is_plain) {
            return Err(Failure::wrong(format!(
                "--account {account:?} is neither a name in the configuration nor an AppID"
            )));
        }
        let key = find_admin_key(config).map_err(Failure::failed)?;
        let settings = Settings {
            https: false,
            plain_http: true,
            ..Settings::default()
        };
        Ok(Self {
            transport: HttpTransport::new(&settings).map_err(Failure::failed)?,
            base: format!("http://{}", reachable(config.http.admin_listen)),
            key: key.map(|key| ClientKey::new(key.expose())),
            account,
        })
    }

    fn request(&self, method: Method, path: &str, body: Body, timeout: Duration) -> Request {
        Request {
            method,
            url: format!("{}{path}", self.base),
            content_type: None,
            bearer: self.key.clone(),
            body,
            timeout,
        }
    }

    async fn probe(&self) -> Result<(), TransportError> {
        let request = self.request(Method::Get, "/healthz", Body::Empty, PROBE);
        self.transport.send(request).await.map(drop)
    }

    async fn call(&self, call: &RawCall, purpose: Purpose) -> Result<Value, Refusal> {
        let method = match call.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let asked = json!({
            "method": method, "path": call.path, "query": call.query, "body": call.body,
            "bulk": purpose == Purpose::Bulk,
        });
        let body = Body::Bytes(Bytes::from(asked.to_string()));
        let path = format!("/v1/api/{}", self.account);
        self.asked(self.request(Method::Post, &path, body, PATIENCE))
            .await
    }

    /// Asks, and reads an answer that is JSON.
    async fn asked(&self, request: Request) -> Result<Value, Refusal> {
        let (status, body) = self.answer(request).await.map_err(|error| Refusal {
            surely_not_executed: error.surely_not_executed(),
            ..unread(format!("the server at {}: {error}", self.base))
        })?;
        match status {
            200 => serde_json::from_slice::<Answered>(&body)
                .map(|answered| answered.answer)
                .map_err(|_| no_json(status)),
            _ => Err(refused(status, &body)),
        }
    }

    async fn answer(&self, request: Request) -> Result<(u16, Bytes), TransportError> {
        let answer = async {
            let response = self.transport.send(request).await?;
            Ok((response.status, whole(response).await?))
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(TransportError::TimedOut {
                limit_seconds: PATIENCE.as_secs(),
            }),
        }
    }
}

/// The whole body of an answer.
async fn whole(mut response: Response) -> Result<Bytes, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.body.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            let reason = format!("more than {MAX_ANSWER_BYTES} bytes");
            return Err(TransportError::Broken { reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What an answer other than 200 says.
fn refused(status: u16, body: &[u8]) -> Refusal {
    match status {
        401 => Refusal {
            surely_not_executed: true,
            ..unread("the server wants another admin key; set WXHOOK_ADMIN_KEY".to_owned())
        },
        _ => serde_json::from_slice(body).unwrap_or_else(|_| no_json(status)),
    }
}

fn no_json(status: u16) -> Refusal {
    unread(format!("the server answers {status}, and no JSON"))
}

/// The call left, and its answer was not understood.
fn unread(error: String) -> Refusal {
    Refusal {
        error,
        errcode: None,
        rid: None,
        surely_not_executed: false,
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::failed(refusal)
    }
}
