use futures_util::future::join_all;
use wxhook::api::{TicketKind, TicketLease};
use wxhook::id::AppId;

use super::script::{Play, Seen, Stage, settle};

const PATH: &str = "/cgi-bin/ticket/getticket";

/// Gives tokens, and this ticket, always with a whole life.
fn giving(ticket: &'static str) -> impl FnMut(&Seen) -> Play + Send + 'static {
    move |seen| {
        if seen.path == PATH {
            Play::Body(format!(
                r#"{{"errcode":0,"errmsg":"ok","ticket":"{ticket}","expires_in":7200}}"#
            ))
        } else {
            Play::token("token", 86_400)
        }
    }
}

fn failing(seen: &Seen) -> Play {
    if seen.path == PATH {
        Play::code(-1)
    } else {
        Play::token("token", 86_400)
    }
}

fn questions(stage: &Stage) -> usize {
    let seen = stage.seen();
    seen.iter().filter(|seen| seen.path == PATH).count()
}

/// The ticket in use, the whole seconds left, and the questions so far, with the one beside it.
async fn used(stage: &Stage) -> (String, u64, usize) {
    let lease = stage.api.ticket(&stage.account, TicketKind::JsApi).await;
    let TicketLease { ticket, remaining } = lease.unwrap();
    settle().await;
    let text = ticket.expose().to_owned();
    (text, remaining.as_secs(), questions(stage))
}

#[tokio::test(start_paused = true)]
async fn a_herd_asks_for_one_ticket_of_each_kind() {
    let stage = Stage::new(giving("one"));
    for (kind, expected) in [(TicketKind::JsApi, 1), (TicketKind::Card, 2)] {
        let herd = (0..500).map(|_| stage.api.ticket(&stage.account, kind));
        assert!(join_all(herd).await.iter().all(Result::is_ok));
        assert_eq!(questions(&stage), expected);
    }
    let stranger = AppId::parse("wxstranger").unwrap();
    let refused = stage.api.ticket(&stranger, TicketKind::JsApi).await;
    assert!(refused.is_err());
    assert_eq!(questions(&stage), 2);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_is_given_again_keeps_the_time_when_it_was_first_seen() {
    let stage = Stage::new(giving("one"));
    assert_eq!(used(&stage).await, ("one".to_owned(), 7200, 1));
    for (name, seconds_later, left, questions) in [
        ("early", 6939, 261, 1),
        ("in the window, given again beside", 1, 260, 2),
        ("a while later", 190, 70, 2),
        ("in the window of what is left", 1, 69, 3),
        ("so near its end that it is waited for", 46, 23, 4),
        ("beyond its end, and still given", 300, 15, 5),
    ] {
        stage.advance_seconds(seconds_later);
        let expected = ("one".to_owned(), left, questions);
        assert_eq!(used(&stage).await, expected, "{name}");
    }
    stage.play(giving("two"));
    stage.advance_seconds(15);
    assert_eq!(used(&stage).await, ("two".to_owned(), 7200, 6));
}

#[tokio::test(start_paused = true)]
async fn an_old_ticket_serves_to_its_end_while_no_other_is_given() {
    let stage = Stage::new(giving("one"));
    used(&stage).await;
    stage.play(failing);
    stage.advance_seconds(6941);
    assert_eq!(used(&stage).await.0, "one");
    let asked = questions(&stage);
    assert_eq!(used(&stage).await, ("one".to_owned(), 259, asked));
    stage.advance_seconds(259);
    for _ in 0..10 {
        let outcome = stage.api.ticket(&stage.account, TicketKind::JsApi).await;
        assert!(outcome.is_err());
    }
    assert_eq!(questions(&stage), asked + 1, "no storm");
    stage.play(giving("two"));
    stage.advance_seconds(30);
    assert_eq!(used(&stage).await.0, "two");
}
