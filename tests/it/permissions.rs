//! What a server leaves on the disk belongs to its owner alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::main_job::{StandIn, variables};
use crate::support::{Program, eventually, get};

/// Everything below a directory, itself included.
fn below(path: &Path, found: &mut Vec<PathBuf>) {
    found.push(path.to_path_buf());
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            below(&entry.unwrap().path(), found);
        }
    }
}

#[test]
fn the_data_directory_and_its_files_are_the_owners_alone_whatever_the_umask_is() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("made/by/the/server");
    let serve = "umask 0; exec \"$0\" serve";
    let mut server = Program::spawn(
        Command::new("sh")
            .args(["-c", serve, env!("CARGO_BIN_EXE_wxhook")])
            .env_clear()
            .envs(variables(
                &stand_in.url,
                data.to_str().unwrap(),
                "127.0.0.1:0",
            ))
            .env("WXHOOK__SERVER__ALLOW_LIST", "wechat"),
    );
    let (_, admin) = server.ready();
    assert_eq!(get(admin, "/readyz").status, 200);
    let addresses = data.join("callback-addresses.json");
    eventually("WeChat's addresses are kept", || {
        addresses.exists().then_some(())
    });
    let mut found = Vec::new();
    below(&data, &mut found);
    let names: Vec<_> = found
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    for name in [
        "wxhook.db",
        "tokens.db",
        "counters.db",
        "admin.key",
        "callback-addresses.json",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for path in &found {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}: {mode:o}", path.display());
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
}
