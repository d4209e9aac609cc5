//! Joins: the right side becomes an index, the left side's rows are looked up in it as they stream by.
//!
//! All kinds share one way: an index gives candidate pairs (for a join without equalities, all pairs), the
//! residual filter decides about them, and the kind says what becomes of rows with and without a match.

mod chains;
mod dense;
mod index;
mod null_aware;
mod probe;
mod unmatched;

use super::collect::collect;
use super::{ColumnBounds, Hints, Operator, OperatorInfo, open_input};
use crate::batch::{Batch, concat_batches};
use crate::memory::MemoryReservation;
use crate::pipeline::{BufferedSource, Pipeline, Stage};
use crate::resolve::Prepared;
use crate::run::Run;
use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::datatypes::DataType;
pub(super) use dense::extremes;
use index::JoinIndex;
use llkv_plan::JoinKind;
use llkv_result::{Error, Result};
use null_aware::NullAware;
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
        let mut built = self.build(run, &self.right_hints(hints))?;
        if built.build.rows == 0 && self.spec.needs_match() {
            return Ok(Pipeline::default());
        }
        let hints = self.left_hints(hints, &mut built)?;
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
        let spec = &self.spec;
        let left_hints = hints.translated(|p| spec.left_output.get(p).copied());
        let pipeline = open_input(self.left.as_ref(), run, &left_hints)?;
        let (batches, mut memory) = collect(run, pipeline, self.info.kind, &self.info.metrics)?;
        if batches.is_empty() {
            return Ok(Pipeline::default());
        }
        let start = Instant::now();
        let mut hints = self.right_hints(hints);
        let keys = spec.left_keys.iter().zip(&spec.right_keys);
        for ((left, right), null_equal) in keys.zip(&spec.null_equal) {
            let Some(position) = right.as_column().filter(|_| !null_equal) else {
                continue;
            };
            let values = batches.iter().map(|batch| left.evaluate(batch));
            let values = values.collect::<Result<Vec<_>>>()?;
            let values = values.iter().map(AsRef::as_ref).collect::<Vec<_>>();
            let bounds = ColumnBounds::of_keys(position, &concat(&values)?)?;
            memory.grow(key_bytes(bounds.as_ref()))?;
            hints.bounds.extend(bounds);
        }
        self.info.metrics.time_since(start);
        let join = Arc::new(self.build(run, &hints)?);
        let source = BufferedSource::new(batches, run.batch_rows(), Some(memory));
        // The gathered rows are the left side's, and were counted there.
        let uncounted = Arc::default();
        let pipeline = Pipeline::from_source(Arc::new(source), &uncounted);
        Ok(pipeline.then(Arc::new(probe::ProbeStep { join }), &self.info.metrics))
    }

    /// Runs the build side and indexes its rows.
    fn build(&self, run: &Arc<Run>, hints: &Hints) -> Result<BuiltJoin> {
        let pipeline = open_input(self.right.as_ref(), run, hints)?;
        let kind = self.info.kind;
        let (batches, mut memory) = collect(run, pipeline, kind, &self.info.metrics)?;
        let start = Instant::now();
        let build = concat_batches(&batches, &self.right.info().types())?;
        drop(batches);
        if u32::try_from(build.rows).map_or(true, |rows| rows == u32::MAX) {
            return Err(Error::internal(
                "a join's build side has over 2^32 - 2 rows",
            ));
        }
        let spec = &self.spec;
        let keys: Result<Vec<ArrayRef>> =
            spec.right_keys.iter().map(|k| k.evaluate(&build)).collect();
        let keys = keys?;
        let indexed = keys.len() - usize::from(spec.compares_last_key());
        let (index_keys, index_nulls) = match (keys.get(..indexed), spec.null_equal.get(..indexed))
        {
            (Some(keys), Some(nulls)) => (keys, nulls),
            _ => return Err(Error::internal("a join with fewer keys than flags")),
        };
        let index = JoinIndex::build(index_keys, index_nulls, build.rows)?;
        let null_aware = NullAware::build(spec, &keys, build.rows)?;
        let matched = spec.keeps_right().then(|| {
            let flags = (0..build.rows).map(|_| AtomicBool::new(false));
            flags.collect::<Vec<_>>()
        });
        memory.grow((index.size_bytes() + null_aware.size_bytes()) as u64)?;
        tracing::debug!(rows = build.rows, index = index.name(), "join table built");
        self.info.metrics.time_since(start);
        Ok(BuiltJoin {
            run: Arc::clone(run),
            spec: Arc::clone(spec),
            build,
            keys,
            index,
            null_aware,
            matched,
            memory,
        })
    }

    /// What the operator above and the build side's keys say about left rows.
    fn left_hints(&self, hints: &Hints, built: &mut BuiltJoin) -> Result<Hints> {
        let mut left = match self.spec.kind {
            // A left row left out would turn its matches into unmatched right rows.
            JoinKind::Right | JoinKind::Full => Hints::default(),
            _ => hints.translated(|p| self.spec.left_output.get(p).copied()),
        };
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
                built.memory.grow(key_bytes(bounds.as_ref()))?;
                left.bounds.extend(bounds);
            }
        }
        Ok(left)
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

/// Bytes of the keys that a hint holds.
fn key_bytes(bounds: Option<&ColumnBounds>) -> u64 {
    let keys = bounds.and_then(|bounds| bounds.keys.as_ref());
    keys.map_or(0, |keys| keys.size_bytes() as u64)
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
    memory: MemoryReservation,
}
