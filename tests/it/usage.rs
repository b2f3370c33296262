//! Who used tokens: counted in the store that the tokens share, added up over processes, bounded, and
//! there after a restart.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use wxhook::clock::{Clock, ManualClock, Timestamp};
use wxhook::id::AppId;
use wxhook::store::embedded::EmbeddedTokens;
use wxhook::store::memory_tokens::MemoryTokens;
#[cfg(feature = "mysql")]
use wxhook::store::mysql::MysqlTokens;
#[cfg(feature = "redis")]
use wxhook::store::redis::RedisTokens;
use wxhook::store::usage::{CLIENTS_KEPT, ClientUse, TokenUsage};

use crate::main_job::{StandIn, variables};
#[cfg(feature = "redis")]
use crate::servers::{Server, Software};
use crate::support::{Program, raw};

const ADMIN: &str = "the-admin-key-of-the-tests";

fn used(client: &str, (reads, read_at): (u64, i64), reports: (u64, i64, i64)) -> ClientUse {
    ClientUse {
        client: client.to_owned(),
        reads,
        last_read_at: Timestamp::from_seconds(read_at),
        reports: reports.0,
        last_report_at: Timestamp::from_seconds(reports.1),
        last_errcode: reports.2,
    }
}

async fn adds_up(usage: &dyn TokenUsage, other: &dyn TokenUsage) {
    let [shop, bare] = ["wxshop", "wxbare"].map(|id| AppId::parse(id).unwrap());
    assert_eq!(usage.uses(&shop).await.unwrap(), []);
    let crm = used("crm", (3, 1_700_000_100), (0, 0, 0));
    let web = used("web-1", (1, 1_700_000_050), (2, 1_700_000_060, 40001));
    usage.add(&shop, &[crm, web]).await.unwrap();
    // Another process, whose clock is behind; and a late one.
    let behind = used("crm", (4, 1_700_000_090), (1, 1_700_000_095, 42001));
    other.add(&shop, &[behind]).await.unwrap();
    let late = used("web-1", (0, 0), (1, 1_700_000_010, 40014));
    usage.add(&shop, &[late]).await.unwrap();
    let expected = [
        used("crm", (7, 1_700_000_100), (1, 1_700_000_095, 42001)),
        used("web-1", (1, 1_700_000_050), (3, 1_700_000_060, 40001)),
    ];
    assert_eq!(other.uses(&shop).await.unwrap(), expected);
    assert_eq!(usage.uses(&bare).await.unwrap(), []);

    let count = i64::try_from(CLIENTS_KEPT).unwrap() + 5;
    let many: Vec<ClientUse> = (0..count)
        .map(|n| used(&format!("client-{n:03}"), (1, 1_800_000_000 + n), (0, 0, 0)))
        .collect();
    usage.add(&shop, &many).await.unwrap();
    let kept = usage.uses(&shop).await.unwrap();
    assert_eq!(kept.len(), CLIENTS_KEPT);
    assert_eq!(
        kept.first().unwrap().client,
        format!("client-{:03}", count - 1)
    );
    assert_eq!(kept.last().unwrap().client, "client-005");
    // A use of a client that is kept moves it to the front, and drives nobody out.
    usage
        .add(&shop, &[used("client-005", (1, 1_900_000_000), (0, 0, 0))])
        .await
        .unwrap();
    let kept = usage.uses(&shop).await.unwrap();
    assert_eq!(kept.len(), CLIENTS_KEPT);
    assert_eq!((kept[0].client.as_str(), kept[0].reads), ("client-005", 2));
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(1_700_000_000))
}

#[tokio::test]
async fn uses_add_up_in_memory() {
    let usage = MemoryTokens::new(clock());
    adds_up(&*usage, &*usage).await;
}

#[tokio::test]
async fn uses_add_up_in_the_file_and_a_file_of_before_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let before = rusqlite::Connection::open(&path).unwrap();
    before
        .execute_batch(include_str!("../../src/store/embedded/tokens.sql"))
        .unwrap();
    before
        .execute_batch(
            "PRAGMA application_id = 2004379764; PRAGMA user_version = 1; \
             INSERT INTO note (account, kind, at, who, what) VALUES ('wxshop', 'stable', 1, 'a', 'kept');",
        )
        .unwrap();
    drop(before);
    let open = || EmbeddedTokens::open(directory.path(), clock()).unwrap();
    let (usage, other) = (open(), open());
    adds_up(&*usage, &*other).await;
    drop((usage, other));
    let shop = AppId::parse("wxshop").unwrap();
    assert_eq!(open().uses(&shop).await.unwrap().len(), CLIENTS_KEPT);
    let after = rusqlite::Connection::open(&path).unwrap();
    let kept = "SELECT what FROM note";
    let kept: String = after.query_one(kept, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "kept");
    after.execute_batch("PRAGMA user_version = 99").unwrap();
    let newer = EmbeddedTokens::open(directory.path(), clock()).unwrap_err();
    assert!(newer.to_string().contains("99"), "{newer}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn uses_add_up_in_redis() {
    if let Some(server) = Server::start(Software::Redis) {
        let open = || RedisTokens::open(&server.url()).unwrap();
        adds_up(&open(), &open()).await;
    }
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn uses_add_up_in_mariadb() {
    if let Some(server) = Server::start(Software::MariaDb) {
        let open = || MysqlTokens::open(&server.url()).unwrap();
        adds_up(&open(), &open()).await;
    }
}

fn asked(admin: SocketAddr, method: &str, target: &str, key: &str) -> Value {
    let answer = raw(
        admin,
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Who read how often; and which process asked the platform for what.
type Known = (Vec<(String, u64)>, Vec<(String, String)>);

fn known(admin: SocketAddr) -> Known {
    let shown = asked(admin, "GET", "/v1/token", ADMIN);
    let shown = &shown["tokens"][0];
    assert_eq!(shown["missing"], Value::Null);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let clients = shown["clients"].as_array().unwrap();
    let mut clients: Vec<(String, u64)> = clients
        .iter()
        .map(|used| (text(&used["client"]), used["reads"].as_u64().unwrap()))
        .collect();
    clients.sort();
    let history = shown["history"].as_array().unwrap();
    let history = history
        .iter()
        .map(|entry| (text(&entry["process"]), text(&entry["what"])));
    (clients, history.collect())
}

#[test]
fn who_read_and_who_caused_questions_is_known_to_every_process_and_after_a_restart() {
    let (stand_in, directory) = (StandIn::start(), tempfile::tempdir().unwrap());
    let file = directory.path().join("wxhook.toml");
    let clients = "[clients.crm]\nkey = \"crm-key-0123456789\"\nrights = [\"token:read\"]\n";
    std::fs::write(&file, clients).unwrap();
    let (file, data) = (file.to_str().unwrap(), directory.path().join("data"));
    let mut settings = variables(&stand_in.url, data.to_str().unwrap(), "127.0.0.1:0");
    settings.extend([("WXHOOK_ADMIN_KEY", ADMIN), ("WXHOOK_LOG_FORMAT", "json")]);
    let start = || {
        let arguments = ["--config", file, "serve", "--role", "token"];
        let mut program = Program::start(&arguments, &settings);
        let line = program.line_with("is ready for those who ask for tokens");
        let line: Value = serde_json::from_str(&line).unwrap();
        let admin: SocketAddr = line["admin_listen"].as_str().unwrap().parse().unwrap();
        (program, admin)
    };
    let [(mut first, one), (mut second, two)] = [start(), start()];
    for (admin, reads) in [(one, 5), (two, 7)] {
        for _ in 0..reads {
            asked(admin, "GET", "/v1/token/default", "crm-key-0123456789");
        }
    }
    // The one that is asked stores what it counted; the other one does so when it stops.
    second.signal("TERM");
    assert!(second.wait().success());
    let (uses, history) = known(one);
    assert_eq!(uses, [("crm".to_owned(), 12)]);
    assert_eq!(history.len(), 1, "{history:?}");
    let (process, what) = &history[0];
    assert!(
        process.starts_with("process ") && process.contains(" on "),
        "{process}"
    );
    assert!(
        what.starts_with("no token was there (asked by crm): "),
        "{what}"
    );

    first.kill();
    let (mut third, three) = start();
    assert_eq!(known(three), (uses, history));
    asked(three, "GET", "/v1/token/default", ADMIN);
    let (uses, _) = known(three);
    assert_eq!(uses, [("admin".to_owned(), 1), ("crm".to_owned(), 12)]);
    third.signal("TERM");
    assert!(third.wait().success());
    assert_eq!(stand_in.platform.lock().unwrap().tokens().count(), 1);
}

#[test]
fn one_ticket_serves_every_process_and_the_next_start() {
    let (stand_in, directory) = (StandIn::start(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    let mut settings = variables(&stand_in.url, data.to_str().unwrap(), "127.0.0.1:0");
    settings.extend([
        ("WXHOOK_ADMIN_KEY", ADMIN),
        ("WXHOOK_LOG_FORMAT", "json"),
        ("WXHOOK__JSSDK__ORIGINS", "https://shop.example.com"),
    ]);
    let page = "/v1/jssdk/default?url=https%3A%2F%2Fshop.example.com%2F";
    let card = "/v1/jssdk/default?type=wx_card&card_id=p1";
    for _ in 0..2 {
        let mut programs = [(); 2].map(|()| {
            let mut program = Program::start(&["serve", "--role", "token"], &settings);
            let line = program.line_with("is ready for those who ask for tokens");
            let line: Value = serde_json::from_str(&line).unwrap();
            let admin: SocketAddr = line["admin_listen"].as_str().unwrap().parse().unwrap();
            (program, admin)
        });
        for (_, admin) in &programs {
            for target in [page, card, page] {
                let signed = asked(*admin, "GET", target, ADMIN);
                assert_eq!(signed["signature"].as_str().unwrap().len(), 40);
            }
        }
        for (program, _) in &mut programs {
            program.kill();
        }
    }
    let platform = stand_in.platform.lock().unwrap();
    assert_eq!(
        platform.calls_to("/cgi-bin/ticket/getticket"),
        2,
        "one of each kind"
    );
    assert_eq!(platform.minted(), 1);
}
