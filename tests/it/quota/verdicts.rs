use std::time::Duration;

use wxhook::clock::Clock;
use wxhook::metric::Counter;
use wxhook::platform::error::ErrorCode;
use wxhook::quota::{
    AccountClass, AccountLimits, Automatic, FIRST_ASK, Figures, Limit, LimitFrom, Purpose,
    QuotaKey, RECHECK, Rate, SHORTEST_ASK_EVERY, Settings,
};

use super::stage::{SEND, Stage, account, at, calls, limited};

const USED_UP: ErrorCode = ErrorCode(45009);
const NOON: &str = "2026-11-25T12:00:00+08:00";
const DAY: &str = "2026-11-25";

fn figures(limit: u64, used: u64) -> Figures {
    Figures {
        daily_limit: Some(limit),
        used,
        remain: limit.saturating_sub(used),
        rate: None,
    }
}

#[tokio::test]
async fn limits_are_those_of_the_account_its_table_or_the_operator() {
    let menu = QuotaKey::find("menu_create").unwrap();
    let mass = QuotaKey::find("mass").unwrap();
    let limits = |class, times, limits: &[(QuotaKey, u64)]| AccountLimits {
        class,
        times,
        limits: limits.iter().copied().collect(),
    };
    for (name, limits, key, expected) in [
        (
            "new",
            limits(AccountClass::New, 1, &[]),
            menu,
            Some((1_000, LimitFrom::Published)),
        ),
        (
            "test",
            limits(AccountClass::Test, 1, &[]),
            menu,
            Some((100, LimitFrom::Published)),
        ),
        (
            "not published",
            limits(AccountClass::Test, 1, &[]),
            mass,
            None,
        ),
        (
            "of a higher tier",
            limits(AccountClass::New, 10, &[]),
            menu,
            Some((10_000, LimitFrom::Published)),
        ),
        (
            "set",
            limits(AccountClass::New, 10, &[(menu, 7)]),
            menu,
            Some((7, LimitFrom::Setting)),
        ),
        (
            "set too high",
            limits(AccountClass::New, 1, &[(menu, 5_000)]),
            menu,
            Some((1_000, LimitFrom::Published)),
        ),
        (
            "no tier has more clears",
            limits(AccountClass::New, 10, &[]),
            QuotaKey::CLEAR_ALL,
            Some((10, LimitFrom::Published)),
        ),
    ] {
        let accounts = [(account(), limits)].into();
        let settings = Settings {
            accounts,
            ..Settings::default()
        };
        let stage = Stage::new(NOON, settings);
        stage.calls(key, 1).await;
        assert_eq!(stage.status(key).await.limit, expected, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_for_the_day_closes_the_key_for_all_processes_until_the_next_day() {
    let stage = Stage::new(NOON, limited(&[(SEND, 1_000)]));
    let other = stage.another(limited(&[(SEND, 1_000)]));
    assert_eq!(stage.calls(SEND, 20).await.0, 20);
    stage.quotas.answered(&account(), SEND, USED_UP).await;
    let (made, refused) = stage.calls(SEND, 20).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.limit), (0, Limit::Day));
    assert_eq!(refused.returns_at, at("2026-11-26T00:01:30+08:00"));
    let (made, refused) = calls(&other, SEND, Purpose::Interactive, 20).await;
    assert_eq!((made, refused.unwrap().limit), (0, Limit::Day));
    // Another key is not concerned.
    assert_eq!(
        stage.calls(QuotaKey::find("menu_get").unwrap(), 5).await.0,
        5
    );
    stage.clock.set_wall(at("2026-11-26T00:01:30+08:00"));
    assert_eq!(stage.calls(SEND, 20).await.0, 20);
}

#[tokio::test]
async fn a_refusal_right_after_midnight_speaks_of_yesterday() {
    let stage = Stage::new("2026-11-26T00:00:05+08:00", limited(&[(SEND, 1_000)]));
    assert_eq!(stage.calls(SEND, 1).await.0, 1);
    stage.quotas.answered(&account(), SEND, USED_UP).await;
    let (made, refused) = stage.calls(SEND, 1).await;
    let returns_at = refused.unwrap().returns_at;
    assert_eq!((made, returns_at), (0, at("2026-11-26T00:01:30+08:00")));
    stage.wait(85);
    assert_eq!(stage.calls(SEND, 10).await.0, 10);
    assert_eq!(stage.stored(DAY, SEND).await, 0);
}

#[tokio::test]
async fn a_key_without_a_known_limit_is_counted_and_learns_its_end_from_the_refusal() {
    let typing = QuotaKey("typing");
    let stage = Stage::new(NOON, Settings::default());
    assert_eq!(stage.calls(typing, 250).await, (250, None));
    stage.quotas.answered(&account(), typing, USED_UP).await;
    let (made, refused) = stage.calls(typing, 1).await;
    assert_eq!((made, refused.unwrap().used), (0, 250));
    let status = stage.status(typing).await;
    assert_eq!(status.limit, Some((250, LimitFrom::Refusal)));
}

#[tokio::test]
async fn a_refusal_for_the_minute_pauses_the_key_until_the_next_one() {
    let stage = Stage::new("2026-11-25T12:00:20+08:00", limited(&[]));
    assert_eq!(stage.calls(SEND, 50).await.0, 50);
    let full = ErrorCode(45011);
    stage.quotas.answered(&account(), SEND, full).await;
    let (made, refused) = stage.calls(SEND, 1).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.limit), (0, Limit::Minute));
    assert!(
        refused.returns_at >= at("2026-11-25T12:01:00+08:00"),
        "{refused}"
    );
    // The window of the fifty calls has passed at 12:01:25; a minute has one less from now on, and then
    // a tenth more with each quiet minute.
    stage.clock.advance(Duration::from_secs(66));
    let (made, refused) = stage.calls(SEND, 500).await;
    assert_eq!((made, refused.unwrap().limit), (54, Limit::Minute));
}

#[tokio::test]
async fn a_month_that_is_used_up_closes_a_daily_key_until_the_next_month() {
    let mass = QuotaKey::find("mass").unwrap();
    let stage = Stage::new(NOON, Settings::default());
    stage
        .quotas
        .answered(&account(), mass, ErrorCode(45040))
        .await;
    stage.clock.set_wall(at("2026-11-30T23:59:59+08:00"));
    let (made, refused) = stage.calls(mass, 1).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.limit), (0, Limit::Month));
    assert_eq!(refused.returns_at, at("2026-12-01T00:01:30+08:00"));
}

#[tokio::test]
async fn the_platforms_numbers_set_limit_rate_and_count() {
    let stage = Stage::new(NOON, Settings::default());
    let other = stage.another(Settings::default());
    assert_eq!(stage.calls(SEND, 10).await.0, 10);
    let told = Figures {
        rate: Some(Rate {
            calls: 30,
            per: Duration::from_secs(60),
        }),
        ..figures(1_000_000, 123_456)
    };
    let now = stage.clock.now();
    stage.quotas.learned(&account(), SEND, told, now).await;
    let status = stage.status(SEND).await;
    assert_eq!(status.limit, Some((1_000_000, LimitFrom::Platform)));
    assert_eq!(status.used, 123_456);
    assert_eq!(status.platform, Some((told, now)));
    // What one learns about the count all know; ten calls are in this minute already.
    let (made, refused) = stage.calls(SEND, 500).await;
    assert_eq!((made, refused.unwrap().limit), (20, Limit::Minute));
    assert_eq!(calls(&other, SEND, Purpose::Interactive, 1).await.0, 1);
    let found = other.status(&account()).await;
    let found = found.iter().find(|status| status.key == SEND).unwrap();
    assert!(found.used > 123_456, "{found:?}");
}

#[tokio::test]
async fn a_limit_that_the_platform_says_is_zero_is_none() {
    let stage = Stage::new(NOON, Settings::default());
    let nothing = Figures::default();
    let now = stage.clock.now();
    stage.quotas.learned(&account(), SEND, nothing, now).await;
    assert_eq!(stage.calls(SEND, 10).await.0, 10);
    let status = stage.status(SEND).await;
    assert_eq!(status.limit, Some((500_000, LimitFrom::Published)));
}

#[tokio::test]
async fn the_platforms_count_lowers_ours_only_beyond_what_it_may_be_wrong_by() {
    for (name, told, lowered) in [
        ("one percent less", 395_500, false),
        ("cleared in the console", 0, true),
    ] {
        let stage = Stage::new(NOON, Settings::default());
        let now = stage.clock.now();
        stage
            .quotas
            .learned(&account(), SEND, figures(500_000, 400_000), now)
            .await;
        assert_eq!(stage.calls(SEND, 150).await.0, 150);
        stage.wait(600);
        let now = stage.clock.now();
        stage
            .quotas
            .learned(&account(), SEND, figures(500_000, told), now)
            .await;
        let used = stage.status(SEND).await.used;
        match lowered {
            false => assert_eq!(used, 400_150, "{name}"),
            // What others may have reserved, and the platform's own error, stay counted.
            true => assert_eq!(used, 5_200, "{name}"),
        }
    }
}

#[tokio::test]
async fn numbers_of_another_day_and_of_the_first_minute_change_no_count() {
    let stage = Stage::new("2026-11-25T23:59:58+08:00", Settings::default());
    let asked_at = stage.clock.now();
    stage.wait(5);
    let used = figures(500_000, 499_999);
    stage.quotas.learned(&account(), SEND, used, asked_at).await;
    assert_eq!(stage.status(SEND).await.used, 0);
    stage
        .quotas
        .learned(&account(), SEND, used, stage.clock.now())
        .await;
    assert_eq!(stage.status(SEND).await.used, 0);
    stage.wait(120);
    stage
        .quotas
        .learned(&account(), SEND, used, stage.clock.now())
        .await;
    assert_eq!(stage.status(SEND).await.used, 499_999);
}

#[tokio::test]
async fn bulk_calls_stop_where_the_reserve_for_replies_begins() {
    let stage = Stage::new(NOON, limited(&[(SEND, 1_000)]));
    let (made, refused) = calls(&stage.quotas, SEND, Purpose::Bulk, 9_999).await;
    let refused = refused.unwrap();
    assert_eq!((made, refused.limit), (950, Limit::Reserve));
    assert_eq!(stage.calls(SEND, 9_999).await.0, 50);
    let (made, refused) = calls(&stage.quotas, SEND, Purpose::Bulk, 1).await;
    assert_eq!((made, refused.unwrap().limit), (0, Limit::Day));
}

#[tokio::test]
async fn what_did_not_reach_the_platform_is_put_back() {
    let stage = Stage::new(NOON, limited(&[(SEND, 10)]));
    for _ in 0..50 {
        assert_eq!(stage.calls(SEND, 1).await.0, 1);
        stage.quotas.put_back(&account(), SEND);
    }
    assert_eq!(stage.status(SEND).await.used, 0);
    assert_eq!(stage.calls(SEND, 99).await.0, 10);
}

#[tokio::test]
async fn a_clear_opens_what_was_used_up_for_all_processes() {
    let menu = QuotaKey::find("menu_get").unwrap();
    for (name, cleared, menu_left) in [("one key", Some(SEND), 3), ("all", None, 10)] {
        let settings = || limited(&[(SEND, 20), (menu, 10)]);
        let stage = Stage::new(NOON, settings());
        let other = stage.another(settings());
        assert_eq!(calls(&other, menu, Purpose::Interactive, 7).await.0, 7);
        assert_eq!(stage.calls(SEND, 99).await.0, 20);
        assert_eq!(calls(&other, SEND, Purpose::Interactive, 1).await.0, 0);
        stage.quotas.cleared(&account(), cleared).await.unwrap();
        let (one, _) = calls(&stage.quotas, SEND, Purpose::Interactive, 12).await;
        stage.clock.advance(RECHECK);
        let (two, _) = calls(&other, SEND, Purpose::Interactive, 99).await;
        assert_eq!((one, two), (12, 8), "{name}");
        let (left, _) = stage.calls(menu, 99).await;
        assert_eq!(left, menu_left, "{name}");
    }
}

#[tokio::test]
async fn the_months_clears_are_counted_when_they_take_effect_and_end_when_the_platform_says_so() {
    let stage = Stage::new(NOON, Settings::default());
    let answers = [(0, 9), (40001, 9), (40013, 9), (0, 8), (-1, 7), (48006, 0)];
    for (code, left) in answers {
        let taken = stage.calls(QuotaKey::CLEAR_ALL, 1).await;
        assert_eq!(taken, (1, None), "{code}");
        let code = ErrorCode(code);
        stage
            .quotas
            .answered(&account(), QuotaKey::CLEAR_ALL, code)
            .await;
        let status = stage.status(QuotaKey::CLEAR_ALL).await;
        assert_eq!(status.remain(), Some(left), "{code}");
    }
    let refused = stage.calls(QuotaKey::CLEAR_ALL, 1).await.1.unwrap();
    assert_eq!(refused.limit, Limit::Month);
    assert_eq!(stage.status(QuotaKey::CLEAR_ONE).await.remain(), Some(50));
    // A clear of all does not give the clears back.
    stage.quotas.cleared(&account(), None).await.unwrap();
    assert_eq!(stage.status(QuotaKey::CLEAR_ALL).await.remain(), Some(0));
}

#[tokio::test]
async fn the_platform_is_asked_about_keys_in_use_and_not_too_often() {
    let stage = Stage::new(NOON, Settings::default());
    let asked = || {
        let questions = stage.quotas.questions();
        questions.iter().map(|asked| asked.path).collect::<Vec<_>>()
    };
    assert_eq!(asked(), [] as [&str; 0]);
    stage.calls(SEND, 1).await;
    stage.calls(QuotaKey("typing"), 1).await;
    stage.calls(QuotaKey::CLEAR_ONE, 1).await;
    assert_eq!(asked(), [] as [&str; 0], "a start is a busy moment");
    stage.clock.advance(FIRST_ASK);
    assert_eq!(asked(), ["/cgi-bin/message/custom/send"]);
    assert_eq!(asked(), [] as [&str; 0]);
    stage
        .clock
        .advance(SHORTEST_ASK_EVERY - Duration::from_secs(1));
    assert_eq!(asked(), [] as [&str; 0]);
    stage.wait(1);
    assert_eq!(asked(), ["/cgi-bin/message/custom/send"]);
    stage.quotas.is_not_known_there(&account(), SEND);
    stage.wait(601);
    assert_eq!(asked(), [] as [&str; 0]);
}

#[tokio::test]
async fn nothing_is_cleared_without_a_person_unless_the_operator_wants_it() {
    let automatic = Automatic {
        keys: vec![SEND],
        before: Duration::from_secs(20 * 3600),
        keep: 3,
    };
    for (name, now, automatic, clears_used, expected) in [
        ("by default", NOON, Automatic::default(), 0, 0),
        ("wanted", NOON, automatic.clone(), 0, 1),
        ("late", "2026-11-25T20:00:00+08:00", automatic.clone(), 0, 0),
        ("one more than kept", NOON, automatic.clone(), 6, 1),
        ("as many as kept", NOON, automatic, 7, 0),
    ] {
        let settings = Settings {
            automatic,
            ..limited(&[(SEND, 5)])
        };
        let stage = Stage::new(now, settings.clone());
        let other = stage.another(settings);
        stage.calls(QuotaKey::CLEAR_ALL, clears_used).await;
        assert_eq!(
            stage.quotas.automatic_clears().await.len(),
            0,
            "{name}: nothing is used up"
        );
        assert_eq!(stage.calls(SEND, 9).await.0, 5);
        calls(&other, SEND, Purpose::Interactive, 9).await;
        let due = [
            stage.quotas.automatic_clears().await,
            other.automatic_clears().await,
            stage.quotas.automatic_clears().await,
        ];
        let due: Vec<_> = due.into_iter().flatten().collect();
        assert_eq!(due, vec![(account(), SEND); expected], "{name}");
    }
}

#[tokio::test]
async fn refusals_verdicts_and_clears_are_counted() {
    let counters = std::sync::Arc::new(wxhook::metric::Counters::default());
    let stage = Stage::new(NOON, Settings::default());
    let quotas = wxhook::quota::Quotas::new(wxhook::quota::QuotaParts {
        store: stage.store.clone(),
        clock: stage.clock.clone(),
        counters: counters.clone(),
        settings: limited(&[(SEND, 5)]),
    });
    assert_eq!(calls(&quotas, SEND, Purpose::Interactive, 9).await.0, 5);
    quotas.answered(&account(), SEND, USED_UP).await;
    quotas.answered(&account(), SEND, ErrorCode(45011)).await;
    quotas.answered(&account(), SEND, ErrorCode::OK).await;
    quotas.cleared(&account(), Some(SEND)).await.unwrap();
    for (counter, expected) in [
        (Counter::QuotaRefused, 1),
        (Counter::QuotasUsedUp, 1),
        (Counter::QuotaMinutesFull, 1),
        (Counter::QuotaClears, 1),
        (Counter::QuotaStoreFailures, 0),
    ] {
        assert_eq!(counters.value(counter), expected, "{counter:?}");
    }
}
