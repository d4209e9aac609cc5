//! Aggregates that look at all values of a group in order: quantiles and the mode.

use super::GroupsAccumulator;
use super::collected::{Collected, flattened};
use super::groups::Groups;
use super::rows::{argument, counted, feed};
use crate::arrays::primitive;
use crate::keys::normalized;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, PrimitiveBuilder, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::{SortColumn, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::sync::Arc;

/// What is taken of the ordered values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pick {
    /// The value at a share of the way, between two values where it falls there.
    Continuous(f64),
    /// The first value that so large a share is not above.
    Discrete(f64),
    /// The value that stands there most often, the first of several.
    Mode,
}

/// Values in order.
pub(super) struct Ordered {
    values: Collected,
    pick: Pick,
    descending: bool,
    ty: SqlType,
}

impl Ordered {
    pub(super) fn new(pick: Pick, descending: bool, ty: SqlType) -> Self {
        Self {
            values: Collected::new(ty.to_arrow()),
            pick,
            descending,
            ty,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = argument(args, 0)?;
        let counted = counted(array.logical_nulls().as_ref(), filter);
        self.values.push(array, groups, counted.as_ref())
    }

    /// Between the values on both sides of a place, which are looked for without sorting the others.
    fn selected(&mut self, share: f64) -> Result<ArrayRef> {
        let group_count = std::mem::take(&mut self.values.group_count);
        let (all, groups) = self.values.take_all()?;
        let all = normalized(&all)?;
        let all = primitive::<Float64Type>(&all)?.values();
        let mut ends = ends_of(&groups, group_count);
        let mut values = vec![0.0; groups.len()];
        // From the last one on, so that ends become starts.
        for (group, value) in groups.iter().zip(all).rev() {
            if let Some(end) = ends.get_mut(*group as usize) {
                *end = end.saturating_sub(1);
                if let Some(slot) = values.get_mut(*end) {
                    *slot = *value;
                }
            }
        }
        let mut rest = values.as_mut_slice();
        let mut picked: Vec<Option<f64>> = Vec::with_capacity(group_count);
        let next = ends.iter().skip(1).copied().chain([groups.len()]);
        for (start, end) in ends.iter().zip(next) {
            let count = end.saturating_sub(*start);
            let (group, others) = rest
                .split_at_mut_checked(count)
                .ok_or_else(|| Error::internal("a value of a group that there is not"))?;
            rest = others;
            picked.push(self.value_at(group, share));
        }
        Ok(Arc::new(Float64Array::from(picked)))
    }

    /// The value at a share of the way through the values of a group, whose order is lost.
    fn value_at(&self, group: &mut [f64], share: f64) -> Option<f64> {
        let position = share * group.len().checked_sub(1)? as f64;
        let at = position.floor() as usize;
        if at >= group.len() {
            return None;
        }
        let order = |a: &f64, b: &f64| match self.descending {
            true => b.total_cmp(a),
            false => a.total_cmp(b),
        };
        let (_, low, above) = group.select_nth_unstable_by(at, order);
        let low = *low;
        let part = position - at as f64;
        match above.iter().copied().min_by(order) {
            Some(high) if part > 0.0 => Some(low + (high - low) * part),
            _ => Some(low),
        }
    }

    /// The values by group and, in each, by their order; and where each group ends.
    fn sorted(&mut self) -> Result<(ArrayRef, Vec<usize>)> {
        let group_count = std::mem::take(&mut self.values.group_count);
        let (all, groups) = self.values.take_all()?;
        let ends = ends_of(&groups, group_count);
        let by_value = SortColumn {
            values: normalized(&all)?,
            options: Some(arrow::compute::SortOptions {
                descending: self.descending,
                nulls_first: false,
            }),
        };
        let mut columns = vec![by_value];
        if group_count > 1 {
            let groups: ArrayRef = Arc::new(UInt32Array::from(groups));
            columns.insert(
                0,
                SortColumn {
                    values: groups,
                    options: None,
                },
            );
        }
        let order = lexsort_to_indices(&columns, None)?;
        Ok((take(&all, &order, None)?, ends))
    }

    /// The row of each group's value among the sorted ones.
    fn rows(&self, sorted: &ArrayRef, ends: &[usize]) -> Result<Vec<Option<u32>>> {
        let mut start = 0;
        let mut rows = Vec::with_capacity(ends.len());
        let runs = match self.pick {
            Pick::Mode => runs(sorted)?,
            _ => Vec::new(),
        };
        let mut run = runs.iter().peekable();
        for end in ends {
            let count = end - start;
            rows.push(match self.pick {
                _ if count == 0 => None,
                Pick::Mode => {
                    let mut best = (0, start);
                    let mut at = start;
                    // A run may go on into the next group: it counts up to this one's end.
                    while at < *end {
                        while run.next_if(|last| **last <= at).is_some() {}
                        let last = run.peek().map_or(*end, |last| (**last).min(*end));
                        if last - at > best.0 {
                            best = (last - at, at);
                        }
                        at = last.max(at + 1);
                    }
                    Some(best.1 as u32)
                }
                Pick::Discrete(share) | Pick::Continuous(share) => {
                    let at = (share * count as f64).ceil() as usize;
                    Some((start + at.clamp(1, count) - 1) as u32)
                }
            });
            start = *end;
        }
        Ok(rows)
    }

    /// Between the two values on both sides of the place.
    fn interpolated(&self, sorted: &ArrayRef, ends: &[usize], share: f64) -> Result<ArrayRef> {
        let place = |start: usize, end: usize| {
            let position = share * (end - start - 1) as f64;
            let low = position.floor();
            (start + low as usize, position - low)
        };
        let mut start = 0;
        let ranges = ends.iter().map(|end| {
            let from = std::mem::replace(&mut start, *end);
            (*end > from).then(|| place(from, *end))
        });
        let ranges: Vec<Option<(usize, f64)>> = ranges.collect();
        if self.ty == SqlType::Float64 {
            let values = primitive::<Float64Type>(sorted)?.values();
            let at = |(row, part): (usize, f64)| -> Option<f64> {
                let low = *values.get(row)?;
                match values.get(row + 1) {
                    Some(high) if part > 0.0 => Some(low + (high - low) * part),
                    _ => Some(low),
                }
            };
            let array: Float64Array = ranges.into_iter().map(|range| at(range?)).collect();
            return Ok(Arc::new(array));
        }
        let values = primitive::<TimestampMicrosecondType>(sorted)?.values();
        let mut out = PrimitiveBuilder::<TimestampMicrosecondType>::with_capacity(ends.len());
        for range in ranges {
            let moment = range.and_then(|(row, part)| {
                let low = *values.get(row)?;
                match values.get(row + 1) {
                    Some(high) if part > 0.0 => {
                        let distance = (i128::from(*high) - i128::from(low)) as f64;
                        i64::try_from(i128::from(low) + (distance * part).round() as i128).ok()
                    }
                    _ => Some(low),
                }
            });
            out.append_option(moment);
        }
        let array: TimestampMicrosecondArray = out.finish();
        Ok(Arc::new(array.with_data_type(self.ty.to_arrow())))
    }
}

/// Where the values of each group end once they are sorted by group.
fn ends_of(groups: &[u32], group_count: usize) -> Vec<usize> {
    let mut ends = vec![0usize; group_count];
    for group in groups {
        if let Some(end) = ends.get_mut(*group as usize) {
            *end += 1;
        }
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    ends
}

/// Where each run of equal values ends.
fn runs(sorted: &ArrayRef) -> Result<Vec<usize>> {
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let ranges = arrow::compute::partition(&[normalized(sorted)?])?;
    Ok(ranges.ranges().into_iter().map(|range| range.end).collect())
}

impl GroupsAccumulator for Ordered {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let (values, groups) = flattened(argument(states, 0)?, group_of_row)?;
        self.values.push(&values, Groups::PerRow(&groups), None)
    }

    fn resize(&mut self, group_count: usize) {
        self.values.group_count = self.values.group_count.max(group_count);
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.values.state_type()]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values.take_lists()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        if let Pick::Continuous(share) = self.pick
            && self.ty == SqlType::Float64
            && (0.0..=1.0).contains(&share)
        {
            return self.selected(share);
        }
        let (sorted, ends) = self.sorted()?;
        if ends.last().is_some_and(|end| *end != sorted.len()) {
            return Err(Error::internal("a value of a group that there is not"));
        }
        if let Pick::Continuous(share) | Pick::Discrete(share) = self.pick
            && share.is_nan()
        {
            return Ok(arrow::array::new_null_array(
                &self.ty.to_arrow(),
                ends.len(),
            ));
        }
        if let Pick::Continuous(share) = self.pick {
            return self.interpolated(&sorted, &ends, share);
        }
        let rows = UInt32Array::from(self.rows(&sorted, &ends)?);
        Ok(take(&sorted, &rows, None)?)
    }

    fn size_bytes(&self) -> usize {
        self.values.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_lies_between_its_neighbours_in_order(
            rows in prop::collection::vec((0_u32..4, prop_oneof![-9_i32..9, Just(100)]), 0..80),
            share in prop_oneof![0.0..1.0, Just(0.5), Just(1.0), Just(0.0)],
            descending in any::<bool>(),
        ) {
            let value = |v: i32| if v == 100 { f64::NAN } else { f64::from(v) / 2.0 };
            let groups: Vec<u32> = rows.iter().map(|row| row.0).collect();
            let values: ArrayRef = Arc::new(rows.iter().map(|row| Some(value(row.1))).collect::<Float64Array>());
            let mut accumulator = Ordered::new(Pick::Continuous(share), descending, SqlType::Float64);
            accumulator.update(&[values], Groups::PerRow(&groups), 4, None).unwrap();
            accumulator.resize(5);
            let found = accumulator.finish().unwrap();
            prop_assert_eq!(found.len(), 5);
            for (group, found) in found.as_primitive::<Float64Type>().iter().enumerate() {
                let of_group = rows.iter().filter(|row| row.0 as usize == group);
                let mut sorted: Vec<f64> = of_group.map(|row| value(row.1)).collect();
                sorted.sort_by(f64::total_cmp);
                if descending {
                    sorted.reverse();
                }
                let expected = sorted.len().checked_sub(1).map(|last| {
                    let place = share * last as f64;
                    let (low, part) = (sorted[place as usize], place.fract());
                    let high = sorted[(place as usize + 1).min(last)];
                    if part > 0.0 { low + (high - low) * part } else { low }
                });
                let bits = |v: Option<f64>| v.map(|v| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() });
                prop_assert_eq!(bits(found), bits(expected));
            }
        }
    }
}
