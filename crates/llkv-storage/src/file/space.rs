//! Free space of the main file: who may write where, and what a root may call free.

use super::GRANULE;
use super::lent::Lent;
use llkv_result::Result;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Extents begin behind the second root slot.
pub(crate) const FIRST_EXTENT: u64 = 68 << 10;

/// The largest file: offsets are kept as 48 bits of granules, lengths as 48 bits of bytes.
pub(crate) const MAX_FILE: u64 = 1 << 48;

/// The allocator. All lengths and offsets within are whole granules.
#[derive(Debug)]
pub(crate) struct Space {
    state: Mutex<State>,
    lent: Arc<Lent>,
}

#[derive(Debug)]
struct State {
    /// offset -> length, never adjacent.
    free: BTreeMap<u64, u64>,
    /// (length, offset) of the same ranges.
    by_size: BTreeSet<(u64, u64)>,
    free_bytes: u64,
    /// Take the first range that fits, not the smallest.
    prefer_front: bool,
    /// One past the last allocated or free granule.
    end: u64,
    /// Allocated extents whose standing differs between the durable root and the current tree.
    tracked: HashMap<u64, Tracked>,
    /// Extents that blobs of former handles still look at: length, and whether it would be free.
    foreign: HashMap<u64, (u64, bool)>,
}

/// An extent that is not simply "reachable from the durable root and from the tree".
#[derive(Debug, Clone, Copy)]
struct Tracked {
    len: u64,
    /// The epoch in which the tree got it; `None` while nothing refers to it.
    adopted: Option<u64>,
    /// The epoch in which the tree let go of it.
    removed: Option<u64>,
}

impl Tracked {
    /// Whether a root that covers all epochs up to `epoch` reaches it.
    fn is_reachable(&self, epoch: u64) -> bool {
        self.adopted.is_some_and(|e| e <= epoch) && self.removed.is_none_or(|e| e > epoch)
    }
}

fn granules(len: u64) -> u64 {
    len.max(1).next_multiple_of(GRANULE)
}

impl Space {
    /// The space of a file that ends at `end`, all of it in use.
    pub(crate) fn new(end: u64, lent: Arc<Lent>) -> Self {
        let foreign = lent.extents().into_iter();
        let state = State {
            free: BTreeMap::new(),
            by_size: BTreeSet::new(),
            free_bytes: 0,
            prefer_front: false,
            end: end.max(FIRST_EXTENT),
            tracked: HashMap::new(),
            foreign: foreign
                .map(|(offset, len)| (offset, (len, false)))
                .collect(),
        };
        Self {
            state: Mutex::new(state),
            lent,
        }
    }

    /// The register of mapped bytes that blobs look at.
    pub(crate) fn lent(&self) -> &Lent {
        &self.lent
    }

    /// The free ranges of the root (checked by the caller to be whole granules, ascending, apart and
    /// within).
    pub(crate) fn fill(&self, free: &[(u64, u64)]) {
        let mut state = self.state.lock();
        for (offset, len) in free {
            state.insert_free(*offset, *len);
        }
        let foreign: Vec<(u64, u64)> = state.foreign.iter().map(|(o, (l, _))| (*o, *l)).collect();
        drop(state);
        for (offset, len) in foreign {
            // What blobs look at and no root names is neither free nor anybody's.
            let unowned = self.claim(offset, len);
            if let Some((_, claimed)) = self.state.lock().foreign.get_mut(&offset) {
                *claimed = unowned;
            }
        }
    }

    /// Room for `len` bytes: the smallest free range that fits, else the end of the file.
    /// `None` when the file cannot grow any more.
    pub(crate) fn allocate(&self, len: u64) -> Option<u64> {
        let len = granules(len);
        let mut state = self.state.lock();
        let fit = match state.prefer_front {
            true => state.first_fit(len),
            false => state.by_size.range((len, 0)..).next().copied(),
        };
        match fit {
            Some((have, offset)) => state.take(offset, have, len),
            None => {
                let offset = state.extend(len)?;
                state.track(offset, len);
                Some(offset)
            }
        }
    }

    /// Room for `len` bytes that ends at or before `limit`.
    pub(crate) fn allocate_before(&self, len: u64, limit: u64) -> Option<u64> {
        let len = granules(len);
        let mut state = self.state.lock();
        let (have, offset) = state.first_fit(len)?;
        if offset + len > limit {
            return None;
        }
        state.take(offset, have, len)
    }

    /// Whether allocations take the first range that fits: while a file is packed.
    pub(crate) fn prefer_front(&self, prefer: bool) {
        self.state.lock().prefer_front = prefer;
    }

    /// True when an eighth of the file is free, and at least `least` bytes.
    pub(crate) fn is_worth_packing(&self, least: u64) -> bool {
        let state = self.state.lock();
        state.free_bytes >= least && state.free_bytes * 8 >= state.end
    }

    /// Where to cut the file: what lies behind has room before, and is at most `budget` bytes.
    pub(crate) fn cut_for_packing(&self, budget: u64) -> Option<u64> {
        let state = self.state.lock();
        let (mut cut, mut behind) = (state.end, 0);
        let mut room = state.free_bytes;
        for (offset, len) in state.free.iter().rev() {
            let stop = offset + len;
            let live = cut - stop;
            let most = budget.min(room).saturating_sub(behind);
            if live > most {
                cut -= most / GRANULE * GRANULE;
                break;
            }
            behind += live;
            cut = stop;
            // Behind the cut, the range itself is no room any more.
            room -= len;
            if behind > room {
                break;
            }
            cut = *offset;
        }
        (cut < state.end).then_some(cut)
    }

    /// Takes a named range out of the free space, for replaying a frame that refers to it. False
    /// when it is not free.
    pub(crate) fn claim(&self, offset: u64, len: u64) -> bool {
        let aligned = offset.is_multiple_of(GRANULE) && offset >= FIRST_EXTENT;
        let Some(stop) = offset
            .checked_add(granules(len))
            .filter(|s| *s <= MAX_FILE && aligned)
        else {
            return false;
        };
        let len = stop - offset;
        let mut state = self.state.lock();
        if stop > state.end {
            let grown = stop - state.end;
            let at = state.end;
            state.end = stop;
            state.insert_free(at, grown);
        }
        let Some((start, have)) = state
            .free
            .range(..=offset)
            .next_back()
            .map(|(o, l)| (*o, *l))
        else {
            return false;
        };
        if start + have < stop {
            return false;
        }
        state.remove_free(start);
        if start < offset {
            state.insert_free(start, offset - start);
        }
        if stop < start + have {
            state.insert_free(stop, start + have - stop);
        }
        state.track(offset, len);
        true
    }

    /// The tree of `epoch` refers to the extent from now on.
    pub(crate) fn adopt(&self, offset: u64, epoch: u64) {
        if let Some(extent) = self.state.lock().tracked.get_mut(&offset) {
            extent.adopted = Some(epoch);
            extent.removed = None;
        }
    }

    /// The tree lets go of it in `epoch`.
    pub(crate) fn retire(&self, offset: u64, len: u64, epoch: u64) {
        let mut state = self.state.lock();
        let extent = state.tracked.entry(offset).or_insert(Tracked {
            len: granules(len),
            adopted: Some(0),
            removed: None,
        });
        extent.removed = Some(epoch);
    }

    /// The last holder let go of an extent that nothing refers to: it is free from now on.
    pub(crate) fn release(&self, offset: u64, len: u64) {
        let mut state = self.state.lock();
        if let Some((_, claimed)) = state.foreign.get_mut(&offset)
            && self.lent.has(offset)
        {
            *claimed = true;
            let unowned = Tracked {
                len: granules(len),
                adopted: None,
                removed: None,
            };
            state.tracked.insert(offset, unowned);
            return;
        }
        state.foreign.remove(&offset);
        state.tracked.remove(&offset);
        state.insert_free(offset, granules(len));
    }

    /// What a root that covers `epoch` calls free, ascending and apart, and where it ends the file.
    pub(crate) fn free_as_of(&self, epoch: u64) -> (Vec<(u64, u64)>, u64) {
        let state = self.state.lock();
        let mut ranges: BTreeMap<u64, u64> = state.free.clone();
        for (offset, extent) in &state.tracked {
            if !extent.is_reachable(epoch) {
                ranges.insert(*offset, extent.len);
            }
        }
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
        for (offset, len) in ranges {
            match merged.last_mut() {
                Some((start, have)) if *start + *have == offset => *have += len,
                _ => merged.push((offset, len)),
            }
        }
        let mut end = state.end;
        if let Some((offset, _)) = merged.pop_if(|(offset, len)| *offset + *len == end) {
            end = offset;
        }
        (merged, end)
    }

    /// Upper bound of the ranges that [`Space::free_as_of`] gives.
    pub(crate) fn free_range_bound(&self) -> usize {
        let state = self.state.lock();
        state.free.len() + state.tracked.len() + 2
    }

    /// A root that covers `epoch` is durable: what it reaches needs no more attention.
    pub(crate) fn settle(&self, epoch: u64) {
        let mut state = self.state.lock();
        state
            .tracked
            .retain(|_, e| !(e.removed.is_none() && e.is_reachable(epoch)));
        let State { foreign, .. } = &mut *state;
        let returned: Vec<_> = foreign
            .extract_if(|offset, _| !self.lent.has(*offset))
            .collect();
        for (offset, (len, claimed)) in returned {
            if claimed {
                state.tracked.remove(&offset);
                state.insert_free(offset, granules(len));
            }
        }
    }

    /// (bytes up to the end, free bytes among them).
    pub(crate) fn totals(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.end, state.free_bytes)
    }

    /// The extents whose standing differs between the durable root and the current tree.
    pub(crate) fn tracked_extents(&self) -> Vec<(u64, u64)> {
        let state = self.state.lock();
        state.tracked.iter().map(|(o, e)| (*o, e.len)).collect()
    }

    /// The free ranges, ascending.
    pub(crate) fn free_ranges(&self) -> Vec<(u64, u64)> {
        let state = self.state.lock();
        state.free.iter().map(|(o, l)| (*o, *l)).collect()
    }

    /// Forgets a free range at the very end of the file, and hands over the new end and the free ranges
    /// before it, to be given back to the disk. Nobody allocates meanwhile.
    pub(crate) fn give_back(
        &self,
        give: impl FnOnce(u64, &BTreeMap<u64, u64>) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        if let Some((offset, len)) = state.free.last_key_value().map(|(o, l)| (*o, *l))
            && offset + len == state.end
        {
            state.remove_free(offset);
            state.end = offset;
        }
        give(state.end, &state.free)
    }
}

impl State {
    /// The first free range that has room: its length and offset.
    fn first_fit(&self, len: u64) -> Option<(u64, u64)> {
        let fit = self.free.iter().find(|(_, have)| **have >= len);
        fit.map(|(offset, have)| (*have, *offset))
    }

    /// Takes the front of the free range at `offset`, which is `have` long.
    fn take(&mut self, offset: u64, have: u64, len: u64) -> Option<u64> {
        self.remove_free(offset);
        if have > len {
            self.insert_free(offset + len, have - len);
        }
        self.track(offset, len);
        Some(offset)
    }

    /// The extent belongs to whoever allocated it.
    fn track(&mut self, offset: u64, len: u64) {
        let unowned = Tracked {
            len,
            adopted: None,
            removed: None,
        };
        self.tracked.insert(offset, unowned);
    }

    /// Grows the file by what the last free range lacks.
    fn extend(&mut self, len: u64) -> Option<u64> {
        let last = self.free.last_key_value().map(|(o, l)| (*o, *l));
        let offset = match last {
            Some((offset, have)) if offset + have == self.end => offset,
            _ => self.end,
        };
        let end = offset.checked_add(len).filter(|end| *end <= MAX_FILE)?;
        if offset < self.end {
            self.remove_free(offset);
        }
        self.end = end;
        Some(offset)
    }

    fn insert_free(&mut self, offset: u64, len: u64) {
        let (mut start, mut stop) = (offset, offset + len);
        if let Some((before, have)) = self.free.range(..offset).next_back().map(|(o, l)| (*o, *l))
            && before + have == start
        {
            self.remove_free(before);
            start = before;
        }
        if let Some(have) = self.free.get(&stop).copied() {
            self.remove_free(stop);
            stop += have;
        }
        self.free.insert(start, stop - start);
        self.by_size.insert((stop - start, start));
        self.free_bytes += stop - start;
    }

    fn remove_free(&mut self, offset: u64) {
        if let Some(len) = self.free.remove(&offset) {
            self.by_size.remove(&(len, offset));
            self.free_bytes -= len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u64 = FIRST_EXTENT;

    #[test]
    fn the_smallest_range_that_fits_is_taken_and_neighbours_merge() {
        let space = Space::new(A, Arc::default());
        let one = space.allocate(5000).unwrap();
        let two = space.allocate(1).unwrap();
        let three = space.allocate(GRANULE).unwrap();
        assert_eq!((one, two, three), (A, A + 8192, A + 12_288));
        space.release(one, 5000);
        space.release(three, GRANULE);
        assert_eq!(space.allocate(4096), Some(three));
        space.release(three, 1);
        space.release(two, 1);
        assert_eq!(space.free_ranges(), [(A, 16_384)]);
        assert_eq!(
            space.allocate(20_000),
            Some(A),
            "the last range grows with the file"
        );
    }

    #[test]
    fn a_root_calls_free_what_it_does_not_reach() {
        let space = Space::new(A, Arc::default());
        let early = space.allocate(1).unwrap();
        let kept = space.allocate(1).unwrap();
        let gone = space.allocate(1).unwrap();
        let last = space.allocate(1).unwrap();
        for extent in [kept, gone, last] {
            space.adopt(extent, 1);
        }
        space.retire(gone, 1, 2);
        assert_eq!(space.free_as_of(1), (vec![(early, 4096)], A + 16_384));
        assert_eq!(space.free_as_of(2).0, [(early, 4096), (gone, 4096)]);
        space.settle(1);
        space.retire(last, 1, 2);
        assert_eq!(space.free_as_of(2), (vec![(early, 4096)], A + 8192));
    }

    #[test]
    fn claims_are_refused_where_nothing_is_free() {
        let space = Space::new(A + 8192, Arc::default());
        space.fill(&[(A, 4096)]);
        assert!(space.claim(A, 10));
        assert!(!space.claim(A, 10));
        assert!(!space.claim(A + 4096, 10), "allocated since the root");
        assert!(!space.claim(A + 1, 10));
        assert!(!space.claim(0, 10));
        assert!(!space.claim(u64::MAX - 4095, 10));
        assert!(space.claim(A + 16_384, 5000), "beyond the root's end");
        assert_eq!(space.free_ranges(), [(A + 8192, 8192)]);
    }
}
