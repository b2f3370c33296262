//! What ten years of reports say goes wrong, counted in questions to the platform. Generic over the
//! store, so that each store's tests can play it with four keepers, each as in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wxhook::clock::Clock;
use wxhook::platform::error::ErrorCode;
use wxhook::store::tokens::{TokenKey, TokenKind, Tokens};
use wxhook::token::{Endpoint, Keeper, RIGHT_LASTING};

use super::conformance::fresh_key;
use super::stage::{Answer, Script, Unsteady, keeper};

/// The platform's word that a token is not the latest.
pub(crate) const NOT_LATEST: ErrorCode = ErrorCode(40001);

const KEEPERS: usize = 4;

/// Four keepers that share a store as `connect` gives it to each.
pub(crate) struct Four {
    pub(crate) key: TokenKey,
    pub(crate) script: Arc<Script>,
    pub(crate) stores: Vec<Arc<Unsteady>>,
    pub(crate) keepers: Vec<Arc<Keeper>>,
}

impl Four {
    pub(crate) async fn new(
        connect: impl AsyncFn() -> Arc<dyn Tokens>,
        clock: &Arc<dyn Clock>,
        endpoint: Endpoint,
        script: Arc<Script>,
    ) -> Self {
        let key = fresh_key();
        let mut stores = Vec::new();
        for _ in 0..KEEPERS {
            stores.push(Unsteady::over(connect().await));
        }
        let keeper = |store: &Arc<Unsteady>| {
            let store = Arc::clone(store) as Arc<dyn Tokens>;
            keeper(&key, endpoint, store, clock, &script)
        };
        let keepers = stores.iter().map(keeper).collect();
        Self {
            key,
            script,
            stores,
            keepers,
        }
    }

    /// 500 callers, spread over the keepers.
    pub(crate) async fn herd(&self) -> Vec<String> {
        let calls = (0..500).map(|number| async move {
            let lease = self.keepers[number % KEEPERS].token().await.unwrap();
            lease.token.expose().to_owned()
        });
        join_all(calls).await
    }
}

fn all_are(tokens: &[String], expected: &str) {
    assert!(tokens.iter().all(|token| token == expected), "{expected}");
}

/// The first five of the list, each from nothing.
pub(crate) async fn regressions(
    connect: impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
) {
    for endpoint in [Endpoint::Stable, Endpoint::Plain] {
        a_cold_herd_whose_first_try_fails_gets_one_token(&connect, clock, endpoint).await;
        a_herd_that_reports_one_bad_token_gets_one_other(&connect, clock, endpoint).await;
        a_leader_that_slept_before_its_question_does_not_ask(&connect, clock, endpoint).await;
        an_answer_that_comes_too_late_is_never_stored(&connect, clock, endpoint).await;
        a_store_that_is_away_costs_no_question(&connect, clock, endpoint).await;
    }
}

async fn a_cold_herd_whose_first_try_fails_gets_one_token(
    connect: &impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    endpoint: Endpoint,
) {
    let takes = Duration::from_secs(2);
    let script = Script::new(takes, &[Answer::Code(-1)], Answer::Another(7_200));
    let four = Four::new(connect, clock, endpoint, script).await;
    all_are(&four.herd().await, "token-1");
    assert_eq!((four.script.asked(), four.script.minted()), (2, 1));
    let generations = four.keepers.iter().map(|keeper| keeper.held().unwrap());
    let mut generations: Vec<u64> = generations.map(|lease| lease.generation).collect();
    generations.dedup();
    assert_eq!(generations.len(), 1, "one token has one generation");
}

async fn a_herd_that_reports_one_bad_token_gets_one_other(
    connect: &impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    endpoint: Endpoint,
) {
    let takes = Duration::from_millis(300);
    let four = Four::new(
        connect,
        clock,
        endpoint,
        Script::new(takes, &[], Answer::Another(7_200)),
    );
    let four = four.await;
    four.herd().await;
    let bad = four.keepers[0].held().unwrap();
    let reports = (0..500).map(|number| {
        let keeper = &four.keepers[number % KEEPERS];
        keeper.report_bad(&bad.token, NOT_LATEST)
    });
    for lease in join_all(reports).await {
        let lease = lease.unwrap();
        assert_eq!(lease.token.expose(), "token-2");
        assert!(lease.generation > bad.generation);
    }
    assert_eq!(four.script.asked(), 2);
    // And a late one.
    let late = four.keepers[3].report_bad(&bad.token, NOT_LATEST).await;
    assert_eq!(late.unwrap().token.expose(), "token-2");
    assert_eq!(four.script.asked(), 2);
}

async fn a_leader_that_slept_before_its_question_does_not_ask(
    connect: &impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    endpoint: Endpoint,
) {
    let takes = Duration::from_millis(50);
    let script = Script::new(takes, &[], Answer::Another(7_200));
    let four = Four::new(connect, clock, endpoint, script).await;
    four.stores[0].sleep_before_asking(Duration::from_secs(60));
    let (sleeper, other) = tokio::join!(four.keepers[0].token(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        four.keepers[1].token().await
    });
    assert_eq!(sleeper.unwrap().token.expose(), "token-1");
    assert_eq!(other.unwrap().token.expose(), "token-1");
    assert_eq!(four.script.asked(), 1);
}

async fn an_answer_that_comes_too_late_is_never_stored(
    connect: &impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    endpoint: Endpoint,
) {
    let takes = Duration::from_millis(700);
    let script = Script::new(takes, &[], Answer::Another(7_200));
    let four = Four::new(connect, clock, endpoint, script).await;
    // The first one's right ends 200 ms after its question began.
    four.stores[0].sleep_after_asking(RIGHT_LASTING - Duration::from_millis(200));
    let late = async {
        let waiting = four.keepers[0].token();
        let healing = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            four.stores[0].sleep_after_asking(Duration::ZERO);
        };
        tokio::join!(waiting, healing).0
    };
    let (late, other) = tokio::join!(late, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        four.keepers[1].token().await
    });
    let stored = four.stores[0].load(&of(&four.key, endpoint)).await;
    let stored = stored.unwrap().unwrap();
    let late = late.unwrap();
    assert_eq!(late.token, stored.token);
    assert!(!late.token.matches("token-1"), "the late answer is used");
    assert!(other.is_ok());
    // The plain endpoint's late answer may be its newest: one more question settles that.
    let expected = match endpoint {
        Endpoint::Stable => 2,
        Endpoint::Plain => 3,
    };
    assert_eq!(four.script.asked(), expected, "{endpoint:?}");
}

/// The key under which a keeper of this endpoint stores.
pub(crate) fn of(key: &TokenKey, endpoint: Endpoint) -> TokenKey {
    TokenKey {
        account: key.account.clone(),
        kind: match endpoint {
            Endpoint::Stable => TokenKind::Stable,
            Endpoint::Plain => TokenKind::Plain,
        },
    }
}

async fn a_store_that_is_away_costs_no_question(
    connect: &impl AsyncFn() -> Arc<dyn Tokens>,
    clock: &Arc<dyn Clock>,
    endpoint: Endpoint,
) {
    let takes = Duration::from_millis(50);
    let script = Script::new(takes, &[], Answer::Another(7_200));
    let four = Four::new(connect, clock, endpoint, script).await;
    four.herd().await;
    for hangs in [false, true] {
        for store in &four.stores {
            store.set_away(!hangs);
            store.set_hanging(hangs);
        }
        let began = clock.monotonic();
        for _ in 0..20 {
            all_are(&four.herd().await, "token-1");
        }
        let took = clock.monotonic().saturating_sub(began);
        assert!(took < Duration::from_secs(1), "a call waited for the store");
    }
    for store in &four.stores {
        store.set_hanging(false);
    }
    all_are(&four.herd().await, "token-1");
    assert_eq!(four.script.asked(), 1);
}
