//! Sending windows: who may be written to now, and how often.

use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use super::answer::Refusal;
use crate::clock::Timestamp;
use crate::id::OpenId;

/// Whether customer messages need an open sending window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Windows {
    /// As on the platform: users who did nothing are answered 45015. Each scene is counted by itself.
    On,
    /// The same, but a message counts in every window that is open. The platform does not say which of
    /// the two it does.
    Shared,
    /// As until 2023-06: a message allows 20 within 48 hours.
    Old,
    /// Everybody may be written to at any time: for measuring, not for judging.
    Off,
}

/// What a user did, as far as it opens or closes a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scene {
    /// Sent a message: 5 messages within 48 hours.
    Message,
    /// Tapped a menu item of type click, scancode_push or scancode_waitmsg, or an item of a menu message:
    /// 3 within a minute.
    MenuClick,
    /// Began to follow the account: 3 within a minute.
    Follow,
    /// Scanned a QR code of the account: 3 within a minute.
    ScanCode,
    /// Stopped following: every window closes.
    Unfollow,
    /// Switched off the account's messages: 48002 until they are switched on again.
    Block,
    /// Switched the account's messages on again.
    Unblock,
}

impl Scene {
    /// How many messages a scene grants, and for how many seconds.
    ///
    /// Source: the page of custom/send for service accounts, figures in force since 2023-06-12.
    fn grant(self, windows: Windows) -> Option<(u32, i64)> {
        match self {
            Self::Message if windows == Windows::Old => Some((20, 48 * 60 * 60)),
            Self::Message => Some((5, 48 * 60 * 60)),
            Self::MenuClick | Self::Follow | Self::ScanCode => Some((3, 60)),
            Self::Unfollow | Self::Block | Self::Unblock => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    scene: Scene,
    remaining: u32,
    until: Timestamp,
}

#[derive(Debug, Default)]
struct User {
    grants: Vec<Grant>,
    blocked: bool,
}

impl User {
    fn is_idle(&self, now: Timestamp) -> bool {
        !self.blocked && self.grants.iter().all(|grant| grant.until <= now)
    }
}

/// Users remembered at most; those without an open window are forgotten first.
const MAX_USERS: usize = 500_000;

#[derive(Debug)]
pub(super) struct Grants {
    windows: Windows,
    users: HashMap<OpenId, User>,
}

impl Grants {
    pub(super) fn new(windows: Windows) -> Self {
        Self {
            windows,
            users: HashMap::new(),
        }
    }

    pub(super) fn acted(&mut self, now: Timestamp, open_id: &OpenId, scene: Scene) {
        if !self.has_room(now, open_id) {
            return;
        }
        let user = self.users.entry(open_id.clone()).or_default();
        match scene {
            Scene::Unfollow => user.grants.clear(),
            Scene::Block => user.blocked = true,
            Scene::Unblock => user.blocked = false,
            Scene::Message | Scene::MenuClick | Scene::Follow | Scene::ScanCode => {}
        }
        if let Some((remaining, seconds)) = scene.grant(self.windows) {
            // A new action fills the grant of its scene up again; it does not add to it.
            user.grants.retain(|grant| grant.scene != scene);
            user.grants.push(Grant {
                scene,
                remaining,
                until: Timestamp::from_milliseconds(now.milliseconds() + seconds * 1000),
            });
        }
    }

    fn has_room(&mut self, now: Timestamp, open_id: &OpenId) -> bool {
        if self.users.len() < MAX_USERS || self.users.contains_key(open_id) {
            return true;
        }
        self.users.retain(|_, user| !user.is_idle(now));
        self.users.len() < MAX_USERS
    }

    /// Whether a user has switched off the account's messages.
    pub(super) fn is_blocked(&self, open_id: &str) -> bool {
        let user = self.users.get(&OpenId::new(open_id));
        user.is_some_and(|user| user.blocked)
    }

    /// Uses up one message of the grant that ends soonest.
    pub(super) fn consume(&mut self, now: Timestamp, open_id: &OpenId) -> Result<(), Refusal> {
        let user = self.users.get_mut(open_id);
        if user.as_ref().is_some_and(|user| user.blocked) {
            return Err(Refusal::code(48002));
        }
        if self.windows == Windows::Off {
            return Ok(());
        }
        let user = user.ok_or(Refusal::code(45015))?;
        user.grants.retain(|grant| now < grant.until);
        if user.grants.is_empty() {
            return Err(Refusal::code(45015));
        }
        user.grants.sort_by_key(|grant| grant.until);
        let counted = match self.windows {
            Windows::Shared => usize::MAX,
            Windows::On | Windows::Old | Windows::Off => 1,
        };
        let open = user.grants.iter_mut().filter(|grant| grant.remaining > 0);
        let mut used = 0;
        for grant in open.take(counted) {
            grant.remaining -= 1;
            used += 1;
        }
        match used {
            0 => Err(Refusal::code(45047)),
            _ => Ok(()),
        }
    }
}
