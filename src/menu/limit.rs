//! What the platform would refuse: each limit with what to do about it.

use std::collections::BTreeSet;

use super::{Action, Button, Conditional, Kind};
use super::{MAX_CONDITIONAL_DOMAINS, MAX_KEY_BYTES, MAX_URL_BYTES};
use crate::id::AppId;

/// What is wrong with a value, and what to do.
pub(super) type Problem = (String, String);

/// The name of a button.
pub(super) fn name(text: &str, most: usize) -> Option<Problem> {
    bytes(text, most).or_else(|| letters(text))
}

/// The value of a member of this name.
pub(super) fn value(kind: Kind, member: &str, text: &str) -> Option<Problem> {
    let found = match member {
        "key" => bytes(text, MAX_KEY_BYTES),
        "url" => bytes(text, MAX_URL_BYTES).or_else(|| page(text)),
        "appid" => AppId::parse(text).err().map(|error| {
            let remedy = "write the AppID of the mini program: wx and 16 hexadecimal digits";
            (error.to_string(), remedy.to_owned())
        }),
        _ => bytes(text, MAX_URL_BYTES),
    };
    // A mini program may be opened at its first page.
    match found {
        Some(_) if kind == Kind::MiniProgram && member == "pagepath" && text.is_empty() => None,
        found => found.or_else(|| letters(text)),
    }
}

fn bytes(text: &str, most: usize) -> Option<Problem> {
    let length = text.len();
    if text.trim().is_empty() {
        return Some(("is empty".to_owned(), "write something".to_owned()));
    }
    (length > most).then(|| {
        let problem = format!("has {length} bytes, and {most} are allowed");
        let remedy = "shorten it; a Chinese character has 3 bytes".to_owned();
        (problem, remedy)
    })
}

fn page(text: &str) -> Option<Problem> {
    let good = ["http://", "https://"]
        .iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    (!good).then(|| {
        let remedy = "write a URL that begins with https:// or http://".to_owned();
        ("is not the address of a page".to_owned(), remedy)
    })
}

/// JSON would carry a control character as `\uXXXX`, which the platform refuses (code 40033), as it
/// does when that stands in the text itself.
fn letters(text: &str) -> Option<Problem> {
    let written = text.match_indices("\\u").any(|(at, _)| {
        let digits = text.as_bytes().get(at + 2..at + 6);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    (written || text.contains(char::is_control)).then(|| {
        let problem = "has a control character or \\uXXXX, which the platform refuses (40033)";
        (
            problem.to_owned(),
            "write the characters themselves".to_owned(),
        )
    })
}

/// Every page that these menus link to.
fn hosts(menus: &[Conditional]) -> BTreeSet<&str> {
    fn collect<'m>(buttons: &'m [Button], hosts: &mut BTreeSet<&'m str>) {
        for button in buttons {
            match &button.action {
                Action::Open(inner) => collect(inner, hosts),
                Action::Tap(tap) => {
                    let pages = tap.members().filter(|(member, _)| *member == "url");
                    hosts.extend(pages.filter_map(|(_, url)| host(url)));
                }
                Action::Foreign(_) => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    for menu in menus {
        collect(&menu.button, &mut found);
    }
    found
}

fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    host.split(':').next().filter(|host| !host.is_empty())
}

/// What can be said of the domains that conditional menus link to.
pub(super) enum Domains {
    Few,
    /// More hosts than domains are allowed; whether they are more domains is the platform's to say.
    Perhaps(String),
    TooMany(String),
}

/// How many domains the conditional menus link to. Hosts that differ in their last two labels surely
/// are of different domains.
pub(super) fn domains(menus: &[Conditional]) -> Domains {
    let hosts = hosts(menus);
    let surely: BTreeSet<Vec<&str>> = hosts
        .iter()
        .map(|host| host.rsplit('.').take(2).collect())
        .collect();
    let listed = || hosts.iter().copied().collect::<Vec<_>>().join(", ");
    if surely.len() > MAX_CONDITIONAL_DOMAINS {
        Domains::TooMany(listed())
    } else if hosts.len() > MAX_CONDITIONAL_DOMAINS {
        Domains::Perhaps(listed())
    } else {
        Domains::Few
    }
}
