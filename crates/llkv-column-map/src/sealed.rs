//! The stored row groups of a table, and what their statistics say of each column together.

use crate::fill::StoredColumn;
use crate::row_group::{GroupData, RowGroup};
use crate::stats::Bounds;
use hashbrown::HashMap;
use llkv_types::FieldId;
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;

/// Stored row groups, ascending by row id: a list that commits share until a checkpoint or a load changes it.
#[derive(Default)]
pub(crate) struct SealedGroups {
    groups: Vec<Arc<RowGroup>>,
    /// By column, once somebody asked.
    columns: Mutex<HashMap<FieldId, Arc<SealedColumn>, foldhash::fast::FixedState>>,
}

/// The statistics of a column's chunks together.
#[derive(Debug, Clone, Default)]
pub(crate) struct SealedColumn {
    pub(crate) rows: u64,
    pub(crate) null_count: u64,
    /// Of the chunks that hold values; `None` when none does.
    pub(crate) bounds: Option<Bounds>,
    pub(crate) distinct: DistinctParts,
}

/// Distinct values, counted in each part of a column alone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DistinctParts {
    sum: u64,
    /// The part with the most: its distinct values and its values.
    largest: (u64, u64),
}

impl SealedGroups {
    pub(crate) fn new(groups: Vec<Arc<RowGroup>>) -> Self {
        Self {
            groups,
            columns: Mutex::default(),
        }
    }

    /// What is known of a column.
    pub(crate) fn column(&self, column: &StoredColumn) -> Arc<SealedColumn> {
        let mut columns = self.columns.lock();
        let found = columns.entry(column.field);
        Arc::clone(found.or_insert_with(|| Arc::new(SealedColumn::of(&self.groups, column))))
    }
}

impl Deref for SealedGroups {
    type Target = [Arc<RowGroup>];

    fn deref(&self) -> &Self::Target {
        &self.groups
    }
}

impl SealedColumn {
    fn of(groups: &[Arc<RowGroup>], column: &StoredColumn) -> Self {
        let mut out = Self::default();
        for group in groups {
            let GroupData::Stored(stored) = group.data.as_ref() else {
                continue;
            };
            let rows = group.rows as u64;
            out.rows += rows;
            let at = stored.position(column.field);
            let Some(chunk) = at.and_then(|at| stored.chunks.get(at)) else {
                match &column.fill {
                    Some(fill) => {
                        out.distinct.add(1, rows);
                        out.include(&fill.stats().bounds);
                    }
                    None => out.null_count += rows,
                }
                continue;
            };
            let nulls = u64::from(chunk.stats.null_count);
            out.null_count += nulls;
            if nulls >= rows {
                continue;
            }
            let distinct = u64::from(chunk.distinct_estimate);
            out.distinct.add(distinct, rows - nulls);
            out.include(&chunk.stats.bounds);
        }
        out
    }

    fn include(&mut self, other: &Bounds) {
        self.bounds = Some(match self.bounds.take() {
            None => other.clone(),
            Some(bounds) => bounds.merge(other),
        });
    }
}

impl DistinctParts {
    /// Adds a part with so many distinct values among so many values.
    pub(crate) fn add(&mut self, distinct: u64, values: u64) {
        let distinct = distinct.min(values);
        self.sum += distinct;
        self.largest = self.largest.max((distinct, values));
    }

    /// Distinct values of the parts together: between the largest (every part holds the same values) and
    /// the sum (each holds others). A part full of distinct values says that others bring more; one that
    /// repeats a few says that it has seen them all.
    pub(crate) fn estimate(&self, bounds: &Bounds) -> u64 {
        let (largest, values) = self.largest;
        let fresh = largest as f64 / values.max(1) as f64;
        let estimate = largest as f64 + self.sum.saturating_sub(largest) as f64 * fresh;
        let domain = match bounds {
            Bounds::Int { min, max } => max
                .checked_sub(*min)
                .and_then(|span| u64::try_from(span).ok())
                .map_or(u64::MAX, |span| span.saturating_add(1)),
            _ => u64::MAX,
        };
        (estimate as u64).min(domain)
    }
}

impl std::fmt::Debug for SealedGroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.groups).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_repeat_add_nothing_and_parts_of_keys_add_up() {
        let mut flags = DistinctParts::default();
        let mut keys = DistinctParts::default();
        for _ in 0..10 {
            flags.add(3, 100_000);
            keys.add(100_000, 100_000);
        }
        assert_eq!(flags.estimate(&Bounds::Unknown), 3);
        assert_eq!(keys.estimate(&Bounds::Unknown), 1_000_000);
        keys.add(7, 7);
        assert_eq!(keys.estimate(&Bounds::Unknown), 1_000_007);
        let narrow = Bounds::Int { min: 1, max: 500 };
        assert_eq!(keys.estimate(&narrow), 500);
    }
}
