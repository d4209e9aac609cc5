//! The one error type that crosses crate borders.

use crate::{
    BindError, CatalogError, ConstraintError, EvalError, ExecError, FileError, Span, StorageError,
    TransactionError,
};
use arrow_schema::ArrowError;
use std::path::Path;

/// The result of every fallible operation of LLKV.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of LLKV, by concern.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pager or the disk below it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Transaction control and conflicts.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// SQL text: syntax, names, types, features.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A constraint of a table.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// An expression on values.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A running plan.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A file beside the database.
    #[error(transparent)]
    File(#[from] FileError),
    /// A kernel of the Arrow library refused its input.
    #[error("arrow: {0}")]
    Arrow(#[from] ArrowError),
    /// LLKV broke a promise to itself. Always a bug worth reporting.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl Error {
    /// The five-character SQLSTATE of the SQL standard and PostgreSQL.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Storage(e) => e.sqlstate(),
            Self::Transaction(e) => e.sqlstate(),
            Self::Bind(e) => e.sqlstate(),
            Self::Catalog(e) => e.sqlstate(),
            Self::Constraint(e) => e.sqlstate(),
            Self::Eval(e) => e.sqlstate(),
            Self::Exec(e) => e.sqlstate(),
            Self::File(e) => e.sqlstate(),
            Self::Arrow(_) | Self::Internal(_) => "XX000",
        }
    }

    /// True when the same transaction, tried again from its start, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Transaction(
                TransactionError::Conflict { .. } | TransactionError::NotSerializable { .. }
            )
        )
    }

    /// The place in the statement's text, where one is known.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Bind(e) => e.span(),
            _ => None,
        }
    }

    /// The same error, of a file: what reads values knows no more than the part of the engine that it is.
    #[must_use]
    pub fn in_file(mut self, file: Option<&Path>) -> Self {
        if let (
            Self::Storage(
                StorageError::Corrupt { path, .. }
                | StorageError::NewerRecord { path, .. }
                | StorageError::MissingKey { path, .. },
            ),
            Some(file),
        ) = (&mut self, file)
        {
            file.clone_into(path);
        }
        self
    }

    /// An [`Error::Internal`]: for states that the code itself rules out.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }
}

impl From<Error> for ArrowError {
    /// For [`arrow::array::RecordBatchReader`]s, whose items carry `ArrowError`: the original error
    /// travels inside as [`ArrowError::ExternalError`] and [`Error::from_arrow`] takes it out again.
    fn from(error: Error) -> Self {
        match error {
            Error::Arrow(inner) => inner,
            other => ArrowError::ExternalError(Box::new(other)),
        }
    }
}

impl Error {
    /// Turns an error of a `RecordBatchReader` back into what it was.
    #[must_use]
    pub fn from_arrow(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Self::Arrow(ArrowError::ExternalError(other)),
            },
            other => Self::Arrow(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_trip_through_a_record_batch_reader() {
        let error = Error::from(EvalError::DivisionByZero);
        let arrow = ArrowError::from(error);
        let back = Error::from_arrow(arrow);
        assert!(matches!(back, Error::Eval(EvalError::DivisionByZero)));
        assert_eq!(back.sqlstate(), "22012");
    }

    #[test]
    fn only_conflicts_are_retryable() {
        let conflict = TransactionError::Conflict {
            table: "t".into(),
            detail: "d".into(),
        };
        assert!(Error::from(conflict).is_retryable());
        let detail = "d";
        assert!(Error::from(TransactionError::NotSerializable { detail }).is_retryable());
        assert!(!Error::from(TransactionError::NotActive).is_retryable());
    }
}
