//! When a trigger fires: what its declaration says and the catalog keeps.

use bitcode::{Decode, Encode};
use std::fmt;

/// Whether a trigger fires before a row changes, after it, or in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum TriggerTime {
    /// Before the row is checked and written.
    Before,
    /// After the row was written.
    After,
    /// In the place of the change: of views, whose rows are written nowhere.
    InsteadOf,
}

/// The change at which a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum TriggerEvent {
    /// A row comes.
    Insert,
    /// A row changes.
    Update,
    /// A row goes.
    Delete,
}

impl TriggerEvent {
    /// True where there is a row as it was, `OLD`.
    #[must_use]
    pub const fn has_old(self) -> bool {
        !matches!(self, Self::Insert)
    }

    /// True where there is a row as it will be, `NEW`.
    #[must_use]
    pub const fn has_new(self) -> bool {
        !matches!(self, Self::Delete)
    }
}

impl fmt::Display for TriggerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "BEFORE",
            Self::After => "AFTER",
            Self::InsteadOf => "INSTEAD OF",
        })
    }
}

impl fmt::Display for TriggerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        })
    }
}
