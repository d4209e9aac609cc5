//! Group keys as they were first seen, for types whose normal form is not what is put out.

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use llkv_result::Result;
use llkv_types::variant::{self, VariantBuilder};
use std::sync::Arc;

/// The first value of each group: `1 month` and `30 days` are one group, as are 1 and 1.0 where values
/// carry their own type, shown as whichever came first.
pub(super) struct Originals {
    columns: Vec<Column>,
}

struct Column {
    position: usize,
    /// By group number.
    first: First,
}

enum First {
    Intervals(Vec<Option<IntervalMonthDayNano>>),
    /// Encoded.
    Variants(Vec<Option<Box<[u8]>>>),
}

impl Originals {
    pub(super) fn new<'a>(types: impl Iterator<Item = &'a DataType>) -> Self {
        let columns = types.enumerate().filter_map(|(position, data_type)| {
            let first = match data_type {
                DataType::Interval(_) => First::Intervals(Vec::new()),
                other if variant::is_variant(other) => First::Variants(Vec::new()),
                _ => return None,
            };
            Some(Column { position, first })
        });
        Self {
            columns: columns.collect(),
        }
    }

    /// Forgets all groups.
    pub(super) fn clear(&mut self) {
        for column in &mut self.columns {
            match &mut column.first {
                First::Intervals(first) => first.clear(),
                First::Variants(first) => first.clear(),
            }
        }
    }

    /// Notes the keys of groups that are new: their numbers are counted from zero as they appear.
    pub(super) fn note(&mut self, keys: &[ArrayRef], groups: &[u32]) -> Result<()> {
        for Column { position, first } in &mut self.columns {
            let Some(key) = keys.get(*position) else {
                continue;
            };
            match first {
                First::Intervals(first) => {
                    let values = key.as_primitive::<IntervalMonthDayNanoType>();
                    for (value, group) in values.iter().zip(groups) {
                        if *group as usize == first.len() {
                            first.push(value);
                        }
                    }
                }
                First::Variants(first) => {
                    let values = variant::encoded(key.as_ref())?;
                    for (value, group) in values.iter().zip(groups) {
                        if *group as usize == first.len() {
                            first.push(value.map(Into::into));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts the first-seen values of groups `start .. start + count` in the place of the normal ones.
    pub(super) fn restore(&self, keys: &mut [ArrayRef], start: usize, count: usize) -> Result<()> {
        for Column { position, first } in &self.columns {
            let Some(key) = keys.get_mut(*position) else {
                continue;
            };
            *key = match first {
                First::Intervals(first) => {
                    let values = first.iter().skip(start).take(count).copied();
                    Arc::new(values.collect::<IntervalMonthDayNanoArray>())
                }
                First::Variants(first) => {
                    let mut values = VariantBuilder::with_capacity(key.len());
                    for value in first.iter().skip(start).take(count) {
                        values.append_encoded(value.as_deref())?;
                    }
                    values.finish()?
                }
            };
        }
        Ok(())
    }
}
