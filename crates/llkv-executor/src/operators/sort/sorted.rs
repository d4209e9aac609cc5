//! Sorting in memory: runs of neighbouring batches by several threads, then ranges of their merge by several threads.
//!
//! What is sorted are codes of the keys with the rows' numbers; whole keys are compared only where codes are equal and
//! do not tell whether their keys are.

use crate::batch::{Batch, concat_batches};
use crate::keys::{Differences, KeyCodes, SortKeys, code_of, row_of, shifted, sort_entries};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::datatypes::DataType;
use arrow_row::Rows;
use llkv_result::{Error, Result};
use llkv_types::MemoryReservation;
use parking_lot::Mutex;
use std::cmp::Ordering;

/// Rows, and the order to read them in.
pub(in crate::operators) struct SortedRows {
    pub(in crate::operators) runs: Vec<Batch>,
    /// Run and row.
    pub(in crate::operators) order: Vec<(u32, u32)>,
    /// Where the leading keys change, the first row included; none where it was not asked for or not found out.
    pub(in crate::operators) starts: Option<Vec<u32>>,
}

/// Rows of a range of the merge, about; a thread takes one range at a time.
const RANGE_ROWS: usize = 1 << 16;

/// Sorts rows in memory; equal keys stay as they are. `memory` holds what was reserved for them. `leading` is how many
/// keys are to be told apart in the result's `starts`.
pub(in crate::operators) fn sort_rows(
    run: &Run,
    spiller: &Spiller,
    batches: Vec<Batch>,
    keys: &SortKeys,
    types: &[DataType],
    memory: &mut MemoryReservation,
    leading: usize,
) -> Result<SortedRows> {
    let rows = batches.iter().map(|b| b.rows as u64).sum::<u64>();
    let parts = contiguous_parts(batches, run.workers(usize::MAX, rows));
    let keyed = run.for_each_part(parts.len(), rows, |number| {
        let batches = parts.get(number).and_then(|part| part.lock().take());
        KeyedRun::new(keys, &batches.unwrap_or_default(), types)
    })?;
    let bytes = keyed.iter().map(KeyedRun::size_bytes).sum();
    spiller.settle(memory, bytes)?;

    let differences = keyed.iter().map(|run| run.differences.clone());
    let Some(differences) = differences.reduce(|a, b| a.merge(&b)) else {
        return Ok(SortedRows {
            runs: Vec::new(),
            order: Vec::new(),
            starts: Some(Vec::new()),
        });
    };
    let codes = KeyCodes::new(&differences);
    let entries = run.for_each_part(keyed.len(), rows, |number| {
        let run = keyed.get(number);
        Ok(run.map(|run| run.entries(&codes)).unwrap_or_default())
    })?;
    let shift = match leading {
        0 => None,
        leading => keys.fixed_bytes_of(leading),
    };
    let merge = Merge {
        runs: keyed.iter().zip(entries).collect(),
        is_exact: codes.is_exact(),
        shift: shift.and_then(|bytes| codes.shift_to(bytes)),
    };
    let (order, starts) = merge.merge(run)?;
    drop(merge);
    Ok(SortedRows {
        runs: keyed.into_iter().map(|run| run.batch).collect(),
        order,
        starts,
    })
}

/// The batches in at most `parts` runs of neighbours, so that of equal keys the one in the lower run comes
/// first.
fn contiguous_parts(batches: Vec<Batch>, parts: usize) -> Vec<Mutex<Option<Vec<Batch>>>> {
    let size = batches.len().div_ceil(parts.max(1)).max(1);
    let mut batches = batches.into_iter();
    let mut runs = Vec::new();
    loop {
        let part: Vec<Batch> = batches.by_ref().take(size).collect();
        if part.is_empty() {
            return runs;
        }
        runs.push(Mutex::new(Some(part)));
    }
}

/// Rows of a part of the input with their keys.
struct KeyedRun {
    batch: Batch,
    keys: Rows,
    differences: Differences,
}

impl KeyedRun {
    fn new(sort: &SortKeys, batches: &[Batch], types: &[DataType]) -> Result<Self> {
        let batch = concat_batches(batches, types)?;
        if u32::try_from(batch.rows).is_err() {
            return Err(Error::internal("a sorted run has over 2^32 rows"));
        }
        let keys = sort.encode(&batch)?;
        Ok(Self {
            differences: Differences::of(&keys),
            batch,
            keys,
        })
    }

    fn size_bytes(&self) -> u64 {
        // An entry of each row, and its place in the order.
        let order = self.batch.rows * (size_of::<u128>() + size_of::<(u32, u32)>());
        self.batch.memory_bytes() + (self.keys.size() + order) as u64
    }

    /// The codes of the rows in order.
    fn entries(&self, codes: &KeyCodes) -> Vec<u128> {
        let keys = self.keys.iter().zip(0_u32..);
        let mut entries: Vec<u128> = keys
            .map(|(key, row)| codes.entry(key.data(), row))
            .collect();
        let ties = |a: u32, b: u32| self.keys.row(a as usize).cmp(&self.keys.row(b as usize));
        sort_entries(&mut entries, (!codes.is_exact()).then_some(ties));
        entries
    }
}

/// Sorted runs, to be merged.
struct Merge<'a> {
    /// Rows, and their entries in order.
    runs: Vec<(&'a KeyedRun, Vec<u128>)>,
    is_exact: bool,
    /// What is left of codes that are shifted by so many bits is to be told apart.
    shift: Option<u32>,
}

/// All rows in order as (run, row), and where the leading keys change.
type Merged = (Vec<(u32, u32)>, Option<Vec<u32>>);

/// What merging a range tells about changes of the leading keys.
struct Changes {
    /// What is left of the first and of the last code.
    ends: Option<(u128, u128)>,
    /// Rows at which there is a change, the range's first one excepted.
    rows: Vec<u32>,
    /// The range's first row.
    first: u32,
}

impl Merge<'_> {
    /// All rows in order as (run, row), and where the leading keys change.
    fn merge(&self, run: &Run) -> Result<Merged> {
        let total: usize = self.runs.iter().map(|(_, entries)| entries.len()).sum();
        let ranges = total / RANGE_ROWS;
        let ranges = ranges.clamp(1, run.workers(usize::MAX, total as u64) * 4);
        let bounds = self.bounds(ranges);
        let mut order = vec![(0_u32, 0_u32); total];
        let mut parts = Vec::with_capacity(ranges);
        let (mut rest, mut first) = (order.as_mut_slice(), 0);
        for (from, to) in bounds.iter().zip(bounds.iter().skip(1)) {
            let sizes = from
                .iter()
                .zip(to)
                .map(|(from, to)| to.saturating_sub(*from));
            let rows = sizes.sum::<usize>();
            let short = || Error::internal("ranges of a merge overlap");
            let (part, behind) = rest.split_at_mut_checked(rows).ok_or_else(short)?;
            parts.push((Mutex::new(part), first, from, to));
            first += rows as u32;
            rest = behind;
        }
        let changes = run.for_each_part(parts.len(), total as u64, |number| {
            let Some((part, first, from, to)) = parts.get(number) else {
                return Err(Error::internal("a range of a merge is missing"));
            };
            Ok(self.merge_range(&mut part.lock(), *first, from, to))
        })?;
        drop(parts);
        Ok((order, self.shift.map(|_| joined(&changes))))
    }

    /// Where ranges of the merge begin in each run, and where the last one ends.
    fn bounds(&self, ranges: usize) -> Vec<Vec<usize>> {
        let longest = self.runs.iter().enumerate();
        let longest = longest.max_by_key(|(_, (_, entries))| entries.len());
        let mut bounds = vec![vec![0; self.runs.len()]];
        if let Some((number, (_, entries))) = longest {
            for range in 1..ranges {
                let Some(entry) = entries.get(range * entries.len() / ranges) else {
                    continue;
                };
                let runs = self.runs.iter().enumerate();
                let starts = runs.map(|(other, (_, others))| {
                    others
                        .partition_point(|found| self.is_before((other, *found), (number, *entry)))
                });
                bounds.push(starts.collect());
            }
        }
        bounds.push(self.runs.iter().map(|(_, entries)| entries.len()).collect());
        bounds
    }

    /// Whether an entry of a run comes before one of a run: by key, by run, by row.
    fn is_before(&self, a: (usize, u128), b: (usize, u128)) -> bool {
        let by_code = code_of(a.1).cmp(&code_of(b.1));
        let by_key = by_code.then_with(|| self.compare_keys(a, b));
        by_key.then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1)) == Ordering::Less
    }

    /// The order of the keys of entries with equal codes.
    fn compare_keys(&self, a: (usize, u128), b: (usize, u128)) -> Ordering {
        if self.is_exact {
            return Ordering::Equal;
        }
        let key = |(run, entry): (usize, u128)| {
            let (run, _) = self.runs.get(run)?;
            Some(run.keys.row(row_of(entry) as usize))
        };
        key(a).cmp(&key(b))
    }

    /// Merges a range of all runs into `out`, whose first row is `first`.
    fn merge_range(
        &self,
        out: &mut [(u32, u32)],
        first: u32,
        from: &[usize],
        to: &[usize],
    ) -> Changes {
        let ranges = self.runs.iter().zip(from.iter().zip(to));
        let ranges: Vec<&[u128]> = ranges
            .map(|((_, entries), (from, to))| entries.get(*from..*to).unwrap_or_default())
            .collect();
        let mut changes = Changes {
            ends: None,
            rows: Vec::new(),
            first,
        };
        let mut places = out.iter_mut().zip(first..);
        let put = |run: usize, entry: u128| {
            let Some((place, at)) = places.next() else {
                return;
            };
            *place = (run as u32, row_of(entry));
            if let Some(shift) = self.shift {
                changes.see(shifted(entry, shift), at);
            }
        };
        match ranges.as_slice() {
            [a, b] if self.is_exact => merge_two(a, b, |a, b| code_of(b) < code_of(a), put),
            [a, b] => merge_two(a, b, |a, b| self.is_before((1, b), (0, a)), put),
            ranges => self.merge_many(ranges, put),
        }
        changes
    }

    fn merge_many(&self, ranges: &[&[u128]], mut put: impl FnMut(usize, u128)) {
        let mut heads: Vec<_> = ranges.iter().map(|range| range.iter().copied()).collect();
        let mut next: Vec<Option<u128>> = heads.iter_mut().map(Iterator::next).collect();
        loop {
            // There are as many runs as threads: looking at each head is as quick as a heap.
            let waiting = next.iter().enumerate();
            let waiting = waiting.filter_map(|(run, entry)| Some((run, (*entry)?)));
            let least = waiting.reduce(|a, b| if self.is_before(b, a) { b } else { a });
            let Some((run, entry)) = least else {
                return;
            };
            put(run, entry);
            if let (Some(next), Some(head)) = (next.get_mut(run), heads.get_mut(run)) {
                *next = head.next();
            }
        }
    }
}

/// Merges two ranges; `is_after` tells of an entry of the first and one of the second that the second comes first.
fn merge_two(
    a: &[u128],
    b: &[u128],
    is_after: impl Fn(u128, u128) -> bool,
    mut put: impl FnMut(usize, u128),
) {
    let (mut at_a, mut at_b) = (0, 0);
    while let (Some(from_a), Some(from_b)) = (a.get(at_a), b.get(at_b)) {
        // Which one comes next is anybody's guess, so nothing branches on it.
        let takes_b = is_after(*from_a, *from_b);
        put(
            usize::from(takes_b),
            if takes_b { *from_b } else { *from_a },
        );
        at_a += usize::from(!takes_b);
        at_b += usize::from(takes_b);
    }
    for entry in a.get(at_a..).unwrap_or_default() {
        put(0, *entry);
    }
    for entry in b.get(at_b..).unwrap_or_default() {
        put(1, *entry);
    }
}

impl Changes {
    fn see(&mut self, code: u128, at: u32) {
        match &mut self.ends {
            None => self.ends = Some((code, code)),
            Some((_, last)) => {
                if *last != code {
                    *last = code;
                    self.rows.push(at);
                }
            }
        }
    }
}

/// The changes of all ranges, the first row included.
fn joined(ranges: &[Changes]) -> Vec<u32> {
    let mut starts = Vec::with_capacity(ranges.iter().map(|r| r.rows.len() + 1).sum());
    let mut last = None;
    for range in ranges {
        let Some((first, end)) = range.ends else {
            continue;
        };
        if last != Some(first) {
            starts.push(range.first);
        }
        starts.extend_from_slice(&range.rows);
        last = Some(end);
    }
    starts
}
