//! Token reads of 64 tasks: how many in a second, and whether one waits while the token is renewed.
//!
//! Ends with code 1 when the slowest thousandth of the reads takes more than twice as long during a
//! renewal of five seconds as without one.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints what it found"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{StreamExt as _, stream};
use hdrhistogram::Histogram;
use wxhook::clock::{Clock, SystemClock};
use wxhook::id::AppId;
use wxhook::platform::Platform;
use wxhook::platform::error::ErrorCode;
use wxhook::platform::hosts::Hosts;
use wxhook::secret::AppSecret;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::token::{Endpoint, Keeper, KeeperParts};
use wxhook::transport::{Request, Response, Transport, TransportError};

const TASKS: usize = 64;
const LONG: Duration = Duration::from_secs(5);

/// A platform that gives its first token at once and every other one after five seconds.
#[derive(Debug, Default)]
struct Slow(std::sync::atomic::AtomicU32);

impl Transport for Slow {
    fn send(&self, _: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            if number > 0 {
                tokio::time::sleep(LONG).await;
            }
            let body = format!(r#"{{"access_token":"token-{number}","expires_in":7200}}"#);
            Ok(Response {
                status: 200,
                content_type: None,
                content_length: None,
                content_disposition: None,
                body: stream::iter([Ok(Bytes::from(body))]).boxed(),
            })
        })
    }
}

fn keeper(clock: &Arc<dyn Clock>) -> Arc<Keeper> {
    let hosts = Arc::new(Hosts::parse(["a.example"]).unwrap());
    let transport = Arc::new(Slow::default());
    Arc::new(Keeper::new(KeeperParts {
        account: AppId::parse("wx0123456789abcdef").unwrap(),
        secret: AppSecret::new("secret"),
        endpoint: Endpoint::Stable,
        store: MemoryTokens::new(Arc::clone(clock)),
        platform: Arc::new(Platform::new(transport, hosts, Arc::clone(clock))),
        clock: Arc::clone(clock),
        counters: Arc::default(),
        tally: None,
    }))
}

/// Reads with all tasks for `LONG`; nanoseconds of each read.
async fn read(keeper: &Arc<Keeper>, clock: &Arc<dyn Clock>) -> Histogram<u64> {
    let until = clock.monotonic() + LONG;
    let tasks = (0..TASKS).map(|_| {
        let (keeper, clock) = (Arc::clone(keeper), Arc::clone(clock));
        tokio::spawn(async move {
            let mut times = Histogram::<u64>::new_with_max(60_000_000_000, 3).unwrap();
            loop {
                for _ in 0..100 {
                    let began = clock.monotonic();
                    keeper.token().await.unwrap();
                    let took = clock.monotonic() - began;
                    times.saturating_record(u64::try_from(took.as_nanos()).unwrap());
                }
                if clock.monotonic() >= until {
                    return times;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let mut all = Histogram::<u64>::new_with_max(60_000_000_000, 3).unwrap();
    for times in join_all(tasks).await {
        all.add(times.unwrap()).unwrap();
    }
    all
}

fn print(name: &str, times: &Histogram<u64>) {
    let a_second = times.len() / LONG.as_secs();
    let (half, slow) = (times.value_at_quantile(0.5), times.value_at_quantile(0.999));
    println!(
        "{name}: {a_second} reads/s, p50 {half} ns, p99.9 {slow} ns, longest {} ns",
        times.max()
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let keeper = keeper(&clock);
    let first = keeper.token().await.unwrap();
    let quiet = read(&keeper, &clock).await;
    print("without a renewal", &quiet);
    let renewal = {
        let keeper = Arc::clone(&keeper);
        tokio::spawn(async move { keeper.report_bad(&first.token, ErrorCode(40001)).await })
    };
    let busy = read(&keeper, &clock).await;
    print("during a renewal of 5 s", &busy);
    assert!(renewal.await.unwrap().unwrap().token.matches("token-1"));
    let limit = 2 * quiet.value_at_quantile(0.999);
    if busy.value_at_quantile(0.999) <= limit {
        ExitCode::SUCCESS
    } else {
        println!("a renewal makes readers wait");
        ExitCode::FAILURE
    }
}
