//! Joins: the right side becomes an index, the left side's rows are looked up in it as they stream by.
//!
//! All kinds share one way: an index gives candidate pairs (for a join without equalities, all pairs), the
//! residual filter decides about them, and the kind says what becomes of rows with and without a match. Where the right
//! side is over the memory budget, both sides are cut into partitions in temporary files, which are joined one
//! after the other.

mod chains;
mod dense;
mod grace;
mod group;
mod index;
mod null_aware;
mod probe;
mod side;
mod unmatched;

use super::{ColumnBounds, Hints, Operator, OperatorInfo, open_input};
use crate::batch::{Batch, concat_batches};
use crate::pipeline::{BufferedSource, Pipeline, Stage};
use crate::resolve::Prepared;
use crate::run::Run;
use crate::spill::Spiller;
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringViewArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, UInt32Type};
pub(super) use dense::extremes;
use grace::{Grace, GraceSource};
pub(crate) use group::PairCalls;
use index::JoinIndex;
use llkv_plan::JoinKind;
use llkv_result::{Error, Result};
use llkv_types::MemoryReservation;
use llkv_types::SqlType;
use null_aware::NullAware;
use side::{Side, SideKeys, SideSink, SpilledSide};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What a join does, apart from its inputs.
pub(crate) struct JoinSpec {
    pub(crate) kind: JoinKind,
    /// Keys over the left columns.
    pub(crate) left_keys: Vec<Prepared>,
    /// Keys over the right columns, of the same types.
    pub(crate) right_keys: Vec<Prepared>,
    /// Keys under which NULL equals NULL.
    pub(crate) null_equal: Vec<bool>,
    /// What a pair must satisfy besides.
    pub(crate) filter: Option<PairFilter>,
    /// What a group join computes of the matches of a left row.
    pub(crate) calls: Option<PairCalls>,
    /// Left columns put out.
    pub(crate) left_output: Vec<usize>,
    /// Right columns put out, after the left ones.
    pub(crate) right_output: Vec<usize>,
    /// The last key is compared as IN compares: NULL makes unknown.
    pub(crate) null_aware: bool,
    /// The left side is gathered first, and its keys leave out right rows. Only for kinds to which a right row
    /// without a match means nothing.
    pub(crate) left_first: bool,
}

/// Of a build side of up to so many rows, texts may be put out as codes.
const CODED_ROWS: usize = 1 << 15;

/// A condition over pairs of rows.
pub(crate) struct PairFilter {
    /// Over the columns `left`, then the columns `right`.
    pub(crate) predicate: Prepared,
    pub(crate) left: Vec<usize>,
    pub(crate) right: Vec<usize>,
}

impl JoinSpec {
    /// The kinds that put out pairs, as opposed to left rows.
    fn gives_pairs(&self) -> bool {
        matches!(
            self.kind,
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full | JoinKind::Single
        )
    }

    /// Left rows without a match are put out with NULLs.
    pub(crate) fn keeps_left(&self) -> bool {
        matches!(
            self.kind,
            JoinKind::Left | JoinKind::Full | JoinKind::Single
        )
    }

    /// Right rows without a match are put out with NULLs.
    pub(crate) fn keeps_right(&self) -> bool {
        matches!(self.kind, JoinKind::Right | JoinKind::Full)
    }

    /// Only left rows with a match matter.
    fn needs_match(&self) -> bool {
        matches!(
            self.kind,
            JoinKind::Inner | JoinKind::Right | JoinKind::Semi
        )
    }

    /// The key that decides NULL-aware kinds is compared pair by pair, not by the index.
    fn compares_last_key(&self) -> bool {
        self.null_aware && self.filter.is_some()
    }
}

/// A join over two inputs.
pub(crate) struct JoinOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) left: Box<dyn Operator>,
    pub(crate) right: Box<dyn Operator>,
    pub(crate) spec: Arc<JoinSpec>,
}

impl Operator for JoinOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.left.as_ref(), self.right.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        if self.spec.left_first {
            return self.open_left_first(run, hints);
        }
        let spiller = Spiller::new(run, &self.info);
        let mut built = match self.gather_right(run, &spiller, &self.right_hints(hints), false)? {
            Side::Memory(batches, memory) => self.build(run, &spiller, batches, memory)?,
            Side::Spilled(right) if !right.has_rows() && self.spec.needs_match() => {
                return Ok(Pipeline::default());
            }
            Side::Spilled(right) => {
                let pipeline = open_input(self.left.as_ref(), run, &self.outer_hints(hints))?;
                let left = self.left_sink(run, &spiller, true).gather(pipeline)?;
                return self.grace(run, &spiller, left, right);
            }
        };
        if built.build.rows == 0 && self.spec.needs_match() {
            return Ok(Pipeline::default());
        }
        self.code_build(hints, &mut built)?;
        let hints = self.left_hints(hints, &spiller, &mut built)?;
        let built = Arc::new(built);
        let pipeline = open_input(self.left.as_ref(), run, &hints)?;
        let step = Arc::new(probe::ProbeStep {
            join: Arc::clone(&built),
        });
        let pipeline = pipeline.then(step, &self.info.metrics);
        if !self.spec.keeps_right() {
            return Ok(pipeline);
        }
        Ok(pipeline.and_stage(Stage {
            source: Arc::new(unmatched::UnmatchedSource {
                join: built,
                left_types: self.left_output_types(),
            }),
            metrics: Arc::clone(&self.info.metrics),
            steps: Vec::new(),
            barrier: true,
        }))
    }
}

impl JoinOperator {
    /// Gathers the left side, lets its keys leave out right rows, and probes with what was gathered.
    fn open_left_first(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let spiller = Spiller::new(run, &self.info);
        let left_hints = self.outer_hints(hints);
        let pipeline = open_input(self.left.as_ref(), run, &left_hints)?;
        let mut hints = self.right_hints(hints);
        let (batches, mut memory) = match self.left_sink(run, &spiller, false).gather(pipeline)? {
            Side::Memory(batches, _) if batches.is_empty() => return Ok(Pipeline::default()),
            Side::Memory(batches, memory) => (batches, memory),
            Side::Spilled(left) if !left.has_rows() => return Ok(Pipeline::default()),
            Side::Spilled(left) => {
                return match self.gather_right(run, &spiller, &hints, true)? {
                    Side::Spilled(right) => self.grace(run, &spiller, Side::Spilled(left), right),
                    Side::Memory(..) => Err(Error::internal("rows stayed in memory")),
                };
            }
        };
        let start = Instant::now();
        let bounds = self.bounds_of(&batches, &spiller, &mut memory)?;
        hints.bounds.extend(bounds);
        self.info.metrics.between_pipelines(run, start);
        match self.gather_right(run, &spiller, &hints, false)? {
            Side::Spilled(right) => self.grace(run, &spiller, Side::Memory(batches, memory), right),
            Side::Memory(right, right_memory) => {
                let join = Arc::new(self.build(run, &spiller, right, right_memory)?);
                let source = BufferedSource::new(batches, run.batch_rows(), Some(memory));
                // The gathered rows are the left side's, and were counted there.
                let uncounted = Arc::default();
                let pipeline = Pipeline::from_source(Arc::new(source), &uncounted);
                let step = Arc::new(probe::ProbeStep { join });
                Ok(pipeline.then(step, &self.info.metrics))
            }
        }
    }

    /// What gathered left rows say about right ones.
    fn bounds_of(
        &self,
        batches: &[Batch],
        spiller: &Spiller,
        memory: &mut MemoryReservation,
    ) -> Result<Vec<ColumnBounds>> {
        let spec = &self.spec;
        let mut all = Vec::new();
        let keys = spec.left_keys.iter().zip(&spec.right_keys);
        for ((left, right), null_equal) in keys.zip(&spec.null_equal) {
            let Some(position) = right.as_column().filter(|_| !null_equal) else {
                continue;
            };
            let values = batches.iter().map(|batch| left.evaluate(batch));
            let values = values.collect::<Result<Vec<_>>>()?;
            let values = values.iter().map(AsRef::as_ref).collect::<Vec<_>>();
            let bounds = ColumnBounds::of_keys(position, &concat(&values)?)?;
            all.extend(bounds.filter(|bounds| keeps(spiller, memory, bounds)));
        }
        Ok(all)
    }

    /// Gathers the build side.
    fn gather_right(
        &self,
        run: &Arc<Run>,
        spiller: &Spiller,
        hints: &Hints,
        to_files: bool,
    ) -> Result<Side> {
        let pipeline = open_input(self.right.as_ref(), run, hints)?;
        let sink = SideSink {
            run,
            spiller,
            keys: SideKeys::new(&self.spec, &self.spec.right_keys),
            weight: self.right_weight(),
            to_files,
        };
        sink.gather(pipeline)
    }

    /// How the left side is gathered.
    fn left_sink<'a>(&'a self, run: &'a Run, spiller: &'a Spiller, to_files: bool) -> SideSink<'a> {
        SideSink {
            run,
            spiller,
            keys: SideKeys::new(&self.spec, &self.spec.left_keys),
            weight: (1, 0),
            to_files,
        }
    }

    /// What build rows take: the rows, once more while they are copied together, texts as keys of an index; and the
    /// entries of the index, of which there are up to four a row, and packed keys.
    fn right_weight(&self) -> (u64, u64) {
        let is_text = |t: &DataType| matches!(t, DataType::Utf8View | DataType::BinaryView);
        let has_text = self.right.info().types().iter().any(is_text);
        (if has_text { 3 } else { 2 }, 40)
    }

    /// Indexes the rows of the build side.
    fn build(
        &self,
        run: &Arc<Run>,
        spiller: &Spiller,
        batches: Vec<Batch>,
        memory: MemoryReservation,
    ) -> Result<BuiltJoin> {
        let start = Instant::now();
        let types = self.right.info().types();
        let built = build_join(run, spiller, &self.spec, batches, &types, memory);
        self.info.metrics.between_pipelines(run, start);
        built
    }

    /// Joins partitions; a left side in memory is written first.
    fn grace(
        &self,
        run: &Arc<Run>,
        spiller: &Spiller,
        left: Side,
        right: SpilledSide,
    ) -> Result<Pipeline> {
        let spec = &self.spec;
        let left = match left {
            Side::Spilled(left) => left,
            Side::Memory(batches, memory) => {
                let left = SideKeys::new(spec, &spec.left_keys).spill(spiller, batches)?;
                drop(memory);
                left
            }
        };
        let is_whole = spec.null_aware && !spec.compares_last_key() && spec.right_keys.len() == 1;
        let grace = Grace {
            run: Arc::clone(run),
            spiller: spiller.clone(),
            spec: Arc::clone(spec),
            right_types: self.right.info().types(),
            left_output_types: self.left_output_types(),
            whole: is_whole.then(|| (right.has_rows(), right.any_null)),
            weight: self.right_weight(),
        };
        let source = GraceSource::new(grace, left, right);
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }

    /// What the operator above and the build side's keys say about left rows.
    fn left_hints(&self, hints: &Hints, spiller: &Spiller, built: &mut BuiltJoin) -> Result<Hints> {
        let mut left = self.outer_hints(hints);
        left.coded = self.coded_left(hints, built);
        if !self.spec.needs_match() {
            return Ok(left);
        }
        let keys = self.spec.left_keys.iter().zip(&built.keys);
        for ((key, build_key), null_equal) in keys.zip(&self.spec.null_equal) {
            if *null_equal {
                continue;
            }
            if let Some(position) = key.as_column() {
                let bounds = ColumnBounds::of_keys(position, build_key)?;
                let memory = &mut built.memory;
                let bounds = bounds.filter(|bounds| keeps(spiller, memory, bounds));
                left.bounds.extend(bounds);
            }
        }
        Ok(left)
    }

    /// Text columns of the left side that may come as codes: those that are handed on to somebody who takes them as such
    /// and read by nothing else; and the only key, each value of whose dictionary is then looked up once.
    fn coded_left(&self, hints: &Hints, built: &BuiltJoin) -> Vec<usize> {
        let spec = &self.spec;
        let key = match (spec.left_keys.as_slice(), spec.null_equal.as_slice()) {
            ([key], [false]) if !spec.null_aware && built.index.is_unique() => key.as_column(),
            _ => None,
        };
        let passes = spec.gives_pairs() && !spec.keeps_right();
        let may_come = |position: usize| {
            let outputs = spec.left_output.iter().enumerate();
            let mut outputs = outputs.filter(|(_, from)| **from == position);
            let is_key = spec.left_keys.iter().any(|key| key.reads(position));
            let is_filtered = spec
                .filter
                .as_ref()
                .is_some_and(|f| f.left.contains(&position));
            (!is_key || key == Some(position))
                && !is_filtered
                && outputs.all(|(at, _)| passes && hints.coded.contains(&at))
        };
        let columns = self.left.info().columns.iter().enumerate();
        let texts = columns.filter(|(_, column)| column.ty == SqlType::Text);
        let wanted = |at: &usize| key == Some(*at) || spec.left_output.contains(at);
        texts
            .map(|(position, _)| position)
            .filter(|position| wanted(position) && may_come(*position))
            .collect()
    }

    /// Makes dictionaries of the texts of a small build side that are handed on to somebody who takes them as such: pairs
    /// then copy codes.
    fn code_build(&self, hints: &Hints, built: &mut BuiltJoin) -> Result<()> {
        let spec = &self.spec;
        if hints.coded.is_empty() || spec.keeps_right() || built.build.rows > CODED_ROWS {
            return Ok(());
        }
        let left = spec.left_output.len();
        for (position, column) in built.build.columns.iter_mut().enumerate() {
            let outputs = spec.right_output.iter().enumerate();
            let mut outputs = outputs
                .filter(|(_, from)| **from == position)
                .map(|(at, _)| left + at)
                .peekable();
            let is_read = spec
                .filter
                .as_ref()
                .is_some_and(|f| f.right.contains(&position));
            let takes = outputs.peek().is_some() && outputs.all(|at| hints.coded.contains(&at));
            if takes
                && !is_read
                && let Some(texts) = column.as_string_view_opt()
            {
                *column = Arc::new(dictionary_of(texts)?);
            }
        }
        Ok(())
    }

    /// What the operator above says about left rows.
    fn outer_hints(&self, hints: &Hints) -> Hints {
        match self.spec.kind {
            // A left row left out would turn its matches into unmatched right rows.
            JoinKind::Right | JoinKind::Full => Hints::default(),
            _ => hints.translated(|p| self.spec.left_output.get(p).copied()),
        }
    }

    /// What the operator above says about right rows.
    fn right_hints(&self, hints: &Hints) -> Hints {
        if self.spec.kind != JoinKind::Inner {
            return Hints::default();
        }
        let left = self.spec.left_output.len();
        hints.translated(|p| self.spec.right_output.get(p.checked_sub(left)?).copied())
    }

    fn left_output_types(&self) -> Vec<DataType> {
        let types = self.left.info().types();
        let output = self.spec.left_output.iter();
        output.filter_map(|p| types.get(*p).cloned()).collect()
    }
}

/// Reserves what a hint's keys take; without room for them there is no hint.
fn keeps(spiller: &Spiller, memory: &mut MemoryReservation, bounds: &ColumnBounds) -> bool {
    let keys = bounds
        .keys
        .as_ref()
        .map_or(0, |keys| keys.size_bytes() as u64);
    match spiller.is_over(memory, keys) {
        Ok(false) => true,
        Ok(true) => {
            memory.shrink(memory.bytes() - keys);
            false
        }
        // Nothing is spilled here, and nothing was reserved.
        Err(_) => false,
    }
}

/// Texts as codes of their distinct values, ascending.
fn dictionary_of(texts: &StringViewArray) -> Result<DictionaryArray<UInt32Type>> {
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    order.retain(|row| texts.is_valid(*row as usize));
    order.sort_unstable_by_key(|row| texts.value(*row as usize));
    let mut codes = vec![None; texts.len()];
    let mut values: Vec<&str> = Vec::new();
    for row in order {
        let text = texts.value(row as usize);
        if values.last() != Some(&text) {
            values.push(text);
        }
        if let Some(code) = codes.get_mut(row as usize) {
            *code = Some((values.len() - 1) as u32);
        }
    }
    let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
    Ok(DictionaryArray::try_new(
        codes.into_iter().collect(),
        values,
    )?)
}

/// Indexes build rows. `memory` holds what was reserved for them.
fn build_join(
    run: &Arc<Run>,
    spiller: &Spiller,
    spec: &Arc<JoinSpec>,
    batches: Vec<Batch>,
    types: &[DataType],
    mut memory: MemoryReservation,
) -> Result<BuiltJoin> {
    let build = concat_batches(&batches, types)?;
    drop(batches);
    if u32::try_from(build.rows).map_or(true, |rows| rows == u32::MAX) {
        return Err(Error::internal(
            "a join's build side has over 2^32 - 2 rows",
        ));
    }
    let keys: Result<Vec<ArrayRef>> = spec.right_keys.iter().map(|k| k.evaluate(&build)).collect();
    let keys = keys?;
    let indexed = keys.len() - usize::from(spec.compares_last_key());
    let (index_keys, index_nulls) = match (keys.get(..indexed), spec.null_equal.get(..indexed)) {
        (Some(keys), Some(nulls)) => (keys, nulls),
        _ => return Err(Error::internal("a join with fewer keys than flags")),
    };
    let index = JoinIndex::build(index_keys, index_nulls, build.rows)?;
    let null_aware = NullAware::build(spec, &keys, build.rows)?;
    let matched = spec.keeps_right().then(|| {
        let flags = (0..build.rows).map(|_| AtomicBool::new(false));
        flags.collect::<Vec<_>>()
    });
    let flags = matched.as_ref().map_or(0, Vec::len);
    let indexes = (index.size_bytes() + null_aware.size_bytes() + flags) as u64;
    spiller.settle(&mut memory, build.memory_bytes() + indexes)?;
    tracing::debug!(rows = build.rows, index = index.name(), "join table built");
    Ok(BuiltJoin {
        run: Arc::clone(run),
        spec: Arc::clone(spec),
        build,
        keys,
        index,
        null_aware,
        matched,
        is_partial: false,
        memory,
    })
}

/// A join whose build side is there.
struct BuiltJoin {
    run: Arc<Run>,
    spec: Arc<JoinSpec>,
    /// The build side's rows, all its columns.
    build: Batch,
    /// The build side's keys.
    keys: Vec<ArrayRef>,
    index: JoinIndex,
    null_aware: NullAware,
    /// Build rows with a match, for the kinds that put out the others.
    matched: Option<Vec<AtomicBool>>,
    /// The build side is one chunk of several: what it says about left rows is not all.
    is_partial: bool,
    memory: MemoryReservation,
}
