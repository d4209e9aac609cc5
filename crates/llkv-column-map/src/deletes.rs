//! The deleted rows of a row group whose marks a checkpoint has folded in.

use crate::descriptor::DeleteMeta;
use llkv_types::TxnId;
use roaring::RoaringBitmap;

/// Deleted rows by their positions in the group, and the commits that deleted them: two bits to two bytes a row where few
/// commits deleted many.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Deletes {
    positions: RoaringBitmap,
    by: Vec<DeletedRun>,
}

/// From a position on, up to the next run, one commit deleted what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DeletedRun {
    start: u32,
    deleted_by: TxnId,
}

impl Deletes {
    /// Rows by ascending positions, each once.
    pub(crate) fn of(rows: impl IntoIterator<Item = (u32, TxnId)>) -> Self {
        let mut by: Vec<DeletedRun> = Vec::new();
        let positions = rows.into_iter().map(|(start, deleted_by)| {
            if by.last().is_none_or(|last| last.deleted_by != deleted_by) {
                by.push(DeletedRun { start, deleted_by });
            }
            start
        });
        Self {
            positions: positions.collect(),
            by,
        }
    }

    pub(crate) fn of_meta(meta: &DeleteMeta) -> Self {
        let positions = meta.positions.iter().copied();
        Self::of(positions.zip(meta.deleted_by.iter().copied()))
    }

    /// The stored form.
    pub(crate) fn meta(&self) -> DeleteMeta {
        let (positions, deleted_by) = self.iter().unzip();
        DeleteMeta {
            positions,
            deleted_by,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.positions.len() as usize
    }

    /// The commit that deleted a row, if one did.
    pub(crate) fn get(&self, position: usize) -> Option<TxnId> {
        let position = u32::try_from(position).ok()?;
        if !self.positions.contains(position) {
            return None;
        }
        let after = self.by.partition_point(|run| run.start <= position);
        self.by.get(after.checked_sub(1)?).map(|run| run.deleted_by)
    }

    /// All of them, by ascending positions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, TxnId)> {
        self.from(0)
    }

    /// Those from a position on.
    pub(crate) fn from(&self, position: u32) -> impl Iterator<Item = (u32, TxnId)> {
        let mut positions = self.positions.iter();
        positions.advance_to(position);
        let after = self.by.partition_point(|run| run.start <= position);
        let mut runs = self.by.get(after.saturating_sub(1)..).unwrap_or_default();
        positions.filter_map(move |position| {
            while let [_, next, ..] = runs
                && next.start <= position
            {
                runs = runs.get(1..)?;
            }
            runs.first().map(|run| (position, run.deleted_by))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_found_by_their_positions(
            rows in prop::collection::btree_map(0_u32..70_000, 1_u64..4, 0..80),
            from in 0_u32..70_000,
        ) {
            let deletes = Deletes::of(rows.iter().map(|(position, by)| (*position, *by)));
            prop_assert_eq!((deletes.len(), deletes.is_empty()), (rows.len(), rows.is_empty()));
            prop_assert!(deletes.iter().eq(rows.iter().map(|(at, by)| (*at, *by))));
            prop_assert!(deletes.from(from).eq(rows.range(from..).map(|(at, by)| (*at, *by))));
            for position in rows.keys().flat_map(|at| [*at, at + 1]).chain([from]) {
                prop_assert_eq!(deletes.get(position as usize), rows.get(&position).copied());
            }
            prop_assert_eq!(Deletes::of_meta(&deletes.meta()), deletes);
        }
    }
}
