//! A store that is sound, one whose page is damaged, and one that comes back from a backup.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wxhook::store::Filter;
use wxhook::store::embedded::View;

use crate::crash::push_texts;
use crate::main_job::{StandIn, variables};
use crate::support::{Program, eventually, run};

fn check(data_dir: &Path) -> (i32, String, String) {
    let environment = [("WXHOOK_DATA_DIR", data_dir.to_str().unwrap())];
    run(&["store", "check", "--json"], &environment, "")
}

fn serve(stand_in: &StandIn, data_dir: &Path) -> (Program, String) {
    let directory = data_dir.to_str().unwrap();
    let mut program = Program::start(
        &["serve"],
        &variables(&stand_in.url, directory, "127.0.0.1:0"),
    );
    let (address, _) = program.ready();
    (program, format!("http://{address}/wechat"))
}

fn stop(mut program: Program) {
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
}

fn replies(stand_in: &StandIn, count: usize) {
    let arrived = || stand_in.told().values().flatten().count();
    eventually("the replies", || (arrived() == count).then_some(()));
}

#[test]
fn a_sound_store_is_called_so_beside_its_server_and_a_damaged_page_is_found() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let (program, url) = serve(&stand_in, &data_dir);
    push_texts(&url, &(0..200).map(|n| format!("{n}")).collect::<Vec<_>>());
    replies(&stand_in, 200);
    let (code, out, err) = check(&data_dir);
    assert_eq!(code, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["sound"], &report["faults"]),
        (&json!(true), &json!([]))
    );
    stop(program);

    let database = data_dir.join("wxhook.db");
    let mut bytes = fs::read(&database).unwrap();
    let pages = bytes.len() / 4096;
    assert!(pages > 10, "{pages} pages");
    // The heads of some pages in the middle: what kind of page, how many cells, where.
    for page in pages / 2..pages / 2 + 4 {
        bytes[page * 4096..page * 4096 + 64].fill(0x5a);
    }
    fs::write(&database, bytes).unwrap();
    let (code, out, err) = check(&data_dir);
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        err.contains("is damaged") && err.contains("restore a backup"),
        "{err}"
    );
}

#[test]
fn a_store_that_comes_back_from_a_backup_is_served_and_later_ids_are_not_given_again() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let backup = directory.path().join("backup");
    let ids = || -> Vec<i64> {
        let view = View::open(&data_dir).unwrap();
        let all = view.list(&Filter::default()).unwrap();
        all.iter().map(|push| push.id.0).collect()
    };
    let (program, url) = serve(&stand_in, &data_dir);
    push_texts(&url, &["before".to_owned()]);
    replies(&stand_in, 1);
    stop(program);
    fs::create_dir(&backup).unwrap();
    for entry in fs::read_dir(&data_dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), backup.join(entry.file_name())).unwrap();
    }
    let (program, url) = serve(&stand_in, &data_dir);
    push_texts(&url, &["lost with the disk".to_owned()]);
    replies(&stand_in, 2);
    stop(program);
    let lost = ids();

    fs::remove_dir_all(&data_dir).unwrap();
    fs::rename(&backup, &data_dir).unwrap();
    let (program, url) = serve(&stand_in, &data_dir);
    push_texts(&url, &["after".to_owned()]);
    replies(&stand_in, 3);
    stop(program);
    let kept = ids();
    assert_eq!((lost.len(), kept.len()), (2, 2));
    assert_eq!(kept[0], lost[0]);
    assert!(kept[1] > lost[1], "an id is never given twice");
    assert_eq!(check(&data_dir).0, 0);
}
