//! What a statement gives back.

use arrow::array::RecordBatchReader;
use std::fmt;

/// A streaming result: a schema and an iterator of record batches, pulled by the caller.
pub type SelectStream = Box<dyn RecordBatchReader + Send>;

/// The outcome of one statement.
#[non_exhaustive]
pub enum StatementResult {
    /// Rows, as a stream that runs while it is pulled.
    Select(SelectStream),
    /// Rows inserted.
    Insert {
        /// How many.
        rows: u64,
    },
    /// Rows changed.
    Update {
        /// How many.
        rows: u64,
    },
    /// Rows deleted.
    Delete {
        /// How many.
        rows: u64,
    },
    /// Rows inserted, changed and deleted by MERGE.
    Merge {
        /// How many.
        rows: u64,
    },
    /// Rows copied to or from a file.
    Copy {
        /// How many.
        rows: u64,
    },
    /// A table was created (with rows, for `CREATE TABLE ... AS`).
    CreateTable {
        /// Its name.
        name: String,
        /// Rows it was filled with.
        rows: u64,
    },
    /// Another catalog change: `DROP TABLE`, `CREATE VIEW`, ... named by its SQL words.
    Catalog {
        /// The SQL words of the change, such as `DROP TABLE`.
        tag: &'static str,
    },
    /// Transaction control: `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, ...
    Transaction {
        /// The SQL words.
        tag: &'static str,
    },
    /// A setting, a checkpoint: statements with nothing to count.
    Utility {
        /// The SQL words.
        tag: &'static str,
    },
}

impl StatementResult {
    /// Rows changed, for the statements that count them.
    #[must_use]
    pub fn rows_affected(&self) -> Option<u64> {
        match self {
            Self::Insert { rows }
            | Self::Update { rows }
            | Self::Delete { rows }
            | Self::Merge { rows }
            | Self::Copy { rows }
            | Self::CreateTable { rows, .. } => Some(*rows),
            _ => None,
        }
    }
}

impl fmt::Debug for StatementResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select(stream) => f.debug_tuple("Select").field(&stream.schema()).finish(),
            Self::Insert { rows } => write!(f, "Insert({rows})"),
            Self::Update { rows } => write!(f, "Update({rows})"),
            Self::Delete { rows } => write!(f, "Delete({rows})"),
            Self::Merge { rows } => write!(f, "Merge({rows})"),
            Self::Copy { rows } => write!(f, "Copy({rows})"),
            Self::CreateTable { name, rows } => write!(f, "CreateTable({name}, {rows})"),
            Self::Catalog { tag } | Self::Transaction { tag } | Self::Utility { tag } => {
                f.write_str(tag)
            }
        }
    }
}
