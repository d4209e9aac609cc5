//! What can go wrong between transactions.

/// A failure of transaction control or of concurrency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// Another transaction changed a row (or the schema) that this one wanted to change.
    #[error("could not serialize access to table \"{table}\": {detail}; retry the transaction")]
    Conflict {
        /// The table in which the two met.
        table: String,
        /// Which kind of change met which.
        detail: String,
    },
    /// What a serializable transaction has read is not so any more.
    #[error("could not serialize the transaction: {detail}; retry it")]
    NotSerializable {
        /// What others have changed.
        detail: &'static str,
    },
    /// `SET TRANSACTION` where it is too late.
    #[error("SET TRANSACTION must come before the transaction's other statements")]
    HasRun,
    /// `BEGIN` inside a transaction.
    #[error("a transaction is already in progress")]
    AlreadyActive,
    /// A statement that has to stand alone, inside a transaction.
    #[error("{statement} cannot run inside a transaction")]
    NotAllowedWithin {
        /// The kind of statement.
        statement: &'static str,
    },
    /// `COMMIT`, `ROLLBACK` or `SAVEPOINT` without a transaction.
    #[error("no transaction is in progress")]
    NotActive,
    /// An earlier statement of the transaction failed; only `ROLLBACK` is accepted.
    #[error("the transaction is aborted by an earlier error; ROLLBACK to go on")]
    Aborted,
    /// A savepoint of that name does not exist.
    #[error("savepoint \"{name}\" does not exist")]
    NoSuchSavepoint {
        /// The name asked for.
        name: String,
    },
    /// A change was tried in a read-only transaction or database.
    #[error("cannot execute {statement} in a read-only transaction")]
    ReadOnly {
        /// The kind of statement.
        statement: &'static str,
    },
}

impl TransactionError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::Conflict { .. } | Self::NotSerializable { .. } => "40001",
            Self::AlreadyActive | Self::HasRun | Self::NotAllowedWithin { .. } => "25001",
            Self::NotActive => "25P01",
            Self::Aborted => "25P02",
            Self::NoSuchSavepoint { .. } => "3B001",
            Self::ReadOnly { .. } => "25006",
        }
    }
}
