//! Delete marks that no checkpoint has folded into a row group yet.

use bitcode::{Decode, Encode};
use llkv_types::{RowId, TxnId};
use std::sync::Arc;

/// A run is merged with the next one unless it is longer by this factor, so that n single deletes
/// make few runs and each mark is copied a logarithmic number of times.
const GROWTH: usize = 4;

/// Row ids with the commits that deleted them: immutable sorted runs, shared between versions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    runs: Vec<Arc<Vec<Mark>>>,
}

/// One deleted row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Mark {
    pub(crate) row_id: RowId,
    pub(crate) deleted_by: TxnId,
}

impl Marks {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    /// These marks and those of one more commit (ids ascending).
    pub(crate) fn with(&self, row_ids: &[RowId], deleted_by: TxnId) -> Self {
        let marks = row_ids
            .iter()
            .map(|row_id| Mark {
                row_id: *row_id,
                deleted_by,
            })
            .collect();
        let mut out = self.clone();
        out.push(marks);
        out
    }

    fn push(&mut self, mut marks: Vec<Mark>) {
        if marks.is_empty() {
            return;
        }
        while let Some(last) = self.runs.last()
            && last.len() <= marks.len() * GROWTH
        {
            marks = merge(last, &marks);
            self.runs.pop();
        }
        self.runs.push(Arc::new(marks));
    }

    /// What a checkpoint leaves over: the marks of commits after `applied`, and those that it kept.
    pub(crate) fn after(&self, applied: TxnId, kept: &[Mark]) -> Self {
        let marks = self.runs.iter().flat_map(|run| run.iter());
        let younger = marks.filter(|mark| mark.deleted_by > applied);
        Self::of(younger.chain(kept).copied().collect())
    }

    /// Marks in any order.
    pub(crate) fn of(mut marks: Vec<Mark>) -> Self {
        marks.sort_unstable();
        marks.dedup_by_key(|mark| mark.row_id);
        let mut out = Self::default();
        out.push(marks);
        out
    }

    /// The commit that deleted a row, if one did. The first one counts.
    pub(crate) fn get(&self, row_id: RowId) -> Option<TxnId> {
        self.runs
            .iter()
            .filter_map(|run| {
                let at = run.partition_point(|mark| mark.row_id < row_id);
                run.get(at).filter(|mark| mark.row_id == row_id)
            })
            .map(|mark| mark.deleted_by)
            .min()
    }

    /// The marks of rows `first..=last`, in no order.
    pub(crate) fn range(&self, first: RowId, last: RowId) -> impl Iterator<Item = Mark> {
        self.runs.iter().flat_map(move |run| {
            let from = run.partition_point(|mark| mark.row_id < first);
            let to = run.partition_point(|mark| mark.row_id <= last);
            run.get(from..to).unwrap_or_default().iter().copied()
        })
    }
}

/// Merges two sorted runs; of two marks of one row the earlier commit's stays.
fn merge(a: &[Mark], b: &[Mark]) -> Vec<Mark> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x <= y => a.next(),
            (_, Some(_)) => b.next(),
            (Some(_), None) => a.next(),
            (None, None) => break,
        };
        let Some(next) = next else { break };
        if out
            .last()
            .is_none_or(|last: &Mark| last.row_id != next.row_id)
        {
            out.push(*next);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_deletes_make_few_runs_and_the_first_mark_stays() {
        let mut marks = Marks::default();
        for step in 0..1_000u64 {
            marks = marks.with(&[(step * 7) % 1_000], 10 + step);
        }
        assert!(marks.runs.len() < 10, "{}", marks.runs.len());
        assert_eq!(marks.after(1_000, &[]).len(), 9);
        marks = marks.with(&[0, 7], 5_000);
        assert_eq!(marks.get(0), Some(10));
        assert_eq!(marks.get(7), Some(11));
        assert_eq!(marks.get(1_000), None);
        assert_eq!(
            marks.range(0, 999).filter(|m| m.deleted_by < 5_000).count(),
            1_000
        );
    }
}
