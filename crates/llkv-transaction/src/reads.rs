//! What a transaction has read: what must still be so when it commits, for transactions that are to be serializable.

use crate::KeyFootprint;
use llkv_types::{IndexId, RowId, TableId};
use roaring::RoaringTreemap;
use std::collections::{BTreeMap, BTreeSet};

/// The reads of a transaction: whole tables, and within others single rows and keys that no row had. At its commit none of them
/// may have been changed since its snapshot. Then all that it read is what it would read at the moment of its commit, so the
/// order of the commits is an order in which transactions could have run one by one (backward validation: H. T. Kung and
/// J. T. Robinson, "On Optimistic Methods for Concurrency Control", 1981).
#[derive(Debug, Default)]
pub struct ReadSet {
    everything: bool,
    tables: BTreeSet<TableId>,
    rows: BTreeMap<TableId, RoaringTreemap>,
    absent: BTreeMap<(TableId, IndexId), KeyFootprint>,
}

impl ReadSet {
    /// Rows of one table that are kept one by one; more are the table.
    pub const MAX_ROWS: u64 = 1 << 20;

    /// All that there is: any commit may have changed it.
    pub fn note_everything(&mut self) {
        *self = Self {
            everything: true,
            ..Self::default()
        };
    }

    /// All rows of a table, those that are not there yet among them.
    pub fn note_table(&mut self, table: TableId) {
        if !self.everything && self.tables.insert(table) {
            self.rows.remove(&table);
            self.absent.retain(|(of, _), _| *of != table);
        }
    }

    /// Committed rows of a table.
    pub fn note_rows(&mut self, table: TableId, row_ids: impl IntoIterator<Item = RowId>) {
        if self.has_table(table) {
            return;
        }
        let rows = self.rows.entry(table).or_default();
        rows.extend(row_ids);
        if rows.len() > Self::MAX_ROWS {
            self.note_table(table);
        }
    }

    /// A key of a unique index, in the form of [`KeyFootprint`], that no committed row has.
    pub fn note_absent(&mut self, table: TableId, index: IndexId, key: &[u8]) {
        if !self.has_table(table) {
            self.absent.entry((table, index)).or_default().insert(key);
        }
    }

    fn has_table(&self, table: TableId) -> bool {
        self.everything || self.tables.contains(&table)
    }

    /// True where any commit since the snapshot is one too many.
    #[must_use]
    pub const fn has_everything(&self) -> bool {
        self.everything
    }

    /// The tables that were read as a whole.
    pub fn tables(&self) -> impl Iterator<Item = TableId> {
        self.tables.iter().copied()
    }

    /// The rows that were read of other tables.
    pub fn rows(&self) -> impl Iterator<Item = (TableId, &RoaringTreemap)> {
        self.rows.iter().map(|(table, rows)| (*table, rows))
    }

    /// The keys that no row of other tables had.
    pub fn absent(&self) -> impl Iterator<Item = (TableId, IndexId, &KeyFootprint)> {
        let absent = self.absent.iter();
        absent.map(|((table, index), keys)| (*table, *index, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TableId = TableId(7);
    const U: TableId = TableId(8);
    const KEY: IndexId = IndexId(1);

    #[test]
    fn a_whole_table_stands_for_its_rows_and_keys() {
        let mut reads = ReadSet::default();
        reads.note_rows(T, [3, 5]);
        reads.note_absent(T, KEY, b"k");
        reads.note_absent(U, KEY, b"k");
        assert_eq!(reads.rows().count(), 1);
        assert_eq!(reads.absent().count(), 2);
        reads.note_table(T);
        reads.note_rows(T, [9]);
        reads.note_absent(T, KEY, b"l");
        assert_eq!(reads.tables().collect::<Vec<_>>(), [T]);
        assert_eq!(reads.rows().count(), 0);
        let absent: Vec<_> = reads.absent().map(|(table, ..)| table).collect();
        assert_eq!(absent, [U]);
        reads.note_everything();
        reads.note_table(U);
        assert!(reads.has_everything() && reads.tables().count() + reads.absent().count() == 0);
    }

    #[test]
    fn very_many_rows_are_their_table() {
        let mut reads = ReadSet::default();
        reads.note_rows(T, 0..ReadSet::MAX_ROWS);
        assert_eq!(reads.tables().count(), 0);
        reads.note_rows(T, [1 << 40]);
        assert_eq!(reads.tables().collect::<Vec<_>>(), [T]);
        assert_eq!(reads.rows().count(), 0);
    }
}
