//! The account after the blows: what each reply's state says beside what the platform delivered.

use std::collections::HashMap;
use std::fmt;

use wxhook::simulator::platform::WireFault;
use wxhook::store::embedded::View;
use wxhook::store::{Filter, PartState, PushState, StoredPush};

use super::SEND;
use crate::crash::text_of;
use crate::main_job::StandIn;

/// Numbers of pushes, of replies by their state, and of what the platform did to sends.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) pushes: u64,
    /// Replies whose state is *sent*.
    sent: u64,
    /// Replies whose state is *unknown*, and those of them that never arrived.
    unknown: u64,
    lost: u64,
    /// Replies that arrived, and arrivals beyond the first.
    delivered: u64,
    duplicates: u64,
    /// Calls that the platform saw.
    calls: u64,
    /// Answers that hid the outcome, and those of them that came of a call that was not carried out.
    hidden: u64,
    idle: u64,
    /// Connections that were reset after their answer.
    resets_later: u64,
    busy: u64,
    /// Sends that were open at a blow.
    open_at_blows: u64,
}

impl Account {
    /// Looks at every reply, and checks what holds whatever the policy: each push has one reply with a
    /// state that says why, which fits what was delivered, and each user was told in order.
    pub(super) fn draw_up(view: &View, stand_in: &StandIn, open_at_blows: u32) -> Self {
        let stored = view.list(&Filter::default()).unwrap();
        let mut account = Self {
            pushes: stored.len() as u64,
            open_at_blows: u64::from(open_at_blows),
            ..Self::default()
        };
        let told = stand_in.told();
        let mut arrived: HashMap<&str, u64> = HashMap::new();
        for (user, texts) in &told {
            in_order(user, texts);
            for text in texts {
                *arrived.entry(text).or_default() += 1;
            }
        }
        for push in &stored {
            let text = text_of(push);
            let reply = format!("您说：{text}");
            let times = arrived.remove(reply.as_str()).unwrap_or(0);
            account.delivered += u64::from(times > 0);
            account.duplicates += times.saturating_sub(1);
            match fate(view, push) {
                (PartState::Sent, _) => {
                    account.sent += 1;
                    assert!(times > 0, "{text} was sent");
                }
                (PartState::Unknown, Some(_)) => {
                    account.unknown += 1;
                    account.lost += u64::from(times == 0);
                }
                fate => panic!("{text}: its reply is {fate:?}"),
            }
        }
        assert!(arrived.is_empty(), "replies to nothing: {arrived:?}");
        account.count_calls(stand_in);
        account
    }

    fn count_calls(&mut self, stand_in: &StandIn) {
        let platform = stand_in.platform.lock().unwrap();
        for call in platform.calls_after(0).filter(|call| call.path == SEND) {
            self.calls += 1;
            self.busy += u64::from(call.code == Some(-1));
            match call.fault {
                Some(WireFault::ResetLater { .. }) => self.resets_later += 1,
                Some(_) => self.hidden += 1,
                None => {}
            }
            // A gateway's answer is none of the platform's; a reset in its place neither.
            if call.status >= 500 {
                self.idle += 1;
                self.hidden += u64::from(call.fault.is_none());
            }
        }
    }

    /// How many of the replies arrived.
    pub(super) fn delivered_share(&self) -> f64 {
        self.delivered as f64 / self.pushes as f64
    }

    /// No reply arrived twice, and one that is unknown, or lost, had a reason to be.
    pub(super) fn holds_for_at_most_once(&self) {
        self.has_met_faults();
        assert_eq!(self.duplicates, 0, "{self}");
        assert_eq!(self.sent + self.unknown, self.pushes, "{self}");
        assert_eq!(self.delivered, self.pushes - self.lost, "{self}");
        // A connection that is reset after its answer can take one other call with it.
        let reasons = self.hidden + self.resets_later + self.open_at_blows;
        assert!(self.unknown <= reasons, "{self}");
        let reasons = self.idle + self.resets_later + self.open_at_blows;
        assert!(self.lost <= reasons, "{self}");
    }

    /// Every reply arrived and is known to have; the price is stated.
    pub(super) fn holds_for_at_least_once(&self) {
        self.has_met_faults();
        assert_eq!(self.delivered, self.pushes, "{self}");
        assert_eq!((self.sent, self.unknown), (self.pushes, 0), "{self}");
        let reasons = self.hidden - self.idle + self.resets_later + self.open_at_blows;
        assert!(self.duplicates <= reasons, "{self}");
        assert!(self.duplicates > 0, "an answer was lost: {self}");
    }

    fn has_met_faults(&self) {
        let all = [self.busy, self.hidden, self.idle, self.resets_later];
        assert!(all.iter().all(|faults| *faults > 0), "{self}");
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pushes, {} sends: {} hid their outcome ({} of these did nothing), {} busy, {} connections \
             reset after their answer; {} open at the blows; {} replies sent, {} unknown ({} of these \
             lost); {} delivered ({:.1} %), {} once more",
            self.pushes,
            self.calls,
            self.hidden,
            self.idle,
            self.busy,
            self.resets_later,
            self.open_at_blows,
            self.sent,
            self.unknown,
            self.lost,
            self.delivered,
            self.delivered_share() * 100.0,
            self.duplicates,
        )
    }
}

/// Nobody is told of a later push before an earlier one; the same may come again.
fn in_order(user: &str, texts: &[String]) {
    let numbers: Vec<u64> = texts
        .iter()
        .map(|text| text.rsplit_once('-').unwrap().1.parse().unwrap())
        .collect();
    assert!(numbers.is_sorted(), "{user} was told {numbers:?}");
}

fn fate(view: &View, push: &StoredPush) -> (PartState, Option<String>) {
    assert_eq!(push.state, PushState::Done, "{push:?}");
    let mut parts = view.story(push.id).unwrap().unwrap().parts;
    assert_eq!(parts.len(), 1, "{parts:?}");
    let part = parts.remove(0);
    (part.state, part.detail)
}
