use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use wxhook::clock::Clock;
use wxhook::platform::error::ErrorCode;
use wxhook::store::embedded::EmbeddedTokens;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::store::tokens::{Owner, Tokens};
use wxhook::token::{Endpoint, RIGHT_LASTING, Suspect, TokenError};

use super::herd::{Four, NOT_LATEST, of, regressions};
use super::stage::{Answer, RuntimeClock, SECRET, Script};

const MOMENT: Duration = Duration::from_millis(50);

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// Four keepers over one store in memory.
async fn four(endpoint: Endpoint, script: Arc<Script>) -> Four {
    let clock = RuntimeClock::start() as Arc<dyn Clock>;
    let store = MemoryTokens::new(Arc::clone(&clock));
    Four::new(
        async || store.clone() as Arc<dyn Tokens>,
        &clock,
        endpoint,
        script,
    )
    .await
}

/// Lets all keepers look after their token until the sender says stop.
fn look_after(four: &Four) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    for keeper in &four.keepers {
        let (keeper, stopped) = (Arc::clone(keeper), stopped.clone());
        tokio::spawn(async move { keeper.run(stopped).await });
    }
    stop
}

#[tokio::test(start_paused = true)]
async fn four_keepers_over_one_store_in_memory_ask_as_one() {
    let clock = RuntimeClock::start() as Arc<dyn Clock>;
    let store = MemoryTokens::new(Arc::clone(&clock));
    regressions(async || store.clone() as Arc<dyn Tokens>, &clock).await;
}

#[tokio::test]
async fn four_keepers_over_one_embedded_store_ask_as_one() {
    let directory = TempDir::new().unwrap();
    let clock = RuntimeClock::start() as Arc<dyn Clock>;
    let open = async || {
        let store = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
        store as Arc<dyn Tokens>
    };
    regressions(open, &clock).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_in_time_by_one_and_found_by_the_others() {
    for (name, endpoint, answer, first, last) in [
        ("stable", Endpoint::Stable, Answer::Stable, 6_910, 6_941),
        (
            "plain",
            Endpoint::Plain,
            Answer::Another(7_200),
            3_540,
            3_661,
        ),
    ] {
        let four = four(endpoint, Script::new(MOMENT, &[], answer)).await;
        four.herd().await;
        let stop = look_after(&four);
        tokio::time::sleep(Duration::from_secs(first - 1)).await;
        assert_eq!(four.script.minted(), 1, "{name}: not before");
        tokio::time::sleep(Duration::from_secs(last - first + 62)).await;
        assert_eq!(four.script.minted(), 2, "{name}: one for all");
        for keeper in &four.keepers {
            let lease = keeper.held().unwrap();
            assert!(lease.token.matches("token-2"), "{name}");
        }
        stop.send(true).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_stable_endpoint_is_asked_once_an_hour_by_all_together() {
    let four = four(Endpoint::Stable, Script::new(MOMENT, &[], Answer::Stable)).await;
    four.herd().await;
    let stop = look_after(&four);
    tokio::time::sleep(minutes(59)).await;
    assert_eq!(four.script.asked(), 1);
    tokio::time::sleep(minutes(3)).await;
    assert_eq!(four.script.asked(), 2, "one heartbeat of all four");
    stop.send(true).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_life_of_300_seconds_is_renewed_in_its_last_third() {
    let first = [Answer::Another(300)];
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &first, Answer::Code(-1)),
    )
    .await;
    four.herd().await;
    let stop = look_after(&four);
    tokio::time::sleep(Duration::from_secs(195)).await;
    assert_eq!(four.script.asked(), 1);
    four.script.then(Answer::Another(7_200));
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(four.script.minted(), 2);
    stop.send(true).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_never_works_is_asked_for_once_and_tried_once_more() {
    let first = [Answer::Another(7_200)];
    let four = four(Endpoint::Stable, Script::new(MOMENT, &first, Answer::Same)).await;
    four.herd().await;
    let bad = four.keepers[0].held().unwrap();
    tokio::time::sleep(minutes(1)).await;
    for _ in 0..10 {
        for keeper in &four.keepers {
            let again = keeper.report_bad(&bad.token, NOT_LATEST).await.unwrap();
            assert_eq!(again.generation, bad.generation);
        }
    }
    assert_eq!(four.script.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_asked_with_once_by_each_process_in_a_minute() {
    for code in [40001, 40125, 40243] {
        let four = four(
            Endpoint::Stable,
            Script::new(MOMENT, &[], Answer::Code(code)),
        )
        .await;
        for _ in 0..50 {
            for keeper in &four.keepers {
                let error = keeper.token().await.unwrap_err();
                assert_eq!(error.code(), Some(ErrorCode(code)));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(four.script.asked(), 4, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_process_that_gets_a_token_helps_those_that_are_refused() {
    let first = [Answer::Code(40164)];
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &first, Answer::Another(7_200)),
    )
    .await;
    assert!(four.keepers[0].token().await.is_err());
    assert!(four.keepers[1].token().await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let lease = four.keepers[0].token().await.unwrap();
    assert!(lease.token.matches("token-1"));
}

#[tokio::test]
async fn a_store_that_lost_everything_gets_the_token_back() {
    let directory = TempDir::new().unwrap();
    let clock = RuntimeClock::start() as Arc<dyn Clock>;
    let open = async || {
        let store = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
        store as Arc<dyn Tokens>
    };
    let script = Script::new(MOMENT, &[], Answer::Another(7_200));
    let four = Four::new(open, &clock, Endpoint::Plain, script).await;
    let kept = four.keepers[0].token().await.unwrap();
    let file = rusqlite::Connection::open(directory.path().join("tokens.db")).unwrap();
    file.execute_batch("DELETE FROM token; DELETE FROM permit")
        .unwrap();
    // The one that has it asks for nothing, but looks.
    four.keepers[0].refresh().await.unwrap();
    for keeper in &four.keepers[1..] {
        let found = keeper.token().await.unwrap();
        assert_eq!(
            (&found.token, found.generation),
            (&kept.token, kept.generation)
        );
    }
    assert_eq!(four.script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_stored_is_used_and_stored_later() {
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    let stop = look_after(&four);
    for store in &four.stores {
        store.set_away(true);
    }
    assert!(
        four.keepers[0]
            .token()
            .await
            .unwrap()
            .token
            .matches("token-1")
    );
    assert!(four.keepers[0].status().unwrap().store_is_away);
    four.stores[0].set_away(false);
    tokio::time::sleep(minutes(2)).await;
    four.stores[1].set_away(false);
    assert!(
        four.keepers[1]
            .token()
            .await
            .unwrap()
            .token
            .matches("token-1")
    );
    assert_eq!(four.script.asked(), 1);
    stop.send(true).unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_the_store_the_plain_endpoint_is_left_to_the_process_that_asked_it_last() {
    let four = four(
        Endpoint::Plain,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    four.keepers[0].token().await.unwrap();
    let bad = four.keepers[1].token().await.unwrap();
    for store in &four.stores {
        store.set_away(true);
    }
    let other = four.keepers[1].report_bad(&bad.token, NOT_LATEST).await;
    assert_eq!(other.unwrap().generation, bad.generation);
    let cold = four.keepers[2].token().await.unwrap_err();
    assert!(matches!(cold, TokenError::Store { .. }), "{cold}");
    assert_eq!(four.script.asked(), 1);
    let leader = four.keepers[0].report_bad(&bad.token, NOT_LATEST).await;
    assert!(leader.unwrap().token.matches("token-2"));
    assert_eq!(four.script.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_plain_endpoint_is_asked_with_the_secret_that_no_error_shows() {
    let first = [Answer::Code(40013)];
    let four = four(
        Endpoint::Plain,
        Script::new(MOMENT, &first, Answer::Another(7_200)),
    )
    .await;
    let error = four.keepers[0].token().await.unwrap_err();
    let account = four.key.account.as_str();
    let expected = format!(
        "https://a.example/cgi-bin/token?grant_type=client_credential&appid={account}&secret={SECRET}"
    );
    assert_eq!(four.script.paths(), [expected]);
    assert!(!format!("{error}{error:?}").contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn a_report_may_name_the_token_by_its_digest_or_its_generation() {
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    let first = four.keepers[0].token().await.unwrap();
    let digest = Suspect::Digest(first.token.digest());
    let second = four.keepers[0].report(&digest, NOT_LATEST).await.unwrap();
    assert!(second.token.matches("token-2"));
    for old in [digest, Suspect::Generation(first.generation)] {
        let current = four.keepers[0].report(&old, NOT_LATEST).await.unwrap();
        assert!(current.token.matches("token-2"));
    }
    let current = Suspect::Generation(second.generation);
    let third = four.keepers[0].report(&current, NOT_LATEST).await.unwrap();
    assert!(third.token.matches("token-3"));
    assert_eq!(four.script.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn every_question_is_written_down_with_its_reason() {
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    let first = four.keepers[0].token().await.unwrap();
    four.keepers[1]
        .report_bad(&first.token, NOT_LATEST)
        .await
        .unwrap();
    four.keepers[2]
        .note("client shop", "read the token")
        .await
        .unwrap();
    tokio::time::sleep(minutes(1)).await;
    let notes = four.keepers[3].notes().await.unwrap();
    let said: Vec<&str> = notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("no token was there: the platform gave another token"));
    assert!(
        said.iter()
            .any(|what| what.starts_with("the platform refused the token"))
    );
    assert!(!format!("{notes:?}").contains("token-"), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_wait_while_a_renewal_takes_five_seconds() {
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    let first = four.keepers[0].token().await.unwrap();
    four.script.takes(Duration::from_secs(5));
    let began = tokio::time::Instant::now();
    let keeper = Arc::clone(&four.keepers[0]);
    let renewal = tokio::spawn(async move { keeper.report_bad(&first.token, NOT_LATEST).await });
    tokio::task::yield_now().await;
    for _ in 0..10_000 {
        four.keepers[0].token().await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(10));
    assert!(renewal.await.unwrap().unwrap().token.matches("token-2"));
}

#[tokio::test(start_paused = true)]
async fn the_right_of_a_process_that_died_with_it_bars_the_next_one_for_seconds_only() {
    let four = four(
        Endpoint::Stable,
        Script::new(MOMENT, &[], Answer::Another(7_200)),
    )
    .await;
    let (key, dead) = (of(&four.key, Endpoint::Stable), Owner::new([7; 16]));
    let right = four.stores[0].acquire(&key, &dead, RIGHT_LASTING).await;
    assert!(right.unwrap().is_some());
    let began = tokio::time::Instant::now();
    assert!(four.keepers[1].token().await.is_ok());
    assert!(began.elapsed() < RIGHT_LASTING + Duration::from_secs(1));
}
