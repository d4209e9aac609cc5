//! `range` and `generate_series`: integers in steps, made as they are read.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_plan::{BatchIterator, ExternalSource};
use llkv_result::Result;
use std::sync::Arc;

/// Integers from a start in steps.
#[derive(Debug, Clone)]
pub(super) struct Series {
    name: String,
    start: i64,
    step: i64,
    count: u64,
}

impl Series {
    /// `None` for a step of zero.
    pub(super) fn new(
        name: &str,
        start: i64,
        stop: i64,
        step: i64,
        inclusive: bool,
    ) -> Option<Self> {
        if step == 0 {
            return None;
        }
        let (start_wide, step_wide) = (i128::from(start), i128::from(step));
        let distance = (i128::from(stop) - start_wide) * step_wide.signum();
        let width = step_wide.abs();
        let count = match inclusive {
            true if distance >= 0 => distance / width + 1,
            false if distance > 0 => (distance + width - 1) / width,
            _ => 0,
        };
        Some(Self {
            name: name.to_owned(),
            start,
            step,
            count: u64::try_from(count).unwrap_or(u64::MAX),
        })
    }

    fn value(&self, index: u64) -> i64 {
        let value = i128::from(self.start) + i128::from(self.step) * i128::from(index);
        // Within the bounds, by the count.
        value as i64
    }
}

impl ExternalSource for Series {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> SchemaRef {
        let field = Field::new(self.name.as_str(), DataType::Int64, false);
        Arc::new(Schema::new(vec![field]))
    }

    fn estimated_rows(&self) -> Option<u64> {
        Some(self.count)
    }

    fn read(
        &self,
        _partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        let series = self.clone();
        let columns = projection.len();
        let schema = Arc::new(self.schema().project(projection)?);
        let batch_rows = batch_rows.max(1) as u64;
        let mut at = 0u64;
        Ok(Box::new(std::iter::from_fn(move || {
            if at >= series.count {
                return None;
            }
            let end = series.count.min(at.saturating_add(batch_rows));
            let values = Int64Array::from_iter_values((at..end).map(|i| series.value(i)));
            let rows = (end - at) as usize;
            at = end;
            let array: ArrayRef = Arc::new(values);
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(
                Arc::clone(&schema),
                vec![array; columns],
                &options,
            );
            Some(batch.map_err(Into::into))
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    fn values(start: i64, stop: i64, step: i64, inclusive: bool) -> Vec<i64> {
        let series = Series::new("range", start, stop, step, inclusive).unwrap();
        let batches = series.read(0, &[0], 3).unwrap();
        batches
            .flat_map(|batch| {
                let batch = batch.unwrap();
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect()
    }

    #[test]
    fn bounds_and_steps() {
        assert_eq!(values(0, 5, 2, false), [0, 2, 4]);
        assert_eq!(values(0, 4, 2, true), [0, 2, 4]);
        assert_eq!(values(5, 0, -2, false), [5, 3, 1]);
        assert_eq!(values(3, 3, 1, false), Vec::<i64>::new());
        assert_eq!(values(3, 3, 1, true), [3]);
        assert_eq!(
            values(i64::MAX - 1, i64::MAX, 1, true),
            [i64::MAX - 1, i64::MAX]
        );
        assert!(Series::new("range", 0, 1, 0, true).is_none());
    }
}
