//! What stands in a store that processes share: the token in its documented place, and no secret beside.

use crate::main_job::{APP_ID, SECRET, StandIn};
use crate::secrecy::leak;
use crate::servers::{Server, Software};

use super::fleet::{Endpoint, Fleet, on_each_server, runtime};

fn only_the_documented_place_holds_the_token(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    let mut fleet = Fleet::start(server.url(), Endpoint::Plain, StandIn::settings());
    let runtime = runtime();
    let first = runtime.block_on(fleet.herd(Fleet::SIZE)).pop().unwrap();
    let second = runtime.block_on(fleet.herd_against(&first, Fleet::SIZE));
    assert_ne!(second[0], first);
    for member in &mut fleet.members {
        // Notes are written beside the answers; whoever stopped has written his.
        member.program.signal("TERM");
        assert!(member.program.wait().success());
    }
    let mut secrets = vec![
        ("the AppSecret", SECRET.to_owned()),
        ("a password", "pass/word".to_owned()),
    ];
    let (place, others) = match software {
        Software::Redis => of_redis(&server),
        Software::MariaDb => of_mariadb(&server),
    };
    assert_eq!(leak(place.as_bytes(), &secrets), None, "{software:?}");
    let newest = fleet.minted().pop().unwrap();
    assert!(place.contains(&newest), "{software:?}: {place}");
    assert!(!place.contains(&first.token), "{software:?}: an old token");
    secrets.extend(
        fleet
            .minted()
            .into_iter()
            .map(|token| ("an access token", token)),
    );
    assert!(
        others.contains("the platform gave another token"),
        "{others}"
    );
    assert_eq!(leak(others.as_bytes(), &secrets), None, "{software:?}");
}

/// The record, and everything else by its key.
fn of_redis(server: &Server) -> (String, String) {
    let record = format!("wxhook:{{{APP_ID}}}:plain");
    let (mut place, mut others) = (String::new(), String::new());
    for key in server.say(&["--scan"]).lines() {
        let kind = server.say(&["TYPE", key]);
        let value = match kind.trim() {
            "hash" => server.say(&["HGETALL", key]),
            "list" => server.say(&["LRANGE", key, "0", "-1"]),
            _ => server.say(&["GET", key]),
        };
        let into = if key == record {
            &mut place
        } else {
            &mut others
        };
        into.push_str(&format!("{key} {value}\n"));
    }
    (place, others)
}

/// The column of tokens, and everything else.
fn of_mariadb(server: &Server) -> (String, String) {
    let tables = server.say(&["SHOW TABLES"]);
    assert_eq!(
        tables,
        "wxhook_token_clients\nwxhook_token_notes\nwxhook_tokens\n"
    );
    let place = server.say(&["SELECT token FROM wxhook_tokens"]);
    let beside = "SELECT account, kind, generation, obtained_at_ms, confirmed_at_ms, expires_at_ms, \
                  obtained_by, right_owner, right_fence, right_ends_ms FROM wxhook_tokens";
    let notes = "SELECT * FROM wxhook_token_notes";
    let clients = "SELECT * FROM wxhook_token_clients";
    let others = [beside, notes, clients].map(|query| server.say(&[query]));
    (place, others.concat())
}

#[test]
fn only_the_documented_place_of_a_shared_store_holds_the_token_and_none_holds_another_secret() {
    on_each_server(only_the_documented_place_holds_the_token);
}
