//! Files become templates, or a list of all that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minijinja::{Environment, Error, ErrorKind};
use serde_json::Value;

use super::compose::{Composed, compose};
use super::name::{Becomes, Name};
use super::scan;
use super::scope::{self, Known};
use super::{Fault, Faults, Files, Locale, engine};
use crate::nearest::nearest;
use crate::protocol::message::Message;

/// Checked templates: what they become, whom they are for, and what they need.
pub struct Templates {
    pub(super) texts: Environment<'static>,
    pub(super) jsons: Environment<'static>,
    pub(super) known: BTreeMap<String, Template>,
}

/// One template in all its languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) becomes: Becomes,
    /// What must be brought along.
    pub(super) needs: BTreeSet<String>,
    /// The languages that have a file of their own.
    pub(super) locales: BTreeMap<Locale, String>,
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            texts: engine::environment(Becomes::Text),
            jsons: engine::environment(Becomes::Json),
            known: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.keys()).finish()
    }
}

impl Templates {
    /// Compiles and checks all files together.
    ///
    /// # Errors
    /// [`Faults`] has everything that is wrong, by file and line.
    pub fn compile(files: &Files) -> Result<Self, Faults> {
        let mut work = Work {
            files,
            templates: Self::default(),
            faults: files.faults.clone(),
        };
        let whole: Vec<&String> = files.texts.keys().filter(|file| work.add(file)).collect();
        for file in whole {
            work.check(file);
        }
        work.register();
        let Work {
            templates,
            mut faults,
            ..
        } = work;
        faults.sort();
        faults.dedup();
        match faults.is_empty() {
            true => Ok(templates),
            false => Err(Faults(faults)),
        }
    }

    /// The names that a handler can ask for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// The languages in which a template has a file of its own.
    pub fn locales(&self, name: &str) -> impl Iterator<Item = &Locale> {
        let template = self.known.get(name);
        template
            .into_iter()
            .flat_map(|template| template.locales.keys())
    }

    /// What a template needs beside what is always there.
    pub fn needs(&self, name: &str) -> impl Iterator<Item = &str> {
        let template = self.known.get(name);
        let needs = template.into_iter().flat_map(|template| &template.needs);
        needs.map(String::as_str)
    }

    /// Whether somebody who brings these names can have a template rendered.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn check_use(&self, name: &str, brought: &BTreeSet<String>) -> Result<(), UseError> {
        let template = self.find(name)?;
        match template.needs.difference(brought).next() {
            None => Ok(()),
            Some(variable) => Err(UseError::Missing {
                template: name.to_owned(),
                variable: variable.clone(),
            }),
        }
    }

    pub(super) fn find(&self, name: &str) -> Result<&Template, UseError> {
        self.known.get(name).ok_or_else(|| UseError::NoTemplate {
            name: name.to_owned(),
            hint: match nearest(name, self.names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "`wxhook render --check` lists those that there are".to_owned(),
            },
        })
    }

    pub(super) fn environment(&self, becomes: Becomes) -> &Environment<'static> {
        match becomes {
            Becomes::Text => &self.texts,
            Becomes::Json => &self.jsons,
        }
    }
}

/// Why a template cannot be used so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UseError {
    /// There is none of this name.
    #[error("there is no template {name:?}; {hint}")]
    NoTemplate {
        /// The name that was asked for.
        name: String,
        /// The likeliest one that there is.
        hint: String,
    },
    /// Its first line says that it needs what nobody brings.
    #[error("{template}:1: needs {variable:?}, which was not given")]
    Missing {
        /// The template.
        template: String,
        /// What it needs.
        variable: String,
    },
}

struct Work<'f> {
    files: &'f Files,
    templates: Templates,
    faults: Vec<Fault>,
}

impl Work<'_> {
    fn fault(
        &mut self,
        file: &str,
        line: usize,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.faults.push(Fault::new(file, line, problem, remedy));
    }

    fn text(&self, file: &str) -> &str {
        self.files.texts.get(file).map_or("", String::as_str)
    }

    /// Compiles a file; whether it is a template by itself.
    fn add(&mut self, file: &str) -> bool {
        let is_template = Name::parse(file).is_some();
        if !Name::counts(file) {
            return false;
        }
        let text = self.text(file).to_owned();
        let texts = &mut self.templates.texts;
        if let Err(error) = texts.add_template_owned(file.to_owned(), text.clone()) {
            let (line, problem) = told(&error);
            self.fault(file, line, problem, "mend the tag");
            return false;
        }
        let jsons = &mut self.templates.jsons;
        // What compiles once compiles twice.
        drop(jsons.add_template_owned(file.to_owned(), text.clone()));
        for (at, name) in scan::filters(&text) {
            if !engine::knows_filter(&self.templates.texts, &name) {
                let line = scan::line_of(&text, at);
                let problem = format!("there is no filter {name:?}");
                self.fault(file, line, problem, "see the list in docs/render.md");
            }
        }
        is_template
    }

    /// Checks every name that a template uses.
    fn check(&mut self, file: &str) {
        let needs = self.needs(file);
        let Composed {
            names,
            files,
            faults,
        } = compose(file, &self.files.texts);
        let is_whole = faults.is_empty();
        self.faults.extend(faults);
        for name in names {
            let root = name.split('.').next().unwrap_or_default().to_owned();
            let (problem, remedy, place) = match scope::known(&name) {
                Known::Here => continue,
                Known::Elsewhere if needs.contains(&root) => continue,
                Known::Elsewhere => {
                    let near = nearest(&root, needs.iter().map(String::as_str));
                    let remedy = match near {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("add it to the first line: {{# needs: {root} #}}"),
                    };
                    (format!("{root:?} is not known"), remedy, root)
                }
                Known::Wrong { problem, remedy } => (problem, remedy, name),
            };
            let (at, line) = self.place(&files, &place);
            let by = match at == file {
                true => String::new(),
                false => format!(" (included by {file})"),
            };
            self.fault(&at, line, problem + &by, remedy);
        }
        if is_whole {
            self.check_json(file);
        }
    }

    /// Where a name stands first.
    fn place(&self, files: &[String], name: &str) -> (String, usize) {
        let found = files.iter().find_map(|file| {
            let text = self.text(file);
            let at = scan::find_name(text, name)?;
            Some((file.clone(), scan::line_of(text, at)))
        });
        found.unwrap_or_else(|| (files.first().cloned().unwrap_or_default(), 0))
    }

    /// What the first line asks for.
    fn needs(&mut self, file: &str) -> BTreeSet<String> {
        match scan::needs(self.text(file)) {
            Ok(names) => {
                for name in &names {
                    if scope::is_taken(name) {
                        let problem = format!("{name:?} is always there");
                        self.fault(file, 1, problem, "take it out of the first line");
                    }
                }
                names.into_iter().collect()
            }
            Err(name) => {
                let remedy = "write names of letters, digits and _, with commas between them";
                self.fault(file, 1, format!("{name:?} is no name"), remedy);
                BTreeSet::new()
            }
        }
    }

    /// What always comes to the same shape can be looked at before a push comes.
    fn check_json(&mut self, file: &str) {
        let is_json = Name::parse(file).is_some_and(|name| name.becomes == Becomes::Json);
        let text = self.text(file).to_owned();
        if !is_json || scan::has_blocks(&text) {
            return;
        }
        let probe = engine::probe();
        let Ok(shown) = probe.render_named_str(file, &text, ()) else {
            return;
        };
        let remedy = "see the message's members in docs/messages.md";
        match serde_json::from_str::<Value>(&shown) {
            Err(error) => {
                let problem = format!("is no JSON: {}", without_place(&error));
                let remedy = "values stand between quotation marks, like \"{{ user.openid }}\"";
                self.fault(file, error.line(), problem, remedy);
            }
            Ok(value) => {
                if let Err(error) = Message::from_json(&value) {
                    let line = scan_line(&text, error.member());
                    self.fault(file, line, error.to_string(), remedy);
                }
            }
        }
    }

    /// Brings the languages of a template together.
    fn register(&mut self) {
        let named = self.files.texts.keys();
        let names: Vec<(String, Name)> = named
            .filter_map(|file| Some((file.clone(), Name::parse(file)?)))
            .collect();
        for (file, name) in names.iter().filter(|(_, name)| name.locale.is_none()) {
            let needs = scan::needs(self.text(file)).unwrap_or_default();
            let template = Template {
                becomes: name.becomes,
                needs: needs.into_iter().collect(),
                locales: BTreeMap::new(),
            };
            self.templates.known.insert(file.clone(), template);
        }
        for (file, name) in names {
            let Some(locale) = name.locale else {
                continue;
            };
            let own = scan::needs(self.text(&file)).unwrap_or_default();
            let Some(template) = self.templates.known.get_mut(&name.base) else {
                let problem = format!("there is no {} for everybody else", name.base);
                self.fault(&file, 0, problem, "add one, in your most common language");
                continue;
            };
            template.locales.insert(locale, file.clone());
            if let Some(more) = own.iter().find(|name| !template.needs.contains(*name)) {
                let problem = format!("needs {more:?}, which {} does not need", name.base);
                self.fault(&file, 1, problem, "let both need the same");
            }
        }
    }
}

/// The line of a quoted member; 0 when it is nowhere.
fn scan_line(text: &str, member: Option<&str>) -> usize {
    let found = member.and_then(|member| text.find(&format!("\"{member}\"")));
    found.map_or(0, |at| scan::line_of(text, at))
}

/// Line and problem of an error, for people.
pub(super) fn told(error: &Error) -> (usize, String) {
    let detail = error.detail().map(str::to_owned);
    let problem = match (error.kind(), detail) {
        (ErrorKind::OutOfFuel, _) => "does more work than a template may".to_owned(),
        (_, Some(detail)) => detail,
        (kind, None) => kind.to_string(),
    };
    (error.line().unwrap_or(0), problem)
}

/// What serde says, without line and column of a text that nobody sees.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line").unwrap_or(text.len());
    text[..end].to_owned()
}
