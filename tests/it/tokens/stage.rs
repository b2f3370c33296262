//! Several keepers of one account, as in several processes, over one store and one scripted platform.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::json;
use tokio::time::Instant;
use wxhook::clock::{Clock, Timestamp};
use wxhook::platform::Platform;
use wxhook::platform::hosts::Hosts;
use wxhook::secret::AppSecret;
use wxhook::store::tokens::{
    NewToken, Note, Owner, Promise, PutBack, Right, Saved, TokenKey, TokenRecord, Tokens,
    TokensError,
};
use wxhook::token::{Endpoint, Keeper, KeeperParts};
use wxhook::transport::{Request, Response, Transport, TransportError};

/// A clock that goes with the runtime's time, which tests may pause.
#[derive(Debug)]
pub(crate) struct RuntimeClock(Instant);

impl RuntimeClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What the platform does with one question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Another token, valid for so many seconds.
    Another(u64),
    /// The last token again.
    Same,
    /// As the stable endpoint: the last token while more than 300 of its 7,200 seconds are left.
    Stable,
    /// This code.
    Code(i64),
}

/// A platform that counts its tokens: `token-1`, `token-2`, ….
#[derive(Debug)]
pub(crate) struct Script {
    /// How long each question takes.
    takes: Mutex<Duration>,
    first: Mutex<VecDeque<Answer>>,
    then: Mutex<Answer>,
    asked: AtomicU32,
    minted: AtomicU32,
    paths: Mutex<Vec<String>>,
    minted_at: Mutex<Option<Instant>>,
}

impl Script {
    /// Answers `first`, one by one, and then always `then`.
    pub(crate) fn new(takes: Duration, first: &[Answer], then: Answer) -> Arc<Self> {
        Arc::new(Self {
            takes: Mutex::new(takes),
            first: Mutex::new(first.iter().copied().collect()),
            then: Mutex::new(then),
            asked: AtomicU32::new(0),
            minted: AtomicU32::new(0),
            paths: Mutex::default(),
            minted_at: Mutex::default(),
        })
    }

    pub(crate) fn then(&self, answer: Answer) {
        *self.then.lock().unwrap() = answer;
    }

    pub(crate) fn takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Tokens so far.
    pub(crate) fn minted(&self) -> u32 {
        self.minted.load(Ordering::SeqCst)
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }

    fn answer(&self) -> String {
        let first = self.first.lock().unwrap().pop_front();
        let answer = first.unwrap_or_else(|| *self.then.lock().unwrap());
        let minted = match answer {
            Answer::Code(code) => return json!({"errcode": code, "errmsg": "x"}).to_string(),
            Answer::Another(_) => self.minted.fetch_add(1, Ordering::SeqCst) + 1,
            Answer::Stable => return self.stable(),
            Answer::Same => self.minted(),
        };
        let seconds = match answer {
            Answer::Another(seconds) => seconds,
            _ => 7_200,
        };
        Self::token(minted, seconds)
    }

    fn stable(&self) -> String {
        let mut minted_at = self.minted_at.lock().unwrap();
        let age = minted_at.map_or(u64::MAX, |at| at.elapsed().as_secs());
        if 7_200_u64.saturating_sub(age) > 300 {
            return Self::token(self.minted(), 7_200 - age);
        }
        *minted_at = Some(Instant::now());
        Self::token(self.minted.fetch_add(1, Ordering::SeqCst) + 1, 7_200)
    }

    fn token(number: u32, seconds: u64) -> String {
        json!({"access_token": format!("token-{number}"), "expires_in": seconds}).to_string()
    }
}

/// The script as one process reaches it.
#[derive(Debug)]
struct Wire(Arc<Script>);

impl Transport for Wire {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let script = Arc::clone(&self.0);
        Box::pin(async move {
            script.asked.fetch_add(1, Ordering::SeqCst);
            script.paths.lock().unwrap().push(request.url);
            // The platform acts when the question comes; the answer is what takes its time.
            let body = Bytes::from(script.answer());
            let takes = *script.takes.lock().unwrap();
            tokio::time::sleep(takes).await;
            Ok(Response {
                status: 200,
                content_type: None,
                content_length: None,
                content_disposition: None,
                body: stream::iter([Ok(body)]).boxed(),
            })
        })
    }
}

/// The AppSecret of every stage.
pub(crate) const SECRET: &str = "s3cr3t-0123456789abcdef";

/// A keeper as another process would have it.
pub(crate) fn keeper(
    key: &TokenKey,
    endpoint: Endpoint,
    store: Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    script: &Arc<Script>,
) -> Arc<Keeper> {
    let hosts = Arc::new(Hosts::parse(["a.example"]).unwrap());
    let wire = Arc::new(Wire(Arc::clone(script)));
    Arc::new(Keeper::new(KeeperParts {
        account: key.account.clone(),
        secret: AppSecret::new(SECRET),
        endpoint,
        store,
        platform: Arc::new(Platform::new(wire, hosts, Arc::clone(clock))),
        clock: Arc::clone(clock),
        counters: Arc::default(),
        tally: None,
    }))
}

/// A store that can go away, hang, or hold back one process's steps.
pub(crate) struct Unsteady {
    inner: Arc<dyn Tokens>,
    away: AtomicBool,
    hangs: AtomicBool,
    /// How much of its next right this process sleeps away before its question.
    slept_before: Mutex<Duration>,
    /// How much of each right it sleeps away between its question and the answer.
    slept_after: Mutex<Duration>,
}

impl Unsteady {
    pub(crate) fn over(inner: Arc<dyn Tokens>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            away: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            slept_before: Mutex::default(),
            slept_after: Mutex::default(),
        })
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn set_hanging(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// The process sleeps so long after it got the next right, before its question.
    pub(crate) fn sleep_before_asking(&self, pause: Duration) {
        *self.slept_before.lock().unwrap() = pause;
    }

    /// The process sleeps so long after each question.
    pub(crate) fn sleep_after_asking(&self, pause: Duration) {
        *self.slept_after.lock().unwrap() = pause;
    }

    fn step<'a, T: Send + 'a>(&'a self, step: Promise<'a, T>) -> Promise<'a, T> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.away.load(Ordering::SeqCst) {
                return Err(TokensError::away("switched off"));
            }
            step.await
        })
    }
}

impl fmt::Debug for Unsteady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsteady")
    }
}

impl Tokens for Unsteady {
    fn durability(&self) -> &'static str {
        self.inner.durability()
    }

    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>> {
        self.step(self.inner.load(key))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>> {
        // Instead of a long sleep: a short one, and a right that is shorter by the rest.
        let asleep = std::mem::take(&mut *self.slept_before.lock().unwrap());
        let lasting = lasting.saturating_sub(asleep).max(Duration::from_millis(1));
        self.step(Box::pin(async move {
            let right = self.inner.acquire(key, owner, lasting).await;
            if !asleep.is_zero() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            right
        }))
    }

    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool> {
        let asleep = *self.slept_after.lock().unwrap();
        let lasting = lasting.saturating_sub(asleep).max(Duration::from_millis(1));
        self.step(self.inner.holds(right, lasting))
    }

    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved> {
        self.step(self.inner.save(right, new))
    }

    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack> {
        self.step(self.inner.put_back(key, record))
    }

    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()> {
        self.step(self.inner.release(key, owner))
    }

    fn note<'a>(&'a self, key: &'a TokenKey, note: Note) -> Promise<'a, ()> {
        self.step(self.inner.note(key, note))
    }

    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>> {
        self.step(self.inner.notes(key))
    }
}
