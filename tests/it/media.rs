//! `wxhook media` and `wxhook qr` on the real program: files up and down.

use std::fs;

use serde_json::{Value, json};
use wxhook::simulator::platform::{Fault, Shelf, When};

use crate::shell::{Shell, refusal};
use crate::support::{command, get, post};

mod memory;

const PUT: &str = "/cgi-bin/media/upload";
const GET: &str = "/cgi-bin/media/get";

/// A file that begins like one of its kind, and then counts.
fn content(begin: &[u8], bytes: usize) -> Vec<u8> {
    let numbers = (0u32..).flat_map(u32::to_le_bytes);
    begin.iter().copied().chain(numbers).take(bytes).collect()
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const MP4: &[u8] = b"\0\0\0\x20ftypisom";

impl Shell {
    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Everything that the command prints, as bytes.
    fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = command(arguments, &self.variables()).output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "data").collect();
        names.sort_unstable();
        names
    }
}

fn up_and_down(shell: &Shell) {
    // The longest picture that WeChat takes, under a name that says nothing.
    let picture = content(PNG, 10 * 1024 * 1024);
    let file = shell.file("照片", &picture);
    let (code, out, err) = shell.run(&["media", "put", &file]);
    assert_eq!(code, 0, "{err}");
    let media_id = out.trim_end();
    let kept = shell.shelf(Shelf::Media);
    let told = (
        &kept[0]["media_id"],
        &kept[0]["type"],
        &kept[0]["file_name"],
        &kept[0]["bytes"],
    );
    assert_eq!(
        told,
        (
            &json!(media_id),
            &json!("image"),
            &json!("照片.png"),
            &json!(picture.len())
        )
    );
    let back = shell.path("back.png");
    let got = shell.json(&["media", "get", media_id, &back]);
    assert_eq!(
        got,
        json!({ "media_id": media_id, "file": back, "bytes": picture.len(), "content_type": "image/png" })
    );
    assert!(fs::read(&back).unwrap() == picture, "byte for byte");
    assert!(
        shell.bytes(&["media", "get", media_id, "-"]) == picture,
        "printed as it is"
    );
    let (code, _, err) = shell.run(&["media", "get", media_id, &back]);
    assert_eq!(code, 2);
    assert!(err.contains("is there already; add --force"), "{err}");
    let (code, _, err) = shell.run(&["media", "get", media_id, &back, "--force"]);
    assert_eq!(code, 0, "{err}");

    // A video comes from an address of its own.
    let video = content(MP4, 300_000);
    let film = shell.file("film.mp4", &video);
    let put = shell.json(&["media", "put", &film]);
    assert_eq!(put["type"], "video");
    assert!(shell.bytes(&["media", "get", put["media_id"].as_str().unwrap(), "-"]) == video);

    // The library wants a title for it.
    let (code, _, err) = shell.run(&["media", "put", &film, "--permanent"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("description is missing: a video needs a title"),
        "{err}"
    );
    let titled = ["--permanent", "--title", "春天", "--introduction", "短片"];
    let put = shell.json(&[&["media", "put", &film][..], &titled].concat());
    let library = shell.shelf(Shelf::Library);
    assert_eq!(
        (&library[0]["media_id"], &library[0]["type"]),
        (&put["media_id"], &json!("video"))
    );
    let permanent = put["media_id"].as_str().unwrap();
    assert!(shell.bytes(&["media", "get", permanent, "-", "--permanent"]) == video);
}

#[test]
fn files_go_up_and_come_down_byte_for_byte() {
    up_and_down(&Shell::beside_a_server());
    up_and_down(&Shell::alone());
}

#[test]
fn what_wechat_could_only_refuse_is_refused_before_it_is_called() {
    let shell = Shell::alone();
    let too_long = shell.file("a.png", &content(PNG, 10 * 1024 * 1024 + 1));
    let text = shell.file("a.txt", b"text");
    let empty = shell.file("empty.png", b"");
    let thumb = shell.file("thumb.png", PNG);
    for (arguments, expected) in [
        (
            &["media", "put", &too_long][..],
            "at most 10485760 are allowed",
        ),
        (&["media", "put", &text], "is nothing that WeChat takes"),
        (&["media", "put", &empty], "media is empty"),
        (
            &["media", "put", &thumb, "--type", "thumb"],
            "ends in none of jpg, jpeg",
        ),
        (&["media", "put", "/no/such/file"], "cannot be read"),
        (&["media", "put", &thumb, "--title", "t"], "--permanent"),
        (&["qr", "--days", "1"], "required"),
        (&["qr", "--scene", "a"], "required"),
        (&["qr", "--scene", "a", "--days", "31"], "31"),
        (
            &["qr", "--scene-id", "100001", "--permanent"],
            "scene_id is 100001",
        ),
        (&["qr", "--scene", "", "--permanent"], "scene_str is empty"),
        (
            &["qr", "--scene", "a", "--days", "1", "-", "--json"],
            "name a file",
        ),
        (
            &["qr", "--scene", "a", "--days", "1", &text],
            "is there already",
        ),
    ] {
        let (code, _, err) = shell.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    assert_eq!(shell.calls(), 0);
}

#[test]
fn a_file_that_is_refused_or_breaks_off_leaves_nothing_behind() {
    for shell in [Shell::beside_a_server(), Shell::alone()] {
        let picture = shell.file("a.png", &content(PNG, 200_000));
        shell.trouble(PUT, When::Next(1), refusal(45001));
        let (code, _, err) = shell.run(&["media", "put", &picture]);
        assert_eq!(code, 1);
        assert!(err.contains("code 45001"), "{err}");
        let put = shell.json(&["media", "put", &picture]);
        let media_id = put["media_id"].as_str().unwrap();
        let back = shell.path("back.png");
        let (code, _, err) = shell.run(&["media", "get", "unknown", &back]);
        assert_eq!(code, 1);
        assert!(err.contains("code 40007"), "{err}");
        for fault in [Fault::HalfAnswer, Fault::WrongLength] {
            shell.trouble(GET, When::Next(1), fault.clone());
            let (code, _, err) = shell.run(&["media", "get", media_id, &back]);
            assert_eq!(code, 1, "{fault:?}: {err}");
            assert!(err.contains("after "), "{fault:?}: {err}");
        }
        assert_eq!(shell.names(), ["a.png"]);
        let (code, _, err) = shell.run(&["media", "get", media_id, &back]);
        assert_eq!(code, 0, "{err}");
    }
}

#[test]
fn files_move_for_the_admin_key_alone() {
    let shell = Shell::beside_a_server();
    let admin = shell.served.as_ref().unwrap().admin;
    for target in ["/v1/media/default?media_id=M", "/v1/qr/default?ticket=T"] {
        assert_eq!(get(admin, target).status, 401, "{target}");
    }
    let put = post(
        admin,
        "/v1/media/default?kind=image&name=a.png",
        "\u{89}PNG",
    );
    assert_eq!(put.status, 401);
    assert_eq!(shell.calls(), 0);
}

#[test]
fn an_upload_is_made_anew_when_the_token_is_refused() {
    let shell = Shell::beside_a_server();
    let picture = shell.file("a.png", &content(PNG, 200_000));
    shell.trouble(PUT, When::Next(1), refusal(40001));
    let put = shell.json(&["media", "put", &picture]);
    let kept = shell.shelf(Shelf::Media);
    assert_eq!(kept.as_array().unwrap().len(), 1);
    assert_eq!(
        (&kept[0]["media_id"], &kept[0]["bytes"]),
        (&put["media_id"], &json!(200_000))
    );
}

#[test]
fn a_code_is_made_with_its_scene_and_its_picture() {
    for shell in [Shell::beside_a_server(), Shell::alone()] {
        let file = shell.path("code.jpg");
        let made = shell.json(&["qr", "--scene", "门店 7", "--days", "30", &file]);
        assert_eq!(
            (&made["expire_seconds"], &made["file"]),
            (&json!(2_592_000), &json!(file))
        );
        let picture = fs::read(&file).unwrap();
        assert!(picture.starts_with(b"\xff\xd8\xff") && picture.ends_with(b"\xff\xd9"));
        let codes = shell.shelf(Shelf::Codes);
        let kept = &codes.as_array().unwrap()[..];
        assert_eq!(kept.len(), 1);
        assert_eq!(
            (&kept[0]["ticket"], &kept[0]["scene"], &kept[0]["url"]),
            (&made["ticket"], &json!("门店 7"), &made["url"])
        );
        let (code, out, err) = shell.run(&["qr", "--scene-id", "7", "--permanent"]);
        assert_eq!(code, 0, "{err}");
        assert!(out.ends_with("lives for ever\n"), "{out}");
        let again = shell.bytes(&["qr", "--scene-id", "7", "--permanent", "-"]);
        assert!(again.starts_with(b"\xff\xd8\xff"));
        let codes = shell.shelf(Shelf::Codes);
        assert_eq!(
            codes.as_array().unwrap().len(),
            2,
            "the same scene has the same code"
        );

        // The code is made, and its picture does not come: what it is is told all the same.
        shell.trouble("/cgi-bin/showqrcode", When::Always, Fault::BadGateway);
        let other = shell.path("other.jpg");
        let (code, out, _) = shell.run(&["qr", "--scene", "b", "--days", "1", &other, "--json"]);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &told["file"], &told["expire_seconds"]),
            (1, &Value::Null, &json!(86_400))
        );
        assert_eq!(shell.names(), ["code.jpg"]);
    }
}
