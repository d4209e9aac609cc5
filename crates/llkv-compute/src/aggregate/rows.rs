//! The rows of a batch that count, and the groups they belong to.

use crate::arrays::true_mask;
use arrow::array::BooleanArray;
use arrow::buffer::NullBuffer;

/// The group of each row.
#[derive(Clone, Copy)]
pub(super) enum Groups<'a> {
    /// One per row.
    PerRow(&'a [u32]),
    /// This many rows, all of group 0.
    Single(usize),
}

impl Groups<'_> {
    /// The group of a row.
    pub(super) fn of(&self, row: usize) -> usize {
        match self {
            Self::PerRow(groups) => groups.get(row).map_or(0, |group| *group as usize),
            Self::Single(_) => 0,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        match self {
            Self::PerRow(groups) => groups.len(),
            Self::Single(rows) => *rows,
        }
    }
}

/// The rows that are not NULL and pass the filter; `None` for all.
pub(super) fn counted(
    nulls: Option<&NullBuffer>,
    filter: Option<&BooleanArray>,
) -> Option<NullBuffer> {
    let filter = filter.map(|filter| NullBuffer::new(true_mask(filter)));
    NullBuffer::union(nulls, filter.as_ref()).filter(|nulls| nulls.null_count() > 0)
}

/// Calls `f` with each row that counts and its group.
pub(super) fn for_each(
    groups: Groups<'_>,
    counted: Option<&NullBuffer>,
    mut f: impl FnMut(usize, usize),
) {
    match (groups, counted) {
        (Groups::PerRow(groups), None) => {
            for (row, group) in groups.iter().enumerate() {
                f(row, *group as usize);
            }
        }
        (Groups::Single(rows), None) => (0..rows).for_each(|row| f(row, 0)),
        (groups, Some(counted)) => {
            for row in counted.valid_indices() {
                f(row, groups.of(row));
            }
        }
    }
}

/// Which groups have seen a value.
#[derive(Default)]
pub(super) struct Seen(pub(super) Vec<bool>);

impl Seen {
    pub(super) fn mark(&mut self, groups: Groups<'_>, counted: Option<&NullBuffer>) {
        if let (Groups::Single(rows), Some(only)) = (groups, self.0.first_mut()) {
            *only |= counted.map_or(rows, |nulls| nulls.len() - nulls.null_count()) > 0;
            return;
        }
        let seen = self.0.as_mut_slice();
        for_each(groups, counted, |_, group| {
            if let Some(seen) = seen.get_mut(group) {
                *seen = true;
            }
        });
    }

    /// Takes the marks as nulls: a group that has seen nothing is NULL.
    pub(super) fn take_nulls(&mut self) -> Option<NullBuffer> {
        let nulls = NullBuffer::from(std::mem::take(&mut self.0));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

/// The two ways of feeding rows, by one method.
macro_rules! feed {
    () => {
        fn update(
            &mut self,
            args: &[arrow::array::ArrayRef],
            group_of_row: &[u32],
            group_count: usize,
            filter: Option<&arrow::array::BooleanArray>,
        ) -> llkv_result::Result<()> {
            self.resize(group_count);
            let groups = crate::aggregate::rows::Groups::PerRow(group_of_row);
            self.feed(args, groups, filter)
        }

        fn update_single(
            &mut self,
            args: &[arrow::array::ArrayRef],
            rows: usize,
            filter: Option<&arrow::array::BooleanArray>,
        ) -> llkv_result::Result<()> {
            self.resize(1);
            let groups = crate::aggregate::rows::Groups::Single(rows);
            self.feed(args, groups, filter)
        }
    };
}
pub(super) use feed;

/// The argument at a position.
pub(super) fn argument(
    args: &[arrow::array::ArrayRef],
    position: usize,
) -> llkv_result::Result<&arrow::array::ArrayRef> {
    args.get(position).ok_or_else(|| {
        llkv_result::Error::internal(format!("an aggregate misses its argument {position}"))
    })
}
