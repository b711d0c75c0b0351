//! What is asked for, and whether a `Resource` element means it.
//!
//! Source: IAM user guide, "IAM JSON policy elements: Resource": wildcards work within the segments of an
//! ARN; an asterisk at the end of a segment may also reach beyond its colon; the service has no wildcard;
//! variables stand only after the fifth colon.

use super::glob::{Fit, Glob, Template, Value, split_colons};
use super::policies::Layer;

/// The resource of a request, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    pub text: &'a str,
    /// Partition, service, region and account in lower case, and the rest as it is; `None` for `*`.
    arn: Option<([String; 4], &'a str)>,
}

impl<'a> Target<'a> {
    pub(super) fn new(text: &'a str) -> Target<'a> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let arn = match parts.as_slice() {
            ["arn", partition, service, region, account, resource] => {
                Some(([partition, service, region, account].map(|part| part.to_lowercase()), *resource))
            }
            _ => None,
        };
        Target { text, arn }
    }

    pub(super) fn service(&self) -> &str {
        self.arn.as_ref().map_or("", |([_, service, _, _], _)| service)
    }

    pub(super) fn region(&self) -> &str {
        self.arn.as_ref().map_or("", |([_, _, region, _], _)| region)
    }

    pub(super) fn account(&self) -> &str {
        self.arn.as_ref().map_or("", |([_, _, _, account], _)| account)
    }

    /// What follows the fifth colon.
    pub(super) fn resource(&self) -> &'a str {
        self.arn.as_ref().map_or("", |(_, resource)| resource)
    }
}

/// One entry of a `Resource` or `NotResource` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// `*`
    All,
    Arn(Box<ArnPattern>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArnPattern {
    /// Partition, service, region, account.
    head: [Glob; 4],
    resource: Template,
    service_has_wildcard: bool,
    missing: Missing,
    /// The whole pattern, where an asterisk ends one of the first segments.
    reaching: Option<Vec<char>>,
}

/// Segments that an ARN of a policy does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    None,
    /// The last segment there is ends in an asterisk.
    AfterAsterisk,
    /// There is an asterisk, but not at the end.
    WithAsterisk,
    Plain,
}

impl Entry {
    /// Reads an entry. `None` where AWS would not take it for a resource.
    pub(super) fn new(text: &str, variables: bool) -> Option<Entry> {
        if !text.is_empty() && text.chars().all(|c| c == '*') {
            return Some(Entry::All);
        }
        let mut parts = split_colons(text, 6);
        if parts.len() < 2 || parts.first().is_none_or(|first| *first != "arn") {
            return None;
        }
        let written = parts.len();
        parts.resize(6, "*");
        let [_, partition, service, region, account, resource] = parts.as_slice() else { return None };
        let head = [partition, service, region, account];
        let reaches = written < 6 || head.iter().any(|segment| segment.ends_with('*'));
        Some(Entry::Arn(Box::new(ArnPattern {
            head: head.map(|segment| Glob::new(&segment.to_lowercase())),
            resource: Template::new(resource, variables, true, |c| c),
            service_has_wildcard: written > 3 && service.contains(['*', '?']),
            missing: match written {
                6.. => Missing::None,
                _ if text.ends_with('*') => Missing::AfterAsterisk,
                _ if text.contains('*') => Missing::WithAsterisk,
                _ => Missing::Plain,
            },
            reaching: (reaches && text.contains('*') && !text.contains("${")).then(|| text.chars().collect()),
        })))
    }

    /// The keys of its variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let template = match self {
            Entry::All => None,
            Entry::Arn(pattern) => Some(&pattern.resource),
        };
        template.into_iter().flat_map(Template::keys)
    }

    /// Whether the entry means a resource, in a policy of this layer.
    pub(super) fn fits<'a>(
        &self,
        target: &Target<'_>,
        layer: Layer,
        value: impl FnMut(&str) -> Value<'a>,
    ) -> Fit {
        match self {
            Entry::All => Fit::Yes,
            Entry::Arn(pattern) => pattern.fits(target, layer, value),
        }
    }
}

impl ArnPattern {
    fn fits<'a>(&self, target: &Target<'_>, layer: Layer, value: impl FnMut(&str) -> Value<'a>) -> Fit {
        let Some((head, resource)) = &target.arn else { return Fit::No };
        if self.service_has_wildcard || !self.is_taken_by(layer) {
            return Fit::No;
        }
        if self.head.iter().zip(head).all(|(pattern, part)| pattern.matches(part)) {
            match self.resource.fits(resource, value) {
                Fit::No => {}
                fit => return fit,
            }
        }
        match &self.reaching {
            Some(pattern) if reaches(pattern, target.text) => Fit::Yes,
            _ => Fit::No,
        }
    }

    /// IAM completes an ARN that is too short. Other services take it only with an asterisk, Organizations
    /// takes it in an SCP only if the asterisk is at the end, and in an RCP not at all.
    fn is_taken_by(&self, layer: Layer) -> bool {
        let of_iam = matches!(layer, Layer::Identity | Layer::Boundary | Layer::Session);
        of_iam
            || match self.missing {
                Missing::None => true,
                Missing::AfterAsterisk => layer != Layer::Rcp,
                Missing::WithAsterisk => matches!(layer, Layer::Resource | Layer::Endpoint),
                Missing::Plain => false,
            }
    }
}

/// Whether a whole pattern means a whole ARN, if an asterisk at the end of a segment reaches beyond its
/// colon while the others stay within theirs.
fn reaches(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let colons = |chars: &[char]| chars.iter().filter(|c| **c == ':').count();
    if colons(&text) <= colons(pattern) {
        return false;
    }
    // `row[n]`: the pattern so far fits the first `n` characters of the text.
    let mut row: Vec<bool> = vec![true];
    row.resize(text.len() + 1, false);
    let mut colons_before = 0;
    for (at, wanted) in pattern.iter().enumerate() {
        let crosses = colons_before >= 5 || pattern.get(at + 1).is_none_or(|next| *next == ':');
        colons_before += usize::from(*wanted == ':');
        let mut next = Vec::with_capacity(row.len());
        let mut one_shorter = (false, false);
        for (before, found) in row.iter().zip(std::iter::once(None).chain(text.iter().map(Some))) {
            let (shorter_before, shorter_now) = one_shorter;
            let now = match (*wanted, found) {
                ('*', Some(':')) if !crosses => *before,
                ('*', _) => *before || shorter_now,
                ('?', Some(found)) => shorter_before && *found != ':',
                (wanted, Some(found)) => shorter_before && wanted == *found,
                (_, None) => false,
            };
            one_shorter = (*before, now);
            next.push(now);
        }
        row = next;
    }
    row.last().is_some_and(|last| *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "arn:aws:ecr:eu-west-1:111122223333:repository/team/app";
    const LOG_STREAM: &str = "arn:aws:logs:eu-west-1:111122223333:log-group:app:log-stream:x";

    fn fits(pattern: &str, target: &str, layer: Layer) -> bool {
        let entry = Entry::new(pattern, true).unwrap();
        let value = |key: &str| match key {
            "aws:principaltag/team" => Value::Known("team".into()),
            _ => Value::Nothing,
        };
        entry.fits(&Target::new(target), layer, value) == Fit::Yes
    }

    #[test]
    fn an_asterisk_at_the_end_of_a_segment_reaches_beyond_it() {
        let reaches = |pattern: &str, text: &str| reaches(&pattern.chars().collect::<Vec<_>>(), text);
        assert!(reaches("arn:aws:ecr:*", "arn:aws:ecr:::x"));
        assert!(reaches("arn:aws:ecr:?*", "arn:aws:ecr:eu:1:x"));
        assert!(!reaches("arn:aws:ecr:?*", "arn:aws:ecr::1:x"), "a question mark is no colon");
        assert!(!reaches("arn:aws:s3:?*", "arn:aws:ecr:eu:1:x"));
        assert!(!reaches("arn:aws:ecr:*:x", "arn:aws:ecr:1:x"), "nothing to reach beyond");
    }

    #[test]
    fn which_resources_a_pattern_means() {
        for (pattern, target, expected) in [
            ("*", REPOSITORY, true),
            ("*", "*", true),
            ("**", "*", true),
            (REPOSITORY, REPOSITORY, true),
            (REPOSITORY, "*", false),
            ("arn:*", "*", false),
            ("arn:aws:ecr:*:*:repository/*", REPOSITORY, true),
            ("arn:aws:ecr:*:*:*", REPOSITORY, true),
            ("arn:*:ecr:*:*:repository/team/*", REPOSITORY, true),
            ("arn:aws:ecr:eu-*:111122223333:repository/team/???", REPOSITORY, true),
            ("arn:aws:ecr:eu-west-?:*:*/app", REPOSITORY, true),
            ("arn:aws:ecr:eu-west-1:111122223333:repository/Team/app", REPOSITORY, false),
            ("arn:aws:ecr:EU-WEST-1:111122223333:repository/team/app", REPOSITORY, true),
            ("arn:aws:ecr:us-*:111122223333:repository/team/app", REPOSITORY, false),
            ("arn:aws:ecr:*:444455556666:repository/team/app", REPOSITORY, false),
            ("arn:aws-cn:ecr:*:*:repository/team/app", REPOSITORY, false),
            ("arn:aws:s3:*:*:repository/team/app", REPOSITORY, false),
            // AWS has no wildcard in the service segment.
            ("arn:aws:*:*:*:repository/team/app", REPOSITORY, false),
            ("arn:aws:ec?:*:*:repository/team/app", REPOSITORY, false),
            ("arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*", REPOSITORY, true),
            ("arn:aws:ecr:*:*:repository/${aws:PrincipalTag/none}/*", REPOSITORY, false),
            ("arn:aws:ecr:*:*:repository/${aws:PrincipalTag/none, 'team'}/*", REPOSITORY, true),
            // An asterisk at the end of a segment reaches beyond its colon, others do not.
            ("arn:aws:ecr:*:repository/team/app", REPOSITORY, true),
            ("arn:aws:ecr:eu*1:repository/team/app", REPOSITORY, false),
            ("arn:aws:logs:*:log-group:*:log-stream:x", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1:111122223333:log-group:*", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1:111122223333:log-group:*:x", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1:*:log-stream:x", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1:*:log-stream:y", LOG_STREAM, false),
            ("arn:aws:logs:eu-west-1*:log-group:app:log-stream:x", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1*:log-group:app:log-stream:?", LOG_STREAM, true),
            ("arn:aws:logs:eu-west-1*:log-group:app:log?stream", LOG_STREAM, false),
            ("arn:aws:logs:eu-west-2*:log-group:app:log-stream:x", LOG_STREAM, false),
            ("arn:aws:logs:eu*t-1*:log-group:app:log-stream:x", LOG_STREAM, true),
            ("arn:aws:logs:eu*:log-g*p:app:log-stream:x", LOG_STREAM, true),
            ("arn:aws:logs:*:*:*:*:*:*:*", LOG_STREAM, false),
        ] {
            assert_eq!(fits(pattern, target, Layer::Identity), expected, "{pattern} {target}");
        }
    }

    #[test]
    fn an_arn_that_is_too_short() {
        use Layer::{Endpoint, Identity, Rcp, Resource, Scp};
        for (pattern, layer, expected) in [
            ("arn:aws:ecr", Identity, true),
            ("arn:aws:ecr", Layer::Boundary, true),
            ("arn:aws:ecr", Layer::Session, true),
            ("arn:aws:ecr:eu-west-1:111122223333", Identity, true),
            ("arn:aws:ecr:us-east-1", Identity, false),
            ("arn:aws:ecr", Resource, false),
            ("arn:aws:ecr", Endpoint, false),
            ("arn:aws:ecr", Scp, false),
            ("arn:aws:ecr:*", Resource, true),
            ("arn:aws:ecr:*", Endpoint, true),
            ("arn:aws:ecr:*", Scp, true),
            ("arn:*:ecr:eu-west-1", Scp, false),
            ("arn:*:ecr:eu-west-1", Resource, true),
            ("arn:aws:ecr:*", Rcp, false),
        ] {
            assert_eq!(fits(pattern, REPOSITORY, layer), expected, "{pattern} {layer:?}");
        }
    }

    #[test]
    fn what_is_no_resource() {
        for text in ["", "repository/app", "ecr:*", "arn", "?"] {
            assert_eq!(Entry::new(text, true), None, "{text}");
        }
    }

    #[test]
    fn variables_stand_only_after_the_fifth_colon() {
        assert!(!fits("arn:aws:ecr:*:${aws:PrincipalTag/team}:repository/*", REPOSITORY, Layer::Identity));
    }
}
