//! Group numbers for rows by their key columns.

use super::Word;
use super::coded_keys::{CodedKeys, decoded, is_coded};
use super::originals::Originals;
use super::packed::{PackedLayout, Packing};
use super::row_keys::{RowKeys, hash_rows};
use super::word_table::WordTable;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow_row::Rows;
use hashbrown::HashTable;
use llkv_compute::{key_type, normalized};
use llkv_result::Result;
use llkv_types::SqlType;

/// Gives equal keys equal numbers, counted from zero in order of first appearance. NULLs are equal.
pub(crate) struct GroupTable {
    types: Vec<DataType>,
    store: Store,
    coded: CodedKeys,
    originals: Originals,
}

enum Store {
    /// No key columns: one group.
    One {
        seen: bool,
    },
    Narrow(PackedStore<u64>),
    Wide(PackedStore<u128>),
    Rows(RowStore),
}

struct PackedStore<W> {
    layout: PackedLayout,
    table: WordTable<W>,
    packing: Packing<W>,
}

struct RowStore {
    keys: RowKeys,
    /// Keys by group number.
    rows: Rows,
    index: HashTable<(u64, u32)>,
    scratch: Rows,
    hashes: Vec<u64>,
}

impl GroupTable {
    /// A table for key columns of these types. `nullable` may be wrong; being right makes it narrower.
    pub(crate) fn new(columns: &[(DataType, bool)]) -> Result<Self> {
        let originals = Originals::new(columns.iter().map(|(t, _)| t));
        let columns: Vec<(DataType, bool)> = columns
            .iter()
            .map(|(data_type, nullable)| (normal_type(data_type), *nullable))
            .collect();
        let types: Vec<DataType> = columns.iter().map(|(t, _)| t.clone()).collect();
        let store = match PackedLayout::new(&columns) {
            _ if columns.is_empty() => Store::One { seen: false },
            Some(layout) if layout.bits() <= 64 => Store::Narrow(PackedStore::new(layout)),
            Some(layout) => Store::Wide(PackedStore::new(layout)),
            None => Store::Rows(RowStore::new(&types)?),
        };
        Ok(Self {
            types,
            store,
            coded: CodedKeys::default(),
            originals,
        })
    }

    /// Groups so far.
    pub(crate) fn len(&self) -> usize {
        match &self.store {
            Store::One { seen } => usize::from(*seen),
            Store::Narrow(store) => store.table.words().len(),
            Store::Wide(store) => store.table.words().len(),
            Store::Rows(store) => store.rows.num_rows(),
        }
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.store {
            Store::One { .. } => 0,
            Store::Narrow(store) => store.table.size_bytes(),
            Store::Wide(store) => store.table.size_bytes(),
            Store::Rows(store) => {
                store.rows.size() + store.index.capacity() * size_of::<(u64, u32)>()
            }
        }
    }

    /// Bytes that the table may grow by at once, for so many rows.
    pub(crate) fn growth_bytes(&self, rows: usize) -> usize {
        match &self.store {
            Store::One { .. } => 0,
            Store::Narrow(store) => store.table.growth_bytes(rows),
            Store::Wide(store) => store.table.growth_bytes(rows),
            Store::Rows(store) if store.rows.num_rows() + rows > store.index.capacity() => {
                // The new index stands beside the old one while entries move.
                2 * store.index.capacity().max(rows) * size_of::<(u64, u32)>()
            }
            Store::Rows(_) => 0,
        }
    }

    /// The group number of each row. Columns of text may be dictionary arrays.
    pub(crate) fn intern(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        if !keys.iter().any(is_coded) {
            return self.intern_plain(keys, rows, groups);
        }
        if !self.coded.combine(keys) {
            let plain = keys.iter().map(decoded).collect::<Result<Vec<_>>>()?;
            return self.intern_plain(&plain, rows, groups);
        }
        // Each combination of codes is looked up once for each dictionary.
        let mut coded = std::mem::take(&mut self.coded);
        let new = coded.take_new();
        if !new.is_empty() {
            self.intern_plain(&coded.keys_of(&new)?, new.len(), groups)?;
            coded.learn(&new, groups);
        }
        coded.groups(groups);
        self.coded = coded;
        Ok(())
    }

    fn intern_plain(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let columns: Vec<ArrayRef> = keys.iter().map(normalized).collect::<Result<_>>()?;
        let fits = match &mut self.store {
            Store::One { seen } => {
                *seen |= rows > 0;
                groups.clear();
                groups.resize(rows, 0);
                true
            }
            Store::Narrow(store) => store.intern(&columns, rows, groups)?,
            Store::Wide(store) => store.intern(&columns, rows, groups)?,
            Store::Rows(store) => {
                store.intern(&columns, groups)?;
                true
            }
        };
        if !fits {
            self.unpack()?;
            if let Store::Rows(store) = &mut self.store {
                store.intern(&columns, groups)?;
            }
        }
        self.originals.note(keys, groups)
    }

    /// The keys of the groups `start .. start + count`.
    pub(crate) fn keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        let mut keys = self.normal_keys(start, count)?;
        self.originals.restore(&mut keys, start, count)?;
        Ok(keys)
    }

    fn normal_keys(&self, start: usize, count: usize) -> Result<Vec<ArrayRef>> {
        match &self.store {
            Store::One { .. } => Ok(Vec::new()),
            Store::Narrow(store) => store.keys(start, count),
            Store::Wide(store) => store.keys(start, count),
            Store::Rows(store) => store.keys.decode(&store.rows, start, count),
        }
    }

    /// Goes over to rows of bytes once a key comes that has no packed form. Numbers stay.
    fn unpack(&mut self) -> Result<()> {
        let keys = self.normal_keys(0, self.len())?;
        let mut store = RowStore::new(&self.types)?;
        store.intern(&keys, &mut Vec::new())?;
        self.store = Store::Rows(store);
        Ok(())
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

impl RowStore {
    fn new(types: &[DataType]) -> Result<Self> {
        let keys = RowKeys::new(types)?;
        Ok(Self {
            rows: keys.empty(),
            scratch: keys.empty(),
            keys,
            index: HashTable::new(),
            hashes: Vec::new(),
        })
    }

    fn intern(&mut self, columns: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        self.keys.encode(columns, &mut self.scratch)?;
        hash_rows(&self.scratch, &mut self.hashes);
        groups.clear();
        groups.reserve(self.hashes.len());
        for (row, hash) in self.scratch.iter().zip(&self.hashes) {
            let rows = &self.rows;
            let found = self.index.find(*hash, |(other, group)| {
                other == hash && rows.row(*group as usize) == row
            });
            let group = match found {
                Some((_, group)) => *group,
                None => {
                    let group = self.rows.num_rows() as u32;
                    self.rows.push(row);
                    self.index
                        .insert_unique(*hash, (*hash, group), |(hash, _)| *hash);
                    group
                }
            };
            groups.push(group);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, Float64Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn numbers_survive_the_change_to_rows() {
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
