//! Minima, maxima and null counts of chunks and of windows of 8,192 rows, and what they rule out.

use crate::bytes::{ByteReader, ByteWriter, damaged};
use crate::column_test::{Test, scalar_from_key};
use bitcode::{Decode, Encode};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use std::ops::Bound;

/// Bytes that are kept of a text's minimum and maximum.
const PREFIX_BYTES: usize = 24;

/// Between which values the non-null values lie.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(crate) enum Bounds {
    /// Nothing is known, or there is no value.
    #[default]
    Unknown,
    /// Integers (or float keys), exact.
    Int {
        /// Least.
        min: i128,
        /// Greatest.
        max: i128,
    },
    /// Byte strings, possibly shortened: `min` is a prefix of the least, `max` is at or above the
    /// greatest, or absent when no short string is.
    Bytes {
        /// At or below the least.
        min: Vec<u8>,
        /// At or above the greatest.
        max: Option<Vec<u8>>,
    },
}

/// Statistics of some rows of one column.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(crate) struct Stats {
    pub(crate) bounds: Bounds,
    pub(crate) null_count: u32,
}

/// What statistics say about a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No row passes.
    Nothing,
    /// Rows have to be looked at.
    Unsure,
    /// Every row passes.
    Everything,
}

impl Bounds {
    /// Bounds of byte strings, shortened.
    pub(crate) fn of_bytes(min: &[u8], max: &[u8]) -> Self {
        Self::Bytes {
            min: min.get(..PREFIX_BYTES).unwrap_or(min).to_vec(),
            max: match max.get(..PREFIX_BYTES) {
                Some(prefix) if max.len() > PREFIX_BYTES => successor(prefix),
                _ => Some(max.to_vec()),
            },
        }
    }

    /// The bounds of both.
    pub(crate) fn merge(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Int { min, max }, Self::Int { min: m, max: x }) => Self::Int {
                min: min.min(*m),
                max: max.max(*x),
            },
            (Self::Bytes { min, max }, Self::Bytes { min: m, max: x }) => Self::Bytes {
                min: if *m < min { m.clone() } else { min },
                max: match (max, x) {
                    (Some(a), Some(b)) => Some(if *b > a { b.clone() } else { a }),
                    _ => None,
                },
            },
            _ => Self::Unknown,
        }
    }

    /// Minimum and maximum as scalars of a column's type. Those of texts may be shortened.
    pub(crate) fn to_scalars(&self, ty: SqlType) -> (Option<Scalar>, Option<Scalar>) {
        let bytes = |bytes: &[u8]| match ty {
            SqlType::Text => Scalar::Text(String::from_utf8_lossy(bytes).as_ref().into()),
            _ => Scalar::Blob(bytes.into()),
        };
        match self {
            Self::Unknown => (None, None),
            // Shortened bytes may be no value.
            _ if ty == SqlType::Variant => (None, None),
            Self::Int { min, max } => (scalar_from_key(ty, *min), scalar_from_key(ty, *max)),
            Self::Bytes { min, max } => (Some(bytes(min)), max.as_deref().map(bytes)),
        }
    }

    pub(crate) fn write(&self, out: &mut ByteWriter) {
        match self {
            Self::Unknown => out.u8(0),
            Self::Int { min, max } => {
                out.u8(1);
                out.i128(*min);
                out.i128(*max);
            }
            Self::Bytes { min, max } => {
                out.u8(if max.is_some() { 2 } else { 3 });
                out.prefixed(min);
                if let Some(max) = max {
                    out.prefixed(max);
                }
            }
        }
    }

    pub(crate) fn read(input: &mut ByteReader<'_>) -> Result<Self> {
        Ok(match input.u8()? {
            0 => Self::Unknown,
            1 => Self::Int {
                min: input.i128()?,
                max: input.i128()?,
            },
            tag @ (2 | 3) => Self::Bytes {
                min: input.prefixed()?.to_vec(),
                max: match tag {
                    2 => Some(input.prefixed()?.to_vec()),
                    _ => None,
                },
            },
            tag => return Err(damaged(format!("bounds of kind {tag}"))),
        })
    }
}

/// The least string of at most this length above every string that starts with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut out = prefix.get(..=keep)?.to_vec();
    if let Some(last) = out.last_mut() {
        *last += 1;
    }
    Some(out)
}

impl Stats {
    /// The statistics of both: of `rows` rows here and `other_rows` there.
    pub(crate) fn merge(&self, rows: usize, other: &Self, other_rows: usize) -> Self {
        let has_values = |stats: &Self, rows: usize| (stats.null_count as usize) < rows;
        Self {
            bounds: match (has_values(self, rows), has_values(other, other_rows)) {
                (true, true) => self.bounds.clone().merge(&other.bounds),
                (true, false) => self.bounds.clone(),
                (false, _) => other.bounds.clone(),
            },
            null_count: self.null_count + other.null_count,
        }
    }

    /// What the statistics of `rows` rows say about a test.
    pub(crate) fn judge(&self, test: &Test, rows: usize) -> Verdict {
        let nulls = self.null_count as usize;
        match test {
            Test::Never => return Verdict::Nothing,
            Test::Null if nulls == 0 => return Verdict::Nothing,
            Test::Null if nulls >= rows => return Verdict::Everything,
            Test::Null => return Verdict::Unsure,
            _ if nulls >= rows => return Verdict::Nothing,
            Test::NotNull if nulls == 0 => return Verdict::Everything,
            Test::NotNull => return Verdict::Unsure,
            _ => {}
        }
        match self.judge_values(test) {
            Verdict::Everything if nulls > 0 => Verdict::Unsure,
            verdict => verdict,
        }
    }

    fn judge_values(&self, test: &Test) -> Verdict {
        match (&self.bounds, test) {
            (Bounds::Int { min, max }, Test::Range { low, high }) => {
                if *high < *min || *low > *max {
                    Verdict::Nothing
                } else if low <= min && max <= high {
                    Verdict::Everything
                } else {
                    Verdict::Unsure
                }
            }
            (Bounds::Int { min, max }, Test::Not(other)) => {
                if other < min || other > max {
                    Verdict::Everything
                } else if min == max {
                    Verdict::Nothing
                } else {
                    Verdict::Unsure
                }
            }
            (Bounds::Int { min, max }, Test::Set(set)) => {
                if !set.meets(*min, *max) {
                    Verdict::Nothing
                } else if min == max {
                    Verdict::Everything
                } else {
                    Verdict::Unsure
                }
            }
            (Bounds::Int { min, max }, Test::Keys(keys)) if !keys.meets(*min, *max) => {
                Verdict::Nothing
            }
            (Bounds::Bytes { min, max }, test) => judge_bytes(min, max.as_deref(), test),
            _ => Verdict::Unsure,
        }
    }
}

fn judge_bytes(min: &[u8], max: Option<&[u8]>, test: &Test) -> Verdict {
    match test {
        Test::BytesRange { low, high } => {
            let below = match high {
                Bound::Included(high) => high.as_slice() < min,
                Bound::Excluded(high) => high.as_slice() <= min,
                Bound::Unbounded => false,
            };
            let above = match (low, max) {
                (Bound::Included(low), Some(max)) => low.as_slice() > max,
                (Bound::Excluded(low), Some(max)) => low.as_slice() >= max,
                _ => false,
            };
            // `min` and `max` enclose all values, so both passing means that all pass.
            if below || above {
                Verdict::Nothing
            } else if test.accepts_bytes(min) && max.is_some_and(|max| test.accepts_bytes(max)) {
                Verdict::Everything
            } else {
                Verdict::Unsure
            }
        }
        Test::BytesNot(other)
            if other.as_slice() < min || max.is_some_and(|max| other.as_slice() > max) =>
        {
            Verdict::Everything
        }
        Test::BytesSet(set) if !set.meets(min, max) => Verdict::Nothing,
        _ => Verdict::Unsure,
    }
}

/// What is known of a column without reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnStatistics {
    /// A value at or below the least, of the column's type. Absent when there are no values, or none
    /// that statistics were taken of.
    pub min: Option<Scalar>,
    /// A value at or above the greatest.
    pub max: Option<Scalar>,
    /// NULLs among the rows that statistics were taken of, dead versions included.
    pub null_count: u64,
    /// Roughly how many distinct values there are.
    pub distinct_estimate: u64,
    /// Rows that statistics were taken of: all that the table version holds.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_bounds_enclose_the_strings() {
        let long = [b'z'; 40];
        let Bounds::Bytes { min, max } = Bounds::of_bytes(&long, &long) else {
            panic!("bytes");
        };
        assert!(min.as_slice() <= long.as_slice());
        assert!(max.unwrap().as_slice() >= long.as_slice());
        let Bounds::Bytes { max, .. } = Bounds::of_bytes(&[255; 40], &[255; 40]) else {
            panic!("bytes");
        };
        assert_eq!(max, None);
    }

    #[test]
    fn an_exclusive_bound_at_a_shortened_minimum_rules_out_only_what_it_may() {
        let stats = Stats {
            bounds: Bounds::of_bytes(b"b", b"d"),
            null_count: 0,
        };
        let range = |low: Bound<&[u8]>, high: Bound<&[u8]>| Test::BytesRange {
            low: low.map(<[u8]>::to_vec),
            high: high.map(<[u8]>::to_vec),
        };
        let judge = |low, high| stats.judge(&range(low, high), 10);
        let (inc, exc) = (Bound::Included, Bound::Excluded);
        assert_eq!(judge(inc(b"e"), Bound::Unbounded), Verdict::Nothing);
        assert_eq!(judge(exc(b"d"), Bound::Unbounded), Verdict::Nothing);
        assert_eq!(judge(inc(b"d"), Bound::Unbounded), Verdict::Unsure);
        assert_eq!(judge(inc(b"a"), inc(b"d")), Verdict::Everything);
        assert_eq!(judge(Bound::Unbounded, exc(b"b")), Verdict::Nothing);
    }
}
