//! What the compiler says to somebody who writes a handler wrong.
//!
//! The compiler that built this test reads each file of `tests/fixtures/compiler` against the library that
//! the test is linked with. What is compared is what this house has written for it, and where it points:
//! the rest is the compiler's own, and changes with its versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Where cargo has put this test, the library and what they depend on.
fn built() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder
}

fn library() -> PathBuf {
    let is_it = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("libwxhook-") && name.ends_with(".rlib"))
    };
    let built_at = |path: &PathBuf| -> SystemTime {
        let metadata = fs::metadata(path).unwrap();
        metadata.modified().unwrap()
    };
    let files = fs::read_dir(built()).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(is_it).max_by_key(built_at).unwrap()
}

/// Everything that the compiler says of a file, and whether it takes it.
fn compile(file: &Path) -> (bool, String) {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
        ])
        .args(["--color", "never", "--cap-lints", "allow"])
        .arg("--out-dir")
        .arg(out.path())
        .arg("-L")
        .arg(format!("dependency={}", built().display()))
        .arg("--extern")
        .arg(format!("wxhook={}", library().display()))
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), said)
}

/// The first error's message, where it points, and our notes.
fn what_matters(said: &str) -> String {
    let error = said.split("\n\n").next().unwrap();
    // What comes then is about our own source, not the user's.
    let theirs = error
        .lines()
        .take_while(|line| !line.starts_with("note:") && !line.starts_with("help:"));
    let matters = |line: &&str| {
        let beside = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '|');
        line.starts_with("error") || beside.starts_with("= note:") || beside.contains('^')
    };
    let lines = theirs.filter(matters).map(str::trim);
    lines.collect::<Vec<_>>().join("\n")
}

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compiler");
    folder.join(name).with_extension("rs")
}

fn said_of(name: &str) -> String {
    let (compiled, said) = compile(&fixture(name));
    assert!(!compiled, "{name} compiles");
    what_matters(&said)
}

#[test]
fn a_handler_written_as_it_should_be_compiles() {
    let (compiled, said) = compile(&fixture("right"));
    assert!(compiled, "{said}");
}

#[test]
fn a_function_that_is_not_async_is_told_so_and_how_it_could_stay_so() {
    insta::assert_snapshot!(said_of("not_async"));
}

#[test]
fn an_argument_that_no_push_has_is_told_with_all_that_there_are() {
    insta::assert_snapshot!(said_of("no_extractor"));
}

#[test]
fn what_cannot_be_said_is_told_with_all_that_can() {
    insta::assert_snapshot!(said_of("no_reply"));
}

#[test]
fn another_state_than_the_routers_is_told() {
    insta::assert_snapshot!(said_of("other_state"));
}

#[test]
fn a_function_around_handlers_with_its_arguments_in_the_wrong_order_is_shown_the_right_one() {
    insta::assert_snapshot!(said_of("wrong_order"));
}
