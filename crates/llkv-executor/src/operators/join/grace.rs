//! A join of partitions in temporary files (a Grace hash join): matching rows are in partitions of the same number, which are
//! joined one after the other. A pair whose build side is still too large is cut by more bits of the hash; where
//! that does not help (one key has too many rows, or there are no keys), the build side is taken in chunks and the
//! probe side goes by each of them.

use super::group::PairStates;
use super::null_aware::NullAware;
use super::probe::{ProbeState, left_rows, with_values};
use super::side::{SideKeys, SpilledSide};
use super::unmatched::UnmatchedReader;
use super::{BuiltJoin, JoinSpec, PairCalls, build_join};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Source, StepState, slices};
use crate::run::Run;
use crate::spill::{LAST_LEVEL, Segment, Spiller};
use arrow::array::BooleanArray;
use arrow::datatypes::DataType;
use llkv_plan::JoinKind;
use llkv_result::{ExecError, Result};
use llkv_types::MemoryReservation;
use std::collections::VecDeque;
use std::sync::Arc;

/// What all pairs of partitions share.
pub(super) struct Grace {
    pub(super) run: Arc<Run>,
    pub(super) spiller: Spiller,
    pub(super) spec: Arc<JoinSpec>,
    /// Types of the build side's columns.
    pub(super) right_types: Vec<DataType>,
    /// Types of the left columns put out.
    pub(super) left_output_types: Vec<DataType>,
    /// What a join of a single NULL-aware key knows of all build rows: there is one, one has NULL.
    pub(super) whole: Option<(bool, bool)>,
    /// Memory that build rows take, as in [`super::side::SideSink`].
    pub(super) weight: (u64, u64),
}

/// Partitions of both sides with the same number.
#[derive(Clone)]
struct Pair {
    level: u32,
    left: Vec<Segment>,
    right: Vec<Segment>,
    /// Build rows of the pair that this one was cut from.
    parent_rows: usize,
}

/// The pairs as morsels.
pub(super) struct GraceSource {
    grace: Arc<Grace>,
    pairs: Vec<Pair>,
}

impl GraceSource {
    pub(super) fn new(grace: Grace, left: SpilledSide, right: SpilledSide) -> Self {
        let grace = Arc::new(grace);
        let pairs = grace.pairs(0, usize::MAX, left.partitions, right.partitions);
        Self { grace, pairs }
    }
}

impl Source for GraceSource {
    fn morsels(&self) -> usize {
        self.pairs.len()
    }

    fn estimated_rows(&self) -> u64 {
        let segments = self
            .pairs
            .iter()
            .flat_map(|pair| pair.left.iter().chain(&pair.right));
        segments.map(|segment| segment.rows as u64).sum()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let grace = &self.grace;
        Ok(Box::new(GraceReader {
            memory: grace.run.reserve(grace.spiller.operator),
            grace: Arc::clone(grace),
            waiting: self.pairs.get(morsel).cloned().into_iter().collect(),
            pass: None,
            ready: VecDeque::new(),
        }))
    }
}

impl Grace {
    /// The pairs that can give rows.
    fn pairs(
        &self,
        level: u32,
        parent_rows: usize,
        left: Vec<Vec<Segment>>,
        right: Vec<Vec<Segment>>,
    ) -> Vec<Pair> {
        let pairs = left.into_iter().zip(right).map(|(left, right)| Pair {
            level,
            left,
            right,
            parent_rows,
        });
        let gives_rows = |pair: &Pair| {
            let left = !pair.left.is_empty();
            let right = !pair.right.is_empty();
            match (left, right) {
                (true, true) => true,
                (true, false) => !self.spec.needs_match(),
                (false, right) => right && self.spec.keeps_right(),
            }
        };
        pairs.filter(gives_rows).collect()
    }

    fn right_keys(&self) -> SideKeys<'_> {
        SideKeys::new(&self.spec, &self.spec.right_keys)
    }

    /// Cuts a pair by more bits of the hash.
    fn cut(&self, pair: &Pair) -> Result<Vec<Pair>> {
        let level = pair.level + 1;
        let left_keys = SideKeys::new(&self.spec, &self.spec.left_keys);
        let left = left_keys.cut(&self.run, &self.spiller, level, &pair.left)?;
        let right = self
            .right_keys()
            .cut(&self.run, &self.spiller, level, &pair.right)?;
        Ok(self.pairs(level, rows(&pair.right), left, right))
    }

    fn bytes(&self, segment: &Segment) -> u64 {
        self.weight.0 * segment.memory_bytes + self.weight.1 * segment.rows as u64
    }

    /// A join whose build side is what `segments` hold.
    fn build(
        &self,
        segments: &[Segment],
        memory: MemoryReservation,
        is_partial: bool,
    ) -> Result<Arc<BuiltJoin>> {
        let batches = segments.iter().map(Segment::read);
        let batches = batches.collect::<Result<Vec<Batch>>>()?;
        let mut built = build_join(
            &self.run,
            &self.spiller,
            &self.spec,
            batches,
            &self.right_types,
            memory,
        )?;
        built.is_partial = is_partial;
        if let Some((any_row, any_null)) = self.whole {
            built.null_aware = NullAware::Whole { any_row, any_null };
        }
        Ok(Arc::new(built))
    }
}

fn rows(segments: &[Segment]) -> usize {
    segments.iter().map(|segment| segment.rows).sum()
}

/// Joins a pair, and the pairs into which it falls where it is too large.
struct GraceReader {
    grace: Arc<Grace>,
    waiting: Vec<Pair>,
    pass: Option<Pass>,
    ready: VecDeque<Batch>,
    /// What the flags of [`Chunks`] take.
    memory: MemoryReservation,
}

/// The probe side going by one build side.
struct Pass {
    join: Arc<BuiltJoin>,
    probe: ProbeState,
    left: Vec<Segment>,
    /// The next of `left`.
    next: usize,
    /// The rows under way, batch by batch.
    slices: VecDeque<Batch>,
    /// The first of the rows under way within their segment.
    row: usize,
    unmatched: Option<UnmatchedReader>,
    chunks: Option<Chunks>,
}

/// The rest of a build side that is taken in chunks.
struct Chunks {
    right: VecDeque<Segment>,
    /// For each left segment, rows that had a match with any chunk, and rows for which a comparison was unknown.
    flags: Vec<(Vec<bool>, Vec<bool>)>,
    /// For each left segment of a group join, what was computed of its rows.
    groups: Vec<PairStates>,
}

impl Iterator for GraceReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            let step = match self.pass.take() {
                Some(pass) => self.advance(pass),
                None => match self.waiting.pop() {
                    Some(pair) => self.begin(pair),
                    None => return None,
                },
            };
            match step {
                Ok(Some(batch)) => return Some(Ok(batch)),
                Ok(None) => {}
                Err(error) => {
                    self.waiting.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl GraceReader {
    fn begin(&mut self, pair: Pair) -> Result<Option<Batch>> {
        let grace = Arc::clone(&self.grace);
        grace.run.check()?;
        let mut memory = grace.run.reserve(grace.spiller.operator);
        let bytes = pair.right.iter().map(|segment| grace.bytes(segment)).sum();
        if !grace.spiller.is_over(&mut memory, bytes)? {
            let join = grace.build(&pair.right, memory, false)?;
            self.pass = Some(Pass::new(join, pair.left, None));
            return Ok(None);
        }
        drop(memory);
        let helps = rows(&pair.right) < pair.parent_rows && pair.level < LAST_LEVEL;
        if helps && grace.right_keys().tell_partitions() {
            self.waiting.extend(grace.cut(&pair)?);
            return Ok(None);
        }
        let flags = pair.left.iter().map(|segment| {
            let none = vec![false; segment.rows];
            (none.clone(), none)
        });
        let flags: Vec<_> = flags.collect();
        let left_rows = rows(&pair.left);
        let calls = grace.spec.calls.as_ref();
        let group_bytes = calls.map_or(0, |calls| calls.state_bytes(left_rows));
        let bytes = 2 * left_rows as u64 + group_bytes;
        grace.spiller.settle(&mut self.memory, bytes)?;
        let groups = pair.left.iter();
        let groups = groups.filter_map(|_| calls.map(PairCalls::states));
        let chunks = Chunks {
            right: pair.right.into(),
            flags,
            groups: groups.collect::<Result<_>>()?,
        };
        self.begin_chunk(pair.left, chunks)
    }

    /// Begins the next chunk: as many segments as there is memory for, one at the least.
    fn begin_chunk(&mut self, left: Vec<Segment>, mut chunks: Chunks) -> Result<Option<Batch>> {
        let grace = &self.grace;
        let mut memory = grace.run.reserve(grace.spiller.operator);
        let mut chunk = Vec::new();
        while let Some(segment) = chunks.right.pop_front() {
            let bytes = grace.bytes(&segment);
            if grace.spiller.is_over(&mut memory, bytes)? && !chunk.is_empty() {
                memory.shrink(memory.bytes() - bytes);
                chunks.right.push_front(segment);
                break;
            }
            chunk.push(segment);
        }
        let join = grace.build(&chunk, memory, true)?;
        self.pass = Some(Pass::new(join, left, Some(chunks)));
        Ok(None)
    }

    /// Goes a step further; the pass is put back unless it has come to its end.
    fn advance(&mut self, mut pass: Pass) -> Result<Option<Batch>> {
        if let Some(batch) = pass.probe.pull()? {
            self.pass = Some(pass);
            return Ok(Some(batch));
        }
        pass.note_flags()?;
        if pass.push_next(&self.grace.run)? {
            self.pass = Some(pass);
            return Ok(None);
        }
        if self.grace.spec.keeps_right() {
            let join = &pass.join;
            let types = &self.grace.left_output_types;
            let reader = pass
                .unmatched
                .get_or_insert_with(|| UnmatchedReader::new(join, types));
            if let Some(batch) = reader.next() {
                self.pass = Some(pass);
                return batch.map(Some);
            }
        }
        match pass.chunks.take() {
            None => Ok(None),
            Some(chunks) if !chunks.right.is_empty() => {
                let left = std::mem::take(&mut pass.left);
                drop(pass);
                self.begin_chunk(left, chunks)
            }
            Some(chunks) => {
                let left = std::mem::take(&mut pass.left);
                drop(pass);
                self.end_chunks(left, chunks)
            }
        }
    }

    /// Puts out what is known of left rows when all chunks have gone by.
    fn end_chunks(&mut self, left: Vec<Segment>, chunks: Chunks) -> Result<Option<Batch>> {
        let grace = Arc::clone(&self.grace);
        let spec = &grace.spec;
        if spec.gives_pairs() && !spec.keeps_left() {
            return Ok(None);
        }
        // Nothing matches the empty build side: what is left over goes by it, and gets NULLs.
        let memory = grace.run.reserve(grace.spiller.operator);
        let none = grace.build(&[], memory, false)?;
        for (segment, mut states) in left.iter().zip(chunks.groups) {
            self.put_out(with_values(spec, &segment.read()?, &mut states)?);
        }
        if spec.calls.is_some() {
            self.memory.shrink(0);
            return Ok(None);
        }
        for (segment, (seen, unknown)) in left.iter().zip(&chunks.flags) {
            let batch = segment.read()?;
            if !spec.gives_pairs() {
                self.put_out(left_rows(spec, &batch, seen, unknown)?);
                continue;
            }
            let unseen: BooleanArray = seen.iter().map(|seen| Some(!seen)).collect();
            let mut probe = ProbeState::new(&none);
            probe.push(batch.filter(&unseen)?)?;
            while let Some(batch) = probe.pull()? {
                self.put_out(batch);
            }
        }
        self.memory.shrink(0);
        Ok(None)
    }

    fn put_out(&mut self, batch: Batch) {
        self.ready
            .extend(slices(batch, self.grace.run.batch_rows()));
    }
}

impl Pass {
    fn new(join: Arc<BuiltJoin>, left: Vec<Segment>, chunks: Option<Chunks>) -> Self {
        Self {
            probe: ProbeState::new(&join),
            join,
            left,
            next: 0,
            slices: VecDeque::new(),
            row: 0,
            unmatched: None,
            chunks,
        }
    }

    /// Pushes the next rows into the probe; false at the end.
    fn push_next(&mut self, run: &Run) -> Result<bool> {
        if self.slices.is_empty() {
            run.check()?;
            let Some(segment) = self.left.get(self.next) else {
                return Ok(false);
            };
            self.slices = slices(segment.read()?, run.batch_rows()).collect();
            self.next += 1;
            self.row = 0;
        }
        if let Some(batch) = self.slices.pop_front() {
            self.probe.push(batch)?;
        }
        Ok(true)
    }

    /// Adds what the probe found of the rows that went by a chunk.
    fn note_flags(&mut self) -> Result<()> {
        let Some(chunks) = &mut self.chunks else {
            return Ok(());
        };
        let (seen, unknown) = self.probe.take_flags();
        let (first, rows) = (self.row, seen.len());
        self.row += rows;
        let Some(at) = self.next.checked_sub(1) else {
            return Ok(());
        };
        if let (Some(found), Some(all)) = (self.probe.take_groups(), chunks.groups.get_mut(at)) {
            let all_rows = self.left.get(at).map_or(0, |segment| segment.rows);
            return all.merge(found, (first, rows), all_rows);
        }
        let Some((all_seen, all_unknown)) = chunks.flags.get_mut(at) else {
            return Ok(());
        };
        for (all, seen) in all_seen.iter_mut().skip(first).zip(seen) {
            if *all && seen && self.join.spec.kind == JoinKind::Single {
                return Err(ExecError::TooManyRows.into());
            }
            *all |= seen;
        }
        for (all, unknown) in all_unknown.iter_mut().skip(first).zip(unknown) {
            *all |= unknown;
        }
        Ok(())
    }
}
