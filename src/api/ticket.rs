//! JS-SDK tickets (jsapi_ticket, and api_ticket for cards): kept like access tokens, in the same
//! store, and asked for by one process at a time.
//!
//! While a ticket is current the platform gives the same one again, and says `expires_in` 7200 again;
//! so its life counts from when it was first seen, by whichever process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::api::call::Ask;
use crate::api::endpoint::FromAnswer as _;
use crate::api::{Api, CallError, Inner};
use crate::clock::Clock;
use crate::id::AppId;
use crate::platform::exchange::{Answer, Call};
use crate::quota::{Purpose, QuotaKey};
use crate::secret::{AccessToken, JsTicket};
use crate::store::tokens::{TokenKey, TokenKind, Tokens};
use crate::token::mint::{Mint, Minted};
use crate::token::{Keeper, TokenError};

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
        self.kept_as().name()
    }

    const fn kept_as(self) -> TokenKind {
        match self {
            Self::JsApi => TokenKind::JsapiTicket,
            Self::Card => TokenKind::CardTicket,
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

/// The tickets of all accounts, and where they are kept.
#[derive(Debug)]
pub(super) struct Tickets {
    store: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    keepers: Mutex<HashMap<(AppId, TicketKind), Arc<Keeper>>>,
}

impl Tickets {
    pub(super) fn kept_in(store: Arc<dyn Tokens>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            keepers: Mutex::default(),
        }
    }

    /// The number of keepers is bounded by that of the accounts: [`Api::ticket`] asks for no others.
    fn keeper(&self, api: &Api, account: &AppId, kind: TicketKind) -> Arc<Keeper> {
        let mut keepers = self.keepers.lock().unwrap_or_else(|e| e.into_inner());
        let keeper = keepers.entry((account.clone(), kind)).or_insert_with(|| {
            let key = TokenKey {
                account: account.clone(),
                kind: kind.kept_as(),
            };
            let mint = Arc::new(TicketMint {
                api: Arc::downgrade(&api.0),
                account: account.clone(),
                kind,
            });
            let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
            Arc::new(Keeper::minting(key, mint, store, clock))
        });
        Arc::clone(keeper)
    }
}

/// Asks for one kind of ticket, with the account's access token.
#[derive(Debug)]
struct TicketMint {
    /// It holds the keeper that holds this.
    api: Weak<Inner>,
    account: AppId,
    kind: TicketKind,
}

impl Mint for TicketMint {
    fn mint(&self) -> BoxFuture<'_, Result<Minted, TokenError>> {
        Box::pin(async move {
            let api = Api(
                self.api.upgrade().ok_or(TokenError::Interrupted)?,
                Purpose::Interactive,
            );
            let asked = api.ask_for_ticket(&self.account, self.kind).await;
            asked.map_err(|error| TokenError::Ticket {
                kind: self.kind.name(),
                code: error.code(),
                source: Arc::new(error),
            })
        })
    }
}

impl Api {
    /// A JS-SDK ticket. However many callers and processes there are, the platform is asked once; a
    /// ticket that is soon to end is served while the next one is asked for.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`CallError`] when there is no ticket.
    pub async fn ticket(
        &self,
        account: &AppId,
        kind: TicketKind,
    ) -> Result<TicketLease, CallError> {
        if !self.0.sources.contains_key(account) {
            let account = account.clone();
            return Err(CallError::NoSecret { account });
        }
        let lease = self.0.tickets.keeper(self, account, kind).token().await?;
        Ok(TicketLease {
            ticket: JsTicket::new(lease.token.expose()),
            remaining: lease.remaining,
        })
    }

    async fn ask_for_ticket(&self, account: &AppId, kind: TicketKind) -> Result<Minted, CallError> {
        let ask = Ask {
            call: Call {
                timeout: self.0.settings.timeout,
                ..Call::get(kind.path())
            },
            quota: Some(QuotaKey::TICKET),
            needs_token: true,
            may_be_a_file: false,
            // The pause between questions is the keeper's.
            patience: Duration::ZERO,
        };
        let answer = Answer::read(self.ask(account, &ask).await?)?;
        let ticket = answer.value.get("ticket").and_then(Value::as_str);
        let seconds = answer.value.get("expires_in").and_then(Value::as_u64);
        let believed = seconds.filter(|seconds| (1..=LONGEST_LIFE_SECONDS).contains(seconds));
        match (ticket.filter(|ticket| !ticket.is_empty()), believed) {
            (Some(ticket), Some(seconds)) => Ok(Minted {
                token: AccessToken::new(ticket),
                lifetime: Duration::from_secs(seconds),
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
