//! Identifiers, logical types, scalars and schemas: the vocabulary that all floors of LLKV share.
//!
//! ```
//! use arrow::datatypes::DataType;
//! use llkv_types::{Scalar, SqlType};
//!
//! let price = SqlType::Decimal { precision: 15, scale: 2 };
//! assert_eq!(price.to_arrow(), DataType::Decimal64(15, 2));
//! let three = Scalar::Decimal { value: 1999, precision: 15, scale: 2 };
//! assert_eq!(three.to_string(), "19.99");
//! ```

pub mod calendar;
mod cancel;
mod clock;
mod collation;
mod database_number;
mod horizon;
mod ids;
mod memory;
mod native;
mod scalar;
mod schema;
mod sql_type;
pub mod text;
mod trigger;
pub mod variant;

pub use cancel::CancelToken;
pub use clock::{Clock, SimClock, SystemClock};
pub use collation::Collation;
pub use database_number::DatabaseNumber;
pub use horizon::Horizon;
pub use ids::{
    FieldId, IndexId, LogicalFieldId, Namespace, PhysicalKey, RowId, TXN_ID_AUTO_COMMIT,
    TXN_ID_NONE, TableId, TxnId,
};
pub use memory::{MemoryBudget, MemoryReservation};
pub use native::FromScalar;
pub use scalar::Scalar;
pub use schema::{Column, TableSchema};
pub use sql_type::SqlType;
pub use trigger::{TriggerEvent, TriggerTime};

/// Rows of a row group: chunk *i* of every column of a table holds the same rows.
/// 15 batches of [`BATCH_ROWS`], 120 blocks of 1,024 (the width of a FastLanes vector).
pub const ROW_GROUP_ROWS: usize = 122_880;

/// Rows of a batch in scans and operators: small enough that a few columns stay in the L2 cache.
pub const BATCH_ROWS: usize = 8_192;
