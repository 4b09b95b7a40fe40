//! Columns and lines that come out right whether the text is Chinese or not.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns a person reads without turning their head.
pub const WIDTH: usize = 96;

/// A number with its thousands apart: `2,119`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `text` and as many spaces as fill `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// `head`, then `text` beside it: wrapped at [`WIDTH`], continued under its own beginning.
pub fn hang(head: &str, text: &str) -> String {
    let indent = head.width();
    let mut out = head.to_owned();
    for (index, line) in wrap(text, WIDTH.saturating_sub(indent).max(20)).iter().enumerate() {
        if index > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(line);
    }
    out
}

/// The lines of `text`, none wider than `width` unless one word is.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in words(paragraph) {
            if !line.is_empty() && line.width() + word.trim_end().width() > width {
                lines.push(line.trim_end().to_owned());
                line.clear();
            }
            line.push_str(if line.is_empty() { word.trim_start() } else { word });
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What must stay on one line: words with the space after them, single Chinese characters with the punctuation after them.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let wide = |c: char| c.width() == Some(2);
        let closes = matches!(
            c,
            '\u{ff0c}'
                | '。'
                | '、'
                | '\u{ff1b}'
                | '\u{ff1a}'
                | '\u{ff09}'
                | '”'
                | '》'
                | '\u{ff1f}'
                | '\u{ff01}'
                | ','
                | '.'
        );
        let opened = matches!(before, Some('\u{ff08}' | '“' | '《'));
        let breaks = before.is_some_and(|b| (b == ' ' && c != ' ') || wide(b) || wide(c));
        if breaks && !closes && !opened && c != ' ' && at > start {
            words.push(&text[start..at]);
            start = at;
        }
        before = Some(c);
    }
    words.push(&text[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn lines_break_between_words_and_between_characters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(
            wrap("证明已经核对\u{ff0c}没有使用网络。", 12),
            ["证明已经核", "对\u{ff0c}没有使用", "网络。"]
        );
        assert_eq!(wrap("见 record 37 号", 9), ["见 record", "37 号"]);
        assert_eq!(wrap("a\nb", 8), ["a", "b"]);
        assert_eq!(hang("  1 ✔ 文件  ", "一致"), "  1 ✔ 文件  一致");
        assert_eq!(pad("文件", 6), "文件  ");
    }
}
