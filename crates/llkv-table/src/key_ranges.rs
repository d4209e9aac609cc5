//! From column tests to ranges of keys: which part of an index a scan has to look at.

use crate::ColumnTest;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{filter, is_not_null, take};
use llkv_column_map::{IndexAccess, IntegerKey, KeyEncoder, KeyRange, after_prefix};
use llkv_result::Result;
use llkv_types::{IndexId, Scalar, SqlType};
use std::ops::Bound;
use std::sync::Arc;

/// Keys looked for one by one at the most; with more, the columns that make them so many are left out.
const MAX_KEYS: usize = 1 << 14;
/// The first byte of a column that is not NULL is at least this.
const FIRST_OF_VALUES: u8 = 1;

/// A column of an index, and what the parts of keys that come from it pass.
pub(crate) struct IndexColumnTests<'p> {
    pub(crate) ty: SqlType,
    pub(crate) tests: Vec<&'p ColumnTest>,
}

/// The keys of an index that rows which pass the tests of its columns have. `None` when there is none of its first
/// column.
pub(crate) fn index_access(
    index: IndexId,
    columns: &[IndexColumnTests<'_>],
) -> Result<Option<IndexAccess>> {
    let mut fixed: Vec<ArrayRef> = Vec::new();
    let mut prefixes = 1usize;
    for IndexColumnTests { ty, tests } in columns {
        let values = tests
            .iter()
            .find_map(|test| values_of(test, *ty).transpose());
        let Some(values) = values.transpose()? else {
            break;
        };
        if prefixes * values.len() > MAX_KEYS {
            break;
        }
        fixed = product(fixed, prefixes, &values)?;
        prefixes *= values.len();
    }
    let rest = columns.get(fixed.len());
    let range = rest.and_then(|column| {
        let bounds: Vec<_> = column
            .tests
            .iter()
            .filter_map(|test| range_of(test))
            .collect();
        (!bounds.is_empty()).then_some((bounds, column.ty))
    });
    if fixed.is_empty() && range.is_none() {
        return Ok(None);
    }
    let whole_keys = fixed.len() == columns.len();
    let prefixes = if fixed.is_empty() {
        vec![Box::default()]
    } else {
        let types = columns.iter().map(|column| column.ty).take(fixed.len());
        let keys = KeyEncoder::new(types)?.encode(&fixed)?;
        keys.iter().map(|key| key.data().into()).collect()
    };
    let ranges = match range {
        None => prefixes.iter().map(|p| KeyRange::with_prefix(p)).collect(),
        Some((bounds, ty)) => within(&prefixes, &bounds, ty)?,
    };
    Ok(Some(IndexAccess {
        index,
        ranges: disjoint(ranges),
        whole_keys,
    }))
}

/// The keys of rows, one by one: `keys` need not be sorted.
pub(crate) fn whole_keys<'a>(index: IndexId, keys: impl Iterator<Item = &'a [u8]>) -> IndexAccess {
    IndexAccess {
        index,
        ranges: disjoint(keys.map(KeyRange::with_prefix).collect()),
        whole_keys: true,
    }
}

/// The values that a test lets through, where they are few; one NULL for IS NULL.
fn values_of(test: &ColumnTest, ty: SqlType) -> Result<Option<ArrayRef>> {
    if ty == SqlType::Interval {
        return Ok(None);
    }
    Ok(match test {
        ColumnTest::Range {
            low: Bound::Included(low),
            high: Bound::Included(high),
        } if low == high => Some(low.to_array(1)?),
        ColumnTest::In(values) if values.null_count() == 0 => Some(Arc::clone(values)),
        ColumnTest::In(values) => Some(filter(values, &is_not_null(values)?)?),
        ColumnTest::IsNull => Some(Scalar::Null(ty).to_array(1)?),
        _ => None,
    })
}

fn range_of(test: &ColumnTest) -> Option<(&Bound<Scalar>, &Bound<Scalar>)> {
    match test {
        ColumnTest::Range { low, high } => Some((low, high)),
        ColumnTest::IsNotNull => Some((&Bound::Unbounded, &Bound::Unbounded)),
        _ => None,
    }
}

/// Each of `rows` rows of some columns with each of the values of one more.
fn product(columns: Vec<ArrayRef>, rows: usize, values: &ArrayRef) -> Result<Vec<ArrayRef>> {
    let each = values.len() as u32;
    let of_row =
        UInt32Array::from_iter_values((0..rows as u32).flat_map(|row| (0..each).map(move |_| row)));
    let of_value = UInt32Array::from_iter_values((0..rows).flat_map(|_| 0..each));
    let mut out = Vec::with_capacity(columns.len() + 1);
    for column in &columns {
        out.push(take(column, &of_row, None)?);
    }
    out.push(take(values, &of_value, None)?);
    Ok(out)
}

/// The keys that start with a prefix and go on with a value within all of some bounds.
fn within(
    prefixes: &[Box<[u8]>],
    bounds: &[(&Bound<Scalar>, &Bound<Scalar>)],
    ty: SqlType,
) -> Result<Vec<KeyRange>> {
    let mut least: Option<Box<[u8]>> = Some([FIRST_OF_VALUES].into());
    // Without a bound above, what follows the prefix is the bound.
    let mut above: Option<Box<[u8]>> = None;
    for (low, high) in bounds {
        least = match (least, low) {
            (least, Bound::Unbounded) => least,
            (Some(least), Bound::Included(value)) => Some(least.max(encode(value, ty)?)),
            (Some(least), Bound::Excluded(value)) => {
                after_prefix(&encode(value, ty)?).map(|low| low.max(least))
            }
            (None, _) => None,
        };
        let high = match high {
            Bound::Unbounded => None,
            Bound::Included(value) => after_prefix(&encode(value, ty)?),
            Bound::Excluded(value) => Some(encode(value, ty)?),
        };
        above = match (above, high) {
            (Some(above), Some(high)) => Some(above.min(high)),
            (above, high) => above.or(high),
        };
    }
    let Some(low) = least else {
        return Ok(Vec::new());
    };
    let with = |prefix: &[u8], rest: &[u8]| -> Box<[u8]> { [prefix, rest].concat().into() };
    let ranges = prefixes.iter().map(|prefix| KeyRange {
        low: with(prefix, &low),
        high: match &above {
            Some(high) => Some(with(prefix, high)),
            None => after_prefix(prefix),
        },
    });
    Ok(ranges.collect())
}

/// The bytes of one value of a key.
fn encode(value: &Scalar, ty: SqlType) -> Result<Box<[u8]>> {
    if let Some(integer) = value.as_integer()
        && let Some(key) = IntegerKey::new(ty, integer)
    {
        return Ok(key.as_bytes().into());
    }
    let keys = KeyEncoder::new([ty])?.encode(&[value.to_array(1)?])?;
    let key = keys.iter().next();
    Ok(key.map(|key| key.data().into()).unwrap_or_default())
}

/// Ascending, without empty and doubled ones.
fn disjoint(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by(|a, b| a.low.cmp(&b.low));
    let mut out: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Some(last) = out.last_mut() else {
            out.push(range);
            continue;
        };
        let Some(end) = &last.high else {
            continue;
        };
        if *end <= range.low {
            out.push(range);
        } else if range.high.as_ref().is_none_or(|high| high > end) {
            last.high = range.high;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnPredicate;
    use arrow::array::{Int32Array, StringViewArray};
    use llkv_types::FieldId;

    const COLUMNS: [(FieldId, SqlType); 2] =
        [(FieldId(4), SqlType::Int32), (FieldId(9), SqlType::Text)];

    fn equals(field: u32, value: Scalar) -> ColumnPredicate {
        ColumnPredicate {
            field: FieldId(field),
            test: ColumnTest::Range {
                low: Bound::Included(value.clone()),
                high: Bound::Included(value),
            },
        }
    }

    fn key(number: Option<i32>, text: Option<&str>) -> Vec<u8> {
        let encoder = KeyEncoder::new(COLUMNS.map(|(_, ty)| ty)).unwrap();
        let number: ArrayRef = Arc::new(Int32Array::from(vec![number]));
        let text: ArrayRef = Arc::new(StringViewArray::from(vec![text]));
        let keys = encoder.encode(&[number, text]).unwrap();
        keys.row(0).data().to_vec()
    }

    fn access(predicates: &[ColumnPredicate]) -> Option<IndexAccess> {
        let columns = COLUMNS.map(|(field, ty)| IndexColumnTests {
            ty,
            tests: predicates
                .iter()
                .filter(|p| p.field == field)
                .map(|p| &p.test)
                .collect(),
        });
        index_access(IndexId(0), &columns).unwrap()
    }

    fn holds(access: &IndexAccess, number: Option<i32>, text: Option<&str>) -> bool {
        let key = key(number, text);
        access
            .ranges
            .iter()
            .any(|r| *r.low <= *key && r.high.as_ref().is_none_or(|high| *key < **high))
    }

    #[test]
    fn values_are_points_and_prefixes() {
        assert!(access(&[equals(9, Scalar::Text("a".into()))]).is_none());
        let one = access(&[equals(4, Scalar::Int32(7))]).unwrap();
        assert!(!one.whole_keys && holds(&one, Some(7), None) && holds(&one, Some(7), Some("zz")));
        assert!(!holds(&one, Some(8), None) && !holds(&one, None, Some("a")));
        let both = access(&[
            equals(9, Scalar::Text("a".into())),
            equals(4, Scalar::Int32(7)),
        ])
        .unwrap();
        assert!(both.whole_keys && holds(&both, Some(7), Some("a")));
        assert!(!holds(&both, Some(7), Some("aa")) && !holds(&both, Some(7), None));
    }

    #[test]
    fn lists_multiply_and_ranges_close() {
        let list = ColumnPredicate {
            field: FieldId(4),
            test: ColumnTest::In(Arc::new(Int32Array::from(vec![
                Some(5),
                None,
                Some(3),
                Some(5),
            ]))),
        };
        let above = ColumnPredicate {
            field: FieldId(9),
            test: ColumnTest::Range {
                low: Bound::Excluded(Scalar::Text("b".into())),
                high: Bound::Unbounded,
            },
        };
        let access = access(&[list, above]).unwrap();
        assert_eq!(access.ranges.len(), 2);
        assert!(holds(&access, Some(3), Some("ba")) && holds(&access, Some(5), Some("c")));
        assert!(!holds(&access, Some(3), Some("b")) && !holds(&access, Some(3), None));
        assert!(!holds(&access, Some(4), Some("c")));
    }

    #[test]
    fn all_bounds_of_a_column_count() {
        let test = |low, high| ColumnPredicate {
            field: FieldId(4),
            test: ColumnTest::Range { low, high },
        };
        let number = |n| Bound::Included(Scalar::Int32(n));
        let slice = access(&[
            test(number(-3), Bound::Unbounded),
            test(Bound::Unbounded, Bound::Excluded(Scalar::Int32(9))),
            test(Bound::Excluded(Scalar::Int32(-7)), number(20)),
        ])
        .unwrap();
        assert_eq!(slice.ranges.len(), 1);
        assert!(holds(&slice, Some(-3), None) && holds(&slice, Some(8), Some("z")));
        assert!(!holds(&slice, Some(-4), Some("z")) && !holds(&slice, Some(9), None));
        let none = access(&[
            test(number(5), Bound::Unbounded),
            test(Bound::Unbounded, number(4)),
        ]);
        assert!(none.unwrap().ranges.is_empty());
    }

    #[test]
    fn nulls_are_looked_for_alone() {
        let test = |test| ColumnPredicate {
            field: FieldId(4),
            test,
        };
        let null = access(&[test(ColumnTest::IsNull)]).unwrap();
        assert!(holds(&null, None, Some("x")) && !holds(&null, Some(i32::MIN), Some("x")));
        let below = access(&[test(ColumnTest::Range {
            low: Bound::Unbounded,
            high: Bound::Excluded(Scalar::Int32(0)),
        })])
        .unwrap();
        assert!(!holds(&below, None, Some("x")) && holds(&below, Some(i32::MIN), None));
        assert!(!holds(&below, Some(0), None));
    }
}
