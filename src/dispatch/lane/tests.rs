use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::id::{AppId, OpenId};
use crate::protocol::push::{DedupeKey, Kind};
use crate::store::PushState;

const BOUNDS: Bounds = Bounds {
    lane: 3,
    pushes: 12,
    bytes: 1 << 20,
};

fn push(id: i64, user: &str) -> StoredPush {
    StoredPush {
        id: PushId(id),
        account: AppId::parse("wx1").unwrap(),
        user: OpenId::new(user),
        kind: Kind::Message,
        key: DedupeKey([0; 16]),
        body: Bytes::from_static(b"<xml/>"),
        received_at: Timestamp::default(),
        verified: String::new(),
        state: PushState::Pending,
        run: 1,
        starts: 0,
        attempts: 0,
        retry_at: None,
        reason: None,
        repeats: 0,
    }
}

fn drain(lanes: &mut Lanes) -> Vec<i64> {
    let mut ids = Vec::new();
    while let Some((push, _)) = lanes.next() {
        ids.push(push.id.0);
        lanes.finish(&push);
    }
    ids
}

#[test]
fn one_push_of_a_lane_runs_at_a_time_and_lanes_take_turns() {
    let mut lanes = Lanes::new(BOUNDS);
    for (id, user) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        assert_eq!(lanes.offer(push(id, user)), None);
    }
    let (first, _) = lanes.next().unwrap();
    let (second, _) = lanes.next().unwrap();
    assert_eq!((first.id.0, second.id.0), (1, 3));
    assert_eq!(lanes.next(), None, "both lanes are busy");
    lanes.finish(&second);
    lanes.finish(&first);
    assert_eq!(drain(&mut lanes), [4, 2]);
    assert!(lanes.lanes.is_empty(), "lanes without pushes are forgotten");
    assert_eq!((lanes.pushes, lanes.bytes), (0, 0));
}

#[test]
fn a_held_push_is_the_first_of_its_lane_and_others_pass_by() {
    let mut lanes = Lanes::new(BOUNDS);
    for (id, user) in [(1, "a"), (2, "a"), (3, "b")] {
        lanes.offer(push(id, user));
    }
    let (held, before) = lanes.next().unwrap();
    assert_eq!(before, 0);
    let key = lane_of(&held);
    lanes.hold(held);
    assert_eq!(drain(&mut lanes), [3]);
    lanes.resume(key);
    assert_eq!(drain(&mut lanes), [1, 2]);
}

#[test]
fn a_lane_over_its_cap_puts_aside_and_fetches_when_it_is_empty() {
    let mut lanes = Lanes::new(BOUNDS);
    let aside: Vec<_> = (1..=5)
        .filter_map(|id| lanes.offer(push(id, "a")))
        .collect();
    assert_eq!(aside.iter().map(|(_, id)| id.0).collect::<Vec<_>>(), [4, 5]);
    let key = aside[0].0.clone();
    lanes.spill_begins(&key);
    assert_eq!(drain(&mut lanes), [1, 2, 3]);
    assert_eq!(lanes.fetch(), None, "the ids are not written yet");
    lanes.spill_written(key.clone());
    assert_eq!(lanes.fetch(), Some((key.clone(), 3)));
    assert_eq!(lanes.fetch(), None, "once is enough");
    lanes.refill(key.clone(), 3, vec![push(4, "a"), push(5, "a")]);
    assert_eq!(lanes.offer(push(6, "a")), None, "nothing is aside any more");
    assert_eq!(drain(&mut lanes), [4, 5, 6]);
}

#[test]
fn memory_that_is_full_leaves_no_room_to_read() {
    let mut lanes = Lanes::new(Bounds {
        bytes: 600,
        ..BOUNDS
    });
    assert!(lanes.room() > 0);
    lanes.offer(push(1, "a"));
    lanes.offer(push(2, "b"));
    assert_eq!(lanes.room(), 0, "by bytes");

    let mut lanes = Lanes::new(BOUNDS);
    lanes.promise(10);
    lanes.offer(push(1, "a"));
    assert_eq!(lanes.room(), 1, "by pushes, promised ones included");
}

/// What the engine may do next, in any order.
#[derive(Debug, Clone)]
enum Step {
    Read,
    Start,
    Finish(usize),
    Hold(usize),
    Resume(usize),
    WriteAside,
    Fetch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Read),
        4 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Finish),
        1 => any::<usize>().prop_map(Step::Hold),
        1 => any::<usize>().prop_map(Step::Resume),
        2 => Just(Step::WriteAside),
        2 => Just(Step::Fetch),
    ];
    proptest::collection::vec(step, 0..200)
}

/// An engine that runs one push after another, over lists instead of a store.
struct Play {
    lanes: Lanes,
    unread: VecDeque<StoredPush>,
    aside: Vec<(LaneKey, PushId)>,
    written: BTreeMap<String, VecDeque<i64>>,
    running: Vec<StoredPush>,
    held: Vec<LaneKey>,
    done: BTreeMap<String, Vec<i64>>,
}

impl Play {
    fn step(&mut self, step: Step) {
        match step {
            Step::Read => self.read(),
            Step::Start => self.running.extend(self.lanes.next().map(|(push, _)| push)),
            Step::Finish(at) if !self.running.is_empty() => {
                let push = self.running.swap_remove(at % self.running.len());
                self.lanes.finish(&push);
                let user = push.user.as_str().to_owned();
                self.done.entry(user).or_default().push(push.id.0);
            }
            Step::Hold(at) if !self.running.is_empty() => {
                let push = self.running.swap_remove(at % self.running.len());
                self.held.push(lane_of(&push));
                self.lanes.hold(push);
            }
            Step::Resume(at) if !self.held.is_empty() => {
                let key = self.held.swap_remove(at % self.held.len());
                self.lanes.resume(key);
            }
            Step::WriteAside => {
                for (key, id) in self.aside.drain(..) {
                    let user = key.user.as_str().to_owned();
                    self.written.entry(user).or_default().push_back(id.0);
                    self.lanes.spill_written(key.clone());
                }
            }
            Step::Fetch => self.fetch(),
            Step::Finish(_) | Step::Hold(_) | Step::Resume(_) => {}
        }
        assert!(self.lanes.pushes <= BOUNDS.pushes, "memory is bounded");
        for lane in self.lanes.lanes.values() {
            // A held push comes back in front of a full lane.
            assert!(lane.queue.len() <= BOUNDS.lane + 1, "lanes are bounded");
        }
    }

    fn read(&mut self) {
        for _ in 0..self.lanes.room().min(4) {
            let Some(push) = self.unread.pop_front() else {
                return;
            };
            if let Some((key, id)) = self.lanes.offer(push) {
                self.lanes.spill_begins(&key);
                self.aside.push((key, id));
            }
        }
    }

    fn fetch(&mut self) {
        if let Some((key, limit)) = self.lanes.fetch() {
            let user = key.user.as_str().to_owned();
            let ids = self.written.entry(user.clone()).or_default();
            let count = limit.min(ids.len());
            let pushes = ids.drain(..count).map(|id| push(id, &user)).collect();
            self.lanes.refill(key.clone(), limit, pushes);
        }
    }

    fn finish_everything(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for step in [Step::Read, Step::WriteAside, Step::Fetch, Step::Start] {
                self.step(step);
            }
            while !self.held.is_empty() {
                self.step(Step::Resume(0));
            }
            while !self.running.is_empty() {
                self.step(Step::Finish(0));
            }
        }
    }
}

proptest! {
    #[test]
    fn every_push_runs_once_and_in_its_users_order_whatever_the_engine_does(
        users in proptest::collection::vec(0..4_usize, 0..60),
        steps in steps(),
    ) {
        let unread: VecDeque<_> = (1..)
            .zip(&users)
            .map(|(id, user)| push(id, &user.to_string()))
            .collect();
        let mut expected = BTreeMap::<String, Vec<i64>>::new();
        for push in &unread {
            let user = push.user.as_str().to_owned();
            expected.entry(user).or_default().push(push.id.0);
        }
        let mut play = Play {
            lanes: Lanes::new(BOUNDS),
            unread,
            aside: Vec::new(),
            written: BTreeMap::new(),
            running: Vec::new(),
            held: Vec::new(),
            done: BTreeMap::new(),
        };
        for step in steps {
            play.step(step);
        }
        // No lane starves: each round runs at least one push of those that are left.
        play.finish_everything(2 * users.len() + 4);
        prop_assert_eq!(play.done, expected);
        prop_assert!(play.lanes.lanes.is_empty());
        prop_assert_eq!((play.lanes.pushes, play.lanes.promised), (0, 0));
    }
}
