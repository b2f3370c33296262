//! How much memory files take on their way through the server: two at most are held whole.

use std::fs;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{PNG, content};
use crate::shell::Shell;
use crate::support::{command, peak};

/// The longest file that WeChat takes.
const LONGEST: usize = 10 * 1024 * 1024;

/// What the peak may grow by, in KiB, whatever moves: half of what eight files are, for two of them and
/// the pieces of all.
const GROWTH_KIB: u64 = 40 * 1024;

/// Begins a command, whose output is read at its end.
fn begun(shell: &Shell, arguments: &[&str]) -> Child {
    let mut command = command(arguments, &shell.variables());
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().unwrap()
}

/// What a command printed that ended well.
fn ended(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn media_id(printed: &str) -> String {
    let printed: Value = serde_json::from_str(printed).unwrap();
    printed["media_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_longest_files_go_up_and_come_down_eight_at_once_and_the_server_holds_two_at_most() {
    let shell = Shell::beside_a_server();
    let server = shell.served.as_ref().unwrap().program.pid();
    // What is done for the first time takes memory of its own, once.
    let small = shell.file("small.png", &content(PNG, 1000));
    let put = media_id(&ended(begun(&shell, &["media", "put", &small, "--json"])));
    assert_eq!(shell.bytes(&["media", "get", &put, "-"]).len(), 1000);
    let before = peak(server);

    // Every file is another one, so that none can be taken for another.
    let files: Vec<(String, Vec<u8>)> = (0..8u8)
        .map(|number| {
            let picture = content(&[PNG, &[number]].concat(), LONGEST);
            (shell.file(&format!("{number}.png"), &picture), picture)
        })
        .collect();
    for (file, _) in &files[..4] {
        media_id(&ended(begun(&shell, &["media", "put", file, "--json"])));
    }
    let in_sequence = peak(server);
    let ups: Vec<Child> = files
        .iter()
        .map(|(file, _)| begun(&shell, &["media", "put", file, "--json"]))
        .collect();
    let media_ids: Vec<String> = ups.into_iter().map(|up| media_id(&ended(up))).collect();
    let at_once = peak(server);

    let back = |number: usize| shell.path(&format!("back-{number}.png"));
    let downs: Vec<Child> = media_ids
        .iter()
        .enumerate()
        .map(|(number, media_id)| begun(&shell, &["media", "get", media_id, &back(number)]))
        .collect();
    downs.into_iter().map(ended).for_each(drop);
    let after_downloads = peak(server);
    for (number, (file, picture)) in files.iter().enumerate() {
        let came = fs::read(back(number)).unwrap();
        assert!(came == *picture, "{file}: byte for byte");
    }

    let figures = format!(
        "peak KiB: {before} before; {in_sequence} after four uploads of {LONGEST} bytes, \
         {at_once} after eight at once, {after_downloads} after eight downloads at once"
    );
    // Shown with --nocapture, for docs/performance.md.
    println!("{figures}");
    assert!(after_downloads - before < GROWTH_KIB, "{figures}");
}
