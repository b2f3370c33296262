//! A push's document, written again from its fields.

use wxhook::push::{Entry, Kind, Push};

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Every text in a CDATA section.
    Sections,
    /// Every text in a CDATA section, with blanks around it.
    SpacedSections,
    /// Every text as text.
    Plain,
    /// A declaration, a byte order mark, an element on each line.
    Lines,
}

impl Style {
    pub(super) const ALL: [Self; 4] = [
        Self::Sections,
        Self::SpacedSections,
        Self::Plain,
        Self::Lines,
    ];

    fn text(self, text: &str) -> String {
        let section = || format!("<![CDATA[{}]]>", text.replace("]]>", ""));
        match self {
            Self::Sections | Self::Lines => section(),
            Self::SpacedSections => format!(" \n{}\t ", section()),
            Self::Plain => text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;"),
        }
    }
}

/// The leaves in order: paths as in `fields`, and texts.
#[derive(Debug, Clone)]
pub(super) struct Document(Vec<(String, String)>);

impl Document {
    pub(super) fn of(push: &Push) -> Self {
        let fields = push.fields().iter();
        Self(
            fields
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    /// A document of a kind with its headers alone.
    pub(super) fn head(entry: &Entry) -> Self {
        let mut document = Self(Vec::new());
        match entry.kind {
            Kind::Notice => document.push("InfoType", entry.name),
            kind => {
                document.push("FromUserName", "o1");
                let msg_type = if kind == Kind::Event {
                    "event"
                } else {
                    entry.name
                };
                document.push("MsgType", msg_type);
                if kind == Kind::Event {
                    document.push("Event", entry.name);
                }
            }
        }
        document
    }

    pub(super) fn push(&mut self, path: &str, text: &str) {
        self.0.push((path.to_owned(), text.to_owned()));
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Whether an element stands at a path without indices.
    pub(super) fn has(&self, wire: &str) -> bool {
        self.0.iter().any(|(path, _)| bare(path) == wire)
    }

    /// Whether an element with a text stands there.
    pub(super) fn says(&self, wire: &str) -> bool {
        let mut leaves = self.0.iter();
        leaves.any(|(path, text)| bare(path) == wire && !text.is_empty())
    }

    pub(super) fn without(&self, path: &str) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(known, _)| known != path)
                .cloned()
                .collect(),
        )
    }

    pub(super) fn emptied(&self, path: &str) -> Self {
        self.map(|known, text| {
            let text = if known == path {
                String::new()
            } else {
                text.to_owned()
            };
            (known.to_owned(), text)
        })
    }

    /// With what `change` makes of the texts of these elements.
    pub(super) fn with(&self, names: [&str; 3], change: fn(&str) -> String) -> Self {
        self.map(|path, text| {
            let text = if names.contains(&path) {
                change(text)
            } else {
                text.to_owned()
            };
            (path.to_owned(), text)
        })
    }

    /// With all elements at one path at another, which is as deep.
    pub(super) fn respelt(&self, wire: &str, spelling: &str) -> Self {
        self.map(|path, text| {
            let path = match bare(path) == wire {
                true => spelt(path, spelling),
                false => path.to_owned(),
            };
            (path, text.to_owned())
        })
    }

    /// The elements below the root in reverse, but for the order of those with the same name.
    pub(super) fn reversed(&self) -> Self {
        let first = |path: &str| bare(path).split('/').next().unwrap().to_owned();
        let mut names: Vec<String> = self.0.iter().map(|(path, _)| first(path)).collect();
        names.reverse();
        let mut seen = Vec::new();
        names.retain(|name| {
            let is_new = !seen.contains(name);
            seen.push(name.clone());
            is_new
        });
        let of_name = |name: &String| {
            let same = self.0.iter().filter(|(path, _)| first(path) == *name);
            same.cloned().collect::<Vec<_>>()
        };
        Self(names.iter().flat_map(of_name).collect())
    }

    fn map(&self, change: impl Fn(&str, &str) -> (String, String)) -> Self {
        Self(
            self.0
                .iter()
                .map(|(path, text)| change(path, text))
                .collect(),
        )
    }

    pub(super) fn write(&self, style: Style) -> String {
        let gap = if style == Style::Lines { "\n  " } else { "" };
        let mut written = match style {
            Style::Lines => "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml>".to_owned(),
            _ => "<xml>".to_owned(),
        };
        let mut open: Vec<&str> = Vec::new();
        for (path, text) in &self.0 {
            let mut wrappers: Vec<&str> = path.split('/').collect();
            let leaf = wrappers.pop().unwrap();
            let shared = open
                .iter()
                .zip(&wrappers)
                .take_while(|(one, other)| one == other)
                .count();
            close(&mut written, open.drain(shared..));
            for wrapper in &wrappers[shared..] {
                written += &format!("{gap}<{}>", name(wrapper));
                open.push(wrapper);
            }
            let leaf = name(leaf);
            written += &format!("{gap}<{leaf}>{}</{leaf}>", style.text(text));
        }
        close(&mut written, open.drain(..));
        written + "</xml>\n"
    }
}

fn close<'a>(written: &mut String, wrappers: impl DoubleEndedIterator<Item = &'a str>) {
    for wrapper in wrappers.rev() {
        *written += &format!("</{}>", name(wrapper));
    }
}

/// A name without its index.
fn name(segment: &str) -> &str {
    segment.split('[').next().unwrap()
}

/// A path without indices.
fn bare(path: &str) -> String {
    path.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// Another spelling of a path, with the indices of this one.
fn spelt(path: &str, spelling: &str) -> String {
    let segments = path.split('/').zip(spelling.split('/'));
    let indexed = segments.map(|(segment, spelling)| {
        let index = &segment[name(segment).len()..];
        format!("{spelling}{index}")
    });
    indexed.collect::<Vec<_>>().join("/")
}
