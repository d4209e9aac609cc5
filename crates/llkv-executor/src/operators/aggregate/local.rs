//! The groups that one worker has seen.

use super::AggregateSpec;
use super::call::Call;
use crate::batch::{Batch, concat_batches};
use crate::keys::GroupTable;
use crate::memory::MemoryReservation;
use crate::operators::OperatorInfo;
use crate::pipeline::Place;
use crate::run::Run;
use arrow::array::{Array, ArrayRef, UInt32Array};
use llkv_compute::{Groups, GroupsAccumulator, RowsByGroup};
use llkv_result::Result;

/// Groups above which a worker's table leaves the cache: it then puts its groups aside as partial results
/// and begins anew, and equal groups meet again when the partitions are merged.
const FLUSH_GROUPS: usize = 1 << 16;

/// Groups and their states.
pub(super) struct Partial {
    table: GroupTable,
    states: Vec<State>,
    /// Group numbers of the batch at hand.
    groups: Vec<u32>,
    by_group: RowsByGroup,
    /// Groups put aside.
    pub(super) flushed: Vec<PartialGroups>,
    flushed_bytes: u64,
    may_flush: bool,
    pub(super) memory: MemoryReservation,
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
        Ok(Self {
            rows: indices.len(),
            keys: take(&self.keys)?,
            states: states?,
        })
    }

    fn size_bytes(&self) -> u64 {
        let columns = self.keys.iter().chain(self.states.iter().flatten());
        columns.map(|c| c.get_array_memory_size() as u64).sum()
    }
}

impl Partial {
    pub(super) fn new(run: &Run, info: &OperatorInfo, spec: &AggregateSpec) -> Result<Self> {
        Ok(Self {
            table: GroupTable::new(&spec.key_types)?,
            states: spec.calls.iter().map(State::new).collect::<Result<_>>()?,
            groups: Vec::new(),
            by_group: RowsByGroup::default(),
            flushed: Vec::new(),
            flushed_bytes: 0,
            may_flush: run.context.threads > 1 && !spec.is_ungrouped() && spec.is_direct(),
            memory: run.reserve(info.kind),
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
        self.table.intern(&keys, batch.rows, &mut self.groups)?;
        let group_count = self.table.len();
        let groups = if spec.is_ungrouped() {
            Groups::Single(batch.rows)
        } else {
            Groups::of_rows(&self.groups, group_count, &mut self.by_group)
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
        if self.may_flush && self.table.len() > FLUSH_GROUPS {
            self.flush(spec)?;
        }
        self.account()
    }

    fn account(&mut self) -> Result<()> {
        let states: u64 = self.states.iter().map(State::size_bytes).sum();
        let table = self.table.size_bytes() as u64;
        self.memory.resize(table + states + self.flushed_bytes)
    }

    /// Puts the groups aside.
    pub(super) fn flush(&mut self, spec: &AggregateSpec) -> Result<()> {
        if self.table.len() == 0 {
            return Ok(());
        }
        let groups = self.take_groups()?;
        self.flushed_bytes += groups.size_bytes();
        self.flushed.push(groups);
        self.table = GroupTable::new(&spec.key_types)?;
        Ok(())
    }

    fn take_groups(&mut self) -> Result<PartialGroups> {
        let rows = self.table.len();
        let mut states = Vec::with_capacity(self.states.len());
        for state in &mut self.states {
            if let State::Direct(accumulator) = state {
                accumulator.resize(rows);
                states.push(accumulator.state()?);
            }
        }
        Ok(PartialGroups {
            rows,
            keys: self.table.keys(0, rows)?,
            states,
        })
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

    /// Adds partial results.
    pub(super) fn merge_groups(&mut self, groups: &PartialGroups) -> Result<()> {
        if groups.rows == 0 {
            return Ok(());
        }
        self.table
            .intern(&groups.keys, groups.rows, &mut self.groups)?;
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
        let mut columns = self.table.keys(0, self.table.len())?;
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
        let all = concat_batches(&batches, &types)?;
        drop(batches);
        let keys = spec.keys.len();
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
