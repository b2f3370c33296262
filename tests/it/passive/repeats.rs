//! Repeats of a push that is being answered, or was: one run, and the same answer to each, sealed anew.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wxhook::simulator::pusher::{Gesture, PushReport};
use wxhook::store::PartState;
use wxhook::{Content, Router, State};

use super::{Runs, Scene, WITHIN, answer, push_with};
use crate::support::{ADMIN, counter, eventually};

/// What stands in an element of an answer.
fn element<'a>(answer: &'a str, name: &str) -> &'a str {
    let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// Two answers never share what must not be foreseen.
fn assert_sealed_anew(reports: &[PushReport]) {
    let bodies = reports
        .iter()
        .map(|report| String::from_utf8_lossy(&report.attempts[0].body).into_owned());
    let bodies: Vec<String> = bodies.collect();
    for name in ["Encrypt", "Nonce", "MsgSignature"] {
        let different: HashSet<_> = bodies.iter().map(|body| element(body, name)).collect();
        assert_eq!(different.len(), reports.len(), "{name}: {different:?}");
    }
}

#[test]
fn a_repeat_joins_its_push_and_gets_the_answer_of_the_one_run() {
    let scene = Scene::start(&[WITHIN]);
    // WeChat hangs up early and repeats, twice or more.
    let mut impatient = scene
        .pusher()
        .with_limit(Duration::from_millis(800))
        .with_repeats(20);
    let report = push_with(&mut impatient, "2000-repeated");
    assert_eq!(answer(&report), Some("2000-repeated"));
    assert!(report.attempts.len() >= 3, "{report:?}");
    assert_eq!(scene.story().parts[0].state, PartState::Sent);
    assert_eq!((scene.calls(), scene.runs("2000-repeated")), (0, 1));
}

#[test]
fn a_repeat_after_the_answer_gets_the_same_answer_again_sealed_anew() {
    let scene = Scene::start(&[WITHIN]);
    let mut pusher = scene.pusher();
    let push = pusher.make(Gesture::Text("50-again".to_owned()), "oPassiveUser");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reports: Vec<_> = (0..3)
        .map(|_| runtime.block_on(pusher.push(&push)))
        .collect();
    for report in &reports {
        assert_eq!(answer(report), Some("50-again"));
    }
    assert_eq!((scene.calls(), scene.runs("50-again")), (0, 1));
    assert_sealed_anew(&reports);
}

#[test]
fn all_who_wait_for_one_push_at_the_same_time_get_the_answer_of_its_one_run() {
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let held = move |Content(text): Content, State(runs): State<Runs>| {
        let gate = Arc::clone(&inner);
        async move {
            *runs.lock().unwrap().entry(text.clone()).or_default() += 1;
            gate.acquire().await.unwrap().forget();
            text
        }
    };
    let routes = Router::new().fallback(held);
    let scene = Scene::with(routes, &[WITHIN, ("WXHOOK_ADMIN_KEY", ADMIN)]);
    let text = Gesture::Text("held".to_owned());
    let push = scene.pusher().make(text, "oPassiveUser");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let requests: Vec<_> = (0..3)
        .map(|_| {
            let (mut pusher, push) = (scene.pusher().with_repeats(0), push.clone());
            runtime.spawn(async move { pusher.push(&push).await })
        })
        .collect();
    let admin = scene.server.admin_address();
    eventually("all three are taken in, two of them as repeats", || {
        let taken_in =
            ["stored", "repeated"].map(|how| counter(admin, &format!("wxhook_pushes_{how}_total")));
        (taken_in == [1, 2]).then_some(())
    });
    gate.add_permits(1);
    let reports = requests.into_iter().map(|report| runtime.block_on(report));
    let reports: Vec<PushReport> = reports.map(Result::unwrap).collect();
    for report in &reports {
        assert_eq!(answer(report), Some("held"));
    }
    assert_sealed_anew(&reports);
    let story = scene.story();
    assert_eq!(story.parts.len(), 1);
    assert_eq!(story.parts[0].state, PartState::Sent);
    assert_eq!((scene.calls(), scene.runs("held")), (0, 1));
}
