//! Leaves out rows before the sort that are not among the first ones of their partition.
//!
//! Each worker keeps the first keys of each partition that it has seen. A row after so many keys is not among the
//! first, whatever comes, and those before it never miss it: the numbers of the rows that are wanted stay.

use crate::batch::Batch;
use crate::keys::{GroupTable, SortKeys};
use crate::resolve::{Column, Prepared, prepare_all};
use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use llkv_expr::{Expr, SortKey};
use llkv_result::Result;
use llkv_types::MemoryReservation;

/// First rows of a partition above which sorting everything is as quick.
const MOST_WANTED: u64 = 16;

/// Rows after which a sieve must have shown that it is worth its while.
const TRIAL_ROWS: usize = 1 << 20;

/// What is sieved by.
pub(crate) struct SieveSpec {
    partition: Vec<Prepared>,
    types: Vec<(DataType, bool)>,
    order: SortKeys,
    wanted: usize,
}

impl SieveSpec {
    /// The first `wanted` rows of each partition; none where a sieve does not pay.
    pub(crate) fn new(
        partition: &[Expr],
        order: &[SortKey],
        wanted: u64,
        columns: &[Column],
    ) -> Result<Option<Self>> {
        if order.is_empty() || wanted > MOST_WANTED {
            return Ok(None);
        }
        let types = partition.iter().map(|expr| (expr.ty().to_arrow(), true));
        Ok(Some(Self {
            partition: prepare_all(partition.iter(), columns)?,
            types: types.collect(),
            order: SortKeys::new(order, columns)?,
            wanted: wanted.max(1) as usize,
        }))
    }
}

/// One worker's sieve.
pub(crate) struct Sieve<'a> {
    spec: &'a SieveSpec,
    /// None once it has shown that it leaves out too little.
    state: Option<State>,
    memory: MemoryReservation,
}

struct State {
    partitions: GroupTable,
    /// The beginnings of the first keys of each partition, ascending; the highest number where there are fewer.
    first: Vec<u128>,
    numbers: Vec<u32>,
    seen: usize,
    kept: usize,
}

impl<'a> Sieve<'a> {
    pub(crate) fn new(spec: &'a SieveSpec, memory: MemoryReservation) -> Result<Self> {
        let state = State {
            partitions: GroupTable::new(&spec.types)?,
            first: Vec::new(),
            numbers: Vec::new(),
            seen: 0,
            kept: 0,
        };
        Ok(Self {
            spec,
            state: Some(state),
            memory,
        })
    }

    /// The rows of a batch that may be among the first ones of their partitions.
    pub(crate) fn keep(&mut self, batch: Batch) -> Result<Batch> {
        let Some(state) = &mut self.state else {
            return Ok(batch);
        };
        let rows = batch.rows;
        let growth = state.partitions.growth_bytes(rows) as u64;
        let kept = state.keep(self.spec, batch)?;
        let (seen, most) = (state.seen, state.seen / 4 * 3);
        let fails = seen >= TRIAL_ROWS && state.kept > most;
        // No memory for the sieve only means that there is none.
        let has_room =
            self.memory.grow(growth).is_ok() && self.memory.resize(state.bytes()).is_ok();
        if fails || !has_room {
            self.state = None;
            self.memory.shrink(0);
        }
        Ok(kept)
    }
}

impl State {
    fn keep(&mut self, spec: &SieveSpec, batch: Batch) -> Result<Batch> {
        let keys = spec.partition.iter().map(|key| key.evaluate(&batch));
        let keys = keys.collect::<Result<Vec<ArrayRef>>>()?;
        self.partitions
            .intern(&keys, batch.rows, &mut self.numbers)?;
        self.first
            .resize(self.partitions.len() * spec.wanted, u128::MAX);
        let order = spec.order.encode(&batch)?;
        let mut kept = 0;
        let mask: BooleanArray = self
            .numbers
            .iter()
            .zip(order.iter())
            .map(|(number, key)| {
                let start = *number as usize * spec.wanted;
                let first = self.first.get_mut(start..start + spec.wanted);
                let is_kept = first.is_none_or(|first| admit(first, beginning(key.data())));
                kept += usize::from(is_kept);
                Some(is_kept)
            })
            .collect();
        self.seen += batch.rows;
        self.kept += kept;
        batch.filter(&mask)
    }

    fn bytes(&self) -> u64 {
        let first = self.first.capacity() * size_of::<u128>();
        let numbers = self.numbers.capacity() * size_of::<u32>();
        (self.partitions.size_bytes() + first + numbers) as u64
    }
}

/// Whether a key is not after all of the first ones; it takes its place among them.
fn admit(first: &mut [u128], key: u128) -> bool {
    let Some(last) = first.last_mut() else {
        return true;
    };
    if key >= *last {
        // Of equal beginnings the keys may differ, and equal keys are ordered by where they stand.
        return key == *last;
    }
    *last = key;
    for at in (1..first.len()).rev() {
        if let Some([before, after]) = first.get_mut(at - 1..=at)
            && *before > *after
        {
            std::mem::swap(before, after);
        } else {
            break;
        }
    }
    true
}

/// The first 16 bytes of a key: where two differ there, that is their order.
fn beginning(key: &[u8]) -> u128 {
    if let Some(bytes) = key.first_chunk::<16>() {
        return u128::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(key) {
        *to = *from;
    }
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keys_are_admitted_and_those_that_tie_with_the_last() {
        let mut first = [u128::MAX; 2];
        let admitted = [5, 3, 9, 5, 3, 4, 3].map(|key| admit(&mut first, key));
        assert_eq!(admitted, [true, true, false, true, true, false, true]);
        assert_eq!(first, [3, 3]);
    }
}
