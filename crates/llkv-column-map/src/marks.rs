//! Delete marks that no checkpoint has folded into a row group yet.

use bitcode::{Decode, Encode};
use llkv_types::{RowId, TxnId};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// A run is merged with the next one unless it is longer by this factor, so that n single deletes
/// make few runs and each mark is copied a logarithmic number of times.
const GROWTH: usize = 4;
/// With more sets than these, all of them become a run: each is one more place to look at.
const MAX_SETS: usize = 16;

/// Row ids with the commits that deleted them, shared between versions: immutable sorted runs, and the sets of
/// commits that deleted many rows, as those commits brought them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    runs: Vec<MarkRun>,
    sets: Vec<MarkSet>,
}

/// Marks by ascending rows.
#[derive(Debug, Clone)]
struct MarkRun {
    marks: Arc<Vec<Mark>>,
    /// The last commit that deleted one of the rows.
    latest: TxnId,
}

/// The rows that one commit deleted.
#[derive(Debug, Clone)]
struct MarkSet {
    rows: Arc<RoaringTreemap>,
    deleted_by: TxnId,
}

impl MarkSet {
    /// The marks of rows `first..=last`, ascending.
    fn range(&self, first: RowId, last: RowId) -> impl Iterator<Item = Mark> {
        let mut rows = self.rows.iter();
        rows.advance_to(first);
        let within = rows.take_while(move |row_id| *row_id <= last);
        within.map(|row_id| Mark {
            row_id,
            deleted_by: self.deleted_by,
        })
    }
}

/// One deleted row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Mark {
    pub(crate) row_id: RowId,
    pub(crate) deleted_by: TxnId,
}

impl Marks {
    pub(crate) fn len(&self) -> usize {
        let in_runs: usize = self.runs.iter().map(|run| run.marks.len()).sum();
        let in_sets: u64 = self.sets.iter().map(|set| set.rows.len()).sum();
        in_runs + in_sets as usize
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
        out.push(marks, deleted_by);
        out
    }

    /// These marks and those of one more commit, which deleted many rows.
    pub(crate) fn with_set(&self, rows: &Arc<RoaringTreemap>, deleted_by: TxnId) -> Self {
        let mut out = self.clone();
        if !rows.is_empty() {
            out.sets.push(MarkSet {
                rows: Arc::clone(rows),
                deleted_by,
            });
        }
        if out.sets.len() > MAX_SETS {
            let sets = std::mem::take(&mut out.sets);
            let all = sets.iter().flat_map(|set| set.range(0, RowId::MAX));
            out.push(sorted(all.collect()), deleted_by);
        }
        out
    }

    fn push(&mut self, mut marks: Vec<Mark>, mut latest: TxnId) {
        if marks.is_empty() {
            return;
        }
        while let Some(last) = self.runs.last()
            && last.marks.len() <= marks.len() * GROWTH
        {
            marks = merge(&last.marks, &marks);
            latest = latest.max(last.latest);
            self.runs.pop();
        }
        let marks = Arc::new(marks);
        self.runs.push(MarkRun { marks, latest });
    }

    /// What a checkpoint leaves over: the marks of commits after `applied`, and those that it kept.
    pub(crate) fn after(&self, applied: TxnId, kept: &[Mark]) -> Self {
        let marks = self.runs.iter().flat_map(|run| run.marks.iter());
        let younger = marks.filter(|mark| mark.deleted_by > applied);
        let mut out = Self::of(younger.chain(kept).copied().collect());
        let sets = self.sets.iter();
        let sets = sets.filter(|set| set.deleted_by > applied);
        out.sets.extend(sets.cloned());
        out
    }

    /// Marks in any order.
    pub(crate) fn of(marks: Vec<Mark>) -> Self {
        let mut out = Self::default();
        let latest = marks.iter().map(|mark| mark.deleted_by).max();
        out.push(sorted(marks), latest.unwrap_or_default());
        out
    }

    /// The commit that deleted a row, if one did. The first one counts.
    pub(crate) fn get(&self, row_id: RowId) -> Option<TxnId> {
        let of_runs = self.runs.iter().filter_map(|run| {
            let at = run.marks.partition_point(|mark| mark.row_id < row_id);
            run.marks.get(at).filter(|mark| mark.row_id == row_id)
        });
        let of_sets = self.sets.iter().filter(|set| set.rows.contains(row_id));
        of_runs
            .map(|mark| mark.deleted_by)
            .chain(of_sets.map(|set| set.deleted_by))
            .min()
    }

    /// True when one of the rows has a mark.
    pub(crate) fn meets(&self, rows: &RoaringTreemap) -> bool {
        let (Some(first), Some(last)) = (rows.min(), rows.max()) else {
            return false;
        };
        self.sets.iter().any(|set| !set.rows.is_disjoint(rows))
            || self.runs.iter().any(|run| {
                let mut marks = within(&run.marks, first, last).iter();
                marks.any(|mark| rows.contains(mark.row_id))
            })
    }

    /// The marks of rows `first..=last`, in no order.
    pub(crate) fn collect(&self, first: RowId, last: RowId) -> Vec<Mark> {
        let of_runs = self
            .runs
            .iter()
            .map(|run| within(&run.marks, first, last).len());
        let of_sets = self.sets.iter();
        let of_sets = of_sets.map(|set| set.rows.range_cardinality(first..=last) as usize);
        let mut marks = Vec::with_capacity(of_runs.chain(of_sets).sum());
        self.for_each(first, last, |mark| marks.push(mark));
        marks
    }

    /// Calls `f` on the marks of rows `first..=last`, in no order: what [`Marks::range`] gives, without a step of an iterator for
    /// each.
    pub(crate) fn for_each(&self, first: RowId, last: RowId, mut f: impl FnMut(Mark)) {
        for run in &self.runs {
            within(&run.marks, first, last)
                .iter()
                .for_each(|mark| f(*mark));
        }
        for set in &self.sets {
            set.range(first, last).for_each(&mut f);
        }
    }

    /// The marks of rows `first..=last`, in no order.
    pub(crate) fn range(&self, first: RowId, last: RowId) -> impl Iterator<Item = Mark> {
        let of_runs = self.runs.iter();
        let of_runs = of_runs.flat_map(move |run| within(&run.marks, first, last).iter().copied());
        let of_sets = self.sets.iter();
        of_runs.chain(of_sets.flat_map(move |set| set.range(first, last)))
    }
}

impl Marks {
    /// The rows deleted by commits above `after` up to `upto`, in no order. What was marked before costs little.
    pub(crate) fn between(&self, after: TxnId, upto: TxnId) -> impl Iterator<Item = RowId> {
        let runs = self.runs.iter().filter(move |run| run.latest > after);
        let sets = self.sets.iter();
        let sets = sets.filter(move |set| after < set.deleted_by && set.deleted_by <= upto);
        let of_runs = runs.flat_map(|run| run.marks.iter());
        let of_runs = of_runs.filter(move |m| after < m.deleted_by && m.deleted_by <= upto);
        let of_runs = of_runs.map(|mark| mark.row_id);
        of_runs.chain(sets.flat_map(|set| set.rows.iter()))
    }
}

/// The part of a sorted run that has rows `first..=last`.
fn within(run: &[Mark], first: RowId, last: RowId) -> &[Mark] {
    let from = run.partition_point(|mark| mark.row_id < first);
    let to = run.partition_point(|mark| mark.row_id <= last);
    run.get(from..to).unwrap_or_default()
}

/// One mark for each row, that of the first commit, by ascending rows.
fn sorted(mut marks: Vec<Mark>) -> Vec<Mark> {
    marks.sort_unstable();
    marks.dedup_by_key(|mark| mark.row_id);
    marks
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

    #[test]
    fn sets_are_marks_like_others() {
        let rows = |rows: std::ops::Range<u64>| Arc::new(rows.collect::<RoaringTreemap>());
        let mut marks = Marks::default().with(&[3, 50], 10);
        for step in 0..40 {
            marks = marks.with_set(&rows(step * 100..step * 100 + 60), 20 + step);
            assert!(marks.sets.len() <= MAX_SETS);
        }
        assert_eq!(marks.get(3), Some(10));
        assert_eq!(marks.get(3_959), Some(59));
        assert_eq!(marks.get(3_960), None);
        let mut found: Vec<Mark> = marks.range(110, 205).collect();
        found.sort_unstable();
        let expected = (110..160)
            .map(|id| (id, 21))
            .chain((200..206).map(|id| (id, 22)));
        assert!(found.iter().map(|m| (m.row_id, m.deleted_by)).eq(expected));
        assert!(marks.meets(&rows(3_959..3_970)) && marks.meets(&rows(3..4)));
        assert!(!marks.meets(&rows(3_960..4_000)) && !marks.meets(&rows(60..100)));
        let later = marks.after(58, &[]);
        assert_eq!((later.len(), later.get(3_900)), (60, Some(59)));
        assert_eq!(marks.after(59, &[]).len(), 0);
        let mut found: Vec<RowId> = marks.with(&[7, 8], 60).between(58, 60).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq([7, 8].into_iter().chain(3_900..3_960)));
        let found: RoaringTreemap = marks.between(9, 20).collect();
        assert_eq!(found, (0..60).collect());
    }
}
