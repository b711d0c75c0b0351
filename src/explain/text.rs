//! Small scanners over the text of a message.

use crate::model::redact::redact;

/// A message is read up to this many bytes: no runtime prints a longer one that says more.
pub(super) const LONGEST: usize = 64 * 1024;

/// One line of plain text: cut at [`LONGEST`], without secrets, without the escapes of nested quotes and the colours
/// of terminals, with single blanks in place of line ends and other white space.
pub(super) fn flatten(raw: &str) -> String {
    let redacted = redact(&without_links(&without_colours(&unescape(beginning(raw, LONGEST)))));
    let redacted = redacted.replace(|c: char| c.is_control() && !c.is_whitespace(), "");
    let mut out = String::with_capacity(redacted.len());
    for word in redacted.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The text between two marks: after the first `before`, up to the next `after`.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// The text from one byte position up to another, on the boundaries of characters.
pub(super) fn excerpt(text: &str, from: usize, to: usize) -> String {
    let mut from = from.min(text.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = to.clamp(from, text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    text.get(from..to).unwrap_or_default().trim_matches([' ', ',', ':', ';']).to_owned()
}

/// The text up to a byte position, on the boundary of a character.
pub(super) fn beginning(raw: &str, longest: usize) -> &str {
    let mut end = raw.len().min(longest);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    raw.get(..end).unwrap_or_default()
}

/// Undoes what logs do to a message inside a quoted string, any number of levels deep.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '“', '”']) {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let after = behind.trim_start_matches('\\');
        let had_backslash = after.len() < behind.len();
        let (replacement, length) = match after.as_bytes() {
            _ if !had_backslash => ("\"", "“".len()),
            [b'"', ..] => ("\"", 1),
            [b'n' | b'r', next, ..] if !next.is_ascii_lowercase() || had_line_end(before) => ("\n", 1),
            [b'n' | b'r' | b't', ..] => (" ", 1),
            [b'u', b'0', b'0', b'3', b'c' | b'C', ..] => ("<", 5),
            [b'u', b'0', b'0', b'3', b'e' | b'E', ..] => (">", 5),
            [b'u', b'0', b'0', b'2', b'6', ..] => ("&", 5),
            [b'u', b'0', b'0', b'1', b'b' | b'B', ..] => (ESCAPE, 5),
            [b'u', b'0', b'0', b'0', b'7', ..] => (BELL, 5),
            [b'x', b'1', b'b' | b'B', ..] | [b'0', b'3', b'3', ..] => (ESCAPE, 3),
            [b'x', b'0', b'7', ..] | [b'0', b'0', b'7', ..] => (BELL, 3),
            _ => ("", 0),
        };
        out.push_str(replacement);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Begins a control sequence of terminals, which ends with a letter (ECMA-48).
const ESCAPE: &str = "\u{1b}";

/// Ends a command to the terminal, such as the address of a link.
const BELL: &str = "\u{7}";

fn without_colours(text: &str) -> String {
    let mut pieces = text.split(ESCAPE).peekable();
    let mut out = pieces.next().unwrap_or_default().to_owned();
    while let Some(piece) = pieces.next() {
        if let Some(command) = piece.strip_prefix(']') {
            // A command ends with a bell or with another escape; one that does not end is text.
            match command.split_once(BELL) {
                Some((_, behind)) => out.push_str(behind),
                None if pieces.peek().is_some() => {}
                None => out.push_str(command),
            }
            continue;
        }
        let shown = match piece.strip_prefix('[') {
            Some(sequence) => sequence.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'),
            None => piece,
        };
        let is_sequence = shown.len() < piece.len() && shown.starts_with(|c: char| c.is_ascii_alphabetic());
        out.push_str(if is_sequence { shown.get(1..).unwrap_or_default() } else { shown });
    }
    out
}

/// `[TEXT](http://TEXT)`, as issue trackers write what looks like a host, is TEXT.
fn without_links(text: &str) -> String {
    let mut pieces = text.split("](http");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let word = out.char_indices().rev().take(1_000).take_while(|(_, c)| !c.is_whitespace());
        let begin = word.filter(|(_, c)| *c == '[').map(|(at, _)| at).next();
        let behind = piece.find([')', ' ', '\n']).and_then(|end| piece.get(end..)?.strip_prefix(')'));
        match (begin, behind) {
            (Some(begin), Some(behind)) => {
                out.remove(begin);
                out.push_str(behind);
            }
            _ => {
                out.push_str("](http");
                out.push_str(piece);
            }
        }
    }
    out
}

fn had_line_end(before: &str) -> bool {
    before.ends_with(['.', ':', '>', '\n'])
}

#[test]
fn nested_escapes_and_line_ends_vanish() {
    assert_eq!(flatten("err=\"a \\\\\\\"b\\\\\\\" c\\n\" d\n\te"), "err=\"a \"b\" c \" d e");
    assert_eq!(flatten("\\u003cnil\\u003e “x”"), "<nil> \"x\"");
    assert_eq!(flatten(&"é".repeat(LONGEST)).len(), LONGEST);
    assert_eq!(excerpt("aéb", 2, 2), "é");
}

#[test]
fn links_show_their_text() {
    assert_eq!(
        flatten("image \"[r.io/a:1](http://r.io/a:1)\" at [10.0.0.1:443](http://10.0.0.1:443/)."),
        "image \"r.io/a:1\" at 10.0.0.1:443."
    );
    assert_eq!(flatten("](http [a b](http://c) [d](http x"), "](http [a b](http://c) [d](http x");
}

#[test]
fn colours_and_commands_to_the_terminal_vanish() {
    assert_eq!(flatten("\u{1b}[31mError:\u{1b}[0m image \"\u{1b}[1;4ma:1\u{1b}[m\""), "Error: image \"a:1\"");
    assert_eq!(flatten("\\u001b[31mError\\u001b[0m \\x1b[1mx \\033[0my"), "Error x y");
    assert_eq!(flatten("a\u{1b}b \u{1b}[é \u{1b}"), "ab é");
    assert_eq!(
        flatten("\u{1b}]0;title\u{7}a \u{1b}]8;;http://b\u{7}c\u{1b}]8;;\u{1b}\\ d\u{0}\u{8}e"),
        "a c de"
    );
    assert_eq!(flatten("\\u001b]0;title\\u0007a \u{1b}]b"), "a b");
}
