//! A file of rules is read: every fault with its line and its remedy.

use jiff::civil::{Date, DateTime, Time};
use regex::Regex;
use serde_json::Map;
use toml::de::{DeTable, DeValue};

use super::hours::{self, Calendar, When};
use super::value::{self, Page, Value};
use super::{MAX_RULES, Rule, Rules, Says, Trigger, unreachable};
use crate::clock::Timestamp;
use crate::dispatch::answer::AccountFacts;
use crate::dispatch::router::summary;
use crate::nearest::nearest;
use crate::protocol::message::Message;
use crate::protocol::push::{Entry, FAMILIES, Kind};
use crate::template::Faults;

const TRIGGERS: [&str; 6] = ["on", "exact", "contains", "pattern", "click", "scene"];
const ACTIONS: [&str; 3] = ["render", "say", "message"];
const KEYS: [&str; 15] = [
    "name", "on", "exact", "contains", "pattern", "click", "scene", "accounts", "from", "until",
    "hours", "render", "with", "say", "message",
];

pub(super) fn read(text: &str, file: &str, accounts: &[AccountFacts]) -> Result<Rules, Faults> {
    let mut reader = Reader {
        page: Page {
            text,
            file,
            faults: Vec::new(),
        },
        accounts,
        calendar: Calendar::default(),
        has_hours: false,
    };
    let rules = reader.document();
    let mut faults = reader.page.faults;
    faults.extend(unreachable(&rules, file));
    faults.sort();
    match faults.is_empty() {
        true => Ok(Rules {
            rules,
            calendar: reader.calendar,
            file: file.to_owned(),
        }),
        false => Err(Faults(faults)),
    }
}

struct Reader<'t> {
    page: Page<'t>,
    accounts: &'t [AccountFacts],
    calendar: Calendar,
    has_hours: bool,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Vec<Rule> {
        let table = match DeTable::parse(self.page.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let at = error.span().unwrap_or(0..0);
                let problem = format!("is not TOML: {}", error.message());
                self.page.fault(&at, problem, "mend that line");
                return Vec::new();
            }
        };
        self.page
            .known("", &table, &["utc_offset", "hours", "rule"]);
        if let Some(value) = table.get("utc_offset") {
            match self.page.text_of("utc_offset", value) {
                Some(text) => match hours::parse_offset(&text) {
                    Some(offset) => self.calendar.offset = offset,
                    None => self.page.fault(
                        &value.span(),
                        format!("utc_offset = {text:?} is no offset"),
                        "write it like \"+08:00\"",
                    ),
                },
                None => return Vec::new(),
            }
        }
        if let Some(value) = table.get("hours") {
            self.hours(value);
        }
        let rules = match table
            .get("rule")
            .map(|value| (value.span(), value.get_ref()))
        {
            None => return Vec::new(),
            Some((_, DeValue::Array(rules))) => rules,
            Some((at, _)) => {
                self.page
                    .fault(&at, "rule is no list", "write [[rule]] for each");
                return Vec::new();
            }
        };
        if let Some(first) = rules.get(MAX_RULES) {
            let problem = format!("there are more than {MAX_RULES} rules");
            self.page
                .fault(&first.span(), problem, "write code for what is left");
        }
        let rules = rules.iter().take(MAX_RULES);
        rules.filter_map(|rule| self.rule(rule)).collect()
    }

    fn hours(&mut self, value: &Value<'t>) {
        let DeValue::Table(table) = value.get_ref() else {
            let remedy = "write [hours] with open = [\"Mon-Fri 09:00-18:00\"]";
            self.page.fault(&value.span(), "hours is no table", remedy);
            return;
        };
        self.has_hours = true;
        self.page.known("hours.", table, &["open", "closed"]);
        let open = table.get("open");
        for text in open
            .and_then(|open| self.page.texts_of("open", open))
            .into_iter()
            .flatten()
        {
            match hours::parse_open(&text) {
                Some(open) => self.calendar.open.extend(open),
                None => self.page.fault(
                    &open.map_or(0..0, |open| open.span()),
                    format!("open: {text:?} cannot be read"),
                    "write days and times of one day, like \"Mon-Fri 09:00-18:00\", \"Sat,Sun 10:00-16:00\", \"daily 00:00-24:00\"",
                ),
            }
        }
        let Some(closed) = table.get("closed") else {
            return;
        };
        let days = match closed.get_ref() {
            DeValue::Array(days) => days.iter().map(|day| date(day.get_ref())).collect(),
            _ => None,
        };
        let days: Option<Vec<Date>> = days;
        match days {
            Some(days) => self.calendar.closed = days,
            None => self.page.fault(
                &closed.span(),
                "closed is no list of dates",
                "write closed = [2026-10-01, 2026-10-02]",
            ),
        }
    }

    fn rule(&mut self, value: &Value<'t>) -> Option<Rule> {
        let DeValue::Table(table) = value.get_ref() else {
            self.page
                .fault(&value.span(), "is no rule", "write [[rule]] with a name");
            return None;
        };
        let name = match table.get("name") {
            Some(value) => self.page.text_of("name", value)?,
            None => {
                let remedy = "write name = \"…\": attempts are recorded under it";
                self.page
                    .fault(&value.span(), "the rule has no name", remedy);
                return None;
            }
        };
        let place = format!("rule {name:?}: ");
        self.page.known(&place, table, &KEYS);
        let trigger = self.trigger(&place, value, table);
        let says = self.says(&place, value, table);
        let accounts = table
            .get("accounts")
            .map(|value| self.accounts(&place, value));
        let from = table
            .get("from")
            .map(|value| self.moment(&place, "from", value));
        let until = table
            .get("until")
            .map(|value| self.moment(&place, "until", value));
        let hours = table.get("hours").map(|value| self.when(&place, value));
        let line = self.page.line(&value.span());
        Some(Rule {
            name,
            line,
            trigger: trigger?,
            accounts: flat(accounts)?,
            from: flat(from)?,
            until: flat(until)?,
            hours: flat(hours)?,
            says: says?,
        })
    }

    /// The one key of these that is there.
    fn one_of<'v>(
        &mut self,
        place: &str,
        whole: &Value<'t>,
        table: &'v DeTable<'t>,
        keys: &[&'static str],
    ) -> Option<(&'static str, &'v Value<'t>)> {
        let mut found = keys.iter().filter_map(|key| Some((*key, table.get(*key)?)));
        let first = found.next();
        let remedy = format!("write one of: {}", keys.join(", "));
        match (first, found.next()) {
            (Some(first), None) => Some(first),
            (Some((first, _)), Some((second, value))) => {
                let problem = format!("{place}has both {first} and {second}");
                self.page.fault(&value.span(), problem, remedy);
                None
            }
            (None, _) => {
                let problem = match keys.contains(&"on") {
                    true => format!("{place}does not say when it is meant"),
                    false => format!("{place}says nothing"),
                };
                self.page.fault(&whole.span(), problem, remedy);
                None
            }
        }
    }

    fn trigger(&mut self, place: &str, whole: &Value<'t>, table: &DeTable<'t>) -> Option<Trigger> {
        let (key, value) = self.one_of(place, whole, table, &TRIGGERS)?;
        let lower = |words: Vec<String>| {
            let words = words.into_iter().map(|word| word.trim().to_lowercase());
            words.collect::<Vec<_>>()
        };
        Some(match key {
            "on" => Trigger::On(self.entry(place, value)?),
            "exact" => Trigger::Exact(lower(self.page.texts_of("exact", value)?)),
            "contains" => Trigger::Contains(lower(self.page.texts_of("contains", value)?)),
            "pattern" => {
                let text = self.page.text_of("pattern", value)?;
                match Regex::new(&text) {
                    Ok(regex) => Trigger::Pattern(regex),
                    Err(error) => {
                        let problem = format!("{place}pattern cannot be read: {}", summary(&error));
                        self.page
                            .fault(&value.span(), problem, "mend the regular expression");
                        return None;
                    }
                }
            }
            "click" => Trigger::Click(self.page.texts_of("click", value)?),
            _ => Trigger::Scene(self.page.texts_of("scene", value)?),
        })
    }

    /// A type of push by the platform's name. Where only their case differs (`location`, `LOCATION`), it counts.
    fn entry(&mut self, place: &str, value: &Value<'t>) -> Option<&'static Entry> {
        let name = self.page.text_of("on", value)?;
        let entries = || {
            let entries = FAMILIES.iter().flat_map(|family| family.entries);
            entries.filter(|entry| matches!(entry.kind, Kind::Message | Kind::Event))
        };
        let exact = entries().find(|entry| entry.name == name);
        let found =
            exact.or_else(|| entries().find(|entry| entry.name.eq_ignore_ascii_case(&name)));
        if found.is_none() {
            let near = nearest(&name, entries().map(|entry| entry.name));
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "docs/events.md lists all: subscribe, text, image, CLICK, …".to_owned(),
            };
            let problem = format!("{place}on = {name:?} is no message and no event");
            self.page.fault(&value.span(), problem, remedy);
        }
        found
    }

    fn says(&mut self, place: &str, whole: &Value<'t>, table: &DeTable<'t>) -> Option<Says> {
        let (key, value) = self.one_of(place, whole, table, &ACTIONS)?;
        let with = table.get("with");
        if let (Some(with), true) = (with, key != "render") {
            let problem = format!("{place}with is for templates");
            self.page
                .fault(&with.span(), problem, "remove it, or render a template");
        }
        if key == "render" {
            let with = match with.map(|with| (with.span(), with.get_ref())) {
                None => Map::new(),
                Some((_, DeValue::Table(table))) => value::object(table),
                Some((at, _)) => {
                    let problem = format!("{place}with is no table");
                    self.page
                        .fault(&at, problem, "write with = { hotline = \"…\" }");
                    return None;
                }
            };
            let names = self.page.texts_of("render", value)?;
            return Some(Says::Renders { names, with });
        }
        let messages = match key {
            "say" => {
                let texts = self.page.texts_of("say", value)?;
                texts.into_iter().map(Message::from).collect()
            }
            _ => match Message::from_json(&value::json(value.get_ref())) {
                Ok(message) => vec![message],
                Err(error) => {
                    let remedy = "see the message's members in docs/messages.md";
                    self.page
                        .fault(&value.span(), format!("{place}{error}"), remedy);
                    return None;
                }
            },
        };
        for message in &messages {
            match message.check_unsplit() {
                Ok(()) => {}
                Err(error) => {
                    let problem = format!("{place}{error}");
                    let remedy = "mend the message; docs/messages.md has the limits";
                    self.page.fault(&value.span(), problem, remedy);
                    return None;
                }
            }
        }
        Some(Says::Messages(messages))
    }

    fn accounts(
        &mut self,
        place: &str,
        value: &Value<'t>,
    ) -> Option<std::collections::BTreeSet<String>> {
        let names = self.page.texts_of("accounts", value)?;
        for name in &names {
            let is_known =
                |account: &&AccountFacts| account.name == *name || account.app_id.as_str() == name;
            if !self.accounts.is_empty() && !self.accounts.iter().any(|known| is_known(&known)) {
                let known: Vec<&str> = self.accounts.iter().map(|known| &*known.name).collect();
                let problem = format!("{place}there is no account {name:?}");
                let remedy = format!("there is: {}", known.join(", "));
                self.page.fault(&value.span(), problem, remedy);
                return None;
            }
        }
        Some(names.into_iter().collect())
    }

    fn when(&mut self, place: &str, value: &Value<'t>) -> Option<When> {
        let text = self.page.text_of("hours", value)?;
        let when = match text.as_str() {
            "open" => When::Open,
            "closed" => When::Closed,
            _ => {
                let problem = format!("{place}hours = {text:?} is neither open nor closed");
                self.page
                    .fault(&value.span(), problem, "write \"open\" or \"closed\"");
                return None;
            }
        };
        if !self.has_hours {
            let problem = format!("{place}hours is asked for, and the file does not say them");
            let remedy = "write [hours] with open = [\"Mon-Fri 09:00-18:00\"]";
            self.page.fault(&value.span(), problem, remedy);
            return None;
        }
        Some(when)
    }

    /// A date or a date and time; the end of a day is the beginning of the next.
    fn moment(&mut self, place: &str, key: &str, value: &Value<'t>) -> Option<Timestamp> {
        let local = match (date(value.get_ref()), time(value.get_ref())) {
            (Some(date), Some(time)) => Some(DateTime::from_parts(date, time)),
            (Some(date), None) if key == "until" => {
                date.tomorrow().ok().map(|next| next.at(0, 0, 0, 0))
            }
            (Some(date), None) => Some(date.at(0, 0, 0, 0)),
            (None, _) => None,
        };
        let moment = local.and_then(|local| self.calendar.moment(local));
        if moment.is_none() {
            let problem = format!("{place}{key} is no date");
            let remedy =
                format!("write {key} = 2026-10-01, or 2026-10-01T09:00:00, without quotes");
            self.page.fault(&value.span(), problem, remedy);
        }
        moment
    }
}

/// `None`: not there. `Some(None)`: a fault.
fn flat<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
    }
}

fn date(value: &DeValue<'_>) -> Option<Date> {
    let date = value
        .as_datetime()
        .filter(|time| time.offset.is_none())?
        .date?;
    let (year, month, day) = (date.year, date.month, date.day);
    Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()
}

fn time(value: &DeValue<'_>) -> Option<Time> {
    let time = value.as_datetime()?.time?;
    let second = time.second.unwrap_or(0);
    Time::new(
        i8::try_from(time.hour).ok()?,
        i8::try_from(time.minute).ok()?,
        i8::try_from(second).ok()?,
        0,
    )
    .ok()
}
