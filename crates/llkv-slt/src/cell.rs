//! One value of an Arrow array, typed: what the formats of the files are applied to.

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use llkv_types::variant::Variant;
use std::borrow::Cow;

/// A value, borrowed from its array where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// NULL
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// An integer of any width.
    Integer(i128),
    /// REAL
    Real(f32),
    /// DOUBLE
    Double(f64),
    /// DECIMAL: value times ten to the scale.
    Decimal {
        /// The unscaled value.
        value: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01.
    Timestamp {
        /// The microseconds.
        micros: i64,
        /// WITH TIME ZONE: they count in UTC.
        zoned: bool,
    },
    /// INTERVAL
    Interval {
        /// Months.
        months: i32,
        /// Days.
        days: i32,
        /// Nanoseconds.
        nanos: i64,
    },
}

impl<'a> Cell<'a> {
    /// The value at `row`, which must be one of the array's.
    #[must_use]
    pub fn at(array: &'a dyn Array, row: usize) -> Self {
        if row >= array.len() || array.is_null(row) {
            return Self::Null;
        }
        match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(BooleanArray::value(array.as_boolean(), row)),
            DataType::Utf8 => text(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => text(array.as_string::<i64>().value(row)),
            DataType::Utf8View => text(array.as_string_view().value(row)),
            DataType::Binary => Self::Blob(array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Self::Blob(array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Self::Blob(array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => Self::Blob(array.as_fixed_size_binary().value(row)),
            DataType::Union(..) => union_value(array, row),
            DataType::Struct(..) => variant(array, row),
            data_type if data_type.is_numeric() => number(array, row),
            _ => temporal(array, row),
        }
    }
}

fn text(value: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(value))
}

/// A value that carries its own type.
fn variant(array: &dyn Array, row: usize) -> Cell<'_> {
    let bytes = array
        .as_struct_opt()
        .and_then(|values| values.columns().first())
        .and_then(|values| values.as_binary_view_opt())
        .map(|values| values.value(row));
    match bytes.and_then(Variant::decode) {
        Some(Variant::Integer(value)) => Cell::Integer(value.into()),
        Some(Variant::Real(value)) => Cell::Double(value),
        Some(Variant::Text(value)) => text(value),
        Some(Variant::Blob(value)) => Cell::Blob(value),
        None => displayed(array, row),
    }
}

fn number(array: &dyn Array, row: usize) -> Cell<'_> {
    macro_rules! value {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    let scaled = |value: i128, scale: i8| match u8::try_from(scale) {
        Ok(scale) => Cell::Decimal { value, scale },
        Err(_) => displayed(array, row),
    };
    match array.data_type() {
        DataType::Int8 => Cell::Integer(value!(Int8Type).into()),
        DataType::Int16 => Cell::Integer(value!(Int16Type).into()),
        DataType::Int32 => Cell::Integer(value!(Int32Type).into()),
        DataType::Int64 => Cell::Integer(value!(Int64Type).into()),
        DataType::UInt8 => Cell::Integer(value!(UInt8Type).into()),
        DataType::UInt16 => Cell::Integer(value!(UInt16Type).into()),
        DataType::UInt32 => Cell::Integer(value!(UInt32Type).into()),
        DataType::UInt64 => Cell::Integer(value!(UInt64Type).into()),
        DataType::Float32 => Cell::Real(value!(Float32Type)),
        DataType::Float64 => Cell::Double(value!(Float64Type)),
        DataType::Decimal32(_, scale) => scaled(value!(Decimal32Type).into(), *scale),
        DataType::Decimal64(_, scale) => scaled(value!(Decimal64Type).into(), *scale),
        DataType::Decimal128(_, scale) => scaled(value!(Decimal128Type), *scale),
        _ => displayed(array, row),
    }
}

fn temporal(array: &dyn Array, row: usize) -> Cell<'_> {
    macro_rules! value {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    const MILLIS_A_DAY: i64 = 86_400_000;
    match array.data_type() {
        DataType::Date32 => Cell::Date(value!(Date32Type)),
        DataType::Date64 => i32::try_from(value!(Date64Type).div_euclid(MILLIS_A_DAY))
            .map_or_else(|_| displayed(array, row), Cell::Date),
        DataType::Time64(TimeUnit::Microsecond) => Cell::Time(value!(Time64MicrosecondType)),
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Second => value!(TimestampSecondType).checked_mul(1_000_000),
                TimeUnit::Millisecond => value!(TimestampMillisecondType).checked_mul(1_000),
                TimeUnit::Microsecond => Some(value!(TimestampMicrosecondType)),
                // What lies below a microsecond has no place in this cell: shown by Arrow.
                TimeUnit::Nanosecond => Some(value!(TimestampNanosecondType))
                    .filter(|nanos| nanos % 1_000 == 0)
                    .map(|nanos| nanos / 1_000),
            };
            let zoned = zone.is_some();
            micros.map_or_else(
                || displayed(array, row),
                |micros| Cell::Timestamp { micros, zoned },
            )
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = value!(IntervalMonthDayNanoType);
            interval(value.months, value.days, value.nanoseconds)
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            interval(value!(IntervalYearMonthType), 0, 0)
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = value!(IntervalDayTimeType);
            interval(0, value.days, i64::from(value.milliseconds) * 1_000_000)
        }
        _ => displayed(array, row),
    }
}

fn interval(months: i32, days: i32, nanos: i64) -> Cell<'static> {
    Cell::Interval {
        months,
        days,
        nanos,
    }
}

/// A value of a dynamically typed column: engines such as SQLite give each row its own type.
fn union_value(array: &dyn Array, row: usize) -> Cell<'_> {
    let union = array.as_union();
    let child = union.child(union.type_id(row));
    Cell::at(child.as_ref(), union.value_offset(row))
}

/// Types without a cell of their own, as Arrow shows them.
fn displayed(array: &dyn Array, row: usize) -> Cell<'_> {
    let options = FormatOptions::new().with_null("NULL");
    let shown = ArrayFormatter::try_new(array, &options).map_or_else(
        |error| error.to_string(),
        |formatter| formatter.value(row).to_string(),
    );
    Cell::Text(Cow::Owned(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, Date64Array, Decimal64Array, Int8Array, NullArray, StringArray, StringViewArray,
        TimestampNanosecondArray, UInt64Array, UnionArray,
    };
    use arrow::datatypes::{Field, UnionFields};
    use std::sync::Arc;

    #[test]
    fn plain_types() {
        assert_eq!(Cell::at(&Int8Array::from(vec![-3]), 0), Cell::Integer(-3));
        let big = UInt64Array::from(vec![u64::MAX]);
        assert_eq!(Cell::at(&big, 0), Cell::Integer(u64::MAX.into()));
        let long = StringViewArray::from(vec!["more than twelve bytes"]);
        assert_eq!(Cell::at(&long, 0), text("more than twelve bytes"));
        assert_eq!(Cell::at(&NullArray::new(1), 0), Cell::Null);
        assert_eq!(
            Cell::at(&Int8Array::from(vec![None, Some(1)]), 0),
            Cell::Null
        );
        let decimal = Decimal64Array::from(vec![-1999]);
        let decimal = decimal.with_precision_and_scale(15, 2).unwrap();
        let expected = Cell::Decimal {
            value: -1999,
            scale: 2,
        };
        assert_eq!(Cell::at(&decimal, 0), expected);
    }

    #[test]
    fn times_before_the_epoch() {
        let date = Date64Array::from(vec![-1]);
        assert_eq!(Cell::at(&date, 0), Cell::Date(-1));
        let stamp = TimestampNanosecondArray::from(vec![-1_000]);
        let expected = Cell::Timestamp {
            micros: -1,
            zoned: false,
        };
        assert_eq!(Cell::at(&stamp, 0), expected);
    }

    #[test]
    fn a_union_gives_each_row_its_own_type() {
        let fields: UnionFields = [
            (0, Arc::new(Field::new("i", DataType::Int8, true))),
            (1, Arc::new(Field::new("t", DataType::Utf8, true))),
        ]
        .into_iter()
        .collect();
        let children: Vec<ArrayRef> = vec![
            Arc::new(Int8Array::from(vec![Some(7), None])),
            Arc::new(StringArray::from(vec!["x"])),
        ];
        let types = vec![0i8, 1, 0].into();
        let offsets = Some(vec![0i32, 0, 1].into());
        let union = UnionArray::try_new(fields, types, offsets, children).unwrap();
        let cells: Vec<Cell<'_>> = (0..3).map(|row| Cell::at(&union, row)).collect();
        assert_eq!(cells, [Cell::Integer(7), text("x"), Cell::Null]);
    }
}
