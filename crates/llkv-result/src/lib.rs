//! Errors and statement results: what every layer of LLKV hands upwards.
//!
//! Each concern has an enum of its own with structured fields; all fold into [`Error`]. Text is for
//! people, fields are for programs: a caller matches on variants, on [`Error::sqlstate`] and on
//! [`Error::is_retryable`], never on messages.
//!
//! ```
//! use llkv_result::{Error, StorageError};
//!
//! let error = Error::from(StorageError::Locked { path: "shop.llkv".into() });
//! assert_eq!(error.sqlstate(), "55006");
//! assert!(!error.is_retryable());
//! ```

mod error;
mod evaluation;
mod file;
mod schema;
mod span;
mod statement;
mod storage;
mod transaction;

pub use error::{Error, Result};
pub use evaluation::{EvalError, ExecError, RaiseAction};
pub use file::FileError;
pub use schema::{BindError, CatalogError, ConstraintError, ObjectKind};
pub use span::Span;
pub use statement::{SelectStream, StatementResult};
pub use storage::StorageError;
pub use transaction::TransactionError;
