//! Group keys as they were first seen, for types whose normal form is not what is put out.

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use std::sync::Arc;

/// The first interval of each group: `1 month` and `30 days` are one group, shown as whichever came first.
pub(super) struct Originals {
    columns: Vec<Column>,
}

struct Column {
    position: usize,
    /// By group number.
    first: Vec<Option<IntervalMonthDayNano>>,
}

impl Originals {
    pub(super) fn new<'a>(types: impl Iterator<Item = &'a DataType>) -> Self {
        let intervals = types
            .enumerate()
            .filter(|(_, data_type)| matches!(data_type, DataType::Interval(_)));
        Self {
            columns: intervals
                .map(|(position, _)| Column {
                    position,
                    first: Vec::new(),
                })
                .collect(),
        }
    }

    /// Notes the keys of groups that are new: their numbers are counted from zero as they appear.
    pub(super) fn note(&mut self, keys: &[ArrayRef], groups: &[u32]) {
        for Column { position, first } in &mut self.columns {
            let Some(key) = keys.get(*position) else {
                continue;
            };
            let values = key.as_primitive::<IntervalMonthDayNanoType>();
            for (value, group) in values.iter().zip(groups) {
                if *group as usize == first.len() {
                    first.push(value);
                }
            }
        }
    }

    /// Puts the first-seen values of groups `start .. start + count` in the place of the normal ones.
    pub(super) fn restore(&self, keys: &mut [ArrayRef], start: usize, count: usize) {
        for Column { position, first } in &self.columns {
            if let Some(key) = keys.get_mut(*position) {
                let values = first.iter().skip(start).take(count).copied();
                *key = Arc::new(values.collect::<IntervalMonthDayNanoArray>());
            }
        }
    }
}
