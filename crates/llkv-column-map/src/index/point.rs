//! Rows by one whole key: what a statement that asks for one row needs, and nothing besides.

use super::IndexAccess;
use super::lookup::KeyReader;
use crate::scan::gather::gather_columns;
use crate::table_version::TableVersion;
use arrow::array::ArrayRef;
use llkv_result::Result;
use llkv_types::{FieldId, RowId, TxnId};
use roaring::RoaringTreemap;

/// A look-up.
#[derive(Debug, Clone, Copy)]
pub struct PointRequest<'a> {
    /// The keys wanted.
    pub access: &'a IndexAccess,
    /// The last commit that is seen.
    pub snapshot: TxnId,
    /// Rows that do not count.
    pub without: Option<&'a RoaringTreemap>,
    /// The columns wanted.
    pub fields: &'a [FieldId],
}

/// The rows found.
#[derive(Debug, Clone)]
pub struct PointRows {
    /// Their ids, ascending.
    pub row_ids: Vec<RowId>,
    /// Their values, an array for each column wanted.
    pub columns: Vec<ArrayRef>,
}

impl TableVersion {
    /// Looks rows up by few keys. `None` where the index does not know all rows (yet), or a part of it is
    /// damaged: a scan finds them then.
    ///
    /// # Errors
    /// When a field is unknown or the pager fails.
    pub fn look_up(&self, request: &PointRequest<'_>) -> Result<Option<PointRows>> {
        let Some(index) = self.index(request.access.index) else {
            return Ok(None);
        };
        let Some(columns) = self.key_columns(index) else {
            return Ok(None);
        };
        let Some(found) = self.find_keys(request.access)? else {
            return Ok(None);
        };
        if !found.scanned.is_empty() {
            return Ok(None);
        }
        let mut row_ids = Vec::with_capacity(found.row_ids.len());
        let mut reader = KeyReader::new(&columns);
        for row_id in found.row_ids {
            let Some((group, position)) = self.locate(row_id) else {
                continue;
            };
            let is_seen = group.created_by(position) <= request.snapshot
                && request.snapshot < group.deleted_by(position, &self.marks)
                && !request.without.is_some_and(|rows| rows.contains(row_id));
            // What an index says of a row is looked at again in its columns.
            if is_seen && request.access.contains(reader.read_one(group, position)?) {
                row_ids.push(row_id);
            }
        }
        let columns = gather_columns(self, &row_ids, request.fields)?;
        Ok(Some(PointRows { row_ids, columns }))
    }
}

impl IndexAccess {
    /// True for a key that lies in one of the ranges.
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        let after = self.ranges.partition_point(|range| *range.low <= *key);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|range| range.high.as_ref().is_none_or(|high| *key < **high))
    }
}
