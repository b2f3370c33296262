//! The sending windows as the engine keeps them: fed by what comes in, asked before anything goes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, Timestamp};
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::{Act, Kind};
use crate::quota::window::{Closed, Settings, Standing, Taken, Windows};
use crate::store::{Inbox, Part, PartState, StoreError, StoredPush};

/// When the cursor is further behind what is stored, a user may have acted without our knowing.
const BEHIND: i64 = 1_000;

/// Pushes from before this process that are read at once.
const PAGE: usize = 256;

/// The windows, if they are to be looked at.
pub(crate) struct WindowKeeper {
    windows: Option<OfAccounts>,
    longest: Duration,
    clock: Arc<dyn Clock>,
    /// What was stored before this process: it is remembered, what is above is seen.
    born: PushId,
    began: Timestamp,
    newest: watch::Receiver<PushId>,
    /// Everything up to here was seen.
    seen: AtomicI64,
}

/// The windows of the accounts that have figures of their own, and of all others.
struct OfAccounts {
    own: BTreeMap<AppId, Mutex<Windows>>,
    others: Mutex<Windows>,
}

impl OfAccounts {
    fn of(&self, account: &AppId) -> MutexGuard<'_, Windows> {
        lock(self.own.get(account).unwrap_or(&self.others))
    }

    fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Windows>> {
        self.own.values().chain([&self.others]).map(lock)
    }
}

impl WindowKeeper {
    /// Counts by `settings`, and by `own` where an account has figures of its own.
    pub(crate) fn new(
        settings: &Settings,
        own: &BTreeMap<AppId, Settings>,
        inbox: &Arc<dyn Inbox>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let newest = inbox.newest();
        let born = *newest.borrow();
        let began = clock.now();
        let windows = |settings: &Settings| Mutex::new(Windows::new(settings.clone(), began));
        let of_accounts = || OfAccounts {
            own: own
                .iter()
                .map(|(account, settings)| (account.clone(), windows(settings)))
                .collect(),
            others: windows(settings),
        };
        let longest = own.values().map(Settings::longest).max();
        Self {
            windows: settings.check.then(of_accounts),
            longest: longest.unwrap_or_default().max(settings.longest()),
            clock: Arc::clone(clock),
            born,
            began,
            newest,
            seen: AtomicI64::new(born.0),
        }
    }

    /// Notes what users did, in the order of acceptance, up to this push.
    pub(crate) fn see(&self, pushes: &[StoredPush], upto: PushId) {
        let Some(windows) = &self.windows else {
            return;
        };
        let new = pushes.iter().filter(|push| push.id > self.born);
        // Reading outside the lock.
        let acts: Vec<_> = new.filter_map(|push| Some((push, act(push)?))).collect();
        for (push, (act, create_time)) in acts {
            let (account, user) = (&push.account, &push.user);
            let mut windows = windows.of(account);
            windows.acted(account, user, act, create_time, push.received_at);
        }
        self.seen.fetch_max(upto.0, Ordering::Release);
    }

    /// Whether windows are looked at at all.
    pub(crate) fn checks(&self) -> bool {
        self.windows.is_some()
    }

    /// Whether this user may be written to.
    pub(crate) fn standing(&self, account: &AppId, user: &OpenId) -> Standing {
        let Some(windows) = &self.windows else {
            return Standing::Unknown;
        };
        let standing = windows
            .of(account)
            .standing(self.clock.now(), account, user);
        match standing {
            Standing::Closed(_) if self.is_behind() => Standing::Unknown,
            standing => standing,
        }
    }

    /// Takes one message out of the user's grants.
    ///
    /// # Errors
    /// [`Closed`]: the platform would refuse it.
    pub(crate) fn take(self: &Arc<Self>, account: &AppId, user: &OpenId) -> Result<Grant, Closed> {
        let now = self.clock.now();
        let taken = match &self.windows {
            Some(windows) => windows.of(account).take(now, account, user).map(Some),
            None => Ok(None),
        };
        let taken = match taken {
            Err(_) if self.is_behind() => None,
            taken => taken?,
        };
        Ok(Grant {
            keeper: Arc::clone(self),
            account: account.clone(),
            taken,
        })
    }

    /// Remembers what the store still has of the time before this process, page by page.
    ///
    /// # Errors
    /// The store's. What is not remembered stays unknown, and is tried.
    pub(crate) async fn remember(&self, inbox: &Arc<dyn Inbox>) -> Result<(), StoreError> {
        let Some(windows) = &self.windows else {
            return Ok(());
        };
        let long_ago = self.began.milliseconds() - millis(self.longest);
        let since = Timestamp::from_milliseconds(long_ago);
        let mut after = PushId(PushId::next(PushId::ZERO, since).0 - 1);
        let mut sent: Vec<Part> = Vec::new();
        loop {
            let past = inbox.past(after, self.born, PAGE).await?;
            sent.extend(past.parts.into_iter().filter(|part| self.was_sent(part)));
            sent.sort_by_key(|part| part.changed_at);
            let mut due = sent.drain(..).peekable();
            let remember_sent = |part: Part| {
                let mut windows = windows.of(&part.account);
                windows.remember_sent(&part.account, &part.to, part.changed_at);
            };
            for push in &past.pushes {
                while let Some(part) = due.next_if(|part| part.changed_at < push.received_at) {
                    remember_sent(part);
                }
                if let Some((act, create_time)) = act(push) {
                    let (account, user) = (&push.account, &push.user);
                    let mut windows = windows.of(account);
                    windows.remember_act(account, user, act, create_time, push.received_at);
                }
            }
            let Some(last) = past.pushes.last() else {
                due.for_each(remember_sent);
                let complete_since = past.complete_since;
                windows
                    .all()
                    .for_each(|mut windows| windows.remembered(complete_since));
                return Ok(());
            };
            after = last.id;
            let later: Vec<_> = due.collect();
            sent = later;
        }
    }

    /// Whether a message used up a grant before this process began.
    fn was_sent(&self, part: &Part) -> bool {
        let is_call = part.passive.is_none();
        let may_have_left = matches!(part.state, PartState::Sent | PartState::Unknown);
        is_call && may_have_left && part.changed_at <= self.began
    }

    /// Whether users may have done something that is stored and was not seen yet.
    fn is_behind(&self) -> bool {
        let milliseconds = |id: i64| id >> 20;
        let newest = milliseconds(self.newest.borrow().0);
        newest - milliseconds(self.seen.load(Ordering::Acquire)) > BEHIND
    }
}

/// The windows of an engine, for messages that are sent beside it: they use up the same grants. Until
/// the engine runs nothing is known, and everybody may be tried.
#[derive(Clone, Default)]
pub struct SharedWindows(Arc<OnceLock<Arc<WindowKeeper>>>);

impl SharedWindows {
    /// From now on these windows are asked. Those of the first engine stay.
    pub(crate) fn share(&self, windows: &Arc<WindowKeeper>) {
        drop(self.0.set(Arc::clone(windows)));
    }

    /// Takes one message out of the user's grants; `None` where nothing is known of any.
    ///
    /// # Errors
    /// [`Closed`]: the platform would refuse it.
    pub(crate) fn take(&self, account: &AppId, user: &OpenId) -> Result<Option<Grant>, Closed> {
        let windows = self.0.get();
        windows
            .map(|windows| windows.take(account, user))
            .transpose()
    }
}

impl fmt::Debug for SharedWindows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedWindows")
            .field(&self.0.get().is_some())
            .finish()
    }
}

/// A message taken out of its user's grants. Dropped, it is given back.
pub(crate) struct Grant {
    keeper: Arc<WindowKeeper>,
    account: AppId,
    taken: Option<Taken>,
}

impl Grant {
    /// Until when it may be sent, if that is known.
    pub(crate) fn closes_at(&self) -> Option<Timestamp> {
        self.taken.as_ref()?.closes_at()
    }

    /// The message was delivered, or may have been.
    pub(crate) fn spend(mut self) {
        self.taken = None;
    }

    /// The platform refused the message with this code.
    pub(crate) fn refuse(self, code: i64) {
        if let (Some(taken), Some(windows)) = (&self.taken, &self.keeper.windows) {
            let mut windows = windows.of(&self.account);
            windows.refused(self.keeper.clock.now(), taken, code);
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if let (Some(taken), Some(windows)) = (&self.taken, &self.keeper.windows) {
            windows.of(&self.account).give_back(taken);
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grant").field(&self.closes_at()).finish()
    }
}

/// What the user of a push did, as far as it concerns windows.
fn act(push: &StoredPush) -> Option<(Act, Option<i64>)> {
    match push.kind {
        Kind::Message | Kind::Event if !push.user.as_str().is_empty() => {
            Act::read(&push.account, &push.body)
        }
        _ => None,
    }
}

fn lock(windows: &Mutex<Windows>) -> MutexGuard<'_, Windows> {
    windows.lock().unwrap_or_else(|e| e.into_inner())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
