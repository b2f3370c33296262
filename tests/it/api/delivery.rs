use bytes::Bytes;
use futures_util::future::BoxFuture;
use wxhook::api::Delivery;
use wxhook::id::AppId;

use super::script::{Play, Seen, Stage, minting, settle};

const MESSAGE: &[u8] = r#"{"touser":"oA","msgtype":"text","text":{"content":"你好"}}"#.as_bytes();

/// Boxed as the outbox boxes it: the future must be one that may move between threads.
fn deliver(stage: &Stage) -> BoxFuture<'_, Delivery> {
    let message = Bytes::from_static(MESSAGE);
    Box::pin(stage.api.deliver(&stage.account, message))
}

/// Mints tokens, and answers messages as the rule says.
fn sending(
    mut rule: impl FnMut(&Seen) -> Play + Send + 'static,
) -> impl FnMut(&Seen) -> Play + Send + 'static {
    let mut mint = minting(7200);
    move |seen| match seen.path.as_str() {
        "/cgi-bin/message/custom/send" => rule(seen),
        _ => mint(seen),
    }
}

fn tokens_of(sends: &[Seen]) -> Vec<&str> {
    sends
        .iter()
        .filter_map(|seen| seen.token.as_deref())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_out_once_with_its_exact_bytes_and_the_token() {
    let stage = Stage::new(minting(7200));
    assert_eq!(deliver(&stage).await, Delivery::Sent { rid: None });
    let sends = stage.sends();
    assert_eq!(tokens_of(&sends), ["token-1"]);
    assert_eq!(
        (sends[0].body.as_ref(), sends[0].host.as_str()),
        (MESSAGE, "a.example")
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_and_the_message_sent_once_more() {
    for code in [40001, 40014, 42001] {
        let stage = Stage::new(sending(move |seen| match seen.token.as_deref() {
            Some("token-1") => Play::code(code),
            _ => Play::code(0),
        }));
        assert_eq!(
            deliver(&stage).await,
            Delivery::Sent { rid: None },
            "{code}"
        );
        assert_eq!(tokens_of(&stage.sends()), ["token-1", "token-2"], "{code}");
        assert_eq!(stage.token_requests(), 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_for_ever_is_tried_exactly_twice() {
    let stage = Stage::new(sending(|_| Play::code(40001)));
    let delivery = deliver(&stage).await;
    assert!(
        matches!(
            delivery,
            Delivery::NotSent {
                code: Some(40001),
                ..
            }
        ),
        "{delivery:?}"
    );
    assert_eq!(tokens_of(&stage.sends()), ["token-1", "token-2"]);
    assert_eq!(stage.token_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_token_is_tried_once_more_after_a_second() {
    let mut sent = 0;
    let stage = Stage::new(move |seen| {
        if seen.path == "/cgi-bin/stable_token" {
            return Play::token("the-one", 7200);
        }
        sent += 1;
        Play::code(if sent == 1 { 40001 } else { 0 })
    });
    let started = tokio::time::Instant::now();
    assert_eq!(deliver(&stage).await, Delivery::Sent { rid: None });
    assert!(started.elapsed().as_millis() >= 1000);
    assert_eq!(stage.sends().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_executed_is_never_sent_again() {
    for (name, play) in [
        ("busy inside", (|| Play::code(4)) as fn() -> Play),
        ("the answer is lost", || Play::Lost),
        ("a bad gateway", || Play::Status(502)),
        ("a gateway's time-out", || Play::Status(504)),
        ("an empty answer", || Play::Body(String::new())),
        ("a page", || Play::Body("<html>".to_owned())),
        ("an answer without end", || Play::Trickle),
        ("an answer without measure", || Play::Flood),
    ] {
        let stage = Stage::new(sending(move |_| play()));
        let delivery = deliver(&stage).await;
        assert!(
            matches!(delivery, Delivery::Unknown { .. }),
            "{name}: {delivery:?}"
        );
        assert_eq!(stage.sends().len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_surely_was_not_executed_goes_to_the_next_host() {
    for (name, play) in [
        ("no connection", (|| Play::NotConnected) as fn() -> Play),
        ("the wrong region", || Play::code(40222)),
    ] {
        let stage = Stage::new(sending(move |seen| match seen.host.as_str() {
            "a.example" => play(),
            _ => Play::code(0),
        }));
        assert_eq!(
            deliver(&stage).await,
            Delivery::Sent { rid: None },
            "{name}"
        );
        let hosts: Vec<_> = stage.sends().into_iter().map(|seen| seen.host).collect();
        assert_eq!(hosts, ["a.example", "b.example"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_connection_a_message_is_not_sent() {
    let stage = Stage::new(sending(|_| Play::NotConnected));
    let delivery = deliver(&stage).await;
    assert!(
        matches!(delivery, Delivery::NotSent { code: None, .. }),
        "{delivery:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_host_is_left_alone_and_comes_back_after_its_probes_are_answered() {
    let broken = |seen: &Seen| match seen.host.as_str() {
        "a.example" => Play::NotConnected,
        _ => Play::code(0),
    };
    let stage = Stage::new(sending(broken));
    for _ in 0..4 {
        deliver(&stage).await;
    }
    let first_host = || {
        stage
            .sends()
            .iter()
            .filter(|seen| seen.host == "a.example")
            .count()
    };
    assert_eq!(first_host(), 3);
    stage.play(minting(7200));
    for _ in 0..6 {
        stage.advance_seconds(10);
        deliver(&stage).await;
        settle().await;
    }
    assert_eq!(first_host(), 3);
    deliver(&stage).await;
    assert_eq!(first_host(), 4);
    let probes = stage
        .seen()
        .iter()
        .filter(|seen| seen.path == "/cgi-bin/get_api_domain_ip")
        .count();
    assert_eq!(probes, 6);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_secret_only_receives_and_says_so() {
    let stage = Stage::new(minting(7200));
    let other = AppId::parse("wxother").unwrap();
    let delivery = stage.api.deliver(&other, Bytes::from_static(MESSAGE)).await;
    insta::assert_debug_snapshot!(delivery, @r#"
    Impossible {
        reason: "the account wxother has no AppSecret, so it can only receive; set WECHAT_APP_SECRET, or app_secret in its section of the configuration file",
    }
    "#);
    assert_eq!(stage.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent_and_the_reason_names_the_address_to_add() {
    let stage = Stage::new(|_| {
        Play::Body(r#"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 6b0a1c2d-0a1b2c3d-4e5f6071"}"#.to_owned())
    });
    let delivery = deliver(&stage).await;
    insta::assert_debug_snapshot!(delivery, @r#"
    NotSent {
        reason: "no access token: the platform answered code 40164 (the caller's IP is not in the whitelist): add 203.0.113.9 to the IP whitelist in the console; it takes effect after 5 to 10 minutes",
        code: Some(
            40164,
        ),
    }
    "#);
    assert_eq!(stage.sends().len(), 0);
}
