//! Which routes take a push, the most specific first.

use std::collections::HashMap;

use regex::Regex;

use super::rule::Fits;
use super::step::Step;
use super::{Facts, Fixture};
use crate::protocol::push::{Click, Push, Typed};

/// Where each rule leads: indices into the routes, in the order of registration.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<(Step, usize)>,
    pub(super) exact: HashMap<String, Vec<usize>>,
    pub(super) clicks: HashMap<String, Vec<usize>>,
    pub(super) patterns: Vec<(Regex, usize)>,
    pub(super) typed: Vec<(Fits, usize)>,
    pub(super) unknown: Vec<usize>,
    pub(super) fallback: Vec<usize>,
}

/// A route whose rule takes the push.
pub(super) struct Fitting<'a> {
    pub(super) index: usize,
    /// What matched, for a pattern.
    regex: Option<&'a Regex>,
}

impl<'a> Fitting<'a> {
    fn plain(index: &usize) -> Self {
        Self {
            index: *index,
            regex: None,
        }
    }

    /// The named groups of a pattern: name and text, in its order.
    pub(super) fn captures(&self, push: &Push) -> Vec<(String, String)> {
        let (Some(regex), Some(content)) = (self.regex, content(push)) else {
            return Vec::new();
        };
        if regex.captures_len() == 1 {
            return Vec::new();
        }
        let Some(captures) = regex.captures(content) else {
            return Vec::new();
        };
        let named = regex.capture_names().flatten().filter_map(|name| {
            let text = captures.name(name)?.as_str();
            Some((name.to_owned(), text.to_owned()))
        });
        named.collect()
    }
}

impl Plan {
    /// The route that wins: the first that fits and whose guards let the push.
    pub(super) fn winner<'a, 'f>(
        &'a self,
        push: &'a Push,
        facts: &'a Facts,
        fixture: impl Fn(usize) -> Option<&'f Fixture>,
    ) -> Option<Fitting<'a>> {
        self.fitting(push, facts).find(|fitting| {
            let fixture = fixture(fitting.index);
            fixture.is_some_and(|fixture| fixture.closed_by(push, facts).is_none())
        })
    }

    /// The routes whose rules take the push. One that wins ends the search: what is less specific is
    /// not looked at.
    pub(super) fn fitting<'a>(
        &'a self,
        push: &'a Push,
        facts: &'a Facts,
    ) -> impl Iterator<Item = Fitting<'a>> {
        let steps = facts.conversation.iter().flat_map(move |conversation| {
            let standing = self.steps.iter();
            standing.filter(move |(step, _)| step.takes(push, conversation))
        });
        let named = match push.typed() {
            Typed::Text(text) => self.exact.get(&text.content),
            Typed::Click(Click { key, .. }) => self.clicks.get(key),
            _ => None,
        };
        let patterns = content(push).into_iter().flat_map(|content| {
            let matching = self.patterns.iter();
            matching.filter(move |(regex, _)| regex.is_match(content))
        });
        let typed = self.typed.iter().filter(|(fits, _)| fits(push));
        let unknown = match push.typed() {
            Typed::Other => &self.unknown[..],
            _ => &[],
        };
        let named = named.into_iter().flatten().map(Fitting::plain);
        let steps = steps.map(|(_, index)| Fitting::plain(index));
        steps
            .chain(named)
            .chain(patterns.map(|(regex, index)| Fitting {
                index: *index,
                regex: Some(regex),
            }))
            .chain(typed.map(|(_, index)| Fitting::plain(index)))
            .chain(unknown.iter().map(Fitting::plain))
            .chain(self.fallback.iter().map(Fitting::plain))
    }
}

/// What the user wrote, of a text message.
fn content(push: &Push) -> Option<&str> {
    match push.typed() {
        Typed::Text(text) => Some(&text.content),
        _ => None,
    }
}
