//! A source file with its comments and texts blanked out, so that rules read code alone.

use std::path::Path;

/// A Rust file, its path relative to the package.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    /// The code, line by line.
    pub(super) lines: Vec<String>,
    /// How many lines come before the file's own tests.
    production: usize,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        let is_tests = |line: &String| line.trim_start().starts_with("#[cfg(test)]");
        let production = lines.iter().position(is_tests).unwrap_or(lines.len());
        Self {
            path: path.to_owned(),
            lines,
            production,
        }
    }

    /// Numbered lines of the part that ships.
    pub(super) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.all().take(self.production)
    }

    /// Numbered lines of the whole file.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(index, line)| (index + 1, line.as_str()))
    }

    /// The room of the house: `dispatch` for `src/dispatch/lane.rs`. None outside `src/`, and for the
    /// façade itself.
    pub(super) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?.trim_end_matches(".rs");
        (room != "lib").then_some(room)
    }

    /// Whether it is compiled into the program or the library.
    pub(super) fn ships(&self) -> bool {
        self.path.starts_with("src/") || self.path.starts_with("handlers/")
    }

    /// Whether it is the file of a module, `simulator/skin` say, or of a module below it.
    pub(super) fn is_within(&self, module: &str) -> bool {
        self.path
            .strip_prefix("src/")
            .and_then(|inside| inside.strip_prefix(module))
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// Every Rust file below these folders, in order.
pub(super) fn read_all(package: &Path, folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        read_folder(package, &package.join(folder), &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn read_folder(package: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(package, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(package).unwrap().to_str().unwrap();
            sources.push(Source::new(
                relative,
                &std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

/// Replaces comments and the insides of texts by blanks; line ends stay.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = comment_or_text(rest);
        let (part, tail) = rest.split_at(length.unwrap_or(first.len_utf8()));
        match length {
            Some(_) => code.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => code.push(first),
        }
        rest = tail;
    }
    code
}

/// The length of the comment, string or character that begins here.
fn comment_or_text(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if let Some(raw) = rest.strip_prefix('r') {
        let fence = raw.len() - raw.trim_start_matches('#').len();
        if raw.trim_start_matches('#').starts_with('"') {
            let end = format!("\"{}", "#".repeat(fence));
            let inside = fence + 2;
            return Some(
                rest[inside..]
                    .find(&end)
                    .map_or(rest.len(), |at| inside + at + end.len()),
            );
        }
    }
    // A character, unless it is a lifetime: those have no second quote close by.
    let inside = rest.strip_prefix('\'')?;
    let is_character = inside.starts_with('\\') || inside.chars().nth(1) == Some('\'');
    is_character.then(|| quoted(rest, '\''))
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn comments_and_texts_are_blanked_and_code_stays() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b\nc */ d", "a     \n     d"),
        (r#"f("x \" // y", 1)"#, "f(           , 1)"),
        (r##"f(r#"a "b" c"#)"##, "f(            )"),
        ("f('\"', 'a', '\\'')", "f(   ,    ,     )"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("for x", "for x"),
        ("\"open", "     "),
    ] {
        assert_eq!(blank(text), expected, "{text}");
    }
}
