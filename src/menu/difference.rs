//! What differs between two rows of buttons, as a person says it.

use std::fmt;

use super::{Action, Button, Tap, place};

/// What became of a button or a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It does, or is called, something else.
    Changed,
    /// It is somewhere else.
    Moved,
    /// It is the same, and must be made anew for the sake of the order.
    Anew,
}

impl Sign {
    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Anew => "anew",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Moved => '>',
            Self::Anew => '=',
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What became of it.
    pub sign: Sign,
    /// Of what: `更多 / 官网`.
    pub place: String,
    /// How: `url "https://a.example" → "https://b.example"`.
    pub text: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.sign.letter(), self.place, self.text)
    }
}

/// Where a button is: its place in the lowest row, and above it.
type Position = (usize, usize);

/// A button that has no counterpart where it is.
struct Alone<'m> {
    at: Position,
    path: String,
    button: &'m Button,
}

/// Compares two menus button by button.
struct Comparison<'m> {
    removed: Vec<Alone<'m>>,
    added: Vec<Alone<'m>>,
    found: Vec<(Position, Difference)>,
}

/// What differs, from left to right and from top to bottom. `menu` is put before every place.
pub(super) fn compare(menu: &str, old: &[Button], new: &[Button]) -> Vec<Difference> {
    let mut comparison = Comparison {
        removed: Vec::new(),
        added: Vec::new(),
        found: Vec::new(),
    };
    comparison.row("", None, old, new);
    comparison.pair_what_is_alone();
    comparison.found.sort_by_key(|(at, _)| *at);
    let placed = |(_, difference): (Position, Difference)| Difference {
        place: format!("{menu}{}", difference.place),
        ..difference
    };
    comparison.found.into_iter().map(placed).collect()
}

impl<'m> Comparison<'m> {
    fn row(&mut self, parent: &str, inside: Option<usize>, old: &'m [Button], new: &'m [Button]) {
        let at = |index: usize| match inside {
            None => (index, 0),
            Some(outer) => (outer, index + 1),
        };
        let pairs = pairs(old, new);
        let stays = longest_rise(&pairs);
        for (index, button) in new.iter().enumerate() {
            let Some((from, _)) = pairs.iter().find(|(_, to)| *to == index) else {
                self.alone(true, at(index), parent, button);
                continue;
            };
            let path = place(parent, &button.name);
            if !stays.contains(&index) {
                let text = format!("place {} → {}", from + 1, index + 1);
                self.tell(at(index), Sign::Moved, &path, text);
            }
            self.pair(at(index), &path, &old[*from], button);
        }
        for (index, button) in old.iter().enumerate() {
            if !pairs.iter().any(|(from, _)| *from == index) {
                self.alone(false, at(index), parent, button);
            }
        }
    }

    fn tell(&mut self, at: Position, sign: Sign, path: &str, text: String) {
        let place = path.to_owned();
        self.found.push((at, Difference { sign, place, text }));
    }

    /// A button that opens others takes them with it.
    fn alone(&mut self, is_new: bool, at: Position, parent: &str, button: &'m Button) {
        let path = place(parent, &button.name);
        if let Action::Open(inner) = &button.action {
            for (index, button) in inner.iter().enumerate() {
                self.alone(is_new, (at.0, index + 1), &path, button);
            }
        }
        let alone = Alone { at, path, button };
        if is_new {
            self.added.push(alone);
        } else {
            self.removed.push(alone);
        }
    }

    fn pair(&mut self, at: Position, path: &str, old: &'m Button, new: &'m Button) {
        if old.name != new.name {
            let text = format!("name {:?} → {:?}", old.name, new.name);
            self.tell(at, Sign::Changed, path, text);
        }
        match (&old.action, &new.action) {
            (Action::Open(old), Action::Open(new)) => self.row(path, Some(at.0), old, new),
            (one, other) if one == other => {}
            (Action::Tap(one), Action::Tap(other)) if one.kind == other.kind => {
                self.tell(at, Sign::Changed, path, members(one, other));
            }
            (one, other) => {
                let text = format!("{} → {}", old.told(), new.told());
                self.tell(at, Sign::Changed, path, text);
                for (is_new, action) in [(false, one), (true, other)] {
                    let Action::Open(inner) = action else {
                        continue;
                    };
                    for (index, button) in inner.iter().enumerate() {
                        self.alone(is_new, (at.0, index + 1), path, button);
                    }
                }
            }
        }
    }

    /// The same button in another row has moved; the rest came or went.
    fn pair_what_is_alone(&mut self) {
        for added in std::mem::take(&mut self.added) {
            let same = self.removed.iter().position(|removed| {
                removed.button == added.button && !matches!(added.button.action, Action::Open(_))
            });
            match same.map(|index| self.removed.remove(index)) {
                Some(removed) => {
                    let text = format!("was {}", removed.path);
                    self.tell(added.at, Sign::Moved, &added.path, text);
                }
                None => self.tell(added.at, Sign::Added, &added.path, added.button.told()),
            }
        }
        for removed in std::mem::take(&mut self.removed) {
            let told = removed.button.told();
            self.tell(removed.at, Sign::Removed, &removed.path, told);
        }
    }
}

/// Which old button is which new one, in the order of the new ones: the one of the same name, else the
/// one that does the same.
fn pairs(old: &[Button], new: &[Button]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let by_name = |one: &Button, other: &Button| one.name == other.name;
    let by_action = |one: &Button, other: &Button| one.action == other.action;
    let ways: [fn(&Button, &Button) -> bool; 2] = [by_name, by_action];
    for alike in ways {
        for (to, button) in new.iter().enumerate() {
            if pairs.iter().any(|(_, paired)| *paired == to) {
                continue;
            }
            let from = old.iter().enumerate().position(|(from, candidate)| {
                let is_free = !pairs.iter().any(|(paired, _)| *paired == from);
                is_free && alike(candidate, button)
            });
            pairs.extend(from.map(|from| (from, to)));
        }
    }
    pairs.sort_by_key(|(_, to)| *to);
    pairs
}

/// The new places of the most buttons that have kept their order among each other. Rows are short.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<usize> {
    let mut best: Vec<Vec<(usize, usize)>> = Vec::new();
    for pair in pairs {
        let before = best
            .iter()
            .filter(|rise| rise.last().is_some_and(|last| last.0 < pair.0))
            .max_by_key(|rise| rise.len());
        let mut rise = before.cloned().unwrap_or_default();
        rise.push(*pair);
        best.push(rise);
    }
    let longest = best.into_iter().max_by_key(Vec::len).unwrap_or_default();
    longest.into_iter().map(|(_, to)| to).collect()
}

/// The members of two taps of one type that differ.
fn members(old: &Tap, new: &Tap) -> String {
    let both = old.members().zip(new.members());
    let changed = both.filter(|((_, old), (_, new))| old != new);
    let told = changed.map(|((member, old), (_, new))| format!("{member} {old:?} → {new:?}"));
    told.collect::<Vec<_>>().join(", ")
}

/// Every button of a menu that is all new, or all gone.
pub(super) fn all(menu: &str, sign: Sign, buttons: &[Button]) -> Vec<Difference> {
    match sign {
        Sign::Removed => compare(menu, buttons, &[]),
        _ => compare(menu, &[], buttons),
    }
}
