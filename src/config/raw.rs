//! What was written where, layer over layer, and the faults found in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::value::Problem;
use super::{EXAMPLE, Sources, environment};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In this file.
    File(String),
    /// In this environment variable.
    Environment(String),
    /// In this command-line argument.
    Argument(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
        }
    }
}

/// One wrong or unknown setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The dotted key.
    pub key: String,
    /// Where it was written.
    pub origin: Origin,
    /// What was written; `None` for secrets and where nothing was.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value:?}")?;
        }
        if self.origin != Origin::Default {
            write!(f, " ({})", self.origin)?;
        }
        write!(f, ": {}; {}", self.problem, self.remedy)
    }
}

/// All that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub(super) fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, fault)| {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{fault}")
        })
    }
}

impl std::error::Error for Faults {}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// A kind of value that no key takes.
    Other(&'static str),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    written: Written,
    origin: Origin,
}

/// The layers, read key by key. What nobody reads is unknown.
#[derive(Debug)]
pub(super) struct Reader {
    entries: BTreeMap<String, Entry>,
    /// The keys of the example: what the nearest right key is searched in.
    known: BTreeSet<String>,
    read: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn new(sources: &Sources) -> Result<Self, super::Faults> {
        let defaults =
            flatten_text(EXAMPLE).map_err(|error| fault_of_file("wxhook.example.toml", &error))?;
        let known: BTreeSet<String> = defaults.iter().map(|(key, _)| key.clone()).collect();
        let mut reader = Self {
            entries: BTreeMap::new(),
            known,
            read: BTreeSet::new(),
            faults: Vec::new(),
        };
        reader.lay(defaults, &Origin::Default);
        if let Some((path, text)) = &sources.file {
            let path = path.display().to_string();
            let written = flatten_text(text).map_err(|error| fault_of_file(&path, &error))?;
            reader.lay(written, &Origin::File(path));
        }
        let (variables, faults) = environment::settings(&sources.environment);
        reader.faults.extend(faults);
        for variable in variables {
            let origin = Origin::Environment(variable.name);
            reader.lay(vec![(variable.key, Written::Text(variable.value))], &origin);
        }
        Ok(reader)
    }

    fn lay(&mut self, written: Vec<(String, Written)>, origin: &Origin) {
        for (key, written) in written {
            self.entries.insert(
                key,
                Entry {
                    written,
                    origin: origin.clone(),
                },
            );
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
        let nothing = [Written::Text(String::new()), Written::List(Vec::new())];
        let given =
            |entry: &Entry| entry.origin != Origin::Default && !nothing.contains(&entry.written);
        self.entries.get(key).is_some_and(given)
    }

    /// Whether there is a value of this key at all, be it the default.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reads a text through `parse`. A fault is noted, and `None` comes back.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        self.take(key, |written| match written {
            Written::Text(text) => parse(text),
            _ => Err(Problem::new("is not a text", "put it in quotation marks")),
        })
    }

    /// Reads a whole number; the environment has it as text.
    pub(super) fn number(&mut self, key: &str, least: i64, most: i64) -> Option<i64> {
        self.take(key, |written| {
            let number = match written {
                Written::Number(number) => Some(*number),
                Written::Text(text) => text.trim().parse().ok(),
                _ => None,
            };
            let shown = format!("from {least} to {most}");
            let number = number.ok_or_else(|| {
                Problem::new("is not a whole number", format!("choose one {shown}"))
            })?;
            super::value::within(number, &least, &most, &shown)
        })
    }

    /// Reads true or false; the environment has it as text.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key, |written| match written {
            Written::Flag(flag) => Ok(*flag),
            Written::Text(text) => text.trim().parse().map_err(|_| not_a_flag()),
            _ => Err(not_a_flag()),
        })
    }

    /// Reads a list of texts; the environment separates them by commas.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        self.take(key, |written| match written {
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
        let before = self.faults.len();
        let value = self.text(key, |text| match text.trim() {
            "" => Ok(None),
            text => parse(text).map(Some),
        });
        for fault in &mut self.faults[before..] {
            fault.value = None;
        }
        value
    }

    fn take<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Written) -> Result<T, Problem>,
    ) -> Option<T> {
        self.read.insert(key.to_owned());
        let entry = self.entries.get(key).cloned().unwrap_or(Entry {
            written: Written::Text(String::new()),
            origin: Origin::Default,
        });
        match parse(&entry.written) {
            Ok(value) => Some(value),
            Err(Problem { problem, remedy }) => {
                let value = Some(entry.written.to_string());
                self.faults.push(Fault {
                    key: key.to_owned(),
                    origin: entry.origin,
                    value,
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

    /// Everything that was written and not read is unknown.
    pub(super) fn finish(mut self) -> Result<(), super::Faults> {
        let unknown: Vec<(String, Entry)> = self
            .entries
            .iter()
            .filter(|(key, entry)| entry.origin != Origin::Default && !self.read.contains(*key))
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        for (key, entry) in unknown {
            let remedy = match self.nearest(&key) {
                Some(known) => format!("did you mean {known}?"),
                None => "remove it; wxhook.example.toml lists every setting".to_owned(),
            };
            self.faults.push(Fault {
                key,
                origin: entry.origin,
                value: None,
                problem: "is not a setting of wxhook".to_owned(),
                remedy,
            });
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(super::Faults(self.faults))
        }
    }

    fn nearest(&self, key: &str) -> Option<&String> {
        self.read
            .union(&self.known)
            .map(|known| (strsim::jaro_winkler(known, key), known))
            .filter(|(likeness, _)| *likeness > 0.85)
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, known)| known)
    }
}

fn not_a_flag() -> Problem {
    Problem::new("is neither true nor false", "write true or false")
}

fn fault_of_file(path: &str, error: &toml::de::Error) -> super::Faults {
    super::Faults::one(Fault {
        key: "the configuration file".to_owned(),
        origin: Origin::File(path.to_owned()),
        value: None,
        problem: format!(
            "is not TOML: {}",
            error.to_string().trim_end().replace('\n', " ")
        ),
        remedy: "mend the line that is shown".to_owned(),
    })
}

fn flatten_text(text: &str) -> Result<Vec<(String, Written)>, toml::de::Error> {
    let table: toml::Table = toml::from_str(text)?;
    let mut flat = Vec::new();
    flatten("", &table, &mut flat);
    Ok(flat)
}

fn flatten(prefix: &str, table: &toml::Table, flat: &mut Vec<(String, Written)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::Table(table) => flatten(&key, table, flat),
            toml::Value::String(text) => flat.push((key, Written::Text(text.clone()))),
            toml::Value::Boolean(flag) => flat.push((key, Written::Flag(*flag))),
            toml::Value::Integer(number) => flat.push((key, Written::Number(*number))),
            toml::Value::Array(items) => {
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect();
                let other = Written::Other("a list of something else");
                flat.push((key, texts.map_or(other, Written::List)));
            }
            other => flat.push((key, Written::Other(other.type_str()))),
        }
    }
}
