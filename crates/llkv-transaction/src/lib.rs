//! Transaction ids, snapshots, visibility and conflicts: the rules of snapshot isolation and what makes it serializable, without
//! a table.
//!
//! A row carries the commit id that created it and the one that deleted it. It is visible to a snapshot
//! `S` when `created_by <= S < deleted_by`. Commit ids are handed out in the order of the log and
//! published in that order, so the last published one, the *watermark*, is all a reader needs to know.
//!
//! ```
//! use arrow::array::UInt64Array;
//! use llkv_transaction::{TxnIdManager, visible_rows};
//! use llkv_types::TXN_ID_NONE;
//!
//! let manager = TxnIdManager::new(1);
//! let reader = manager.begin_transaction();       // sees what commit 1 left
//! manager.publish(2);                             // another transaction commits
//! let created = UInt64Array::from(vec![1, 1, 2]);
//! let deleted = UInt64Array::from(vec![TXN_ID_NONE, 2, TXN_ID_NONE]);
//! let rows = visible_rows(&created, &deleted, reader.snapshot().snapshot_id);
//! assert_eq!(rows.set_indices().collect::<Vec<_>>(), [0, 1]);
//! assert_eq!(manager.gc_bound(), 1);              // the reader holds garbage collection back
//! drop(reader);
//! assert_eq!(manager.gc_bound(), 2);
//! ```

mod conflict;
mod key_list;
mod keys;
mod manager;
mod pending;
mod reads;
mod visibility;

pub use conflict::{changed_since, conflict};
pub use keys::{KeyBytes, KeyFootprint, KeyHistory};
pub use llkv_types::{TXN_ID_AUTO_COMMIT, TXN_ID_NONE, TxnId};
pub use manager::{RegisteredSnapshot, TransactionSnapshot, TxnIdManager};
pub use pending::{PendingDeletes, add_rows, rows_without};
pub use reads::ReadSet;
pub use visibility::{is_visible, visible_rows};
