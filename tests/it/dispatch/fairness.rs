//! What one user's pushes or one bad handler cost the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::{Attempts, Content, Router, Settings, State};
use wxhook::id::OpenId;

use super::kit::{House, eventually, quick};

/// When each ordinary user was served, on the monotonic clock.
type Served = Arc<Mutex<HashMap<OpenId, Duration>>>;

#[derive(Clone)]
struct Shop {
    served: Served,
    clock: Arc<SystemClock>,
}

async fn handle(user: OpenId, Content(text): Content, State(shop): State<Shop>) {
    match text.as_str() {
        "block" => {
            let (_keep, wait) = std::sync::mpsc::channel::<()>();
            let _ = wait.recv_timeout(Duration::from_secs(2));
        }
        "panic" => panic!("out of tea"),
        "never end" => std::future::pending().await,
        "crowd" => {}
        _ => {
            let now = shop.clock.monotonic();
            shop.served.lock().unwrap().insert(user, now);
        }
    }
}

/// Serves so many ordinary users, one push each, and tells how long the last of them waited.
async fn serve(house: &House, shop: &Shop, users: usize) -> Duration {
    shop.served.lock().unwrap().clear();
    let began = shop.clock.monotonic();
    for user in 0..users {
        house.text(&format!("ordinary{user}"), "hello").await;
    }
    eventually(async || (shop.served.lock().unwrap().len() == users).then_some(())).await;
    let served = shop.served.lock().unwrap();
    served
        .values()
        .max()
        .copied()
        .unwrap()
        .saturating_sub(began)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_users_are_served_beside_bad_handlers_and_one_users_long_queue() {
    const USERS: usize = 1_000;
    const CROWD: usize = 20_000;
    let house = House::new();
    let shop = Shop {
        served: Served::default(),
        clock: Arc::new(SystemClock::start()),
    };
    let settings = Settings {
        blocked_after: Duration::from_millis(20),
        handler_timeout: Duration::from_secs(20),
        ..quick()
    };
    let router = Router::new()
        .fallback(handle)
        .layer(Attempts::after([""; 0]));
    let open = house.engine(router, shop.clone(), settings);
    let alone = serve(&house, &shop, USERS).await;

    for number in 0..CROWD {
        house.text("crowd", "crowd").await;
        if number % 2_000 == 0 {
            for bad in ["block", "panic", "never end"] {
                house.text(&format!("{bad}{number}"), bad).await;
            }
        }
    }
    let beside = serve(&house, &shop, USERS).await;
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!(
        "the last of {USERS} users: {alone:?} alone, {beside:?} beside the others: {ratio:.1} times"
    );
    // Behind the queue they would wait for all of it; a machine that does other things may double it.
    assert!(
        beside < alone * 4 + Duration::from_secs(1),
        "{beside:?} beside, {alone:?} alone"
    );
    open.kill().await;
}
