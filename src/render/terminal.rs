//! Text from outside, made harmless for a terminal, and colours.

use std::fmt::Write as _;

/// Longer texts from outside are cut, and say so.
const LONGEST: usize = 4_000;

/// One line of foreign text: control characters, escape sequences and the characters that turn the
/// direction of writing are shown as `\u{…}`, so that no name, tag or message can steer the terminal. The same is
/// done to what the logs of pipelines take for a command: `::name` at the start of a word, and `##[` or `##vso[` anywhere.
pub fn clean(foreign: &str) -> String {
    let mut out = String::with_capacity(foreign.len());
    let mut before = ' ';
    for (count, (place, c)) in foreign.char_indices().enumerate() {
        if count == LONGEST {
            let _ = write!(out, "… ({} characters in all)", foreign.chars().count());
            break;
        }
        match c {
            '\t' => out.push(' '),
            c if is_unsafe(c) || starts_command(before, foreign.get(place..).unwrap_or_default()) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// The characters of a text, and whether each has to be escaped in a format that can: it steers a terminal, or starts a
/// command to a pipeline. For formats in which no line starts with foreign text.
pub fn with_risk(foreign: &str) -> impl Iterator<Item = (char, bool)> {
    let rest = |place| foreign.get(place..).unwrap_or_default();
    foreign.char_indices().map(move |(place, c)| (c, is_unsafe(c) || starts_command('"', rest(place))))
}

/// Whether the runner of a pipeline would take the rest of a line for a command to it.
fn starts_command(before: char, rest: &str) -> bool {
    let names_one = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
    // Addresses of IPv6 begin so, too. A word that is wrapped may come to stand at the start of a line.
    (rest.strip_prefix("::").is_some_and(names_one) && before.is_whitespace())
        || rest.starts_with("##[")
        || rest.starts_with("##vso[")
}

/// Characters that steer a terminal, or that nobody sees.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{00ad}' | '\u{e0000}'..='\u{e007f}')
}

/// The styles of the house: colour never is the only carrier of a meaning.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether to use colour at all.
    pub on: bool,
}

impl Paint {
    /// Added, or well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Removed, or broken.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Changed, or not known.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Headings and names.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{202e}d\te"), "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d e");
    assert!(clean(&"x".repeat(5_000)).ends_with("… (5000 characters in all)"));
}

#[test]
fn foreign_text_cannot_command_a_pipeline() {
    assert_eq!(clean("::add-mask::x ::stop"), "\\u{3a}:add-mask::x \\u{3a}:stop");
    assert_eq!(clean("a ##[error] ##vso[task]"), "a \\u{23}#[error] \\u{23}#vso[task]");
    for harmless in ["arn:aws:iam::aws:policy/x ## y", "0.0.0.0/0 ::/0 ::1"] {
        assert_eq!(clean(harmless), harmless);
    }
}
