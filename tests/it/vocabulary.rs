//! Everything that WeChat can send: each kind has a type, a fixture, a snapshot and its line in the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, to_value};
use wxhook::AppId;
use wxhook::push::{Entry, FAMILIES, Family, Field, Kind, Push, Typed};

use crate::support::run;

mod document;
mod page;

use self::document::{Document, Style};

/// Kinds that nobody knows: the only fixtures without a type.
const UNKNOWN: [&str; 3] = ["event_unknown_event", "msg_unknown", "notice_unknown"];

/// A real document, or one like it.
pub(super) struct Fixture {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) push: Push,
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/push");
    let paths: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let push = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Fixture { name, text, push }
    };
    paths.iter().map(read).collect()
}

fn parse(document: &str) -> Result<Push, String> {
    let body = Bytes::from(document.to_owned());
    Push::parse(&AppId::unknown(), &body).map_err(|error| error.to_string())
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(|family| family.entries)
}

/// The type as JSON, whichever it is.
fn typed(push: &Push) -> Value {
    to_value(push.typed()).unwrap()
}

/// Each field of a kind, those of its records too: where it stands, where else it may, and where its
/// value is in JSON.
fn leaves(fields: &'static [Field]) -> Vec<Leaf> {
    let below = |field: &'static Field| {
        let spellings = || {
            [field.wire]
                .into_iter()
                .chain(field.spellings.iter().copied())
        };
        if field.fields.is_empty() {
            return vec![Leaf {
                wires: spellings().map(str::to_owned).collect(),
                json: vec![field.name],
            }];
        }
        let under = |mut leaf: Leaf| {
            leaf.json.insert(0, field.name);
            let wires = &leaf.wires;
            let joined = spellings()
                .flat_map(|outer| wires.iter().map(move |inner| format!("{outer}/{inner}")));
            leaf.wires = joined.collect();
            leaf
        };
        leaves(field.fields).into_iter().map(under).collect()
    };
    fields.iter().flat_map(below).collect()
}

struct Leaf {
    /// The paths without indices, the documented one first.
    wires: Vec<String>,
    json: Vec<&'static str>,
}

/// Whether the value at a path of JSON, inside lists too, says anything.
fn is_filled(value: &Value, path: &[&str]) -> bool {
    match (value, path) {
        (Value::Array(items), _) => items.iter().any(|item| is_filled(item, path)),
        (Value::Object(object), [first, rest @ ..]) => object
            .get(*first)
            .is_some_and(|inner| is_filled(inner, rest)),
        (Value::Null, _) => false,
        (Value::String(text), []) => !text.is_empty(),
        (_, []) => true,
        _ => false,
    }
}

#[test]
fn every_kind_has_one_name_and_one_type() {
    let (mut names, mut types, mut routes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in entries() {
        for name in entry.aliases.iter().chain([&entry.name]) {
            let key = (entry.kind.name(), name.to_ascii_lowercase());
            assert!(names.insert(key), "two kinds are called {name}");
            let found = Entry::find(entry.kind, &name.to_ascii_uppercase()).unwrap();
            assert_eq!(found.type_name, entry.type_name, "{name}");
        }
        assert!(
            types.insert(entry.type_name),
            "{} stands twice",
            entry.type_name
        );
        assert!(routes.insert(entry.name), "{} names two routes", entry.name);
    }
    assert!(types.len() > 120, "only {} kinds", types.len());
}

#[test]
fn every_kind_has_a_fixture_and_every_fixture_of_a_known_kind_a_type() {
    let fixtures = fixtures();
    let mut missing: BTreeSet<_> = entries().map(|entry| entry.type_name).collect();
    for Fixture { name, push, .. } in &fixtures {
        let known = !UNKNOWN.contains(&name.as_str());
        assert_eq!(push.entry().is_some(), known, "{name}");
        assert_eq!(push.typed() != &Typed::Other, known, "{name}");
        if let Some(entry) = push.entry() {
            missing.remove(entry.type_name);
        }
    }
    assert!(missing.is_empty(), "no fixture for {missing:?}");
}

#[test]
fn every_field_is_filled_by_a_fixture() {
    let fixtures = fixtures();
    let mut unfilled = Vec::new();
    for entry in entries() {
        let of_kind = fixtures.iter().filter(|fixture| {
            let found = fixture.push.entry();
            found.is_some_and(|found| found.type_name == entry.type_name)
        });
        let values: Vec<_> = of_kind.map(|fixture| typed(&fixture.push)).collect();
        for leaf in leaves(entry.fields) {
            if !values.iter().any(|value| is_filled(value, &leaf.json)) {
                unfilled.push(format!("{}.{}", entry.type_name, leaf.json.join(".")));
            }
        }
    }
    assert!(unfilled.is_empty(), "in no fixture: {unfilled:#?}");
}

#[test]
fn decode_prints_every_fixture_as_it_is_recorded() {
    let mut recorded: BTreeMap<&str, String> = BTreeMap::new();
    for Fixture { name, text, push } in fixtures() {
        let (code, out, err) = run(&["decode"], &[], &text);
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        let decoded: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(decoded["typed"], typed(&push), "{name}");
        let family = FAMILIES.iter().find(|family| has(family, &push));
        let family = family.map_or("unknown", |family| family.name);
        let page = recorded.entry(family).or_default();
        *page += &format!("{name}.xml\n{decoded:#}\n\n");
    }
    for (family, page) in &recorded {
        insta::assert_snapshot!(*family, page);
    }
    assert_eq!(recorded.len(), FAMILIES.len() + 1);
}

fn has(family: &Family, push: &Push) -> bool {
    let name = push.entry().map(|entry| entry.type_name);
    family
        .entries
        .iter()
        .any(|entry| Some(entry.type_name) == name)
}

#[test]
fn how_a_document_is_laid_out_does_not_matter() {
    for Fixture { name, text, push } in fixtures() {
        let document = Document::of(&push);
        let fields: Vec<_> = push.fields().iter().collect();
        for style in Style::ALL {
            let written = document.write(style);
            let read = parse(&written).unwrap_or_else(|error| panic!("{name}: {error}: {written}"));
            assert_eq!(
                read.typed(),
                push.typed(),
                "{name} {style:?}\n{text}\n{written}"
            );
            assert_eq!(
                read.fields().iter().collect::<Vec<_>>(),
                fields,
                "{name} {style:?}"
            );
        }
        let shuffled = document.reversed().write(Style::Sections);
        assert_eq!(
            parse(&shuffled).unwrap().typed(),
            push.typed(),
            "{name} {shuffled}"
        );
        for case in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
            let renamed = document.with(["MsgType", "Event", "InfoType"], case);
            let read = parse(&renamed.write(Style::Sections)).unwrap();
            // The event of a device is a field like others.
            if push.kind() != Kind::Message {
                assert_eq!(
                    read.typed(),
                    push.typed(),
                    "{name} {}",
                    renamed.write(Style::Sections)
                );
            }
        }
    }
}

#[test]
fn what_is_missing_or_empty_leaves_the_type_and_all_other_fields_as_they_are() {
    for Fixture { name, push, .. } in fixtures() {
        let document = Document::of(&push);
        let whole = typed(&push);
        for path in document.paths() {
            if ["MsgType", "Event", "InfoType", "FromUserName"].contains(&path.as_str()) {
                continue;
            }
            let [without, emptied] = [document.without(&path), document.emptied(&path)]
                .map(|document| parse(&document.write(Style::Sections)).unwrap());
            let types =
                [&push, &without, &emptied].map(|push| std::mem::discriminant(push.typed()));
            assert!(
                types[0] == types[1] && types[1] == types[2],
                "{name} {path}"
            );
            // An item of a list is still an item when it is empty.
            if !path.contains('/') {
                assert_eq!(
                    typed(&without),
                    typed(&emptied),
                    "{name}: {path} missing and empty"
                );
            }
            let changed = differences(&whole, &typed(&without));
            assert!(
                changed <= 1,
                "{name}: without {path}, {changed} fields differ"
            );
        }
    }
}

/// How many fields of the type differ.
fn differences(one: &Value, other: &Value) -> usize {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one
            .iter()
            .filter(|(key, value)| other.get(*key) != Some(value))
            .count(),
        _ => usize::from(one != other),
    }
}

#[test]
fn every_spelling_is_read_and_the_documented_one_first() {
    let fixtures = fixtures();
    let mut tried = 0;
    for entry in entries() {
        for leaf in leaves(entry.fields) {
            let [wire, spellings @ ..] = leaf.wires.as_slice() else {
                continue;
            };
            // Another wrapper is spelt for all fields of a record at once.
            let as_deep =
                |spelling: &&String| spelling.split('/').count() == wire.split('/').count();
            for spelling in spellings.iter().filter(as_deep) {
                let example = fixtures.iter().find(|fixture| {
                    let same = fixture.push.entry().map(|entry| entry.type_name);
                    let document = Document::of(&fixture.push);
                    same == Some(entry.type_name) && document.says(wire) && !document.has(spelling)
                });
                let Some(example) = example else { continue };
                let document = Document::of(&example.push);
                let name = format!("{}: {wire} as {spelling}", entry.name);
                let respelt = document.respelt(wire, spelling);
                let read = parse(&respelt.write(Style::Sections)).unwrap();
                assert_eq!(typed(&read), typed(&example.push), "{name}");
                // A second wrapper would be another element, not another spelling.
                if !spelling.contains('/') {
                    let mut both = document.clone();
                    both.push(spelling, "other");
                    let read = parse(&both.write(Style::Sections)).unwrap();
                    assert_eq!(typed(&read), typed(&example.push), "{name}, both");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "only {tried} spellings had an example");
}

proptest! {
    #[test]
    fn reading_a_type_never_fails_whatever_its_fields_say(
        index in 0..entries().count(),
        texts in proptest::collection::vec((any::<prop::sample::Index>(), ".{0,12}", 0_usize..3), 0..40),
    ) {
        let entry = entries().nth(index).unwrap();
        let wires: Vec<String> = leaves(entry.fields).into_iter().flat_map(|leaf| leaf.wires).collect();
        let mut document = Document::head(entry);
        for (at, text, repeats) in &texts {
            if wires.is_empty() {
                break;
            }
            for _ in 0..=*repeats {
                let wire: &String = at.get(&wires);
                document.push(wire, text);
            }
        }
        let written = document.write(Style::Sections);
        if let Ok(push) = parse(&written) {
            prop_assert_eq!(push.entry().map(|entry| entry.type_name), Some(entry.type_name));
            prop_assert_ne!(push.typed(), &Typed::Other);
            typed(&push);
        }
    }
}
