//! Every store behaves as the model does: random steps, crashes included, compared after each.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;
use tempfile::TempDir;
use wxhook::clock::{Clock, ManualClock, Timestamp};
use wxhook::id::{AppId, OpenId, PushId};
use wxhook::protocol::push::{DedupeKey, Kind};
use wxhook::store::embedded::{Embedded, Settings};
use wxhook::store::memory::{Limits, MemoryInbox, Model};
use wxhook::store::{
    Accepted, Aside, Attempt, ConversationChange, Ended, Filter, Inbox, LaneKey,
    MAX_CONVERSATION_BYTES, NewPush, Next, Page, Part, PartKey, PartState, PartVerdict, PushState,
    Settlement, StoreError, StoredConversation, StoredPush, Story, Ticket,
};

use crate::support::open_store;

/// One step. Pushes are chosen by [`Index`] among those that were ever stored, so most steps meet
/// something; some meet the wrong state, which must be refused alike.
#[derive(Debug, Clone)]
enum Step {
    Accept {
        key: u8,
        user: u8,
        kind: Kind,
    },
    Start(Index),
    Settle(Index, Ending, Vec<PartState>, Option<Turning>),
    MarkSending {
        push: Index,
        ordinal: u32,
    },
    Record {
        push: Index,
        ordinal: u32,
        state: PartState,
    },
    Replay(Index),
    Reread(Index),
    Discard(Index),
    /// All pushes of a lane, whatever their state.
    Spill {
        user: u8,
    },
    Unspill {
        user: u8,
        limit: usize,
    },
    Advance {
        seconds: u64,
    },
    /// The process is killed while these are under way, after some of them were answered: any first
    /// part of them that contains those may be committed.
    Crash {
        under_way: Vec<Step>,
        answered: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Done,
    Retry,
    Dead,
    /// A settlement of a run that is not the push's.
    WrongRun,
}

/// What a settlement makes of the conversation; what did not end well may make nothing of it.
#[derive(Debug, Clone, Copy)]
enum Turning {
    Set { number: u8, seconds: u64 },
    Cleared,
    TooBig,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => plain_step(),
        1 => (prop::collection::vec(plain_step(), 0..5), 0..5_usize)
            .prop_map(|(under_way, answered)| Step::Crash { under_way, answered }),
    ]
}

fn plain_step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        5 => Just(Kind::Message),
        2 => Just(Kind::Event),
        1 => Just(Kind::Malformed),
    ];
    let ending = prop_oneof![
        3 => Just(Ending::Done),
        2 => Just(Ending::Retry),
        2 => Just(Ending::Dead),
        1 => Just(Ending::WrongRun),
    ];
    let parts = prop::collection::vec(
        prop_oneof![Just(PartState::Waiting), Just(PartState::Sending)],
        0..3,
    );
    let turning = prop_oneof![
        4 => Just(None),
        3 => (any::<u8>(), prop::sample::select(vec![20_u64, 60, 3_600]))
            .prop_map(|(number, seconds)| Some(Turning::Set { number, seconds })),
        2 => Just(Some(Turning::Cleared)),
        1 => Just(Some(Turning::TooBig)),
    ];
    let push = any::<Index>;
    prop_oneof![
        5 => (0..12_u8, 0..3_u8, kind)
            .prop_map(|(key, user, kind)| Step::Accept { key, user, kind }),
        2 => push().prop_map(Step::Start),
        4 => (push(), ending, parts, turning)
            .prop_map(|(push, ending, parts, turning)| Step::Settle(push, ending, parts, turning)),
        2 => (push(), 0..3_u32).prop_map(|(push, ordinal)| Step::MarkSending { push, ordinal }),
        3 => (push(), 0..3_u32, prop::sample::select(&PartState::ALL[..]))
            .prop_map(|(push, ordinal, state)| Step::Record { push, ordinal, state }),
        1 => push().prop_map(Step::Replay),
        1 => push().prop_map(Step::Reread),
        2 => push().prop_map(Step::Discard),
        2 => (0..2_u8).prop_map(|user| Step::Spill { user }),
        3 => (0..2_u8, 0..3_usize).prop_map(|(user, limit)| Step::Unspill { user, limit }),
        1 => prop_oneof![1..90_u64, Just(40 * 60)].prop_map(|seconds| Step::Advance { seconds }),
    ]
}

/// What a step brought about, in a form that compares.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Accepted(Accepted),
    Changed,
    Unspilled(Vec<StoredPush>),
    Conflict,
    Other(String),
}

fn outcome<T>(result: Result<T, StoreError>, of: impl FnOnce(T) -> Outcome) -> Outcome {
    match result {
        Ok(value) => of(value),
        Err(StoreError::Conflict(_)) => Outcome::Conflict,
        Err(other) => Outcome::Other(other.to_string()),
    }
}

/// Everything that can be seen of a store.
#[derive(Debug, PartialEq)]
struct Sight {
    all: Vec<StoredPush>,
    by_state: Vec<Vec<StoredPush>>,
    newest_of_user: Vec<StoredPush>,
    pending: Vec<Page>,
    due: Vec<StoredPush>,
    waiting: Vec<Part>,
    waiting_after_first: Vec<Part>,
    stories: Vec<Option<Story>>,
    aside: Aside,
    last_run_parts: Vec<Vec<Part>>,
    conversations: Vec<Option<StoredConversation>>,
}

fn filters() -> (Vec<Filter>, Filter) {
    let by_state = PushState::ALL.map(|state| Filter {
        state: Some(state),
        ..Filter::default()
    });
    let newest_of_user = Filter {
        user: Some(user(0)),
        since: Some(START.after(Duration::from_secs(60))),
        limit: Some(2),
        ..Filter::default()
    };
    (by_state.into(), newest_of_user)
}

fn look_at_model(model: &Model, now: Timestamp) -> Sight {
    let (by_state, newest_of_user) = filters();
    let all = model.list(&Filter::default());
    let first_page = model.pending(PushId::ZERO, 2);
    let second_page = model.pending(first_page.upto, 100);
    let waiting = model.waiting(None, 100);
    Sight {
        by_state: by_state.iter().map(|filter| model.list(filter)).collect(),
        newest_of_user: model.list(&newest_of_user),
        pending: vec![first_page, second_page],
        due: model.due(now, 100),
        waiting_after_first: match waiting.first() {
            Some(first) => model.waiting(Some(first.key), 1),
            None => Vec::new(),
        },
        waiting,
        stories: all.iter().map(|push| model.story(push.id)).collect(),
        aside: model.aside(),
        last_run_parts: all
            .iter()
            .map(|push| model.parts(push.id, push.run))
            .collect(),
        conversations: (0..3)
            .map(|number| model.conversation(&lane(number), now))
            .collect(),
        all,
    }
}

async fn look_at(store: &dyn Inbox, now: Timestamp) -> Result<Sight, StoreError> {
    let (by_state, newest_of_user) = filters();
    let all = store.list(Filter::default()).await?;
    let first_page = store.pending(PushId::ZERO, 2).await?;
    let second_page = store.pending(first_page.upto, 100).await?;
    let waiting = store.waiting(None, 100).await?;
    let mut sight = Sight {
        by_state: Vec::new(),
        newest_of_user: store.list(newest_of_user).await?,
        pending: vec![first_page, second_page],
        due: store.due(now, 100).await?,
        waiting_after_first: Vec::new(),
        stories: Vec::new(),
        aside: store.aside().await?,
        last_run_parts: Vec::new(),
        conversations: Vec::new(),
        waiting,
        all,
    };
    for filter in by_state {
        sight.by_state.push(store.list(filter).await?);
    }
    if let Some(first) = sight.waiting.first() {
        sight.waiting_after_first = store.waiting(Some(first.key), 1).await?;
    }
    for number in 0..3 {
        let found = store.conversation(lane(number), now).await?;
        sight.conversations.push(found);
    }
    for push in &sight.all {
        sight.stories.push(store.story(push.id).await?);
        let parts = store.parts(push.id, push.run).await?;
        sight.last_run_parts.push(parts);
    }
    Ok(sight)
}

const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn account(user: u8) -> AppId {
    let account = ["wx0123456789abcdef", "wxfedcba9876543210"][usize::from(user % 2)];
    AppId::parse(account).unwrap()
}

fn user(number: u8) -> OpenId {
    OpenId::new(format!("oUser{number}"))
}

fn lane(number: u8) -> LaneKey {
    LaneKey {
        account: account(number),
        user: user(number),
    }
}

fn new_push(key: u8, number: u8, kind: Kind, now: Timestamp) -> NewPush {
    NewPush {
        account: account(number),
        user: user(number),
        kind,
        key: DedupeKey([key; 16]),
        body: Bytes::from(vec![b'<', key, 0, 0xff]),
        received_at: now,
        verified: "secure",
        malformed: (kind == Kind::Malformed).then(|| "no closing tag".to_owned()),
        ticket: None,
    }
}

fn part(key: PartKey, state: PartState, now: Timestamp) -> Part {
    Part {
        key,
        account: account(0),
        to: user(0),
        message: Bytes::from(format!(r#"{{"touser":"oUser0","n":{}}}"#, key.ordinal)),
        state,
        error_code: None,
        rid: None,
        detail: None,
        changed_at: now,
        passive: (state == PartState::Sending && key.ordinal <= 1)
            .then(|| Bytes::from_static(b"<xml/>")),
        at_least_once: key.ordinal == 1,
    }
}

fn settlement(
    push: &StoredPush,
    ending: Ending,
    parts: &[PartState],
    turning: Option<Turning>,
    now: Timestamp,
) -> Settlement {
    let (next, ended) = match ending {
        Ending::Done | Ending::WrongRun => (Next::Done, Ended::Well),
        Ending::Retry => {
            let at = now.after(Duration::from_secs(30));
            let reason = "the shop is closed".to_owned();
            (Next::Retry { at, reason }, Ended::Failed)
        }
        Ending::Dead => {
            let reason = "it never works".to_owned();
            (Next::Dead { reason }, Ended::GaveUp)
        }
    };
    let run = push.run + u32::from(matches!(ending, Ending::WrongRun));
    let key = |ordinal| PartKey {
        push: push.id,
        run,
        ordinal,
    };
    Settlement {
        push: push.id,
        run,
        attempt: Attempt {
            number: push.attempts + 1,
            started_at: now,
            ended_at: now.after(Duration::from_millis(5)),
            route: "fallback".to_owned(),
            ended,
            error: (ended != Ended::Well).then(|| "a reason".to_owned()),
            out_of_order: push.attempts > 0,
        },
        next,
        parts: (0..)
            .zip(parts)
            .map(|(ordinal, state)| part(key(ordinal), *state, now))
            .collect(),
        conversation: turning.map(|turning| change(turning, now)),
    }
}

fn change(turning: Turning, now: Timestamp) -> ConversationChange {
    let set = |state, seconds| {
        ConversationChange::Set(StoredConversation {
            type_name: "shop::Order".to_owned(),
            state,
            expires_at: now.after(Duration::from_secs(seconds)),
        })
    };
    match turning {
        Turning::Set { number, seconds } => set(format!("{{\"尺码\":{number}}}"), seconds),
        Turning::TooBig => set("9".repeat(MAX_CONVERSATION_BYTES + 1), 60),
        Turning::Cleared => ConversationChange::Cleared,
    }
}

/// The call that a step stands for, made from what the model knows.
#[derive(Debug, Clone)]
enum Call {
    Accept(NewPush),
    Start(PushId),
    Settle(Settlement),
    MarkSending(Part),
    Record(PartVerdict),
    Replay(PushId, Timestamp),
    Reread(PushId, Timestamp),
    Discard(PushId),
    Spill(LaneKey, Vec<PushId>),
    Unspill(LaneKey, usize),
}

fn call(step: &Step, model: &Model, now: Timestamp) -> Option<Call> {
    let stored = model.list(&Filter::default());
    let chosen = |index: &Index| (!stored.is_empty()).then(|| index.get(&stored));
    let part_key = |index: &Index, ordinal| {
        chosen(index).map(|push| PartKey {
            push: push.id,
            run: push.run,
            ordinal,
        })
    };
    Some(match step {
        Step::Accept { key, user, kind } => Call::Accept(new_push(*key, *user, *kind, now)),
        Step::Start(push) => Call::Start(chosen(push)?.id),
        Step::Settle(push, ending, parts, turning) => {
            Call::Settle(settlement(chosen(push)?, *ending, parts, *turning, now))
        }
        Step::MarkSending { push, ordinal } => {
            Call::MarkSending(part(part_key(push, *ordinal)?, PartState::Sending, now))
        }
        Step::Record {
            push,
            ordinal,
            state,
        } => Call::Record(PartVerdict {
            key: part_key(push, *ordinal)?,
            state: *state,
            error_code: Some(45015),
            rid: Some("65a0".to_owned()),
            detail: Some("out of the window".to_owned()),
            at: now,
        }),
        Step::Replay(push) => Call::Replay(chosen(push)?.id, now),
        Step::Reread(push) => Call::Reread(chosen(push)?.id, now),
        Step::Discard(push) => Call::Discard(chosen(push)?.id),
        Step::Spill { user: number } => {
            let of_lane = stored.iter().filter(|push| push.user == user(*number));
            Call::Spill(lane(*number), of_lane.map(|push| push.id).collect())
        }
        Step::Unspill { user, limit } => Call::Unspill(lane(*user), *limit),
        Step::Advance { .. } | Step::Crash { .. } => return None,
    })
}

fn play_on_model(call: Call, model: &mut Model, now: Timestamp) -> Outcome {
    let changed = |()| Outcome::Changed;
    match call {
        Call::Accept(push) => outcome(model.accept(push, now), Outcome::Accepted),
        Call::Start(push) => outcome(model.start(push), changed),
        Call::Settle(settlement) => outcome(model.settle(settlement), changed),
        Call::MarkSending(part) => outcome(model.mark_sending(part), changed),
        Call::Record(verdict) => outcome(model.record(verdict), changed),
        Call::Replay(push, at) => outcome(model.replay(push, at), changed),
        Call::Reread(push, at) => outcome(model.reread(push, Kind::Event, user(0), at), changed),
        Call::Discard(push) => outcome(model.discard(push), changed),
        Call::Spill(lane, pushes) => {
            model.spill(lane, pushes);
            Outcome::Changed
        }
        Call::Unspill(lane, limit) => Outcome::Unspilled(model.unspill(&lane, limit)),
    }
}

/// Makes the call at once; the future only waits for its outcome.
fn play_on(call: Call, store: &dyn Inbox) -> futures_util::future::BoxFuture<'_, Outcome> {
    let changed = |()| Outcome::Changed;
    match call {
        Call::Accept(push) => {
            let room = Arc::clone(store.room()).try_acquire_owned().unwrap();
            let (ticket, accepted) = Ticket::once();
            store.accept(push, room, ticket);
            Box::pin(async { outcome(accepted.await, Outcome::Accepted) })
        }
        Call::Start(push) => finish(store.start(push), changed),
        Call::Settle(settlement) => finish(store.settle(settlement), changed),
        Call::MarkSending(part) => finish(store.mark_sending(part), changed),
        Call::Record(verdict) => finish(store.record(verdict), changed),
        Call::Replay(push, at) => finish(store.replay(push, at), changed),
        Call::Reread(push, at) => finish(store.reread(push, Kind::Event, user(0), at), changed),
        Call::Discard(push) => finish(store.discard(push), changed),
        Call::Spill(lane, pushes) => finish(store.spill(lane, pushes), changed),
        Call::Unspill(lane, limit) => finish(store.unspill(lane, limit), Outcome::Unspilled),
    }
}

fn finish<'a, T: 'a>(
    call: futures_util::future::BoxFuture<'a, Result<T, StoreError>>,
    of: impl FnOnce(T) -> Outcome + Send + 'a,
) -> futures_util::future::BoxFuture<'a, Outcome> {
    Box::pin(async { outcome(call.await, of) })
}

/// A store under test that can be crashed and opened again.
trait Subject {
    fn inbox(&self) -> Arc<dyn Inbox>;
    /// Kills it while calls are under way, and opens what is left. `false`: it cannot survive.
    fn crash(&mut self) -> bool;
}

struct EmbeddedSubject {
    directory: TempDir,
    clock: Arc<ManualClock>,
    store: Option<Arc<Embedded>>,
}

fn open(directory: &Path, clock: &Arc<ManualClock>) -> Arc<Embedded> {
    let settings = Settings {
        reserve_bytes: 0,
        ride: Duration::from_millis(1),
        // The model keeps everything.
        done_retention: Duration::from_secs(u64::from(u32::MAX)),
        ..Settings::new(directory)
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    open_store(&settings, &clock)
}

impl EmbeddedSubject {
    fn new(clock: Arc<ManualClock>) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Some(open(directory.path(), &clock));
        Self {
            directory,
            clock,
            store,
        }
    }
}

impl Subject for EmbeddedSubject {
    fn inbox(&self) -> Arc<dyn Inbox> {
        Arc::clone(self.store.as_ref().unwrap()) as _
    }

    fn crash(&mut self) -> bool {
        self.store.take().unwrap().crash();
        self.store = Some(open(self.directory.path(), &self.clock));
        true
    }
}

struct MemorySubject(Arc<MemoryInbox>);

impl Subject for MemorySubject {
    fn inbox(&self) -> Arc<dyn Inbox> {
        Arc::clone(&self.0) as _
    }

    fn crash(&mut self) -> bool {
        false
    }
}

async fn play(steps: Vec<Step>, clock: &ManualClock, subject: &mut dyn Subject) -> TestCaseResult {
    let mut model = Model::new(Limits::NONE);
    for step in steps {
        match &step {
            Step::Advance { seconds } => clock.advance(Duration::from_secs(*seconds)),
            Step::Crash {
                under_way,
                answered,
            } => {
                model = crash(under_way, *answered, model, clock, subject).await?;
            }
            _ => {
                let now = clock.now();
                let Some(call) = call(&step, &model, now) else {
                    continue;
                };
                let expected = play_on_model(call.clone(), &mut model, now);
                let found = play_on(call.clone(), &*subject.inbox()).await;
                prop_assert_eq!(found, expected, "{:?}", call);
            }
        }
        let expected = look_at_model(&model, clock.now());
        let found = look_at(&*subject.inbox(), clock.now()).await.unwrap();
        prop_assert_eq!(found, expected, "after {:?}", step);
    }
    Ok(())
}

/// Kills the store while calls are under way. What is found then must be what the model has after
/// some first part of them, and no call that was answered may be missing.
async fn crash(
    under_way: &[Step],
    awaited: usize,
    model: Model,
    clock: &ManualClock,
    subject: &mut dyn Subject,
) -> Result<Model, TestCaseError> {
    let now = clock.now();
    let mut possible = vec![model];
    let inbox = subject.inbox();
    let mut futures = Vec::new();
    for step in under_way {
        let mut next = possible.last().unwrap().clone();
        let Some(call) = call(step, &next, now) else {
            continue;
        };
        let expected = play_on_model(call.clone(), &mut next, now);
        possible.push(next);
        futures.push((expected, play_on(call, &*inbox)));
    }
    // The calls are in the queue; the writer may have got to any of them, and has to the awaited.
    let mut outcomes = Vec::new();
    let mut futures = futures.into_iter();
    for (expected, future) in futures.by_ref().take(awaited) {
        outcomes.push((expected, future.await));
    }
    if !subject.crash() {
        return Ok(possible.pop().unwrap());
    }
    for (expected, future) in futures {
        outcomes.push((expected, future.await));
    }
    let mut answered = 0;
    for (index, (expected, found)) in outcomes.into_iter().enumerate() {
        if index < awaited || !matches!(found, Outcome::Other(_)) {
            prop_assert_eq!(found, expected, "answered before the crash");
            answered = index + 1;
        }
    }
    drop(inbox);
    let found = look_at(&*subject.inbox(), now).await.unwrap();
    for mut candidate in possible.drain(answered..) {
        candidate.recover(now);
        if look_at_model(&candidate, now) == found {
            return Ok(candidate);
        }
    }
    Err(TestCaseError::fail(format!(
        "after a crash during {under_way:?} there is {found:#?}"
    )))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_behaves_as_the_model_through_crashes(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let clock = Arc::new(ManualClock::at(START.seconds()));
        let mut subject = EmbeddedSubject::new(Arc::clone(&clock));
        runtime().block_on(play(steps, &clock, &mut subject))?;
    }

    #[test]
    fn the_memory_store_behaves_as_the_model(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let clock = Arc::new(ManualClock::at(START.seconds()));
        let mut subject = MemorySubject(MemoryInbox::new(Arc::clone(&clock) as _));
        runtime().block_on(play(steps, &clock, &mut subject))?;
    }
}
