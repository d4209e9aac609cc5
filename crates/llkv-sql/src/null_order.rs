//! Where NULLs go when ORDER BY does not say, and how a session reads text.

use crate::dialect::SqlDialect;
use llkv_result::{BindError, Error};
use std::str::FromStr;

/// The values of the setting `default_null_order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NullOrder {
    /// Before all values.
    First,
    /// Behind all values.
    Last,
    /// As the smallest value: SQLite's order.
    Smallest,
    /// As the greatest value: PostgreSQL's order.
    Greatest,
}

impl NullOrder {
    /// The value of the setting.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::First => "nulls_first",
            Self::Last => "nulls_last",
            Self::Smallest => "nulls_first_on_asc_last_on_desc",
            Self::Greatest => "nulls_last_on_asc_first_on_desc",
        }
    }

    /// Are NULLs first in this direction?
    pub(crate) const fn nulls_first(self, descending: bool) -> bool {
        match self {
            Self::First => true,
            Self::Last => false,
            Self::Smallest => !descending,
            Self::Greatest => descending,
        }
    }
}

impl FromStr for NullOrder {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name.to_ascii_lowercase().replace(' ', "_").as_str() {
            "first" | "nulls_first" => Self::First,
            "last" | "nulls_last" => Self::Last,
            "sqlite" | "nulls_first_on_asc_last_on_desc" => Self::Smallest,
            "postgres" | "nulls_last_on_asc_first_on_desc" => Self::Greatest,
            _ => {
                let message = format!(
                    "the setting \"default_null_order\" wants nulls_first, nulls_last, \
                     nulls_first_on_asc_last_on_desc or nulls_last_on_asc_first_on_desc, not '{name}'"
                );
                return Err(BindError::Invalid {
                    message,
                    span: None,
                }
                .into());
            }
        })
    }
}

/// How text is read: what a session's settings say to the binder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) dialect: SqlDialect,
    /// `None`: as the dialect has it.
    pub(crate) null_order: Option<NullOrder>,
    /// SQLite's arithmetic of integers gives values that carry their type: a result of more than 64 bits is
    /// a real. Set for a statement that met one.
    pub(crate) wide_results: bool,
}

impl Reading {
    /// Where NULLs go when ORDER BY does not say.
    pub(crate) const fn nulls_first(self, descending: bool) -> bool {
        match self.null_order {
            Some(order) => order.nulls_first(descending),
            None => self.dialect.nulls_first(descending),
        }
    }
}

impl From<SqlDialect> for Reading {
    fn from(dialect: SqlDialect) -> Self {
        Self {
            dialect,
            null_order: None,
            wide_results: false,
        }
    }
}
