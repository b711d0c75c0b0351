//! Absence in JSON: a field that is missing, `null` or an empty text reads as nothing.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A value, or the default for `null`.
pub(super) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A list without its `null` items, or an empty list for `null`.
pub(super) fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<Option<T>>>::deserialize(from)?.unwrap_or_default().into_iter().flatten().collect())
}

/// As [`list`], but a missing list stays apart from an empty one.
pub(super) fn optional_list<'de, D, T>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let rows = Option::<Vec<Option<T>>>::deserialize(from)?;
    Ok(rows.map(|rows| rows.into_iter().flatten().collect()))
}

/// A text with a syntax of its own (an address, a CIDR block), or nothing for `null` and the empty text.
pub(super) fn parsed<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let Some(text) = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = |error| D::Error::custom(format!("{text:?} cannot be read: {error}"));
    text.parse().map(Some).map_err(wrong)
}
