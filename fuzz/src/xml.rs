//! Any bytes as an inner document, and any document that a writer of our own can write.
//!
//! Bytes that begin like a document are read as they are. All others are instructions for the writer, which
//! knows what must be read: noise alone hardly ever closes what it has opened.

use std::collections::HashSet;
use std::fmt::Write as _;

use bytes::Bytes;

use crate::id::AppId;
use crate::protocol::push::{Head, Kind, Push};
use crate::protocol::{MAX_DEPTH, MAX_ELEMENTS, MAX_NAME_BYTES};
use crate::wechat;

mod writer;

use writer::Expected;

/// One of the two.
pub fn check(data: &[u8]) {
    match data.first() {
        Some(b'<' | b' ' | b'\n' | 0xEF) => noise(data),
        _ => written(data),
    }
}

/// Head and Push agree, what was read keeps the bounds, and reads the same when it is written again.
fn noise(document: &[u8]) {
    let Some(push) = read(document) else { return };
    bounded(&push);
    let again = read(rewritten(&push).as_bytes());
    assert_eq!(again.as_ref(), Some(&push));
}

fn written(instructions: &[u8]) {
    let writer::Written { document, expected } = writer::write(instructions);
    let expected = match expected {
        Expected::Unknown => return noise(&document),
        Expected::Malformed => None,
        Expected::Fields(fields) => Some(fields),
    };
    let fields = read(&document).map(|push| {
        let fields = push.fields().iter();
        let owned = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
        fields.map(owned).collect()
    });
    assert_eq!(fields, expected, "{}", document.escape_ascii());
}

/// None when it is malformed, of which Head and Push must give the same reason.
fn read(document: &[u8]) -> Option<Push> {
    let account = AppId::unknown();
    let body = Bytes::copy_from_slice(document);
    let head = Head::read(&account, &body);
    match Push::parse(&account, &body) {
        Ok(push) => {
            assert_eq!(head.kind, push.kind());
            assert_eq!(&head.user, push.from());
            assert_eq!(head.dedupe_key, push.dedupe_key());
            assert_eq!(head.malformed, None);
            Some(push)
        }
        Err(malformed) => {
            assert_eq!((head.kind, head.user.as_str()), (Kind::Malformed, ""));
            assert_eq!(head.malformed, Some(malformed.to_string()));
            None
        }
    }
}

fn bounded(push: &Push) {
    let fields = push.fields();
    assert!(fields.iter().len() < MAX_ELEMENTS);
    let mut paths = HashSet::new();
    for (path, text) in fields.iter() {
        assert!(paths.insert(path), "{path} names two elements");
        assert!(text.chars().all(wechat::is_xml), "{path}: {text:?}");
        let names = path
            .split('/')
            .map(|step| step.split('[').next().unwrap_or_default());
        // The root is an element, too.
        assert!(names.clone().count() < MAX_DEPTH, "{path}");
        assert!(
            names
                .map(str::len)
                .all(|length| (1..=MAX_NAME_BYTES).contains(&length)),
            "{path}"
        );
    }
}

/// The document that has these fields and nothing else.
fn rewritten(push: &Push) -> String {
    let mut document = "<xml>".to_owned();
    let mut open: Vec<&str> = Vec::new();
    let name = |step: &str| step.split('[').next().unwrap_or_default().to_owned();
    for (path, text) in push.fields().iter() {
        let (wrappers, leaf) = path
            .rsplit_once('/')
            .map_or((None, path), |(up, leaf)| (Some(up), leaf));
        let wrappers: Vec<&str> = wrappers.into_iter().flat_map(|up| up.split('/')).collect();
        let kept = open
            .iter()
            .zip(&wrappers)
            .take_while(|(one, other)| one == other)
            .count();
        for step in open.drain(kept..).rev() {
            write!(document, "</{}>", name(step)).expect("memory");
        }
        for step in &wrappers[kept..] {
            write!(document, "<{}>", name(step)).expect("memory");
        }
        open = wrappers;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        write!(document, "<{0}>{text}</{0}>", name(leaf)).expect("memory");
    }
    for step in open.iter().rev() {
        write!(document, "</{}>", name(step)).expect("memory");
    }
    document + "</xml>"
}
