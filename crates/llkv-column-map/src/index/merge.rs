//! Reads runs from front to back, and several as one: by one thread, or by several that have a range of the keys each.

use super::page::Page;
use super::run::{Directory, Run};
use super::writer::{PartWriter, RunPart, RunWriter, StagedRun};
use llkv_result::Result;
use llkv_types::RowId;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Fewer entries than these are merged by one thread.
const PARALLEL_ENTRIES: u64 = 1 << 17;
/// Ranges for each thread: not all take the same time.
const RANGES_PER_THREAD: usize = 2;
/// Bytes of keys, behind those that all of them share, that are compared as a number.
const NUMBER_BYTES: usize = size_of::<u128>();

/// A run that is read.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Stored(&'a Run),
    Staged(&'a StagedRun),
}

impl<'a> Source<'a> {
    fn directory(self) -> Result<&'a Directory> {
        match self {
            Self::Stored(run) => run.directory(),
            Self::Staged(run) => Ok(&run.directory),
        }
    }

    fn entries(self) -> u64 {
        match self {
            Self::Stored(run) => run.entries(),
            Self::Staged(run) => run.entries(),
        }
    }

    /// A page, which is not kept; none behind the last.
    fn page(self, at: usize) -> Result<Option<Page>> {
        let blob = match self {
            Self::Stored(run) if at < run.page_count() => Some(run.read(at as u64 + 2)?),
            Self::Stored(_) => None,
            Self::Staged(run) => run.blobs.get(at).cloned(),
        };
        blob.map(Page::open).transpose()
    }

    /// The place of the first entry at or above a key.
    fn place_of(self, key: &[u8]) -> Result<Place> {
        let at = self.directory()?.page_of(key);
        let page = self.page(at)?;
        let entry = page.map_or(0, |page| page.lower_bound(key));
        Ok(Place { page: at, entry })
    }
}

/// Where an entry stands. The end of a page may stand for the beginning of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    page: usize,
    entry: usize,
}

/// A run, or a range of its keys, that is read from front to back.
pub(super) struct Cursor<'a> {
    source: Source<'a>,
    page: Option<Page>,
    next: Place,
    end: Option<Place>,
}

impl<'a> Cursor<'a> {
    /// Before the first entry.
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            page: None,
            next: Place { page: 0, entry: 0 },
            end: None,
        }
    }

    /// Before the first entry of a range.
    fn within(source: Source<'a>, range: &Range) -> Result<Self> {
        let mut cursor = Self::new(source);
        if let Some(low) = &range.low {
            cursor.next = source.place_of(low)?;
        }
        let end = range.high.as_ref().map(|high| source.place_of(high));
        cursor.end = end.transpose()?;
        Ok(cursor)
    }

    /// The row of the next entry, whose key is put into `key`; none at the end.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub(super) fn advance(&mut self, key: &mut Vec<u8>) -> Result<Option<RowId>> {
        loop {
            if self.end.is_some_and(|end| self.next >= end) {
                return Ok(None);
            }
            if self.page.is_none() {
                self.page = self.source.page(self.next.page)?;
            }
            let Some(page) = &self.page else {
                return Ok(None);
            };
            let at = self.next.entry;
            if at < page.len() {
                page.key_into(at, key);
                self.next.entry += 1;
                return Ok(Some(page.row_id(at)));
            }
            self.page = None;
            self.next = Place {
                page: self.next.page + 1,
                entry: 0,
            };
        }
    }
}

/// Keys from one on, up to another and without it; none is no bound.
#[derive(Debug, Clone, Default)]
struct Range {
    low: Option<Vec<u8>>,
    high: Option<Vec<u8>>,
}

/// The entries of runs, in order, as the parts of another. Those for which `is_needed` is false, told by the place of their
/// run among `sources` and their row, are left out.
///
/// # Errors
/// When a page cannot be read or is damaged, or the pager fails.
pub(super) fn merge(
    sources: &[Source],
    writer: &RunWriter,
    is_needed: impl Fn(usize, RowId) -> bool + Sync,
) -> Result<Vec<RunPart>> {
    let merge = |range: &Range| merge_range(sources, range, writer.part(), &is_needed);
    let entries: u64 = sources.iter().map(|source| source.entries()).sum();
    if entries < PARALLEL_ENTRIES {
        return Ok(vec![merge(&Range::default())?]);
    }
    let ranges = ranges(sources, RANGES_PER_THREAD * rayon::current_num_threads())?;
    ranges.par_iter().map(merge).collect()
}

/// All keys, in at most so many ranges of about as many pages each.
fn ranges(sources: &[Source], most: usize) -> Result<Vec<Range>> {
    let mut fences: Vec<&[u8]> = Vec::new();
    for source in sources {
        let directory = source.directory()?;
        fences.extend(directory.fences.iter().map(Vec::as_slice));
    }
    fences.sort_unstable();
    let bounds = (1..most).filter_map(|at| fences.get(at * fences.len() / most));
    let mut bounds: Vec<&[u8]> = bounds.copied().collect();
    bounds.dedup();
    let mut ranges = Vec::with_capacity(bounds.len() + 1);
    let mut low = None;
    for bound in bounds {
        ranges.push(Range {
            low: low.replace(bound.to_vec()),
            high: Some(bound.to_vec()),
        });
    }
    ranges.push(Range { low, high: None });
    Ok(ranges)
}

/// The next entry of a run.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    /// What follows the bytes that all keys share.
    number: u128,
    key: Vec<u8>,
    row_id: RowId,
    /// The place of the run.
    at: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.number.cmp(&other.number))
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| self.row_id.cmp(&other.row_id))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn merge_range(
    sources: &[Source],
    range: &Range,
    mut writer: PartWriter,
    is_needed: &impl Fn(usize, RowId) -> bool,
) -> Result<RunPart> {
    let mut cursors = Vec::with_capacity(sources.len());
    let mut heads = Vec::with_capacity(sources.len());
    let mut last: Option<&[u8]> = range.high.as_deref();
    for (at, source) in sources.iter().enumerate() {
        let mut cursor = Cursor::within(*source, range)?;
        let mut key = Vec::new();
        if let Some(row_id) = cursor.advance(&mut key)? {
            heads.push(Head {
                number: 0,
                key,
                row_id,
                at,
            });
        }
        cursors.push(cursor);
        if range.high.is_none() {
            last = last.max(Some(&source.directory()?.last_key));
        }
    }
    // Keys between two share what those share.
    let first = heads.iter().map(|head| head.key.as_slice()).min();
    let shared = shared_bytes(first.unwrap_or_default(), last.unwrap_or_default());
    for head in &mut heads {
        head.number = number_at(&head.key, shared);
    }
    let mut heap: BinaryHeap<Reverse<Head>> = heads.into_iter().map(Reverse).collect();
    while let Some(mut first) = heap.peek_mut() {
        let Reverse(head) = &mut *first;
        if is_needed(head.at, head.row_id) {
            writer.push(&head.key, head.row_id)?;
        }
        let cursor = cursors.get_mut(head.at);
        let next = cursor.map(|cursor| cursor.advance(&mut head.key));
        match next.transpose()?.flatten() {
            Some(row_id) => {
                head.row_id = row_id;
                head.number = number_at(&head.key, shared);
            }
            None => {
                PeekMut::pop(first);
            }
        }
    }
    writer.finish()
}

/// How many bytes two keys begin with alike.
pub(super) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The bytes of a key from `start` on as a number that is in the order of keys, or the same for some; zeros follow a shorter key.
fn number_at(key: &[u8], start: usize) -> u128 {
    let rest = key.get(start..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<NUMBER_BYTES>() {
        return u128::from_be_bytes(*bytes);
    }
    let mut bytes = [0; NUMBER_BYTES];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_storage::MemPager;
    use llkv_types::CancelToken;

    /// Keys that share their first bytes, some of which others begin with, and some of which are the same.
    fn key(n: u64) -> Vec<u8> {
        let mut key = b"shared by all: ".to_vec();
        key.extend_from_slice(
            format!("{:03}{}", n % 997, "0".repeat((n % 23) as usize)).as_bytes(),
        );
        if n.is_multiple_of(5) {
            key.extend_from_slice(&n.to_be_bytes());
        }
        key
    }

    fn run_of(pager: &MemPager, entries: &[(Vec<u8>, RowId)]) -> StagedRun {
        let cancel = &CancelToken::new();
        let run = RunWriter::without_filter(pager, cancel);
        let mut part = run.part();
        for (key, row_id) in entries {
            part.push(key, *row_id).unwrap();
        }
        let part = part.finish().unwrap();
        run.finish([part]).unwrap().unwrap()
    }

    fn entries_of(run: &StagedRun) -> Vec<(Vec<u8>, RowId)> {
        let mut cursor = Cursor::new(Source::Staged(run));
        let (mut key, mut found) = (Vec::new(), Vec::new());
        while let Some(row_id) = cursor.advance(&mut key).unwrap() {
            found.push((key.clone(), row_id));
        }
        found
    }

    #[test]
    fn runs_of_any_size_become_one_in_order() {
        for (rows, is_parallel) in [(3_000, false), (150_000, true)] {
            assert_eq!(rows >= PARALLEL_ENTRIES, is_parallel);
            let pager = MemPager::new();
            let mut runs = vec![Vec::new(); 5];
            for n in 0..rows {
                runs[(n % 7 % 5) as usize].push((key(n), n));
            }
            runs.iter_mut().for_each(|run| run.sort());
            let mut expected: Vec<_> = runs.concat();
            expected.retain(|(_, row_id)| row_id % 3 != 0);
            expected.sort();
            let runs: Vec<StagedRun> = runs.iter().map(|run| run_of(&pager, run)).collect();
            let sources: Vec<Source> = runs.iter().map(Source::Staged).collect();
            let cancel = &CancelToken::new();
            let writer = RunWriter::new(&pager, cancel, rows, usize::MAX);
            let parts = merge(&sources, &writer, |_, row_id| row_id % 3 != 0).unwrap();
            assert_eq!(parts.len() > 1, is_parallel);
            let merged = writer.finish(parts).unwrap().unwrap();
            assert!(merged.has_filter());
            assert_eq!(merged.entries(), expected.len() as u64);
            assert_eq!(entries_of(&merged), expected);
        }
    }

    #[test]
    fn ranges_hold_each_key_once() {
        let pager = MemPager::new();
        let mut entries: Vec<_> = (0..60_000).map(|n| (key(n), n)).collect();
        entries.sort();
        let run = run_of(&pager, &entries);
        let source = Source::Staged(&run);
        let ranges = ranges(&[source, source], 7).unwrap();
        assert!(ranges.len() > 3);
        let mut found = Vec::new();
        for range in &ranges {
            let mut cursor = Cursor::within(source, range).unwrap();
            let mut key = Vec::new();
            while let Some(row_id) = cursor.advance(&mut key).unwrap() {
                assert!(range.low.as_ref().is_none_or(|low| *low <= key));
                assert!(range.high.as_ref().is_none_or(|high| *high > key));
                found.push((key.clone(), row_id));
            }
        }
        assert_eq!(found, entries);
    }
}
