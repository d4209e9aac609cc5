//! Ordered indexes: which rows have a key, without reading the others.
//!
//! An index is a second way to the rows of a table, never a second place for their values: whatever it
//! finds is looked at again in the columns, so an index can make a scan faster but not wrong. It knows
//! the rows of a table in three forms.
//!
//! | rows | form |
//! | --- | --- |
//! | sealed, in the order of the key | none: the row group's first and last key ([`OrderedPart`]) |
//! | sealed, in another order | entries (key, row id) in sorted runs ([`run::Run`]), written by checkpoints |
//! | committed since the last checkpoint | entries sorted in memory, when first looked for ([`SegmentKeys`]) |
//!
//! Row groups that no checkpoint has seen yet are scanned. So a commit does nothing for an index, rows
//! that come in the order of a key cost nothing, and opening a database rebuilds nothing.

mod bloom;
mod build;
mod entries;
mod key;
mod lookup;
mod merge;
mod page;
mod point;
mod run;
mod scan;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub(crate) use build::{Built, build};
pub(crate) use entries::{EntryBuffer, SortedKeys};
pub use key::{IntegerKey, KeyEncoder, KeyRange, after_prefix};
pub use point::{PointRequest, PointRows};
pub(crate) use run::Run;
pub use scan::{IndexMorsel, IndexScan};
pub(crate) use verify::check_indexes;

use crate::descriptor::{RecordKind, seal, unseal};
use crate::fill::StoredColumn;
use bitcode::{Decode, Encode};
use llkv_result::Result;
use llkv_storage::BoxedPager;
use llkv_types::{Collation, FieldId, IndexId, RowId, TableId};
use parking_lot::Mutex;
use run::RunMeta;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a table's indexes hold. Its version is that of the form of keys, too.
const INDEXES: RecordKind = RecordKind {
    magic: *b"LLKI",
    version: 1,
    name: "what the indexes of a table hold",
};

/// An index of a table: its columns, the most significant first. Ascending, NULLs first, whatever a
/// statement called for: a run is read from either end.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IndexDefinition {
    /// Identity within the table; never reused.
    pub id: IndexId,
    /// Columns of the key.
    pub fields: Vec<FieldId>,
    /// Of which texts the key is made, column by column: its keys hold those that a collation makes of the
    /// column's. Without an entry texts stand for themselves.
    pub collations: Vec<Collation>,
}

impl IndexDefinition {
    /// The collation of a column of the key.
    #[must_use]
    pub fn collation(&self, at: usize) -> Collation {
        self.collations.get(at).copied().unwrap_or_default()
    }
}

/// An [`IndexDefinition`] as it was stored before indexes had collations.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FormerIndexDefinition {
    pub(crate) id: IndexId,
    pub(crate) fields: Vec<FieldId>,
}

impl FormerIndexDefinition {
    pub(crate) fn upgraded(self) -> IndexDefinition {
        IndexDefinition {
            id: self.id,
            fields: self.fields,
            collations: Vec::new(),
        }
    }
}

/// A column of an index and the collation of its keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    pub(crate) stored: StoredColumn,
    pub(crate) collation: Collation,
}

/// Rows wanted of an index: those whose keys lie in one of some ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexAccess {
    /// The index.
    pub index: IndexId,
    /// Ascending, and none overlaps another.
    pub ranges: Vec<KeyRange>,
    /// Each range is that of one whole key.
    pub whole_keys: bool,
}

/// Sealed rows that lie in the order of the key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OrderedPart {
    pub(crate) first_row: RowId,
    pub(crate) last_row: RowId,
    pub(crate) low: Vec<u8>,
    pub(crate) high: Vec<u8>,
}

/// What is published of an index: a part of a table version.
#[derive(Debug, Clone)]
pub(crate) struct IndexVersion {
    pub(crate) definition: IndexDefinition,
    pub(crate) ordered: Arc<Vec<OrderedPart>>,
    /// The oldest first.
    pub(crate) runs: Vec<Arc<Run>>,
    /// Rows below this are in `ordered` or in `runs`.
    pub(crate) covered_to: RowId,
    /// Dropped; the next checkpoint frees what it holds.
    pub(crate) is_dropped: bool,
    /// A part of it could not be read: it finds nothing until a checkpoint has built it anew.
    is_damaged: Arc<AtomicBool>,
}

/// What is stored of an index.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct IndexMeta {
    id: IndexId,
    ordered: Vec<OrderedPart>,
    runs: Vec<RunMeta>,
    covered_to: RowId,
}

impl IndexVersion {
    pub(crate) fn new(definition: IndexDefinition) -> Self {
        Self {
            definition,
            ordered: Arc::default(),
            runs: Vec::new(),
            covered_to: 0,
            is_dropped: false,
            is_damaged: Arc::default(),
        }
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Acquire)
    }

    pub(crate) fn set_damaged(&self) {
        self.is_damaged.store(true, Ordering::Release);
    }

    fn meta(&self) -> IndexMeta {
        IndexMeta {
            id: self.definition.id,
            ordered: self.ordered.to_vec(),
            runs: self.runs.iter().map(|run| run.meta()).collect(),
            covered_to: self.covered_to,
        }
    }
}

/// The stored form of what a table's indexes hold.
pub(crate) fn describe(indexes: &[Arc<IndexVersion>]) -> Vec<u8> {
    let metas: Vec<IndexMeta> = indexes.iter().map(|index| index.meta()).collect();
    seal(INDEXES, &metas)
}

/// The indexes of a table with what they hold, as [`describe`] stored it. An index of which that is missing
/// or cannot be read is damaged: the table is whole without it.
pub(crate) fn from_description(
    key: u64,
    bytes: &[u8],
    definitions: &[IndexDefinition],
    pager: &BoxedPager,
) -> Vec<Arc<IndexVersion>> {
    let mut metas: Vec<IndexMeta> = match definitions {
        [] => Vec::new(),
        _ => unseal(INDEXES, key, bytes).unwrap_or_default(),
    };
    let open = |definition: &IndexDefinition| {
        let empty = IndexVersion::new(definition.clone());
        let Some(at) = metas.iter().position(|meta| meta.id == definition.id) else {
            empty.set_damaged();
            return Arc::new(empty);
        };
        let meta = metas.swap_remove(at);
        let runs = meta.runs.into_iter();
        Arc::new(IndexVersion {
            ordered: Arc::new(meta.ordered),
            runs: runs
                .map(|run| Arc::new(Run::stored(run, Arc::clone(pager))))
                .collect(),
            covered_to: meta.covered_to,
            ..empty
        })
    };
    definitions.iter().map(open).collect()
}

/// The key of the pager under which the indexes of a table are described.
pub(crate) fn descriptor_key(table: TableId) -> u64 {
    crate::store::INDEX_KEYS + u64::from(table.0)
}

/// The entries of one batch of committed rows, by index, made when they are first looked for.
#[derive(Debug, Default)]
pub(crate) struct SegmentKeys {
    made: Mutex<Vec<(IndexId, Arc<SortedKeys>)>>,
}

impl SegmentKeys {
    /// The entries for an index.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn get_or_make(
        &self,
        index: IndexId,
        make: impl FnOnce() -> Result<SortedKeys>,
    ) -> Result<Arc<SortedKeys>> {
        let mut made = self.made.lock();
        if let Some((_, keys)) = made.iter().find(|(id, _)| *id == index) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(make()?);
        made.push((index, Arc::clone(&keys)));
        Ok(keys)
    }
}
