//! One user's grants, in as few bytes as they need: there may be a million users.

use std::time::Duration;

use super::settings::{Buckets, Figure, Settings};
use super::standing::Closed;
use super::{SHORT_SECONDS, timestamp};
use crate::protocol::push::Window;

/// A place for the grant of each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    Message,
    Menu,
    Follow,
    Scan,
}

impl Scene {
    pub(super) const ALL: [Self; 4] = [Self::Message, Self::Menu, Self::Follow, Self::Scan];
    pub(super) const COUNT: usize = Self::ALL.len();
}

impl From<Window> for Scene {
    fn from(window: Window) -> Self {
        match window {
            Window::Message => Self::Message,
            Window::Menu => Self::Menu,
            Window::Follow => Self::Follow,
            Window::Scan => Self::Scan,
        }
    }
}

impl From<Scene> for Window {
    fn from(scene: Scene) -> Self {
        match scene {
            Scene::Message => Self::Message,
            Scene::Menu => Self::Menu,
            Scene::Follow => Self::Follow,
            Scene::Scan => Self::Scan,
        }
    }
}

/// What an act has granted.
#[derive(Debug, Clone, Copy, Default)]
struct Grant {
    /// The second of the act; 0 for none.
    opened: u32,
    /// Messages left of it.
    left: u8,
}

/// Why no grant from before some second counts any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Unfollowed,
    OutOfTime,
    OutOfCount,
    Blocked,
    UnknownUser,
    NoFollower,
    Unsubscribed,
    Blacklisted,
}

impl Why {
    /// The codes with which the platform says that this user cannot be written to now; the next
    /// message would get the same answer, and cost a call.
    ///
    /// Source: the platform's table of return codes, class *user state*, read 2026-11.
    const CODES: [(Self, i64); 7] = [
        (Self::OutOfTime, 45015),
        (Self::OutOfCount, 45047),
        (Self::Blocked, 48002),
        (Self::UnknownUser, 40003),
        (Self::NoFollower, 43004),
        (Self::Unsubscribed, 50005),
        (Self::Blacklisted, 43019),
    ];

    pub(super) fn of_code(code: i64) -> Option<Self> {
        let known = Self::CODES.into_iter().find(|(_, known)| *known == code);
        known.map(|(why, _)| why)
    }

    fn code(self) -> Option<i64> {
        let known = Self::CODES.into_iter().find(|(why, _)| *why == self);
        known.map(|(_, code)| code)
    }
}

/// From this second backwards no grant counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shut {
    at: u32,
    why: Why,
}

impl Shut {
    pub(super) const fn new(at: u32, why: Why) -> Self {
        Self { at, why }
    }

    pub(super) const fn at(self) -> u32 {
        self.at
    }
}

/// What is kept of a user of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    grants: [Grant; Scene::COUNT],
    shut: Option<Shut>,
    /// Messages sent while their grant was not remembered yet.
    owed: u8,
    /// Acts, to tell whether there was one meanwhile; wraps.
    turn: u8,
    /// Whether it stands among those to be looked at.
    expected: bool,
}

impl User {
    pub(super) fn turn(&self) -> u8 {
        self.turn
    }

    /// Whether it now must be put among those to be looked at.
    pub(super) fn expect(&mut self) -> bool {
        !std::mem::replace(&mut self.expected, true)
    }

    /// The user acts: the scene's grant is full again.
    pub(super) fn open(&mut self, scene: Scene, opened: u32, figure: Figure) {
        self.turn = self.turn.wrapping_add(1);
        self.grants[scene as usize] = Grant {
            opened,
            left: figure.messages(),
        };
    }

    /// The user has acted before this process began.
    pub(super) fn remember(&mut self, scene: Scene, opened: u32, figure: Figure) {
        let grant = &mut self.grants[scene as usize];
        let is_void = self.shut.is_some_and(|shut| shut.at >= opened);
        if is_void || grant.opened > opened {
            return;
        }
        // What was sent meanwhile most likely came out of a window that lasts.
        let owed = if figure.seconds() > SHORT_SECONDS {
            self.owed
        } else {
            0
        };
        *grant = Grant {
            opened,
            left: figure.messages().saturating_sub(owed),
        };
    }

    /// No grant of an act until then counts any more.
    pub(super) fn shut(&mut self, shut: Shut) {
        if self.shut.is_some_and(|known| known.at > shut.at) {
            return;
        }
        for grant in &mut self.grants {
            if grant.opened <= shut.at {
                *grant = Grant::default();
            }
        }
        self.owed = 0;
        self.shut = Some(shut);
    }

    /// Notes a message whose grant is not known.
    pub(super) fn owe(&mut self) {
        self.owed = self.owed.saturating_add(1);
    }

    /// How many messages may be sent, and when the last of the windows for them closes.
    pub(super) fn open_now(&self, settings: &Settings, now: u32) -> (u32, Option<u32>) {
        let open = self.open_scenes(settings, now);
        let left = |scene: Scene| u32::from(self.grants[scene as usize].left);
        let closes = |scene| self.closes(settings, scene);
        let remaining = match settings.buckets {
            Buckets::Separate => open.clone().map(left).sum(),
            Buckets::Shared => open.clone().map(left).max().unwrap_or(0),
        };
        (remaining, open.map(closes).max())
    }

    /// Uses one message; when the grants that it came from were opened.
    pub(super) fn spend(&mut self, settings: &Settings, now: u32) -> [u32; Scene::COUNT] {
        let open = self.open_scenes(settings, now);
        self.spend_of(settings, open)
    }

    /// Uses one message of a grant that was open when a former process sent it.
    pub(super) fn remember_sent(&mut self, settings: &Settings, at: u32) {
        let grants = self.grants;
        let open = self.open_scenes(settings, at);
        let open = open.filter(|scene| grants[*scene as usize].opened <= at);
        self.spend_of(settings, open);
    }

    fn spend_of(
        &mut self,
        settings: &Settings,
        open: impl Iterator<Item = Scene>,
    ) -> [u32; Scene::COUNT] {
        let mut from = [0; Scene::COUNT];
        let mut spend = |grant: &mut Grant, scene: Scene| {
            grant.left = grant.left.saturating_sub(1);
            from[scene as usize] = grant.opened;
        };
        match settings.buckets {
            Buckets::Shared => {
                open.for_each(|scene| spend(&mut self.grants[scene as usize], scene));
            }
            Buckets::Separate => {
                let soonest = open.min_by_key(|scene| self.closes(settings, *scene));
                if let Some(scene) = soonest {
                    spend(&mut self.grants[scene as usize], scene);
                }
            }
        }
        from
    }

    /// Puts a message back where it came from, if that is still there.
    pub(super) fn give_back(&mut self, settings: &Settings, from: &[u32; Scene::COUNT]) {
        if *from == [0; Scene::COUNT] {
            self.owed = self.owed.saturating_sub(1);
        }
        for scene in Scene::ALL {
            let grant = &mut self.grants[scene as usize];
            if from[scene as usize] != 0 && grant.opened == from[scene as usize] {
                let full = settings.figure(scene.into()).messages();
                grant.left = grant.left.saturating_add(1).min(full);
            }
        }
    }

    /// From when on nothing about this scene was missed; 0 when nothing is known of it.
    pub(super) fn known_since(&self, scene: Scene) -> u32 {
        let shut = self.shut.map_or(0, Shut::at);
        self.grants[scene as usize].opened.max(shut)
    }

    /// The last act, or the last word about it.
    pub(super) fn latest(&self) -> u32 {
        let opened = Scene::ALL.map(|scene| self.known_since(scene));
        opened.into_iter().max().unwrap_or(0)
    }

    /// Until when something of it may matter.
    pub(super) fn until(&self, settings: &Settings) -> u32 {
        let closes = Scene::ALL.map(|scene| self.closes(settings, scene));
        let shut = self
            .shut
            .map_or(0, |shut| shut.at.saturating_add(settings.longest_seconds()));
        closes.into_iter().max().unwrap_or(0).max(shut)
    }

    /// Why nothing may be sent; `None` when nothing is kept that tells.
    pub(super) fn why_closed(&self, settings: &Settings, now: u32) -> Option<Closed> {
        let had = |scene: &Scene| self.grants[*scene as usize].opened > 0;
        let last = Scene::ALL
            .into_iter()
            .filter(had)
            .max_by_key(|scene| self.closes(settings, *scene));
        let Some(scene) = last else {
            return self.shut.map(|shut| match shut.why.code() {
                Some(code) => Closed::Refused {
                    code,
                    at: timestamp(shut.at),
                },
                None => Closed::Unfollowed {
                    at: timestamp(shut.at),
                },
            });
        };
        let figure = settings.figure(scene.into());
        let (lasts, messages): (Duration, u8) = (figure.lasts(), figure.messages());
        let closes = self.closes(settings, scene);
        Some(match closes > now {
            true => Closed::UsedUp {
                lasts,
                messages,
                closes_at: timestamp(closes),
            },
            false => Closed::Over {
                lasts,
                messages,
                used: messages.saturating_sub(self.grants[scene as usize].left),
                closed_at: timestamp(closes),
            },
        })
    }

    fn open_scenes(
        &self,
        settings: &Settings,
        now: u32,
    ) -> impl Iterator<Item = Scene> + Clone + use<> {
        let closes = Scene::ALL.map(|scene| self.closes(settings, scene));
        let grants = self.grants;
        Scene::ALL
            .into_iter()
            .filter(move |scene| grants[*scene as usize].left > 0 && now < closes[*scene as usize])
    }

    /// When the scene's window closes; 0 for none.
    fn closes(&self, settings: &Settings, scene: Scene) -> u32 {
        match self.grants[scene as usize].opened {
            0 => 0,
            opened => opened.saturating_add(settings.figure(scene.into()).seconds()),
        }
    }
}
