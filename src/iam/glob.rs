//! Text with wildcards and policy variables.
//!
//! Sources: IAM user guide, "IAM JSON policy elements: Resource" (wildcards) and "IAM policy elements:
//! Variables and tags" (variables, defaults, the escapes `${*}`, `${?}` and `${$}`).

use std::borrow::Cow;

/// A pattern in which `*` stands for any text and `?` for any one character.
///
/// Matching looks for the pieces between the asterisks from left to right, never backwards, so that its
/// time is the product of both lengths at worst, and their sum where no `?` is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `None` is a `?`.
    Mixed(Vec<Option<char>>),
}

/// One element of a pattern before it is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
}

impl Glob {
    /// Every `*` and `?` is a wildcard.
    pub(crate) fn new(pattern: &str) -> Glob {
        Glob::compile(pattern.chars().map(|c| match c {
            '*' => Token::Any,
            '?' => Token::One,
            c => Token::Char(c),
        }))
    }

    fn compile(tokens: impl Iterator<Item = Token>) -> Glob {
        let mut pieces = Vec::new();
        let mut current: Vec<Option<char>> = Vec::new();
        for token in tokens {
            match token {
                Token::Char(c) => current.push(Some(c)),
                Token::One => current.push(None),
                Token::Any => pieces.push(Piece::new(std::mem::take(&mut current))),
            }
        }
        pieces.push(Piece::new(current));
        Glob { pieces }
    }

    /// Whether the whole text fits.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return text.is_empty() };
        let Some(rest) = first.strip_prefix(text) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        let mut rest = rest;
        for piece in middle {
            match piece.find(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        last.is_suffix_of(rest)
    }
}

impl Piece {
    fn new(chars: Vec<Option<char>>) -> Piece {
        match chars.iter().copied().collect::<Option<String>>() {
            Some(text) => Piece::Literal(text),
            None => Piece::Mixed(chars),
        }
    }

    /// What follows the piece where it stands at the start.
    fn strip_prefix<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Piece::Literal(literal) => text.strip_prefix(literal.as_str()),
            Piece::Mixed(chars) => {
                let mut rest = text.chars();
                for wanted in chars {
                    let found = rest.next()?;
                    if wanted.is_some_and(|wanted| wanted != found) {
                        return None;
                    }
                }
                Some(rest.as_str())
            }
        }
    }

    /// What follows the piece where it first stands.
    fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Piece::Literal(literal) => text.split_once(literal.as_str()).map(|(_, after)| after),
            Piece::Mixed(_) => {
                let mut rest = text.chars();
                loop {
                    if let Some(after) = self.strip_prefix(rest.as_str()) {
                        return Some(after);
                    }
                    rest.next()?;
                }
            }
        }
    }

    fn is_suffix_of(&self, text: &str) -> bool {
        match self {
            Piece::Literal(literal) => text.ends_with(literal.as_str()),
            Piece::Mixed(chars) => {
                let mut rest = text.chars();
                chars.iter().rev().all(|wanted| {
                    rest.next_back().is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
                })
            }
        }
    }
}

/// Text of a policy that may hold variables: compiled at once where it holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// Holds no variable.
    Fixed(Glob),
    /// Holds at least one.
    Variable(Vec<Part>),
}

/// A part of a text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Char(char),
    One,
    Any,
    /// The key, in lower case, and what to take where the request does not have it.
    Key {
        key: String,
        default: Option<String>,
    },
}

/// What a variable stands for in one request.
pub(super) enum Value<'a> {
    Known(Cow<'a, str>),
    /// The key is not in the request, or has several values: nothing is equal to it or like it.
    Nothing,
    /// Nobody knows whether the request has the key.
    Unknown,
}

/// Whether `text` fits a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No,
    /// A variable stands for nothing.
    Nothing,
    Unknown,
}

impl Template {
    /// Reads a text. `variables`: the document is of version 2012-10-17. `wildcards`: `*` and `?` have a
    /// meaning here. `adjust` is applied to what is neither (to lower its case).
    pub(super) fn new(text: &str, variables: bool, wildcards: bool, adjust: fn(char) -> char) -> Template {
        let parts = if variables { parts(text, wildcards) } else { plain(text, wildcards).collect() };
        let parts: Vec<Part> = parts
            .into_iter()
            .map(|part| match part {
                Part::Char(c) => Part::Char(adjust(c)),
                Part::Key { key, default } => {
                    Part::Key { key, default: default.map(|text| text.chars().map(adjust).collect()) }
                }
                part => part,
            })
            .collect();
        let fixed: Option<Vec<Token>> = parts.iter().map(Part::token).collect();
        match fixed {
            Some(tokens) => Template::Fixed(Glob::compile(tokens.into_iter())),
            None => Template::Variable(parts),
        }
    }

    /// The keys of its variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let parts = match self {
            Template::Fixed(_) => &[],
            Template::Variable(parts) => parts.as_slice(),
        };
        parts.iter().filter_map(|part| match part {
            Part::Key { key, .. } => Some(key.as_str()),
            _ => None,
        })
    }

    /// Whether a text fits, given what the variables stand for. Wildcards in the value of a variable are
    /// plain characters.
    pub(super) fn fits<'a>(&self, text: &str, mut value: impl FnMut(&str) -> Value<'a>) -> Fit {
        let parts = match self {
            Template::Fixed(glob) => return if glob.matches(text) { Fit::Yes } else { Fit::No },
            Template::Variable(parts) => parts,
        };
        let mut tokens = Vec::with_capacity(parts.len());
        for part in parts {
            match (part.token(), part) {
                (Some(token), _) => tokens.push(token),
                (None, Part::Key { key, default }) => match (value(key), default) {
                    (Value::Known(known), _) => tokens.extend(known.chars().map(Token::Char)),
                    (Value::Unknown, _) => return Fit::Unknown,
                    (Value::Nothing, Some(default)) => tokens.extend(default.chars().map(Token::Char)),
                    (Value::Nothing, None) => return Fit::Nothing,
                },
                (None, _) => {}
            }
        }
        if Glob::compile(tokens.into_iter()).matches(text) { Fit::Yes } else { Fit::No }
    }
}

impl Part {
    fn token(&self) -> Option<Token> {
        match self {
            Part::Char(c) => Some(Token::Char(*c)),
            Part::One => Some(Token::One),
            Part::Any => Some(Token::Any),
            Part::Key { .. } => None,
        }
    }
}

fn plain(text: &str, wildcards: bool) -> impl Iterator<Item = Part> {
    text.chars().map(move |c| match c {
        '*' if wildcards => Part::Any,
        '?' if wildcards => Part::One,
        c => Part::Char(c),
    })
}

fn parts(text: &str, wildcards: bool) -> Vec<Part> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else { break };
        found.extend(plain(before, wildcards));
        found.push(variable(inside));
        rest = behind;
    }
    found.extend(plain(rest, wildcards));
    found
}

fn variable(inside: &str) -> Part {
    let mut chars = inside.chars();
    if let (Some(c @ ('*' | '?' | '$')), None) = (chars.next(), chars.next()) {
        return Part::Char(c);
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => (key, unquoted(default.trim())),
        None => (inside, None),
    };
    Part::Key { key: key.trim().to_lowercase(), default }
}

fn unquoted(text: &str) -> Option<String> {
    text.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned)
}

/// Splits at colons that do not stand inside a variable.
pub(super) fn split_colons(text: &str, most: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && found.len() + 1 < most => {
                found.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    found.extend(text.get(start..));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The textbook definition, by which the matcher is judged.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        let mut row = vec![false; text.len() + 1];
        row[0] = true;
        for p in pattern {
            let mut next = vec![false; text.len() + 1];
            for at in 0..=text.len() {
                next[at] = match p {
                    '*' => row[at] || at > 0 && next[at - 1],
                    '?' => at > 0 && row[at - 1],
                    p => at > 0 && row[at - 1] && text[at - 1] == *p,
                };
            }
            row = next;
        }
        row[text.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn matching_follows_the_definition(pattern in "[abé*?]{0,9}", text in "[abé]{0,9}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Glob::new(&pattern).matches(&text), by_definition(&p, &t));
        }
    }

    #[test]
    fn only_variables_hold_colons_together() {
        assert_eq!(split_colons("a:${b:c}:d", 5), ["a", "${b:c}", "d"]);
        assert_eq!(split_colons("a:{b:c}:d", 5), ["a", "{b", "c}", "d"]);
        assert_eq!(split_colons("a:b:c", 2), ["a", "b:c"]);
    }

    #[test]
    fn adversarial_wildcards_take_no_time() {
        let text = "a".repeat(4_000);
        for pattern in ["*a".repeat(10_000) + "b", "*?".repeat(3_000) + "b", "*a?a".repeat(3_000) + "*b"] {
            let begin = std::time::Instant::now();
            assert!(!Glob::new(&pattern).matches(&text));
            assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
        }
    }

    fn fits(template: &str, text: &str) -> Fit {
        Template::new(template, true, true, |c| c).fits(text, |key| match key {
            "aws:username" => Value::Known("b*b".into()),
            "aws:sourceip" => Value::Unknown,
            _ => Value::Nothing,
        })
    }

    #[test]
    fn variables() {
        for (template, text, expected) in [
            ("home/${aws:username}/*", "home/b*b/x", Fit::Yes),
            ("home/${AWS:UserName}/*", "home/b*b/x", Fit::Yes),
            ("home/${aws:username}/*", "home/bxb/x", Fit::No),
            ("${aws:PrincipalTag/team}", "x", Fit::Nothing),
            ("${aws:PrincipalTag/team, 'company-wide'}", "company-wide", Fit::Yes),
            ("${aws:PrincipalTag/team, 'a*'}", "ab", Fit::No),
            ("${aws:username, 'other'}", "b*b", Fit::Yes),
            ("${aws:SourceIp}", "x", Fit::Unknown),
            ("a${*}b", "a*b", Fit::Yes),
            ("a${*}b", "axb", Fit::No),
            ("a${?}b", "a?b", Fit::Yes),
            ("a${?}b", "axb", Fit::No),
            ("a${$}{b}", "a${b}", Fit::Yes),
            ("${open", "${open", Fit::Yes),
            ("${}", "", Fit::Nothing),
        ] {
            assert_eq!(fits(template, text), expected, "{template} {text}");
        }
    }

    #[test]
    fn version_2008_has_no_variables() {
        let template = Template::new("${aws:username}", false, true, |c| c);
        assert_eq!(template.fits("${aws:username}", |_| Value::Nothing), Fit::Yes);
    }

    #[test]
    fn colons_inside_variables_do_not_split() {
        assert_eq!(
            split_colons("arn:aws:iam::${aws:PrincipalAccount}:role/a:b", 6),
            ["arn", "aws", "iam", "", "${aws:PrincipalAccount}", "role/a:b"]
        );
        assert_eq!(split_colons("a:b", 6), ["a", "b"]);
    }
}
