//! Values and rows as the oracles compare them.

use std::cmp::Ordering;
use std::fmt;

/// One value of a result. Values of different types are different: 1 is not 1.0.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// NULL
    Null,
    /// An integer; SQLite's truth values are 0 and 1.
    Integer(i64),
    /// A double.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// A value of a type that SQLite does not have, as text.
    Other(String),
}

impl Value {
    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) => 1,
            Self::Real(_) => 2,
            Self::Text(_) => 3,
            Self::Blob(_) => 4,
            Self::Other(_) => 5,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            // The two zeros are one value.
            (Self::Real(a), Self::Real(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Self::Text(a), Self::Text(b)) | (Self::Other(a), Self::Other(b)) => a.cmp(b),
            (Self::Blob(a), Self::Blob(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "'{value}'"),
            Self::Blob(value) => {
                f.write_str("x'")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
            Self::Other(value) => f.write_str(value),
        }
    }
}

/// The rows of a result.
pub(crate) type Rows = Vec<Vec<Value>>;

/// What a statement gave: rows, a count of rows changed, or nothing of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A query's rows, in their order.
    Rows(Rows),
    /// Rows inserted, changed or deleted.
    Changed(u64),
    /// Nothing to compare.
    Done,
    /// An error's text.
    Error(String),
    /// It was stopped for taking too long, which says nothing.
    Late,
}

impl Outcome {
    /// The same with one text in the place of all that some collation takes for equal.
    #[must_use]
    pub(crate) fn folded(mut self) -> Self {
        if let Self::Rows(rows) = &mut self {
            for value in rows.iter_mut().flatten() {
                if let Value::Text(text) = value {
                    *text = text.trim_end_matches(' ').to_ascii_lowercase();
                }
            }
        }
        self
    }

    /// The same with rows in an order that says nothing: for results whose order is open.
    #[must_use]
    pub(crate) fn sorted(mut self) -> Self {
        if let Self::Rows(rows) = &mut self {
            rows.sort_unstable();
        }
        self
    }

    /// Its error's text.
    #[must_use]
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Rows shown of a long result.
        const SHOWN: usize = 30;
        match self {
            Self::Changed(count) => write!(f, "{count} rows changed"),
            Self::Done => f.write_str("done"),
            Self::Late => f.write_str("stopped for taking too long"),
            Self::Error(text) => write!(f, "error: {text}"),
            Self::Rows(rows) => {
                write!(f, "{} rows", rows.len())?;
                for row in rows.iter().take(SHOWN) {
                    let values: Vec<String> = row.iter().map(Value::to_string).collect();
                    write!(f, "\n    {}", values.join(", "))?;
                }
                Ok(())
            }
        }
    }
}
