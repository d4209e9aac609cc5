//! The rows of a batch that count.

use super::groups::Groups;
use crate::arrays::true_mask;
use arrow::array::BooleanArray;
use arrow::buffer::NullBuffer;

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
        (Groups::PerRow(groups) | Groups::Sorted(groups, _), None) => {
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
pub(super) struct Seen {
    groups: Vec<bool>,
    /// How many have not.
    missing: usize,
}

impl Seen {
    /// Makes room for more groups.
    pub(super) fn resize(&mut self, group_count: usize) {
        self.missing += group_count.saturating_sub(self.groups.len());
        self.groups
            .resize(group_count.max(self.groups.len()), false);
    }

    /// Whether a group has seen a value; from now on it has.
    #[inline]
    pub(super) fn replace(&mut self, group: usize) -> bool {
        let Some(seen) = self.groups.get_mut(group) else {
            return false;
        };
        self.missing -= usize::from(!*seen);
        std::mem::replace(seen, true)
    }

    /// Whether all groups have.
    pub(super) const fn all(&self) -> bool {
        self.missing == 0
    }

    pub(super) fn mark(&mut self, groups: Groups<'_>, counted: Option<&NullBuffer>) {
        // Groups are far fewer than rows, and have soon all seen a value.
        if self.all() {
            return;
        }
        if let Groups::Single(rows) = groups {
            if counted.map_or(rows, |nulls| nulls.len() - nulls.null_count()) > 0 {
                self.replace(0);
            }
            return;
        }
        if let (Groups::Sorted(_, sorted), None) = (groups, counted) {
            for (group, rows) in sorted.iter() {
                if !rows.is_empty() {
                    self.replace(group);
                }
            }
            return;
        }
        for_each(groups, counted, |_, group| {
            self.replace(group);
        });
    }

    /// Takes the marks as nulls: a group that has seen nothing is NULL.
    pub(super) fn take_nulls(&mut self) -> Option<NullBuffer> {
        let Self { groups, missing } = std::mem::take(self);
        (missing > 0).then(|| NullBuffer::from(groups))
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.groups.capacity()
    }
}

/// Feeding rows after making room for their groups.
macro_rules! feed {
    () => {
        fn update(
            &mut self,
            args: &[arrow::array::ArrayRef],
            groups: crate::aggregate::Groups<'_>,
            group_count: usize,
            filter: Option<&arrow::array::BooleanArray>,
        ) -> llkv_result::Result<()> {
            self.resize(group_count);
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
