//! Values of a TOML file with their places, and the faults found on the way.

use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::nearest;
use crate::template::{Fault, line_of};

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// What is read, and what is wrong with it.
pub(super) struct Page<'t> {
    pub(super) text: &'t str,
    pub(super) file: &'t str,
    pub(super) faults: Vec<Fault>,
}

impl Page<'_> {
    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        line_of(self.text, at.start)
    }

    pub(super) fn fault(
        &mut self,
        at: &Range<usize>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let fault = Fault::new(self.file, self.line(at), problem, remedy);
        self.faults.push(fault);
    }

    /// Whatever is not one of these keys is a fault.
    pub(super) fn known(&mut self, place: &str, table: &DeTable<'_>, keys: &[&str]) {
        for (key, _) in table {
            let (at, key) = (key.span(), key.get_ref());
            if keys.contains(&key.as_ref()) {
                continue;
            }
            let near = nearest(key, keys.iter().copied());
            let remedy = match near {
                Some(known) => format!("did you mean {known}?"),
                None => format!("remove it; there can be: {}", keys.join(", ")),
            };
            self.fault(&at, format!("{place}{key} is not known"), remedy);
        }
    }

    pub(super) fn text_of(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.clone().into_owned()),
            DeValue::String(_) => {
                self.fault(
                    &value.span(),
                    format!("{key} is empty"),
                    "write something, or remove it",
                );
                None
            }
            _ => {
                let remedy = format!("write it in quotes: {key} = \"…\"");
                self.fault(&value.span(), format!("{key} is no text"), remedy);
                None
            }
        }
    }

    /// One text, or a list of them.
    pub(super) fn texts_of(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let DeValue::Array(items) = value.get_ref() else {
            return Some(vec![self.text_of(key, value)?]);
        };
        if items.is_empty() {
            let problem = format!("{key} is an empty list");
            self.fault(&value.span(), problem, "write something, or remove it");
            return None;
        }
        items.iter().map(|item| self.text_of(key, item)).collect()
    }
}

/// A value as JSON; times become texts.
pub(super) fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(number) => {
            let number = number.to_string();
            number.parse::<i64>().map_or(Json::from(number), Json::from)
        }
        DeValue::Float(number) => {
            let number = number.to_string();
            number.parse::<f64>().map_or(Json::from(number), Json::from)
        }
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Json::Object(object(table)),
    }
}

/// A table as JSON.
pub(super) fn object(table: &DeTable<'_>) -> Map<String, Json> {
    let members = table.iter();
    members
        .map(|(key, value)| (key.get_ref().clone().into_owned(), json(value.get_ref())))
        .collect()
}
