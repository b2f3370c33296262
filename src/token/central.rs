//! The central token service without its door: whose tokens, who read them, who caused renewals.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::token::{Lease, Suspect, TokenError, TokenSource};

/// Notes kept of each account: of its reads and reports, and of its renewals.
pub const NOTES: usize = 64;

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// The token.
    Read,
    /// That a token was refused with this code.
    Report(ErrorCode),
    /// An operator wants the platform to be asked.
    Refresh,
}

impl Asked {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Report(_) => "report",
            Self::Refresh => "refresh",
        }
    }
}

/// One who asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// The client's name; `admin` for the admin key.
    pub who: String,
    /// What.
    pub asked: Asked,
    /// The generation that was given; `None` when there was no token.
    pub generation: Option<u64>,
}

/// Another token than before, and who was the first to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// When it was first seen.
    pub at: Timestamp,
    /// Its generation.
    pub generation: u64,
    /// Who caused it: a client, or `wxhook` when nobody's question did.
    pub who: String,
    /// By what; `None` when nobody's question did: it was renewed ahead of time, or for a call of
    /// this server's own.
    pub asked: Option<Asked>,
}

/// What is known of one account's tokens, without a token.
#[derive(Debug, Clone)]
pub struct Status {
    /// The account's name in the configuration.
    pub name: String,
    /// The account.
    pub account: AppId,
    /// Where its tokens come from.
    pub origin: String,
    /// The generation and the remaining seconds of the one in hand.
    pub held: Option<(u64, u64)>,
    /// Renewals, oldest first.
    pub renewals: Vec<Renewal>,
    /// Who asked, oldest first.
    pub notes: Vec<Note>,
}

#[derive(Debug, Default)]
struct Book {
    notes: VecDeque<Note>,
    renewals: VecDeque<Renewal>,
}

/// The token service: the sources of all accounts, and the book of who used them. Questions run on
/// the runtime that it was given, so that a caller that goes away breaks nothing off.
#[derive(Debug)]
pub struct Central {
    sources: HashMap<AppId, Arc<dyn TokenSource>>,
    names: BTreeMap<String, AppId>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    books: Mutex<HashMap<AppId, Book>>,
}

fn keep<T>(kept: &mut VecDeque<T>, value: T) {
    if kept.len() == NOTES {
        kept.pop_front();
    }
    kept.push_back(value);
}

impl Central {
    /// Puts the parts together; `names` are the accounts' names in the configuration.
    pub fn new(
        sources: Vec<Arc<dyn TokenSource>>,
        names: BTreeMap<String, AppId>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        let named = |source: Arc<dyn TokenSource>| (source.account().clone(), source);
        Self {
            sources: sources.into_iter().map(named).collect(),
            names,
            clock,
            runtime,
            books: Mutex::default(),
        }
    }

    /// The account of a configured name or an AppID, if it has tokens.
    pub fn account(&self, name: &str) -> Option<&AppId> {
        let by_name = self.names.get(name);
        let account = by_name.or_else(|| self.names.values().find(|id| id.as_str() == name))?;
        self.sources.contains_key(account).then_some(account)
    }

    /// The runtime on which questions run.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The account's token, for `who`.
    ///
    /// # Errors
    /// [`TokenError`] when there is none.
    pub async fn read(&self, account: &AppId, who: &str) -> Result<Lease, TokenError> {
        self.answer(account, who, Asked::Read, None).await
    }

    /// A refused token, reported by `who`; gives the one to use instead.
    ///
    /// # Errors
    /// [`TokenError`] when there is none.
    pub async fn report(
        &self,
        account: &AppId,
        who: &str,
        failed: Suspect,
        code: ErrorCode,
    ) -> Result<Lease, TokenError> {
        let asked = Asked::Report(code);
        self.answer(account, who, asked, Some(failed)).await
    }

    /// Has the platform asked once, as after a refusal of the token in hand. Nothing is forced: the
    /// platform may give the same token again.
    ///
    /// # Errors
    /// [`TokenError`] when there is no token then.
    pub async fn refresh(&self, account: &AppId, who: &str) -> Result<Lease, TokenError> {
        let held = self.sources.get(account).and_then(|source| source.held());
        let current = held.map(|lease| Suspect::Generation(lease.generation));
        self.answer(account, who, Asked::Refresh, current).await
    }

    async fn answer(
        &self,
        account: &AppId,
        who: &str,
        asked: Asked,
        failed: Option<Suspect>,
    ) -> Result<Lease, TokenError> {
        let Some(source) = self.sources.get(account).cloned() else {
            return Err(TokenError::Interrupted);
        };
        let code = match asked {
            Asked::Report(code) => code,
            _ => ErrorCode::TOKEN_NOT_LATEST,
        };
        let before = source.held().map(|lease| lease.generation);
        let asking = self.runtime.spawn(async move {
            match failed {
                Some(failed) => source.report(&failed, code).await,
                None => source.token().await,
            }
        });
        let outcome = asking.await.unwrap_or(Err(TokenError::Interrupted));
        let given = outcome.as_ref().ok().map(|lease| lease.generation);
        self.note(account, who, asked, (before, given));
        outcome
    }

    fn note(&self, account: &AppId, who: &str, asked: Asked, change: (Option<u64>, Option<u64>)) {
        let at = self.clock.now();
        let (before, generation) = change;
        let mut books = self.books.lock().unwrap_or_else(|e| e.into_inner());
        let book = books.entry(account.clone()).or_default();
        let last = book.renewals.back().map(|renewal| renewal.generation);
        if let Some(generation) = generation.filter(|given| last.is_none_or(|last| *given > last)) {
            let caused = before != Some(generation);
            let renewal = Renewal {
                at,
                generation,
                who: if caused { who } else { "wxhook" }.to_owned(),
                asked: caused.then_some(asked),
            };
            keep(&mut book.renewals, renewal);
        }
        let who = who.to_owned();
        keep(
            &mut book.notes,
            Note {
                at,
                who,
                asked,
                generation,
            },
        );
        drop(books);
        tracing::debug!(account = %account, asked = asked.name(), generation, "A token was asked for.");
    }

    /// What is known of every account's tokens, by name.
    pub fn statuses(&self) -> Vec<Status> {
        let books = self.books.lock().unwrap_or_else(|e| e.into_inner());
        let status = |(name, account): (&String, &AppId)| {
            let source = self.sources.get(account)?;
            let book = books.get(account);
            Some(Status {
                name: name.clone(),
                account: account.clone(),
                origin: source.origin().to_owned(),
                held: source
                    .held()
                    .map(|lease| (lease.generation, lease.remaining.as_secs())),
                renewals: book
                    .map_or_else(Vec::new, |book| book.renewals.iter().cloned().collect()),
                notes: book.map_or_else(Vec::new, |book| book.notes.iter().cloned().collect()),
            })
        };
        self.names.iter().filter_map(status).collect()
    }
}
