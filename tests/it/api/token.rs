use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use wxhook::clock::{Clock, Timestamp};
use wxhook::platform::error::ErrorCode;
use wxhook::secret::AccessToken;
use wxhook::token::{RIGHT_LASTING, TokenError};

use super::script::{ACCOUNT, Play, SECRET, Stage, minting, settle};

const NOT_LATEST: ErrorCode = ErrorCode(40001);

#[tokio::test(start_paused = true)]
async fn a_herd_on_a_cold_start_asks_for_one_token() {
    let stage = Stage::new(minting(7200));
    let tokens = join_all((0..500).map(|_| stage.token())).await;
    assert!(tokens.iter().all(|token| token == "token-1"));
    assert_eq!(stage.token_requests(), 1);
    let asked: Value = serde_json::from_slice(&stage.seen()[0].body).unwrap();
    let expected = json!({"grant_type": "client_credential", "appid": ACCOUNT, "secret": SECRET, "force_refresh": false});
    assert_eq!(asked, expected);
}

#[tokio::test(start_paused = true)]
async fn a_herd_that_reports_one_bad_token_asks_for_one_token() {
    let stage = Stage::new(minting(7200));
    let bad = stage.keeper.token().await.unwrap();
    let reports = (0..500).map(|_| stage.keeper.report_bad(&bad.token, NOT_LATEST));
    let leases = join_all(reports).await;
    assert_eq!(stage.token_requests(), 2);
    for lease in leases {
        let lease = lease.unwrap();
        assert_eq!(
            (lease.token.expose(), lease.generation),
            ("token-2", bad.generation + 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_report_of_an_old_token_asks_nobody() {
    let stage = Stage::new(minting(7200));
    let old = stage.keeper.token().await.unwrap();
    stage
        .keeper
        .report_bad(&old.token, NOT_LATEST)
        .await
        .unwrap();
    stage.advance_seconds(600);
    let current = stage
        .keeper
        .report_bad(&old.token, NOT_LATEST)
        .await
        .unwrap();
    assert_eq!(
        (current.token.expose(), stage.token_requests()),
        ("token-2", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_not_about_the_token_asks_nobody() {
    let stage = Stage::new(minting(7200));
    let lease = stage.keeper.token().await.unwrap();
    for code in [0, -1, 41001, 40013, 45009, 42007] {
        stage
            .keeper
            .report_bad(&lease.token, ErrorCode(code))
            .await
            .unwrap();
    }
    assert_eq!(stage.token_requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_token_handed_back_keeps_its_generation_and_is_not_asked_for_again_soon() {
    let stage = Stage::new(|_| Play::token("the-one", 7000));
    let first = stage.keeper.token().await.unwrap();
    for seconds_later in [0, 10, 10] {
        stage.advance_seconds(seconds_later);
        let again = stage
            .keeper
            .report_bad(&first.token, NOT_LATEST)
            .await
            .unwrap();
        assert_eq!(again.generation, first.generation);
    }
    assert_eq!(stage.token_requests(), 2);
    stage.advance_seconds(30);
    stage
        .keeper
        .report_bad(&first.token, NOT_LATEST)
        .await
        .unwrap();
    assert_eq!(stage.token_requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_soon_to_end_is_served_while_it_is_renewed_once() {
    let stage = Stage::new(minting(7200));
    stage.token().await;
    stage.advance_seconds(6_945);
    let served = join_all((0..500).map(|_| stage.token())).await;
    assert!(served.iter().all(|token| token == "token-1"));
    settle().await;
    assert_eq!(
        (stage.token().await.as_str(), stage.token_requests()),
        ("token-2", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_token_is_served_to_its_end_while_renewals_fail() {
    let stage = Stage::new(minting(7200));
    stage.token().await;
    stage.play(|_| Play::code(40125));
    for _ in 0..8 {
        stage.advance_seconds(if stage.clock.monotonic().is_zero() {
            6_945
        } else {
            30
        });
        assert_eq!(stage.token().await, "token-1");
        settle().await;
    }
    // At 6,945 s, then after pauses of 60 and 120 s.
    assert_eq!(stage.token_requests(), 4);
    stage.advance_seconds(60);
    let error = stage.keeper.token().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode(40125)));
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_waited_for() {
    for (name, seconds, age) in [
        ("usual", 7200, 7_170),
        ("short", 300, 270),
        ("shortest", 1, 1),
    ] {
        let stage = Stage::new(minting(seconds));
        stage.token().await;
        stage.advance_seconds(age);
        assert_eq!(stage.token().await, "token-2", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_holds_no_usable_token_changes_nothing() {
    for answer in [
        r#"{"access_token":"x","expires_in":0}"#,
        r#"{"access_token":"x"}"#,
        r#"{"access_token":"","expires_in":7200}"#,
        r#"{"access_token":null,"expires_in":-100}"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
    ] {
        let stage = Stage::new(minting(7200));
        stage.token().await;
        stage.play(move |_| Play::Body(answer.to_owned()));
        stage.advance_seconds(6_945);
        stage.token().await;
        settle().await;
        assert_eq!(stage.token().await, "token-1", "{answer}");
        let cold = Stage::new(move |_| Play::Body(answer.to_owned()));
        let error = cold.keeper.token().await.unwrap_err();
        assert!(
            matches!(error, TokenError::Answer { .. }),
            "{answer}: {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_no_storm() {
    for (code, pauses) in [
        (40001, [60, 120, 240]),
        (40125, [60, 120, 240]),
        (40013, [60, 120, 240]),
        // What the code itself says.
        (40164, [300, 600, 600]),
        (40243, [600, 600, 600]),
        (89503, [60, 120, 300]),
        (89507, [3_600, 3_600, 3_600]),
        (89506, [86_400, 86_400, 86_400]),
    ] {
        let stage = Stage::new(move |_| Play::code(code));
        let herd = join_all((0..500).map(|_| stage.keeper.token())).await;
        assert!(herd.iter().all(Result::is_err));
        for (asked, pause) in (1..).zip(pauses) {
            for (seconds_later, requests) in [(0, asked), (pause - 1, asked), (1, asked + 1)] {
                stage.advance_seconds(seconds_later);
                let error = stage.keeper.token().await.unwrap_err();
                assert_eq!(error.code(), Some(ErrorCode(code)), "{error}");
                assert_eq!(
                    stage.token_requests(),
                    requests,
                    "{code} after {seconds_later} s of {pause} s"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_is_asked_three_times_and_then_left_alone() {
    let stage = Stage::new(|_| Play::code(-1));
    join_all((0..500).map(|_| stage.keeper.token())).await;
    assert!(stage.keeper.token().await.is_err());
    assert_eq!(stage.token_requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_busy_once_still_gives_a_token() {
    let mut busy = [Play::Status(502), Play::Status(502), Play::code(-1)].into_iter();
    let stage = Stage::new(move |_| busy.next().unwrap_or_else(|| Play::token("late", 7200)));
    assert_eq!(stage.token().await, "late");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_stops_waiting_does_not_stop_the_renewal() {
    let stage = Stage::new(minting(7200));
    let waited = tokio::time::timeout(Duration::from_millis(1), stage.keeper.token()).await;
    assert!(waited.is_err());
    assert_eq!(
        (stage.token().await.as_str(), stage.token_requests()),
        ("token-1", 1)
    );
}

#[test]
fn a_renewal_that_died_with_its_runtime_is_started_anew() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let stage = Stage::new(minting(7200));
    let short = Duration::from_millis(1);
    runtime().block_on(async {
        let waited = tokio::time::timeout(short, stage.keeper.token()).await;
        assert!(waited.is_err());
    });
    // The right to ask is still the dead one's, until it ends by itself.
    stage.clock.advance(RIGHT_LASTING);
    assert_eq!(runtime().block_on(stage.token()), "token-1");
    assert_eq!(stage.token_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_wall_clock_makes_nobody_wait() {
    for (name, minutes, requests) in [
        ("ten minutes on", 10, 1),
        ("ten minutes back", -10, 1),
        ("a day on: renewed beside, to be sure", 24 * 60, 2),
        ("a day back", -24 * 60, 1),
    ] {
        let stage = Stage::new(minting(7200));
        stage.token().await;
        let jumped = stage.clock.now().milliseconds() + minutes * 60_000;
        stage.clock.set_wall(Timestamp::from_milliseconds(jumped));
        stage.advance_seconds(20);
        assert_eq!(stage.token().await, "token-1", "{name}");
        settle().await;
        assert_eq!(stage.token_requests(), requests, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_stream_of_bad_tokens_is_stopped() {
    let stage = Stage::new(minting(7200));
    let mut token = stage.keeper.token().await.unwrap().token;
    let mut stopped = None;
    for _ in 0..100 {
        match stage.keeper.report_bad(&token, NOT_LATEST).await {
            Ok(lease) => token = lease.token,
            Err(error) => stopped = Some(error),
        }
    }
    let Some(TokenError::Paused { source, .. }) = stopped else {
        panic!("{stopped:?}");
    };
    assert!(matches!(*source, TokenError::TooOften), "{source}");
    assert_eq!(stage.token_requests(), 10);
}

#[tokio::test(start_paused = true)]
async fn no_log_line_shows_a_token_or_a_secret() {
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one subscriber, a thread that has none can switch a log line off for all:
    // tests run on several threads, so there are two.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut answers = vec![
        Play::token("87_hidden", 7200),
        Play::Body(format!(
            r#"{{"errcode":40001,"errmsg":"87_hidden {SECRET}"}}"#
        )),
    ]
    .into_iter();
    let stage = Stage::new(move |_| answers.next().unwrap());
    let lease = stage.keeper.token().await.unwrap();
    let error = stage
        .keeper
        .report_bad(&lease.token, NOT_LATEST)
        .await
        .unwrap_err();
    drop(guard);
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(logged.lines().count(), 3, "{logged}");
    let all = format!(
        "{logged}{error}{error:?}{lease:?}{:?}{:?}",
        stage.keeper, stage.api
    );
    assert!(!all.contains("hidden") && !all.contains(SECRET), "{all}");
    assert!(AccessToken::new("87_hidden").matches(lease.token.expose()));
}
