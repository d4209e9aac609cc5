//! Groups whose keys have no packed form: their columns, found by the hash of all.

use super::hash_index::HashIndex;
use super::key_columns::{KeyColumn, key_column, mark_changes};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use llkv_compute::hash_columns;
use llkv_result::Result;

/// Keys by column, and an index of their hashes. A batch is looked up by hashes first and then compared with what was found,
/// column by column: the memory of many keys is waited for at once. A row whose hash meets another key is so rare that the batch
/// is then looked up again, row by row.
pub(super) struct ColumnStore {
    columns: Vec<Box<dyn KeyColumn>>,
    index: HashIndex,
    /// Hashes have met: each key is compared before its group is taken.
    is_careful: bool,
    hashes: Vec<u64>,
    /// Rows of the batch at hand that begin a group, and the others.
    new: Vec<u32>,
    old: Vec<u32>,
    runs: Runs,
}

impl ColumnStore {
    pub(super) fn new(types: &[DataType]) -> Result<Self> {
        let columns = types.iter().map(key_column);
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            index: HashIndex::new(),
            is_careful: false,
            hashes: Vec::new(),
            new: Vec::new(),
            old: Vec::new(),
            runs: Runs::default(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.index.hashes().len()
    }

    /// Hashes by group number, those of `hash_columns`.
    pub(super) fn hashes(&self) -> &[u64] {
        self.index.hashes()
    }

    pub(super) fn size_bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.size_bytes());
        self.index.size_bytes() + columns.sum::<usize>()
    }

    pub(super) fn growth_bytes(&self, rows: usize) -> usize {
        self.index.growth_bytes(rows)
    }

    /// Makes room for so many more groups.
    pub(super) fn reserve(&mut self, groups: usize) {
        self.index.reserve(groups);
        for column in &mut self.columns {
            column.reserve(groups);
        }
    }

    /// Readies the keys for being put out.
    pub(super) fn settle(&mut self) {
        for column in &mut self.columns {
            column.settle();
        }
    }

    pub(super) fn clear(&mut self) {
        self.truncate(0);
    }

    fn truncate(&mut self, groups: usize) {
        self.index.truncate(groups);
        for column in &mut self.columns {
            column.truncate(groups);
        }
    }

    /// The group number of each row.
    pub(super) fn intern(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let mut runs = std::mem::take(&mut self.runs);
        match runs.firsts(keys, rows)? {
            Some(firsts) => {
                let firsts = UInt32Array::from(firsts.to_vec());
                let keys = keys.iter().map(|key| take(key, &firsts, None));
                let keys: Vec<ArrayRef> = keys.collect::<std::result::Result<_, _>>()?;
                self.intern_rows(&keys, None, groups)?;
                runs.spread(groups);
            }
            None => self.intern_rows(keys, None, groups)?,
        }
        self.runs = runs;
        Ok(())
    }

    /// The group number of each row; `hashes` are those of the rows, where they are known.
    pub(super) fn intern_rows(
        &mut self,
        keys: &[ArrayRef],
        known: Option<&[u64]>,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let mut own = std::mem::take(&mut self.hashes);
        let hashes = match known {
            Some(hashes) => hashes,
            None => {
                hash_columns(keys, &mut own)?;
                own.as_slice()
            }
        };
        if self.is_careful || !self.intern_likely(keys, hashes, groups)? {
            self.is_careful = true;
            self.intern_carefully(keys, hashes, groups)?;
        }
        self.hashes = own;
        Ok(())
    }

    /// False, and nothing done, where hashes met.
    fn intern_likely(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        groups: &mut Vec<u32>,
    ) -> Result<bool> {
        let before = self.len();
        groups.clear();
        groups.reserve(hashes.len());
        self.new.clear();
        self.old.clear();
        let (new, old) = (&mut self.new, &mut self.old);
        self.index.likely_groups(hashes, |group| {
            let row = groups.len() as u32;
            match group as usize == before + new.len() {
                true => new.push(row),
                false => old.push(row),
            }
            groups.push(group);
        });
        if !self.new.is_empty() {
            for (column, key) in self.columns.iter_mut().zip(keys) {
                column.push(key, &self.new)?;
            }
        }
        for (column, key) in self.columns.iter().zip(keys) {
            if !column.holds(key, &self.old, groups)? {
                self.truncate(before);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn intern_carefully(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        groups.clear();
        groups.resize(hashes.len(), 0);
        for (row, hash) in hashes.iter().enumerate() {
            let before = self.len();
            let columns = &self.columns;
            let found = self.index.group(*hash, |group| {
                if let Some(slot) = groups.get_mut(row) {
                    *slot = group;
                }
                let rows = [row as u32];
                let mut pairs = columns.iter().zip(keys);
                pairs.try_fold(true, |equal, (column, key)| {
                    Ok::<_, llkv_result::Error>(equal && column.holds(key, &rows, groups)?)
                })
            })?;
            if found as usize == before {
                for (column, key) in self.columns.iter_mut().zip(keys) {
                    column.push(key, &[row as u32])?;
                }
            }
            if let Some(slot) = groups.get_mut(row) {
                *slot = found;
            }
        }
        Ok(())
    }

    /// The keys of all groups, which are forgotten.
    pub(super) fn take_keys(&mut self) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter_mut();
        let keys = columns.map(|column| column.take()).collect();
        self.clear();
        keys
    }

    /// The keys of the groups `start .. start + count`.
    pub(super) fn keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter();
        columns.map(|column| column.values(start, count)).collect()
    }
}

/// Runs of rows with the same key, as a join puts them out for each row that it looks up: one row of each is enough.
#[derive(Default)]
struct Runs {
    /// Whether a row's key may differ from the one before.
    changes: Vec<bool>,
    firsts: Vec<u32>,
    group_of_run: Vec<u32>,
}

impl Runs {
    /// The first row of each run, where there are far fewer runs than rows.
    fn firsts(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Option<&[u32]>> {
        self.changes.clear();
        self.changes.resize(rows, false);
        if let Some(first) = self.changes.first_mut() {
            *first = true;
        }
        for key in keys {
            mark_changes(key, &mut self.changes)?;
            let runs = self.changes.iter().filter(|change| **change).count();
            if runs * 4 > rows * 3 {
                return Ok(None);
            }
        }
        self.firsts.clear();
        let rows = (0..).zip(&self.changes).filter(|(_, change)| **change);
        self.firsts.extend(rows.map(|(row, _)| row));
        Ok(Some(&self.firsts))
    }

    /// Gives each row the group of its run.
    fn spread(&mut self, groups: &mut Vec<u32>) {
        std::mem::swap(&mut self.group_of_run, groups);
        groups.clear();
        let mut runs = self.group_of_run.iter();
        let mut group = 0;
        groups.extend(self.changes.iter().map(|change| {
            if *change {
                group = runs.next().copied().unwrap_or_default();
            }
            group
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryViewArray, BooleanArray, Decimal128Array, Int32Array, StringViewArray,
    };
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    type Key = (
        Option<String>,
        Option<i32>,
        Option<bool>,
        Option<Vec<u8>>,
        Option<i128>,
    );

    fn arrays(rows: &[Key]) -> Vec<ArrayRef> {
        vec![
            Arc::new(
                rows.iter()
                    .map(|r| r.0.as_deref())
                    .collect::<StringViewArray>(),
            ),
            Arc::new(rows.iter().map(|r| r.1).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|r| r.2).collect::<BooleanArray>()),
            Arc::new(
                rows.iter()
                    .map(|r| r.3.as_deref())
                    .collect::<BinaryViewArray>(),
            ),
            Arc::new(rows.iter().map(|r| r.4).collect::<Decimal128Array>()),
        ]
    }

    fn key() -> impl Strategy<Value = Key> {
        let text = prop::option::of((0_usize..4, 0_usize..3));
        let text = text.prop_map(|t| t.map(|(n, tail)| "a text, ".repeat(n) + &"z".repeat(tail)));
        let blob = prop::option::of((0_u8..2, 10_usize..15));
        (
            text,
            prop::option::of(0..3),
            prop::option::of(any::<bool>()),
            blob.prop_map(|b| b.map(|(byte, count)| vec![byte; count])),
            prop::option::of(0..2_i128),
        )
    }

    proptest! {
        #[test]
        fn groups_are_those_of_a_map(
            batches in prop::collection::vec(prop::collection::vec((key(), 1_usize..4), 0..40), 1..6),
            same_hashes in any::<bool>(),
        ) {
            let types: Vec<DataType> = arrays(&[]).iter().map(|a| a.data_type().clone()).collect();
            let mut store = ColumnStore::new(&types).unwrap();
            let (mut expected, mut keys) = (HashMap::new(), Vec::new());
            let mut groups = Vec::new();
            for batch in batches {
                // Rows of one key side by side, so that there are runs.
                let rows = batch.into_iter().flat_map(|(key, times)| vec![key; times]);
                let rows: Vec<Key> = rows.collect();
                let arrays = arrays(&rows);
                if same_hashes {
                    store.intern_rows(&arrays, Some(&vec![7; rows.len()]), &mut groups).unwrap();
                } else {
                    store.intern(&arrays, rows.len(), &mut groups).unwrap();
                }
                prop_assert_eq!(groups.len(), rows.len());
                for (row, group) in rows.into_iter().zip(&groups) {
                    let next = expected.len() as u32;
                    let wanted = *expected.entry(row.clone()).or_insert_with(|| { keys.push(row); next });
                    prop_assert_eq!(*group, wanted);
                }
                prop_assert_eq!(store.len(), keys.len());
                // What was given out stays as it is while more keys come.
                let half = keys.len() / 2;
                prop_assert_eq!(store.keys(half, keys.len() - half).unwrap(), self::arrays(&keys[half..]));
            }
            prop_assert_eq!(store.keys(0, keys.len()).unwrap(), self::arrays(&keys));
            store.clear();
            prop_assert_eq!(store.len(), 0);
            store.intern(&self::arrays(&keys), keys.len(), &mut groups).unwrap();
            prop_assert_eq!(store.keys(0, keys.len()).unwrap(), self::arrays(&keys));
        }
    }

    #[test]
    fn long_texts_fill_blocks() {
        let mut store = ColumnStore::new(&[DataType::Utf8View]).unwrap();
        let text = |i: usize| format!("{i:08}").repeat(1 + i % 700);
        let mut groups = Vec::new();
        for start in (0..3000).step_by(500) {
            let texts = (start..start + 500).map(text);
            let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
            store
                .intern(&[Arc::clone(&texts)], 500, &mut groups)
                .unwrap();
            assert_eq!(groups[0] as usize, start);
            assert_eq!(store.keys(start, 500).unwrap(), [texts]);
        }
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..3000).map(text)));
        store
            .intern(&[Arc::clone(&texts)], 3000, &mut groups)
            .unwrap();
        assert!(
            groups
                .iter()
                .enumerate()
                .all(|(i, group)| i == *group as usize)
        );
        assert_eq!(store.keys(0, 3000).unwrap(), [texts]);
        assert!(store.size_bytes() < 40 << 20);
    }
}
