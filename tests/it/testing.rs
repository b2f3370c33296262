//! The kit for users' tests: what it plays is what the server does, and what a test does not look at
//! fails it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use wxhook::api::user::UserInfo;
use wxhook::dispatch::{BundleSettings, Settings, account, between, blocking, wait_for};
use wxhook::push::{Image, Location};
use wxhook::store::{Ended, PushState};
use wxhook::testing::{Fate, TestBot};
use wxhook::{
    Api, Attempts, Click, Content, Conversation, Deadline, Error, OpenId, Render, Reply, Router,
    Scan, SendError, State, Subscribe, Unsubscribe, View, step,
};

const MINUTE: Duration = Duration::from_secs(60);

async fn echo(Content(text): Content) -> String {
    text
}

fn echoing() -> TestBot {
    Router::<()>::new().fallback(echo).test()
}

/// What the kit says when it fails a test.
fn complaint(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the test should fail");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn every_play_reaches_the_handler_that_the_server_would_run() {
    async fn follows(follow: Subscribe) -> String {
        format!("follows {:?}", follow.scene())
    }
    async fn leaves(_: Unsubscribe, user: OpenId) -> String {
        format!("{user} leaves")
    }
    async fn scans(scan: Scan) -> String {
        format!("scans {}", scan.scene)
    }
    async fn taps(tap: Click) -> String {
        format!("taps {}", tap.key)
    }
    async fn views(view: View) -> String {
        format!("views {}", view.url)
    }
    async fn shows(picture: Image) -> String {
        format!("shows {}", picture.media_id)
    }
    async fn stands(place: Location) -> String {
        format!(
            "stands at {} {} {}",
            place.latitude, place.longitude, place.label
        )
    }
    async fn chooses(text: wxhook::push::Text) -> String {
        format!("{:?} {}", text.bizmsgmenuid, text.content)
    }
    async fn other(push: Arc<wxhook::Push>) -> String {
        format!("{:?} {:?}", push.msg_type(), push.fields().get("Size"))
    }
    let mut bot = Router::<()>::new()
        .on::<Subscribe, _>(follows)
        .on::<Unsubscribe, _>(leaves)
        .on::<Scan, _>(scans)
        .on::<Click, _>(taps)
        .on::<View, _>(views)
        .on::<Image, _>(shows)
        .on::<Location, _>(stands)
        .on::<wxhook::push::Text, _>(chooses)
        .unknown(other)
        .test();
    bot.follow("oA").says("follows None");
    bot.follow_by_scan("oA", "shop-7")
        .says(r#"follows Some("shop-7")"#);
    bot.scan("oA", "shop-8").says("scans shop-8");
    bot.click("oA", "ORDER").says("taps ORDER");
    bot.view("oA", "https://example.com/?a=1&b=2")
        .says("views https://example.com/?a=1&b=2");
    bot.image("oA", "MEDIA").says("shows MEDIA");
    bot.location("oA", 31.2, 121.5, "外滩")
        .says("stands at 31.2 121.5 外滩");
    bot.text("oA", "a ]]> b").says("None a ]]> b");
    bot.menu_item("oA", "7", "好").says(r#"Some("7") 好"#);
    bot.message("oA", "hologram", "<Size>9</Size>")
        .says(r#""hologram" Some("9")"#);
    bot.push(
        "<xml><ToUserName>gh</ToUserName><FromUserName>oA</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>event</MsgType><Event>flies</Event><Size>3</Size></xml>",
    )
    .says(r#""event" Some("3")"#);
    // Nobody is there any more to be told.
    bot.unfollow("oA");
    let replies = bot.replies();
    assert_eq!(replies[0].text(), Some("oA leaves"));
    assert!(
        matches!(replies[0].fate, Fate::Refused { .. }),
        "{replies:?}"
    );
    bot.done();
}

#[test]
fn the_same_act_twice_is_two_pushes_and_a_repeat_is_none() {
    let mut bot = echoing();
    bot.text("oA", "hi").says("hi").text("oA", "hi").says("hi");
    bot.click("oA", "K").click("oA", "K");
    assert_eq!(bot.outcome().state, PushState::Done);
    bot.text("oA", "once").says("once").again().says_nothing();
    assert_eq!(bot.outcome().repeats, 1);
    bot.done();
}

#[test]
fn a_handler_that_sleeps_for_a_minute_costs_none() {
    async fn slow(deadline: Deadline) -> String {
        tokio::time::sleep(Duration::from_secs(59)).await;
        format!("{} s left", deadline.remaining().as_secs())
    }
    let mut bot = Router::<()>::new()
        .fallback(slow)
        .test()
        .patience(MINUTE / 2);
    let before = bot.now();
    bot.text("oA", "hi").says("1 s left");
    let passed = bot.now().since(before);
    assert!((59..60).contains(&passed.as_secs()), "{passed:?}");
}

async fn third_time(State(tries): State<Arc<AtomicU32>>) -> Result<&'static str, Error> {
    match tries.fetch_add(1, Ordering::SeqCst) {
        2 => Ok("at last"),
        number => Err(Error::new(format!("try {}", number + 1))),
    }
}

#[test]
fn what_fails_is_tried_again_when_its_time_has_come_and_not_before() {
    let routes = Router::new()
        .fallback(third_time)
        .layer(Attempts::after(["10s", "1h"]));
    let mut bot = routes.test_with(Arc::default());
    bot.text("oA", "hi").says_nothing().fails("try 1");
    bot.pass(Duration::from_secs(9));
    assert_eq!(bot.outcome().attempts, 1);
    // Chance adds up to a fifth.
    bot.pass(Duration::from_secs(4))
        .fails("try 2")
        .says_nothing();
    let next = bot.outcome().next_try_in.unwrap();
    assert!((3_590..4_320).contains(&next.as_secs()), "{next:?}");
    bot.next_try().says("at last");
    let attempts = bot.attempts();
    let endings: Vec<_> = attempts.iter().map(|attempt| attempt.ended).collect();
    assert_eq!(endings, [Ended::Failed, Ended::Failed, Ended::Well]);
    assert_eq!(bot.outcome().state, PushState::Done);
}

#[test]
fn tries_of_days_pass_in_one_step_each_at_its_time() {
    let routes = Router::new()
        .fallback(third_time)
        .layer(Attempts::after(["10h", "20h"]));
    let mut bot = routes.test_with(Arc::default());
    bot.text("oA", "hi")
        .pass(Duration::from_secs(7 * 24 * 3_600))
        .says("at last");
    let attempts = bot.attempts();
    let apart = attempts[2].started_at.since(attempts[1].ended_at);
    assert!(
        (20 * 3_600..24 * 3_600).contains(&apart.as_secs()),
        "{apart:?}"
    );
}

#[test]
fn a_user_waits_behind_a_try_that_comes_soon_and_nobody_else_does() {
    async fn first_fails(
        Content(text): Content,
        State(tries): State<Arc<AtomicU32>>,
    ) -> Result<String, Error> {
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::new("not yet")),
            _ => Ok(text),
        }
    }
    let mut bot = Router::new()
        .fallback(first_fails)
        .test_with(Arc::default());
    bot.text("oA", "1").text("oA", "2").says_nothing();
    assert_eq!(bot.outcome().state, PushState::Pending);
    bot.text("oB", "3").says("3");
    bot.next_try().says("1").says("2").done();
}

#[test]
fn each_way_of_failing_is_told() {
    async fn misbehave(Content(text): Content) -> Result<(), Error> {
        match text.as_str() {
            "give up" => Err(Error::new("no such order").give_up()),
            "panic" => panic!("out of tea"),
            _ => std::future::pending().await,
        }
    }
    let mut bot = Router::<()>::new()
        .fallback(misbehave)
        .layer(Attempts::after([""; 0]))
        .test();
    bot.text("oA", "give up").fails("no such order");
    bot.text("oA", "panic").fails("out of tea");
    bot.text("oA", "hang").fails("took more than 60 s");
    assert_eq!(bot.outcome().state, PushState::Dead);
    bot.push("<xml><MsgType>text").fails("");
    assert_eq!(bot.outcome().state, PushState::Malformed);
    assert_eq!(bot.outcome().route, None);
}

#[test]
fn an_operators_replay_runs_a_handler_again() {
    let mut bot = Router::new()
        .fallback(third_time)
        .layer(Attempts::after(["1s"]))
        .test_with(Arc::default());
    bot.text("oA", "hi")
        .next_try()
        .fails("try 2")
        .says_nothing();
    bot.replay().says("at last");
}

#[test]
fn the_platform_fails_as_the_test_says() {
    let mut bot = echoing();
    bot.platform_says(45015).text("oA", "a");
    let replies = bot.replies();
    assert!(
        matches!(
            replies[0].fate,
            Fate::Refused {
                code: Some(45015),
                ..
            }
        ),
        "{replies:?}"
    );

    bot.platform_loses_answer().text("oB", "b");
    let replies = bot.replies();
    assert!(
        matches!(replies[0].fate, Fate::Unknown { .. }),
        "{replies:?}"
    );

    // What passes is waited out.
    let before = bot.now();
    bot.platform_says(-1)
        .platform_unreachable()
        .text("oC", "c")
        .says("c");
    let waited = bot.now().since(before);
    assert!((1..5).contains(&waited.as_secs()), "{waited:?}");
    bot.done();
}

#[test]
fn a_sending_window_closes_when_its_time_has_passed() {
    async fn late(reply: Reply) -> Result<(), SendError> {
        tokio::time::sleep(Duration::from_secs(61)).await;
        reply.send("too late").await
    }
    let settings = Settings {
        handler_timeout: 2 * MINUTE,
        ..Settings::default()
    };
    let mut bot = Router::<()>::new()
        .click("ORDER", late)
        .layer(Attempts::after([""; 0]))
        .test()
        .settings(settings);
    bot.click("oA", "ORDER").fails("not delivered");
    let replies = bot.replies();
    assert!(
        matches!(
            replies[0].fate,
            Fate::Refused {
                code: Some(45015),
                ..
            }
        ),
        "{replies:?}"
    );
    assert_eq!(replies[0].text(), Some("too late"));
}

async fn city(user: OpenId, api: Api) -> Result<String, Error> {
    let user = api.call(UserInfo::new(user)).await?;
    Ok(user.remark)
}

#[test]
fn a_call_is_answered_as_the_test_says_and_is_seen() {
    let mut bot = Router::<()>::new().text("me", city).test();
    bot.api_answers("/cgi-bin/user/info", follower("one"))
        .api_answers("/cgi-bin/user/info", follower("two"));
    bot.text("oA", "me").says("one");
    bot.text("oA", "me").says("two");
    bot.text("oA", "me").says("two");
    let calls = bot.api_calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].path, "/cgi-bin/user/info");
    assert!(
        calls[0]
            .query
            .contains(&("openid".to_owned(), "oA".to_owned())),
        "{calls:?}"
    );
    bot.done();
}

#[test]
fn a_refused_call_is_the_handlers_failure() {
    let refused = json!({"errcode": 40003, "errmsg": "invalid openid"});
    Router::<()>::new()
        .text("me", city)
        .test()
        .api_answers("/cgi-bin/user/info", refused)
        .text("oA", "me")
        .fails("40003");
}

#[test]
fn a_call_that_the_test_does_not_answer_fails_it() {
    let told = complaint(|| {
        Router::<()>::new().text("me", city).test().text("oA", "me");
    });
    let advice = r#"say .api_answers("/cgi-bin/user/info", json!(…)) before"#;
    assert!(told.contains(advice), "{told}");
}

fn follower(remark: &str) -> serde_json::Value {
    json!({"subscribe": 1, "openid": "oA", "remark": remark, "subscribe_time": 1, "tagid_list": []})
}

#[test]
fn plain_functions_run_and_may_wait_for_the_platform() {
    fn report(Content(text): Content, reply: Reply) -> Result<String, SendError> {
        wait_for(reply.send("one moment"))?;
        Ok(text)
    }
    let mut bot = Router::<()>::new().fallback(blocking(report)).test();
    let before = bot.now();
    bot.text("oA", "hi").says("one moment").says("hi");
    assert!(bot.now().since(before) < Duration::from_secs(1));
}

#[test]
fn templates_and_rules_answer_as_in_the_server() {
    async fn sent() -> Render {
        Render::new("sent.txt", json!({"number": 1001}))
    }
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.toml");
    let templates = directory.path().join("templates");
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(
        templates.join("sent.txt"),
        "{# needs: number #}\norder {{ number }} is sent",
    )
    .unwrap();
    let rule = "[[rule]]\nname = \"hours\"\nexact = [\"hours\"]\nsay = \"nine to six\"\n";
    std::fs::write(&rules, rule).unwrap();
    let files = BundleSettings {
        directory: templates,
        rules,
        ..BundleSettings::default()
    };
    let mut bot = Router::<()>::new().text("sent?", sent).test().files(files);
    bot.text("oA", "sent?").says("order 1001 is sent");
    bot.text("oA", "hours").says("nine to six");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    AskedSize,
}

#[test]
fn a_conversation_is_seen_where_it_stands_until_its_time_is_over() {
    async fn begin(order: Conversation<Order>) -> Result<(), Error> {
        order.set_for(Order::AskedSize, 10 * MINUTE)?;
        Ok(())
    }
    async fn size(Content(size): Content, order: Conversation<Order>) -> String {
        order.clear();
        size
    }
    let routes = || {
        Router::<()>::new()
            .text("order", begin)
            .step(step!(Order::AskedSize), size)
    };
    let mut bot = routes().test();
    assert_eq!(bot.conversation::<Order>("oA"), None);
    bot.text("oA", "order");
    assert_eq!(bot.conversation("oA"), Some(Order::AskedSize));
    assert_eq!(bot.conversation::<Order>("oB"), None);
    bot.pass(9 * MINUTE).text("oA", "L").says("L");
    bot.text("oA", "order")
        .pass(10 * MINUTE)
        .text("oA", "L")
        .says_nothing();
    let told = complaint(AssertUnwindSafe(|| {
        bot.text("oA", "order");
        bot.conversation::<String>("oA");
    }));
    assert!(told.contains("Order, not a "), "{told}");
}

#[test]
fn guards_see_the_time_and_the_account_of_the_test() {
    async fn say<const N: usize>() -> &'static str {
        ["open", "closed", "sales"][N]
    }
    let routes = || {
        Router::<()>::new()
            .text("hi", say::<2>)
            .guard(account("sales"))
            .text("hi", say::<0>)
            .guard(between("09:00", "18:00"))
            .text("hi", say::<1>)
    };
    let mut bot = routes().test();
    bot.text("oA", "hi").says("open");
    bot.pass(10 * 60 * MINUTE).text("oA", "hi").says("closed");
    routes()
        .test()
        .account("sales")
        .text("oA", "hi")
        .says("sales");
}

#[test]
fn it_is_the_moment_that_the_test_says() {
    let mut bot = echoing().begins_at("2026-10-01T03:00:00+08:00");
    assert_eq!(bot.now().seconds(), 1_790_794_800);
    bot.pass(MINUTE);
    assert_eq!(bot.now().seconds(), 1_790_794_860);
}

#[test]
fn in_real_time_handlers_wait_for_what_is_outside() {
    async fn ask(
        State(outside): State<tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<String>>>,
    ) -> Result<String, Error> {
        let (tell, told) = tokio::sync::oneshot::channel();
        outside.send(tell).await?;
        // With paused time this limit would come first.
        Ok(tokio::time::timeout(MINUTE, told).await??)
    }
    let (asks, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<String>>(1);
    let outside = std::thread::spawn(move || {
        let tell = asked.blocking_recv().unwrap();
        std::thread::park_timeout(Duration::from_millis(50));
        tell.send("from outside".to_owned()).unwrap();
    });
    let mut bot = Router::new().fallback(ask).test_with(asks).in_real_time();
    let before = bot.now();
    bot.text("oA", "hi").says("from outside");
    assert!(bot.now().since(before) < MINUTE);
    let still = bot.now();
    outside.join().unwrap();
    assert_eq!(bot.now(), still);
    bot.pass(MINUTE);
    assert!(bot.now().since(still) >= MINUTE);
}

#[tokio::test]
async fn a_bot_can_be_played_where_a_runtime_is() {
    echoing().text("oA", "hi").says("hi");
}

#[test]
fn a_test_that_does_not_look_at_a_reply_fails() {
    let told = complaint(|| {
        echoing().text("oA", "hi");
    });
    insta::assert_snapshot!(told, @r#"
    the test does not look at what the bot says: "hi" to oA

    what happened:
      oA writes "hi"
        fallback, attempt 1: ended well
        said "hi" to oA
    "#);
}

#[test]
fn a_test_that_does_not_look_at_a_failure_fails() {
    let routes = Router::new().fallback(third_time);
    let told = complaint(|| {
        routes.test_with(Arc::default()).text("oA", "hi");
    });
    insta::assert_snapshot!(told, @r#"
    the test does not look at a push that is retry: try 1

    what happened:
      oA writes "hi"
        fallback, attempt 1: failed: try 1
        is retry
    "#);
}

#[test]
fn a_test_whose_fault_nobody_met_fails() {
    let told = complaint(|| echoing().platform_says(45015).done());
    assert_eq!(
        told,
        "no message met what the platform was to do: Says(45015)\n\nnothing happened"
    );
}

#[test]
fn a_wrong_expectation_is_told_with_what_happened() {
    let routes = Router::new()
        .fallback(third_time)
        .layer(Attempts::after(["1s", "1s"]));
    let mut bot = routes.test_with(Arc::default());
    let told = complaint(AssertUnwindSafe(|| {
        bot.text("oA", "hi").next_try().next_try().says("at first");
    }));
    bot.says("at last");
    insta::assert_snapshot!(told, @r#"
    the bot should say "at first", but says "at last" to oA

    what happened:
      oA writes "hi"
        fallback, attempt 1: failed: try 1
        fallback, attempt 2: failed: try 2
        fallback, attempt 3: ended well
        said "at last" to oA
    "#);
}

#[test]
fn a_bot_that_computes_without_end_fails_its_test_and_says_why() {
    async fn spin() {
        loop {
            tokio::task::yield_now().await;
        }
    }
    let told = complaint(|| {
        let patience = Duration::from_millis(200);
        Router::<()>::new()
            .fallback(spin)
            .test()
            .patience(patience)
            .text("oA", "hi");
    });
    assert!(
        told.contains("has not come to rest: a handler computes without end"),
        "{told}"
    );
}

#[test]
fn wrong_routes_fail_at_once_and_both_places_are_named() {
    let told = complaint(|| drop(Router::<()>::new().fallback(echo).fallback(echo).test()));
    assert_eq!(told.matches("tests/it/testing.rs").count(), 2, "{told}");
}
