//! Dealing with pushes from a command: by the running server if there is one, else in the store itself.

use std::io::ErrorKind;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::admin::ask_with;
use super::output::Failure;
use crate::app::find_admin_key;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::dispatch::{ReplayError, Replays};
use crate::http::operate::BATCH;
use crate::id::PushId;
use crate::store::embedded::Embedded;
use crate::store::{Inbox, StoreError};

/// What is done about a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It is handled again.
    Replay,
    /// It is put away.
    Discard,
}

/// What was done about many.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tally {
    /// How many it was done about.
    pub(super) done: usize,
    /// About which not, and why.
    pub(super) refused: Vec<Refusal>,
}

/// A push that was left as it is.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) id: String,
    pub(super) reason: String,
}

/// Who does it.
pub(super) enum Operator<'a> {
    /// The running server.
    Server(&'a Config),
    /// This process, which holds the store: no server runs.
    Here(Replays, tokio::runtime::Runtime),
}

/// Pushes of one step.
pub(super) const STEP: usize = BATCH;

impl<'a> Operator<'a> {
    /// Finds out who does it.
    pub(super) fn find(config: &'a Config) -> Result<Self, Failure> {
        let probe = ask_with(config, ("GET", "/healthz"), None, "");
        match probe {
            Ok(_) => Ok(Self::Server(config)),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
                let inbox: Arc<dyn Inbox> =
                    Embedded::open(config.store.clone(), Arc::clone(&clock))
                        .map_err(Failure::failed)?;
                let replays = Replays::detached(inbox, clock);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .map_err(Failure::failed)?;
                Ok(Self::Here(replays, runtime))
            }
            Err(error) => Err(unreachable(config, &error)),
        }
    }

    /// Does it about so many pushes, at most [`STEP`], in their order.
    pub(super) fn act(&self, act: Act, ids: &[PushId]) -> Result<Tally, Failure> {
        match self {
            Self::Server(config) => ask_server(config, act, ids),
            Self::Here(replays, runtime) => runtime.block_on(act_here(replays, act, ids)),
        }
    }

    /// Who handles what is pending now.
    pub(super) const fn handler(&self) -> &'static str {
        match self {
            Self::Server(_) => "the running server",
            Self::Here(..) => "the next `wxhook serve`",
        }
    }
}

fn ask_server(config: &Config, act: Act, ids: &[PushId]) -> Result<Tally, Failure> {
    let key = find_admin_key(config).map_err(Failure::failed)?;
    let path = match act {
        Act::Replay => "/v1/inbox/replay",
        Act::Discard => "/v1/inbox/discard",
    };
    let ids: Vec<String> = ids.iter().map(PushId::to_string).collect();
    let body = json!({ "ids": ids }).to_string();
    let answer = ask_with(config, ("POST", path), key.as_ref(), &body)
        .map_err(|error| unreachable(config, &error))?;
    if answer.status != 200 {
        return Err(Failure::failed(answer.body));
    }
    serde_json::from_str(&answer.body)
        .map_err(|error| Failure::failed(format!("the server's answer cannot be read: {error}")))
}

async fn act_here(replays: &Replays, act: Act, ids: &[PushId]) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for id in ids {
        let outcome = match act {
            Act::Replay => replays.replay(*id, false).await,
            Act::Discard => replays.discard(*id).await,
        };
        match outcome {
            Ok(()) => tally.done += 1,
            Err(ReplayError::Store(error)) if !matches!(error, StoreError::Conflict(_)) => {
                return Err(Failure::failed(error));
            }
            Err(error) => tally.refused.push(Refusal {
                id: id.to_string(),
                reason: error.to_string(),
            }),
        }
    }
    Ok(tally)
}

fn unreachable(config: &Config, error: &std::io::Error) -> Failure {
    let address = config.http.admin_listen;
    Failure::failed(format!(
        "the server at http://{address} does not answer: {error}"
    ))
}
