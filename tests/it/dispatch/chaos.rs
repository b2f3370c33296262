use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxhook::dispatch::{Content, Error, Reply, Router, Settings, State};
use wxhook::id::OpenId;
use wxhook::store::PushState;

use super::kit::{House, quick};

/// How often each push was tried, by user and number.
type Tries = Arc<Mutex<HashMap<(OpenId, u32), u32>>>;

/// Behaves by its number; what it says is "number.ordinal".
async fn behave(
    user: OpenId,
    Content(text): Content,
    reply: Reply,
    State(tries): State<Tries>,
) -> Result<Vec<String>, Error> {
    let number: u32 = text.parse()?;
    let attempt = {
        let mut tries = tries.lock().unwrap();
        let tries = tries.entry((user, number)).or_default();
        *tries += 1;
        *tries
    };
    let say = |parts: u32| (0..parts).map(|k| format!("{number}.{k}")).collect();
    match number % 8 {
        0 => Ok(Vec::new()),
        1 => Ok(say(3)),
        2 if attempt == 1 => Err(Error::new("not yet")),
        3 if attempt == 1 => panic!("not yet"),
        4 => Err(Error::new("never").give_up()),
        5 => {
            // Blocks its thread for longer than the watchdog allows.
            let (_keep, wait) = std::sync::mpsc::channel::<()>();
            let _ = wait.recv_timeout(Duration::from_millis(15));
            Ok(say(1))
        }
        6 => {
            // A process that dies in the middle leaves it unknown, which is no failure here.
            let _ = reply.send(format!("{number}.0")).await;
            tokio::time::sleep(Duration::from_millis(3)).await;
            Ok(vec![format!("{number}.1")])
        }
        _ => {
            tokio::time::sleep(Duration::from_millis(u64::from(number % 5))).await;
            Ok(say(2))
        }
    }
}

/// Parts that a push says in the end.
fn said(number: u32) -> u32 {
    match number % 8 {
        0 | 4 => 0,
        1 => 3,
        5 => 1,
        _ => 2,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_handlers_do_and_however_often_the_process_dies_nothing_is_lost_or_said_twice() {
    const USERS: u32 = 8;
    const PUSHES: u32 = 48;
    let house = House::new();
    let tries = Tries::default();
    let settings = Settings {
        lane_pushes: 3,
        pushes_in_memory: 20,
        handlers: 6,
        handler_threads: 2,
        blocked_after: Duration::from_millis(8),
        sends: 2,
        open_work: 24,
        ..quick()
    };
    let start = || {
        let router = Router::new().fallback(behave);
        house.engine(router, Arc::clone(&tries), settings.clone())
    };
    let mut ids = BTreeMap::new();
    let mut open = start();
    for number in 0..PUSHES {
        for user in 0..USERS {
            let id = house.text(&format!("u{user}"), &number.to_string()).await;
            ids.insert(id, number);
        }
        if number % 12 == 11 {
            open.kill().await;
            open = start();
        }
    }
    house.settled().await;
    assert!(open.stop().await.clean);

    for (id, number) in &ids {
        let story = house.story(*id).await;
        let expected = match number % 8 {
            4 => PushState::Dead,
            _ => PushState::Done,
        };
        assert_eq!(story.push.state, expected, "{number}: {story:?}");
        assert_eq!(story.parts.len(), said(*number) as usize, "{number}");
    }
    for user in 0..USERS {
        let texts = house.platform.texts(&format!("u{user}"));
        let distinct: HashSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "said twice: {texts:?}");
        // Those that are never tried again keep their order through every restart.
        let steady = texts.iter().filter_map(|text| {
            let (number, ordinal) = text.split_once('.')?;
            let number: u32 = number.parse().ok()?;
            (!matches!(number % 8, 2 | 3)).then_some((number, ordinal.to_owned()))
        });
        assert!(steady.is_sorted(), "out of order: {texts:?}");
    }
}
