//! `generate_series(from, to, interval)`: moments in steps, made as they are read.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray};
use arrow::datatypes::{Field, IntervalMonthDayNano, Schema, SchemaRef};
use llkv_plan::{BatchIterator, ExternalSource};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY};
use std::sync::Arc;

/// Moments from a start in steps. Each step is taken from the moment before, as in PostgreSQL: a month after
/// the 31st is the last day of the next month, and stays on that day.
#[derive(Debug, Clone)]
pub(super) struct MomentSeries {
    name: String,
    start: i64,
    stop: i64,
    step: IntervalMonthDayNano,
    inclusive: bool,
    ty: SqlType,
}

impl MomentSeries {
    /// `None` for a step that does not lead away from where it starts, or that has parts of both signs.
    pub(super) fn new(
        name: &str,
        (start, stop): (i64, i64),
        step: IntervalMonthDayNano,
        inclusive: bool,
        ty: SqlType,
    ) -> Option<Self> {
        let clock = step.nanoseconds / 1_000;
        let parts = [i64::from(step.months), i64::from(step.days), clock];
        let forward = parts.iter().any(|part| *part > 0);
        let backward = parts.iter().any(|part| *part < 0);
        (forward != backward).then(|| Self {
            name: name.to_owned(),
            start,
            stop,
            step,
            inclusive,
            ty,
        })
    }

    /// The moment after another; `None` where there is none.
    fn after(&self, moment: i64) -> Option<i64> {
        let days = i32::try_from(moment.div_euclid(MICROS_PER_DAY)).ok()?;
        let clock = moment.rem_euclid(MICROS_PER_DAY);
        let days = match self.step.months {
            0 => days,
            months => CivilDate::from_days(days).add_months(i64::from(months))?,
        };
        i64::from(days)
            .checked_add(i64::from(self.step.days))?
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(clock)?
            .checked_add(self.step.nanoseconds / 1_000)
    }

    /// True before the end is reached.
    fn holds(&self, moment: i64) -> bool {
        let clock = self.step.nanoseconds / 1_000;
        let backward = self.step.months < 0 || self.step.days < 0 || clock < 0;
        match (backward, self.inclusive) {
            (false, true) => moment <= self.stop,
            (false, false) => moment < self.stop,
            (true, true) => moment >= self.stop,
            (true, false) => moment > self.stop,
        }
    }
}

impl ExternalSource for MomentSeries {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> SchemaRef {
        let field = Field::new(self.name.as_str(), self.ty.to_arrow(), false);
        Arc::new(Schema::new(vec![field]))
    }

    fn estimated_rows(&self) -> Option<u64> {
        let days = i64::from(self.step.months) * 30 + i64::from(self.step.days);
        let step = i128::from(days) * i128::from(MICROS_PER_DAY)
            + i128::from(self.step.nanoseconds / 1_000);
        let distance = i128::from(self.stop) - i128::from(self.start);
        u64::try_from(distance.checked_div(step)?.max(0)).ok()
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
        let mut next = Some(series.start).filter(|start| series.holds(*start));
        Ok(Box::new(std::iter::from_fn(move || {
            let mut moments = Vec::new();
            while let Some(moment) = next
                && moments.len() < batch_rows.max(1)
            {
                moments.push(moment);
                next = series.after(moment).filter(|moment| series.holds(*moment));
            }
            if moments.is_empty() {
                return None;
            }
            let options = RecordBatchOptions::new().with_row_count(Some(moments.len()));
            let values = TimestampMicrosecondArray::from(moments);
            let array: ArrayRef = Arc::new(values.with_data_type(series.ty.to_arrow()));
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

    fn count(start: i64, stop: i64, step: IntervalMonthDayNano) -> Option<usize> {
        let series = MomentSeries::new("s", (start, stop), step, true, SqlType::Timestamp)?;
        let batches = series.read(0, &[0], 3).unwrap();
        Some(batches.map(|batch| batch.unwrap().num_rows()).sum())
    }

    #[test]
    fn steps_end_at_the_end_and_at_the_end_of_time() {
        let step = IntervalMonthDayNano::new;
        assert_eq!(count(0, 3 * MICROS_PER_DAY, step(0, 1, 0)), Some(4));
        assert_eq!(count(3 * MICROS_PER_DAY, 0, step(0, -1, 0)), Some(4));
        assert_eq!(count(0, -1, step(0, 1, 0)), Some(0));
        assert_eq!(count(0, i64::MAX, step(i32::MAX, 0, 0)), Some(1));
        assert_eq!(count(0, 1, step(0, 0, 0)), None);
        assert_eq!(count(0, 1, step(1, -1, 0)), None);
        assert_eq!(count(0, 1, step(0, 0, 999)), None);
    }
}
