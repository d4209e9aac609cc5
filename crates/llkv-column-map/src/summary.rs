//! What is known of one column of plain rows: taken once a run of the tail, put together when runs merge.

use crate::encoding::input::{Input, InputValues};
use crate::sketch::DistinctSketch;
use crate::stats::Stats;
use arrow::array::ArrayRef;
use llkv_result::Result;
use llkv_types::SqlType;
use xxhash_rust::xxh3::xxh3_64;

/// Statistics of one column of some plain rows.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) rows: usize,
    pub(crate) stats: Stats,
    pub(crate) distinct: DistinctSketch,
}

impl Summary {
    /// Looks at every value of an array in the type's Arrow form.
    ///
    /// # Errors
    /// When it is of another form.
    pub(crate) fn of(ty: SqlType, array: &ArrayRef) -> Result<Self> {
        let input = Input::new(ty, array)?;
        Ok(Self {
            rows: input.rows,
            stats: input.stats(),
            distinct: sketch(&input),
        })
    }

    /// That of a column that the rows do not have: they hold NULL.
    pub(crate) fn of_nulls(rows: usize) -> Self {
        Self {
            rows,
            stats: Stats {
                null_count: rows as u32,
                ..Stats::default()
            },
            distinct: DistinctSketch::default(),
        }
    }

    /// Adds the summary of other rows of the column.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.stats = self.stats.merge(self.rows, &other.stats, other.rows);
        self.rows += other.rows;
        self.distinct.merge(&other.distinct);
    }
}

/// Values of all kinds but strings are hashed as 128-bit integers, in whichever form the input has them.
fn sketch(input: &Input) -> DistinctSketch {
    let mut sketch = DistinctSketch::default();
    let valid = (0..input.rows).filter(|row| !input.is_null(*row));
    match &input.values {
        InputValues::Bits(bits) => {
            valid.for_each(|row| sketch.insert(hash_int(i128::from(bits.value(row)))));
        }
        InputValues::Ints(ints) => {
            for offset in valid.filter_map(|row| ints.offsets.get(row)) {
                sketch.insert(hash_int(ints.base + i128::from(*offset)));
            }
        }
        InputValues::Fixed(raw) => {
            let (values, _) = raw.as_slice().as_chunks::<16>();
            for value in valid.filter_map(|row| values.get(row)) {
                sketch.insert(hash_int(i128::from_le_bytes(*value)));
            }
        }
        InputValues::Bytes(strings) => {
            valid.for_each(|row| sketch.insert(xxh3_64(strings.get(row))));
        }
    }
    sketch
}

#[inline]
fn hash_int(value: i128) -> u64 {
    xxh3_64(&value.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Bounds;
    use arrow::array::{Decimal128Array, Int32Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn summaries_of_parts_make_that_of_the_whole() {
        let values: Vec<Option<i32>> = (0..1_000)
            .map(|n| (n % 7 != 0).then_some(n % 300 - 90))
            .collect();
        let whole: ArrayRef = Arc::new(Int32Array::from(values));
        let all = Summary::of(SqlType::Int32, &whole).unwrap();
        let mut merged = Summary::of(SqlType::Int32, &whole.slice(0, 1)).unwrap();
        for (start, rows) in [(1, 9), (10, 490), (500, 0), (500, 500)] {
            merged.merge(&Summary::of(SqlType::Int32, &whole.slice(start, rows)).unwrap());
        }
        assert_eq!(merged.stats, all.stats);
        assert_eq!(merged.rows, 1_000);
        assert_eq!(merged.distinct.estimate(), all.distinct.estimate());
    }

    #[test]
    fn nulls_alone_have_no_bounds_and_take_none_from_others() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("b"), None, Some("a")]));
        let mut summary = Summary::of_nulls(4);
        summary.merge(&Summary::of(SqlType::Text, &texts).unwrap());
        assert_eq!(summary.stats.bounds, Bounds::of_bytes(b"a", b"b"));
        assert_eq!(summary.stats.null_count, 5);
        assert_eq!(summary.distinct.estimate(), 2);
    }

    #[test]
    fn one_decimal_counts_once_whatever_its_neighbours_are() {
        let ty = SqlType::Decimal {
            precision: 38,
            scale: 0,
        };
        let array = |values: Vec<i128>| -> ArrayRef {
            let array = Decimal128Array::from(values);
            Arc::new(array.with_precision_and_scale(38, 0).unwrap())
        };
        let mut narrow = Summary::of(ty, &array(vec![5, 6])).unwrap();
        narrow.merge(&Summary::of(ty, &array(vec![5, -(1 << 100), 1 << 100])).unwrap());
        assert_eq!(narrow.distinct.estimate(), 4);
    }
}
