//! DISTINCT: each value reaches the aggregate once per group.
//!
//! Values of up to 64 bits are kept as integers in a hash set; texts as their bytes in an arena, others as Arrow row bytes.

use super::GroupsAccumulator;
use super::collected::{Collected, flattened};
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::{sql_type, text};
use crate::keys::{normalized, with_small_keys};
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, SortField};
use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};
use llkv_result::Result;
use llkv_types::SqlType;
use std::hash::BuildHasher;

/// An accumulator that sees each (group, value) once.
pub(super) struct Distinct {
    inner: Box<dyn GroupsAccumulator>,
    seen: SeenPairs,
    /// The distinct values: the partial result.
    values: Collected,
    ty: SqlType,
}

enum SeenPairs {
    Small(HashSet<(u32, i64), FixedState>),
    Bytes(Box<ByteSet>),
}

/// Byte strings per group.
struct ByteSet {
    converter: RowConverter,
    table: HashTable<(u64, u32, usize, usize)>,
    arena: Vec<u8>,
    state: FixedState,
}

impl SeenPairs {
    /// Forgets all pairs and frees their memory.
    fn clear(&mut self) {
        match self {
            Self::Small(seen) => *seen = HashSet::default(),
            Self::Bytes(seen) => {
                seen.table = HashTable::new();
                seen.arena = Vec::new();
            }
        }
    }
}

impl ByteSet {
    fn insert(&mut self, group: u32, bytes: &[u8]) -> bool {
        let hash = self.state.hash_one((group, bytes));
        let arena = &self.arena;
        let found = self.table.find(hash, |&(known, of, start, end)| {
            known == hash && of == group && arena.get(start..end) == Some(bytes)
        });
        if found.is_some() {
            return false;
        }
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        let entry = (hash, group, start, self.arena.len());
        self.table.insert_unique(hash, entry, |entry| entry.0);
        true
    }
}

impl Distinct {
    pub(super) fn new(inner: Box<dyn GroupsAccumulator>, ty: SqlType) -> Result<Self> {
        let small = match ty {
            SqlType::Text
            | SqlType::Blob
            | SqlType::Interval
            | SqlType::Variant
            | SqlType::Null => false,
            SqlType::Decimal { precision, .. } => precision <= SqlType::DECIMAL64_PRECISION,
            _ => true,
        };
        let seen = if small {
            SeenPairs::Small(HashSet::default())
        } else {
            let fields = vec![SortField::new(crate::keys::key_type(ty))];
            SeenPairs::Bytes(Box::new(ByteSet {
                converter: RowConverter::new(fields)?,
                table: HashTable::new(),
                arena: Vec::new(),
                state: FixedState::default(),
            }))
        };
        Ok(Self {
            inner,
            seen,
            values: Collected::new(ty.to_arrow()),
            ty,
        })
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = argument(args, 0)?;
        let counted = counted(array.logical_nulls().as_ref(), filter);
        let rows = self.new_rows(array, groups, counted.as_ref())?;
        if rows.is_empty() {
            return Ok(());
        }
        let row_groups: Vec<u32> = rows
            .iter()
            .map(|row| groups.of(*row as usize) as u32)
            .collect();
        let rows = UInt32Array::from(rows);
        let values = take(array, &rows, None)?;
        let mut inner_args = vec![values.clone()];
        for other in args.iter().skip(1) {
            inner_args.push(take(other, &rows, None)?);
        }
        self.inner.update(
            &inner_args,
            Groups::PerRow(&row_groups),
            self.values.group_count,
            None,
        )?;
        self.values.push(&values, Groups::PerRow(&row_groups), None)
    }

    /// The rows whose value their group has not seen.
    fn new_rows(
        &mut self,
        array: &ArrayRef,
        groups: Groups<'_>,
        counted: Option<&NullBuffer>,
    ) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        debug_assert_eq!(groups.rows(), array.len());
        match &mut self.seen {
            SeenPairs::Small(seen) => {
                let ty = sql_type(array)?;
                with_small_keys!(array.as_ref(), ty, |_len, key| {
                    for_each(groups, counted, |row, group| {
                        if seen.insert((group as u32, key(row))) {
                            rows.push(row as u32);
                        }
                    });
                });
            }
            // Equal texts are equal bytes.
            SeenPairs::Bytes(seen) if *array.data_type() == DataType::Utf8View => {
                let texts = text(array.as_ref())?;
                for_each(groups, counted, |row, group| {
                    if seen.insert(group as u32, texts.value(row).as_bytes()) {
                        rows.push(row as u32);
                    }
                });
            }
            SeenPairs::Bytes(seen) => {
                let keys = seen.converter.convert_columns(&[normalized(array)?])?;
                for_each(groups, counted, |row, group| {
                    if seen.insert(group as u32, keys.row(row).as_ref()) {
                        rows.push(row as u32);
                    }
                });
            }
        }
        Ok(rows)
    }
}

impl GroupsAccumulator for Distinct {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let (values, groups) = flattened(argument(states, 0)?, group_of_row)?;
        self.update(&[values], Groups::PerRow(&groups), group_count, None)
    }

    fn resize(&mut self, group_count: usize) {
        self.values.group_count = self.values.group_count.max(group_count);
        self.inner.resize(group_count);
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.values.state_type()]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        // The numbers of groups mean other groups from now on.
        self.seen.clear();
        self.inner.finish()?;
        Ok(vec![self.values.take_lists()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.seen.clear();
        self.values = Collected::new(self.ty.to_arrow());
        self.inner.finish()
    }

    fn size_bytes(&self) -> usize {
        let seen = match &self.seen {
            SeenPairs::Small(seen) => seen.capacity() * 2 * size_of::<(u32, i64)>(),
            SeenPairs::Bytes(seen) => {
                seen.table.capacity() * size_of::<(u64, u32, usize, usize)>()
                    + seen.arena.capacity()
            }
        };
        // What was seen is forgotten before the values are put out.
        let most = (seen + self.values.held_bytes()).max(self.values.size_bytes());
        most + self.inner.size_bytes()
    }
}
