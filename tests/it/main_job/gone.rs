//! A client that is gone before its push is committed: what it has sent counts all the same.

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;

use wxhook::clock::{Clock, SystemClock};
use wxhook::protocol::Mode;
use wxhook::store::embedded::View;
use wxhook::store::{Filter, PushState};

use super::{StandIn, serve_with_shim};
use crate::durability::shim;
use crate::hostile::stage::{push, right_at, text_message};
use crate::support::{eventually, raw};

#[test]
fn a_push_whose_client_leaves_during_the_commit_is_stored_once_and_replied_to_once() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let trigger = directory.path().join("hold");
    let holding = [(shim::HOLD, trigger.to_str().unwrap())];
    let (mut program, webhook, _) =
        serve_with_shim(&stand_in, data_dir.to_str().unwrap(), &holding);
    let kept = || {
        let view = View::open(&data_dir).unwrap();
        view.list(&Filter::default()).unwrap()
    };
    let seconds = SystemClock::start().now().seconds();
    let document = text_message();
    let delivery = || {
        let (query, body) = right_at(Mode::Secure, seconds, &document);
        push(&query, &body)
    };

    fs::write(&trigger, "").unwrap();
    let mut client = TcpStream::connect(webhook).unwrap();
    client.write_all(delivery().as_bytes()).unwrap();
    let held = directory.path().join("hold.held");
    eventually("its push is in a commit", || held.exists().then_some(()));
    client.shutdown(Shutdown::Both).unwrap();
    drop(client);
    assert_eq!(kept(), [], "it is not committed yet");
    let repeat = delivery();
    let repeat = thread::spawn(move || raw(webhook, repeat));
    fs::remove_file(&trigger).unwrap();
    let answer = repeat.join().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "success"));

    eventually("the reply", || {
        (stand_in.platform.lock().unwrap().delivery_count() == 1).then_some(())
    });
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
    let told: Vec<_> = stand_in.told().into_values().flatten().collect();
    assert_eq!(told, ["您说：你好"]);
    let states: Vec<_> = kept().iter().map(|push| push.state).collect();
    assert_eq!(states, [PushState::Done]);
}
