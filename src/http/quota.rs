//! `/v1/quota`: how much of the platform's limits is used, and their clearing. For the admin key alone.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::Admin;
use crate::api::{Api, CallError, Clearing};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::quota::{KeyStatus, Limit, QuotaKey, zoned};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    key: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Wish {
    fn clearing(&self) -> Result<Clearing, String> {
        match (&self.key, self.all) {
            (None, true) => Ok(Clearing::All),
            (Some(name), false) => QuotaKey::find(name)
                .map(Clearing::One)
                .ok_or_else(|| format!("{name:?} is not a quota; docs/quotas.md lists them\n")),
            _ => Err("send {\"key\": \"custom_send\"} or {\"all\": true}\n".to_owned()),
        }
    }
}

impl Admin {
    /// Answers what is below `/v1/quota`.
    pub(super) async fn quota(&self, method: &str, path: &[&str], body: &[u8]) -> HttpResponse {
        let central = &self.parts().central;
        match (method, path) {
            ("GET", [name]) => match central.account(name) {
                Some(account) => self.show(account.clone()).await,
                None => missing(name),
            },
            ("POST", [name, "clear"]) => match central.account(name) {
                Some(account) => self.clear(account.clone(), body).await,
                None => missing(name),
            },
            (_, [_] | [_, "clear"]) => HttpResponse::MethodNotAllowed().finish(),
            _ => HttpResponse::NotFound().finish(),
        }
    }

    async fn show(&self, account: AppId) -> HttpResponse {
        let api = Api::clone(&self.parts().api);
        let shown = self.parts().central.runtime().spawn(async move {
            let statuses = match api.quotas() {
                Some(quotas) => quotas.status(&account).await,
                None => Vec::new(),
            };
            let keys: Vec<Value> = statuses.iter().map(shown).collect();
            json!({ "account": account.as_str(), "keys": keys })
        });
        match shown.await {
            Ok(shown) => HttpResponse::Ok().json(shown),
            Err(_ended) => stopping(),
        }
    }

    async fn clear(&self, account: AppId, body: &[u8]) -> HttpResponse {
        let wish = serde_json::from_slice::<Wish>(body).map_err(|error| format!("{error}\n"));
        let clearing = match wish.and_then(|wish| wish.clearing()) {
            Ok(clearing) => clearing,
            Err(fault) => return HttpResponse::BadRequest().body(fault),
        };
        let api = Api::clone(&self.parts().api);
        let clear = async move {
            api.clear(&account, clearing).await?;
            Ok(left_of(&api, &account, clearing).await)
        };
        match self.parts().central.runtime().spawn(clear).await {
            Ok(Ok(clears)) => HttpResponse::Ok().json(json!({ "cleared": true, "clears": clears })),
            Ok(Err(error @ CallError::Request(_))) => {
                HttpResponse::BadRequest().body(format!("{error}\n"))
            }
            Ok(Err(error)) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
            Err(_ended) => stopping(),
        }
    }

    /// What is used up now, for `/readyz`.
    pub(super) fn used_up(&self) -> Vec<Value> {
        let quotas = self.parts().api.quotas();
        let used_up = quotas.map(|quotas| quotas.used_up()).unwrap_or_default();
        let shown = |(account, status): &(AppId, KeyStatus)| {
            json!({
                "account": account.as_str(),
                "key": status.key.name(),
                "returns_at": status.obstacle.map(|(_, returns_at)| zoned(returns_at)),
            })
        };
        used_up.iter().map(shown).collect()
    }
}

fn stopping() -> HttpResponse {
    HttpResponse::ServiceUnavailable().body("the server is stopping\n")
}

fn missing(account: &str) -> HttpResponse {
    HttpResponse::NotFound().body(format!(
        "no account {account:?} with an AppSecret is configured\n"
    ))
}

/// What is left of the month's clears of this kind.
async fn left_of(api: &Api, account: &AppId, clearing: Clearing) -> Option<Value> {
    let key = match clearing {
        Clearing::One(_) => QuotaKey::CLEAR_ONE,
        Clearing::All => QuotaKey::CLEAR_ALL,
    };
    let statuses = api.quotas()?.status(account).await;
    let status = statuses.iter().find(|status| status.key == key)?;
    Some(shown(status))
}

/// What is in the way, and until when: for people in Beijing, and for machines.
fn told((limit, returns_at): (Limit, Timestamp)) -> Value {
    json!({
        "limit": limit.name(),
        "returns_at": zoned(returns_at),
        "returns_at_ms": returns_at.milliseconds(),
    })
}

/// Times are in milliseconds since 1970, where they do not name their zone.
fn shown(status: &KeyStatus) -> Value {
    let row = status.key.row();
    let platform = status.platform.map(|(figures, asked_at)| {
        json!({
            "daily_limit": figures.daily_limit,
            "used": figures.used,
            "remain": figures.remain,
            "asked_at": asked_at.milliseconds(),
        })
    });
    let obstacle = status.obstacle.map(told);
    let rate = status
        .rate
        .map(|rate| json!({ "calls": rate.calls, "seconds": rate.per.as_secs() }));
    json!({
        "key": status.key.name(),
        "name": row.map(|row| row.name),
        "paths": row.map(|row| row.paths),
        "period": status.period,
        "limit": status.limit.map(|(limit, _)| limit),
        "limit_from": status.limit.map(|(_, from)| from.name()),
        "used": status.used,
        "reserved": status.reserved,
        "remain": status.remain(),
        "platform": platform,
        "obstacle": obstacle,
        "rate": rate,
        "store_is_away": status.store_is_away,
    })
}
