//! The threads that run handlers, and the watchdog that replaces those that handlers block.
//!
//! Handlers are futures on one executor that several threads drive. A handler that computes or waits
//! without awaiting keeps its thread; when it has done so for a while, another thread takes its place,
//! so that other users' handlers go on. When the blocked one comes back, there is one too many, and it
//! leaves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use async_executor::{Executor, Task};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;

use crate::clock::Clock;
use crate::dispatch::blocking::Pool;
use crate::metric::{Counter, Counters};

/// How many threads, and when one counts as blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Staffing {
    /// Threads that are not blocked.
    pub(crate) threads: usize,
    /// All threads.
    pub(crate) most: usize,
    /// How long one poll may take.
    pub(crate) blocked_after: Duration,
    /// Threads for functions that are not async.
    pub(crate) blocking: usize,
}

/// Runs handler futures. Dropping it tells its threads to leave; a blocked one leaves when it comes back.
pub(crate) struct HandlerRuntime {
    shop: Arc<Shop>,
    /// Timers and sockets of what handlers await. `None` only while it is dropped.
    io: Option<tokio::runtime::Runtime>,
    /// Has the threads of functions that are not async. `None` only while it is dropped.
    blocking: Option<tokio::runtime::Runtime>,
    pool: Pool,
    /// Closed to end the watchdog.
    watchdog: Option<Sender<()>>,
    /// Drives the executor when there are no threads; dropped with it.
    #[cfg(feature = "testing")]
    _here: Option<here::Here>,
}

impl HandlerRuntime {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system's, when it refuses a thread.
    pub(crate) fn start(
        staffing: Staffing,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("handler-io")
            .enable_all()
            .build()?;
        let blocking = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(staffing.blocking.max(1))
            .thread_name("handler-blocking")
            .build()?;
        let pool = Pool::new(blocking.handle().clone(), io.handle().clone());
        let shop = Arc::new(Shop {
            executor: Executor::new(),
            crew: Mutex::default(),
            left: Condvar::new(),
            staffing,
            clock,
            counters,
            io: io.handle().clone(),
        });
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let runtime = Self {
            shop: Arc::clone(&shop),
            io: Some(io),
            blocking: Some(blocking),
            pool,
            watchdog: Some(stop),
            #[cfg(feature = "testing")]
            _here: None,
        };
        for _ in 0..staffing.threads.max(1) {
            shop.hire(&mut shop.crew())?;
        }
        std::thread::Builder::new()
            .name("handler-watch".to_owned())
            .spawn(move || shop.watch(&stopped))?;
        Ok(runtime)
    }

    /// Runs a future. Dropping the task cancels it, at the latest when it next awaits.
    pub(crate) fn spawn(&self, future: BoxFuture<'static, ()>) -> Task<()> {
        self.shop.executor.spawn(Watched(future))
    }

    /// Where functions that are not async run.
    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Tells the threads to leave and waits for them, at most `grace`. Whether all have left.
    pub(crate) fn close(self, grace: Duration) -> bool {
        let shop = Arc::clone(&self.shop);
        drop(self);
        let crew = shop.crew();
        let (crew, _) = shop
            .left
            .wait_timeout_while(crew, grace, |crew| !crew.seats.is_empty())
            .unwrap_or_else(|e| e.into_inner());
        crew.seats.is_empty()
    }
}

impl Drop for HandlerRuntime {
    fn drop(&mut self) {
        self.watchdog = None;
        let mut crew = self.shop.crew();
        crew.closed = true;
        for seat in crew.seats.values() {
            seat.dismiss();
        }
        drop(crew);
        for runtime in [self.io.take(), self.blocking.take()].into_iter().flatten() {
            // A runtime must not be waited for where an async task may be dropping us.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for HandlerRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crew = self.shop.crew();
        f.debug_struct("HandlerRuntime")
            .field("threads", &crew.seats.len())
            .field("free", &crew.free())
            .finish()
    }
}

/// What all threads share.
struct Shop {
    executor: Executor<'static>,
    crew: Mutex<Crew>,
    left: Condvar,
    staffing: Staffing,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    io: tokio::runtime::Handle,
}

#[derive(Default)]
struct Crew {
    seats: HashMap<usize, Arc<Seat>>,
    hired: usize,
    closed: bool,
    /// Whether it was said that no further thread may be started.
    full_reported: bool,
}

impl Shop {
    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn hire(self: &Arc<Self>, crew: &mut Crew) -> io::Result<()> {
        crew.hired += 1;
        let number = crew.hired;
        let seat = Arc::new(Seat::default());
        let shop = Arc::clone(self);
        let taken = Arc::clone(&seat);
        std::thread::Builder::new()
            .name(format!("handler-{number}"))
            .spawn(move || shop.work(number, &taken))?;
        crew.seats.insert(number, seat);
        Ok(())
    }

    /// The life of one thread.
    fn work(self: &Arc<Self>, number: usize, seat: &Arc<Seat>) {
        let _entered = self.io.enter();
        let post = Post {
            shop: Arc::clone(self),
            seat: Arc::clone(seat),
        };
        POST.with(|mine| *mine.borrow_mut() = Some(post));
        while !seat.dismissed.load(Ordering::SeqCst) {
            // Handlers' panics are caught where they run; this one is of a cancelled future's drop.
            let run = AssertUnwindSafe(|| block_on(self.executor.run(seat.dismissal())));
            if std::panic::catch_unwind(run).is_err() {
                self.returned(seat);
                tracing::error!("A cancelled handler panicked while its values were dropped.");
            }
        }
        POST.with(|mine| *mine.borrow_mut() = None);
        self.crew().seats.remove(&number);
        self.left.notify_all();
    }

    /// The watchdog: looks at every thread, a few times in the time that one may be blocked.
    fn watch(self: &Arc<Self>, stopped: &Receiver<()>) {
        let interval = (self.staffing.blocked_after / 4).max(Duration::from_millis(1));
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
            let now = millis(self.clock.monotonic());
            let mut crew = self.crew();
            let blocked = crew
                .seats
                .values()
                .filter(|seat| seat.is_newly_blocked(now, millis(self.staffing.blocked_after)))
                .count();
            if blocked > 0 {
                tracing::warn!(
                    newly_blocked = blocked,
                    free = crew.free(),
                    threads = crew.seats.len(),
                    "Handlers block their threads; other threads take over."
                );
            }
            self.replace(&mut crew);
        }
    }

    /// Starts threads until as many as wanted are not blocked, within the cap.
    fn replace(self: &Arc<Self>, crew: &mut Crew) {
        while !crew.closed && crew.free() < self.staffing.threads.max(1) {
            if crew.seats.len() >= self.staffing.most {
                if !std::mem::replace(&mut crew.full_reported, true) {
                    tracing::error!(
                        threads = crew.seats.len(),
                        "Handlers block as many threads as there may be; other handlers wait for them."
                    );
                }
                return;
            }
            if let Err(error) = self.hire(crew) {
                tracing::error!(%error, "No thread could be started for a blocked one.");
                return;
            }
            self.counters.add(Counter::HandlerThreadsReplaced);
        }
    }

    /// A thread that may have been taken for blocked is back.
    fn returned(&self, seat: &Seat) {
        seat.entered.store(0, Ordering::SeqCst);
        if !seat.blocked.load(Ordering::SeqCst) {
            return;
        }
        let mut crew = self.crew();
        seat.blocked.store(false, Ordering::SeqCst);
        crew.full_reported = false;
        if crew.free() > self.staffing.threads.max(1) {
            seat.dismiss();
        }
    }
}

impl Crew {
    /// Threads that can take up a handler.
    fn free(&self) -> usize {
        let staying = |seat: &&Arc<Seat>| {
            !seat.dismissed.load(Ordering::SeqCst) && !seat.blocked.load(Ordering::SeqCst)
        };
        self.seats.values().filter(staying).count()
    }
}

/// One thread's mark.
#[derive(Default)]
struct Seat {
    /// When the poll under way began, in milliseconds + 1; 0 between polls.
    entered: AtomicU64,
    blocked: AtomicBool,
    dismissed: AtomicBool,
    bell: AtomicWaker,
}

impl Seat {
    /// Marks a thread that has been in one poll for too long. Called under the crew's lock.
    fn is_newly_blocked(&self, now: u64, blocked_after: u64) -> bool {
        let entered = self.entered.load(Ordering::SeqCst);
        if entered == 0 || now.saturating_sub(entered - 1) < blocked_after {
            return false;
        }
        if self.blocked.swap(true, Ordering::SeqCst) {
            return false;
        }
        if self.entered.load(Ordering::SeqCst) == entered {
            return true;
        }
        // The poll ended just now. Its thread either saw the mark and waits for the lock to take it
        // away, or did not see it and never will: undoing it here is right for both.
        self.blocked.store(false, Ordering::SeqCst);
        false
    }

    fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        self.bell.wake();
    }

    fn dismissal(&self) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(|context| {
            self.bell.register(context.waker());
            match self.dismissed.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }
}

/// Where a thread works.
struct Post {
    shop: Arc<Shop>,
    seat: Arc<Seat>,
}

thread_local! {
    static POST: RefCell<Option<Post>> = const { RefCell::new(None) };
}

/// A handler's future whose polls are seen by the watchdog.
struct Watched(BoxFuture<'static, ()>);

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        POST.with(|post| {
            let post = post.borrow();
            if let Some(Post { shop, seat }) = &*post {
                let now = millis(shop.clock.monotonic());
                seat.entered.store(now + 1, Ordering::SeqCst);
            }
            let polled = self.0.as_mut().poll(context);
            if let Some(Post { shop, seat }) = &*post {
                shop.returned(seat);
            }
            polled
        })
    }
}

/// Drives a future on this thread. Unlike tokio's, it lets handlers block on runtimes of their own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(feature = "testing")]
mod here;
#[cfg(test)]
mod tests;
