//! Queries over a few rows, run as they were bound: row by row on the caller's thread, without optimizer, operators,
//! pipelines and arrays, each of which would take longer than the rows.
//!
//! [`run_directly`] looks at a plan once: it takes those whose nodes it knows and whose work, with every pair of rows
//! of a join and every run of a subquery counted, stays below [`MOST_STEPS`] and what its size adds; all others go the
//! usual way. The rows flow from node to node by calls: a row is the values of all columns of the statement, each at the
//! place of its number, so that joins and subqueries find the columns of the rows around them where they are.
//! Expressions are evaluated by [`llkv_compute::evaluate_row`].

mod aggregate;
mod check;
mod collected;
mod key_set;
mod small_table;
mod sorted;
mod subquery;
mod walk;

pub use small_table::SmallTable;

use crate::CancelToken;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use check::Checked;
use collected::column;
use llkv_plan::LogicalPlan;
use llkv_result::Result;
use llkv_types::{Scalar, TableId};
use smallvec::SmallVec;
use std::sync::Arc;
use walk::Walk;

/// Work above which a plan goes the usual way: nodes of expressions evaluated, over all rows. A step takes about ten
/// nanoseconds, and the usual way some fifty microseconds before the first row.
const MOST_STEPS: u64 = 6_000;

/// Steps more for each node of an expression: what the optimizer does with it takes as long.
const MOST_STEPS_OF_NODE: u64 = 64;

/// Steps more for each subquery: unnesting it and joining take that long.
const MOST_STEPS_OF_SUBQUERY: u64 = 12_000;

/// The rows of a query that was run at once.
#[derive(Debug)]
pub struct DirectRows {
    /// Columns of the rows.
    pub schema: SchemaRef,
    /// All rows; `None` where there are none.
    pub rows: Option<RecordBatch>,
}

/// Runs a plan as it was bound, where its tables have few rows and its nodes are simple; `None` where it is to be
/// optimized and executed. `tables` gives the rows of a table that has few.
///
/// # Errors
/// What evaluation gives, and what `tables` gives.
pub fn run_directly(
    plan: &LogicalPlan,
    tables: &mut dyn FnMut(TableId) -> Result<Option<Arc<SmallTable>>>,
    cancel: &CancelToken,
) -> Result<Option<DirectRows>> {
    let Some(checked) = Checked::of(plan, tables)? else {
        return Ok(None);
    };
    cancel.check()?;
    let mut fields = Vec::new();
    let mut outputs: SmallVec<[usize; 8]> = SmallVec::new();
    let mut types = SmallVec::<[_; 8]>::new();
    plan.for_each_column(&mut |column| {
        // NULL is allowed everywhere, as in all results.
        fields.push(Field::new(&*column.name, column.ty.to_arrow(), true));
        outputs.push(column.id.0 as usize);
        types.push(column.ty);
    });
    // Many results are one row.
    let mut values: SmallVec<[SmallVec<[Scalar; 1]>; 8]> =
        outputs.iter().map(|_| SmallVec::new()).collect();
    let mut count = 0;
    let mut walk = Walk::new(&checked);
    walk.run(plan, &mut |walk| {
        count += 1;
        for (values, from) in values.iter_mut().zip(&outputs) {
            values.push(walk.value(*from)?.clone());
        }
        Ok(crate::pipeline::Flow::Continue)
    })?;
    let schema = Arc::new(Schema::new(fields));
    if count == 0 {
        return Ok(Some(DirectRows { schema, rows: None }));
    }
    let columns = values.iter().zip(types);
    let columns = columns.map(|(values, ty)| column(values, ty));
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let rows = RecordBatch::try_new_with_options(
        Arc::clone(&schema),
        columns.collect::<Result<_>>()?,
        &options,
    )?;
    Ok(Some(DirectRows {
        schema,
        rows: Some(rows),
    }))
}
