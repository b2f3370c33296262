//! Every call is counted before it is made, and the platform's answers are heard.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wxhook::api::{CallError, Clearing, Delivery, RawCall};
use wxhook::clock::Clock;
use wxhook::id::AppId;
use wxhook::platform::error::ErrorCode;
use wxhook::quota::{
    AccountLimits, Automatic, FIRST_ASK, KeyStatus, Limit, LimitFrom, QuotaKey, Settings,
};

use super::script::{ACCOUNT, Play, Seen, Stage, minting};

const SEND: QuotaKey = QuotaKey::CUSTOM_SEND;
const FIGURES: &str = "/cgi-bin/openapi/quota/get";
const CLEAR_ONE: &str = "/cgi-bin/openapi/quota/clear";
const CLEAR_ALL: &str = "/cgi-bin/clear_quota";

fn limited(limit: u64) -> Settings {
    let limits = AccountLimits {
        limits: BTreeMap::from([(SEND, limit)]),
        ..AccountLimits::default()
    };
    Settings {
        accounts: BTreeMap::from([(AppId::parse(ACCOUNT).unwrap(), limits)]),
        jitter: Duration::ZERO,
        ..Settings::default()
    }
}

/// Gives tokens, and answers every call of these paths so.
fn answering(
    answers: impl Fn(&Seen) -> Option<Play> + Send + 'static,
) -> impl FnMut(&Seen) -> Play + Send + 'static {
    let mut others = minting(7_200);
    move |seen| answers(seen).unwrap_or_else(|| others(seen))
}

async fn deliver(stage: &Stage) -> Delivery {
    let message = Bytes::from_static(b"{}");
    stage.api.deliver(&stage.account, message).await
}

async fn status(stage: &Stage, key: QuotaKey) -> KeyStatus {
    let found = stage.api.quotas().unwrap().status(&stage.account).await;
    found.into_iter().find(|status| status.key == key).unwrap()
}

fn calls(stage: &Stage, path: &str) -> Vec<Value> {
    let seen = stage.seen().into_iter().filter(|seen| seen.path == path);
    seen.map(|seen| serde_json::from_slice(&seen.body).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_quota_is_refused_here_and_never_reaches_the_platform() {
    let stage = Stage::counted(Some(limited(3)), minting(7_200));
    for _ in 0..3 {
        assert!(matches!(deliver(&stage).await, Delivery::Sent { .. }));
    }
    for _ in 0..4 {
        let Delivery::Impossible { reason } = deliver(&stage).await else {
            panic!("it was tried");
        };
        assert!(
            reason
                .starts_with("the quota custom_send is used up for today (3 calls); it returns at"),
            "{reason}"
        );
    }
    assert_eq!(stage.sends().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_answers_decides_what_is_counted() {
    let lost = || Play::Lost;
    // Answers to the first send, and to those after it; how it ends; what is counted.
    for (name, first, sends, used) in [
        ("sent", Play::code(0), 1, 1),
        ("refused", Play::code(45015), 1, 1),
        ("a refused token, then sent", Play::code(40001), 2, 1),
        ("an answer that was lost", lost(), 1, 1),
        ("a bad gateway", Play::Status(502), 1, 1),
    ] {
        let first = std::sync::Mutex::new(Some(first));
        let rule = answering(move |seen| {
            let is_send = seen.path == "/cgi-bin/message/custom/send";
            first.lock().unwrap().take_if(|_| is_send)
        });
        let stage = Stage::counted(Some(limited(1_000)), rule);
        deliver(&stage).await;
        assert_eq!(stage.sends().len(), sends, "{name}");
        assert_eq!(status(&stage, SEND).await.used, used, "{name}");
    }
    for (name, path) in [
        ("no connection", "/cgi-bin/message/custom/send"),
        ("no access token", "/cgi-bin/stable_token"),
    ] {
        let rule = answering(move |seen| (seen.path == path).then_some(Play::NotConnected));
        let stage = Stage::counted(Some(limited(1_000)), rule);
        assert!(
            matches!(deliver(&stage).await, Delivery::NotSent { .. }),
            "{name}"
        );
        assert_eq!(status(&stage, SEND).await.used, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn questions_for_tokens_are_counted_and_asked_whatever_the_count_says() {
    const STABLE: QuotaKey = QuotaKey("stable_token");
    let limits = AccountLimits {
        limits: BTreeMap::from([(STABLE, 2)]),
        ..AccountLimits::default()
    };
    let settings = Settings {
        accounts: BTreeMap::from([(AppId::parse(ACCOUNT).unwrap(), limits)]),
        ..limited(1_000)
    };
    let stage = Stage::counted(Some(settings), minting(7_200));
    for asked in 1..=3 {
        stage.token().await;
        assert_eq!(status(&stage, STABLE).await.used, asked);
        stage.advance_seconds(7_200);
    }
    assert_eq!(stage.token_requests(), 3);
    let (limit, _) = status(&stage, STABLE).await.obstacle.unwrap();
    assert_eq!(limit, Limit::Day);

    // What surely did not arrive does not count, and what may have arrived does.
    for (name, play, counted) in [
        ("no connection", Play::NotConnected, 0),
        ("a refusal", Play::code(40125), 1),
        ("a lost answer", Play::Lost, 3),
    ] {
        let play = std::sync::Arc::new(play);
        let stage = Stage::counted(Some(limited(1_000)), move |_| match &*play {
            Play::NotConnected => Play::NotConnected,
            Play::Body(body) => Play::Body(body.clone()),
            _ => Play::Lost,
        });
        stage.keeper.token().await.unwrap_err();
        assert_eq!(status(&stage, STABLE).await.used, counted, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_45009_nothing_is_sent_until_the_day_is_over() {
    let rule = answering(|seen| (seen.path.ends_with("custom/send")).then(|| Play::code(45009)));
    let stage = Stage::counted(Some(limited(1_000)), rule);
    let first = deliver(&stage).await;
    assert!(
        matches!(
            first,
            Delivery::NotSent {
                code: Some(45009),
                ..
            }
        ),
        "{first:?}"
    );
    for _ in 0..5 {
        assert!(matches!(deliver(&stage).await, Delivery::Impossible { .. }));
    }
    assert_eq!(stage.sends().len(), 1);
    stage.play(minting(7_200));
    let returns_at = status(&stage, SEND).await.obstacle.unwrap().1;
    let left = returns_at.since(stage.clock.now());
    stage.clock.advance(left);
    assert!(matches!(deliver(&stage).await, Delivery::Sent { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_full_minute_is_told_apart_and_waited_for_by_calls_that_have_patience() {
    let rule = answering(|seen| (seen.path.ends_with("custom/send")).then(|| Play::code(45011)));
    let stage = Stage::counted(Some(limited(1_000)), rule);
    let first = deliver(&stage).await;
    assert!(
        matches!(
            first,
            Delivery::NotSent {
                code: Some(45011),
                ..
            }
        ),
        "{first:?}"
    );
    let second = deliver(&stage).await;
    let Delivery::NotSent { reason, code: None } = second else {
        panic!("{second:?}");
    };
    assert!(reason.contains("in this minute are used up"), "{reason}");
    assert_eq!(stage.sends().len(), 1);
    // The clock of this test stands while the call waits: it gives up when its patience is at its end.
    let call = RawCall::post("/cgi-bin/message/custom/send", json!({}));
    let refused = stage.api.raw(&stage.account, &call).await.unwrap_err();
    let CallError::Exhausted(full) = refused else {
        panic!("{refused}");
    };
    assert_eq!(full.limit, Limit::Minute);
    stage.play(minting(7_200));
    stage.advance_seconds(61);
    stage.api.raw(&stage.account, &call).await.unwrap();
    assert_eq!(stage.sends().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_many_calls_leaves_the_reserve_to_replies() {
    let stage = Stage::counted(Some(limited(100)), minting(7_200));
    let (bulk, message) = (stage.api.in_bulk(), Bytes::from_static(b"{}"));
    for number in 0..120 {
        let delivery = bulk.deliver(&stage.account, message.clone()).await;
        let is_sent = matches!(delivery, Delivery::Sent { .. });
        assert_eq!(is_sent, number < 95, "{number}: {delivery:?}");
    }
    for number in 0..10 {
        let delivery = deliver(&stage).await;
        let is_sent = matches!(delivery, Delivery::Sent { .. });
        assert_eq!(is_sent, number < 5, "{number}: {delivery:?}");
    }
    assert_eq!(stage.sends().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn the_platforms_numbers_are_asked_for_and_win() {
    let rule = answering(|seen| {
        let told = json!({"errcode": 0, "errmsg": "ok",
            "quota": {"daily_limit": 1_000_000, "used": 777, "remain": 999_223},
            "rate_limit": {"call_count": 2000, "refresh_second": 60}});
        (seen.path == FIGURES).then(|| Play::Body(told.to_string()))
    });
    let stage = Stage::counted(Some(Settings::default()), rule);
    deliver(&stage).await;
    stage.api.look_after_limits().await;
    assert_eq!(calls(&stage, FIGURES), [] as [Value; 0]);
    stage.clock.advance(FIRST_ASK);
    for _ in 0..10 {
        stage.api.look_after_limits().await;
        stage.advance_seconds(30);
    }
    let asked = json!({"cgi_path": "/cgi-bin/message/custom/send"});
    // The token's own calls are counted too, and asked about.
    let asked_too = json!({"cgi_path": "/cgi-bin/stable_token"});
    assert_eq!(calls(&stage, FIGURES), [asked, asked_too]);
    let status = status(&stage, SEND).await;
    assert_eq!(status.limit, Some((1_000_000, LimitFrom::Platform)));
    assert_eq!(status.used, 777);
    assert_eq!(status.rate.unwrap().calls, 2_000);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_tell_its_numbers_is_not_asked_again_today() {
    for (name, answer, asked) in [
        ("unknown path", Play::code(76021), 1),
        ("no permission for the path", Play::code(76022), 1),
        ("no permission", Play::code(48001), 1),
        ("no such API", Play::Status(404), 1),
        (
            "busy for now",
            Play::Body("{\"errcode\":45009}".to_owned()),
            3,
        ),
    ] {
        let answer = std::sync::Mutex::new(answer);
        let rule = answering(move |seen| {
            (seen.path == FIGURES).then(|| match &*answer.lock().unwrap() {
                Play::Body(body) => Play::Body(body.clone()),
                Play::Status(status) => Play::Status(*status),
                _ => Play::Lost,
            })
        });
        let stage = Stage::counted(Some(limited(1_000)), rule);
        deliver(&stage).await;
        for _ in 0..3 {
            stage.advance_seconds(601);
            stage.api.look_after_limits().await;
        }
        let about = json!({"cgi_path": "/cgi-bin/message/custom/send"});
        let times = calls(&stage, FIGURES).into_iter();
        assert_eq!(times.filter(|call| *call == about).count(), asked, "{name}");
        assert!(
            matches!(deliver(&stage).await, Delivery::Sent { .. }),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_clear_names_what_is_cleared_and_opens_it_again() {
    let stage = Stage::counted(Some(limited(2)), minting(7_200));
    for _ in 0..3 {
        deliver(&stage).await;
    }
    assert_eq!(stage.sends().len(), 2);
    let clear = async |what| stage.api.clear(&stage.account, what).await;
    clear(Clearing::One(SEND)).await.unwrap();
    let asked = json!({"cgi_path": "/cgi-bin/message/custom/send"});
    assert_eq!(calls(&stage, CLEAR_ONE), [asked]);
    assert!(matches!(deliver(&stage).await, Delivery::Sent { .. }));
    clear(Clearing::All).await.unwrap();
    assert_eq!(calls(&stage, CLEAR_ALL), [json!({"appid": ACCOUNT})]);
    assert_eq!(status(&stage, SEND).await.used, 0);
    for (key, left) in [(QuotaKey::CLEAR_ONE, 49), (QuotaKey::CLEAR_ALL, 9)] {
        assert_eq!(status(&stage, key).await.remain(), Some(left), "{key}");
    }
    let wrong = clear(Clearing::One(QuotaKey::CLEAR_ALL)).await.unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "clear_quota_total is not counted by the day: it cannot be cleared"
    );
    stage.play(answering(|seen| {
        (seen.path == CLEAR_ALL).then(|| Play::code(48006))
    }));
    let refused = clear(Clearing::All).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode(48006)));
    let refused = clear(Clearing::All).await.unwrap_err();
    assert!(matches!(&refused, CallError::Exhausted(full) if full.limit == Limit::Month));
    assert_eq!(calls(&stage, CLEAR_ALL).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_cleared_without_a_person_once_a_day_where_the_operator_wants_it() {
    for (name, one, ones, alls) in [("taken", 0, 1, 0), ("not for this path", 76022, 1, 1)] {
        let rule = answering(move |seen| (seen.path == CLEAR_ONE).then(|| Play::code(one)));
        let automatic = Automatic {
            keys: vec![SEND],
            before: Duration::from_secs(20 * 3600),
            keep: 3,
        };
        let settings = Settings {
            automatic,
            ..limited(2)
        };
        let stage = Stage::counted(Some(settings), rule);
        // It is 6:13 in Beijing.
        for _ in 0..3 {
            for _ in 0..3 {
                deliver(&stage).await;
            }
            stage.api.look_after_limits().await;
        }
        assert_eq!(calls(&stage, CLEAR_ONE).len(), ones, "{name}");
        assert_eq!(calls(&stage, CLEAR_ALL).len(), alls, "{name}");
        assert_eq!(stage.sends().len(), 4, "{name}");
    }
}
