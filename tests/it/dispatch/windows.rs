use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::api::Delivery;
use wxhook::clock::{Clock, ManualClock};
use wxhook::dispatch::{Content, LongTexts, Reply, Router, SendError, Settings};
use wxhook::id::AppId;
use wxhook::metric::Counter;
use wxhook::protocol::message::MAX_TEXT_BYTES;
use wxhook::quota::window::{self, Figure, Standing};
use wxhook::store::memory::MemoryInbox;
use wxhook::store::{PartState, PushState, Story};

use super::kit::{House, Platform, account, eventually, with_windows};

/// As many replies as the text says.
pub(super) async fn count(Content(text): Content) -> Vec<String> {
    let count: usize = text.parse().unwrap();
    (1..=count).map(|number| number.to_string()).collect()
}

pub(super) fn states(story: &Story) -> Vec<PartState> {
    story.parts.iter().map(|part| part.state).collect()
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A house whose store goes back for more than two days, and its clock.
pub(super) async fn old_house(platform: Arc<Platform>) -> (House, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_700_000_000));
    let dyn_clock: Arc<dyn Clock> = clock.clone();
    let inbox = MemoryInbox::new(Arc::clone(&dyn_clock));
    let house = House::over(inbox, platform, dyn_clock);
    house.text("old", "0").await;
    let open = house.engine(Router::<()>::new().fallback(count), (), with_windows());
    house.settled().await;
    assert!(open.stop().await.clean);
    clock.advance(3 * DAY);
    (house, clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sixth_reply_and_the_fourth_within_the_minute_are_refused_here_with_the_reason() {
    let (house, _) = old_house(Platform::scripted([])).await;
    let routes = Router::<()>::new()
        .click("MENU", async || vec!["1", "2", "3", "4"])
        .fallback(count);
    let open = house.engine(routes, (), with_windows());
    let text = house.text("a", "7").await;
    let click = house.click("b", "MENU").await;
    house.until(text, PushState::Done).await;
    house.until(click, PushState::Done).await;
    eventually(async || (house.count(Counter::PartsWithheld) == 3).then_some(())).await;
    let now = house.text("a", "1").await;
    house.until(now, PushState::Done).await;
    assert!(open.stop().await.clean);

    use PartState::{Refused, Sent};
    let story = house.story(text).await;
    assert_eq!(
        states(&story),
        [Sent, Sent, Sent, Sent, Sent, Refused, Refused]
    );
    let refused = &story.parts[5];
    assert_eq!((refused.error_code, &refused.rid), (Some(45047), &None));
    assert_eq!(
        refused.detail.as_deref(),
        Some(
            "not sent: the window of 48 h is used up: 5 of 5 messages used; it closes at 2023-11-19T22:13:00Z"
        )
    );
    let story = house.story(click).await;
    assert_eq!(states(&story), [Sent, Sent, Sent, Refused]);
    assert_eq!(
        story.parts[3].detail.as_deref(),
        Some(
            "not sent: the window of 1 min is used up: 3 of 3 messages used; it closes at 2023-11-17T22:14:00Z"
        )
    );
    assert_eq!(house.platform.texts("a"), ["1", "2", "3", "4", "5", "1"]);
    assert_eq!(house.platform.texts("b"), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_figures_of_its_own_is_held_to_them_and_the_others_to_those_of_all() {
    let figure = Figure::new(2, 2 * DAY).unwrap();
    for (owner, taken) in [(account(), 2), (AppId::parse("wxother").unwrap(), 3)] {
        let (house, _) = old_house(Platform::scripted([])).await;
        let mut settings = with_windows();
        let own = window::Settings {
            message: figure,
            ..settings.windows.clone()
        };
        settings.account_windows.insert(owner, own);
        let open = house.engine(Router::<()>::new().fallback(count), (), settings);
        let text = house.text("a", "3").await;
        house.until(text, PushState::Done).await;
        let sent = PartState::Sent;
        eventually(async || {
            let story = house.story(text).await;
            let sent = states(&story)
                .iter()
                .filter(|state| **state == sent)
                .count();
            (sent == taken).then_some(())
        })
        .await;
        assert!(open.stop().await.clean);
        assert_eq!(house.platform.texts("a").len(), taken);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_platform_says_that_the_window_is_used_up_it_is_not_asked_again() {
    let script = [
        Delivery::Sent { rid: None },
        Delivery::Refused {
            code: 45047,
            meaning: "used up".to_owned(),
            rid: Some("rid-1".to_owned()),
        },
    ];
    let house = House::with(Platform::scripted(script));
    let talk = async |reply: Reply| {
        assert_eq!(reply.remaining(), Some(5));
        reply.send("1").await.unwrap();
        assert_eq!(reply.remaining(), Some(4));
        for text in ["2", "3"] {
            let error = reply.send(text).await.unwrap_err();
            assert!(
                matches!(
                    error,
                    SendError::Refused {
                        code: Some(45047),
                        ..
                    }
                ),
                "{error}"
            );
            assert_eq!((reply.remaining(), reply.closes_at()), (Some(0), None));
            assert!(matches!(reply.window(), Standing::Closed(_)));
        }
    };
    let open = house.engine(Router::<()>::new().fallback(talk), (), with_windows());
    let id = house.text("a", "go").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), ["a: 1", "a: 2"]);
    let story = house.story(id).await;
    use PartState::{Refused, Sent};
    assert_eq!(states(&story), [Sent, Refused, Refused]);
    assert_eq!(story.parts[1].rid.as_deref(), Some("rid-1"));
    let detail = story.parts[2].detail.as_deref().unwrap();
    assert!(
        detail.starts_with("not sent: the platform refused the message before it at ")
            && detail.contains("with code 45047"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_surely_was_not_delivered_is_given_back() {
    let not_sent = Delivery::NotSent {
        reason: "no connection".to_owned(),
        code: None,
    };
    let too_long = Delivery::Refused {
        code: 45002,
        meaning: "too long".to_owned(),
        rid: None,
    };
    let lost = Delivery::Unknown {
        reason: "the answer was lost".to_owned(),
    };
    let house = House::with(Platform::scripted([not_sent, too_long, lost]));
    let talk = async |reply: Reply| {
        let mut left = Vec::new();
        for _ in 0..4 {
            drop(reply.send("x").await);
            left.push(reply.remaining());
        }
        assert_eq!(left, [Some(5), Some(5), Some(4), Some(3)]);
    };
    let settings = Settings {
        send_patience: Duration::ZERO,
        ..with_windows()
    };
    let open = house.engine(Router::<()>::new().fallback(talk), (), settings);
    let id = house.text("a", "go").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_in_a_window_of_a_minute_overtakes_a_thousand_in_windows_of_two_days() {
    let house = House::new();
    let gate = Arc::new(Semaphore::new(0));
    *house.platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let settings = Settings {
        sends: 1,
        ..with_windows()
    };
    let routes = Router::<()>::new()
        .click("MENU", async || "hurry")
        .fallback(async || "take your time");
    let open = house.engine(routes, (), settings);
    for number in 0..1_000 {
        house.text(&format!("u{number}"), "hello").await;
    }
    house.settled().await;
    let click = house.click("b", "MENU").await;
    house.until(click, PushState::Done).await;
    eventually(async || {
        gate.add_permits(1);
        (!house.platform.texts("b").is_empty()).then_some(())
    })
    .await;
    let calls = house.platform.calls();
    let place = calls.iter().position(|call| call == "b: hurry").unwrap();
    assert!(place <= 20, "{place} were sent before it");
    gate.add_permits(2_000);
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls().len(), 1_001, "nobody is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_are_remembered_after_a_restart() {
    let house = House::new();
    let routes = || {
        Router::<()>::new().fallback(async |reply: Reply| {
            // What is not remembered yet is not known.
            while reply.remaining().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            vec!["1", "2", "3"]
        })
    };
    let open = house.engine(routes(), (), with_windows());
    let id = house.text("a", "go").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a").len(), 3);

    let open = house.engine(routes(), (), with_windows());
    open.replays.replay(id, true).await.unwrap();
    eventually(async || (house.count(Counter::PartsWithheld) == 1).then_some(())).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a").len(), 5);

    let open = house.engine(routes(), (), with_windows());
    open.replays.replay(id, true).await.unwrap();
    eventually(async || (house.count(Counter::PartsWithheld) == 4).then_some(())).await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a").len(), 5, "not one more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_closes_while_a_reply_waits_refuses_it_with_the_time() {
    let (house, clock) = old_house(Platform::scripted([])).await;
    let gate = Arc::new(Semaphore::new(0));
    *house.platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let settings = Settings {
        sends: 1,
        ..with_windows()
    };
    let routes = Router::<()>::new()
        .click("MENU", async || "too late")
        .fallback(async || "first");
    let open = house.engine(routes, (), settings);
    let text = house.text("a", "hello").await;
    eventually(async || (house.platform.calls().len() == 1).then_some(())).await;
    let click = house.click("b", "MENU").await;
    house.until(click, PushState::Done).await;
    clock.advance(Duration::from_secs(60));
    gate.add_permits(10);
    house.until(text, PushState::Done).await;
    assert!(open.stop().await.clean);
    let story = house.story(click).await;
    assert_eq!(states(&story), [PartState::Refused]);
    assert_eq!(story.parts[0].error_code, Some(45015));
    assert_eq!(
        story.parts[0].detail.as_deref(),
        Some("not sent: the window of 1 min closed at 2023-11-17T22:14:00Z: 0 of 3 messages used")
    );
    assert_eq!(house.platform.calls(), ["a: first"]);
}

fn long(sentences: usize) -> String {
    "这是一个相当长的句子。".repeat(sentences)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_text_is_said_in_as_many_messages_as_the_window_allows() {
    let house = House::new();
    let routes = Router::<()>::new()
        .text("returned", async || long(150))
        .text("sent", async |reply: Reply| {
            reply.send(long(150)).await.unwrap();
            "and this"
        })
        .text("too much", async || vec![long(1_000), "the end".to_owned()])
        .text("too much sent", async |reply: Reply| {
            reply.send("one").await.unwrap();
            reply.send(long(1_000)).await.unwrap();
            assert_eq!(reply.remaining(), Some(0));
        });
    let open = house.engine(routes, (), with_windows());
    let mut ids = Vec::new();
    for text in ["returned", "sent", "too much", "too much sent"] {
        let id = house.text(text, text).await;
        house.until(id, PushState::Done).await;
        ids.push(id);
    }
    assert!(open.stop().await.clean);
    let said = |user| house.platform.texts(user);
    let sign = LongTexts::default().cut_sign;
    let fits = |texts: &[String]| texts.iter().all(|text| text.len() <= MAX_TEXT_BYTES);

    let returned = said("returned");
    assert_eq!((returned.len(), returned.concat()), (3, long(150)));
    assert!(fits(&returned) && returned.iter().all(|text| text.ends_with('。')));

    let sent = said("sent");
    assert_eq!(
        (sent[..3].concat(), sent[3].as_str()),
        (long(150), "and this")
    );
    let ordinals = house.story(ids[1]).await.parts;
    let ordinals: Vec<_> = ordinals.iter().map(|part| part.key.ordinal).collect();
    assert_eq!(ordinals, [0, 1, 2, 3]);

    for (user, texts) in [
        ("too much", said("too much")[..4].to_vec()),
        ("too much sent", said("too much sent")[1..].to_vec()),
    ] {
        assert_eq!(texts.len(), 4, "{user}");
        assert!(fits(&texts), "{user}");
        assert!(
            texts[3].ends_with(&format!("。{sign}")),
            "{user}: {:?}",
            texts[3]
        );
        let kept = texts.concat();
        assert!(
            long(1_000).starts_with(kept.strip_suffix(&sign).unwrap()),
            "{user}"
        );
    }
    assert_eq!(said("too much")[4], "the end");
    assert_eq!(house.count(Counter::TextsCut), 2);
    assert_eq!(house.count(Counter::PartsWithheld), 0);

    let settings = Settings {
        texts: LongTexts {
            split: false,
            ..LongTexts::default()
        },
        ..with_windows()
    };
    let open = house.engine(
        Router::<()>::new().fallback(async || long(150)),
        (),
        settings,
    );
    let id = house.text("whole", "go").await;
    let story = house.until(id, PushState::Dead).await;
    assert!(open.stop().await.clean);
    let reason = story.push.reason.unwrap();
    assert!(
        reason.contains("has 4950 bytes; at most 2048 are allowed"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_text_that_was_half_sent_when_the_process_died_is_sent_to_its_end() {
    let house = House::new();
    let gate = Arc::new(Semaphore::new(1));
    *house.platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let routes = || {
        Router::<()>::new().fallback(async |reply: Reply| {
            drop(reply.send(long(150)).await);
            "done"
        })
    };
    let open = house.engine(routes(), (), with_windows());
    let id = house.text("a", "go").await;
    eventually(async || (house.platform.calls().len() == 2).then_some(())).await;
    open.kill().await;
    *house.platform.gate.lock().unwrap() = None;
    let before = house.platform.texts("a");

    let open = house.engine(routes(), (), with_windows());
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    let texts = house.platform.texts("a");
    assert_eq!(texts[..2], before[..], "what was said is not said again");
    assert_eq!((texts.len(), texts[..3].concat()), (4, long(150)));
    assert_eq!(texts[3], "done");
}
