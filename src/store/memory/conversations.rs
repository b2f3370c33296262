//! Conversations in memory: found by their user, forgotten when their time is over.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Timestamp;
use crate::store::{ConversationChange, LaneKey, StoredConversation};

/// Bytes that a conversation costs besides its state: names, two places of its key.
const OVERHEAD_BYTES: usize = 256;

/// The conversations of all users.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversations {
    of: HashMap<LaneKey, StoredConversation>,
    by_end: BTreeSet<(Timestamp, LaneKey)>,
    bytes: usize,
}

impl Conversations {
    /// Where a user's conversation stands, unless its time is over.
    pub(super) fn find(&self, lane: &LaneKey, now: Timestamp) -> Option<&StoredConversation> {
        let found = self.of.get(lane);
        found.filter(|conversation| conversation.expires_at > now)
    }

    /// Makes a change, and forgets what has expired. Beyond so many bytes, those that would expire next
    /// are forgotten early.
    pub(super) fn turn(
        &mut self,
        lane: LaneKey,
        change: ConversationChange,
        now: Timestamp,
        limit: usize,
    ) {
        self.remove(&lane);
        while let Some((end, _)) = self.by_end.first()
            && *end <= now
        {
            self.remove_first();
        }
        if let ConversationChange::Set(conversation) = change {
            self.bytes += cost(&conversation);
            self.by_end.insert((conversation.expires_at, lane.clone()));
            self.of.insert(lane, conversation);
        }
        while self.bytes > limit && !self.by_end.is_empty() {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        if let Some((_, lane)) = self.by_end.first().cloned() {
            self.remove(&lane);
        }
    }

    fn remove(&mut self, lane: &LaneKey) {
        if let Some((lane, conversation)) = self.of.remove_entry(lane) {
            self.bytes -= cost(&conversation);
            self.by_end.remove(&(conversation.expires_at, lane));
        }
    }
}

fn cost(conversation: &StoredConversation) -> usize {
    OVERHEAD_BYTES + conversation.type_name.len() + conversation.state.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AppId, OpenId};

    const START: i64 = 1_700_000_000;

    fn lane(number: i64) -> LaneKey {
        LaneKey {
            account: AppId::parse("wx0123456789abcdef").unwrap(),
            user: OpenId::new(format!("oUser{number}")),
        }
    }

    fn set(seconds: i64) -> ConversationChange {
        ConversationChange::Set(StoredConversation {
            type_name: "Order".to_owned(),
            state: "\"AskedSize\"".to_owned(),
            expires_at: at(seconds),
        })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(START + seconds)
    }

    #[test]
    fn what_has_expired_leaves_with_the_next_change_and_nothing_is_left_of_it() {
        let mut all = Conversations::default();
        for number in 0..10 {
            all.turn(lane(number), set(10 + number), at(0), usize::MAX);
        }
        assert!(all.find(&lane(0), at(9)).is_some());
        assert!(all.find(&lane(0), at(10)).is_none());
        all.turn(lane(3), set(60), at(15), usize::MAX);
        assert_eq!((all.of.len(), all.by_end.len()), (5, 5));
        for number in 0..10 {
            all.turn(
                lane(number),
                ConversationChange::Cleared,
                at(16),
                usize::MAX,
            );
        }
        assert_eq!((all.of.len(), all.by_end.len(), all.bytes), (0, 0, 0));
    }

    #[test]
    fn beyond_the_limit_those_that_would_expire_next_are_forgotten() {
        let ConversationChange::Set(one) = set(0) else {
            panic!("it is set");
        };
        let room_for_three = cost(&one) * 3;
        let mut all = Conversations::default();
        for (number, seconds) in [(0, 30), (1, 10), (2, 20), (3, 40), (4, 50)] {
            all.turn(lane(number), set(seconds), at(0), room_for_three);
        }
        let kept = (0..5).filter(|number| all.find(&lane(*number), at(0)).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [0, 3, 4]);
    }
}
