//! The central token service without its door: whose tokens, who used them, who caused renewals.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::platform::skew::ClockSkew;
use crate::store::memory_tokens::MemoryTokens;
use crate::store::tokens::{Note, TokensError};
use crate::store::usage::{ClientUse, TokenUsage};
use crate::token::renewal::within;
use crate::token::{Asked, Lease, Status, Suspect, TokenError, TokenSource};

/// How long uses are only counted before they are stored: what a process that is killed takes along.
pub const COUNTED_FOR: Duration = Duration::from_secs(10);

/// What is known of one account's tokens, without a token.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The account's name in the configuration.
    pub name: String,
    /// The account.
    pub account: AppId,
    /// Where its tokens come from.
    pub origin: String,
    /// What this process knows of the token; `None` before the first one.
    pub status: Option<Status>,
    /// Why no token could be had the last time, if none was had since.
    pub failure: Option<TokenError>,
    /// What the platform was asked, by all processes, oldest first.
    pub history: Vec<Note>,
    /// Who used it, by all processes, the last one first.
    pub uses: Vec<ClientUse>,
    /// Why history and uses are not whole.
    pub missing: Option<TokensError>,
}

/// The token service: the sources of all accounts, and the count of who used them. Questions run on
/// the runtime that it was given, so that a caller that goes away breaks nothing off.
#[derive(Debug)]
pub struct Central {
    sources: HashMap<AppId, Arc<dyn TokenSource>>,
    names: BTreeMap<String, AppId>,
    runtime: Handle,
    counting: Arc<Counting>,
    clock: Arc<dyn Clock>,
    skew: Option<Arc<ClockSkew>>,
}

/// Uses that are not stored yet. As many entries as there are clients in the configuration.
#[derive(Debug)]
struct Counting {
    usage: Arc<dyn TokenUsage>,
    counted: Mutex<Counted>,
}

type Counted = HashMap<AppId, BTreeMap<String, ClientUse>>;

impl Counting {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn count(&self, account: &AppId, new: ClientUse) {
        let mut counted = self.counted();
        // Looked up by reference first: most uses are of a client that was counted before.
        if !counted.contains_key(account) {
            counted.insert(account.clone(), BTreeMap::new());
        }
        if let Some(clients) = counted.get_mut(account) {
            match clients.get_mut(&new.client) {
                Some(known) => known.add(&new),
                None => drop(clients.insert(new.client.clone(), new)),
            }
        }
    }

    /// Stores what was counted; what cannot be stored is counted on.
    async fn store(&self) -> Result<(), TokensError> {
        let counted = std::mem::take(&mut *self.counted());
        let mut failure = None;
        for (account, clients) in counted {
            let uses: Vec<ClientUse> = clients.into_values().collect();
            let stored = match &failure {
                None => within(self.usage.add(&account, &uses)).await,
                Some(error) => Err(TokensError::clone(error)),
            };
            if let Err(error) = stored {
                for new in uses {
                    self.count(&account, new);
                }
                failure = Some(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Stores what was counted, again and again, while somebody counts.
async fn store_repeatedly(counting: Weak<Counting>) {
    loop {
        tokio::time::sleep(COUNTED_FOR).await;
        let Some(counting) = counting.upgrade() else {
            return;
        };
        if let Err(error) = counting.store().await {
            tracing::debug!(error = %error, "Who used tokens is not stored yet.");
        }
    }
}

impl Central {
    /// Puts the parts together; `names` are the accounts' names in the configuration. Uses are counted
    /// in memory, until [`Central::counting_in`] names a store.
    pub fn new(
        sources: Vec<Arc<dyn TokenSource>>,
        names: BTreeMap<String, AppId>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        let named = |source: Arc<dyn TokenSource>| (source.account().clone(), source);
        let usage = MemoryTokens::new(Arc::clone(&clock));
        Self {
            sources: sources.into_iter().map(named).collect(),
            names,
            runtime,
            counting: Self::count_in(usage),
            clock,
            skew: None,
        }
    }

    /// Counts uses where all processes do that share this store.
    pub fn counting_in(mut self, usage: Arc<dyn TokenUsage>) -> Self {
        self.counting = Self::count_in(usage);
        self.runtime
            .spawn(store_repeatedly(Arc::downgrade(&self.counting)));
        self
    }

    /// Tells how far this machine's clock is off.
    pub fn comparing_clocks(mut self, skew: Arc<ClockSkew>) -> Self {
        self.skew = Some(skew);
        self
    }

    /// By how many seconds the platform's clock is ahead of ours, when that is too much.
    pub fn clock_skew(&self) -> Option<i64> {
        self.skew.as_ref()?.beyond_tolerance()
    }

    fn count_in(usage: Arc<dyn TokenUsage>) -> Arc<Counting> {
        Arc::new(Counting {
            usage,
            counted: Mutex::default(),
        })
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
        let new = ClientUse {
            client: who.to_owned(),
            reads: 1,
            last_read_at: self.clock.now(),
            ..ClientUse::default()
        };
        self.counting.count(account, new);
        self.answer(account, who, Asked::Token).await
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
        let new = ClientUse {
            client: who.to_owned(),
            reports: 1,
            last_report_at: self.clock.now(),
            last_errcode: code.0,
            ..ClientUse::default()
        };
        self.counting.count(account, new);
        let asked = Asked::Replacement(failed, code);
        self.answer(account, who, asked).await
    }

    /// Has the platform asked once, unless it gave the token a moment ago. Nothing is forced: it may
    /// give the same token again.
    ///
    /// # Errors
    /// [`TokenError`] when there is no token then.
    pub async fn refresh(&self, account: &AppId, who: &str) -> Result<Lease, TokenError> {
        self.answer(account, who, Asked::Confirmation).await
    }

    async fn answer(&self, account: &AppId, who: &str, asked: Asked) -> Result<Lease, TokenError> {
        let Some(source) = self.sources.get(account).cloned() else {
            return Err(TokenError::Interrupted);
        };
        let who = who.to_owned();
        let asking = self
            .runtime
            .spawn(async move { source.serve(&who, &asked).await });
        asking.await.unwrap_or(Err(TokenError::Interrupted))
    }

    /// Stores who used tokens, as far as it is not stored yet.
    ///
    /// # Errors
    /// [`TokensError`] when the store is away; what was counted is kept.
    pub async fn store_uses(&self) -> Result<(), TokensError> {
        let counting = Arc::clone(&self.counting);
        let storing = self.runtime.spawn(async move { counting.store().await });
        storing
            .await
            .unwrap_or_else(|_| Err(TokensError::away("the server stops")))
    }

    /// What this process knows of every account's tokens, by name. Asks nobody.
    pub fn at_hand(&self) -> Vec<Overview> {
        let overview = |(name, account): (&String, &AppId)| {
            let source = self.sources.get(account)?;
            Some(Overview {
                name: name.clone(),
                account: account.clone(),
                origin: source.origin().to_owned(),
                status: source.status(),
                failure: source.failure(),
                history: Vec::new(),
                uses: Vec::new(),
                missing: None,
            })
        };
        self.names.iter().filter_map(overview).collect()
    }

    /// What is known of every account's tokens, by name, with what the store holds.
    pub async fn overviews(&self) -> Vec<Overview> {
        let mut missing = self.store_uses().await.err();
        let mut overviews = self.at_hand();
        for overview in &mut overviews {
            let account = &overview.account;
            let Some(source) = self.sources.get(account) else {
                continue;
            };
            if missing.is_none() {
                match self.stored(source, account).await {
                    Ok((history, uses)) => (overview.history, overview.uses) = (history, uses),
                    Err(error) => missing = Some(error),
                }
            }
            overview.missing.clone_from(&missing);
        }
        overviews
    }

    async fn stored(
        &self,
        source: &Arc<dyn TokenSource>,
        account: &AppId,
    ) -> Result<(Vec<Note>, Vec<ClientUse>), TokensError> {
        let (source, account) = (Arc::clone(source), account.clone());
        let counting = Arc::clone(&self.counting);
        let looking = self.runtime.spawn(async move {
            let history = source.history().await?;
            let uses = within(counting.usage.uses(&account)).await?;
            Ok((history, uses))
        });
        looking
            .await
            .unwrap_or_else(|_| Err(TokensError::away("the server stops")))
    }
}
