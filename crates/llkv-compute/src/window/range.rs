//! Bounds of RANGE frames: where a value belongs among the sorted keys of a partition.

use super::frames::Side;
use super::runs::RowRuns;
use crate::arrays::{primitive, some_nulls};
use crate::compare::float_order;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{
    DataType, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use llkv_result::{Error, Result};
use std::cmp::Ordering;

/// The key of ORDER BY that a RANGE frame measures distances of.
#[derive(Debug, Clone)]
pub struct RangeKeys {
    /// Sorted within each partition; NULLs together at one end of it.
    pub values: ArrayRef,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl RangeKeys {
    /// For each row, the first row of its partition at or behind the bound. NULL keys are peers of one another and
    /// in no other row's frame.
    pub(super) fn search(
        &self,
        bounds: &ArrayRef,
        side: Side,
        partitions: &RowRuns,
        peers: &RowRuns,
    ) -> Result<Vec<u32>> {
        let search = Search {
            keys: self,
            bounds,
            side,
            partitions,
            peers,
        };
        match self.values.data_type() {
            DataType::Int64 => search.run::<Int64Type>(|a, b| a.cmp(&b)),
            DataType::Float64 => search.run::<Float64Type>(float_order),
            DataType::Decimal64(..) => search.run::<Decimal64Type>(|a, b| a.cmp(&b)),
            DataType::Decimal128(..) => search.run::<Decimal128Type>(|a, b| a.cmp(&b)),
            DataType::Timestamp(..) => search.run::<TimestampMicrosecondType>(|a, b| a.cmp(&b)),
            other => Err(Error::internal(format!("no distances of {other}"))),
        }
    }
}

struct Search<'a> {
    keys: &'a RangeKeys,
    bounds: &'a ArrayRef,
    side: Side,
    partitions: &'a RowRuns,
    peers: &'a RowRuns,
}

impl Search<'_> {
    fn run<T: ArrowPrimitiveType>(
        &self,
        order: impl Fn(T::Native, T::Native) -> Ordering,
    ) -> Result<Vec<u32>> {
        let keys = primitive::<T>(&self.keys.values)?.values();
        let bounds = primitive::<T>(self.bounds)?;
        let nulls = some_nulls(&self.keys.values);
        let is_null = |row: u32| nulls.as_ref().is_some_and(|n| n.is_null(row as usize));
        let mut out = Vec::with_capacity(keys.len());
        for (first, last) in self.partitions.bounds() {
            // The keys that are not NULL.
            let (mut from, mut to) = (first, last);
            if self.keys.nulls_first {
                from = partition_point(first, last, is_null);
            } else {
                to = partition_point(first, last, |row| !is_null(row));
            }
            let mut at = from;
            for row in first..last {
                if is_null(row) {
                    out.push(match self.side {
                        Side::Start => self.peers.start(row as usize),
                        Side::End => self.peers.end(row as usize),
                    });
                    continue;
                }
                let bound = bounds.values().get(row as usize).copied();
                let is_before = |candidate: u32| {
                    let (Some(key), Some(bound)) = (keys.get(candidate as usize), bound) else {
                        return false;
                    };
                    let mut place = order(*key, bound);
                    if self.keys.descending {
                        place = place.reverse();
                    }
                    match self.side {
                        Side::Start => place.is_lt(),
                        Side::End => place.is_le(),
                    }
                };
                at = gallop(at, from, to, is_before);
                out.push(at);
            }
        }
        Ok(out)
    }
}

/// The first of `from..to` for which `is_before` is false.
fn partition_point(from: u32, to: u32, is_before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// [`partition_point`], looked for near `at`: bounds of neighbouring rows are near one another.
fn gallop(at: u32, from: u32, to: u32, is_before: impl Fn(u32) -> bool) -> u32 {
    let mut step = 1;
    if at < to && is_before(at) {
        let mut low = at;
        loop {
            let next = low.saturating_add(step).min(to);
            if next == to || !is_before(next) {
                return partition_point(low, next, is_before);
            }
            low = next;
            step = step.saturating_mul(2);
        }
    }
    let mut high = at;
    loop {
        let next = high.saturating_sub(step).max(from);
        if next == from || is_before(next) {
            return partition_point(next, high, is_before);
        }
        high = next;
        step = step.saturating_mul(2);
    }
}
