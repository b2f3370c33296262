//! Tokens in real servers: the promises of a store, and what becomes of them when the server is
//! killed, hangs, forgets everything or comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use wxhook::clock::Timestamp;
use wxhook::secret::AccessToken;
#[cfg(feature = "mysql")]
use wxhook::store::mysql::MysqlTokens;
use wxhook::store::redis::RedisTokens;
use wxhook::store::tokens::{NewToken, Owner, PutBack, Saved, TokenKey, Tokens, TokensError};

use crate::main_job::{StandIn, variables};
use crate::servers::{Server, Software};
use crate::support::{LIMIT, Program, now, raw};
use crate::tokens::conformance::{conforms, fresh_key, record};

const ADMIN: &str = "the-admin-key-of-the-tests";

pub(crate) fn open(software: Software, url: &str) -> Arc<dyn Tokens> {
    match software {
        Software::Redis => Arc::new(RedisTokens::open(url).unwrap()),
        #[cfg(feature = "mysql")]
        Software::MariaDb => Arc::new(MysqlTokens::open(url).unwrap()),
        #[cfg(not(feature = "mysql"))]
        Software::MariaDb => unreachable!("MariaDB is tested with the feature mysql"),
    }
}

async fn pass(by: Duration) {
    tokio::time::sleep(by).await;
}

async fn conforms_on(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    conforms(&*open(software, &server.url()), pass).await;
}

/// Waits until the store gives something again, without being opened anew.
async fn recovered(store: &dyn Tokens, key: &TokenKey) {
    let deadline = now() + LIMIT;
    while store.load(key).await.is_err() {
        assert!(now() < deadline, "the store did not recover");
        pass(Duration::from_millis(50)).await;
    }
}

async fn is_away(store: &dyn Tokens, key: &TokenKey, name: &str) {
    let asked = now();
    let answers = join_all((0..20).map(|_| store.load(key))).await;
    let took = now() - asked;
    for answer in answers {
        assert!(
            matches!(answer, Err(TokensError::Away(_))),
            "{name}: {answer:?}"
        );
    }
    assert!(took < Duration::from_secs(2), "{name}: {took:?}");
}

async fn survives_its_server(software: Software) {
    let Some(mut server) = Server::start(software) else {
        return;
    };
    let (store, key) = (open(software, &server.url()), fresh_key());
    let kept = record("kept", 1_700_000_000_000);
    assert_eq!(store.put_back(&key, &kept).await.unwrap(), PutBack::Stored);

    server.hang();
    is_away(&*store, &key, "hanging").await;
    server.go_on();
    recovered(&*store, &key).await;
    assert_eq!(store.load(&key).await.unwrap(), Some(kept.clone()));

    server.kill();
    is_away(&*store, &key, "killed").await;
    server.restart();
    recovered(&*store, &key).await;
    assert_eq!(store.load(&key).await.unwrap(), Some(kept));
}

/// Four instances, each wanting the right and saving if it gets it: what a herd of processes does.
async fn gives_one_right_to_many_instances(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    let url = server.url();
    let stores: Vec<Arc<dyn Tokens>> = (0..4).map(|_| open(software, &url)).collect();
    let key = fresh_key();
    let mut generations = Vec::new();
    for round in 0..10_u8 {
        let lasting = Duration::from_secs(15);
        let owners: Vec<Owner> = (0..4).map(|n| Owner::new([round * 4 + n; 16])).collect();
        let wishes = stores.iter().zip(&owners);
        let wishes = wishes.map(|(store, owner)| store.acquire(&key, owner, lasting));
        let outcomes = join_all(wishes).await;
        let rights: Vec<_> = outcomes.into_iter().filter_map(|o| o.unwrap()).collect();
        assert_eq!(rights.len(), 1, "round {round}");
        let asked_at = Timestamp::from_milliseconds(1_000 + i64::from(round));
        let new = NewToken {
            token: AccessToken::new(format!("token {round}")),
            asked_at,
            expires_at: asked_at.after(Duration::from_secs(7_200)),
            known: 0,
            by: "one of four".to_owned(),
        };
        let Saved::Stored(saved) = stores[0].save(&rights[0], new).await.unwrap() else {
            panic!("round {round}: the right holds");
        };
        generations.push(saved.generation);
        for store in &stores {
            assert_eq!(store.load(&key).await.unwrap().as_ref(), Some(&saved));
        }
        stores[3].release(&key, &rights[0].owner).await.unwrap();
    }
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
}

/// The token that a running server gives, asked by an operator.
fn given(admin: SocketAddr) -> Value {
    let request = format!(
        "GET /v1/token/default HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
    );
    let answer = raw(admin, request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Two servers, configured as an operator does, on one store and one platform.
fn is_shared_by_two_servers(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    let (stand_in, url) = (StandIn::start(), server.url());
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut programs = directories.each_ref().map(|directory| {
        let data = directory.path().to_str().unwrap();
        let mut settings = variables(&stand_in.url, data, "127.0.0.1:0");
        settings.extend([
            ("WXHOOK_ADMIN_KEY", ADMIN),
            ("WXHOOK_TOKEN_STORE", url.as_str()),
            ("WXHOOK_LOG", "trace"),
        ]);
        Program::start(&["serve"], &settings)
    });
    let [one, other] = programs.each_mut().map(|program| program.ready().1);
    let (first, second) = (given(one), given(other));
    assert_eq!(first["access_token"], second["access_token"]);
    assert_eq!(first["generation"], second["generation"]);
    let asked = stand_in.platform.lock().unwrap().tokens().count();
    assert_eq!(asked, 1);
    for (program, directory) in programs.iter_mut().zip(&directories) {
        program.signal("TERM");
        assert!(program.wait().success());
        let printed = program.printed();
        for password in ["pass%2Fword", "pass/word"] {
            assert!(!printed.contains(password), "{printed}");
        }
        assert!(!directory.path().join("tokens.db").exists());
    }
}

#[test]
fn two_servers_share_one_token_in_redis() {
    is_shared_by_two_servers(Software::Redis);
}

#[cfg(feature = "mysql")]
#[test]
fn two_servers_share_one_token_in_mariadb() {
    is_shared_by_two_servers(Software::MariaDb);
}

#[tokio::test]
async fn redis_conforms() {
    conforms_on(Software::Redis).await;
}

#[tokio::test]
async fn a_token_in_redis_survives_a_hanging_and_a_killed_server() {
    survives_its_server(Software::Redis).await;
}

#[tokio::test]
async fn redis_gives_the_right_to_one_of_four_instances() {
    gives_one_right_to_many_instances(Software::Redis).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn mariadb_conforms() {
    conforms_on(Software::MariaDb).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn a_token_in_mariadb_survives_a_hanging_and_a_killed_server() {
    survives_its_server(Software::MariaDb).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn mariadb_gives_the_right_to_one_of_four_instances() {
    gives_one_right_to_many_instances(Software::MariaDb).await;
}

#[test]
fn a_wrong_address_is_refused_without_repeating_its_password() {
    for (name, url) in [
        ("another scheme", "http://:hush@127.0.0.1"),
        ("no host", "redis://:hush@"),
        ("a wrong database", "redis://:hush@127.0.0.1/x"),
    ] {
        let error = RedisTokens::open(url).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{name}: {error}");
    }
}
