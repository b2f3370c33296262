//! What was written where, layer over layer, read key by key.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, Faults, Origin};
use super::form::Form;
use super::nearest::{nearest, remedy};
use super::own::Own;
use super::setting::Setting;
use super::value::{self, Problem, unless_empty};
use super::written::{self, Line, Written};
use super::{EXAMPLE, Sources, environment};

/// A value, and where it was written.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) written: Written,
    pub(super) origin: Origin,
}

/// The layers, read key by key. What nobody reads is unknown.
pub(super) struct Reader {
    entries: BTreeMap<String, Entry>,
    /// The keys of the example, and its values.
    known: BTreeMap<String, Written>,
    /// What was read, and as what; nothing where the key is known and concerns nobody.
    read: BTreeMap<String, Option<Form>>,
    effective: BTreeMap<String, &'static str>,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn new(sources: &Sources) -> Result<Self, Faults> {
        let defaults =
            written::read(EXAMPLE).map_err(|error| fault_of_file("wxhook.example.toml", &error))?;
        let known: BTreeMap<String, Written> = defaults
            .iter()
            .map(|line| (line.key.clone(), line.written.clone()))
            .collect();
        let (variables, faults) = environment::settings(&sources.environment);
        let mut reader = Self {
            entries: BTreeMap::new(),
            known,
            read: BTreeMap::new(),
            effective: BTreeMap::new(),
            faults,
        };
        reader.lay(defaults, |_| Origin::Default);
        if let Some((path, text)) = &sources.file {
            let path = path.display().to_string();
            let lines = written::read(text).map_err(|error| fault_of_file(&path, &error))?;
            reader.lay(lines, |line| Origin::File {
                path: path.clone(),
                line: Some(line),
            });
        }
        for variable in variables {
            let written = Written::Text(variable.value);
            let origin = Origin::Environment(variable.name);
            reader
                .entries
                .insert(variable.key, Entry { written, origin });
        }
        Ok(reader)
    }

    fn lay(&mut self, lines: Vec<Line>, origin: impl Fn(usize) -> Origin) {
        for Line { key, written, line } in lines {
            let origin = origin(line);
            self.entries.insert(key, Entry { written, origin });
        }
    }

    /// The names below `section`, for sections whose names the operator chooses.
    pub(super) fn names(&self, section: &str) -> BTreeSet<String> {
        let below = |key: &String| {
            let rest = key.strip_prefix(section)?.strip_prefix('.')?;
            Some(rest.split('.').next()?.to_owned())
        };
        self.entries.keys().filter_map(below).collect()
    }

    /// Whether this key was given a value by the operator: a copy of the example file gives none.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let given = |entry: &Entry| entry.origin != Origin::Default && !entry.written.is_empty();
        self.entries.get(key).is_some_and(given)
    }

    /// The key is known, and concerns nobody: what it belongs to is not there.
    pub(super) fn skip(&mut self, key: &str) {
        self.read.insert(key.to_owned(), None);
    }

    /// Says what an empty value comes to.
    pub(super) fn comes_to(&mut self, key: &str, effective: &'static str) {
        self.effective.insert(key.to_owned(), effective);
    }

    /// Reads a text through `parse`. A fault is noted, and `None` comes back.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        self.take(key, Form::Text, as_text(parse))
    }

    /// Reads a duration between two others, which the message names as they are written here.
    pub(super) fn duration(
        &mut self,
        key: &str,
        least: &'static str,
        most: &'static str,
    ) -> Option<std::time::Duration> {
        let form = Form::Duration(least, most);
        self.take(key, form, as_text(value::between(least, most)))
    }

    /// The same, or nothing when the text is empty.
    pub(super) fn duration_or_empty(
        &mut self,
        key: &str,
        least: &'static str,
        most: &'static str,
    ) -> Option<Option<std::time::Duration>> {
        let form = Form::Duration(least, most);
        let parse = unless_empty(value::between(least, most));
        self.take(key, form, as_text(parse))
    }

    /// Reads a number of bytes.
    pub(super) fn size(&mut self, key: &str) -> Option<u64> {
        self.take(key, Form::Size, as_text(value::size))
    }

    /// Reads a whole number; the environment has it as text.
    pub(super) fn number(&mut self, key: &str, least: i64, most: i64) -> Option<i64> {
        self.take(key, Form::Number(least, most), |written| {
            let number = match written {
                Written::Number(number) => Some(*number),
                Written::Text(text) => text.trim().parse().ok(),
                _ => None,
            };
            let shown = format!("from {least} to {most}");
            let number = number.ok_or_else(|| {
                Problem::new("is not a whole number", format!("choose one {shown}"))
            })?;
            value::within(number, &least, &most, &shown)
        })
    }

    /// Reads true or false; the environment has it as text.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key, Form::Flag, as_flag)
    }

    /// The same, or nothing when the text is empty.
    pub(super) fn flag_or_empty(&mut self, key: &str) -> Option<Option<bool>> {
        self.take(key, Form::Flag, |written| match written.is_empty() {
            true => Ok(None),
            false => as_flag(written).map(Some),
        })
    }

    /// Reads a list of texts; the environment separates them by commas.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        self.take(key, Form::List, |written| match written {
            Written::List(items) => items.iter().map(|item| parse(item)).collect(),
            Written::Text(text) => text.split(',').map(|item| parse(item.trim())).collect(),
            _ => Err(Problem::new("is not a list", "write [\"one\", \"two\"]")),
        })
    }

    /// Reads a text that must never be shown; an empty one is `None` inside.
    pub(super) fn secret<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<Option<T>> {
        self.take(key, Form::Secret, as_text(unless_empty(parse)))
    }

    /// The same for a word, or an address that may have a password in it.
    pub(super) fn address<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<Option<T>> {
        self.take(key, Form::Address, as_text(unless_empty(parse)))
    }

    fn take<T>(
        &mut self,
        key: &str,
        form: Form,
        parse: impl FnOnce(&Written) -> Result<T, Problem>,
    ) -> Option<T> {
        self.read.insert(key.to_owned(), Some(form));
        let entry = self.entries.entry(key.to_owned()).or_insert_with(|| Entry {
            written: default_of(&self.known, key),
            origin: Origin::Default,
        });
        match parse(&entry.written) {
            Ok(value) => Some(value),
            Err(Problem { problem, remedy }) => {
                self.faults.push(Fault {
                    key: key.to_owned(),
                    origin: entry.origin.clone(),
                    value: (!form.is_secret()).then(|| entry.written.to_string()),
                    problem,
                    remedy,
                });
                None
            }
        }
    }

    /// Notes a fault of several keys together, or of a key that was read before.
    pub(super) fn fault(
        &mut self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let origin = self
            .entries
            .get(key)
            .map_or(Origin::Default, |entry| entry.origin.clone());
        let (problem, remedy) = (problem.into(), remedy.into());
        self.faults.push(Fault {
            key: key.to_owned(),
            origin,
            value: None,
            problem,
            remedy,
        });
    }

    /// Every setting as it is in force, and the handlers' own, which they read themselves. What else was
    /// written and not read is unknown.
    pub(super) fn finish(mut self) -> Result<(Vec<Setting>, Own), Faults> {
        let own = Own::of(&self.entries);
        self.read
            .extend(own.keys().map(|key| (key.clone(), Some(Form::Own))));
        let unknown: Vec<Fault> = self
            .entries
            .iter()
            .filter(|(key, entry)| entry.origin != Origin::Default && !self.read.contains_key(*key))
            .map(|(key, entry)| self.unknown(key, &entry.origin))
            .collect();
        self.faults.extend(unknown);
        if !self.faults.is_empty() {
            return Err(Faults(self.faults));
        }
        let mut settings = Vec::new();
        for (key, Entry { written, origin }) in self.entries {
            if let Some(Some(form)) = self.read.get(&key) {
                settings.push(Setting {
                    form: *form,
                    effective: self.effective.get(&key).copied(),
                    key,
                    origin,
                    written,
                });
            }
        }
        Ok((settings, own))
    }

    fn unknown(&self, key: &str, origin: &Origin) -> Fault {
        let known = self
            .read
            .keys()
            .chain(self.known.keys())
            .map(String::as_str);
        let otherwise = "remove it; wxhook.example.toml lists every setting";
        let remedy = remedy(nearest(key, known), origin, otherwise);
        Fault {
            key: key.to_owned(),
            origin: origin.clone(),
            value: None,
            problem: "is not a setting of wxhook".to_owned(),
            remedy,
        }
    }
}

/// What the example says; of a name that the operator chose, what it says of `default`.
fn default_of(known: &BTreeMap<String, Written>, key: &str) -> Written {
    let mut parts: Vec<&str> = key.split('.').collect();
    if let Some(name) = parts.get_mut(1) {
        *name = "default";
    }
    let found = known.get(key).or_else(|| known.get(&parts.join(".")));
    found.cloned().unwrap_or(Written::Text(String::new()))
}

fn as_text<T>(
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> impl FnOnce(&Written) -> Result<T, Problem> {
    |written| match written {
        Written::Text(text) => parse(text),
        _ => Err(Problem::new("is not a text", "put it in quotation marks")),
    }
}

fn as_flag(written: &Written) -> Result<bool, Problem> {
    match written {
        Written::Flag(flag) => Ok(*flag),
        Written::Text(text) => text.trim().parse().map_err(|_| not_a_flag()),
        _ => Err(not_a_flag()),
    }
}

fn not_a_flag() -> Problem {
    Problem::new("is neither true nor false", "write true or false")
}

fn fault_of_file(path: &str, error: &toml::de::Error) -> Faults {
    Faults::one(Fault {
        key: "the configuration file".to_owned(),
        origin: Origin::File {
            path: path.to_owned(),
            line: None,
        },
        value: None,
        problem: format!(
            "is not TOML: {}",
            error.to_string().trim_end().replace('\n', " ")
        ),
        remedy: "mend the line that is shown".to_owned(),
    })
}
