//! Functions that look at the places of rows alone.

use super::runs::RowRuns;
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::Int64Type;
use llkv_expr::WindowFunction;
use llkv_result::{Error, EvalError, Result};
use std::sync::Arc;

/// `row_number`, `rank`, `dense_rank`, `percent_rank`, `cume_dist`, `ntile`: the last takes its number of
/// buckets, BIGINT, from the first row of each partition.
///
/// # Errors
/// [`EvalError::WindowArgument`] for less than one bucket; an internal error for another function.
pub fn rank_rows(
    function: WindowFunction,
    args: &[ArrayRef],
    partitions: &RowRuns,
    peers: &RowRuns,
) -> Result<ArrayRef> {
    use WindowFunction as W;
    let rows = 0..partitions.rows();
    let before = |row: usize| i64::from(peers.start(row) - partitions.start(row));
    let size = |row: usize| partitions.end(row) - partitions.start(row);
    Ok(match function {
        W::RowNumber => integers(rows.map(|row| row as i64 - i64::from(partitions.start(row)) + 1)),
        W::Rank => integers(rows.map(|row| before(row) + 1)),
        W::DenseRank => integers(rows.map(|row| {
            let first = peers.run(partitions.start(row) as usize);
            (peers.run(row) - first) as i64 + 1
        })),
        W::PercentRank => floats(rows.map(|row| match size(row) {
            1 => 0.0,
            size => before(row) as f64 / f64::from(size - 1),
        })),
        W::CumeDist => floats(rows.map(|row| {
            let upto = peers.end(row) - partitions.start(row);
            f64::from(upto) / f64::from(size(row))
        })),
        W::Ntile => ntile(args, partitions)?,
        other => {
            return Err(Error::internal(format!("{} ranks nothing", other.name())));
        }
    })
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// The first `rows % n` buckets have one row more than the others.
fn ntile(args: &[ArrayRef], partitions: &RowRuns) -> Result<ArrayRef> {
    let buckets = args
        .first()
        .ok_or_else(|| Error::internal("ntile misses its argument"))?;
    let buckets = primitive::<Int64Type>(buckets)?;
    let mut values: Vec<Option<i64>> = Vec::with_capacity(partitions.rows());
    for (start, end) in partitions.bounds() {
        let rows = i64::from(end - start);
        if rows == 0 {
            continue;
        }
        if buckets.is_null(start as usize) {
            values.extend((start..end).map(|_| None));
            continue;
        }
        let n = buckets.value(start as usize);
        if n < 1 {
            return Err(EvalError::WindowArgument { function: "ntile" }.into());
        }
        let (small, larger) = (rows / n, rows % n);
        let in_larger = larger * (small + 1);
        values.extend((0..rows).map(|at| {
            Some(if at < in_larger {
                at / (small + 1) + 1
            } else {
                // Rows beyond the larger buckets mean that the small ones are not empty.
                larger + (at - in_larger) / small.max(1) + 1
            })
        }));
    }
    Ok(Arc::new(Int64Array::from(values)))
}
