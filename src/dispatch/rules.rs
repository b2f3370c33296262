//! Answers without code: a file of rules, tried from top to bottom.
//!
//! It does what the platform's own auto-reply does (关注回复, 关键词回复, 菜单), which WeChat switches off as soon
//! as a server URL is set. Code comes first: a rule is asked only about pushes that no step, text, click
//! or typed route takes, and comes before `unknown` and `fallback`.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::dispatch::answer::{AccountFacts, Answer};
use crate::protocol::message::Message;
use crate::protocol::push::{Entry, Push, Typed};
use crate::template::{Fault, Faults, Render, Templates};

mod file;
mod hours;
#[cfg(test)]
mod tests;
mod value;

use hours::{Calendar, When};

/// Rules of one file; more is a fault.
pub const MAX_RULES: usize = 1_000;

/// Checked rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    calendar: Calendar,
    /// What the file is called.
    file: String,
}

/// One rule: when it is meant, and what it says.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    line: usize,
    trigger: Trigger,
    accounts: Option<BTreeSet<String>>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    hours: Option<When>,
    says: Says,
}

/// What happens when a rule is meant.
#[derive(Debug, Clone)]
enum Trigger {
    /// A push of this type.
    On(&'static Entry),
    /// A text that is one of these, without regard to case and outer blanks.
    Exact(Vec<String>),
    /// A text with one of these in it, without regard to case.
    Contains(Vec<String>),
    /// A text that matches.
    Pattern(Regex),
    /// A tap on a menu button.
    Click(Vec<String>),
    /// A scan of a code, by a follower or by somebody who then follows.
    Scene(Vec<String>),
}

#[derive(Debug, Clone)]
enum Says {
    Messages(Vec<Message>),
    Renders {
        names: Vec<String>,
        with: Map<String, Value>,
    },
}

/// A rule that is meant, and what it answers.
#[derive(Debug, Clone)]
pub struct Found<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// What it says.
    pub answers: Vec<Answer>,
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`Faults`] has everything that is wrong, by line.
    pub fn parse(text: &str, file: &str, accounts: &[AccountFacts]) -> Result<Self, Faults> {
        file::read(text, file, accounts)
    }

    /// The rules, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The first rule that is meant. `now` counts where a push does not say when it happened, so that a push
    /// that is tried again, or replayed, meets the rules of its own time.
    pub fn find(&self, push: &Push, account: &AccountFacts, now: Timestamp) -> Option<Found<'_>> {
        if self.rules.is_empty() {
            return None;
        }
        let at = push.create_time().map_or(now, Timestamp::from_seconds);
        let text = match push.typed() {
            Typed::Text(text) => Some(text.content.trim()),
            _ => None,
        };
        let lower = text.map(str::to_lowercase);
        self.rules.iter().find_map(|rule| {
            if !rule.applies(account, at, &self.calendar) {
                return None;
            }
            let captures = rule.trigger.fits(push, text, lower.as_deref())?;
            Some(Found {
                rule,
                answers: rule.answers(captures),
            })
        })
    }

    /// What the templates do not have of what the rules ask for.
    pub fn check(&self, templates: &Templates) -> Vec<Fault> {
        let mut faults = Vec::new();
        for rule in &self.rules {
            let Says::Renders { names, with } = &rule.says else {
                continue;
            };
            let mut brought: BTreeSet<String> = with.keys().cloned().collect();
            if let Trigger::Pattern(regex) = &rule.trigger {
                brought.extend(regex.capture_names().flatten().map(str::to_owned));
            }
            for name in names {
                if let Err(error) = templates.check_use(name, &brought) {
                    let remedy = "write it in the rule's `with`, or name a group of its pattern so";
                    let problem = format!("rule {:?}: {error}", rule.name);
                    faults.push(Fault::new(&self.file, rule.line, problem, remedy));
                }
            }
        }
        faults
    }
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line of the file where it begins.
    pub fn line(&self) -> usize {
        self.line
    }

    fn applies(&self, account: &AccountFacts, at: Timestamp, calendar: &Calendar) -> bool {
        let is_theirs = self.accounts.as_ref().is_none_or(|accounts| {
            accounts.contains(&account.name) || accounts.contains(account.app_id.as_str())
        });
        is_theirs
            && self.from.is_none_or(|from| from <= at)
            && self.until.is_none_or(|until| at < until)
            && self.hours.is_none_or(|hours| calendar.is(hours, at))
    }

    /// Whether it is meant always and by everybody: then the next of the same trigger never is.
    fn is_unconditional(&self) -> bool {
        self.accounts.is_none()
            && self.from.is_none()
            && self.until.is_none()
            && self.hours.is_none()
    }

    fn answers(&self, captures: Map<String, Value>) -> Vec<Answer> {
        match &self.says {
            Says::Messages(messages) => messages.iter().cloned().map(Answer::from).collect(),
            Says::Renders { names, with } => {
                let mut brought = with.clone();
                brought.extend(captures);
                let renders = names.iter().map(|name| Render::new(name, &brought));
                renders.map(Answer::from).collect()
            }
        }
    }
}

impl Trigger {
    /// What a pattern caught, and nothing of any other; `None` when the push is not meant.
    fn fits(
        &self,
        push: &Push,
        text: Option<&str>,
        lower: Option<&str>,
    ) -> Option<Map<String, Value>> {
        let fits = match self {
            Self::On(entry) => push
                .entry()
                .is_some_and(|found| std::ptr::eq(found, *entry)),
            Self::Exact(words) => lower.is_some_and(|text| words.iter().any(|word| word == text)),
            Self::Contains(words) => {
                lower.is_some_and(|text| words.iter().any(|word| text.contains(word.as_str())))
            }
            Self::Pattern(regex) => {
                let captures = regex.captures(text?)?;
                let named = regex.capture_names().flatten().map(|name| {
                    let found = captures.name(name).map(|found| found.as_str());
                    (name.to_owned(), Value::from(found.unwrap_or_default()))
                });
                return Some(named.collect());
            }
            Self::Click(keys) => match push.typed() {
                Typed::Click(click) => keys.contains(&click.key),
                _ => false,
            },
            Self::Scene(scenes) => {
                let scene = match push.typed() {
                    Typed::Scan(scan) => Some(scan.scene.as_str()),
                    Typed::Subscribe(follow) => follow.scene(),
                    _ => None,
                };
                scene.is_some_and(|scene| scenes.iter().any(|known| known == scene))
            }
        };
        fits.then(Map::new)
    }

    /// Whether everything that the other takes comes here first.
    fn covers(&self, other: &Self) -> bool {
        let all = |some: &[String], of: &[String]| some.iter().all(|word| of.contains(word));
        match (self, other) {
            (Self::On(one), Self::On(other)) => std::ptr::eq(*one, *other),
            (Self::On(one), _) if one.name == "text" => {
                matches!(other, Self::Exact(_) | Self::Contains(_) | Self::Pattern(_))
            }
            (Self::On(one), Self::Click(_)) => one.name == "CLICK",
            (Self::Exact(words), Self::Exact(others))
            | (Self::Click(words), Self::Click(others))
            | (Self::Scene(words), Self::Scene(others)) => all(others, words),
            (Self::Contains(words), Self::Exact(others) | Self::Contains(others)) => {
                let is_in = |other: &String| words.iter().any(|word| other.contains(word.as_str()));
                others.iter().all(is_in)
            }
            (Self::Pattern(one), Self::Pattern(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

/// Rules that no push can reach: an earlier one takes all that they could.
fn unreachable(rules: &[Rule], file: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let earlier = rules[..index].iter();
        let mut winners = earlier
            .filter(|earlier| earlier.is_unconditional() && earlier.trigger.covers(&rule.trigger));
        if let Some(winner) = winners.next() {
            let problem = format!(
                "rule {:?} can never win: rule {:?} on line {} takes the same pushes",
                rule.name, winner.name, winner.line
            );
            faults.push(Fault::new(
                file,
                rule.line,
                problem,
                "put it above that one",
            ));
        }
    }
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in rules {
        if let Some(first) = lines.insert(&rule.name, rule.line) {
            let problem = format!(
                "rule {:?} has the name of the one on line {first}",
                rule.name
            );
            faults.push(Fault::new(
                file,
                rule.line,
                problem,
                "give each a name of its own",
            ));
        }
    }
    faults
}
