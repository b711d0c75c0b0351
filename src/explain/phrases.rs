//! Many phrases found in one pass: there are hundreds, and a million lines to read.

use std::collections::HashMap;

/// Phrases of two bytes or more, by their first two.
pub(super) struct Phrases {
    by_start: HashMap<[u8; 2], Vec<(usize, &'static str)>>,
}

impl Phrases {
    /// Numbers the phrases in their order.
    pub(super) fn new(phrases: impl IntoIterator<Item = &'static str>) -> Phrases {
        let mut by_start: HashMap<[u8; 2], Vec<(usize, &'static str)>> = HashMap::new();
        for (number, phrase) in phrases.into_iter().enumerate() {
            if let [first, second, ..] = phrase.as_bytes() {
                by_start.entry([*first, *second]).or_default().push((number, phrase));
            }
        }
        Phrases { by_start }
    }

    /// Tells the number and the place of every occurrence, from the beginning of the text to its end.
    pub(super) fn each(&self, text: &str, mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        for (at, pair) in bytes.windows(2).enumerate() {
            let [first, second] = pair else { continue };
            for (number, phrase) in self.by_start.get(&[*first, *second]).into_iter().flatten() {
                if bytes.get(at..).is_some_and(|rest| rest.starts_with(phrase.as_bytes())) {
                    found(*number, at);
                }
            }
        }
    }
}

#[test]
fn every_occurrence_is_told() {
    let phrases = Phrases::new(["ab", "abc", "x", "bc"]);
    let mut told = Vec::new();
    phrases.each("abcab", |number, at| told.push((number, at)));
    assert_eq!(told, [(0, 0), (1, 0), (3, 1), (0, 3)]);
}
