//! What ten years of reports say goes wrong, with four real processes on one real server, counted in
//! questions at the platform.

use std::time::Duration;

use futures_util::future::join_all;
use wxhook::simulator::platform::{Fault, When};

use super::fleet::{Endpoint, Fleet, Given, on_each_server, read, report, runtime};
use crate::main_job::StandIn;
use crate::servers::{Server, Software};

const HERD: usize = 500;
const BUSY: Fault = Fault::Code {
    code: -1,
    message: None,
};

fn fleet(server: &Server, endpoint: Endpoint) -> Fleet {
    Fleet::start(server.url(), endpoint, StandIn::settings())
}

/// The one token that all of them were given.
fn one_of(given: Vec<Given>) -> Given {
    let mut given = given.into_iter();
    let first = given.next().unwrap();
    for other in given {
        assert_eq!(other, first);
    }
    first
}

/// From nothing: 500 callers while the platform's first answer is a failure and each other one takes
/// two seconds; then 500 reports of the same bad token; then a late one to each process.
fn herds(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    let runtime = runtime();
    for endpoint in Endpoint::BOTH {
        let fleet = fleet(&server, endpoint);
        fleet.fault(When::Next(1), BUSY);
        fleet.fault(When::Always, Fault::Delay { milliseconds: 2000 });
        let first = one_of(runtime.block_on(fleet.herd(HERD)));
        assert_eq!(fleet.calls(), 2, "{software:?} {endpoint:?}: cold");
        assert_eq!(fleet.minted(), std::slice::from_ref(&first.token));

        fleet.replace_stable_token();
        let before = fleet.calls();
        let second = one_of(runtime.block_on(fleet.herd_against(&first, HERD)));
        assert_eq!(fleet.calls() - before, 1, "{software:?} {endpoint:?}: bad");
        assert_eq!(fleet.minted(), [first.token.clone(), second.token.clone()]);
        assert!(second.generation > first.generation);

        let late = runtime.block_on(fleet.herd_against(&first, Fleet::SIZE));
        assert_eq!(one_of(late), second);
        assert_eq!(fleet.calls() - before, 1, "{software:?} {endpoint:?}: late");
    }
}

/// The one with the right to ask is stopped before its question; the others go on without it; when it
/// goes on, it sees that its right is gone.
fn a_leader_is_paused_before_its_question(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    std::thread::scope(|scope| {
        for endpoint in Endpoint::BOTH {
            let server = &server;
            scope.spawn(move || {
                let fleet = fleet(server, endpoint);
                // A first try that fails: between it and the second, the leader has the right and asks
                // nothing.
                fleet.fault(When::Next(1), BUSY);
                let (others, sleeper) = while_the_leader_sleeps(&fleet);
                let name = format!("{software:?} {endpoint:?}");
                assert_eq!(sleeper, others, "{name}");
                assert_eq!(fleet.minted(), [others.token], "{name}");
                assert_eq!(fleet.calls(), 2, "{name}");
            });
        }
    });
}

/// It is stopped while its question is answered: the answer lies there when its right is long gone.
fn a_leader_is_paused_after_its_question(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    std::thread::scope(|scope| {
        for endpoint in Endpoint::BOTH {
            let server = &server;
            scope.spawn(move || {
                let fleet = fleet(server, endpoint);
                fleet.fault(When::Next(1), Fault::Delay { milliseconds: 1500 });
                let (others, sleeper) = while_the_leader_sleeps(&fleet);
                let (name, minted) = (format!("{software:?} {endpoint:?}"), fleet.minted());
                let newest = minted.last().unwrap();
                assert_eq!(&sleeper.token, newest, "{name}");
                assert!(sleeper.generation >= others.generation, "{name}");
                // Whether the plain endpoint's late answer is its newest one more question settles.
                let expected = match endpoint {
                    Endpoint::Plain => (3, 3),
                    Endpoint::Stable => (2, 1),
                };
                assert_eq!((fleet.calls(), minted.len()), expected, "{name}");
                if endpoint == Endpoint::Plain {
                    assert_eq!(
                        others.token, minted[1],
                        "{name}: the late answer is not used"
                    );
                }
                // The store has the newest one, and whoever looks gets it.
                let runtime = runtime();
                let newcomer = fleet.newcomer();
                assert_eq!(runtime.block_on(read(newcomer.admin)), sleeper, "{name}");
                let reported = report(fleet.members[1].admin, 0);
                assert_eq!(runtime.block_on(reported).token, others.token, "{name}");
                assert_eq!(fleet.calls(), expected.0, "{name}");
            });
        }
    });
}

/// What the others get while the first one, which asked first, is stopped, and what it gets then.
fn while_the_leader_sleeps(fleet: &Fleet) -> (Given, Given) {
    let runtime = runtime();
    let leader = &fleet.members[0];
    let asked = runtime.spawn(read(leader.admin));
    fleet.await_calls(1);
    // A failure that was answered has reached it then, and its pause before the next try is not over.
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(150)).await });
    leader.pause();
    assert_eq!(fleet.calls(), 1, "it was stopped too late");
    let others = fleet.members[1..].iter().cycle().take(60);
    let others = runtime.block_on(join_all(others.map(|other| read(other.admin))));
    let others = one_of(others);
    assert!(!asked.is_finished());
    leader.go_on();
    (others, runtime.block_on(asked).unwrap())
}

#[test]
fn four_processes_get_one_token_for_a_herd_and_one_more_for_a_herd_of_reports() {
    on_each_server(herds);
}

#[test]
fn a_process_that_slept_before_its_question_does_not_ask_it() {
    on_each_server(a_leader_is_paused_before_its_question);
}

#[test]
fn an_answer_that_a_process_slept_over_is_never_given_or_stored() {
    on_each_server(a_leader_is_paused_after_its_question);
}
