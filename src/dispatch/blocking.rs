//! Handlers that are no async functions, on threads where they may wait.

use std::future::Future;
use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::dispatch::conversation::ConversationType;
use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::dispatch::handler::{
    Called, Handler, IntoReply, for_each_arity, has_kind_of, of_inputs,
};
use crate::dispatch::runtime::block_on;

/// A plain function as a handler; made by [`blocking`].
#[derive(Debug, Clone, Copy)]
pub struct Blocking<F>(F);

/// A plain function as a handler, for code that waits without `await`: a driver without async, a long
/// computation, a file.
///
/// It takes the same extractors and returns the same replies. It runs on a thread of its own pool
/// (`dispatch.blocking_threads`), so that no handler thread waits for it; waiting for a free one
/// counts to its time. Its panics and time-outs are treated as those of any handler, but a function that
/// runs **cannot be cancelled**: after its time-out the push is tried again while the first attempt may
/// still be at work. What it returns then is not said.
///
/// [`wait_for`] does in it what `.await` does elsewhere.
///
/// ```
/// use wxhook::dispatch::{Content, Reply, Router, blocking, wait_for};
///
/// fn report(Content(_question): Content, reply: Reply) -> Result<String, wxhook::Error> {
///     wait_for(reply.send("正在统计……"))?;
///     let lines = std::fs::read_to_string("/var/lib/shop/report.txt")?;
///     Ok(lines)
/// }
/// let router = Router::<()>::new().text("报表", blocking(report));
/// ```
pub fn blocking<F>(function: F) -> Blocking<F> {
    Blocking(function)
}

/// Waits for a future, on the thread that calls it: in functions that are [`blocking`], where nothing
/// can be awaited. In an async function write `.await`.
pub fn wait_for<T>(future: impl Future<Output = T>) -> T {
    block_on(future)
}

/// In the inputs of a plain function, so that it is told from an async one.
#[derive(Debug)]
pub struct Plain;

macro_rules! plain_handler {
    ($($input:ident),*) => {
        impl<S, F, R, $($input,)*> Handler<S, (Plain, $($input,)*)> for Blocking<F>
        where
            F: Fn($($input),*) -> R + Clone + Send + Sync + 'static,
            R: IntoReply,
            $($input: FromPush<S> + Send + 'static,)*
        {
            #[allow(unused_variables, reason = "the one without arguments needs nothing")]
            #[allow(non_snake_case, reason = "a value is called as its type")]
            fn start(&self, context: &Context, state: &S) -> Result<Called, Rejection> {
                let function = self.0.clone();
                $(let $input = $input::from_push(context, state)?;)*
                let (pool, pass) = (context.pool().clone(), context.pass());
                Ok(Box::pin(async move {
                    let work = move || {
                        // Until the function ends, and not only until it is given up.
                        let _pass = pass;
                        function($($input),*).into_reply()
                    };
                    pool.run(work).await?
                }))
            }

            of_inputs!($($input),*);
        }
    };
}

for_each_arity!(plain_handler);

/// Threads on which functions may wait.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    /// Starts threads when they are needed, up to its bound, and lets them go when they are not.
    threads: Handle,
    /// Where tokio's timers and sockets run: the functions may use them.
    io: Handle,
}

/// The threads are being left.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
pub(crate) struct Stopping;

impl Pool {
    pub(crate) fn new(threads: Handle, io: Handle) -> Self {
        Self { threads, io }
    }

    /// Runs a function on a thread of the pool. Dropping the future drops a function that has not begun;
    /// one that has goes on. Panics with the function's panic.
    ///
    /// # Errors
    /// [`Stopping`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopping> {
        let io = self.io.clone();
        let task = self.threads.spawn_blocking(move || {
            let _entered = io.enter();
            work()
        });
        match (&mut Unwanted(task).0).await {
            Ok(value) => Ok(value),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_cancelled) => Err(Stopping),
            },
        }
    }
}

/// Takes a function that has not begun out of the queue when nobody waits for it any more.
struct Unwanted<T>(JoinHandle<T>);

impl<T> Drop for Unwanted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
