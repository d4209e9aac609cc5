//! The door: a plan goes in, a stream of record batches comes out.

use crate::compile::compile;
use crate::context::ExecutionContext;
use crate::metrics::OperatorStatistics;
use crate::operators::{Hints, Operator, annotate, statistics};
use crate::pipeline::PipelineStream;
use crate::run::{Run, guarded};
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use llkv_plan::{LogicalPlan, PlanNotes};
use llkv_result::Result;
use llkv_table::TableHandle;
use llkv_types::TableId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Runs optimized plans in a context.
#[derive(Debug, Clone)]
pub struct QueryExecutor {
    context: ExecutionContext,
}

impl QueryExecutor {
    /// An executor for plans of one transaction.
    #[must_use]
    pub fn new(context: ExecutionContext) -> Self {
        Self { context }
    }

    /// Prepares a plan and takes handles of its tables: rows written from now on are not in the result.
    /// Nothing runs before the first batch is asked for.
    ///
    /// # Errors
    /// For plans that were not optimized (dependent joins), expressions that no kernel takes, and tables
    /// that do not exist.
    pub fn execute(&self, plan: &LogicalPlan) -> Result<SelectExecution> {
        self.execute_noted(Arc::new(plan.clone()), None)
    }

    /// [`Self::execute`] of a plan that statistics may keep, with what EXPLAIN says of its nodes, which they then
    /// show beside what was counted.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn execute_noted(
        &self,
        plan: Arc<LogicalPlan>,
        notes: Option<&PlanNotes>,
    ) -> Result<SelectExecution> {
        let root = compile(&plan, None)?;
        if let Some(notes) = notes {
            annotate(root.as_ref(), &plan, notes);
        }
        let mut tables = BTreeMap::new();
        self.take_handles(&plan, &mut tables)?;
        let mut fields = Vec::with_capacity(root.info().columns.len());
        plan.for_each_column(&mut |column| {
            // NULL is allowed everywhere: a consumer must not depend on how far the optimizer saw.
            fields.push(Field::new(&*column.name, column.ty.to_arrow(), true));
        });
        Ok(SelectExecution {
            schema: Arc::new(Schema::new(fields)),
            root: Arc::from(root),
            plan,
            run: Arc::new(Run::new(self.context.clone(), tables)),
            state: State::Ready,
            coded: false,
        })
    }

    fn take_handles(
        &self,
        plan: &LogicalPlan,
        tables: &mut BTreeMap<TableId, TableHandle>,
    ) -> Result<()> {
        let mut nodes = vec![plan];
        while let Some(node) = nodes.pop() {
            if let LogicalPlan::Scan(scan) = node
                && !tables.contains_key(&scan.table)
            {
                tables.insert(scan.table, self.context.tables.table(scan.table)?);
            }
            node.for_each_input(&mut |input| nodes.push(input));
        }
        Ok(())
    }
}

enum State {
    /// Nothing has run yet.
    Ready,
    Running(PipelineStream),
    /// The end was reached, or an error.
    Done,
}

/// A running SELECT: a [`RecordBatchReader`] that computes while it is pulled. Small results are computed
/// on the caller's thread; large ones by threads that run ahead by a bounded number of batches. Dropping
/// it stops them.
///
/// The items' errors carry the original one: see [`llkv_result::Error::from_arrow`].
pub struct SelectExecution {
    schema: SchemaRef,
    root: Arc<dyn Operator>,
    plan: Arc<LogicalPlan>,
    run: Arc<Run>,
    state: State,
    /// Texts may come as codes.
    coded: bool,
}

impl SelectExecution {
    /// Texts may come as dictionary arrays (codes of 32 bits of distinct texts, ascending), column by column and batch by
    /// batch, instead of in the schema's form: for a consumer that stores them.
    #[must_use]
    pub fn with_coded_texts(mut self) -> Self {
        self.coded = true;
        self
    }

    /// The next batch, `None` at the end. Batches are not empty. After an error there are no more.
    ///
    /// # Errors
    /// Whatever goes wrong in an operator, on whatever thread; cancellation and a reached memory limit
    /// among it.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let state = &mut self.state;
        let (root, run, coded) = (&self.root, &self.run, self.coded);
        let next = guarded(|| {
            if matches!(state, State::Ready) {
                run.check()?;
                let hints = match coded {
                    true => Hints::of_coded_texts(&root.info().columns),
                    false => Hints::default(),
                };
                let pipeline = root.open(run, &hints)?;
                *state = State::Running(PipelineStream::new(run, pipeline));
            }
            match state {
                State::Running(stream) => stream.next(),
                _ => Ok(None),
            }
        });
        if !matches!(next, Ok(Some(_))) {
            self.finish();
        }
        next?
            .map(|batch| match self.coded {
                true => {
                    let schema = batch.schema_like(&self.schema);
                    batch.into_record_batch(&schema)
                }
                false => batch.into_record_batch(&self.schema),
            })
            .transpose()
    }

    /// What the operators did so far. Can be kept and read when the stream is gone.
    #[must_use]
    pub fn statistics(&self) -> ExecutionStatistics {
        ExecutionStatistics {
            root: Arc::clone(&self.root),
            plan: Arc::clone(&self.plan),
        }
    }

    fn finish(&mut self) {
        self.run.stop();
        self.state = State::Done;
    }
}

impl Iterator for SelectExecution {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().map_err(ArrowError::from).transpose()
    }
}

impl RecordBatchReader for SelectExecution {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for SelectExecution {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for SelectExecution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectExecution")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// A way to the counters of an execution that outlives it.
#[derive(Clone)]
pub struct ExecutionStatistics {
    root: Arc<dyn Operator>,
    /// What the operators were made of: it tells what they work on.
    plan: Arc<LogicalPlan>,
}

impl ExecutionStatistics {
    /// The counters as they are now, as the tree of operators. Its `Display` is what EXPLAIN ANALYZE
    /// shows.
    #[must_use]
    pub fn read(&self) -> OperatorStatistics {
        statistics(self.root.as_ref(), &self.plan)
    }
}

impl fmt::Debug for ExecutionStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.read(), f)
    }
}
