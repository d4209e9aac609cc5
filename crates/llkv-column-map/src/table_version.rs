//! What is published of a table at one instant: immutable, shared by all who read it.

use crate::commit::{ReadyChange, StagedRowGroup};
use crate::descriptor::TableDescriptor;
use crate::fill::{Fills, StoredColumn};
use crate::index::IndexVersion;
use crate::marks::Marks;
use crate::row_group::{Layout, RowGroup};
use crate::scan::{ColumnScan, ScanSpec};
use crate::sealed::SealedGroups;
use crate::stats::ColumnStatistics;
use crate::store::open_fills;
use crate::store::pages::{GroupPage, Paged};
use crate::summary::Summary;
use crate::tail::{self, Tail};
use arrow::array::{ArrayRef, RecordBatch};
use llkv_result::{Error, Result};
use llkv_storage::BoxedPager;
use llkv_types::{
    Clock, FieldId, Horizon, RowId, SqlType, TXN_ID_AUTO_COMMIT, TXN_ID_NONE, TableId, TxnId,
};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// An immutable picture of a table. It holds the rows of every commit published when it was taken, and
/// of none later; which of them a snapshot sees is decided by the scan.
#[derive(Clone)]
pub struct TableVersion {
    pub(crate) table: TableId,
    pub(crate) layout: Arc<Layout>,
    /// What rows hold that lack a column, and columns that went.
    pub(crate) fills: Arc<Fills>,
    pub(crate) groups: Arc<SealedGroups>,
    /// The pages of the stored descriptor.
    pub(crate) pages: Arc<Vec<GroupPage>>,
    /// Plain runs, ascending by row id.
    pub(crate) tail: Tail,
    /// Deletes that are not folded into their groups.
    pub(crate) marks: Marks,
    /// Its indexes.
    pub(crate) indexes: Arc<Vec<Arc<IndexVersion>>>,
    pub(crate) next_row_id: RowId,
    /// The last commit that is in here.
    pub(crate) applied: TxnId,
    /// Every commit up to this is in the stored descriptor.
    pub(crate) settled: TxnId,
    /// The commit that dropped the table.
    pub(crate) dropped_by: Option<TxnId>,
    pub(crate) pager: BoxedPager,
    /// The store's, where it is not the machine's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl std::fmt::Debug for TableVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableVersion")
            .field("table", &self.table)
            .field("layout", &self.layout)
            .field("groups", &self.groups)
            .field("tail", &self.tail)
            .field("next_row_id", &self.next_row_id)
            .finish_non_exhaustive()
    }
}

impl TableVersion {
    /// A new, empty table.
    pub(crate) fn empty(table: TableId, layout: Arc<Layout>, pager: BoxedPager) -> Self {
        Self {
            table,
            layout,
            fills: Arc::default(),
            groups: Arc::default(),
            pages: Arc::default(),
            tail: Tail::default(),
            marks: Marks::default(),
            indexes: Arc::default(),
            next_row_id: 0,
            applied: 0,
            settled: 0,
            dropped_by: None,
            pager,
            clock: None,
        }
    }

    /// The table as a checkpoint stored it.
    ///
    /// # Errors
    /// When the descriptor contradicts itself, or one of its pages cannot be read.
    pub(crate) fn from_descriptor(
        table: TableId,
        descriptor: TableDescriptor,
        pager: BoxedPager,
    ) -> Result<Self> {
        let pages = Paged::read(&descriptor.pages, &pager)?;
        let mut groups = descriptor
            .groups
            .into_iter()
            .map(|meta| RowGroup::stored(meta, Arc::clone(&pager)).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        groups.extend(pages.iter().flat_map(|page| page.groups().iter().cloned()));
        groups.sort_by_key(|group| group.first_row_id());
        Ok(Self {
            fills: Arc::new(Fills::open(&descriptor.layout, &descriptor.fills)?),
            layout: descriptor.layout.into(),
            groups: Arc::new(SealedGroups::new(groups)),
            pages: Arc::new(pages),
            marks: Marks::of(descriptor.marks),
            next_row_id: descriptor.next_row_id,
            applied: descriptor.applied,
            settled: descriptor.applied,
            dropped_by: descriptor.dropped_by,
            ..Self::empty(table, Arc::from([]), pager)
        })
    }

    /// Row groups that no commit refers to yet, as a table of their own: what the transaction that
    /// staged them scans. Each comes with the id of its first row, ascending; every snapshot sees them.
    ///
    /// # Errors
    /// When a group contradicts itself.
    pub fn of_staged(
        table: TableId,
        layout: &[(FieldId, SqlType)],
        groups: &[(RowId, StagedRowGroup)],
        pager: &BoxedPager,
    ) -> Result<Self> {
        let mut version = Self::empty(table, layout.into(), Arc::clone(pager));
        let mut list = Vec::with_capacity(groups.len());
        for (first_row_id, staged) in groups {
            let pager = Arc::clone(pager);
            let group = RowGroup::staged(staged, *first_row_id, TXN_ID_AUTO_COMMIT, pager)?;
            version.next_row_id = group.last_row_id() + 1;
            list.push(Arc::new(group));
        }
        version.groups = Arc::new(SealedGroups::new(list));
        Ok(version)
    }

    /// This version and one more change.
    ///
    /// # Errors
    /// When the change does not fit the table.
    pub(crate) fn with(&self, change: &ReadyChange, commit_id: TxnId) -> Result<Self> {
        let mut next = self.clone();
        next.applied = commit_id;
        match change {
            ReadyChange::Create { .. } => {
                return Err(Error::internal(format!(
                    "table {} was created twice",
                    self.table
                )));
            }
            ReadyChange::Drop { .. } => next.dropped_by = Some(commit_id),
            ReadyChange::Alter { columns, fills, .. } => {
                let fills = self.fills.altered(&self.layout, columns, fills, commit_id);
                next.fills = Arc::new(fills);
                next.layout = columns.as_slice().into();
                // What is known of columns as a whole may rest on rows that lack one.
                next.groups = Arc::new(SealedGroups::new(self.groups.to_vec()));
            }
            ReadyChange::Append {
                first_row_id,
                batch,
                ..
            } if batch.num_rows() > 0 => {
                let layout = Arc::clone(&self.layout);
                let run = tail::new_run(layout, batch.clone(), *first_row_id, commit_id);
                next.next_row_id = run.last_row_id() + 1;
                let barrier = self.groups.last().map_or(0, |group| group.last_row_id());
                next.tail.push(run, barrier)?;
            }
            ReadyChange::Append { .. } => {}
            ReadyChange::AppendGroups { groups, .. } => {
                let mut list = self.groups.to_vec();
                for meta in groups {
                    let group = RowGroup::stored(meta.clone(), Arc::clone(&self.pager))?;
                    next.next_row_id = group.last_row_id() + 1;
                    list.push(Arc::new(group));
                }
                next.groups = Arc::new(SealedGroups::new(list));
            }
            ReadyChange::CreateIndex { index, .. } => {
                let indexes = Arc::make_mut(&mut next.indexes);
                if indexes.iter().any(|known| known.definition.id == index.id) {
                    return Err(Error::internal(format!(
                        "index {} was created twice",
                        index.id
                    )));
                }
                indexes.push(Arc::new(IndexVersion::new(index.clone())));
            }
            ReadyChange::DropIndex { index, .. } => {
                for known in Arc::make_mut(&mut next.indexes) {
                    if known.definition.id == *index {
                        Arc::make_mut(known).is_dropped = true;
                    }
                }
            }
            ReadyChange::Delete { row_ids, .. } => {
                next.marks = self.marks.with(row_ids, commit_id);
            }
            ReadyChange::DeleteSet { rows, .. } => {
                next.marks = self.marks.with_set(rows, commit_id);
            }
        }
        Ok(next)
    }

    /// The table's id.
    #[must_use]
    pub const fn table(&self) -> TableId {
        self.table
    }

    /// The columns, in order.
    #[must_use]
    pub fn layout(&self) -> &[(FieldId, SqlType)] {
        &self.layout
    }

    /// The last commit whose changes are in here.
    #[must_use]
    pub const fn last_commit(&self) -> TxnId {
        self.applied
    }

    /// The id that the next row appended gets at the least.
    #[must_use]
    pub const fn next_row_id(&self) -> RowId {
        self.next_row_id
    }

    /// Rows that no published commit has deleted; exact but for rows that are marked twice.
    #[must_use]
    pub fn row_count_estimate(&self) -> u64 {
        let rows: usize = self.segments().map(|group| group.rows).sum();
        let folded: usize = self.groups.iter().map(|g| g.deletes.len()).sum();
        rows.saturating_sub(folded + self.marks.len()) as u64
    }

    /// Rows that no checkpoint has sealed yet.
    #[must_use]
    pub fn tail_rows(&self) -> u64 {
        self.tail.iter().map(|run| run.rows as u64).sum()
    }

    /// The commit that dropped the table, if one did.
    #[must_use]
    pub const fn dropped_by(&self) -> Option<TxnId> {
        self.dropped_by
    }

    /// The type of a field. Fields that went are known to snapshots from before.
    pub(crate) fn type_of(&self, field: FieldId) -> Result<SqlType> {
        let found = self.layout.iter().find(|(f, _)| *f == field);
        found
            .map(|(_, ty)| *ty)
            .or_else(|| self.fills.former(field))
            .ok_or_else(|| Error::internal(format!("table {} has no field {field}", self.table)))
    }

    /// True for a column of the table, or one that it had and that a snapshot may see.
    #[must_use]
    pub fn has_field(&self, field: FieldId) -> bool {
        self.type_of(field).is_ok()
    }

    /// A field as it is read.
    pub(crate) fn column(&self, field: FieldId) -> Result<StoredColumn> {
        Ok(StoredColumn {
            field,
            ty: self.type_of(field)?,
            fill: self.fills.fill(field).cloned(),
        })
    }

    /// The same rows under a layout that no commit brought yet: what the transaction that changes it
    /// sees. `fills`: what rows hold in columns that are new, an array of one row each.
    ///
    /// # Errors
    /// When a value does not fit its column.
    pub fn with_layout(
        &self,
        columns: &[(FieldId, SqlType)],
        fills: &[(FieldId, ArrayRef)],
    ) -> Result<Self> {
        let change = ReadyChange::Alter {
            table: self.table,
            columns: columns.to_vec(),
            fills: open_fills(columns, fills)?,
        };
        self.with(&change, self.applied)
    }

    /// All row groups and runs of the tail.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<RowGroup>> {
        self.groups.iter().chain(self.tail.iter())
    }

    /// The row group or run that holds a row id, with the position in it.
    pub(crate) fn locate(&self, row_id: RowId) -> Option<(&Arc<RowGroup>, usize)> {
        [&**self.groups, &*self.tail].into_iter().find_map(|list| {
            let after = list.partition_point(|group| group.first_row_id() <= row_id);
            let group = list.get(after.checked_sub(1)?)?;
            Some((group, group.position(row_id)?))
        })
    }

    /// The commit that deleted each row: [`TXN_ID_NONE`] for a row that is alive, and 0 for an id that
    /// no row has (any more).
    #[must_use]
    pub fn deleted_by(&self, row_ids: &[RowId]) -> Vec<TxnId> {
        row_ids
            .iter()
            .map(|id| match self.locate(*id) {
                Some((group, position)) => group.deleted_by(position, &self.marks),
                None => 0,
            })
            .collect()
    }

    /// True when all of these rows are there and no commit has deleted one of them.
    #[must_use]
    pub fn are_alive(&self, rows: &RoaringTreemap) -> bool {
        if rows.len() < 64 {
            let is_alive = |(group, position): (&Arc<RowGroup>, usize)| {
                group.deleted_by(position, &self.marks) == TXN_ID_NONE
            };
            return rows.iter().all(|id| self.locate(id).is_some_and(is_alive));
        }
        if self.marks.meets(rows) {
            return false;
        }
        let found = self.segments().map(|group| {
            let (first, last) = (group.first_row_id(), group.last_row_id());
            let near = rows.range_cardinality(first..=last);
            if near == 0 {
                return Some(0);
            }
            let folded = group.deletes.iter();
            let mut folded = folded.map(|(position, _)| group.row_id(position as usize));
            if folded.any(|id| rows.contains(id)) {
                return None;
            }
            Some(rows_within(group, rows, near))
        });
        found.sum::<Option<u64>>() == Some(rows.len())
    }

    /// Whether a snapshot sees each row.
    #[must_use]
    pub fn visible(&self, row_ids: &[RowId], snapshot: TxnId) -> Vec<bool> {
        row_ids
            .iter()
            .map(|id| {
                self.locate(*id).is_some_and(|(group, position)| {
                    group.created_by(position) <= snapshot
                        && snapshot < group.deleted_by(position, &self.marks)
                })
            })
            .collect()
    }

    /// The rows that commits above `after` up to `upto` deleted, in no order; `None` where a checkpoint since `after` has
    /// folded them into the row groups.
    #[must_use]
    pub fn deleted_between(&self, after: TxnId, upto: TxnId) -> Option<Vec<RowId>> {
        (self.settled <= after).then(|| self.marks.between(after, upto).collect())
    }

    /// What is known of a column without a scan: the statistics of the stored row groups, and those of
    /// the runs of the tail, which are taken at first use and kept. `None` for an unknown field.
    #[must_use]
    pub fn statistics(&self, field: FieldId) -> Option<ColumnStatistics> {
        let column = self.column(field).ok()?;
        let ty = column.ty;
        let sealed = self.groups.column(&column);
        let (mut bounds, mut distinct) = (sealed.bounds.clone(), sealed.distinct);
        let (mut rows, mut null_count) = (sealed.rows, sealed.null_count);
        if let Some(tail) = self.tail_summary(&column)? {
            let (tail_rows, nulls) = (tail.rows as u64, u64::from(tail.stats.null_count));
            rows += tail_rows;
            null_count += nulls;
            if nulls < tail_rows {
                distinct.add(tail.distinct.estimate(), tail_rows - nulls);
                bounds = Some(match bounds {
                    None => tail.stats.bounds,
                    Some(bounds) => bounds.merge(&tail.stats.bounds),
                });
            }
        }
        let bounds = bounds.unwrap_or_default();
        let (min, max) = bounds.to_scalars(ty);
        Some(ColumnStatistics {
            min,
            max,
            null_count,
            distinct_estimate: distinct.estimate(&bounds).min(rows - null_count),
            rows,
        })
    }

    /// What is known of a column of the tail, if there is one; `None` for rows that do not fit the column.
    fn tail_summary(&self, column: &StoredColumn) -> Option<Option<Summary>> {
        let mut runs = self.tail.for_reading().iter();
        let Some(first) = runs.next() else {
            return Some(None);
        };
        let mut all = first.summary(column)?.into_owned();
        for run in runs {
            all.merge(run.summary(column)?.as_ref());
        }
        Some(Some(all))
    }

    /// How a column is stored: for each stored row group the name of the encoding and the size in bytes.
    #[must_use]
    pub fn stored_as(&self, field: FieldId) -> Vec<(&'static str, usize)> {
        self.groups
            .iter()
            .filter_map(|group| group.stored_as(field))
            .collect()
    }

    /// Rows by id: one row for each id, in the order of `row_ids`, with the columns of `fields`. Versions
    /// are not looked at. Single values are decoded, not chunks.
    ///
    /// # Errors
    /// When an id has no row, a field is unknown, or the pager fails.
    pub fn gather(&self, row_ids: &[RowId], fields: &[FieldId]) -> Result<RecordBatch> {
        crate::scan::gather::gather(self, row_ids, fields)
    }

    /// Starts a scan.
    ///
    /// # Errors
    /// When a field is unknown or a predicate does not fit its column.
    pub fn scan(self: &Arc<Self>, spec: ScanSpec) -> Result<ColumnScan> {
        ColumnScan::new(Arc::clone(self), spec)
    }

    /// True where some rows of a group may be deleted.
    pub(crate) fn has_deletes(&self, group: &RowGroup) -> bool {
        let mut marks = self.marks.range(group.first_row_id(), group.last_row_id());
        self.dropped_by.is_some() || !group.deletes.is_empty() || marks.next().is_some()
    }

    /// True for a row that no snapshot sees.
    pub(crate) fn is_dead(&self, group: &RowGroup, position: usize, horizon: &Horizon) -> bool {
        let deleted_by = group.deleted_by(position, &self.marks);
        let deleted_by = deleted_by.min(self.dropped_by.unwrap_or(TXN_ID_NONE));
        deleted_by != TXN_ID_NONE && horizon.is_dead(group.created_by(position), deleted_by)
    }
}

/// Counting the rows of a set within a range of ids takes the time of looking at some hundred of them one by one.
const ROWS_PER_RANGE: u64 = 256;

/// How many of `rows`, of which `near` lie between the first and the last id of a group, are rows of it. Churn leaves
/// groups whose rows are each a run of their own, so then the set and the runs are walked through side by side.
fn rows_within(group: &RowGroup, rows: &RoaringTreemap, near: u64) -> u64 {
    let mut found = 0;
    if group.row_ids.ranges() as u64 * ROWS_PER_RANGE <= near {
        group.id_ranges(0, group.rows, |from, to, first| {
            found += rows.range_cardinality(first..first + (to - from) as u64);
        });
        return found;
    }
    let mut ids = rows.iter();
    ids.advance_to(group.first_row_id());
    let mut ids = ids.peekable();
    group.id_ranges(0, group.rows, |from, to, first| {
        let end = first + (to - from) as u64;
        while ids.next_if(|id| *id < first).is_some() {}
        while ids.next_if(|id| *id < end).is_some() {
            found += 1;
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::IdRun;
    use arrow::array::{ArrayRef, Int64Array};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_within_a_group_are_counted_however_scattered(
            runs in prop::collection::vec((1_u64..400, 1_u32..40), 1..60),
            step in 1_u64..4,
            from in 0_u64..2_000,
        ) {
            let (mut row_ids, mut ids, mut start, mut next) = (Vec::new(), Vec::new(), 0, 0);
            for (gap, len) in runs {
                next += gap;
                row_ids.push(IdRun { start, first: next });
                ids.extend(next..next + u64::from(len));
                start += len;
                next += u64::from(len);
            }
            let column: ArrayRef = Arc::new(Int64Array::from(vec![0; ids.len()]));
            let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
            let layout = vec![(FieldId(0), SqlType::Int64)].into();
            let group = RowGroup::plain(layout, batch, row_ids, Vec::new());
            let rows: RoaringTreemap = (from..next + 500).step_by(step as usize).collect();
            let expected = ids.iter().filter(|id| rows.contains(**id)).count() as u64;
            // Few rows near the group have the runs walked through, many have each run counted.
            prop_assert_eq!(rows_within(&group, &rows, 0), expected);
            prop_assert_eq!(rows_within(&group, &rows, u64::MAX), expected);
        }
    }
}
