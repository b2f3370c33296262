//! Two columns of text: the user on the left, the server on the right.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::output::{Failure, line};

/// Cells of the left column; a Chinese character takes two.
const LEFT: usize = 46;
/// Cells of the right column.
const RIGHT: usize = 70;

/// Prints in two columns.
#[derive(Debug, Default)]
pub(super) struct Columns;

impl Columns {
    pub(super) fn title(&self, left: &str, right: &str) -> Result<(), Failure> {
        self.row(left, right)?;
        self.row(&"─".repeat(LEFT - 2), &"─".repeat(RIGHT - 2))
    }

    /// What the user sees or does.
    pub(super) fn user(&self, text: &str) -> Result<(), Failure> {
        self.row(text, "")
    }

    /// What the server does.
    pub(super) fn server(&self, text: &str) -> Result<(), Failure> {
        self.row("", text)
    }

    /// Both, side by side; long texts go on below.
    pub(super) fn row(&self, left: &str, right: &str) -> Result<(), Failure> {
        let (left, right) = (wrap(left, LEFT - 2), wrap(right, RIGHT));
        for index in 0..left.len().max(right.len()).max(1) {
            let left = left.get(index).map_or("", String::as_str);
            let right = right.get(index).map_or("", String::as_str);
            let gap = " ".repeat(LEFT.saturating_sub(left.width()));
            line(format_args!("{left}{gap}{right}").to_string().trim_end())?;
        }
        Ok(())
    }

    /// Something that is neither.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        line("")?;
        line(text)?;
        line("")
    }
}

/// Breaks at blanks where there are some, else between characters, as Chinese text is.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut current = String::new();
        for piece in paragraph.split_inclusive(' ') {
            if !current.is_empty() && current.width() + piece.trim_end().width() > width {
                lines.push(std::mem::take(&mut current));
            }
            for character in piece.chars() {
                if current.width() + character.width().unwrap_or(0) > width {
                    lines.push(std::mem::take(&mut current));
                }
                current.push(character);
            }
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_or_between_chinese_characters() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("已发货明天送达", 6), ["已发货", "明天送", "达"]);
        assert!(wrap("", 6).is_empty());
    }
}
