//! What one process knows of one count: a block that it may spend, and what it owes. Pure.

use crate::store::counters::{MOST, Reservation, Reserved};

/// The largest block that is reserved at once: what a kill can cost.
pub const LARGEST_BLOCK: u64 = 100;

/// What becomes of one wish for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// It is counted.
    Taken,
    /// There is no room below the ceiling.
    Full,
    /// The store must be asked first.
    Ask(Reservation),
}

/// How the store stands to the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// It may be asked; when all is used up as far as is known, it need not be.
    Near,
    /// It is to be asked also when all is used up: somebody may have set the count anew.
    Due,
    /// It cannot be asked now.
    Away,
}

/// The count of one key in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// The store's count when it last answered: the blocks of all processes, spent or not.
    total: u64,
    /// What is left of our block.
    left: u64,
    /// Counted here while the store was away.
    owed: u64,
    /// What the platform says was used in all, as long as the store does not know it.
    at_least: u64,
}

impl Count {
    /// What is used, as far as is known here. Never low: blocks of others count as spent.
    pub(super) fn used(&self) -> u64 {
        let total = self.total.saturating_add(self.owed).max(self.at_least);
        total.saturating_sub(self.left)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Whether something is known here that the store does not know.
    pub(super) fn has_news(&self) -> bool {
        self.owed > 0 || self.at_least > self.total
    }

    /// Counts one call, before it is made.
    pub(super) fn take(&mut self, ceiling: u64, store: Store) -> Took {
        if self.used() >= ceiling {
            return match store {
                Store::Due => Took::Ask(self.reservation(1, ceiling)),
                Store::Near | Store::Away => Took::Full,
            };
        }
        if self.left > 0 {
            self.left -= 1;
            return Took::Taken;
        }
        if store == Store::Away {
            self.owed += 1;
            return Took::Taken;
        }
        Took::Ask(self.reservation(self.block(ceiling), ceiling))
    }

    /// Counts one call that is made whatever the ceiling. The store is told of it afterwards.
    pub(super) fn note(&mut self) {
        match self.left {
            0 => self.owed += 1,
            _ => self.left -= 1,
        }
    }

    /// A thousandth of the limit, and less near its end, so that no process keeps what another one
    /// could use.
    fn block(&self, ceiling: u64) -> u64 {
        let whole = (ceiling / 1000).clamp(1, LARGEST_BLOCK);
        let room = ceiling.saturating_sub(self.used());
        (room / 64).clamp(1, whole)
    }

    fn reservation(&self, want: u64, ceiling: u64) -> Reservation {
        Reservation {
            want,
            ceiling: ceiling.min(MOST),
            ..self.news()
        }
    }

    /// What the store is to know, without a wish for a block.
    pub(super) fn news(&self) -> Reservation {
        Reservation {
            owed: self.owed,
            at_least: self.at_least,
            want: 0,
            ceiling: 0,
        }
    }

    /// The store answered.
    pub(super) fn reserved(&mut self, asked: Reservation, reserved: Reserved) {
        self.total = reserved.total;
        self.left += reserved.granted;
        self.owed = self.owed.saturating_sub(asked.owed);
        if self.at_least <= self.total {
            self.at_least = 0;
        }
    }

    /// What was taken was surely not used.
    pub(super) fn put_back(&mut self) {
        match self.owed {
            0 => self.left += u64::from(self.used() > 0),
            _ => self.owed -= 1,
        }
    }

    /// The platform says that so much was used in all: raises the count, and never lowers it.
    pub(super) fn raise(&mut self, used: u64) {
        if used > self.used() {
            self.at_least = used.saturating_add(self.left).min(MOST);
        }
    }

    /// The platform says that all is used up: what was reserved is worth nothing.
    pub(super) fn exhaust(&mut self, limit: u64) {
        self.at_least = limit.max(self.used());
        self.left = 0;
    }

    /// The store's count, listed without asking for anything.
    pub(super) fn listed(&mut self, total: u64) {
        self.total = self.total.max(total);
    }

    /// The store's count was set anew, without what we held.
    pub(super) fn set(&mut self, total: u64, left: u64) {
        *self = Self {
            total,
            left,
            ..Self::default()
        };
    }

    /// Gives up the block, to be given back to the store.
    pub(super) fn take_block(&mut self) -> u64 {
        std::mem::take(&mut self.left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What can happen to processes that count together.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// A process wants to make a call, and the store answers.
        Call(usize),
        /// The same while the store is away.
        CallAlone(usize),
        /// The store does the step, and its answer is lost.
        Lost(usize),
        /// A process makes a call that surely does not arrive.
        NotSent(usize),
        Kill(usize),
        Close(usize),
        /// The platform says how much was used in all.
        Reconcile(usize),
    }

    fn event(with_outages: bool) -> impl Strategy<Value = Event> {
        let who = 0..3_usize;
        prop_oneof![
            20 => who.clone().prop_map(Event::Call),
            if with_outages { 5 } else { 0 } => who.clone().prop_map(Event::CallAlone),
            1 => who.clone().prop_map(Event::Lost),
            2 => who.clone().prop_map(Event::NotSent),
            1 => who.clone().prop_map(Event::Kill),
            1 => who.clone().prop_map(Event::Close),
            if with_outages { 1 } else { 0 } => who.prop_map(Event::Reconcile),
        ]
    }

    /// Three processes, the store between them, and the truth.
    #[derive(Debug, Default)]
    struct World {
        processes: [Count; 3],
        stored: u64,
        used: u64,
        /// Units that nobody will spend: of killed processes, and of answers that were lost.
        stranded: u64,
        limit: u64,
    }

    impl World {
        fn ask(&mut self, who: usize, asked: Reservation) {
            let reserved = asked.beside(self.stored);
            self.stored = reserved.total;
            self.processes[who].reserved(asked, reserved);
        }

        fn call(&mut self, who: usize, store: Store) -> bool {
            let taken = match self.processes[who].take(self.limit, store) {
                Took::Ask(asked) => {
                    self.ask(who, asked);
                    let again = self.processes[who].take(self.limit, Store::Near);
                    assert!(!matches!(again, Took::Ask(_)), "it was asked just now");
                    again == Took::Taken
                }
                took => took == Took::Taken,
            };
            self.used += u64::from(taken);
            taken
        }

        fn play(&mut self, event: Event) {
            match event {
                Event::Call(who) => drop(self.call(who, Store::Due)),
                Event::CallAlone(who) => drop(self.call(who, Store::Away)),
                Event::Lost(who) => match self.processes[who].take(self.limit, Store::Near) {
                    Took::Ask(asked) => {
                        let reserved = asked.beside(self.stored);
                        self.stranded += reserved.total - self.stored;
                        self.stored = reserved.total;
                    }
                    Took::Taken => self.used += 1,
                    Took::Full => {}
                },
                Event::NotSent(who) => {
                    if self.call(who, Store::Due) {
                        self.processes[who].put_back();
                        self.used -= 1;
                    }
                }
                Event::Kill(who) => {
                    self.stranded += self.processes[who].left();
                    self.processes[who] = Count::default();
                }
                Event::Close(who) => {
                    let asked = self.processes[who].news();
                    self.ask(who, asked);
                    self.stored -= self.processes[who].take_block();
                    self.processes[who] = Count::default();
                }
                Event::Reconcile(who) => {
                    let used = self.used;
                    self.processes[who].raise(used);
                    let asked = self.processes[who].news();
                    self.ask(who, asked);
                }
            }
        }

        fn unspent(&self) -> u64 {
            self.processes.iter().map(Count::left).sum()
        }
    }

    proptest! {
        #[test]
        fn with_a_store_that_answers_no_count_is_low_and_the_limit_is_never_passed(
            limit in prop_oneof![0_u64..30, 900_u64..3_000, 100_000_u64..200_000],
            events in prop::collection::vec(event(false), 1..400),
        ) {
            let mut world = World { limit, ..World::default() };
            for event in events {
                world.play(event);
                // Exact: what is counted is what was used, what is held, and what a kill stranded.
                prop_assert_eq!(world.stored, world.used + world.unspent() + world.stranded);
                prop_assert!(world.used <= limit);
                for process in &world.processes {
                    prop_assert!(process.left() <= LARGEST_BLOCK);
                }
            }
        }

        #[test]
        fn whatever_the_store_missed_is_counted_when_it_answers_again(
            limit in prop_oneof![30_u64..300, 100_000_u64..200_000],
            events in prop::collection::vec(event(true), 1..300),
        ) {
            let mut world = World { limit, ..World::default() };
            for event in events {
                // A kill while the store is away loses what was owed: the platform's own count mends it.
                if matches!(event, Event::Lost(_) | Event::Kill(_)) {
                    continue;
                }
                world.play(event);
            }
            for who in 0..3 {
                world.play(Event::Close(who));
            }
            prop_assert!(world.stored >= world.used, "{:?}", world);
        }
    }

    #[test]
    fn two_processes_that_go_on_until_the_end_use_the_limit_exactly() {
        for limit in [1, 10, 999, 1_000, 25_000] {
            let mut world = World {
                limit,
                ..World::default()
            };
            let mut full = [false; 2];
            while full != [true; 2] {
                for (who, full) in full.iter_mut().enumerate() {
                    *full = !world.call(who, Store::Due);
                }
            }
            assert_eq!((world.used, world.stored), (limit, limit), "{limit}");
        }
    }

    #[test]
    fn a_verdict_of_the_platform_closes_the_count_until_it_is_set_anew() {
        let mut world = World {
            limit: 1_000,
            ..World::default()
        };
        assert!(world.call(0, Store::Due));
        world.processes[0].exhaust(1_000);
        assert_eq!(world.processes[0].used(), 1_000);
        assert!(!world.call(0, Store::Near));
        assert!(!world.call(0, Store::Due), "the store knows it now");
        assert!(!world.call(1, Store::Due), "and so do the others");
        world.stored = 0;
        assert!(world.call(0, Store::Due));
        assert!(world.call(1, Store::Due));
    }
}
