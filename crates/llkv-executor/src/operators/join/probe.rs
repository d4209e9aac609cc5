//! The probe side: batches go in, pairs or left rows come out.

use super::group::PairStates;
use super::index::Probe;
use super::null_aware::NullProbe;
use super::{BuiltJoin, JoinSpec};
use crate::batch::{Batch, take_one};
use crate::pipeline::{Step, StepState};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::datatypes::UInt32Type;
use llkv_compute::normalized;
use llkv_plan::JoinKind;
use llkv_result::{Error, ExecError, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) struct ProbeStep {
    pub(super) join: Arc<BuiltJoin>,
}

impl Step for ProbeStep {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(ProbeState::new(&self.join))
    }
}

/// One worker's probe.
pub(super) struct ProbeState {
    join: Arc<BuiltJoin>,
    batch: Option<Batch>,
    /// The batch's keys.
    keys: Vec<ArrayRef>,
    probe: Probe,
    /// What the index has for the values of the last dictionary that keys came with.
    coded: Option<CodedProbe>,
    nulls: NullProbe,
    /// Where the next pair comes from: the probe row, and the build row (plus one) or zero for the row's
    /// first.
    row: usize,
    number: u32,
    /// The pairs under way; build rows plus one, zero for none.
    probe_rows: Vec<u32>,
    build_numbers: Vec<u32>,
    /// Probe rows that have a match.
    seen: Vec<bool>,
    /// Probe rows for which a comparison with NULL was met.
    unknown: Vec<bool>,
    /// What a group join has computed of the batch's rows.
    groups: Option<PairStates>,
}

/// The values of a dictionary looked up: the first build row of each, plus one.
struct CodedProbe {
    dictionary: ArrayRef,
    first: Vec<u32>,
}

/// Which probe rows [`ProbeState::fill`] makes pairs of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// Pairs of candidates.
    Matches,
    /// And one pair without a build row for each probe row without candidates.
    MatchesAndMisses,
    /// Pairs of candidates of probe rows not yet seen.
    Unseen,
}

impl StepState for ProbeState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        let keys = self.join.spec.left_keys.iter();
        let keys: Result<Vec<ArrayRef>> = keys.map(|key| key.evaluate(&batch)).collect();
        self.keys = keys?;
        if self.probe_codes()? {
            self.begin(batch);
            return Ok(());
        }
        let spec = &self.join.spec;
        let indexed = self.keys.len() - usize::from(spec.compares_last_key());
        self.join.index.probe(
            self.keys.get(..indexed).unwrap_or_default(),
            spec.null_equal.get(..indexed).unwrap_or_default(),
            batch.rows,
            &mut self.probe,
        )?;
        self.begin(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let Some(batch) = self.batch.take() else {
            return Ok(None);
        };
        if self.join.spec.calls.is_some() {
            return self.grouped(&batch);
        }
        if !self.join.spec.gives_pairs() {
            self.find_existence(&batch)?;
            if self.join.is_partial {
                return Ok(None);
            }
            return left_rows(&self.join.spec, &batch, &self.seen, &self.unknown).map(Some);
        }
        let output = self.pairs(&batch)?;
        if output.is_some() {
            self.batch = Some(batch);
        }
        Ok(output)
    }
}

impl ProbeState {
    pub(super) fn new(join: &Arc<BuiltJoin>) -> Self {
        Self {
            join: Arc::clone(join),
            batch: None,
            keys: Vec::new(),
            probe: Probe::default(),
            coded: None,
            nulls: NullProbe::default(),
            row: 0,
            number: 0,
            probe_rows: Vec::new(),
            build_numbers: Vec::new(),
            seen: Vec::new(),
            unknown: Vec::new(),
            groups: None,
        }
    }

    /// Begins a batch whose keys were looked up.
    fn begin(&mut self, batch: Batch) {
        self.row = 0;
        self.number = 0;
        self.seen.clear();
        self.seen.resize(batch.rows, false);
        self.unknown.clear();
        self.unknown.resize(batch.rows, false);
        self.batch = Some(batch);
    }

    /// Looks up keys that come as codes; false where they do not. No value has two rows in the index.
    fn probe_codes(&mut self) -> Result<bool> {
        let [key] = self.keys.as_slice() else {
            return Ok(false);
        };
        let Some(key) = key.as_dictionary_opt::<UInt32Type>() else {
            return Ok(false);
        };
        let (codes, values) = (key.keys(), key.values());
        let known = self.coded.take();
        let known = known.filter(|known| Arc::ptr_eq(&known.dictionary, values));
        let coded = match known {
            Some(known) => known,
            None => {
                let (index, keys) = (&self.join.index, [Arc::clone(values)]);
                index.probe(&keys, &[false], values.len(), &mut self.probe)?;
                CodedProbe {
                    dictionary: Arc::clone(values),
                    first: self.probe.first.clone(),
                }
            }
        };
        let first = &mut self.probe.first;
        first.clear();
        let of_code = |code: &u32| coded.first.get(*code as usize).copied().unwrap_or(0);
        first.extend(codes.values().iter().map(of_code));
        if let Some(nulls) = codes.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (number, is_valid) in first.iter_mut().zip(nulls) {
                *number *= u32::from(is_valid);
            }
        }
        self.coded = Some(coded);
        Ok(true)
    }

    /// For a part of a build side: which rows of the last batch had a match, and for which a comparison was unknown.
    pub(super) fn take_flags(&mut self) -> (Vec<bool>, Vec<bool>) {
        (
            std::mem::take(&mut self.seen),
            std::mem::take(&mut self.unknown),
        )
    }

    /// For a part of a build side: what a group join has computed of the rows of the last batch.
    pub(super) const fn take_groups(&mut self) -> Option<PairStates> {
        self.groups.take()
    }

    /// The rows of a batch with what is computed of their matches; `None` where these are only a part.
    fn grouped(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        let join = Arc::clone(&self.join);
        let Some(calls) = &join.spec.calls else {
            return Err(Error::internal("a group join without calls"));
        };
        let mut states = match self.groups.take() {
            Some(states) => states,
            None => calls.states()?,
        };
        while self.row < batch.rows {
            join.run.check()?;
            self.fill(batch.rows, Fill::Matches)?;
            self.filter_pairs(batch)?;
            if !self.probe_rows.is_empty() {
                let build = self.build_indices();
                let left = (self.probe_rows.as_slice(), batch.rows);
                states.feed(calls, left, (&join.build, &build))?;
            }
        }
        let output = match join.is_partial {
            true => None,
            false => Some(with_values(&join.spec, batch, &mut states)?),
        };
        self.groups = Some(states);
        Ok(output)
    }

    /// The next batch of pairs, `None` when all have been put out.
    fn pairs(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        let join = Arc::clone(&self.join);
        // With a part of the build side, a row without a match may have one in another part.
        let keeps_left = join.spec.keeps_left() && !join.is_partial;
        let counts = join.spec.filter.is_some() || join.is_partial;
        let fill = match (keeps_left, &join.spec.filter) {
            (true, None) => Fill::MatchesAndMisses,
            _ => Fill::Matches,
        };
        while self.row < batch.rows {
            join.run.check()?;
            self.fill(batch.rows, fill)?;
            if join.spec.filter.is_some() {
                self.filter_pairs(batch)?;
            }
            if counts {
                self.count_matches()?;
            }
            self.mark_matched();
            if !self.probe_rows.is_empty() {
                return self.output(batch).map(Some);
            }
        }
        if keeps_left && join.spec.filter.is_some() && self.row == batch.rows {
            // Once: the row moves past the end.
            self.row += 1;
            self.probe_rows.clear();
            self.build_numbers.clear();
            for (row, seen) in self.seen.iter().enumerate() {
                if !seen {
                    self.probe_rows.push(row as u32);
                    self.build_numbers.push(0);
                }
            }
            if !self.probe_rows.is_empty() {
                return self.output(batch).map(Some);
            }
        }
        Ok(None)
    }

    /// Gathers pairs from where the last call stopped, at most a batch of them.
    fn fill(&mut self, rows: usize, fill: Fill) -> Result<()> {
        self.probe_rows.clear();
        self.build_numbers.clear();
        let join = &self.join;
        let limit = join.run.batch_rows();
        let single = join.spec.kind == JoinKind::Single && join.spec.filter.is_none();
        let unique = join.index.is_unique();
        if unique && fill != Fill::Unseen && self.number == 0 {
            self.fill_unique(rows, limit, fill);
            return Ok(());
        }
        while self.row < rows && self.probe_rows.len() < limit {
            let row = self.row;
            if fill == Fill::Unseen && self.seen.get(row).copied().unwrap_or(true) {
                self.row += 1;
                self.number = 0;
                continue;
            }
            let number = match self.number {
                0 => self.probe.first.get(row).copied().unwrap_or(0),
                number => number,
            };
            if number != 0 || fill == Fill::MatchesAndMisses {
                self.probe_rows.push(row as u32);
                self.build_numbers.push(number);
            }
            self.number = if number == 0 || unique {
                0
            } else {
                join.index.next(&self.probe, row, number)
            };
            if self.number == 0 {
                self.row += 1;
            } else if single {
                return Err(ExecError::TooManyRows.into());
            }
        }
        Ok(())
    }

    /// [`Self::fill`] where no probe row has two candidates.
    fn fill_unique(&mut self, rows: usize, limit: usize, fill: Fill) {
        let end = rows.min(self.row.saturating_add(limit));
        let found = self.probe.first.get(self.row..end).unwrap_or_default();
        if fill == Fill::MatchesAndMisses || !found.contains(&0) {
            self.probe_rows.extend(self.row as u32..end as u32);
            self.build_numbers.extend_from_slice(found);
        } else {
            // Each row is written, and stays where it has a candidate: nothing to predict.
            self.probe_rows.resize(found.len(), 0);
            self.build_numbers.resize(found.len(), 0);
            let mut kept = 0;
            for (row, number) in (self.row as u32..).zip(found) {
                if let (Some(slot), Some(build)) = (
                    self.probe_rows.get_mut(kept),
                    self.build_numbers.get_mut(kept),
                ) {
                    *slot = row;
                    *build = *number;
                }
                kept += usize::from(*number != 0);
            }
            self.probe_rows.truncate(kept);
            self.build_numbers.truncate(kept);
        }
        self.row = end;
    }

    /// Drops the pairs that the residual filter does not accept.
    fn filter_pairs(&mut self, batch: &Batch) -> Result<()> {
        let Some(mask) = self.filter_mask(batch)? else {
            return Ok(());
        };
        let mut kept = 0;
        for at in mask.values().set_indices() {
            let (Some(row), Some(number)) = (self.probe_rows.get(at), self.build_numbers.get(at))
            else {
                break;
            };
            let (row, number) = (*row, *number);
            if let Some(slot) = self.probe_rows.get_mut(kept) {
                *slot = row;
            }
            if let Some(slot) = self.build_numbers.get_mut(kept) {
                *slot = number;
            }
            kept += 1;
        }
        self.probe_rows.truncate(kept);
        self.build_numbers.truncate(kept);
        Ok(())
    }

    /// Which of the pairs the residual filter accepts; `None` where there is no filter or no pair.
    fn filter_mask(&self, batch: &Batch) -> Result<Option<BooleanArray>> {
        let Some(filter) = &self.join.spec.filter else {
            return Ok(None);
        };
        if self.probe_rows.is_empty() {
            return Ok(None);
        }
        let probe = UInt32Array::from(self.probe_rows.clone());
        let build = self.build_indices();
        let mut columns = Vec::with_capacity(filter.left.len() + filter.right.len());
        for position in &filter.left {
            columns.push(take_one(batch.column(*position)?, &probe)?);
        }
        for position in &filter.right {
            columns.push(take_one(self.join.build.column(*position)?, &build)?);
        }
        let pairs = Batch::new(columns, probe.len());
        Ok(Some(filter.predicate.evaluate_predicate(&pairs)?))
    }

    /// Notes which probe rows the pairs are of; a second one is an error for scalar subqueries.
    fn count_matches(&mut self) -> Result<()> {
        let single = self.join.spec.kind == JoinKind::Single;
        for row in &self.probe_rows {
            if let Some(seen) = self.seen.get_mut(*row as usize)
                && std::mem::replace(seen, true)
                && single
            {
                return Err(ExecError::TooManyRows.into());
            }
        }
        Ok(())
    }

    /// Notes which build rows the pairs are of.
    fn mark_matched(&self) {
        if let Some(matched) = &self.join.matched {
            for number in &self.build_numbers {
                let row = (*number as usize).wrapping_sub(1);
                if let Some(flag) = matched.get(row) {
                    flag.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// The build rows of the pairs; null for a pair without one.
    fn build_indices(&self) -> UInt32Array {
        let numbers = &self.build_numbers;
        let indices: Vec<u32> = numbers.iter().map(|n| n.saturating_sub(1)).collect();
        let nulls = self.join.spec.keeps_left().then(|| {
            let valid: BooleanBuffer = numbers.iter().map(|n| *n != 0).collect();
            NullBuffer::new(valid)
        });
        UInt32Array::new(indices.into(), nulls.filter(|n| n.null_count() > 0))
    }

    /// The pairs as a batch.
    fn output(&self, batch: &Batch) -> Result<Batch> {
        let spec = &self.join.spec;
        let rows = self.probe_rows.len();
        let mut columns = Vec::with_capacity(spec.left_output.len() + spec.right_output.len());
        // As many pairs as rows, and no row twice: every row once, in order.
        if rows == batch.rows && self.join.index.is_unique() {
            for position in &spec.left_output {
                columns.push(Arc::clone(batch.column(*position)?));
            }
        } else {
            let probe = UInt32Array::from(self.probe_rows.clone());
            for position in &spec.left_output {
                columns.push(take_one(batch.column(*position)?, &probe)?);
            }
        }
        let build = self.build_indices();
        for position in &spec.right_output {
            let column = self.join.build.column(*position)?;
            columns.push(if column.is_empty() {
                new_null_array(column.data_type(), rows)
            } else {
                take_one(column, &build)?
            });
        }
        Ok(Batch::new(columns, rows))
    }

    /// For the kinds that put out left rows: which rows of a batch have a match.
    fn find_existence(&mut self, batch: &Batch) -> Result<()> {
        let join = Arc::clone(&self.join);
        let spec = &join.spec;
        if spec.filter.is_none() {
            for (seen, number) in self.seen.iter_mut().zip(&self.probe.first) {
                *seen = *number != 0;
            }
        }
        while spec.filter.is_some() && self.row < batch.rows {
            join.run.check()?;
            self.fill(batch.rows, Fill::Unseen)?;
            if spec.compares_last_key() {
                self.compare_last_key(batch)?;
            } else {
                self.filter_pairs(batch)?;
            }
            self.count_matches()?;
        }
        let keys = &self.keys;
        join.null_aware
            .mark_unknown(spec, keys, &mut self.nulls, &mut self.unknown)
    }

    /// Of the pairs that the residual filter accepts, keeps those whose last keys are equal, and notes the
    /// probe rows of those where one is NULL.
    fn compare_last_key(&mut self, batch: &Batch) -> Result<()> {
        self.filter_pairs(batch)?;
        let (Some(probe_key), Some(build_key)) = (self.keys.last(), self.join.keys.last()) else {
            return Err(Error::internal("a NULL-aware join without keys"));
        };
        if self.probe_rows.is_empty() {
            return Ok(());
        }
        let probe = UInt32Array::from(self.probe_rows.clone());
        let left = take_one(&normalized(probe_key)?, &probe)?;
        let right = take_one(&normalized(build_key)?, &self.build_indices())?;
        let equal = cmp::eq(&left, &right)?;
        for (at, row) in self.probe_rows.iter().enumerate() {
            if equal.is_null(at)
                && let Some(unknown) = self.unknown.get_mut(*row as usize)
            {
                *unknown = true;
            }
        }
        let mut at = 0;
        self.probe_rows.retain(|_| {
            at += 1;
            equal.is_valid(at - 1) && equal.value(at - 1)
        });
        Ok(())
    }
}

/// Left rows, and what is computed of their matches.
pub(super) fn with_values(
    spec: &JoinSpec,
    batch: &Batch,
    states: &mut PairStates,
) -> Result<Batch> {
    let output = spec.left_output.iter();
    let columns: Result<Vec<ArrayRef>> = output.map(|p| batch.column(*p).cloned()).collect();
    let mut columns = columns?;
    columns.extend(states.finish(batch.rows)?);
    Ok(Batch::new(columns, batch.rows))
}

/// What the kinds that put out left rows make of a batch whose rows have a match or not.
pub(super) fn left_rows(
    spec: &JoinSpec,
    batch: &Batch,
    seen: &[bool],
    unknown: &[bool],
) -> Result<Batch> {
    let output = spec.left_output.iter();
    let columns: Result<Vec<ArrayRef>> = output.map(|p| batch.column(*p).cloned()).collect();
    let mut left = Batch::new(columns?, batch.rows);
    let found = seen.iter().zip(unknown);
    let mask: BooleanBuffer = match spec.kind {
        JoinKind::Semi => found.map(|(seen, _)| *seen).collect(),
        JoinKind::Anti => found.map(|(seen, _)| !seen).collect(),
        JoinKind::NullAwareAnti => found.map(|(seen, unknown)| !seen && !unknown).collect(),
        _ => {
            let marks = found.map(|(seen, unknown)| (*seen || !unknown).then_some(*seen));
            left.columns.push(Arc::new(marks.collect::<BooleanArray>()));
            return Ok(left);
        }
    };
    left.filter(&BooleanArray::new(mask, None))
}
