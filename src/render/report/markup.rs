//! Foreign text in Markdown, as GitHub renders it: every character that could mean something is written as a
//! character reference, which Markdown and HTML show and never obey.

use std::fmt::Write as _;

use crate::render::terminal::clean;

/// Text in a sentence, a table or an HTML element.
pub(super) fn text(foreign: &str) -> String {
    let cleaned = clean(foreign);
    let mut out = String::with_capacity(cleaned.len());
    for (place, c) in cleaned.char_indices() {
        let before = cleaned.get(..place).unwrap_or_default();
        let rest = cleaned.get(place + c.len_utf8()..).unwrap_or_default();
        match c {
            // GitHub finds mentions and issues in the text that is shown, so what is shown has to differ.
            '@' => out.push_str("&#64;&#8203;"),
            '#' => out.push_str("&#35;&#8203;"),
            c if starts_link(before, c, rest) => {
                let _ = write!(out, "&#{};&#8203;", u32::from(c));
            }
            c if is_markup(c) || starts_block(before, c) => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A name or a value, set as code.
pub(super) fn code(foreign: &str) -> String {
    let cleaned = clean(foreign);
    let is_plain = |c: char| c.is_alphanumeric() || " .,:;/-_+=()%*@#?'\"…".contains(c);
    if !cleaned.is_empty() && cleaned.trim() == cleaned && cleaned.chars().all(is_plain) {
        return format!("`{cleaned}`");
    }
    html_code(foreign)
}

/// The same where Markdown is not read: in the summary of collapsible details.
pub(super) fn html_code(foreign: &str) -> String {
    format!("<code>{}</code>", text(foreign))
}

/// Lines in a block that nothing in them can end.
pub(super) fn fenced(language: &str, lines: &str) -> String {
    let cleaned: Vec<String> = lines.lines().map(clean).collect();
    let longest = cleaned.iter().map(|line| longest_run(line, '`')).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = format!("{fence}{language}\n");
    for line in cleaned {
        out += &line;
        out.push('\n');
    }
    out + &fence + "\n"
}

fn is_markup(c: char) -> bool {
    "&<>`*_[]|~\\!$\"'".contains(c)
}

/// What makes a heading, a list, a quote or a rule at the start of a block.
fn starts_block(before: &str, c: char) -> bool {
    match c {
        '-' | '+' | '=' => before.trim().is_empty(),
        '.' | ')' => !before.is_empty() && before.chars().all(|digit| digit.is_ascii_digit()),
        _ => false,
    }
}

/// What GitHub makes a link of although nobody asked for one.
fn starts_link(before: &str, c: char, rest: &str) -> bool {
    let ends_in_www = before.len() >= 3
        && before.get(before.len() - 3..).is_some_and(|end| end.eq_ignore_ascii_case("www"));
    (c == ':' && rest.starts_with('/')) || (c == '.' && ends_in_www)
}

fn longest_run(line: &str, wanted: char) -> usize {
    line.split(|c| c != wanted).map(str::len).max().unwrap_or_default()
}

#[test]
fn foreign_text_means_nothing_to_markdown() {
    assert_eq!(
        text("a|b <img> [x](http://y) **z**"),
        "a&#124;b &#60;img&#62; &#91;x&#93;(http&#58;&#8203;//y) &#42;&#42;z&#42;&#42;"
    );
    assert_eq!(text("- x"), "&#45; x");
    assert_eq!(text("12. x"), "12&#46; x");
    assert_eq!(text("@owner #1 www.x.y"), "&#64;&#8203;owner &#35;&#8203;1 www&#46;&#8203;x.y");
    assert_eq!(code("arn:aws:iam::1:role/x"), "`arn:aws:iam::1:role/x`");
    assert_eq!(code("a`b"), "<code>a&#96;b</code>");
    assert_eq!(fenced("", "a\n````\nb"), "`````\na\n````\nb\n`````\n");
}
