//! Handlers without threads of their own: on the tokio runtime that is there, for tests in which
//! everything happens in one order.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use async_executor::Executor;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{HandlerRuntime, Shop, Staffing};
use crate::clock::Clock;
use crate::dispatch::blocking::Pool;
use crate::metric::Counters;

/// Drives handlers where the engine runs.
pub(super) struct Here(JoinHandle<()>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HandlerRuntime {
    /// Handlers on the current tokio runtime, which must go on as long as they do. Nothing watches over
    /// those that block.
    pub(crate) fn here(clock: Arc<dyn Clock>, counters: Arc<Counters>) -> Self {
        let shop = Arc::new(Shop {
            executor: Executor::new(),
            crew: Mutex::default(),
            left: Condvar::new(),
            staffing: Staffing {
                threads: 0,
                most: 0,
                blocked_after: Duration::MAX,
                blocking: 0,
            },
            clock,
            counters,
            io: Handle::current(),
        });
        let driver = tokio::spawn(drive(Arc::clone(&shop)));
        Self {
            shop,
            io: None,
            blocking: None,
            // While a function runs there, paused time stands still.
            pool: Pool::new(Handle::current(), Handle::current()),
            watchdog: None,
            _here: Some(Here(driver)),
        }
    }
}

/// Runs what is spawned. Handlers' panics are caught where they run; one that is caught here is of a
/// cancelled future's drop.
async fn drive(shop: Arc<Shop>) {
    loop {
        let forever = AssertUnwindSafe(shop.executor.run(pending::<()>()));
        drop(forever.catch_unwind().await);
    }
}
