//! The dialects of the sqllogictest format, and what each takes for granted.

use bitcode::{Decode, Encode};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Whose files are read, whose SQL they hold, and how values are written in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Dialect {
    /// SQLite's own corpus: values one a line, formatted by the letters I, R and T.
    Sqlite,
    /// DuckDB's files: loops, loading, restarts, rows as tab-separated lines.
    Duckdb,
    /// LLKV's own suite: DuckDB's directives, values exactly as the database writes them.
    Llkv,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Duckdb, Self::Llkv];

    /// The name that `skipif` and `onlyif` compare with, and that `SET dialect` takes.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Duckdb => "duckdb",
            Self::Llkv => "llkv",
        }
    }

    /// Values above which a result is written as a hash, in a file that sets no threshold itself.
    /// Zero means never.
    #[must_use]
    pub const fn default_hash_threshold(self) -> usize {
        match self {
            Self::Sqlite => 8,
            Self::Duckdb | Self::Llkv => 0,
        }
    }

    /// The dialect of a file nobody said anything about: the innermost folder named `sqlite`,
    /// `duckdb` or `llkv` decides, else it is LLKV's.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        path.components()
            .rev()
            .skip(1)
            .find_map(|part| part.as_os_str().to_str()?.parse().ok())
            .unwrap_or(Self::Llkv)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A dialect name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dialect `{0}`: there are sqlite, duckdb and llkv")]
pub struct UnknownDialect(pub String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.label() == text)
            .ok_or_else(|| UnknownDialect(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_folder_decides() {
        let of = |text: &str| Dialect::of_path(Path::new(text));
        assert_eq!(of("/data/sqlite/random/a.test"), Dialect::Sqlite);
        assert_eq!(of("/sqlite/duckdb/test/a.test"), Dialect::Duckdb);
        assert_eq!(of("slt/types/a.slt"), Dialect::Llkv);
        assert_eq!(
            of("slt/types/sqlite"),
            Dialect::Llkv,
            "a file's own name says nothing"
        );
    }
}
