//! The calls that make what the account has into what the file says.

use std::fmt;

use serde_json::{Value, json};

use super::difference::{all, compare};
use super::limit::{self, Domains};
use super::wire::{button_json, matchrule_json};
use super::{Button, Conditional, Current, Difference, Found, Menu, Origin, Sign, counted};

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Deletes the default menu, and every conditional one with it.
    Delete,
    /// Makes the default menu, in place of the one that is there.
    Create(Vec<Button>),
    /// Deletes a conditional menu.
    DeleteConditional(Found),
    /// Makes a conditional menu, which wins over all that are there.
    AddConditional(Conditional),
}

impl Call {
    /// The method.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Delete => "GET",
            _ => "POST",
        }
    }

    /// The path.
    pub const fn path(&self) -> &'static str {
        match self {
            Self::Delete => "/cgi-bin/menu/delete",
            Self::Create(_) => "/cgi-bin/menu/create",
            Self::DeleteConditional(_) => "/cgi-bin/menu/delconditional",
            Self::AddConditional(_) => "/cgi-bin/menu/addconditional",
        }
    }

    /// The JSON body.
    pub fn body(&self) -> Option<Value> {
        match self {
            Self::Delete => None,
            Self::Create(buttons) => Some(json!({ "button": button_json(buttons) })),
            Self::DeleteConditional(found) => Some(json!({ "menuid": found.menuid })),
            Self::AddConditional(menu) => Some(json!({
                "button": button_json(&menu.button),
                "matchrule": matchrule_json(&menu.matchrule),
            })),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method(), self.path())?;
        match self {
            Self::Delete => write!(f, "every menu"),
            Self::Create(buttons) => write!(f, "the default menu, {}", counted(buttons)),
            Self::DeleteConditional(found) => {
                write!(f, "menuid {} ({})", found.menuid, found.menu.matchrule)
            }
            Self::AddConditional(menu) => {
                write!(f, "{}; {}", menu.matchrule, counted(&menu.button))
            }
        }
    }
}

/// What differs, and the calls that end it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What differs.
    pub differences: Vec<Difference>,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The plan as one JSON object.
    pub fn to_json(&self) -> Value {
        let difference = |difference: &Difference| {
            json!({
                "change": difference.sign.name(),
                "place": difference.place,
                "text": difference.text,
            })
        };
        let call = |call: &Call| json!({ "method": call.method(), "path": call.path(), "body": call.body() });
        json!({
            "drift": !self.is_empty(),
            "differences": self.differences.iter().map(difference).collect::<Vec<_>>(),
            "calls": self.calls.iter().map(call).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            write!(f, "no difference: the account's menu is as the file says")?;
        }
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for (number, call) in (1..).zip(&self.calls) {
            let separator = if number > 1 { "\n" } else { "" };
            write!(f, "{separator}call {number}: {call}")?;
        }
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}

/// Plans how the account comes to have the wanted menu.
///
/// A conditional menu cannot be changed: it is deleted and made anew. The newest one wins, so those that
/// come before a new one in the file are made anew, too. The default menu comes first, because the
/// others need it and its refusal then leaves everything as it was; deletions come before additions,
/// because of [`MAX_CONDITIONAL_DOMAINS`](super::MAX_CONDITIONAL_DOMAINS).
pub fn plan(wanted: &Menu, current: &Current) -> Plan {
    let mut plan = Plan {
        notes: notes(wanted, current),
        ..Plan::default()
    };
    let found = &current.conditionalmenu[..];
    let has_menu = current.origin == Origin::Api;
    let button: &[Button] = if has_menu { &current.button } else { &[] };
    if has_menu && wanted.button.is_empty() {
        plan.differences = all("", Sign::Removed, button);
        for found in found {
            plan.differences.extend(gone(found));
        }
        plan.calls.push(Call::Delete);
        return plan;
    }
    if wanted.button != button {
        plan.differences = compare("", button, &wanted.button);
        plan.calls.push(Call::Create(wanted.button.clone()));
    }
    let (kept, first_kept) = kept(&wanted.conditionalmenu, found);
    let mut deleted = Vec::new();
    for (index, found) in found.iter().enumerate() {
        if !kept.contains(&index) {
            deleted.push(found);
        }
    }
    let made = wanted.conditionalmenu.get(..first_kept).unwrap_or_default();
    plan.differences
        .extend(conditional_differences(&deleted, made));
    let deletions = deleted.into_iter().cloned();
    plan.calls.extend(deletions.map(Call::DeleteConditional));
    let additions = made.iter().rev().cloned();
    plan.calls.extend(additions.map(Call::AddConditional));
    plan
}

/// Which of the account's menus may stay: the longest end of the wanted list that is there in the same
/// order, for whatever is made now will win over it. Also where that end begins.
fn kept(wanted: &[Conditional], found: &[Found]) -> (Vec<usize>, usize) {
    let (mut kept, mut first, mut end) = (Vec::new(), wanted.len(), found.len());
    for (index, menu) in wanted.iter().enumerate().rev() {
        let older = found.get(..end).unwrap_or_default();
        let same = older
            .iter()
            .rposition(|found| found.foreign.is_empty() && found.menu == *menu);
        let Some(same) = same else { break };
        kept.push(same);
        (first, end) = (index, same);
    }
    (kept, first)
}

fn conditional(menu: &Conditional) -> String {
    format!("conditionalmenu ({})", menu.matchrule)
}

fn gone(found: &Found) -> Vec<Difference> {
    let place = conditional(&found.menu);
    let mut told = vec![Difference {
        sign: Sign::Removed,
        place: place.clone(),
        text: format!("menuid {}", found.menuid),
    }];
    told.extend(all(
        &format!("{place}: "),
        Sign::Removed,
        &found.menu.button,
    ));
    told
}

/// A menu that is made takes the place of the deleted one with the same rule, if there is one.
fn conditional_differences(deleted: &[&Found], made: &[Conditional]) -> Vec<Difference> {
    let mut left = deleted.to_vec();
    let mut told = Vec::new();
    for menu in made {
        let place = conditional(menu);
        let inside = format!("{place}: ");
        let before = left
            .iter()
            .position(|found| found.foreign.is_empty() && found.menu.matchrule == menu.matchrule);
        let Some(before) = before.map(|index| left.remove(index)) else {
            let text = counted(&menu.button);
            let sign = Sign::Added;
            told.push(Difference { sign, place, text });
            told.extend(all(&inside, Sign::Added, &menu.button));
            continue;
        };
        let (sign, text) = if before.menu == *menu {
            (Sign::Anew, "the same, made anew so that the order is right")
        } else {
            (
                Sign::Changed,
                "deleted and made anew, for it cannot be changed",
            )
        };
        told.push(Difference {
            sign,
            place,
            text: format!("menuid {}: {text}", before.menuid),
        });
        told.extend(compare(&inside, &before.menu.button, &menu.button));
    }
    told.extend(left.into_iter().flat_map(gone));
    told
}

fn notes(wanted: &Menu, current: &Current) -> Vec<String> {
    let mut notes = Vec::new();
    if current.origin == Origin::Console && !wanted.button.is_empty() {
        notes.push(
            "the menu that users see now was made in the console; the new one takes its place; `wxhook menu pull` keeps it as a file"
                .to_owned(),
        );
    }
    for (index, menu) in wanted.conditionalmenu.iter().enumerate() {
        let earlier = wanted.conditionalmenu.iter().take(index);
        let covering = earlier
            .enumerate()
            .find(|(_, earlier)| earlier.matchrule.covers(&menu.matchrule));
        if let Some((earlier, _)) = covering {
            notes.push(format!(
                "conditionalmenu {} is never shown: whomever it matches, conditionalmenu {} matches first",
                index + 1,
                earlier + 1
            ));
        }
    }
    if let Domains::Perhaps(hosts) = limit::domains(&wanted.conditionalmenu) {
        notes.push(format!(
            "the conditional menus link to {hosts}; if those are more than 3 domains, the platform refuses them (65316)"
        ));
    }
    notes
}
