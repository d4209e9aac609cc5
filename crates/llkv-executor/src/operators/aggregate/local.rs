//! The groups that one worker has seen.

use super::AggregateSpec;
use super::call::Call;
use super::spilled::{SpilledGroups, ordinals_of};
use crate::batch::{Batch, concat_batches};
use crate::keys::GroupTable;
use crate::pipeline::Place;
use crate::run::Run;
use crate::spill::Spiller;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::lexsort_to_indices;
use llkv_compute::{Groups, GroupsAccumulator, RowsByGroup, hash_columns};
use llkv_result::Result;
use llkv_types::MemoryReservation;

/// Groups above which a worker's table leaves the cache: it then puts its groups aside as partial results
/// and begins anew, and equal groups meet again when the partitions are merged.
const FLUSH_GROUPS: usize = 1 << 16;

/// Groups up to which a table grows all the same where rows come back to groups that it has had for long: putting
/// these aside would make each of them anew.
const RETURNING_GROUPS: usize = 4 * FLUSH_GROUPS;

/// Bits of the hash that tell the partition of groups which are put aside.
pub(super) const FLUSH_BITS: u32 = 7;

/// Groups and their states.
pub(super) struct Partial {
    table: GroupTable,
    states: Vec<State>,
    /// Group numbers of the batch at hand.
    groups: Vec<u32>,
    by_group: RowsByGroup,
    /// Groups put aside, by partition.
    pub(super) flushed: Vec<Vec<PartialGroups>>,
    flushed_bytes: u64,
    may_flush: bool,
    /// Groups above which they are put aside.
    flush_groups: usize,
    pub(super) memory: MemoryReservation,
    spiller: Spiller,
    /// Groups written to temporary files.
    pub(super) spilled: Option<SpilledGroups>,
}

/// The state of one call.
enum State {
    Direct(Box<dyn GroupsAccumulator>),
    /// Rows kept until they can be sorted.
    Buffered {
        rows: Vec<(Place, Batch)>,
        bytes: u64,
    },
}

/// Groups as columns: keys, and the partial results of each call.
pub(super) struct PartialGroups {
    pub(super) rows: usize,
    pub(super) keys: Vec<ArrayRef>,
    /// The hashes of the keys, where they are known.
    pub(super) hashes: Option<Vec<u64>>,
    pub(super) states: Vec<Vec<ArrayRef>>,
}

impl PartialGroups {
    /// The groups at `indices`.
    pub(super) fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let take = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
            let columns = columns.iter();
            columns
                .map(|c| crate::batch::take_one(c, indices))
                .collect()
        };
        let states: Result<Vec<_>> = self.states.iter().map(|s| take(s)).collect();
        let hashes = self.hashes.as_ref().map(|hashes| {
            let hash = |row: &u32| hashes.get(*row as usize).copied().unwrap_or_default();
            indices.values().iter().map(hash).collect()
        });
        Ok(Self {
            rows: indices.len(),
            keys: take(&self.keys)?,
            hashes,
            states: states?,
        })
    }

    /// The groups in partitions by the highest bits of their hash.
    fn partition(mut self, bits: u32) -> Result<Vec<Self>> {
        let hashes = match self.hashes.take() {
            Some(hashes) => hashes,
            None => {
                let mut hashes = Vec::new();
                hash_columns(&self.keys, &mut hashes)?;
                hashes
            }
        };
        let mut rows: Vec<Vec<u32>> = Vec::new();
        rows.resize_with(1 << bits, || Vec::with_capacity(hashes.len() >> bits));
        for (row, hash) in hashes.iter().enumerate() {
            if let Some(rows) = rows.get_mut((hash >> (64 - bits)) as usize) {
                rows.push(row as u32);
            }
        }
        self.hashes = Some(hashes);
        let rows = rows.into_iter();
        rows.map(|rows| self.take(&UInt32Array::from(rows)))
            .collect()
    }

    /// Groups whose columns are keys, then states; `states` tells how many each call has.
    pub(super) fn from_batch(batch: Batch, keys: usize, states: &[usize]) -> Self {
        let rows = batch.rows;
        let mut columns = batch.columns.into_iter();
        Self {
            rows,
            keys: columns.by_ref().take(keys).collect(),
            hashes: None,
            states: states
                .iter()
                .map(|count| columns.by_ref().take(*count).collect())
                .collect(),
        }
    }

    /// The groups `offset .. offset + rows`, keys and states as the columns of a batch.
    pub(super) fn slice(&self, offset: usize, rows: usize) -> Batch {
        let columns = self.keys.iter().chain(self.states.iter().flatten());
        let columns = columns.map(|column| column.slice(offset, rows));
        Batch::new(columns.collect(), rows)
    }

    fn size_bytes(&self) -> u64 {
        let columns = self.keys.iter().chain(self.states.iter().flatten());
        let hashes = self.hashes.as_ref().map_or(0, Vec::capacity) * size_of::<u64>();
        let columns = columns.map(|c| c.get_array_memory_size() as u64);
        columns.sum::<u64>() + hashes as u64
    }
}

impl Partial {
    pub(super) fn new(run: &Run, spiller: &Spiller, spec: &AggregateSpec) -> Result<Self> {
        Ok(Self {
            table: GroupTable::new(&spec.key_types)?,
            states: spec.calls.iter().map(State::new).collect::<Result<_>>()?,
            groups: Vec::new(),
            by_group: RowsByGroup::default(),
            flushed: Vec::new(),
            flushed_bytes: 0,
            may_flush: run.context.threads > 1 && !spec.is_ungrouped() && spec.is_direct(),
            flush_groups: FLUSH_GROUPS,
            memory: run.reserve(spiller.operator),
            spiller: spiller.clone(),
            spilled: None,
        })
    }

    /// Groups not put aside.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Feeds rows.
    pub(super) fn update(
        &mut self,
        spec: &AggregateSpec,
        batch: &Batch,
        place: Place,
    ) -> Result<()> {
        let keys = spec.keys.iter().map(|key| key.evaluate(batch));
        let keys: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        let growth_bytes = self.table.growth_bytes(batch.rows) as u64;
        if growth_bytes > 0 && self.spiller.is_over(&mut self.memory, growth_bytes)? {
            self.spill(spec)?;
        }
        self.table.intern(&keys, batch.rows, &mut self.groups)?;
        let group_count = self.table.len();
        let groups = if spec.is_ungrouped() {
            Groups::Single(batch.rows)
        } else {
            let accumulators = spec.calls.len();
            Groups::of_rows(&self.groups, group_count, accumulators, &mut self.by_group)
        };
        for (state, call) in self.states.iter_mut().zip(&spec.calls) {
            match state {
                State::Direct(accumulator) => {
                    let fed = call.fed(batch, &self.groups)?;
                    let groups = match fed.groups.as_deref() {
                        Some(groups) if spec.is_ungrouped() => Groups::Single(groups.len()),
                        Some(groups) => Groups::PerRow(groups),
                        None => groups,
                    };
                    accumulator.update(&fed.args, groups, group_count, fed.mask.as_ref())?;
                }
                State::Buffered { rows, bytes } => {
                    let kept = call.buffered(batch, &keys)?;
                    *bytes += kept.memory_bytes();
                    rows.push((place, kept));
                }
            }
        }
        if self.may_flush && self.table.len() > self.flush_groups {
            if self.flush_groups < RETURNING_GROUPS && self.rows_return() {
                self.flush_groups = RETURNING_GROUPS;
            } else {
                self.flush(FLUSH_BITS)?;
            }
        }
        let bytes = self.size_bytes();
        if spec.is_ungrouped() {
            return self.spiller.must_fit(&mut self.memory, bytes);
        }
        self.memory.shrink(bytes);
        let more = bytes - self.memory.bytes();
        if self.spiller.is_full(&mut self.memory, more)? {
            self.spill(spec)?;
        }
        Ok(())
    }

    /// Whether one in ten rows of the last batch belongs to the older half of the groups. Where there are many more
    /// groups than have been seen next to none does, nor where the rows of a group stand together.
    fn rows_return(&self) -> bool {
        let older = (self.table.len() / 2) as u32;
        let returning = self.groups.iter().filter(|group| **group < older).count();
        returning * 10 >= self.groups.len()
    }

    /// Bytes held; keys count twice, for they are copied when they are put out.
    pub(super) fn size_bytes(&self) -> u64 {
        let states: u64 = self.states.iter().map(State::size_bytes).sum();
        2 * self.table.size_bytes() as u64 + states + self.flushed_bytes
    }

    pub(super) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Writes all groups, and the rows kept for them, to partitions of the first level.
    pub(super) fn spill(&mut self, spec: &AggregateSpec) -> Result<()> {
        let mut spilled = match self.spilled.take() {
            Some(spilled) => spilled,
            None => SpilledGroups::new(&self.spiller, spec, 0)?,
        };
        self.spill_into(spec, &mut spilled)?;
        self.spilled = Some(spilled);
        Ok(())
    }

    /// Writes all groups, and the rows kept for them.
    pub(super) fn spill_into(
        &mut self,
        spec: &AggregateSpec,
        spilled: &mut SpilledGroups,
    ) -> Result<()> {
        for groups in std::mem::take(&mut self.flushed).into_iter().flatten() {
            if groups.rows > 0 {
                spilled.write_groups(&groups.slice(0, groups.rows))?;
            }
        }
        self.flushed_bytes = 0;
        self.write_table(spilled)?;
        self.table = GroupTable::new(&spec.key_types)?;
        let mut call = 0;
        for state in &mut self.states {
            if let State::Buffered { rows, bytes } = state {
                for (place, batch) in rows.drain(..) {
                    spilled.write_rows(call, place, batch)?;
                }
                *bytes = 0;
                call += 1;
            }
        }
        self.memory.shrink(0);
        Ok(())
    }

    /// Writes the groups of the table, some at a time: all keys at once would take as much memory again.
    fn write_table(&mut self, spilled: &mut SpilledGroups) -> Result<()> {
        const SOME_GROUPS: usize = 1 << 13;
        let rows = self.table.len();
        let states = self.take_states(rows)?;
        self.table.settle();
        let states = PartialGroups {
            rows,
            keys: Vec::new(),
            hashes: None,
            states,
        };
        let mut start = 0;
        while start < rows {
            let count = SOME_GROUPS.min(rows - start);
            let mut batch = Batch::new(self.table.keys(start, count)?, count);
            batch.columns.extend(states.slice(start, count).columns);
            spilled.write_groups(&batch)?;
            start += count;
        }
        Ok(())
    }

    /// Puts the groups aside, in partitions by so many bits of their hash.
    pub(super) fn flush(&mut self, bits: u32) -> Result<()> {
        if self.table.len() == 0 {
            return Ok(());
        }
        let groups = self.take_groups()?;
        self.flushed_bytes += groups.size_bytes();
        self.flushed.push(groups.partition(bits)?);
        self.table.clear();
        Ok(())
    }

    fn take_groups(&mut self) -> Result<PartialGroups> {
        let rows = self.table.len();
        let states = self.take_states(rows)?;
        self.table.settle();
        Ok(PartialGroups {
            rows,
            keys: self.table.keys(0, rows)?,
            hashes: self.table.hashes().map(<[u64]>::to_vec),
            states,
        })
    }

    fn take_states(&mut self, rows: usize) -> Result<Vec<Vec<ArrayRef>>> {
        let mut states = Vec::with_capacity(self.states.len());
        for state in &mut self.states {
            if let State::Direct(accumulator) = state {
                accumulator.resize(rows);
                states.push(accumulator.state()?);
            }
        }
        Ok(states)
    }

    /// Takes rows kept for a call with an order, the `call`-th of these.
    pub(super) fn keep_rows(&mut self, call: usize, place: Place, batch: Batch) {
        let buffered = self.states.iter_mut().filter_map(|state| match state {
            State::Buffered { rows, bytes } => Some((rows, bytes)),
            State::Direct(_) => None,
        });
        if let Some((rows, bytes)) = buffered.into_iter().nth(call) {
            *bytes += batch.memory_bytes();
            rows.push((place, batch));
        }
    }

    /// Bytes that the table may grow by for groups of another.
    pub(super) fn growth_bytes(&self, groups: usize) -> u64 {
        2 * self.table.growth_bytes(groups) as u64
    }

    /// Adds the groups of another worker. Buffered rows go along.
    pub(super) fn merge(&mut self, mut other: Self) -> Result<()> {
        let groups = other.take_groups()?;
        self.merge_groups(&groups)?;
        for (state, other) in self.states.iter_mut().zip(other.states) {
            if let (
                State::Buffered { rows, bytes },
                State::Buffered {
                    rows: more,
                    bytes: more_bytes,
                },
            ) = (state, other)
            {
                rows.extend(more);
                *bytes += more_bytes;
            }
        }
        self.memory.absorb(other.memory);
        Ok(())
    }

    /// Makes room for the groups of some partial results, should all of them differ.
    pub(super) fn reserve(&mut self, parts: &[PartialGroups]) {
        self.table.reserve(parts.iter().map(|part| part.rows).sum());
    }

    /// Adds partial results.
    pub(super) fn merge_groups(&mut self, groups: &PartialGroups) -> Result<()> {
        if groups.rows == 0 {
            return Ok(());
        }
        match &groups.hashes {
            Some(hashes) => self
                .table
                .intern_hashed(&groups.keys, hashes, &mut self.groups)?,
            None => self
                .table
                .intern(&groups.keys, groups.rows, &mut self.groups)?,
        }
        let mut partial = groups.states.iter();
        for state in &mut self.states {
            if let State::Direct(accumulator) = state
                && let Some(columns) = partial.next()
            {
                accumulator.merge(columns, &self.groups, self.table.len())?;
            }
        }
        Ok(())
    }

    /// The result: keys, then values, one row per group.
    pub(super) fn finish(mut self, spec: &AggregateSpec) -> Result<(Batch, MemoryReservation)> {
        let mut states = std::mem::take(&mut self.states);
        let mut finished = Vec::with_capacity(states.len());
        for (state, call) in states.iter_mut().zip(&spec.calls) {
            finished.push(match state {
                State::Direct(_) => None,
                State::Buffered { rows, .. } => Some(self.feed_sorted(spec, call, rows)?),
            });
        }
        let groups = if spec.is_ungrouped() {
            1
        } else {
            self.table.len()
        };
        let mut columns = self.table.take_keys()?;
        for (state, sorted) in states.into_iter().zip(finished) {
            let mut accumulator = match (state, sorted) {
                (State::Direct(accumulator), _) | (_, Some(accumulator)) => accumulator,
                _ => continue,
            };
            accumulator.resize(groups);
            columns.push(accumulator.finish()?);
        }
        Ok((Batch::new(columns, groups), self.memory))
    }

    /// An accumulator that was fed the buffered rows in the call's order.
    fn feed_sorted(
        &mut self,
        spec: &AggregateSpec,
        call: &Call,
        rows: &mut Vec<(Place, Batch)>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let mut accumulator = call.accumulator()?;
        rows.sort_unstable_by_key(|(place, _)| *place);
        let batches: Vec<Batch> = std::mem::take(rows).into_iter().map(|(_, b)| b).collect();
        let Some(first) = batches.first() else {
            return Ok(accumulator);
        };
        let types: Vec<_> = first
            .columns
            .iter()
            .map(|c| c.data_type().clone())
            .collect();
        let mut all = concat_batches(&batches, &types)?;
        drop(batches);
        let keys = spec.keys.len();
        if let Some(ordinals) = ordinals_of(&all, keys + call.buffered_columns()) {
            all = all.take(&lexsort_to_indices(&ordinals, None)?)?;
        }
        let order = call.buffered_order(keys + call.arity())?.order(&all)?;
        let sorted = all.take(&order)?;
        let key_columns = sorted.columns.get(..keys).unwrap_or_default();
        self.table
            .intern(key_columns, sorted.rows, &mut self.groups)?;
        let args = sorted.columns.get(keys..keys + call.arity());
        let args = args.unwrap_or_default();
        let groups = Groups::PerRow(&self.groups);
        accumulator.update(args, groups, self.table.len(), None)?;
        Ok(accumulator)
    }
}

impl State {
    fn new(call: &Call) -> Result<Self> {
        Ok(if call.is_direct() {
            Self::Direct(call.accumulator()?)
        } else {
            Self::Buffered {
                rows: Vec::new(),
                bytes: 0,
            }
        })
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::Direct(accumulator) => accumulator.size_bytes() as u64,
            Self::Buffered { bytes, .. } => *bytes,
        }
    }
}
