//! `wxhook rules`: whether the rules are right, and what they would have answered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::bundle;
use super::inbox::{PAGE, open_view, since};
use super::output::{Failure, line, local_time};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::dispatch::{Bundle, Facts, Router, Takers};
use crate::protocol::push::{Kind, Push, Typed};
use crate::store::{Filter, StoredPush};

/// Look at the rules (自动回复规则): answers without code.
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Check every rule and template; exit 1 with a line for each fault
    Check(CheckArgs),
    /// Count which rules would have answered the kept pushes, and which texts nothing would have
    Try(TryArgs),
}

/// How it is told.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Which pushes, and how it is told.
#[derive(Debug, Args)]
pub(super) struct TryArgs {
    /// Only those received since: yesterday, today, 2026-11-01, or within a time such as 12h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// How many of the texts that nothing matches are listed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    limit: u16,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run<S>(
    command: &RulesCommand,
    config: Option<&Path>,
    routes: fn() -> Router<S>,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
{
    let config = super::load_for_reading(config)?;
    match command {
        RulesCommand::Check(args) => {
            let bundle = bundle::read(&config, args.json)?;
            bundle::print(&config, &bundle, args.json)?;
        }
        RulesCommand::Try(args) => {
            let takers = routes().takers().map_err(Failure::wrong)?;
            // The faults are for `check`: here one object is promised.
            let bundle = bundle::read(&config, false)?;
            let tried = try_all(&config, &bundle, &takers, args)?;
            match args.json {
                true => line(tried.json(args))?,
                false => tried.print(args)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Texts that are told apart; further ones are counted together.
const MAX_TEXTS: usize = 100_000;
/// Characters of a text that are kept: what people look for stands at its beginning.
const MAX_TEXT_CHARS: usize = 80;

/// What the rules would have done.
#[derive(Debug, Default)]
struct Tried {
    pushes: u64,
    /// Every rule, in the order of the file, those that matched nothing among them.
    rules: Vec<(String, u64)>,
    /// Routes that come before every rule.
    code: BTreeMap<String, u64>,
    /// Routes that take what no rule takes.
    rest: BTreeMap<String, u64>,
    nothing: u64,
    texts: HashMap<String, u64>,
    more_texts: u64,
}

/// Goes through everything kept, page by page.
fn try_all(
    config: &Config,
    bundle: &Bundle,
    takers: &Takers,
    args: &TryArgs,
) -> Result<Tried, Failure> {
    let view = open_view(config)?;
    let rules = bundle.rules().iter();
    let mut tried = Tried {
        rules: rules.map(|rule| (rule.name().to_owned(), 0)).collect(),
        ..Tried::default()
    };
    let mut filter = Filter {
        since: args.since,
        ..Filter::default()
    };
    loop {
        let page = view.page(&filter, PAGE).map_err(Failure::failed)?;
        let Some(last) = page.last() else {
            return Ok(tried);
        };
        filter.after = last.id;
        for stored in &page {
            tried.add(config, bundle, takers, stored);
        }
    }
}

impl Tried {
    fn add(&mut self, config: &Config, bundle: &Bundle, takers: &Takers, stored: &StoredPush) {
        if !matches!(stored.kind, Kind::Message | Kind::Event) {
            return;
        }
        let Ok(push) = Push::parse(&stored.account, &stored.body) else {
            return;
        };
        self.pushes += 1;
        let account = bundle::account(config, &stored.account);
        // Guards that go by the clock see the hour of the push.
        let facts = Facts::new(stored.account.clone(), stored.received_at);
        let taker = takers.find(&push, &facts.named(account.name.clone()));
        if let Some((name, true)) = taker {
            *self.code.entry(name).or_default() += 1;
            return;
        }
        let found = bundle.rules().find(&push, &account, stored.received_at);
        if let Some(found) = found {
            let mut rules = self.rules.iter_mut();
            if let Some((_, count)) = rules.find(|(name, _)| name == found.rule.name()) {
                *count += 1;
            }
            return;
        }
        match taker {
            Some((name, _)) => *self.rest.entry(name).or_default() += 1,
            None => self.nothing += 1,
        }
        if let Typed::Text(text) = push.typed() {
            self.add_text(&text.content);
        }
    }

    fn add_text(&mut self, content: &str) {
        let text: String = content.trim().chars().take(MAX_TEXT_CHARS).collect();
        if self.texts.len() >= MAX_TEXTS && !self.texts.contains_key(&text) {
            self.more_texts += 1;
            return;
        }
        *self.texts.entry(text).or_default() += 1;
    }

    /// Texts that nothing matched, most frequent first.
    fn unmatched(&self, limit: u16) -> Vec<(&str, u64)> {
        let texts = self.texts.iter();
        let mut texts: Vec<_> = texts.map(|(text, count)| (text.as_str(), *count)).collect();
        texts.sort_by_key(|(text, count)| (Reverse(*count), *text));
        texts.truncate(usize::from(limit));
        texts
    }

    fn json(&self, args: &TryArgs) -> Value {
        let counted = |counts: &BTreeMap<String, u64>| {
            let counts = counts.iter();
            counts
                .map(|(name, count)| json!({ "route": name, "pushes": count }))
                .collect::<Vec<_>>()
        };
        let rules = self.rules.iter();
        let texts = self.unmatched(args.limit).into_iter();
        json!({
            "pushes": self.pushes,
            "rules": rules.map(|(name, count)| json!({ "rule": name, "pushes": count })).collect::<Vec<_>>(),
            "code": counted(&self.code),
            "rest": counted(&self.rest),
            "nothing": self.nothing,
            "unmatched": texts.map(|(text, count)| json!({ "text": text, "pushes": count })).collect::<Vec<_>>(),
        })
    }

    fn print(&self, args: &TryArgs) -> Result<(), Failure> {
        let since = args.since.map_or(String::new(), |since| {
            format!(" received since {}", local_time(since))
        });
        line(format_args!("{} pushes{since}", self.pushes))?;
        for (name, count) in &self.rules {
            line(format_args!("{count:8}  rule {name:?}"))?;
        }
        for (name, count) in &self.code {
            line(format_args!("{count:8}  code: {name}"))?;
        }
        for (name, count) in &self.rest {
            line(format_args!("{count:8}  code, after the rules: {name}"))?;
        }
        line(format_args!("{:8}  nothing", self.nothing))?;
        let texts = self.unmatched(args.limit);
        if !texts.is_empty() {
            line("texts that no rule and no route of their own takes, most frequent first:")?;
        }
        for (text, count) in &texts {
            line(format_args!("{count:8}  {text:?}"))?;
        }
        let more = self.texts.len().saturating_sub(texts.len());
        if more > 0 {
            line(format_args!(
                "          and {more} others; --limit shows more"
            ))?;
        }
        if self.more_texts > 0 {
            let count = self.more_texts;
            line(format_args!(
                "{count:8}  of still others, which were not told apart"
            ))?;
        }
        Ok(())
    }
}
