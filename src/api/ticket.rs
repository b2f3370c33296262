//! JS-SDK tickets (jsapi_ticket, and api_ticket for cards): asked for as rarely as possible.
//!
//! While a ticket is current the platform gives the same one again, and says `expires_in` 7200 again;
//! so its age counts from when it was first seen here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::api::call::Ask;
use crate::api::endpoint::FromAnswer as _;
use crate::api::{Api, CallError};
use crate::id::AppId;
use crate::platform::exchange::{Answer, Call};
use crate::secret::JsTicket;
use crate::token::TokenError;
use crate::token::flight::Flight;

/// The remaining life below which a ticket is asked for anew while it is still used.
pub const TICKET_RENEWAL_WINDOW: Duration = Duration::from_secs(300);

/// The pause between questions that bring the same ticket, or none.
const PAUSE: Duration = Duration::from_secs(15);

/// Seconds beyond which an `expires_in` is not believed.
const LONGEST_LIFE_SECONDS: u64 = 86_400;

/// What a ticket signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// Pages that use the JS-SDK (jsapi_ticket).
    JsApi,
    /// Cards that pages offer (api_ticket).
    Card,
}

impl TicketKind {
    /// The platform's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsApi => "jsapi",
            Self::Card => "wx_card",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::JsApi => "/cgi-bin/ticket/getticket?type=jsapi",
            Self::Card => "/cgi-bin/ticket/getticket?type=wx_card",
        }
    }
}

/// A ticket that may be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketLease {
    /// The ticket.
    pub ticket: JsTicket,
    /// What is left of its life, counted from when it was first seen.
    pub remaining: Duration,
}

#[derive(Debug, Clone)]
struct Held {
    ticket: JsTicket,
    life: Duration,
    first_seen: Duration,
    asked_at: Duration,
}

impl Held {
    fn remaining(&self, now: Duration) -> Duration {
        self.life
            .saturating_sub(now.saturating_sub(self.first_seen))
    }

    /// One that the platform has just given as current may be used, however old we think it is.
    fn is_usable(&self, now: Duration) -> bool {
        !self.remaining(now).is_zero() || now.saturating_sub(self.asked_at) < PAUSE
    }

    fn wants_renewal(&self, now: Duration) -> bool {
        self.remaining(now) <= TICKET_RENEWAL_WINDOW.min(self.life / 3)
    }

    fn lease(&self, now: Duration) -> TicketLease {
        TicketLease {
            ticket: self.ticket.clone(),
            remaining: self.remaining(now),
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<(Option<Held>, Option<Failure>)>,
    flight: Flight<Result<Held, Arc<CallError>>>,
}

#[derive(Debug)]
struct Failure {
    error: Arc<CallError>,
    at: Duration,
}

/// The tickets of all accounts.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<(AppId, TicketKind), Arc<Slot>>>);

impl Tickets {
    /// The number of slots is bounded by that of the accounts: [`Api::ticket`] asks for no others.
    fn slot(&self, account: &AppId, kind: TicketKind) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(|e| e.into_inner());
        Arc::clone(slots.entry((account.clone(), kind)).or_default())
    }
}

impl Slot {
    fn state(&self) -> std::sync::MutexGuard<'_, (Option<Held>, Option<Failure>)> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What serves without a question, or what the last one met a moment ago.
    fn at_hand(&self, now: Duration) -> Option<Result<TicketLease, Arc<CallError>>> {
        let state = self.state();
        let failed = state.1.as_ref();
        let failed = failed.filter(|failure| now.saturating_sub(failure.at) < PAUSE);
        let held = state.0.as_ref().filter(|held| held.is_usable(now));
        match (held, failed) {
            (Some(held), failed) => {
                let rests = failed.is_some() || now.saturating_sub(held.asked_at) < PAUSE;
                (rests || !held.wants_renewal(now)).then(|| Ok(held.lease(now)))
            }
            (None, Some(failure)) => Some(Err(Arc::clone(&failure.error))),
            (None, None) => None,
        }
    }

    /// Keeps an answer. The same ticket again keeps the time when it was first seen.
    fn keep(&self, outcome: &Result<Held, Arc<CallError>>, now: Duration) {
        let mut state = self.state();
        match outcome {
            Ok(given) => {
                let known = state.0.as_ref().filter(|held| held.ticket == given.ticket);
                let first_seen = known.map_or(given.first_seen, |held| held.first_seen);
                state.0 = Some(Held {
                    first_seen,
                    ..given.clone()
                });
                state.1 = None;
            }
            Err(error) => {
                let error = Arc::clone(error);
                state.1 = Some(Failure { error, at: now });
            }
        }
    }
}

impl Api {
    /// A JS-SDK ticket. However many callers there are, the platform is asked once; a ticket that is
    /// soon to end is served when the question for the next one fails.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The [`CallError`] that all who waited for one question share.
    pub async fn ticket(
        &self,
        account: &AppId,
        kind: TicketKind,
    ) -> Result<TicketLease, Arc<CallError>> {
        if !self.0.sources.contains_key(account) {
            let account = account.clone();
            return Err(Arc::new(CallError::NoSecret { account }));
        }
        let slot = self.0.tickets.slot(account, kind);
        if let Some(at_hand) = slot.at_hand(self.0.clock.monotonic()) {
            return at_hand;
        }
        let asking = || {
            let (api, slot) = (self.clone(), Arc::clone(&slot));
            let account = account.clone();
            async move {
                let outcome = api.ask_for_ticket(&account, kind).await.map_err(Arc::new);
                slot.keep(&outcome, api.0.clock.monotonic());
                if let Err(error) = &outcome {
                    tracing::warn!(account = %account, kind = kind.name(), error = %error,
                        "No JS-SDK ticket was given.");
                }
                outcome
            }
        };
        let outcome = slot.flight.join(asking).await;
        let now = self.0.clock.monotonic();
        if let Some(held) = slot.state().0.as_ref().filter(|held| held.is_usable(now)) {
            return Ok(held.lease(now));
        }
        match outcome {
            Some(Err(error)) => Err(error),
            _ => Err(Arc::new(CallError::Token(TokenError::Interrupted))),
        }
    }

    async fn ask_for_ticket(&self, account: &AppId, kind: TicketKind) -> Result<Held, CallError> {
        let asked_at = self.0.clock.monotonic();
        let ask = Ask {
            call: Call {
                timeout: self.0.settings.timeout,
                ..Call::get(kind.path())
            },
            quota: None,
            needs_token: true,
            may_be_a_file: false,
            // The pause between questions is kept here.
            patience: Duration::ZERO,
        };
        let answer = Answer::read(self.ask(account, &ask).await?)?;
        let ticket = answer.value.get("ticket").and_then(Value::as_str);
        let seconds = answer.value.get("expires_in").and_then(Value::as_u64);
        let believed = seconds.filter(|seconds| (1..=LONGEST_LIFE_SECONDS).contains(seconds));
        match (ticket.filter(|ticket| !ticket.is_empty()), believed) {
            (Some(ticket), Some(seconds)) => Ok(Held {
                ticket: JsTicket::new(ticket),
                life: Duration::from_secs(seconds),
                first_seen: asked_at,
                asked_at,
            }),
            (None, _) => Err(CallError::Answer {
                fault: "no ticket".into(),
            }),
            (_, None) => Err(CallError::Answer {
                fault: "no expires_in between 1 and 86400 seconds".into(),
            }),
        }
    }
}
