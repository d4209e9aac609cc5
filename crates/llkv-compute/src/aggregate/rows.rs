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

/// Groups that are looked at as a whole for each batch.
const FEW_GROUPS: usize = 512;

/// Which groups have seen a value.
#[derive(Default)]
pub(super) struct Seen(pub(super) Vec<bool>);

impl Seen {
    pub(super) fn mark(&mut self, groups: Groups<'_>, counted: Option<&NullBuffer>) {
        if let (Groups::Single(rows), Some(only)) = (groups, self.0.first_mut()) {
            *only |= counted.map_or(rows, |nulls| nulls.len() - nulls.null_count()) > 0;
            return;
        }
        // Few groups have soon all seen a value, which is faster to see than to note.
        if self.0.len() <= FEW_GROUPS && self.0.iter().all(|seen| *seen) {
            return;
        }
        let seen = self.0.as_mut_slice();
        if let (Groups::Sorted(_, sorted), None) = (groups, counted) {
            for ((_, rows), seen) in sorted.iter().zip(seen) {
                *seen |= !rows.is_empty();
            }
            return;
        }
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
