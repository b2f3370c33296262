//! What operators do about pushes: have them handled again, or put them away.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::admin::{Admin, Pushes};
use crate::dispatch::ReplayError;
use crate::id::PushId;
use crate::store::StoreError;

/// Pushes of one request, at most: with them its body fits into what the listener reads.
pub(crate) const BATCH: usize = 100;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Replay { force: bool },
    Discard,
}

impl Act {
    fn parse(word: &str, query: &str) -> Option<Self> {
        match word {
            "replay" => Some(Self::Replay {
                force: query == "force=true",
            }),
            "discard" => Some(Self::Discard),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Replay { .. } => "replay",
            Self::Discard => "discard",
        }
    }

    /// Where the push then stands.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Replay { .. } => "pending\n",
            Self::Discard => "discarded\n",
        }
    }

    async fn on(self, pushes: &Pushes, id: PushId) -> Result<(), ReplayError> {
        match self {
            Self::Replay { force } => pushes.replays.replay(id, force).await,
            Self::Discard => pushes.replays.discard(id).await,
        }
    }
}

/// The pushes of a request, as texts: ids are too long for some readers' numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    ids: Vec<String>,
}

impl Admin {
    /// `POST /v1/inbox/ID/replay` and `/discard`, or the same without an id for those that the body
    /// names: `{"ids": ["…"]}`.
    pub(super) async fn operate(&self, rest: &[&str], query: &str, body: &[u8]) -> HttpResponse {
        let (id, word) = match rest {
            [word] => (None, *word),
            [id, word] => (Some(*id), *word),
            _ => return HttpResponse::NotFound().finish(),
        };
        let Some(act) = Act::parse(word, query) else {
            return HttpResponse::NotFound().finish();
        };
        let Some(pushes) = &self.parts().pushes else {
            return HttpResponse::NotFound().body("this server keeps tokens, and no pushes\n");
        };
        match id {
            Some(id) => one(pushes, act, id).await,
            None => many(pushes, act, body).await,
        }
    }
}

/// The body says why not.
async fn one(pushes: &Pushes, act: Act, id: &str) -> HttpResponse {
    let Ok(id) = id.parse() else {
        return HttpResponse::NotFound().body("an id is a number\n");
    };
    let Err(error) = act.on(pushes, PushId(id)).await else {
        tracing::info!(
            push_id = id,
            act = act.name(),
            "An operator has dealt with a push."
        );
        return HttpResponse::Ok().body(act.outcome());
    };
    let mut refused = match &error {
        ReplayError::Missing(_) => HttpResponse::NotFound(),
        error if is_refusal(error) => HttpResponse::Conflict(),
        _ => HttpResponse::ServiceUnavailable(),
    };
    refused.body(format!("{error}\n"))
}

/// In their order; what cannot be done about one is told, and the others are done.
async fn many(pushes: &Pushes, act: Act, body: &[u8]) -> HttpResponse {
    let batch: Batch = match serde_json::from_slice(body) {
        Ok(batch) => batch,
        Err(error) => {
            let reason = format!("the body is not {{\"ids\": [\"…\"]}}: {error}\n");
            return HttpResponse::BadRequest().body(reason);
        }
    };
    if batch.ids.len() > BATCH {
        return HttpResponse::BadRequest().body(format!("more than {BATCH} ids\n"));
    }
    let (mut done, mut refused) = (0_usize, Vec::new());
    for id in batch.ids {
        let Ok(number) = id.parse() else {
            refused.push(json!({ "id": id, "reason": "an id is a number" }));
            continue;
        };
        match act.on(pushes, PushId(number)).await {
            Ok(()) => done += 1,
            Err(error) if is_refusal(&error) => {
                refused.push(json!({ "id": id, "reason": error.to_string() }));
            }
            Err(error) => return HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
        }
    }
    tracing::info!(
        pushes = done,
        refused = refused.len(),
        act = act.name(),
        "An operator has dealt with pushes."
    );
    HttpResponse::Ok().json(json!({ "done": done, "refused": refused }))
}

/// Whether it is about the push, and not about the store.
fn is_refusal(error: &ReplayError) -> bool {
    matches!(
        error,
        ReplayError::Missing(_)
            | ReplayError::Handled(_)
            | ReplayError::Unreadable { .. }
            | ReplayError::Store(StoreError::Conflict(_))
    )
}
