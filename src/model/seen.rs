//! Three values: a fact is known, known to be absent, or was not read.

/// What we know of one thing in the world.
///
/// Unread never counts as healthy and never as broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was read.
    Known(T),
    /// The place where it would be was read, and it is not there.
    Absent,
    /// Nobody looked, or looking was refused. The text says which read, and why.
    Unread(String),
}

impl<T> Seen<T> {
    /// Changes what is known and leaves the other two values.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Seen::Known(value) => Seen::Known(change(value)),
            Seen::Absent => Seen::Absent,
            Seen::Unread(because) => Seen::Unread(because),
        }
    }

    /// The value, if it was read.
    pub fn known(self) -> Option<T> {
        match self {
            Seen::Known(value) => Some(value),
            Seen::Absent | Seen::Unread(_) => None,
        }
    }
}
