//! Casts among DATE, TIME, the timestamps and INTERVAL.

use super::Conversion;
use super::numeric::none;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{
    Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use llkv_result::Result;
use llkv_types::SqlType as T;
use llkv_types::calendar::{MICROS_PER_DAY, NANOS_PER_DAY};

/// Converts between two types of which at least one is a date, a time or an interval.
pub(super) fn temporal(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let array: &dyn Array = array.as_ref();
    match (conversion.from, conversion.to) {
        (T::Date, T::Timestamp | T::TimestampTz) => conversion
            .map::<Date32Type, TimestampMicrosecondType>(array, |days| {
                i64::from(days).overflowing_mul(MICROS_PER_DAY)
            }),
        (T::Timestamp | T::TimestampTz, T::Date) => conversion
            .map::<TimestampMicrosecondType, Date32Type>(array, |micros| {
                (micros.div_euclid(MICROS_PER_DAY) as i32, false)
            }),
        (T::Timestamp | T::TimestampTz, T::Time) => conversion
            .map::<TimestampMicrosecondType, Time64MicrosecondType>(array, |micros| {
                (micros.rem_euclid(MICROS_PER_DAY), false)
            }),
        (T::Timestamp, T::TimestampTz) | (T::TimestampTz, T::Timestamp) => {
            conversion
                .map::<TimestampMicrosecondType, TimestampMicrosecondType>(array, |v| (v, false))
        }
        (T::Time, T::Interval) => conversion
            .map::<Time64MicrosecondType, IntervalMonthDayNanoType>(array, |micros| {
                let (nanos, overflow) = micros.overflowing_mul(1_000);
                (IntervalMonthDayNano::new(0, 0, nanos), overflow)
            }),
        (T::Interval, T::Time) => conversion
            .map::<IntervalMonthDayNanoType, Time64MicrosecondType>(array, |interval| {
                (
                    interval.nanoseconds.rem_euclid(NANOS_PER_DAY) / 1_000,
                    false,
                )
            }),
        _ => Err(none(conversion)),
    }
}
