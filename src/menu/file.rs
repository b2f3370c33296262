//! A menu file is read: every fault with its line, its place in the menu and its remedy.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::limit::{self, Domains, Problem};
use super::{
    Action, Button, Client, Conditional, Fault, Faults, Kind, MatchRule, Menu, Tap, place,
};
use super::{MAX_BUTTONS, MAX_CONDITIONAL_DOMAINS, MAX_NAME_BYTES};
use super::{MAX_SUB_BUTTONS, MAX_SUB_NAME_BYTES};
use crate::nearest::nearest;

/// Members of match rules that the platform has withdrawn (code 65320).
const WITHDRAWN: &[&str] = &["sex", "country", "province", "city", "language"];

type Value<'t> = Spanned<DeValue<'t>>;

impl Menu {
    /// Reads a menu file and checks it as the platform would.
    ///
    /// # Errors
    /// [`Faults`] has everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut reader = Reader {
            text,
            faults: Vec::new(),
        };
        let menu = reader.document();
        reader.faults.sort_by_key(|fault| fault.line);
        match menu {
            Some(menu) if reader.faults.is_empty() => Ok(menu),
            _ => Err(Faults(reader.faults)),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

/// The lowest row, or what opens from it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Lowest,
    Inner,
}

impl<'t> Reader<'t> {
    fn fault(&mut self, at: Range<usize>, place: impl Into<String>, problem: Problem) {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        let (problem, remedy) = problem;
        self.faults.push(Fault {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            place: place.into(),
            problem,
            remedy,
        });
    }

    fn document(&mut self) -> Option<Menu> {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let problem = (error.message().to_owned(), "mend that line".to_owned());
                self.fault(error.span().unwrap_or(0..0), "not TOML", problem);
                return None;
            }
        };
        self.known("the file", &table, &["button", "conditionalmenu"]);
        let button = match table.get("button") {
            Some(value) => self.buttons(value, Row::Lowest, "", ""),
            None => {
                let problem = "is missing".to_owned();
                let remedy = "write [[button]] for each button of the default menu, or button = [] to have no menu";
                self.fault(0..0, "button", (problem, remedy.to_owned()));
                return None;
            }
        };
        let conditionalmenu = match table.get("conditionalmenu") {
            Some(value) => self.conditionals(value, &button),
            None => Vec::new(),
        };
        Some(Menu {
            button,
            conditionalmenu,
        })
    }

    /// Whatever is not one of these keys is a fault.
    fn known(&mut self, place: &str, table: &DeTable<'t>, keys: &[&str]) {
        for (key, _) in table {
            let (at, key) = (key.span(), key.get_ref());
            if keys.contains(&key.as_ref()) {
                continue;
            }
            let remedy = match nearest(key, keys.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("remove it; there can be: {}", keys.join(", ")),
            };
            self.fault(
                at,
                format!("{place}: {key}"),
                ("is not known".to_owned(), remedy),
            );
        }
    }

    fn list<'v>(&mut self, value: &'v Value<'t>, place: &str, key: &str) -> &'v [Value<'t>] {
        match value.get_ref() {
            DeValue::Array(items) => items,
            _ => {
                let remedy = format!("write [[{key}]] once for each");
                self.fault(value.span(), place, ("is no list".to_owned(), remedy));
                &[]
            }
        }
    }

    /// Buttons of one row; `menu` says which menu they are of.
    fn buttons(&mut self, value: &Value<'t>, row: Row, menu: &str, parent: &str) -> Vec<Button> {
        let (key, most) = match row {
            Row::Lowest => ("button", MAX_BUTTONS),
            Row::Inner => ("sub_button", MAX_SUB_BUTTONS),
        };
        let whole = format!("{menu}{}", place(parent, key));
        let items = self.list(value, &whole, key);
        if items.len() > most {
            let problem = format!("{} buttons, and {most} are allowed", items.len());
            let remedy = "remove some, or put some inside another".to_owned();
            self.fault(value.span(), &whole, (problem, remedy));
        }
        let numbered = items.iter().enumerate();
        numbered
            .filter_map(|(index, item)| self.button(item, row, menu, parent, index + 1))
            .collect()
    }

    fn button(
        &mut self,
        value: &Value<'t>,
        row: Row,
        menu: &str,
        parent: &str,
        number: usize,
    ) -> Option<Button> {
        let unnamed = format!("{menu}{}", place(parent, &format!("button {number}")));
        let DeValue::Table(table) = value.get_ref() else {
            let remedy = "write name = \"…\" and what it does".to_owned();
            self.fault(value.span(), unnamed, ("is no button".to_owned(), remedy));
            return None;
        };
        let at = value.span();
        let name = self.member(table, &at, &unnamed, "name")?;
        let (path, whole) = (
            place(parent, &name.1),
            format!("{menu}{}", place(parent, &name.1)),
        );
        let most = match row {
            Row::Lowest => MAX_NAME_BYTES,
            Row::Inner => MAX_SUB_NAME_BYTES,
        };
        if let Some(problem) = limit::name(&name.1, most) {
            self.fault(name.0, format!("{unnamed}: name = {:?}", name.1), problem);
        }
        let action = match table.get("sub_button") {
            Some(inner) if row == Row::Lowest => {
                self.known(&whole, table, &["name", "sub_button"]);
                let buttons = self.buttons(inner, Row::Inner, menu, &path);
                if matches!(inner.get_ref(), DeValue::Array(items) if items.is_empty()) {
                    let remedy = "write [[button.sub_button]] once for each, or give it a type";
                    let problem = ("opens nothing".to_owned(), remedy.to_owned());
                    self.fault(inner.span(), &whole, problem);
                }
                Action::Open(buttons)
            }
            Some(inner) => {
                let problem = "a button that opens from another cannot open a third row";
                let remedy = "give it a type instead of sub_button".to_owned();
                self.fault(inner.span(), &whole, (problem.to_owned(), remedy));
                return None;
            }
            None => Action::Tap(self.tap(table, &at, &whole)?),
        };
        Some(Button {
            name: name.1,
            action,
        })
    }

    fn tap(&mut self, table: &DeTable<'t>, at: &Range<usize>, whole: &str) -> Option<Tap> {
        let (type_at, written) = self.member(table, at, whole, "type")?;
        let Some(kind) = Kind::parse(&written) else {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            let remedy = format!("choose one of {}", names.join(", "));
            let place = format!("{whole}: type = {written:?}");
            self.fault(type_at, place, ("is no type of button".to_owned(), remedy));
            return None;
        };
        let keys: Vec<&str> = ["name", "type"]
            .iter()
            .chain(kind.members())
            .copied()
            .collect();
        self.known(whole, table, &keys);
        let mut values = Vec::new();
        for member in kind.members() {
            let Some((at, value)) = self.member(table, at, whole, member) else {
                continue;
            };
            if let Some(problem) = limit::value(kind, member, &value) {
                self.fault(at, format!("{whole}: {member} = {value:?}"), problem);
            }
            values.push(value);
        }
        (values.len() == kind.members().len()).then_some(Tap { kind, values })
    }

    /// A member that must be there, and a text.
    fn member(
        &mut self,
        table: &DeTable<'t>,
        at: &Range<usize>,
        whole: &str,
        key: &str,
    ) -> Option<(Range<usize>, String)> {
        let place = format!("{whole}: {key}");
        let Some(value) = table.get(key) else {
            let remedy = match key {
                "type" => "write what it does, type = \"click\" say; one that opens others has [[button.sub_button]] instead".to_owned(),
                _ => format!("write {key} = \"…\""),
            };
            self.fault(at.clone(), place, ("is missing".to_owned(), remedy));
            return None;
        };
        match value.get_ref() {
            DeValue::String(text) => Some((value.span(), text.clone().into_owned())),
            _ => {
                let remedy = format!("write it in quotes: {key} = \"…\"");
                self.fault(value.span(), place, ("is no text".to_owned(), remedy));
                None
            }
        }
    }

    fn conditionals(&mut self, value: &Value<'t>, default: &[Button]) -> Vec<Conditional> {
        let items = self.list(value, "conditionalmenu", "conditionalmenu");
        let numbered = items.iter().enumerate();
        let menus: Vec<Conditional> = numbered
            .filter_map(|(index, item)| self.conditional(item, index + 1))
            .collect();
        if !items.is_empty() && default.is_empty() {
            let problem = "needs a default menu (65303)".to_owned();
            let remedy = "write [[button]] for those whom no rule matches".to_owned();
            self.fault(value.span(), "conditionalmenu", (problem, remedy));
        }
        if let Domains::TooMany(hosts) = limit::domains(&menus) {
            let problem = format!(
                "link to more than {MAX_CONDITIONAL_DOMAINS} domains together ({hosts}), which the platform refuses (65316)"
            );
            let remedy = "use fewer domains, or link through one of your own".to_owned();
            self.fault(value.span(), "conditionalmenu", (problem, remedy));
        }
        menus
    }

    fn conditional(&mut self, value: &Value<'t>, number: usize) -> Option<Conditional> {
        let whole = format!("conditionalmenu {number}");
        let DeValue::Table(table) = value.get_ref() else {
            let remedy = "write [[conditionalmenu]] with matchrule and button".to_owned();
            self.fault(value.span(), whole, ("is no menu".to_owned(), remedy));
            return None;
        };
        self.known(&whole, table, &["matchrule", "button"]);
        let matchrule = self.matchrule(table.get("matchrule"), &value.span(), &whole);
        let Some(buttons) = table.get("button") else {
            let remedy = "write [[conditionalmenu.button]] for each button".to_owned();
            let place = format!("{whole}: button");
            self.fault(value.span(), place, ("is missing".to_owned(), remedy));
            return None;
        };
        let button = self.buttons(buttons, Row::Lowest, &format!("{whole}: "), "");
        if matches!(buttons.get_ref(), DeValue::Array(items) if items.is_empty()) {
            let remedy = "write its buttons, or remove it".to_owned();
            self.fault(buttons.span(), &whole, ("has no button".to_owned(), remedy));
        }
        Some(Conditional {
            matchrule: matchrule?,
            button,
        })
    }

    fn matchrule(
        &mut self,
        value: Option<&Value<'t>>,
        menu: &Range<usize>,
        whole: &str,
    ) -> Option<MatchRule> {
        let place = format!("{whole}: matchrule");
        let table = value.map(|value| (value.span(), value.get_ref()));
        let Some((at, DeValue::Table(table))) = table else {
            let remedy = "write matchrule = { tag_id = 100 } or { client_platform_type = 1 }";
            let problem = ("is missing".to_owned(), remedy.to_owned());
            self.fault(table.map_or(menu.clone(), |(at, _)| at), place, problem);
            return None;
        };
        for (key, _) in table {
            let (at, key) = (key.span(), key.get_ref().as_ref());
            let problem = match key {
                "tag_id" | "client_platform_type" => continue,
                "group_id" => ("is the older name of tag_id", "write tag_id"),
                key if WITHDRAWN.contains(&key) => (
                    "was withdrawn by the platform (65320)",
                    "give such users a tag, and write tag_id",
                ),
                _ => (
                    "is not known",
                    "there can be tag_id and client_platform_type",
                ),
            };
            let problem = (problem.0.to_owned(), problem.1.to_owned());
            self.fault(at, format!("{place}: {key}"), problem);
        }
        let tag_id = self.number(table, &place, "tag_id");
        let client = self.number(table, &place, "client_platform_type");
        let client_platform_type = client.and_then(|(at, number)| {
            let client = Client::from_number(number);
            if client.is_none() {
                let problem = "is no kind of device".to_owned();
                let remedy = "write 1 (iOS), 2 (Android) or 3 (other)".to_owned();
                let place = format!("{place}: client_platform_type = {number}");
                self.fault(at, place, (problem, remedy));
            }
            client
        });
        if !table.contains_key("tag_id") && !table.contains_key("client_platform_type") {
            let problem = "matches nobody in particular (65304)".to_owned();
            let remedy = "write tag_id, client_platform_type, or both".to_owned();
            self.fault(at, place, (problem, remedy));
        }
        Some(MatchRule {
            tag_id: tag_id.map(|(_, tag)| tag),
            client_platform_type,
        })
    }

    /// A number, in quotes or not: the platform itself writes it in quotes.
    fn number(
        &mut self,
        table: &DeTable<'t>,
        place: &str,
        key: &str,
    ) -> Option<(Range<usize>, i64)> {
        let value = table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| *number >= 0);
        if number.is_none() {
            let remedy = format!("write a number: {key} = 2");
            let place = format!("{place}: {key}");
            self.fault(value.span(), place, ("is no number".to_owned(), remedy));
        }
        number.map(|number| (value.span(), number))
    }
}
