//! Group numbers for rows by their key columns.

use super::Word;
use super::column_store::ColumnStore;
use super::direct_keys::{DirectKeys, decoded, is_coded};
use super::originals::Originals;
use super::packed::{PackedLayout, Packing};
use super::word_table::WordTable;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use llkv_compute::{key_type, normalized};
use llkv_result::{Error, Result};
use llkv_types::SqlType;

/// Gives equal keys equal numbers, counted from zero in order of first appearance. NULLs are equal.
pub(crate) struct GroupTable {
    /// Types of the normalized keys, and whether NULL may be among them.
    columns: Vec<(DataType, bool)>,
    store: Store,
    direct: DirectKeys,
    originals: Originals,
}

enum Store {
    /// No key columns: one group.
    One {
        seen: bool,
    },
    Narrow(PackedStore<u64>),
    Wide(PackedStore<u128>),
    Columns(ColumnStore),
}

struct PackedStore<W> {
    layout: PackedLayout,
    table: WordTable<W>,
    packing: Packing<W>,
}

impl GroupTable {
    /// A table for key columns of these types. `nullable` may be wrong; being right makes it narrower.
    pub(crate) fn new(columns: &[(DataType, bool)]) -> Result<Self> {
        let originals = Originals::new(columns.iter().map(|(t, _)| t));
        let columns: Vec<(DataType, bool)> = columns
            .iter()
            .map(|(data_type, nullable)| (normal_type(data_type), *nullable))
            .collect();
        let without_nulls: Vec<(DataType, bool)> =
            columns.iter().map(|(t, _)| (t.clone(), false)).collect();
        let narrow = [&columns, &without_nulls].into_iter();
        let narrow = narrow.filter_map(|columns| PackedLayout::new(columns));
        // Mostly there are no NULLs, and a NULL that comes all the same makes the keys wider.
        let store = match narrow.into_iter().find(|layout| layout.bits() <= 64) {
            _ if columns.is_empty() => Store::One { seen: false },
            Some(layout) => Store::Narrow(PackedStore::new(layout)),
            None => wider(&columns)?,
        };
        Ok(Self {
            columns,
            store,
            direct: DirectKeys::default(),
            originals,
        })
    }

    /// Groups so far.
    pub(crate) fn len(&self) -> usize {
        match &self.store {
            Store::One { seen } => usize::from(*seen),
            Store::Narrow(store) => store.table.words().len(),
            Store::Wide(store) => store.table.words().len(),
            Store::Columns(store) => store.len(),
        }
    }

    /// Forgets all groups, and keeps the memory for others.
    pub(crate) fn clear(&mut self) {
        match &mut self.store {
            Store::One { seen } => *seen = false,
            Store::Narrow(store) => store.table.clear(),
            Store::Wide(store) => store.table.clear(),
            Store::Columns(store) => store.clear(),
        }
        self.direct.clear();
        self.originals.clear();
    }

    /// Makes room for so many more groups: a table that grows step by step copies its keys again and again.
    pub(crate) fn reserve(&mut self, groups: usize) {
        if let Store::Columns(store) = &mut self.store {
            store.reserve(groups);
        }
    }

    /// Readies the keys for being put out: [`Self::keys`] copies less then.
    pub(crate) fn settle(&mut self) {
        if let Store::Columns(store) = &mut self.store {
            store.settle();
        }
    }

    /// The hashes of the keys by group number, those of `hash_columns`, where the table has them.
    pub(crate) fn hashes(&self) -> Option<&[u64]> {
        match &self.store {
            Store::Columns(store) => Some(store.hashes()),
            _ => None,
        }
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        let store = match &self.store {
            Store::One { .. } => 0,
            Store::Narrow(store) => store.table.size_bytes(),
            Store::Wide(store) => store.table.size_bytes(),
            Store::Columns(store) => store.size_bytes(),
        };
        store + self.direct.size_bytes()
    }

    /// Bytes that the table may grow by at once, for so many rows.
    pub(crate) fn growth_bytes(&self, rows: usize) -> usize {
        let store = match &self.store {
            Store::One { .. } => 0,
            Store::Narrow(store) => store.table.growth_bytes(rows),
            Store::Wide(store) => store.table.growth_bytes(rows),
            Store::Columns(store) => store.growth_bytes(rows),
        };
        store + self.direct.growth_bytes(rows, self.len())
    }

    /// [`Self::intern`] of plain keys whose hashes are known, those of `hash_columns`.
    pub(crate) fn intern_hashed(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let Store::Columns(store) = &mut self.store else {
            return self.intern_plain(keys, hashes.len(), groups);
        };
        let columns: Vec<ArrayRef> = keys.iter().map(normalized).collect::<Result<_>>()?;
        store.intern_rows(&columns, Some(hashes), groups)?;
        self.originals.note(keys, groups)
    }

    /// The group number of each row. Columns of text may be dictionary arrays.
    pub(crate) fn intern(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        if !self.direct.place(keys, rows, self.len())? {
            if !keys.iter().any(is_coded) {
                return self.intern_plain(keys, rows, groups);
            }
            let plain = keys.iter().map(decoded).collect::<Result<Vec<_>>>()?;
            return self.intern_plain(&plain, rows, groups);
        }
        // Each combination of keys is looked up once.
        let mut direct = std::mem::take(&mut self.direct);
        if !direct.groups(groups) {
            let (new, before) = (direct.take_new(), self.len());
            self.intern_plain(&direct.keys_of(&new)?, new.len(), groups)?;
            direct.learn(&new, groups, self.len() - before);
            direct.groups(groups);
        }
        self.direct = direct;
        Ok(())
    }

    fn intern_plain(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let columns: Vec<ArrayRef> = keys.iter().map(normalized).collect::<Result<_>>()?;
        while !self.store.intern(&columns, rows, groups)? {
            self.widen()?;
        }
        self.originals.note(keys, groups)
    }

    /// The keys of the groups `start .. start + count`.
    pub(crate) fn keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        let mut keys = self.normal_keys(start, count)?;
        self.originals.restore(&mut keys, start, count)?;
        Ok(keys)
    }

    /// The keys of all groups, which are forgotten.
    pub(crate) fn take_keys(&mut self) -> Result<Vec<ArrayRef>> {
        let groups = self.len();
        let mut keys = match &mut self.store {
            Store::Columns(store) => store.take_keys()?,
            _ => self.normal_keys(0, groups)?,
        };
        self.originals.restore(&mut keys, 0, groups)?;
        self.clear();
        Ok(keys)
    }

    fn normal_keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        match &self.store {
            Store::One { .. } => Ok(Vec::new()),
            Store::Narrow(store) => store.keys(start, count),
            Store::Wide(store) => store.keys(start, count),
            Store::Columns(store) => store.keys(start, count),
        }
    }

    /// Goes over to a wider form once a key comes that has none in this one. Numbers stay.
    fn widen(&mut self) -> Result<()> {
        let groups = self.len();
        let keys = self.normal_keys(0, groups)?;
        let types = self.columns.iter().map(|(t, _)| t.clone());
        let mut store = match &self.store {
            Store::Narrow(_) => wider(&self.columns)?,
            _ => Store::Columns(ColumnStore::new(&types.collect::<Vec<_>>())?),
        };
        if !store.intern(&keys, groups, &mut Vec::new())? {
            return Err(Error::internal("keys have no form in a wider table"));
        }
        self.store = store;
        Ok(())
    }
}

/// The store for keys that are not narrow.
fn wider(columns: &[(DataType, bool)]) -> Result<Store> {
    let types = columns.iter().map(|(t, _)| t.clone());
    Ok(match PackedLayout::new(columns) {
        Some(layout) if layout.bits() > 64 => Store::Wide(PackedStore::new(layout)),
        _ => Store::Columns(ColumnStore::new(&types.collect::<Vec<_>>())?),
    })
}

impl Store {
    /// The group number of each row; false, and nothing done, where a key has no form here.
    fn intern(&mut self, keys: &[ArrayRef], rows: usize, groups: &mut Vec<u32>) -> Result<bool> {
        match self {
            Self::One { seen } => {
                *seen |= rows > 0;
                groups.clear();
                groups.resize(rows, 0);
                Ok(true)
            }
            Self::Narrow(store) => store.intern(keys, rows, groups),
            Self::Wide(store) => store.intern(keys, rows, groups),
            Self::Columns(store) => store.intern(keys, rows, groups).map(|()| true),
        }
    }
}

/// The type of normalized keys.
fn normal_type(data_type: &DataType) -> DataType {
    SqlType::from_arrow(data_type).map_or_else(|| data_type.clone(), key_type)
}

impl<W: Word> PackedStore<W> {
    fn new(layout: PackedLayout) -> Self {
        Self {
            layout,
            table: WordTable::new(),
            packing: Packing::default(),
        }
    }

    /// False, and nothing done, where a key has no packed form.
    fn intern(&mut self, columns: &[ArrayRef], rows: usize, groups: &mut Vec<u32>) -> Result<bool> {
        self.layout.pack(columns, rows, &mut self.packing)?;
        if !self.packing.misfits.is_empty() {
            return Ok(false);
        }
        self.table.intern(&self.packing.words, groups);
        Ok(true)
    }

    fn keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        let words = self.table.words();
        let end = (start + count).min(words.len());
        self.layout
            .unpack(words.get(start..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, Float64Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn numbers_survive_the_change_to_columns() {
        let mut table = GroupTable::new(&[(DataType::Utf8View, true)]).unwrap();
        let mut groups = Vec::new();
        let short: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b")]));
        table.intern(&[short], 3, &mut groups).unwrap();
        assert_eq!(groups, [0, 1, 2]);
        let long: ArrayRef = Arc::new(StringViewArray::from(vec![
            Some("b"),
            Some("a text too long to be packed"),
            None,
        ]));
        table.intern(&[long], 3, &mut groups).unwrap();
        assert_eq!(groups, [2, 3, 1]);
        let keys = table.keys(1, 3).unwrap();
        let keys: Vec<_> = keys[0].as_string_view().iter().collect();
        assert_eq!(
            keys,
            [None, Some("b"), Some("a text too long to be packed")]
        );
    }

    #[test]
    fn a_cleared_table_begins_anew() {
        let texts =
            |texts: [&str; 3]| -> ArrayRef { Arc::new(StringViewArray::from(texts.to_vec())) };
        let numbers = |n: [i64; 3]| -> ArrayRef { Arc::new(Int64Array::from(n.to_vec())) };
        let long = texts(["a text too long to be packed", "b", "b"]);
        for batches in [
            [texts(["a", "b", "a"]), texts(["b", "c", "b"])],
            [long, texts(["b", "a text too long to be packed", "b"])],
            [numbers([1, 2, 1]), numbers([2, 3, 2])],
        ] {
            let data_type = batches[0].data_type().clone();
            let mut table = GroupTable::new(&[(data_type, false)]).unwrap();
            table.reserve(10);
            let mut groups = Vec::new();
            for batch in batches {
                table.intern(&[Arc::clone(&batch)], 3, &mut groups).unwrap();
                assert_eq!((groups[0], table.len()), (0, 2));
                let first = table.keys(0, 1).unwrap();
                assert_eq!(first[0].as_ref(), batch.slice(0, 1).as_ref());
                table.clear();
                assert_eq!(table.len(), 0);
            }
        }
    }

    #[test]
    fn a_null_that_was_not_expected_widens_the_keys() {
        let mut table = GroupTable::new(&[(DataType::Int64, true)]).unwrap();
        assert!(matches!(table.store, Store::Narrow(_)));
        let mut groups = Vec::new();
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![7, -1, 7]));
        table.intern(&[keys], 3, &mut groups).unwrap();
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(-1), Some(0), None]));
        table.intern(&[keys], 4, &mut groups).unwrap();
        assert!(matches!(table.store, Store::Wide(_)));
        assert_eq!(groups, [2, 1, 3, 2]);
        let expected: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), Some(-1), None, Some(0)]));
        assert_eq!(table.keys(0, 4).unwrap(), [expected]);
    }

    #[test]
    fn intervals_of_one_length_are_one_group_shown_as_first_seen() {
        use arrow::array::IntervalMonthDayNanoArray;
        use arrow::datatypes::IntervalMonthDayNano;
        let month = IntervalMonthDayNano::new(1, 0, 0);
        let days = IntervalMonthDayNano::new(0, 30, 0);
        let array = IntervalMonthDayNanoArray::from(vec![None, Some(month), Some(days), None]);
        let mut table = GroupTable::new(&[(array.data_type().clone(), true)]).unwrap();
        let mut groups = Vec::new();
        table.intern(&[Arc::new(array)], 4, &mut groups).unwrap();
        assert_eq!(groups, [0, 1, 1, 0]);
        let expected: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![None, Some(month)]));
        assert_eq!(table.keys(0, 2).unwrap(), [expected]);
    }

    #[test]
    fn equal_numbers_of_two_types_are_one_group_shown_as_first_seen() {
        use llkv_types::variant::{Variant, VariantBuilder, data_type};
        let array = |values: &[Option<Variant<'_>>]| {
            let mut builder = VariantBuilder::with_capacity(values.len());
            for value in values {
                builder.append(*value).unwrap();
            }
            builder.finish().unwrap()
        };
        let (real, text) = (Variant::Real(1.0), Variant::Text("1"));
        let keys = array(&[
            Some(real),
            Some(Variant::Integer(1)),
            None,
            Some(text),
            None,
        ]);
        let mut table = GroupTable::new(&[(data_type(), true)]).unwrap();
        let mut groups = Vec::new();
        table.intern(&[keys], 5, &mut groups).unwrap();
        assert_eq!(groups, [0, 0, 1, 2, 1]);
        let expected = array(&[Some(real), None, Some(text)]);
        assert_eq!(table.keys(0, 3).unwrap(), [expected]);
    }

    #[test]
    fn zeros_and_nans_are_one_group_each() {
        let mut table =
            GroupTable::new(&[(DataType::Float64, false), (DataType::Int64, true)]).unwrap();
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1); 4]));
        let mut groups = Vec::new();
        table.intern(&[floats, ints], 4, &mut groups).unwrap();
        assert_eq!(groups, [0, 0, 1, 1]);
        assert_eq!(table.keys(0, 2).unwrap()[1].null_count(), 0);
    }
}
