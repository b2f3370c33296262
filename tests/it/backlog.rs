//! A backlog that is written straight into the store, and then handled by the real program.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use wxhook::clock::{Clock, SystemClock};
use wxhook::id::{AppId, OpenId};
use wxhook::protocol::push::{DedupeKey, Kind};
use wxhook::store::embedded::{Embedded, Settings};
use wxhook::store::{Inbox, NewPush, Ticket};

use crate::crash::push_texts;
use crate::main_job::{APP_ID, KEY, TOKEN};
use crate::support::{Program, eventually_within, now, open_store, peak};

/// Pushes of the backlog; `WXHOOK_BACKLOG` says another number.
fn size() -> u32 {
    let given = std::env::var_os("WXHOOK_BACKLOG");
    given.map_or(10_000, |size| {
        size.to_str().unwrap().parse().expect("a number of pushes")
    })
}

/// Users that they belong to; one of them has half of all.
const USERS: u32 = 500;

/// Stores pushes as they are when nobody has handled them. `make` gives each one's user, kind and document.
pub(crate) fn store_all(data_dir: &Path, size: u32, make: impl Fn(u32) -> (String, Kind, String)) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = Settings {
        reserve_bytes: 0,
        ..Settings::new(data_dir)
    };
    let store: Arc<Embedded> = open_store(&settings, &clock);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut tickets = Vec::new();
        for number in 0..size {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_le_bytes());
            let (user, kind, body) = make(number);
            let push = NewPush {
                account: AppId::parse(APP_ID).unwrap(),
                user: OpenId::new(user),
                kind,
                key: DedupeKey(key),
                body: body.into(),
                received_at: clock.now(),
                verified: "secure",
                malformed: None,
                ticket: None,
            };
            let room = Arc::clone(store.room()).acquire_owned().await.unwrap();
            let (ticket, stored) = Ticket::once();
            store.accept(push, room, ticket);
            tickets.push(stored);
            if tickets.len() == 1_000 {
                for stored in tickets.drain(..) {
                    stored.await.unwrap();
                }
            }
        }
        for stored in tickets {
            stored.await.unwrap();
        }
        store.close().await;
    });
}

/// A push of the backlog.
fn view(number: u32) -> (String, Kind, String) {
    let user = if number.is_multiple_of(2) {
        0
    } else {
        number / 2 % USERS
    };
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser{user}</FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType>event</MsgType><Event>VIEW</Event>\
         <EventKey>https://example.com/{number}</EventKey></xml>"
    );
    (format!("oUser{user}"), Kind::Event, body)
}

fn serve(data_dir: &Path) -> (Program, String) {
    let environment = [
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_TOKEN", TOKEN),
        ("WECHAT_ENCODING_AES_KEY", KEY),
        ("WXHOOK_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_DATA_DIR", data_dir.to_str().unwrap()),
        ("WXHOOK_LOG", "warn,wxhook::app=info"),
        ("WXHOOK_LOG_FORMAT", "json"),
    ];
    let mut program = Program::start(&["serve"], &environment);
    let (address, _) = program.ready();
    (program, format!("http://{address}/wechat"))
}

/// Pushes that fulfil an SQL condition.
pub(crate) fn count(data_dir: &Path, condition: &str) -> u32 {
    let path = data_dir.join("wxhook.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = format!("SELECT count(*) FROM push WHERE {condition}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_large_backlog_is_handled_in_order_within_bounds_while_pushes_are_accepted() {
    let size = size();
    let directory = tempfile::tempdir().unwrap();
    // What the program needs without a backlog.
    let empty = directory.path().join("empty");
    let (idle, url) = serve(&empty);
    push_texts(&url, &["hello".to_owned()]);
    let base = peak(idle.pid());
    drop(idle);

    let data_dir = directory.path().join("data");
    store_all(&data_dir, size, view);
    let began = now();
    let (mut program, url) = serve(&data_dir);
    let ready = now() - began;
    // Accepted while the backlog is handled.
    let meanwhile: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    push_texts(&url, &meanwhile);
    let left = count(&data_dir, "state = 0");
    let patience = std::time::Duration::from_secs(60 + u64::from(size) / 500);
    eventually_within(patience, "the backlog is handled", || {
        (count(&data_dir, "state <> 1") == 0).then_some(())
    });
    let took = now() - began;
    let high = peak(program.pid());
    println!(
        "{size} pushes of the backlog: ready after {ready:?}, handled after {took:?}; {left} were still \
         pending when 50 more were accepted; peak {high} KiB, without a backlog {base} KiB"
    );
    assert_eq!(count(&data_dir, "state = 1"), size + 50);
    // 32 MiB of bodies, a page that is being read, SQLite's caches, the dedupe keys at 100 bytes each.
    let allowed = base + (64 << 10) + u64::from(size) * 100 / 1024;
    assert!(
        high < allowed,
        "{high} KiB at the peak, {allowed} KiB allowed"
    );
    in_order(&data_dir);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
}

/// Each user's pushes were started in the order of acceptance.
fn in_order(data_dir: &Path) {
    let path = data_dir.join("wxhook.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT user, started_at, ended_at FROM push JOIN attempt ON attempt.push = push.id \
             ORDER BY push.id",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut ended: HashMap<String, i64> = HashMap::new();
    while let Some(row) = rows.next().unwrap() {
        let (user, from, to): (String, i64, i64) = (
            row.get(0).unwrap(),
            row.get(1).unwrap(),
            row.get(2).unwrap(),
        );
        let before = ended.insert(user.clone(), to);
        assert!(
            before.is_none_or(|before| before <= from),
            "{user} overlaps at {from}"
        );
    }
}
