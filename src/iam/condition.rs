//! The `Condition` element: operators, set operators, missing keys.
//!
//! Sources: IAM user guide, "IAM JSON policy elements: Condition operators", "Single-valued vs. multivalued
//! context keys", "Creating a condition with multiple keys or values".

use std::net::IpAddr;

use base64::Engine as _;
use ipnet::IpNet;
use jiff::Timestamp;

use super::context::{Context, Lookup};
use super::glob::{Fit, Template, Value, split_colons};

/// One operator applied to one key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// As it is written.
    pub operator: String,
    /// As it is written.
    pub key: String,
    key_in_lower_case: String,
    set: Option<Set>,
    if_exists: bool,
    negated: bool,
    checks_null: bool,
    values: Vec<Operand>,
    /// As they are written.
    pub written_values: Vec<String>,
}

/// How a list of values in the request is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    All,
    Any,
}

/// A value of a policy, ready to be compared by its operator.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Text(Template),
    TextIgnoringCase(Template),
    /// The six segments.
    Arn(Vec<Template>),
    /// Every ARN.
    AnyArn,
    Bool(Template),
    Number(Order, f64),
    Date(Order, Timestamp),
    Network(IpNet),
    Binary {
        encoded: String,
        decoded: Option<Vec<u8>>,
    },
    /// `Null`: whether the key must be missing.
    Missing(bool),
    /// Not a value of the kind that the operator compares: it never matches.
    Senseless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, request: &T, policy: &T) -> bool {
        match self {
            Order::Equal => request == policy,
            Order::Less => request < policy,
            Order::LessOrEqual => request <= policy,
            Order::Greater => request > policy,
            Order::GreaterOrEqual => request >= policy,
        }
    }
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Text { wildcards: bool },
    TextIgnoringCase,
    Arn,
    Bool,
    Number(Order),
    Date(Order),
    Network,
    Binary,
    Null,
}

/// Three-valued truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Unknown,
    Yes,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::Yes } else { Truth::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
            Truth::Yes => Truth::No,
        }
    }
}

impl Truth {
    pub(super) fn all(each: impl IntoIterator<Item = Truth>) -> Truth {
        let mut least = Truth::Yes;
        for truth in each {
            match truth {
                Truth::No => return Truth::No,
                Truth::Unknown => least = Truth::Unknown,
                Truth::Yes => {}
            }
        }
        least
    }

    pub(super) fn any(each: impl IntoIterator<Item = Truth>) -> Truth {
        !Truth::all(each.into_iter().map(|truth| !truth))
    }
}

impl Condition {
    /// Compiles an operator with one key and its values. `None` where there is no such operator.
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>, variables: bool) -> Option<Condition> {
        let lower = operator.to_ascii_lowercase();
        let (set, rest) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
            (Some(Set::All), rest)
        } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            (Some(Set::Any), rest)
        } else {
            (None, lower.as_str())
        };
        let (rest, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |rest| (rest, true));
        let (family, negated) = family(rest)?;
        if family == Family::Null && if_exists {
            return None;
        }
        Some(Condition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            key_in_lower_case: key.to_lowercase(),
            set,
            if_exists,
            negated,
            checks_null: family == Family::Null,
            values: values.iter().map(|value| Operand::new(family, value, variables)).collect(),
            written_values: values,
        })
    }

    /// Whether the condition holds. The keys that are not known are added to `unknown`.
    pub(super) fn holds(&self, context: &Context<'_>, unknown: &mut Vec<String>) -> Truth {
        let mut missed = Vec::new();
        let truth = match context.get(&self.key_in_lower_case) {
            Lookup::Unknown => {
                missed.push(self.key_in_lower_case.clone());
                Truth::Unknown
            }
            Lookup::Missing => self.holds_without_key(),
            Lookup::Values(values) => self.holds_for(values, context, &mut missed),
        };
        if truth == Truth::Unknown {
            unknown.append(&mut missed);
        }
        truth
    }

    fn is_null_check(&self, missing: bool) -> bool {
        self.values.contains(&Operand::Missing(missing))
    }

    /// A missing key does not match. So a negated operator holds, and so does `…IfExists`; of the set
    /// operators, `ForAllValues` holds and `ForAnyValue` does not.
    fn holds_without_key(&self) -> Truth {
        if self.checks_null {
            return self.is_null_check(true).into();
        }
        let holds = match self.set {
            _ if self.if_exists => true,
            Some(Set::All) => true,
            Some(Set::Any) => false,
            None => self.negated,
        };
        holds.into()
    }

    fn holds_for(&self, values: &[String], context: &Context<'_>, missed: &mut Vec<String>) -> Truth {
        if self.checks_null {
            return self.is_null_check(false).into();
        }
        // "… or if the key values resolve to a null data set, such as an empty string."
        let null_set = values.iter().all(String::is_empty);
        match (self.set, values) {
            (Some(Set::All), _) if null_set => Truth::Yes,
            (Some(Set::Any), _) if null_set => Truth::No,
            (Some(Set::All), values) => {
                Truth::all(values.iter().map(|value| self.holds_for_one(value, context, missed)))
            }
            (Some(Set::Any), values) => {
                Truth::any(values.iter().map(|value| self.holds_for_one(value, context, missed)))
            }
            (None, [value]) => self.holds_for_one(value, context, missed),
            // A key with several values needs a set operator.
            (None, _) => Truth::No,
        }
    }

    fn holds_for_one(&self, value: &str, context: &Context<'_>, missed: &mut Vec<String>) -> Truth {
        let mut any = Truth::No;
        for operand in &self.values {
            match operand.compare(value, context, missed) {
                // A value of another kind than the operator's never matches, negated or not.
                Compared::Senseless if self.negated => return Truth::No,
                Compared::Senseless => {}
                Compared::Is(truth) => any = Truth::any([any, truth]),
            }
        }
        if self.negated { !any } else { any }
    }
}

fn family(name: &str) -> Option<(Family, bool)> {
    let exact = Family::Text { wildcards: false };
    let like = Family::Text { wildcards: true };
    Some(match name {
        "stringequals" => (exact, false),
        "stringnotequals" => (exact, true),
        "stringequalsignorecase" => (Family::TextIgnoringCase, false),
        "stringnotequalsignorecase" => (Family::TextIgnoringCase, true),
        "stringlike" => (like, false),
        "stringnotlike" => (like, true),
        "numericequals" => (Family::Number(Order::Equal), false),
        "numericnotequals" => (Family::Number(Order::Equal), true),
        "numericlessthan" => (Family::Number(Order::Less), false),
        "numericlessthanequals" => (Family::Number(Order::LessOrEqual), false),
        "numericgreaterthan" => (Family::Number(Order::Greater), false),
        "numericgreaterthanequals" => (Family::Number(Order::GreaterOrEqual), false),
        "dateequals" => (Family::Date(Order::Equal), false),
        "datenotequals" => (Family::Date(Order::Equal), true),
        "datelessthan" => (Family::Date(Order::Less), false),
        "datelessthanequals" => (Family::Date(Order::LessOrEqual), false),
        "dategreaterthan" => (Family::Date(Order::Greater), false),
        "dategreaterthanequals" => (Family::Date(Order::GreaterOrEqual), false),
        "bool" => (Family::Bool, false),
        "binaryequals" => (Family::Binary, false),
        "ipaddress" => (Family::Network, false),
        "notipaddress" => (Family::Network, true),
        "arnequals" | "arnlike" => (Family::Arn, false),
        "arnnotequals" | "arnnotlike" => (Family::Arn, true),
        "null" => (Family::Null, false),
        _ => return None,
    })
}

/// What comes of comparing one value of the request with one of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    Is(Truth),
    /// One of them is not of the kind that the operator compares.
    Senseless,
}

impl Operand {
    fn new(family: Family, text: &str, variables: bool) -> Operand {
        let same = |c| c;
        let sense = match family {
            Family::Text { wildcards } => {
                Some(Operand::Text(Template::new(text, variables, wildcards, same)))
            }
            Family::TextIgnoringCase => {
                Some(Operand::TextIgnoringCase(Template::new(text, variables, false, lower)))
            }
            Family::Arn if !text.is_empty() && text.chars().all(|c| c == '*') => Some(Operand::AnyArn),
            Family::Arn => {
                let segments = split_colons(text, 6);
                let templates =
                    segments.iter().map(|segment| Template::new(segment, variables, true, same)).collect();
                (segments.len() == 6).then_some(Operand::Arn(templates))
            }
            Family::Bool => Some(Operand::Bool(Template::new(text, variables, false, lower))),
            Family::Number(order) => number(text).map(|number| Operand::Number(order, number)),
            Family::Date(order) => date(text).map(|date| Operand::Date(order, date)),
            Family::Network => network(text).map(Operand::Network),
            Family::Binary => Some(Operand::Binary {
                encoded: text.to_owned(),
                decoded: base64::engine::general_purpose::STANDARD.decode(text).ok(),
            }),
            Family::Null => match text.to_ascii_lowercase().as_str() {
                "true" => Some(Operand::Missing(true)),
                "false" => Some(Operand::Missing(false)),
                _ => None,
            },
        };
        sense.unwrap_or(Operand::Senseless)
    }

    fn compare(&self, value: &str, context: &Context<'_>, missed: &mut Vec<String>) -> Compared {
        let sense = match self {
            Operand::Text(template) => Some(fits(template, value, context, missed)),
            Operand::TextIgnoringCase(template) => Some(fits_in_lower_case(template, value, context, missed)),
            Operand::Bool(template) => (value.eq_ignore_ascii_case("true")
                || value.eq_ignore_ascii_case("false"))
            .then(|| fits_in_lower_case(template, value, context, missed)),
            Operand::Arn(templates) => {
                let segments: Vec<&str> = value.splitn(6, ':').collect();
                let mut each = templates.iter().zip(&segments);
                Some(match segments.len() {
                    6 => Truth::all(
                        each.by_ref().map(|(template, segment)| fits(template, segment, context, missed)),
                    ),
                    _ => Truth::No,
                })
            }
            Operand::AnyArn => Some(Truth::Yes),
            Operand::Number(order, policy) => number(value).map(|value| order.holds(&value, policy).into()),
            Operand::Date(order, policy) => date(value).map(|value| order.holds(&value, policy).into()),
            Operand::Network(network) => {
                value.parse().ok().map(|address: IpAddr| network.contains(&address).into())
            }
            Operand::Binary { encoded, decoded } => {
                let same_bytes = decoded.as_deref().is_some_and(|bytes| bytes == value.as_bytes());
                Some((encoded == value || same_bytes).into())
            }
            Operand::Missing(_) | Operand::Senseless => None,
        };
        sense.map_or(Compared::Senseless, Compared::Is)
    }
}

fn fits(template: &Template, value: &str, context: &Context<'_>, missed: &mut Vec<String>) -> Truth {
    truth(template.fits(value, |key| context.variable(key)), template, context, missed)
}

fn fits_in_lower_case(
    template: &Template,
    value: &str,
    context: &Context<'_>,
    missed: &mut Vec<String>,
) -> Truth {
    let value: String = value.chars().map(lower).collect();
    let variable = |key: &str| match context.variable(key) {
        Value::Known(known) => Value::Known(known.chars().map(lower).collect()),
        other => other,
    };
    truth(template.fits(&value, variable), template, context, missed)
}

fn truth(fit: Fit, template: &Template, context: &Context<'_>, missed: &mut Vec<String>) -> Truth {
    match fit {
        Fit::Yes => Truth::Yes,
        Fit::No | Fit::Nothing => Truth::No,
        Fit::Unknown => {
            missed.extend(context.unknown_among(template));
            Truth::Unknown
        }
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// An integer or a decimal.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// One of the ISO 8601 forms of the W3C note "Date and Time Formats", or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    let whole = match (text.len(), text.split_once('T')) {
        (7, None) => format!("{text}-01T00:00:00Z"),
        (10, None) => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    whole.parse().ok()
}

/// A network in CIDR notation, or one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::iam::context::Knowledge;
    use crate::iam::policies::Request;
    use crate::iam::principal::Caller;
    use crate::iam::resource::Target;

    fn holds(operator: &str, policy: &[&str], request: Option<&[&str]>) -> Truth {
        weighed(operator, policy, request, &Knowledge::default()).0
    }

    fn weighed(
        operator: &str,
        policy: &[&str],
        request: Option<&[&str]>,
        knowledge: &Knowledge,
    ) -> (Truth, Vec<String>) {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let mut context = BTreeMap::from([
            ("aws:UserName".to_owned(), texts(&["Ann"])),
            ("aws:TagKeys".to_owned(), texts(&["a", "b"])),
        ]);
        context.extend(request.map(|values| ("K".to_owned(), texts(values))));
        let request = Request { principal: "*".to_owned(), context, ..Request::default() };
        let (caller, target) = (Caller::new(&request.principal), Target::new("*"));
        let context = Context::new(&request, &caller, &target, None, Some(knowledge));
        let condition = Condition::new(operator, "k", texts(policy), true).unwrap();
        let mut unknown = Vec::new();
        (condition.holds(&context, &mut unknown), unknown)
    }

    /// Operator, values of the policy, values of the request (`None`: no key), whether it holds.
    type Row = (&'static str, &'static [&'static str], Option<&'static [&'static str]>, bool);

    fn check(rows: &[Row]) {
        for (operator, policy, request, expected) in rows {
            let found = holds(operator, policy, *request);
            assert_eq!(found, Truth::from(*expected), "{operator} {policy:?} {request:?}");
        }
    }

    #[test]
    fn text() {
        check(&[
            ("StringEquals", &["a"], Some(&["a"]), true),
            ("stringequals", &["a"], Some(&["a"]), true),
            ("StringEquals", &["a"], Some(&["A"]), false),
            ("StringEquals", &["x", "a"], Some(&["a"]), true),
            ("StringEquals", &["a*"], Some(&["ab"]), false),
            ("StringEquals", &["a*"], Some(&["a*"]), true),
            ("StringEquals", &[], Some(&["a"]), false),
            ("StringEquals", &[""], Some(&[""]), true),
            ("StringNotEquals", &["a"], Some(&["a"]), false),
            ("StringNotEquals", &["a"], Some(&["b"]), true),
            ("StringNotEquals", &["a", "b"], Some(&["b"]), false),
            ("StringEqualsIgnoreCase", &["STRASSE É"], Some(&["strasse é"]), true),
            ("StringEqualsIgnoreCase", &["a"], Some(&["b"]), false),
            ("StringEqualsIgnoreCase", &["${aws:username}"], Some(&["ANN"]), true),
            ("StringEqualsIgnoreCase", &["${aws:none, 'BoB'}"], Some(&["bob"]), true),
            ("StringNotEqualsIgnoreCase", &["A"], Some(&["a"]), false),
            ("StringNotEqualsIgnoreCase", &["A"], Some(&["b"]), true),
            ("StringLike", &["a*c?"], Some(&["abbcd"]), true),
            ("StringLike", &["a*"], Some(&["Ab"]), false),
            ("StringLike", &["a${*}"], Some(&["ab"]), false),
            ("StringLike", &["a${*}"], Some(&["a*"]), true),
            ("StringNotLike", &["a*", "b*"], Some(&["bc"]), false),
            ("StringNotLike", &["a*", "b*"], Some(&["c"]), true),
            ("StringLike", &["home/${aws:username}/*"], Some(&["home/Ann/x"]), true),
        ]);
    }

    #[test]
    fn a_variable_without_a_value_is_equal_to_nothing() {
        check(&[
            ("StringEquals", &["${aws:none}"], Some(&["${aws:none}"]), false),
            ("StringEquals", &["${aws:none}", "a"], Some(&["a"]), true),
            ("StringNotEquals", &["${aws:none}"], Some(&["a"]), true),
            ("StringNotLike", &["${aws:none}"], Some(&["a"]), true),
            ("StringEquals", &["${aws:TagKeys}"], Some(&["a"]), false),
            ("StringEquals", &["${aws:none, 'a'}"], Some(&["a"]), true),
            ("ArnLike", &["arn:aws:iam::1:user/${aws:none}"], Some(&["arn:aws:iam::1:user/x"]), false),
            ("ArnNotLike", &["arn:aws:iam::1:user/${aws:none}"], Some(&["arn:aws:iam::1:user/x"]), true),
        ]);
    }

    #[test]
    fn missing_keys() {
        check(&[
            ("StringEquals", &["a"], None, false),
            ("StringNotEquals", &["a"], None, true),
            ("StringEqualsIfExists", &["a"], None, true),
            ("StringEqualsIfExists", &["a"], Some(&["b"]), false),
            ("StringNotEqualsIfExists", &["a"], None, true),
            ("NumericLessThan", &["1"], None, false),
            ("NumericLessThanIfExists", &["1"], None, true),
            ("DateNotEquals", &["2020-01-01"], None, true),
            ("Bool", &["false"], None, false),
            ("BoolIfExists", &["false"], None, true),
            ("IpAddress", &["10.0.0.0/8"], None, false),
            ("NotIpAddress", &["10.0.0.0/8"], None, true),
            ("ArnLike", &["*"], None, false),
            ("ArnNotEquals", &["arn:aws:s3:::b"], None, true),
            ("BinaryEquals", &["YQ=="], None, false),
            ("Null", &["true"], None, true),
            ("Null", &["false"], None, false),
            ("ForAllValues:StringEquals", &["a"], None, true),
            ("ForAllValues:StringNotEquals", &["a"], None, true),
            ("ForAnyValue:StringEquals", &["a"], None, false),
            ("ForAnyValue:StringNotEquals", &["a"], None, false),
            ("ForAnyValue:StringEqualsIfExists", &["a"], None, true),
            // A key without a value is a missing key.
            ("StringEquals", &["a"], Some(&[]), false),
            ("StringNotEquals", &["a"], Some(&[]), true),
            ("Null", &["true"], Some(&[]), true),
            ("ForAllValues:StringEquals", &["a"], Some(&[]), true),
            ("ForAnyValue:StringEquals", &["a"], Some(&[]), false),
        ]);
    }

    #[test]
    fn null() {
        check(&[
            ("Null", &["false"], Some(&["x"]), true),
            ("Null", &["true"], Some(&["x"]), false),
            ("Null", &["TRUE"], None, true),
            ("Null", &["true", "false"], Some(&["x"]), true),
            ("Null", &["true", "false"], None, true),
            ("Null", &["maybe"], None, false),
            ("Null", &[], Some(&["x"]), false),
            ("Null", &["false"], Some(&["x", "y"]), true),
        ]);
    }

    #[test]
    fn several_values() {
        check(&[
            ("StringEquals", &["a"], Some(&["a", "b"]), false),
            ("StringNotEquals", &["c"], Some(&["a", "b"]), false),
            ("StringEqualsIfExists", &["a"], Some(&["a", "b"]), false),
            ("ForAnyValue:StringEquals", &["a"], Some(&["a", "b"]), true),
            ("foranyvalue:stringequals", &["c", "b"], Some(&["a", "b"]), true),
            ("ForAnyValue:StringEquals", &["c"], Some(&["a", "b"]), false),
            ("ForAnyValue:StringNotEquals", &["a"], Some(&["a", "b"]), true),
            ("ForAnyValue:StringNotEquals", &["a", "b"], Some(&["a", "b"]), false),
            ("ForAllValues:StringEquals", &["a", "b", "c"], Some(&["a", "b"]), true),
            ("ForAllValues:StringEquals", &["a"], Some(&["a", "b"]), false),
            ("ForAllValues:StringNotEquals", &["c"], Some(&["a", "b"]), true),
            ("ForAllValues:StringNotEquals", &["b"], Some(&["a", "b"]), false),
            ("ForAllValues:StringLike", &["a*"], Some(&["ab", "ac"]), true),
            ("ForAnyValue:StringEquals", &["a"], Some(&["a"]), true),
            ("ForAllValues:StringEquals", &["b"], Some(&["a"]), false),
            // An empty text is a null data set.
            ("ForAllValues:StringEquals", &["a"], Some(&[""]), true),
            ("ForAnyValue:StringEquals", &[""], Some(&[""]), false),
            ("ForAllValues:StringEquals", &["a"], Some(&["", "b"]), false),
        ]);
    }

    #[test]
    fn numbers() {
        check(&[
            ("NumericEquals", &["10"], Some(&["10.0"]), true),
            ("NumericEquals", &["10"], Some(&["11"]), false),
            ("NumericNotEquals", &["10"], Some(&["11"]), true),
            ("NumericNotEquals", &["10", "11"], Some(&["11"]), false),
            ("NumericLessThan", &["10"], Some(&["9.9"]), true),
            ("NumericLessThan", &["10"], Some(&["10"]), false),
            ("NumericLessThanEquals", &["10"], Some(&["10"]), true),
            ("NumericLessThanEquals", &["10"], Some(&["11"]), false),
            ("NumericGreaterThan", &["-1"], Some(&["0"]), true),
            ("NumericGreaterThan", &["0"], Some(&["0"]), false),
            ("NumericGreaterThanEquals", &["0"], Some(&["0"]), true),
            ("NumericGreaterThanEquals", &["1"], Some(&["0"]), false),
            ("NumericEquals", &["ten"], Some(&["10"]), false),
            ("NumericEquals", &["10"], Some(&["ten"]), false),
            ("NumericNotEquals", &["10"], Some(&["ten"]), false),
            ("NumericLessThan", &["infinity"], Some(&["1"]), false),
            ("NumericLessThan", &["NaN"], Some(&["1"]), false),
        ]);
    }

    #[test]
    fn dates() {
        check(&[
            ("DateEquals", &["2020-01-01T00:00:00Z"], Some(&["2020-01-01T01:00:00+01:00"]), true),
            ("DateEquals", &["2020-01-01T00:00:00Z"], Some(&["1577836800"]), true),
            ("DateEquals", &["2020-01-01"], Some(&["2020-01-01T00:00:00Z"]), true),
            ("DateEquals", &["2020-01"], Some(&["2020-01-01T00:00Z"]), true),
            ("DateNotEquals", &["2020-01-01"], Some(&["2020-01-02"]), true),
            ("DateNotEquals", &["2020-01-01"], Some(&["2020-01-01"]), false),
            ("DateLessThan", &["2020-01-01"], Some(&["2019-12-31T23:59:59.9Z"]), true),
            ("DateLessThan", &["2020-01-01"], Some(&["2020-01-01"]), false),
            ("DateLessThanEquals", &["2020-01-01"], Some(&["2020-01-01"]), true),
            ("DateGreaterThan", &["2020-01-01"], Some(&["2020-01-02"]), true),
            ("DateGreaterThan", &["2020-01-01"], Some(&["2020-01-01"]), false),
            ("DateGreaterThanEquals", &["2020-01-01"], Some(&["2020-01-01"]), true),
            ("DateGreaterThanEquals", &["2020-01-01"], Some(&["2019-01-01"]), false),
            ("DateEquals", &["yesterday"], Some(&["yesterday"]), false),
            ("DateNotEquals", &["yesterday"], Some(&["2020-01-01"]), false),
        ]);
    }

    #[test]
    fn addresses() {
        check(&[
            ("IpAddress", &["10.0.0.0/8"], Some(&["10.1.2.3"]), true),
            ("IpAddress", &["10.9.9.9/8"], Some(&["10.1.2.3"]), true),
            ("IpAddress", &["10.0.0.0/8", "192.0.2.1"], Some(&["192.0.2.1"]), true),
            ("IpAddress", &["10.0.0.0/8"], Some(&["11.1.2.3"]), false),
            ("IpAddress", &["2001:DB8:1234:5678::/64"], Some(&["2001:db8:1234:5678::1"]), true),
            ("IpAddress", &["2001:DB8::1"], Some(&["2001:db8:0::1"]), true),
            ("IpAddress", &["0.0.0.0/0"], Some(&["2001:db8::1"]), false),
            ("IpAddress", &["10.0.0.0/8"], Some(&["here"]), false),
            ("IpAddress", &["10.0.0.0/40"], Some(&["10.0.0.1"]), false),
            ("NotIpAddress", &["10.0.0.0/8"], Some(&["11.1.2.3"]), true),
            ("NotIpAddress", &["10.0.0.0/8", "11.0.0.0/8"], Some(&["11.1.2.3"]), false),
            ("NotIpAddress", &["192.0.2.1"], Some(&["2001:db8::1"]), true),
            ("NotIpAddress", &["10.0.0.0/8"], Some(&["here"]), false),
        ]);
    }

    #[test]
    fn arns() {
        let role: &[&str] = &["arn:aws:iam::111122223333:role/team/node"];
        check(&[
            ("ArnEquals", &["arn:aws:iam::111122223333:role/team/node"], Some(role), true),
            ("ArnEquals", &["arn:aws:iam::*:role/*"], Some(role), true),
            ("ArnLike", &["arn:aws:iam::111122223333:role/team/nod?"], Some(role), true),
            ("ArnLike", &["arn:aws:iam::111122223333:role/Team/node"], Some(role), false),
            ("ArnLike", &["arn:*:node"], Some(role), false),
            ("ArnLike", &["*"], Some(role), true),
            ("ArnLike", &["arn:aws:iam::${aws:none, '111122223333'}:role/*"], Some(role), true),
            ("ArnNotEquals", &["arn:aws:iam::*:role/*"], Some(role), false),
            ("ArnNotLike", &["arn:aws:iam::*:user/*", "arn:aws:iam::*:group/*"], Some(role), true),
            ("ArnNotLike", &["*"], Some(role), false),
            ("ArnLike", &["arn:aws:iam::*:role/*"], Some(&["role/team/node"]), false),
            // The example of the documentation: an asterisk stays within its segment.
            (
                "ArnLike",
                &["arn:aws:someservice:*:111122223333:finance/*"],
                Some(&[
                    "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
                ]),
                false,
            ),
            (
                "StringLike",
                &["arn:aws:someservice:*:111122223333:finance/*"],
                Some(&[
                    "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
                ]),
                true,
            ),
        ]);
    }

    #[test]
    fn booleans_and_bytes() {
        check(&[
            ("Bool", &["true"], Some(&["true"]), true),
            ("Bool", &["True"], Some(&["TRUE"]), true),
            ("Bool", &["true"], Some(&["false"]), false),
            ("Bool", &["true", "false"], Some(&["false"]), true),
            ("Bool", &["yes"], Some(&["yes"]), false),
            ("Bool", &["${aws:none, 'true'}"], Some(&["true"]), true),
            ("BinaryEquals", &["QmluYXJ5"], Some(&["QmluYXJ5"]), true),
            ("BinaryEquals", &["QmluYXJ5"], Some(&["Binary"]), true),
            ("BinaryEquals", &["QmluYXJ5"], Some(&["binary"]), false),
        ]);
    }

    #[test]
    fn what_is_not_known() {
        let knowledge = Knowledge {
            unknown: BTreeSet::from(["k".to_owned(), "aws:Team".to_owned()]),
            ..Knowledge::default()
        };
        let weighed = |operator, policy, request| weighed(operator, policy, request, &knowledge);
        let unknown =
            |keys: &[&str]| (Truth::Unknown, keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(weighed("StringEquals", &["a"], None), unknown(&["k"]));
        assert_eq!(weighed("Null", &["true"], None), unknown(&["k"]));
        assert_eq!(weighed("StringEqualsIfExists", &["a"], None), unknown(&["k"]));
        assert_eq!(weighed("StringEquals", &["${aws:Team}"], Some(&["a"])), unknown(&["aws:team"]));
        assert_eq!(weighed("StringNotEquals", &["${aws:Team}"], Some(&["a"])), unknown(&["aws:team"]));
        assert_eq!(weighed("StringEquals", &["${aws:Team}", "a"], Some(&["a"])), (Truth::Yes, Vec::new()));
        assert_eq!(weighed("ForAnyValue:StringLike", &["${aws:Team}*"], Some(&["a", "b"])).0, Truth::Unknown);
    }

    #[test]
    fn truth_of_three_values() {
        use Truth::{No, Unknown, Yes};
        assert_eq!(Truth::all([Yes, Unknown, No]), No);
        assert_eq!(Truth::all([Yes, Unknown]), Unknown);
        assert_eq!(Truth::all([]), Yes);
        assert_eq!(Truth::any([No, Unknown, Yes]), Yes);
        assert_eq!(Truth::any([No, Unknown]), Unknown);
        assert_eq!(Truth::any([]), No);
        assert_eq!([!Yes, !Unknown, !No], [No, Unknown, Yes]);
    }
}
