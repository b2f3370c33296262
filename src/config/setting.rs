//! One setting as it is in force, for people who ask what that is.

use std::fmt;

use serde_json::{Value, json};

use super::fault::Origin;
use super::form::Form;
use super::written::Written;

/// A key, the value in force and where that was written. A secret shows its length alone.
#[derive(Clone)]
pub struct Setting {
    /// The dotted key.
    pub key: String,
    /// What kind of value it takes.
    pub form: Form,
    /// Where the value was written.
    pub origin: Origin,
    /// What an empty value comes to, where that is known.
    pub effective: Option<&'static str>,
    pub(super) written: Written,
}

impl Setting {
    /// Whether it has a value.
    pub fn is_set(&self) -> bool {
        !self.written.is_empty()
    }

    /// Whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        let is_word = !self.written.to_string().contains("://");
        match self.form {
            Form::Address => !is_word,
            form => form.is_secret(),
        }
    }

    /// Whether a file has it without quotation marks.
    fn is_bare(&self) -> bool {
        matches!(self.form, Form::Number(..) | Form::Flag)
    }

    /// The value, as a file has it; a secret's length in characters.
    pub fn shown(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match &self.written {
            written if self.is_secret() && self.is_set() => {
                format!("({} characters)", characters(written))
            }
            // From the environment.
            Written::Text(text) if self.is_bare() => text.trim().to_owned(),
            Written::Text(text) => quoted(text),
            Written::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            written => written.to_string(),
        }
    }

    /// The same for machines. A secret has `characters` in the place of `value`.
    pub fn json(&self) -> Value {
        let mut line = json!({ "key": self.key });
        if self.is_secret() && self.is_set() {
            line["characters"] = characters(&self.written).into();
        } else {
            line["value"] = match &self.written {
                Written::Number(number) => (*number).into(),
                Written::Flag(flag) => (*flag).into(),
                Written::List(items) => items.clone().into(),
                Written::Text(text) if self.is_bare() => {
                    serde_json::from_str(text.trim()).unwrap_or_default()
                }
                written => written.to_string().into(),
            };
        }
        if let Some(effective) = self.effective {
            line["effective"] = effective.into();
        }
        line["source"] = match &self.origin {
            Origin::Default => json!({ "kind": "default" }),
            Origin::File { path, line } => json!({ "kind": "file", "path": path, "line": line }),
            Origin::Environment(name) => json!({ "kind": "environment", "name": name }),
            Origin::Argument(name) => json!({ "kind": "argument", "name": name }),
        };
        line
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.shown(), self.origin)
    }
}

fn characters(written: &Written) -> usize {
    written.to_string().trim().chars().count()
}
