//! May this user be written to now? The sending windows of customer messages (客服消息), as far as this
//! server saw what opens and what uses them.
//!
//! A user's act grants some messages for some time: one *grant* for each account, user and scene. An act
//! of the same scene replaces its grant, a message uses the grant that closes soonest, and what the
//! platform says wins over what is counted here. Nothing here reads a clock or waits.
//!
//! What was not seen is *unknown*, never *closed*: acts from before this server's memory reaches, and
//! users whose grants were dropped because there were too many. The unknown may be tried.
//!
//! Source: the page of custom/send for service accounts, read 2026-11, figures in force since
//! 2023-06-12. Not promised there: whether scenes are counted apart ([`Buckets`]), and that an act
//! refills instead of adding (so says the page of mini programs).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::{AppId, OpenId};
use crate::protocol::push::Act;

mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod user;

pub use settings::{Buckets, Figure, FigureError, MOST_LASTS, MOST_MESSAGES, Settings, USERS};
pub use standing::{Closed, Standing};

use user::{Scene, Shut, User, Why};

/// How much earlier than its request an act may have happened. WeChat gives a push up after four tries
/// of 5 s each, so what claims to be older was dated by a clock that differs from ours.
const LONGEST_DELIVERY: Duration = Duration::from_secs(20);

/// How long a user whose windows have all closed is kept, so that a refusal can say when they closed.
const LINGER_SECONDS: u32 = 10 * 60;

/// Users looked at with each act, to forget those whose windows have closed.
const SWEPT: usize = 8;

/// Windows that last no longer than this are not guessed: what a user did in the last minutes before
/// this server's memory begins is in its store, or WeChat has repeated it.
const SHORT_SECONDS: u32 = 10 * 60;

/// A wall clock that goes back further than this has been set.
const CLOCK_STEP_SECONDS: u32 = 60;

/// An account's user, as 128 bits of a keyed hash: a text each would need twice the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u64; 2]);

/// The windows of all users of all accounts.
pub struct Windows {
    settings: Settings,
    keys: [RandomState; 2],
    users: HashMap<Key, User>,
    /// Whom to look at in which minute: every user stands here once.
    due: BTreeMap<u32, Vec<Key>>,
    /// Acts before this second may not have been seen, or are not remembered yet.
    blind_until: u32,
    /// Acts before this second may have been seen and dropped.
    dropped_until: u32,
    /// Whether what was before this process is still being read.
    remembering: bool,
    /// The latest second that was seen.
    latest: u32,
}

/// A message that was taken out of a user's grants. It is to be given back when it surely was not
/// delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    key: Key,
    /// When the grants that it was taken from were opened, in seconds; 0 where from none.
    from: [u32; Scene::COUNT],
    /// Acts of the user until then.
    turn: u8,
    closes_at: Option<Timestamp>,
}

impl Taken {
    /// Until when it may be sent; `None` when that is not known.
    pub fn closes_at(&self) -> Option<Timestamp> {
        self.closes_at
    }
}

impl Windows {
    /// Knows nothing of what happened before `now`, until it is told ([`Windows::remember_act`]).
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let now = seconds(now);
        Self {
            blind_until: before_delivery(now),
            settings,
            keys: [RandomState::new(), RandomState::new()],
            users: HashMap::new(),
            due: BTreeMap::new(),
            dropped_until: 0,
            remembering: true,
            latest: now,
        }
    }

    /// Users of whom anything is kept.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// A push was accepted: what its user did, when that was by the platform's clock (`CreateTime`),
    /// and when its request was seen here.
    ///
    /// The window begins with the act, not with its request; but a `CreateTime` that no honest delivery
    /// explains only shows that two clocks differ, and is not followed further.
    pub fn acted(
        &mut self,
        account: &AppId,
        user: &OpenId,
        act: Act,
        create_time: Option<i64>,
        received_at: Timestamp,
    ) {
        let now = self.tick(received_at);
        self.sweep(now);
        let key = self.key(account, user);
        let opened = opened(create_time, received_at);
        match act {
            Act::Opens(window) => {
                let figure = self.settings.figure(window);
                self.user(key, now).open(window.into(), opened, figure);
                self.expect(key, now, opened.saturating_add(figure.seconds()));
            }
            Act::ClosesAll => {
                let shut = Shut::new(now, Why::Unfollowed);
                self.shut(key, now, shut);
            }
        }
    }

    /// Whether this user may be written to.
    pub fn standing(&self, now: Timestamp, account: &AppId, user: &OpenId) -> Standing {
        let now = seconds(now);
        let user = self.users.get(&self.key(account, user));
        let open = user.map_or((0, None), |user| user.open_now(&self.settings, now));
        match open {
            (1.., Some(closes)) => Standing::Open {
                remaining: open.0,
                closes_at: timestamp(closes),
            },
            _ if self.may_be_open(user, now) => Standing::Unknown,
            _ => Standing::Closed(self.why_closed(user, now)),
        }
    }

    /// Takes one message out of the user's grants.
    ///
    /// # Errors
    /// [`Closed`] says why none may be sent: the platform would refuse it.
    pub fn take(
        &mut self,
        now: Timestamp,
        account: &AppId,
        user: &OpenId,
    ) -> Result<Taken, Closed> {
        let now = self.tick(now);
        self.sweep(now);
        let key = self.key(account, user);
        let mut taken = Taken {
            key,
            from: [0; Scene::COUNT],
            turn: 0,
            closes_at: None,
        };
        if let Some(user) = self.users.get_mut(&key) {
            taken.turn = user.turn();
            let (remaining, closes) = user.open_now(&self.settings, now);
            if remaining > 0 {
                taken.closes_at = closes.map(timestamp);
                taken.from = user.spend(&self.settings, now);
                return Ok(taken);
            }
        }
        if !self.may_be_open(self.users.get(&key), now) {
            return Err(self.why_closed(self.users.get(&key), now));
        }
        if self.remembering {
            // Its grant may yet be remembered.
            self.user(key, now).owe();
            let longest = self.settings.longest_seconds();
            self.expect(key, now, now.saturating_add(longest));
        }
        Ok(taken)
    }

    /// Gives a message back that surely was not delivered.
    pub fn give_back(&mut self, taken: &Taken) {
        let settings = &self.settings;
        if let Some(user) = self.users.get_mut(&taken.key) {
            user.give_back(settings, &taken.from);
        }
    }

    /// The platform refused a message with a code that says that this user cannot be written to: no
    /// grant is left, unless the user has acted since it was taken. Whether the code says so.
    pub fn refused(&mut self, now: Timestamp, taken: &Taken, code: i64) -> bool {
        let Some(why) = Why::of_code(code) else {
            return false;
        };
        let now = self.tick(now);
        let known = self.users.get(&taken.key);
        if known.is_none_or(|user| user.turn() == taken.turn) {
            self.shut(taken.key, now, Shut::new(now, why));
        }
        true
    }

    /// An act from before this process, in the order of acceptance.
    pub fn remember_act(
        &mut self,
        account: &AppId,
        user: &OpenId,
        act: Act,
        create_time: Option<i64>,
        received_at: Timestamp,
    ) {
        let opened = opened(create_time, received_at);
        let key = self.key(account, user);
        let latest = self.latest;
        match act {
            Act::Opens(window) => {
                let figure = self.settings.figure(window);
                let closes = opened.saturating_add(figure.seconds());
                if closes > latest {
                    self.user(key, latest)
                        .remember(window.into(), opened, figure);
                    self.expect(key, latest, closes);
                }
            }
            Act::ClosesAll => {
                let shut = Shut::new(opened, Why::Unfollowed);
                if self.users.contains_key(&key) {
                    self.shut(key, latest, shut);
                }
            }
        }
    }

    /// A message from before this process, that the platform took or may have taken.
    pub fn remember_sent(&mut self, account: &AppId, user: &OpenId, at: Timestamp) {
        let key = self.key(account, user);
        let settings = &self.settings;
        if let Some(user) = self.users.get_mut(&key) {
            user.remember_sent(settings, seconds(at));
        }
    }

    /// All that is kept from before this process was told: everything since then.
    pub fn remembered(&mut self, complete_since: Option<Timestamp>) {
        self.remembering = false;
        if let Some(since) = complete_since {
            self.blind_until = self.blind_until.min(before_delivery(seconds(since)));
        }
    }

    /// Whether an act that was not seen may have opened a window that is open still.
    fn may_be_open(&self, user: Option<&User>, now: u32) -> bool {
        let known_since = |scene| user.map_or(0, |user| user.known_since(scene));
        Scene::ALL.into_iter().any(|scene| {
            let lasts = self.settings.figure(scene.into()).seconds();
            let since = known_since(scene).max(now.saturating_sub(lasts));
            let is_guessed = self.remembering || lasts > SHORT_SECONDS;
            since < self.dropped_until || (is_guessed && since < self.blind_until)
        })
    }

    fn why_closed(&self, user: Option<&User>, now: u32) -> Closed {
        let why = user.and_then(|user| user.why_closed(&self.settings, now));
        why.unwrap_or(Closed::Silent {
            lasts: self.settings.longest(),
        })
    }

    fn shut(&mut self, key: Key, now: u32, shut: Shut) {
        self.user(key, now).shut(shut);
        let longest = self.settings.longest_seconds();
        self.expect(key, now, shut.at().saturating_add(longest));
    }

    fn key(&self, account: &AppId, user: &OpenId) -> Key {
        let whom = (account.as_str(), user.as_str());
        Key(self.keys.each_ref().map(|key| key.hash_one(whom)))
    }

    /// What is kept of a user, after making room for it.
    fn user(&mut self, key: Key, now: u32) -> &mut User {
        if self.users.len() >= self.settings.users && !self.users.contains_key(&key) {
            self.evict(now);
        }
        self.users.entry(key).or_default()
    }

    /// Has the user looked at after this second, if nobody will earlier.
    fn expect(&mut self, key: Key, now: u32, closes: u32) {
        if let Some(user) = self.users.get_mut(&key)
            && user.expect()
        {
            let minute = closes.max(now).saturating_add(LINGER_SECONDS) / 60;
            self.due.entry(minute).or_default().push(key);
        }
    }

    /// Forgets a few of those whose windows have closed.
    fn sweep(&mut self, now: u32) {
        for _ in 0..SWEPT {
            let Some(mut minute) = self.due.first_entry().filter(|due| *due.key() < now / 60)
            else {
                return;
            };
            let Some(key) = minute.get_mut().pop() else {
                minute.remove();
                continue;
            };
            let Some(user) = self.users.get_mut(&key) else {
                continue;
            };
            let until = user.until(&self.settings).saturating_add(LINGER_SECONDS);
            if until < now {
                self.users.remove(&key);
            } else {
                self.due.entry(until / 60).or_default().push(key);
            }
        }
    }

    /// Makes room: drops the user who was to be looked at soonest. Of everything until that user's last
    /// act we know nothing any more.
    fn evict(&mut self, now: u32) {
        while let Some(mut minute) = self.due.first_entry() {
            let Some(key) = minute.get_mut().pop() else {
                minute.remove();
                continue;
            };
            if let Some(user) = self.users.remove(&key) {
                if user.until(&self.settings) > now {
                    self.dropped_until = self.dropped_until.max(user.latest().saturating_add(1));
                }
                return;
            }
        }
    }

    /// The time in seconds. What was known before a clock went back is not trusted to be all.
    fn tick(&mut self, now: Timestamp) -> u32 {
        let now = seconds(now);
        if now.saturating_add(CLOCK_STEP_SECONDS) < self.latest {
            self.dropped_until = self.dropped_until.max(now);
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        now
    }
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows")
            .field("settings", &self.settings)
            .field("users", &self.users.len())
            .field("remembering", &self.remembering)
            .finish_non_exhaustive()
    }
}

/// When the act was, by our clock.
fn opened(create_time: Option<i64>, received_at: Timestamp) -> u32 {
    let latest = seconds(received_at);
    let earliest = before_delivery(latest);
    let claimed = create_time.map(|claimed| seconds(Timestamp::from_seconds(claimed)));
    claimed.map_or(latest, |claimed| claimed.clamp(earliest, latest))
}

/// The earliest moment of an act whose request came then.
fn before_delivery(received: u32) -> u32 {
    let longest = u32::try_from(LONGEST_DELIVERY.as_secs()).unwrap_or(u32::MAX);
    received.saturating_sub(longest).max(1)
}

/// Whole seconds since 1970, from 1 to the year 2106. Windows begin and end with whole seconds.
fn seconds(time: Timestamp) -> u32 {
    let most = i64::from(u32::MAX);
    u32::try_from(time.seconds().clamp(1, most)).unwrap_or(u32::MAX)
}

fn timestamp(seconds: u32) -> Timestamp {
    Timestamp::from_seconds(i64::from(seconds))
}
