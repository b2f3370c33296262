//! What every template can name: the push, its user, the account.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::Locale;
use crate::id::AppId;
use crate::nearest::nearest;
use crate::protocol::push::{FAMILIES, Push, Typed};

/// What a template is rendered for.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    values: Map<String, Value>,
    locale: Option<Locale>,
}

impl Scope {
    /// A push that came to an account, by the account's name and AppID.
    pub fn new(push: &Push, account: &str, app_id: &AppId) -> Self {
        let values = json!({
            "push": push_values(push),
            "user": { "openid": push.from().as_str() },
            "account": { "name": account, "appid": app_id.as_str() },
        });
        Self {
            values: match values {
                Value::Object(values) => values,
                _ => Map::new(),
            },
            locale: None,
        }
    }

    /// In this language, unless a [`Render`](super::Render) asks for another.
    #[must_use]
    pub fn locale(mut self, locale: Option<Locale>) -> Self {
        self.locale = locale;
        self
    }

    pub(super) fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    pub(super) fn language(&self) -> Option<&Locale> {
        self.locale.as_ref()
    }
}

/// The typed fields, and over them what every push has.
fn push_values(push: &Push) -> Value {
    let mut values = match serde_json::to_value(push.typed()) {
        Ok(Value::Object(typed)) => typed,
        _ => Map::new(),
    };
    if let Typed::Subscribe(follow) = push.typed() {
        values.insert(SCENE.to_owned(), follow.scene().into());
    }
    let common = [
        ("kind", push.kind().name().into()),
        ("msg_type", push.msg_type().into()),
        ("event", push.event().into()),
        ("from", push.from().as_str().into()),
        ("to", push.to().into()),
        ("create_time", push.create_time().into()),
        ("msg_id", push.msg_id().into()),
        ("fields", json!(push.fields())),
    ];
    values.extend(common.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(values)
}

/// Members of `push` that every push has.
const COMMON: [&str; 8] = [
    "kind",
    "msg_type",
    "event",
    "from",
    "to",
    "create_time",
    "msg_id",
    "fields",
];

/// A follow has it too, without the prefix that the platform writes before it.
const SCENE: &str = "scene";

/// Members of `push` that some push has.
static MEMBERS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let entries = FAMILIES.iter().flat_map(|family| family.entries);
    let typed = entries.flat_map(|entry| entry.fields.iter().map(|field| field.name));
    typed.chain(COMMON).chain([SCENE]).collect()
});

/// Where a name that a template uses comes from.
pub(super) enum Known {
    /// It is there, at least for some pushes.
    Here,
    /// It begins like what is here, but there is no such thing.
    Wrong { problem: String, remedy: String },
    /// It is not of this scope: a handler or a rule must bring it.
    Elsewhere,
}

/// Whether every template can use a name like `push.content`.
pub(super) fn known(name: &str) -> Known {
    let mut parts = name.split('.');
    let (root, member) = (parts.next().unwrap_or_default(), parts.next());
    let members: Vec<&str> = match root {
        "push" => MEMBERS.iter().copied().collect(),
        "user" => vec!["openid"],
        "account" => vec!["name", "appid"],
        _ => return Known::Elsewhere,
    };
    let Some(member) = member else {
        return Known::Here;
    };
    if members.contains(&member) {
        return Known::Here;
    }
    let remedy = match (nearest(member, members.iter().copied()), root) {
        (Some(near), _) => format!("did you mean {root}.{near}?"),
        (None, "push") => {
            "docs/events.md lists the fields of each push; push.fields has all that was sent"
                .to_owned()
        }
        (None, _) => format!("there is: {}", members.join(", ")),
    };
    Known::Wrong {
        problem: format!("{root}.{member} does not exist"),
        remedy,
    }
}

/// Whether a name is one that nobody may bring along.
pub(super) fn is_taken(name: &str) -> bool {
    matches!(name, "push" | "user" | "account")
}
