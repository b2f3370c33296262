//! `GET /v1/jssdk/{account}`: signatures for pages that use the JS-SDK, and for cards.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::admin::Admin;
use super::client::{Caller, Right};
use super::token::{allowed, refused};
use crate::api::jssdk::{PageUrl, UrlError, sign_card, sign_page};
use crate::api::{TicketKind, TicketLease};
use crate::id::AppId;

/// Random bytes of a nonce; written as twice as many hexadecimal digits.
const NONCE_BYTES: usize = 8;

#[derive(Deserialize)]
struct Query {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
    #[serde(default)]
    card_id: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    openid: String,
}

impl Admin {
    pub(super) async fn jssdk(
        &self,
        account: &str,
        query: &str,
        caller: Caller<'_>,
    ) -> HttpResponse {
        let account = match allowed(&self.parts().central, caller, Right::JsSdk, account) {
            Ok(account) => account,
            Err(denied) => return denied.answer(),
        };
        let Ok(web::Query(query)) = web::Query::<Query>::from_query(query) else {
            return HttpResponse::BadRequest().body("a parameter is doubled or cannot be read\n");
        };
        match query.kind.as_deref() {
            None | Some("jsapi") => self.sign_page(account, &query).await,
            Some("wx_card") if !query.card_id.is_empty() => self.sign_card(account, &query).await,
            Some("wx_card") => HttpResponse::BadRequest().body("card_id is missing\n"),
            Some(_) => HttpResponse::BadRequest().body("type is jsapi or wx_card\n"),
        }
    }

    async fn sign_page(&self, account: &AppId, query: &Query) -> HttpResponse {
        let Some(url) = &query.url else {
            return HttpResponse::BadRequest().body("url is missing\n");
        };
        let url = match PageUrl::parse(url, &self.parts().origins) {
            Ok(url) => url,
            Err(error @ UrlError::Origin(_)) => return refused(&error.to_string()),
            Err(error) => return HttpResponse::BadRequest().body(format!("{error}\n")),
        };
        let (ticket, nonce) = match self.ticket_and_nonce(account, TicketKind::JsApi).await {
            Ok(both) => both,
            Err(reason) => return unavailable(reason),
        };
        let timestamp = self.parts().clock.now().seconds();
        let signature = sign_page(&ticket.ticket, &nonce, timestamp, &url);
        signed(json!({
            "appId": account.as_str(),
            "timestamp": timestamp,
            "nonceStr": nonce,
            "signature": signature,
        }))
    }

    async fn sign_card(&self, account: &AppId, query: &Query) -> HttpResponse {
        let (ticket, nonce) = match self.ticket_and_nonce(account, TicketKind::Card).await {
            Ok(both) => both,
            Err(reason) => return unavailable(reason),
        };
        let timestamp = self.parts().clock.now().seconds().to_string();
        let values = [
            query.card_id.as_str(),
            &query.code,
            &query.openid,
            &timestamp,
            &nonce,
        ];
        let signature = sign_card(&ticket.ticket, &values);
        signed(json!({
            "card_id": query.card_id,
            "code": query.code,
            "openid": query.openid,
            "timestamp": timestamp,
            "nonce_str": nonce,
            "signature": signature,
        }))
    }

    /// The question runs on the engine's runtime: one who goes away does not break it off.
    async fn ticket_and_nonce(
        &self,
        account: &AppId,
        kind: TicketKind,
    ) -> Result<(TicketLease, String), String> {
        let (api, account) = (Arc::clone(&self.parts().api), account.clone());
        let runtime = self.parts().central.runtime();
        let asking = runtime.spawn(async move { api.ticket(&account, kind).await });
        let ticket = match asking.await {
            Ok(Ok(ticket)) => ticket,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_stopped) => return Err("the server stops".to_owned()),
        };
        let mut bytes = [0; NONCE_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| format!("no randomness: {error}"))?;
        let nonce = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((ticket, nonce))
    }
}

fn unavailable(reason: String) -> HttpResponse {
    HttpResponse::ServiceUnavailable().body(reason + "\n")
}

fn signed(body: serde_json::Value) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
