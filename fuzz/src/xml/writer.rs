//! Writes documents by instructions, one byte each, and knows what must be read in them.

use std::collections::HashMap;

use crate::protocol::{MAX_DEPTH, MAX_ELEMENTS};

/// Names that the platform's headers do not have. In the last two, blanks matter.
const NAMES: [&str; 8] = [
    "a", "item", "List", "b-c.d:e", "PicList", "图", "Title", "Label",
];
const TEXTS: [&str; 8] = [" ", "\n", "x", "]]>", "&", "<b>", "中 文", "😀]"];
const HEADERS: [(&str, &str); 3] = [("FromUserName", "o1"), ("MsgType", "event"), ("Event", "e")];

/// What no writer writes.
const ODDITIES: [&[u8]; 8] = [
    b"<\xFF/>",
    b"\xE4\xB8",
    b"\x10",
    b"&#16;&e;&",
    b"<a k='</a>' l=\">\"/>",
    b"]]>",
    b"<a><![CDATA[<!DOCTYPE x>]]></a >",
    b"<MsgId>1</MsgId>",
];

pub(super) struct Written {
    pub(super) document: Vec<u8>,
    pub(super) expected: Expected,
}

pub(super) enum Expected {
    /// Path and text of each element without children.
    Fields(Vec<(String, String)>),
    Malformed,
    /// It holds an oddity.
    Unknown,
}

struct Element {
    name: &'static str,
    parent: Option<usize>,
    has_children: bool,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    Section(&'static str),
    /// A comment or an instruction: two texts beside it are two.
    Markup,
}

pub(super) fn write(instructions: &[u8]) -> Written {
    let mut writer = Writer {
        document: Vec::new(),
        is_odd: false,
        elements: Vec::new(),
        open: Vec::new(),
        depth: 0,
    };
    writer.open("xml");
    for (name, text) in HEADERS {
        writer.open(name);
        writer.text(text);
        writer.close();
    }
    instructions.iter().for_each(|byte| writer.follow(*byte));
    while !writer.open.is_empty() {
        writer.close();
    }
    let expected = match writer.is_sound() {
        _ if writer.is_odd => Expected::Unknown,
        true => Expected::Fields(writer.fields()),
        false => Expected::Malformed,
    };
    Written {
        document: writer.document,
        expected,
    }
}

struct Writer {
    document: Vec<u8>,
    is_odd: bool,
    elements: Vec<Element>,
    /// The elements that are open, as indices.
    open: Vec<usize>,
    /// The most that were open.
    depth: usize,
}

impl Writer {
    fn follow(&mut self, instruction: u8) {
        let (what, which) = (instruction & 7, usize::from(instruction >> 3) % 8);
        match what {
            0 | 1 => self.open(NAMES[which]),
            2 if self.open.len() > 1 => self.close(),
            2 | 3 => {
                self.open(NAMES[which]);
                self.close();
            }
            4 => self.text(TEXTS[which]),
            5 => self.section(TEXTS[which]),
            6 if which < 4 => self.markup("<!-- <a> ]]> -->"),
            6 => self.markup("<?p <a> ?>"),
            _ => {
                self.document.extend_from_slice(ODDITIES[which]);
                self.is_odd = true;
            }
        }
    }

    fn open(&mut self, name: &'static str) {
        let parent = self.open.last().copied();
        if let Some(parent) = parent {
            self.elements[parent].has_children = true;
        }
        self.open.push(self.elements.len());
        self.depth = self.depth.max(self.open.len());
        self.elements.push(Element {
            name,
            parent,
            has_children: false,
            pieces: Vec::new(),
        });
        self.put(&["<", name, ">"]);
    }

    fn close(&mut self) {
        if let Some(at) = self.open.pop() {
            self.put(&["</", self.elements[at].name, ">"]);
        }
    }

    fn put(&mut self, texts: &[&str]) {
        let bytes = texts.iter().flat_map(|text| text.bytes());
        self.document.extend(bytes);
    }

    fn pieces(&mut self) -> &mut Vec<Piece> {
        let at = *self.open.last().expect("the root stays open");
        &mut self.elements[at].pieces
    }

    fn text(&mut self, text: &str) {
        let written = text
            .replace('&', "&amp;")
            .replace('<', "&#x3C;")
            .replace('>', "&#62;");
        self.put(&[&written]);
        match self.pieces().last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.pieces().push(Piece::Text(text.to_owned())),
        }
    }

    fn section(&mut self, text: &'static str) {
        let split = text.replace("]]>", "]]]]><![CDATA[>");
        self.put(&["<![CDATA[", &split, "]]>"]);
        self.pieces().push(Piece::Section(text));
    }

    fn markup(&mut self, markup: &str) {
        self.put(&[markup]);
        self.pieces().push(Piece::Markup);
    }

    /// Neither too deep nor too large, and no text beside elements.
    fn is_sound(&self) -> bool {
        let mixes = |element: &Element| element.has_children && element.has_text();
        self.depth <= MAX_DEPTH
            && self.elements.len() <= MAX_ELEMENTS
            && !self.elements.iter().any(mixes)
    }

    fn fields(&self) -> Vec<(String, String)> {
        let mut counted: HashMap<(Option<usize>, &str), usize> = HashMap::new();
        let mut indices = Vec::new();
        for element in &self.elements {
            let count = counted.entry((element.parent, element.name)).or_default();
            indices.push(*count);
            *count += 1;
        }
        let step = |at: usize| {
            let element = &self.elements[at];
            match counted[&(element.parent, element.name)] {
                1 => element.name.to_owned(),
                _ => format!("{}[{}]", element.name, indices[at]),
            }
        };
        let mut fields = Vec::new();
        let mut paths: Vec<String> = Vec::new();
        for (at, element) in self.elements.iter().enumerate() {
            let path = match element.parent {
                None => String::new(),
                Some(0) => step(at),
                Some(parent) => format!("{}/{}", paths[parent], step(at)),
            };
            if !element.has_children {
                fields.push((path.clone(), element.read()));
            }
            paths.push(path);
        }
        fields
    }
}

impl Element {
    fn has_text(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(text) => !text.trim().is_empty(),
            Piece::Section(text) => !text.trim().is_empty(),
            Piece::Markup => false,
        })
    }

    /// Blank texts beside a section are layout; blanks around the whole count only where people write.
    fn read(&self) -> String {
        let has_section = self
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Section(_)));
        let mut joined = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) if has_section && text.trim().is_empty() => {}
                Piece::Text(text) => joined += text,
                Piece::Section(text) => joined += text,
                Piece::Markup => {}
            }
        }
        match self.name {
            "Title" | "Label" => joined,
            _ => joined.trim().to_owned(),
        }
    }
}
