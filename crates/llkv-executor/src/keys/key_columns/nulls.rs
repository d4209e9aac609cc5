//! Which keys are NULL.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};

/// By group number; nothing is kept of groups after the last NULL that came.
#[derive(Default)]
pub(super) struct KeyNulls {
    null: Vec<bool>,
}

impl KeyNulls {
    pub(super) fn is_null(&self, group: u32) -> bool {
        self.null.get(group as usize).copied().unwrap_or(false)
    }

    /// Adds those of `rows` to the so many groups that there are.
    pub(super) fn push(&mut self, groups: usize, column: &ArrayRef, rows: &[u32]) {
        if let Some(nulls) = some_nulls(column) {
            self.null.resize(groups, false);
            self.null
                .extend(rows.iter().map(|row| nulls.is_null(*row as usize)));
        }
    }

    /// True where the key of each of `rows` is that of its group: both NULL, or `equal` says so of row and group.
    pub(super) fn all_equal(
        &self,
        column: &ArrayRef,
        rows: &[u32],
        groups: &[u32],
        equal: impl Fn(usize, u32) -> bool,
    ) -> bool {
        let nulls = some_nulls(column);
        if nulls.is_none() && self.null.is_empty() {
            let mut rows = rows.iter().map(|row| *row as usize);
            return rows.all(|row| equal(row, groups[row]));
        }
        rows.iter().all(|row| {
            let (row, group) = (*row as usize, groups[*row as usize]);
            let is_null = nulls.is_some_and(|nulls| nulls.is_null(row));
            is_null == self.is_null(group) && (is_null || equal(row, group))
        })
    }

    /// Of the groups `start .. start + count`.
    pub(super) fn buffer(&self, start: usize, count: usize) -> Option<NullBuffer> {
        let null = self.null.get(start..).filter(|null| !null.is_empty())?;
        let null = |group: usize| null.get(group).copied().unwrap_or(false);
        let valid = BooleanBuffer::collect_bool(count, |group| !null(group));
        Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
    }

    pub(super) fn truncate(&mut self, groups: usize) {
        self.null.truncate(groups);
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.null.capacity()
    }
}

/// The column's nulls, where it has any.
pub(super) fn some_nulls(column: &ArrayRef) -> Option<&NullBuffer> {
    column.nulls().filter(|nulls| nulls.null_count() > 0)
}
