use std::sync::Barrier;
use std::sync::mpsc;

use super::*;
use crate::clock::SystemClock;

const LONG: Duration = Duration::from_secs(20);

fn runtime(threads: usize, most: usize) -> (HandlerRuntime, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let staffing = Staffing {
        threads,
        most,
        blocked_after: Duration::from_millis(20),
        blocking: 2,
    };
    let clock = Arc::new(SystemClock::start());
    let runtime = HandlerRuntime::start(staffing, clock, Arc::clone(&counters)).unwrap();
    (runtime, counters)
}

#[test]
fn a_blocked_thread_is_replaced_and_leaves_when_it_comes_back() {
    let (runtime, counters) = runtime(1, 8);
    let (release, released) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel();
    let back = done.clone();
    runtime
        .spawn(Box::pin(async move {
            released.recv().unwrap();
            back.send("blocked").unwrap();
        }))
        .detach();
    runtime
        .spawn(Box::pin(async move { done.send("other").unwrap() }))
        .detach();

    assert_eq!(finished.recv_timeout(LONG), Ok("other"));
    assert_eq!(counters.value(Counter::HandlerThreadsReplaced), 1);
    release.send(()).unwrap();
    assert_eq!(finished.recv_timeout(LONG), Ok("blocked"));
    let crew = runtime.shop.crew();
    let (crew, late) = runtime
        .shop
        .left
        .wait_timeout_while(crew, LONG, |crew| crew.seats.len() > 1)
        .unwrap();
    assert!(!late.timed_out());
    assert_eq!(crew.free(), 1);
    drop(crew);
    assert!(runtime.close(LONG));
}

#[test]
fn replacements_stop_at_the_cap_and_work_goes_on_afterwards() {
    let (runtime, counters) = runtime(1, 3);
    let barrier = Arc::new(Barrier::new(4));
    let (done, finished) = mpsc::channel();
    for _ in 0..3 {
        let barrier = Arc::clone(&barrier);
        runtime
            .spawn(Box::pin(async move {
                barrier.wait();
            }))
            .detach();
    }
    runtime
        .spawn(Box::pin(async move { done.send(()).unwrap() }))
        .detach();
    // All three threads stand at the barrier before this one opens it.
    barrier.wait();
    assert_eq!(finished.recv_timeout(LONG), Ok(()));
    assert_eq!(counters.value(Counter::HandlerThreadsReplaced), 2);
    assert!(runtime.close(LONG));
}

#[test]
fn handlers_can_use_tokio_timers_and_block_on_runtimes_of_their_own() {
    let (runtime, _) = runtime(2, 8);
    let (done, finished) = mpsc::channel();
    runtime
        .spawn(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let own = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            done.send(own.block_on(async { 7 })).unwrap();
        }))
        .detach();
    assert_eq!(finished.recv_timeout(LONG), Ok(7));
    assert!(runtime.close(LONG));
}

#[test]
fn dropping_a_task_drops_its_future() {
    let (runtime, _) = runtime(1, 1);
    let (alive, gone) = mpsc::channel::<()>();
    let task = runtime.spawn(Box::pin(async move {
        std::future::pending::<()>().await;
        drop(alive);
    }));
    drop(task);
    assert_eq!(
        gone.recv_timeout(LONG),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
}
