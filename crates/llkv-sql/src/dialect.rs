//! The three dialects: which text means what.
//!
//! A dialect changes meanings, never what is accepted for its own sake: each difference is a method
//! of [`SqlDialect`] here, and a row of `docs/dialects.md`.

use llkv_expr::{CastMode, Dialects, LikeCase};
use llkv_result::{BindError, Error, Result};
use std::fmt;
use std::str::FromStr;

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SqlDialect {
    /// PostgreSQL's meanings, all of the friendly syntax accepted.
    #[default]
    Llkv,
    /// SQLite's meanings, as far as typed columns allow.
    Sqlite,
    /// DuckDB's meanings.
    DuckDb,
}

/// What dividing by zero gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZeroDivision {
    /// An error.
    Error,
    /// NULL.
    Null,
}

impl SqlDialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Llkv, Self::Sqlite, Self::DuckDb];

    /// Its name in `SET dialect = '...'`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llkv => "llkv",
            Self::Sqlite => "sqlite",
            Self::DuckDb => "duckdb",
        }
    }

    /// Itself, among the dialects that a function of the registry belongs to.
    pub(crate) const fn functions(self) -> Dialects {
        match self {
            Self::Llkv => Dialects::LLKV,
            Self::Sqlite => Dialects::SQLITE,
            Self::DuckDb => Dialects::DUCKDB,
        }
    }

    /// `7 / 2`: true where it is 3, false where it is 3.5.
    pub(crate) const fn integer_division(self) -> bool {
        !matches!(self, Self::DuckDb)
    }

    /// `1 / 0` and `1 % 0`.
    pub(crate) const fn zero_division(self) -> ZeroDivision {
        match self {
            Self::Llkv => ZeroDivision::Error,
            Self::Sqlite | Self::DuckDb => ZeroDivision::Null,
        }
    }

    /// Where NULLs go when ORDER BY does not say.
    pub(crate) const fn nulls_first(self, descending: bool) -> bool {
        match self {
            Self::Llkv => descending,
            Self::Sqlite => !descending,
            Self::DuckDb => false,
        }
    }

    /// True where BOOLEAN and number are one: comparisons give 0 and 1, any number is a condition.
    pub(crate) const fn booleans_are_integers(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where `1.5` is DOUBLE instead of DECIMAL.
    pub(crate) const fn decimal_literals_are_double(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where integer literals and INTEGER columns have 64 bits.
    pub(crate) const fn integers_are_wide(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// What LIKE takes as its escape character where the text names none.
    pub(crate) const fn default_escape(self) -> Option<char> {
        match self {
            Self::Llkv => Some('\\'),
            Self::Sqlite | Self::DuckDb => None,
        }
    }

    /// True where `*` shows the columns of USING and NATURAL where the left side has them, false where
    /// they come first.
    pub(crate) const fn using_keeps_order(self) -> bool {
        !matches!(self, Self::Llkv)
    }

    /// Which letters LIKE takes for one.
    pub(crate) const fn like_case(self) -> LikeCase {
        match self {
            Self::Sqlite => LikeCase::IgnoredInAscii,
            Self::Llkv | Self::DuckDb => LikeCase::Matters,
        }
    }

    /// True where a FROM clause may give two relations one name.
    pub(crate) const fn same_relation_names(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where INTERSECT binds no tighter than UNION and EXCEPT.
    pub(crate) const fn set_operations_bind_alike(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a comma in FROM binds as tightly as JOIN does, so that ON sees what stands before it.
    pub(crate) const fn commas_join(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a column outside GROUP BY is taken from some row of the group.
    pub(crate) const fn bare_columns(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where WHERE may use the names of the SELECT list.
    pub(crate) const fn aliases_in_where(self) -> bool {
        !matches!(self, Self::Llkv)
    }

    /// True where a value of the SELECT list may use the names given to those before it.
    pub(crate) const fn aliases_in_select(self) -> bool {
        matches!(self, Self::DuckDb)
    }

    /// True where a scalar subquery of several rows gives its first one.
    pub(crate) const fn scalar_subquery_first_row(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a value has a type of its own, whatever the type of its column: what mixes types keeps
    /// them apart instead of converting.
    pub(crate) const fn values_carry_types(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where WITH may refer to itself without the word RECURSIVE.
    pub(crate) const fn with_is_recursive(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a recursion may have a LIMIT of its own.
    pub(crate) const fn limits_recursion(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a recursion may have several steps in one chain of UNIONs.
    pub(crate) const fn recursion_has_several_steps(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// True where a step may read the last round anywhere and as often as it likes, and its types decide too.
    pub(crate) const fn recursion_is_free(self) -> bool {
        matches!(self, Self::DuckDb)
    }

    /// True where text that is no number counts as its numeric prefix, or 0.
    pub(crate) const fn text_is_a_number(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// What CAST, or TRY_CAST, does.
    pub(crate) const fn cast_mode(self, tries: bool) -> CastMode {
        match self {
            Self::DuckDb if tries => CastMode::TryDuckDb,
            Self::DuckDb => CastMode::DuckDb,
            _ if tries => CastMode::Try,
            Self::Sqlite => CastMode::Sqlite,
            Self::Llkv => CastMode::Strict,
        }
    }

    /// True where a row is a value: it is never NULL, and where rows are compared their NULLs are equal, and greater than all else.
    pub(crate) const fn rows_are_values(self) -> bool {
        matches!(self, Self::DuckDb)
    }

    /// True where a relation of a subquery hides those of its name around it, whatever columns it has.
    pub(crate) const fn names_hide(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// True where `x << n` drops what has no room.
    pub(crate) const fn shifts_lose_bits(self) -> bool {
        !matches!(self, Self::DuckDb)
    }

    /// True where foreign keys are looked at unless a setting says otherwise.
    pub(crate) const fn checks_foreign_keys(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// True where `"x"` is the text x if no column has that name.
    pub(crate) const fn quoted_names_fall_back_to_text(self) -> bool {
        matches!(self, Self::Sqlite)
    }
}

impl fmt::Display for SqlDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SqlDialect {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name() == lower)
            .or_else(|| (lower == "postgresql" || lower == "postgres").then_some(Self::Llkv))
            .ok_or_else(|| {
                BindError::Invalid {
                    message: format!(
                        "unknown dialect \"{name}\"; llkv, sqlite and duckdb are known"
                    ),
                    span: None,
                }
                .into()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_comes_back_from_its_name() {
        for dialect in SqlDialect::ALL {
            assert_eq!(dialect.to_string().parse::<SqlDialect>().unwrap(), dialect);
        }
        assert!("mysql".parse::<SqlDialect>().is_err());
    }
}
