//! The endpoints under `/simulator/`: looking inside, and making trouble.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Shared;
use crate::id::OpenId;
use crate::simulator::platform::AdminAct;
use crate::simulator::platform::Arrangement;
use crate::simulator::platform::FaultRule;
use crate::simulator::platform::Scene;
use crate::simulator::platform::Shelf;

/// Lines of a listing when no limit is named.
const DEFAULT_LIMIT: usize = 1000;

#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(default)]
    after: u64,
    openid: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rules {
    Several(Vec<FaultRule>),
    One(FaultRule),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acted {
    openid: String,
    scene: Scene,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Administering {
    app_id: String,
    act: AdminAct,
}

#[derive(Debug, Deserialize)]
struct Prompted {
    app_id: String,
}

#[derive(Debug, Deserialize)]
struct Looking {
    app_id: Option<String>,
    of: Shelf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arranging {
    #[serde(default)]
    app_id: Option<String>,
    arrange: Arrangement,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passing {
    advance_milliseconds: u64,
}

pub(super) fn answer(
    request: &HttpRequest,
    name: &str,
    body: &[u8],
    shared: &Shared,
) -> HttpResponse {
    let done = match (request.method(), name) {
        (&Method::GET, "status") => Ok(status(shared)),
        (&Method::GET, "deliveries") => deliveries(request, shared),
        (&Method::GET, "calls") => calls(request, shared),
        (&Method::GET, "tokens") => Ok(lines(shared.platform().tokens())),
        (&Method::POST, "faults") => add_faults(body, shared),
        (&Method::DELETE, "faults") => {
            shared.platform().clear_faults();
            Ok(nothing())
        }
        (&Method::POST, "admin") => administer(body, shared),
        (&Method::GET, "prompts") => prompts(request, shared),
        (&Method::POST, "acted") => acted(body, shared),
        (&Method::GET, "events") => events(request, shared),
        (&Method::GET, "pushes") => Ok(lines(shared.carried().iter())),
        (&Method::GET, "state") => state(request, shared),
        (&Method::POST, "arrange") => arrange(body, shared),
        (&Method::GET, "clock") => Ok(json(&serde_json::json!({
            "now_milliseconds": shared.now().milliseconds(),
        }))),
        (&Method::POST, "clock") => parsed(body).map(|passing: Passing| {
            shared.advance(passing.advance_milliseconds);
            nothing()
        }),
        _ => return HttpResponse::NotFound().body("the simulator has no such endpoint\n"),
    };
    done.unwrap_or_else(|problem| HttpResponse::BadRequest().body(problem + "\n"))
}

fn nothing() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn listing(request: &HttpRequest) -> Result<Listing, String> {
    web::Query::<Listing>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| error.to_string())
}

fn lines<'a, T: Serialize + 'a>(items: impl Iterator<Item = &'a T>) -> HttpResponse {
    let mut body = Vec::new();
    for item in items {
        if serde_json::to_writer(&mut body, item).is_err() {
            return HttpResponse::InternalServerError().finish();
        }
        body.push(b'\n');
    }
    HttpResponse::Ok()
        .content_type("application/x-ndjson; charset=utf-8")
        .body(body)
}

fn json(value: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .body(value.to_string())
}

fn status(shared: &Shared) -> HttpResponse {
    let platform = shared.platform();
    let (deliveries, calls) = (platform.delivery_count(), platform.call_count());
    json(&serde_json::json!({ "deliveries": deliveries, "calls": calls }))
}

fn state(request: &HttpRequest, shared: &Shared) -> Result<HttpResponse, String> {
    let wanted = web::Query::<Looking>::from_query(request.query_string())
        .map_err(|error| error.to_string())?;
    let now = shared.now();
    let mut platform = shared.platform();
    let shown = platform.look(now, wanted.app_id.as_deref(), wanted.of);
    shown
        .map(|shown| json(&shown))
        .map_err(|error| error.to_string())
}

fn arrange(body: &[u8], shared: &Shared) -> Result<HttpResponse, String> {
    let arranging: Arranging = parsed(body)?;
    let now = shared.now();
    let app_id = arranging.app_id.as_deref();
    let arranged = shared.platform().arrange(now, app_id, arranging.arrange);
    shared.has_changed();
    arranged
        .map(|()| nothing())
        .map_err(|error| error.to_string())
}

fn deliveries(request: &HttpRequest, shared: &Shared) -> Result<HttpResponse, String> {
    let wanted = listing(request)?;
    let platform = shared.platform();
    let found = platform
        .deliveries_after(wanted.after)
        .filter(|delivery| {
            let open_id = wanted.openid.as_deref();
            open_id.is_none_or(|open_id| open_id == delivery.open_id)
        })
        .take(wanted.limit.unwrap_or(DEFAULT_LIMIT));
    Ok(lines(found))
}

fn calls(request: &HttpRequest, shared: &Shared) -> Result<HttpResponse, String> {
    let wanted = listing(request)?;
    let platform = shared.platform();
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    Ok(lines(platform.calls_after(wanted.after).take(limit)))
}

fn events(request: &HttpRequest, shared: &Shared) -> Result<HttpResponse, String> {
    let wanted = listing(request)?;
    let now = shared.now();
    let mut platform = shared.platform();
    platform.settle(now);
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    Ok(lines(platform.events_after(wanted.after).take(limit)))
}

fn add_faults(body: &[u8], shared: &Shared) -> Result<HttpResponse, String> {
    let rules = match parsed(body)? {
        Rules::Several(rules) => rules,
        Rules::One(rule) => vec![rule],
    };
    let mut platform = shared.platform();
    for rule in rules {
        platform
            .add_fault(rule)
            .map_err(|error| error.to_string())?;
    }
    Ok(nothing())
}

fn acted(body: &[u8], shared: &Shared) -> Result<HttpResponse, String> {
    let acted: Acted = parsed(body)?;
    let now = shared.now();
    let open_id = OpenId::new(acted.openid);
    shared.platform().user_acted(now, &open_id, acted.scene);
    Ok(nothing())
}

fn administer(body: &[u8], shared: &Shared) -> Result<HttpResponse, String> {
    let order: Administering = parsed(body)?;
    let now = shared.now();
    if shared.platform().administer(now, &order.app_id, order.act) {
        Ok(nothing())
    } else {
        Err(format!("the account {:?} is not known", order.app_id))
    }
}

fn prompts(request: &HttpRequest, shared: &Shared) -> Result<HttpResponse, String> {
    let wanted = web::Query::<Prompted>::from_query(request.query_string())
        .map_err(|error| error.to_string())?;
    Ok(lines(shared.platform().prompts(&wanted.app_id).iter()))
}
