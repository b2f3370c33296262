//! Which names a template needs, with everything that it includes.
//!
//! Included texts are put where they are included, so that what a loop or a `set` brings is known there.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Environment;

use super::name::{Becomes, Name};
use super::scan::{self, Usage};
use super::{Fault, engine};
use crate::nearest::nearest;

/// Includes within each other that are followed.
const MAX_INCLUDES: usize = 8;
/// Bytes of a template with everything that it includes.
const MAX_COMPOSED_BYTES: usize = 512 * 1024;

/// What a template comes to.
#[derive(Debug, Default)]
pub(super) struct Composed {
    /// Names that it takes from outside, with their members: `push.content`, `order.number`.
    pub(super) names: BTreeSet<String>,
    /// Files that it is made of, itself first.
    pub(super) files: Vec<String>,
    pub(super) faults: Vec<Fault>,
}

/// Puts a template together.
pub(super) fn compose(file: &str, texts: &BTreeMap<String, String>) -> Composed {
    let mut work = Work {
        texts,
        composed: Composed::default(),
        whole: vec![file.to_owned()],
    };
    let mut done = BTreeSet::new();
    while let Some(file) = work.whole.pop() {
        if !done.insert(file.clone()) {
            continue;
        }
        let Some(text) = work.text(&file, &mut Vec::new()) else {
            continue;
        };
        let names = undeclared(&text).unwrap_or_else(|| {
            // Together they are no template, though each of them is.
            let each = work.composed.files.iter();
            each.filter_map(|file| undeclared(texts.get(file)?))
                .flatten()
                .collect()
        });
        work.composed.names.extend(names);
    }
    work.composed
}

fn undeclared(text: &str) -> Option<BTreeSet<String>> {
    let environment: Environment<'_> = engine::environment(Becomes::Text);
    let template = environment.template_from_str(text).ok()?;
    let globals: BTreeSet<String> = environment
        .globals()
        .map(|(name, _)| name.to_owned())
        .collect();
    let names = template.undeclared_variables(true).into_iter();
    let is_global = |name: &String| globals.contains(name.split('.').next().unwrap_or_default());
    Some(names.filter(|name| !is_global(name)).collect())
}

struct Work<'t> {
    texts: &'t BTreeMap<String, String>,
    composed: Composed,
    /// Files whose names are needed beside, not in place: extended and imported ones.
    whole: Vec<String>,
}

impl Work<'_> {
    /// The text of a file with its includes; `within` are the files that it stands in.
    fn text(&mut self, file: &str, within: &mut Vec<String>) -> Option<String> {
        let text = self.texts.get(file)?;
        if !self.composed.files.iter().any(|known| known == file) {
            self.composed.files.push(file.to_owned());
        }
        let mut composed = String::with_capacity(text.len());
        let mut at = 0;
        within.push(file.to_owned());
        for reference in scan::references(text) {
            let line = scan::line_of(text, reference.at.start);
            let mut fault = |problem: String, remedy: &str| {
                let fault = Fault::new(file, line, problem, remedy);
                if !self.composed.faults.contains(&fault) {
                    self.composed.faults.push(fault);
                }
            };
            composed.push_str(&text[at..reference.at.start]);
            at = reference.at.end;
            let tag = &text[reference.at.clone()];
            let Some(name) = reference.name else {
                let problem = format!("{tag} names its file by an expression");
                fault(problem, "write the file's name in quotation marks");
                continue;
            };
            if within.contains(&name) || within.len() > MAX_INCLUDES {
                let problem = format!("{tag} leads back to itself, or too deep");
                fault(problem, "include something that includes less");
                continue;
            }
            let found = self.texts.get(&name).filter(|_| Name::counts(&name));
            let Some(included) = found else {
                let problem = format!("there is no .txt, .json or .inc file {name:?}");
                let files = self.texts.keys().map(String::as_str);
                let near = nearest(&name, files.filter(|file| Name::counts(file)));
                let remedy = near.map_or_else(
                    || "names begin below the templates' directory".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                fault(problem, &remedy);
                continue;
            };
            let extends = scan::references(included)
                .iter()
                .any(|reference| reference.usage == Usage::Whole);
            if reference.usage == Usage::Whole || extends {
                // It stays a tag, so that what it declares is declared.
                composed.push_str(tag);
                self.whole.push(name);
            } else if let Some(text) = self.text(&name, within) {
                composed.push_str(&text);
            }
            if composed.len() > MAX_COMPOSED_BYTES {
                let problem = format!("has more than {MAX_COMPOSED_BYTES} bytes with its includes");
                let fault = Fault::new(file, line, problem, "include less");
                self.composed.faults.push(fault);
                break;
            }
        }
        within.pop();
        composed.push_str(&text[at..]);
        Some(composed)
    }
}
