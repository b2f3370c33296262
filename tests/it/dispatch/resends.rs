//! Messages that are tried again, and what that takes of their user's window.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::api::Delivery;
use wxhook::dispatch::{Router, Settings};
use wxhook::metric::Counter;
use wxhook::store::{PartState, PushState};

use super::kit::{Platform, eventually, with_windows};
use super::windows::{count, old_house, states};

fn lost() -> Delivery {
    Delivery::Unknown {
        reason: "the answer was lost".to_owned(),
    }
}

fn sent() -> Delivery {
    Delivery::Sent { rid: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_again_after_a_lost_answer_uses_up_one_more_of_its_window() {
    use PartState::{Refused, Sent, Unknown};
    let used_up = "the window of 48 h is used up: 5 of 5 messages used; it closes at";
    for (name, script, calls, expected, detail) in [
        (
            "the first answer is lost: the fifth message finds no room",
            vec![lost()],
            &["1", "1", "2", "3", "4"][..],
            [Sent, Sent, Sent, Sent, Refused],
            format!("not sent: {used_up}"),
        ),
        (
            "the fifth is lost: there is none left to send it again",
            vec![sent(), sent(), sent(), sent(), lost()],
            &["1", "2", "3", "4", "5"],
            [Sent, Sent, Sent, Sent, Unknown],
            format!("the answer was lost; not tried again: {used_up}"),
        ),
    ] {
        let (house, _) = old_house(Platform::scripted(script)).await;
        let routes = Router::<()>::new().fallback(count).at_least_once();
        let open = house.engine(routes, (), with_windows());
        let id = house.text("a", "5").await;
        house.until(id, PushState::Done).await;
        assert!(open.stop().await.clean);
        assert_eq!(house.platform.texts("a"), calls, "{name}");
        let story = house.story(id).await;
        assert_eq!(states(&story), expected, "{name}");
        let told = story.parts[4].detail.as_deref().unwrap();
        assert!(told.starts_with(&detail), "{name}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_not_tried_again_when_its_window_closes_before_and_says_so() {
    use PartState::{Refused, Sent, Unknown};
    let late = "; not tried again: the sending window closes before the next try";
    let not_sent = || Delivery::NotSent {
        reason: "no connection".to_owned(),
        code: None,
    };
    // The window of a tap closes 40 s after it here; the first pause is half a second.
    for (name, answer, after_ms, calls, state, detail) in [
        ("in time", not_sent(), 39_000, 2, Sent, None),
        (
            "late",
            not_sent(),
            39_600,
            1,
            Refused,
            Some(format!("not sent: no connection{late}")),
        ),
        (
            "late, and it may have arrived",
            lost(),
            39_600,
            1,
            Unknown,
            Some(format!("the answer was lost{late}")),
        ),
    ] {
        let platform = Platform::scripted([answer]);
        let (house, clock) = old_house(Arc::clone(&platform)).await;
        let gate = Arc::new(Semaphore::new(0));
        *platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
        let settings = Settings {
            send_patience: Duration::from_secs(3_600),
            ..with_windows()
        };
        let routes = Router::<()>::new()
            .click("MENU", async || "hurry")
            .at_least_once();
        let open = house.engine(routes, (), settings);
        let id = house.click("b", "MENU").await;
        // It has left, and its answer takes its time.
        eventually(async || (platform.calls().len() == 1).then_some(())).await;
        clock.advance(Duration::from_millis(after_ms));
        gate.add_permits(2);
        house.until(id, PushState::Done).await;
        assert!(open.stop().await.clean, "{name}");
        assert_eq!(platform.texts("b").len(), calls, "{name}");
        let story = house.story(id).await;
        assert_eq!(states(&story), [state], "{name}");
        assert_eq!(story.parts[0].detail, detail, "{name}");
        assert_eq!(house.count(Counter::PartsWithheld), 0, "{name}");
    }
}
