use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::api::Delivery;
use wxhook::dispatch::{Content, Error, Reply, Router, SendError, Settings, State};
use wxhook::metric::Counter;
use wxhook::store::{Ended, PartState, PushState, Story};

use super::kit::{House, LONG, Platform, eventually, quick};

fn parts(story: &Story) -> Vec<(u32, PartState, Option<&str>)> {
    let parts = story.parts.iter();
    parts
        .map(|part| (part.key.ordinal, part.state, part.detail.as_deref()))
        .collect()
}

fn refused(code: i64) -> Delivery {
    Delivery::Refused {
        code,
        meaning: format!("code {code}"),
        rid: Some("rid-1".to_owned()),
    }
}

fn unknown() -> Delivery {
    Delivery::Unknown {
        reason: "the answer was lost".to_owned(),
    }
}

async fn three() -> Vec<&'static str> {
    vec!["one", "two", "three"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handler_returns_arrives_once_and_in_order() {
    let house = House::new();
    let settings = Settings {
        sends: 2,
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(three), (), settings);
    for number in 0..10 {
        for user in ["a", "b", "c", "d", "e"] {
            house.text(user, &number.to_string()).await;
        }
    }
    house.settled().await;
    assert!(open.stop().await.clean);
    for user in ["a", "b", "c", "d", "e"] {
        let expected = ["one", "two", "three"].repeat(10);
        assert_eq!(house.platform.texts(user), expected, "{user}");
    }
    assert_eq!(house.count(Counter::PartsSent), 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_each_part_is_recorded_and_decides_about_the_next() {
    for (name, script, calls, expected) in [
        (
            "a refused part does not stop the next",
            vec![refused(45002)],
            3,
            [
                (0, PartState::Refused, Some("code 45002")),
                (1, PartState::Sent, None),
                (2, PartState::Sent, None),
            ],
        ),
        (
            "an unknown part is not repeated and does not stop the next",
            vec![unknown()],
            3,
            [
                (0, PartState::Unknown, Some("the answer was lost")),
                (1, PartState::Sent, None),
                (2, PartState::Sent, None),
            ],
        ),
        (
            "a user who cannot be written to is not tried further",
            vec![Delivery::Sent { rid: None }, refused(45015)],
            2,
            [
                (0, PartState::Sent, None),
                (1, PartState::Refused, Some("code 45015")),
                (
                    2,
                    PartState::Refused,
                    Some("not tried: the part before it was refused with code 45015"),
                ),
            ],
        ),
        (
            "what surely was not sent is tried again",
            vec![Delivery::NotSent {
                reason: "no connection".to_owned(),
                code: None,
            }],
            4,
            [
                (0, PartState::Sent, None),
                (1, PartState::Sent, None),
                (2, PartState::Sent, None),
            ],
        ),
    ] {
        let house = House::with(Platform::scripted(script));
        let open = house.engine(Router::<()>::new().fallback(three), (), quick());
        let id = house.text("a", "go").await;
        house.settled().await;
        assert!(open.stop().await.clean, "{name}");
        assert_eq!(parts(&house.story(id).await), expected, "{name}");
        assert_eq!(house.platform.calls().len(), calls, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_could_not_be_sent_for_long_is_refused_with_the_reason() {
    let down = Delivery::NotSent {
        reason: "no connection".to_owned(),
        code: None,
    };
    let house = House::with(Platform::scripted([down]));
    let settings = Settings {
        send_patience: Duration::ZERO,
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(async || "hello"), (), settings);
    let id = house.text("a", "go").await;
    house.settled().await;
    assert!(open.stop().await.clean);
    let story = house.story(id).await;
    assert_eq!(
        parts(&story),
        [(0, PartState::Refused, Some("not sent: no connection"))]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_surely_was_not_sent_is_sent_by_the_next_process() {
    let down = Delivery::NotSent {
        reason: "no connection".to_owned(),
        code: None,
    };
    let house = House::with(Platform::scripted([down]));
    let routes = || Router::<()>::new().fallback(async || "hello");
    let open = house.engine(routes(), (), quick());
    let id = house.text("a", "go").await;
    eventually(async || {
        let story = house.story(id).await;
        (parts(&story) == [(0, PartState::Waiting, None)]).then_some(())
    })
    .await;
    open.kill().await;
    assert_eq!(house.platform.calls().len(), 1);

    let open = house.engine(routes(), (), quick());
    eventually(async || {
        let story = house.story(id).await;
        (parts(&story) == [(0, PartState::Sent, None)]).then_some(())
    })
    .await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["hello", "hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_users_next_push_waits_until_the_answer_to_the_first_is_delivered() {
    let house = House::new();
    let gate = Arc::new(Semaphore::new(0));
    *house.platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let echo = async |Content(text): Content| text;
    let open = house.engine(Router::<()>::new().fallback(echo), (), quick());
    house.text("a", "1").await;
    let second = house.text("a", "2").await;
    let other = house.text("b", "3").await;
    house.until(other, PushState::Done).await;
    eventually(async || (house.platform.calls().len() == 2).then_some(())).await;
    assert_eq!(house.story(second).await.push.state, PushState::Pending);
    gate.add_permits(3);
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["1", "2"]);
}

/// Sends two messages while it runs, then does as the text says.
async fn talk(Content(text): Content, reply: Reply) -> Result<&'static str, Error> {
    reply.send("first").await?;
    reply.send("second").await?;
    match text.as_str() {
        "fail" => Err(Error::new("the shop closed")),
        _ => Ok("last"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_on_the_way_comes_before_what_is_returned() {
    let house = House::new();
    let open = house.engine(Router::<()>::new().fallback(talk), (), quick());
    let id = house.text("a", "go").await;
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["first", "second", "last"]);
    let sent = |ordinal| (ordinal, PartState::Sent, None);
    assert_eq!(parts(&house.story(id).await), [sent(0), sent(1), sent(2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_after_a_first_send_is_not_tried_again() {
    let house = House::new();
    let open = house.engine(Router::<()>::new().fallback(talk), (), quick());
    let id = house.text("a", "fail").await;
    let story = house.until(id, PushState::Dead).await;
    assert!(open.stop().await.clean);
    assert_eq!(
        story.push.reason.as_deref(),
        Some("the shop closed (not tried again: a message was already sent)")
    );
    assert_eq!(house.platform.texts("a"), ["first", "second"]);
}

type Answers = Arc<std::sync::Mutex<Vec<String>>>;

async fn ask(reply: Reply, State(answers): State<Answers>) {
    for text in ["a", "b", ""] {
        let answer = match reply.send(text).await {
            Ok(()) => "sent".to_owned(),
            Err(error) => error.to_string(),
        };
        answers.lock().unwrap().push(answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_learns_what_became_of_each_message_it_sent() {
    let house = House::with(Platform::scripted([unknown(), refused(45047)]));
    let answers = Answers::default();
    let open = house.engine(Router::new().fallback(ask), Arc::clone(&answers), quick());
    house.text("u", "go").await;
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(
        *answers.lock().unwrap(),
        [
            "whether the message was delivered is not known: the answer was lost",
            "the message was not delivered: code 45047",
            "the message cannot be sent: the text is empty",
        ]
    );
}

/// Tells when it is dropped.
struct Alive(std::sync::mpsc::Sender<()>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_its_handler_dropped_is_finished_and_recorded_and_nothing_follows_it() {
    let house = House::new();
    let gate = Arc::new(Semaphore::new(0));
    *house.platform.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let (dropping, dropped) = std::sync::mpsc::channel();
    let late = Arc::new(std::sync::Mutex::new(None::<Reply>));
    let kept = Arc::clone(&late);
    let hurry = move |reply: Reply| {
        let alive = Alive(dropping.clone());
        *kept.lock().unwrap() = Some(reply.clone());
        async move {
            let sent = reply.send("slow").await;
            drop(alive);
            sent
        }
    };
    let settings = Settings {
        handler_timeout: Duration::from_millis(50),
        ..quick()
    };
    let open = house.engine(Router::<()>::new().fallback(hurry), (), settings);
    let id = house.text("a", "go").await;
    // The attempt ends by its time-out while the platform has not answered.
    dropped.recv_timeout(LONG).unwrap();
    let reply = late.lock().unwrap().clone().unwrap();
    let waiting = tokio::spawn(async move { reply.send("late").await });
    gate.add_permits(1);
    let story = house.until(id, PushState::Dead).await;
    assert_eq!(story.attempts[0].1.ended, Ended::TimedOut);
    assert!(matches!(waiting.await.unwrap(), Err(SendError::Ended)));
    assert!(open.stop().await.clean);
    assert_eq!(parts(&house.story(id).await), [(0, PartState::Sent, None)]);
    assert_eq!(house.platform.calls(), ["a: slow"]);
}
