//! `/v1/api/{account}`: this server makes a call of the platform's API for its operator, with its own
//! token, quotas, hosts and retries. The commands use it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::admin::Admin;
use super::token::MAX_REPORT_BYTES;
use crate::api::endpoint::Endpoint as _;
use crate::api::message::SendMessage;
use crate::api::{Api, CallError, RawCall, Refusal};
use crate::dispatch::Grant;
use crate::id::{AppId, OpenId};
use crate::quota::window::Closed;
use crate::transport::Method;

/// Bytes of the longest call. The longest body that the platform takes is a draft's, of a mebibyte.
const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;

/// How long the body of a request may take to come.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A call as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    path: String,
    #[serde(default)]
    query: Vec<(String, String)>,
    #[serde(default)]
    body: Option<Value>,
    /// One of many: it leaves the last part of each day's quota to replies.
    #[serde(default)]
    bulk: bool,
}

impl Asked {
    fn call(self) -> Result<RawCall, String> {
        let method = match self.method.as_str() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            other => return Err(format!("method = {other:?}: write GET or POST")),
        };
        Ok(RawCall {
            method,
            path: self.path,
            query: self.query,
            body: self.body,
            repeat: None,
        })
    }
}

impl Admin {
    /// Reads the body of a request: a long one only of whoever has the admin key, for a call.
    pub(super) async fn body(
        &self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Vec<u8>, HttpResponse> {
        let is_call = request.path().starts_with("/v1/api/") && self.is_admin(request);
        let limit = if is_call {
            MAX_CALL_BYTES
        } else {
            MAX_REPORT_BYTES
        };
        match timeout(BODY_TIME, read(payload, limit, 0)).await {
            Ok(Ok(Some(body))) => Ok(body),
            Ok(Ok(None)) => Err(HttpResponse::PayloadTooLarge()
                .body(format!("a body may have {limit} bytes here\n"))),
            Ok(Err(_)) => Err(HttpResponse::BadRequest().finish()),
            Err(_elapsed) => Err(HttpResponse::RequestTimeout().finish()),
        }
    }

    /// Makes the call that the body describes. An answer of the platform that is no refusal comes as
    /// `{"answer", "rid"}`, everything else as a [`Refusal`] under another status than 200.
    pub(super) async fn call(&self, account: &str, body: &[u8]) -> HttpResponse {
        let parts = self.parts();
        let Some(account) = parts.central.account(account).cloned() else {
            let error = format!("no account {account:?} with an AppSecret is configured");
            return told(404, error);
        };
        let asked = serde_json::from_slice(body).map_err(|error| error.to_string());
        let asked = asked.and_then(|asked: Asked| Ok((asked.bulk, asked.call()?)));
        let (bulk, call) = match asked {
            Ok(asked) => asked,
            Err(error) => return told(400, error),
        };
        let grant = match self.grant(&account, &call) {
            Ok(grant) => grant,
            Err(closed) => return withheld(&closed),
        };
        let path = call.path.clone();
        let api = match bulk {
            true => parts.api.in_bulk(),
            false => Api::clone(&parts.api),
        };
        // A task of its own: whoever asked may go away, and what the call used up must be known.
        let called = parts.central.runtime().spawn(async move {
            let outcome = api.raw(&account, &call).await;
            if let Some(grant) = grant {
                settle(grant, outcome.as_ref().err());
            }
            outcome
        });
        match called.await.unwrap_or(Err(CallError::Stopped)) {
            Ok(answer) => {
                HttpResponse::Ok().json(json!({ "answer": answer.value, "rid": answer.rid }))
            }
            Err(error) => refused_call(&path, &error),
        }
    }

    /// Takes a customer message out of its user's grants, as a reply is.
    fn grant(&self, account: &AppId, call: &RawCall) -> Result<Option<Grant>, Closed> {
        let windows = self.parts().pushes.as_ref().map(|pushes| &pushes.windows);
        let is_message = call.path == SendMessage::SPEC.path;
        let user = call.body.as_ref().and_then(|body| body["touser"].as_str());
        match (windows, user) {
            (Some(windows), Some(user)) if is_message => windows.take(account, &OpenId::new(user)),
            _ => Ok(None),
        }
    }
}

/// A grant is used up unless the message surely was not delivered.
fn settle(grant: Grant, error: Option<&CallError>) {
    match error {
        Some(error) if error.surely_not_executed() => {
            if let Some(code) = error.code() {
                grant.refuse(code.0);
            }
        }
        _ => grant.spend(),
    }
}

/// A message that its user's windows do not allow: the platform would refuse it.
fn withheld(closed: &Closed) -> HttpResponse {
    HttpResponse::Conflict().json(Refusal {
        error: closed.to_string(),
        errcode: Some(closed.code()),
        rid: None,
        surely_not_executed: true,
    })
}

/// `None`: it is longer than the limit. There is room for as much as was announced, so that a long body
/// is not moved while it grows.
pub(super) async fn read(
    mut payload: Payload,
    limit: usize,
    announced: usize,
) -> Result<Option<Vec<u8>>, actix_web::error::PayloadError> {
    let mut body = Vec::with_capacity(announced.min(limit));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// A call that was not answered well, as a [`Refusal`].
pub(super) fn refused_call(endpoint: &str, error: &CallError) -> HttpResponse {
    tracing::info!(endpoint, error = %error, "A call for an operator failed.");
    HttpResponse::build(status(error)).json(Refusal::from(error))
}

fn status(error: &CallError) -> StatusCode {
    match error {
        CallError::Request(_) => StatusCode::BAD_REQUEST,
        CallError::NoSecret { .. } | CallError::Token(_) | CallError::Stopped => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// What was wrong before anything was called.
pub(super) fn told(status: u16, error: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(Refusal {
        error,
        errcode: None,
        rid: None,
        surely_not_executed: true,
    })
}
