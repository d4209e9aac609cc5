//! Entries of an index in memory: gathered in any order, then sorted by key and row id.

use super::merge::shared_bytes;
use llkv_result::Result;
use llkv_types::RowId;
use rayon::iter::{IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use std::ops::Range;

/// Keys and row ids as they come.
#[derive(Debug)]
pub(crate) struct EntryBuffer {
    /// Entries of short keys of one form, as long as no other key has come.
    short: Vec<ShortEntry>,
    form: Option<ShortForm>,
    /// Keys that are longer than [`FIRST_BYTES`], each behind its length.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// How many will come, about: room for them is made at once, and not by copying what is there.
    expected: usize,
    /// What all of them may take.
    limit_bytes: usize,
}

/// A key of one number: what follows its first byte, as the upper bytes of an integer, and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ShortEntry {
    rest: u64,
    row_id: RowId,
}

/// What the keys of short entries have in common.
#[derive(Debug, Clone, Copy)]
struct ShortForm {
    first: u8,
    /// Bytes of a key: the first one and at most eight more.
    len: usize,
}

/// A key's first bytes, its place, and its row.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// All of a key of one number, so that sorting looks at nothing else; zeros follow a shorter one. While many long keys are
    /// sorted, the bytes behind those that all of them begin with.
    first: [u8; FIRST_BYTES],
    /// The length of a key that fits above; else [`LONG`], and in the higher bits where its length stands.
    place: u64,
    row_id: RowId,
}

const FIRST_BYTES: usize = 16;
const LONG: u64 = 31;
const LENGTH_BITS: u32 = 5;
const LENGTH_BYTES: usize = size_of::<u64>();
/// So many entries are sorted by several threads.
const PARALLEL_ENTRIES: usize = 1 << 17;

impl Default for EntryBuffer {
    /// A buffer without a limit.
    fn default() -> Self {
        Self::with_room(0, usize::MAX)
    }
}

impl EntryBuffer {
    /// An empty buffer for so many entries, as far as `limit_bytes` go.
    pub(crate) fn with_room(entries: usize, limit_bytes: usize) -> Self {
        Self {
            short: Vec::new(),
            form: None,
            bytes: Vec::new(),
            entries: Vec::new(),
            expected: entries,
            limit_bytes,
        }
    }

    /// Adds an entry to a buffer without a limit.
    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) {
        let pushed = self.push_within(key, row_id);
        debug_assert!(pushed, "a buffer with a limit");
    }

    /// Adds an entry; false where it would take more than the limit. An empty buffer takes any.
    #[must_use]
    pub(crate) fn push_within(&mut self, key: &[u8], row_id: RowId) -> bool {
        if self.entries.is_empty() {
            if let Some(rest) = self.short_rest(key) {
                if self.short.is_empty() {
                    let room = self.limit_bytes / size_of::<ShortEntry>();
                    self.short.reserve_exact(self.expected.min(room));
                }
                if !self.has_room(grown(&self.short, 1), 0) {
                    return false;
                }
                self.short.push(ShortEntry { rest, row_id });
                return true;
            }
            let as_long = self.short.len() * size_of::<Entry>();
            if !self.has_room(as_long, size_of_val(self.short.as_slice())) {
                return false;
            }
            self.make_long(key.len());
        }
        let of_key = if key.len() > FIRST_BYTES {
            LENGTH_BYTES + key.len()
        } else {
            0
        };
        let (entries, bytes) = (grown(&self.entries, 1), grown(&self.bytes, of_key));
        if !self.has_room(entries, bytes) {
            return false;
        }
        self.push_long(key, row_id);
        true
    }

    fn has_room(&self, entry_bytes: usize, key_bytes: usize) -> bool {
        entry_bytes.saturating_add(key_bytes) <= self.limit_bytes || self.len() == 0
    }

    /// What follows the first byte, where the key is of the form of all before it.
    fn short_rest(&mut self, key: &[u8]) -> Option<u64> {
        let (first, rest) = key.split_first()?;
        let shift = u32::try_from(size_of::<u64>().checked_sub(rest.len())?).ok()? * u8::BITS;
        let (len, first) = (key.len(), *first);
        let form = self.form.get_or_insert(ShortForm { first, len });
        if (form.first, form.len) != (first, len) {
            return None;
        }
        let number = rest
            .iter()
            .fold(0, |n, byte| n << u8::BITS | u64::from(*byte));
        Some(number.checked_shl(shift).unwrap_or(0))
    }

    /// Gives up the short form of what is there, for keys of about so many bytes.
    fn make_long(&mut self, key_len: usize) {
        let short = std::mem::take(&mut self.short);
        let of_key = match key_len {
            ..=FIRST_BYTES => 0,
            len => LENGTH_BYTES + len,
        };
        let room = self.limit_bytes / (size_of::<Entry>() + of_key);
        let entries = self.expected.min(room).max(short.len() + 1);
        self.entries.reserve_exact(entries);
        self.bytes.reserve_exact(self.expected.min(room) * of_key);
        let Some(form) = self.form else { return };
        for entry in short {
            self.push_long(entry.key(form, &mut [0; SHORT_BYTES]), entry.row_id);
        }
    }

    fn push_long(&mut self, key: &[u8], row_id: RowId) {
        let first = first_of(key);
        let place = if key.len() <= FIRST_BYTES {
            key.len() as u64
        } else {
            let start = self.bytes.len() as u64;
            self.bytes
                .extend_from_slice(&(key.len() as u64).to_le_bytes());
            self.bytes.extend_from_slice(key);
            start << LENGTH_BITS | LONG
        };
        self.entries.push(Entry {
            first,
            place,
            row_id,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.entries.len()
    }

    /// Sorts the entries.
    pub(crate) fn sort(&mut self) {
        let is_many = self.len() >= PARALLEL_ENTRIES;
        if self.entries.is_empty() {
            return match is_many {
                true => self.short.par_sort_unstable(),
                false => self.short.sort_unstable(),
            };
        }
        if is_many {
            self.skip_shared();
        }
        let bytes = &self.bytes;
        let order = |a: &Entry, b: &Entry| {
            let number = |entry: &Entry| u128::from_be_bytes(entry.first);
            (number(a).cmp(&number(b)))
                .then_with(|| match (a.short_len(), b.short_len()) {
                    // What is missing to sixteen bytes counts as zeros.
                    (Some(a), Some(b)) => a.cmp(&b),
                    _ => a.key(bytes).cmp(b.key(bytes)),
                })
                .then_with(|| a.row_id.cmp(&b.row_id))
        };
        match is_many {
            true => self.entries.par_sort_unstable_by(order),
            false => self.entries.sort_unstable_by(order),
        }
    }

    /// Where all keys are long, those bytes of each come first that follow what they all begin with.
    fn skip_shared(&mut self) {
        let Self { bytes, entries, .. } = self;
        let Some(example) = entries.first().map(|entry| entry.key(bytes)) else {
            return;
        };
        let shared_with = |entry: &Entry| match entry.short_len() {
            Some(_) => 0,
            None => shared_bytes(example, entry.key(bytes)),
        };
        let shared = entries.par_iter().map(shared_with).min().unwrap_or(0);
        if shared == 0 {
            return;
        }
        entries.par_iter_mut().for_each(|entry| {
            let rest = entry.key(bytes).get(shared..).unwrap_or_default();
            entry.first = first_of(rest);
        });
    }

    /// Hands over some of the sorted entries one by one.
    ///
    /// # Errors
    /// That of `each`.
    pub(crate) fn for_each(
        &self,
        range: Range<usize>,
        mut each: impl FnMut(&[u8], RowId) -> Result<()>,
    ) -> Result<()> {
        if let Some(form) = self.form.filter(|_| self.entries.is_empty()) {
            let mut key = [0; SHORT_BYTES];
            let mut entries = self.short.get(range).unwrap_or_default().iter();
            return entries.try_for_each(|entry| each(entry.key(form, &mut key), entry.row_id));
        }
        let mut entries = self.entries.get(range).unwrap_or_default().iter();
        entries.try_for_each(|entry| each(entry.key(&self.bytes), entry.row_id))
    }
}

/// The first bytes of a key.
fn first_of(key: &[u8]) -> [u8; FIRST_BYTES] {
    if let Some(first) = key.first_chunk() {
        return *first;
    }
    let mut first = [0; FIRST_BYTES];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    first
}

/// Bytes that a vector takes once so many more elements have come, what is copied meanwhile among it.
fn grown<T>(vec: &Vec<T>, more: usize) -> usize {
    let (len, capacity) = (vec.len() + more, vec.capacity());
    let elements = match len <= capacity {
        true => capacity,
        false => capacity + len.max(2 * capacity),
    };
    elements.saturating_mul(size_of::<T>())
}

const SHORT_BYTES: usize = 1 + size_of::<u64>();

impl ShortEntry {
    /// The key, put together in `key`.
    fn key(self, form: ShortForm, key: &mut [u8; SHORT_BYTES]) -> &[u8] {
        if let Some((first, rest)) = key.split_first_mut() {
            *first = form.first;
            rest.copy_from_slice(&self.rest.to_be_bytes());
        }
        key.get(..form.len).unwrap_or_default()
    }
}

impl Entry {
    /// The length of a key that lies in the entry itself.
    fn short_len(&self) -> Option<u64> {
        let len = self.place & LONG;
        (len != LONG).then_some(len)
    }

    /// The key. `bytes`: the long keys of the buffer.
    fn key<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        if let Some(len) = self.short_len() {
            return self.first.get(..len as usize).unwrap_or_default();
        }
        let start = (self.place >> LENGTH_BITS) as usize;
        let rest = bytes.get(start..).unwrap_or_default();
        let Some((len, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return &[];
        };
        let len = u64::from_le_bytes(*len) as usize;
        rest.get(..len).unwrap_or_default()
    }
}

/// Entries in order, for look-ups: those of one batch of committed rows.
#[derive(Debug, Default)]
pub(crate) struct SortedKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    row_ids: Vec<RowId>,
}

impl SortedKeys {
    pub(crate) fn of(mut buffer: EntryBuffer) -> Result<Self> {
        let mut sorted = Self::default();
        buffer.sort();
        buffer.for_each(0..buffer.len(), |key, row_id| {
            sorted.bytes.extend_from_slice(key);
            sorted.ends.push(sorted.bytes.len());
            sorted.row_ids.push(row_id);
            Ok(())
        })?;
        Ok(sorted)
    }

    fn key(&self, at: usize) -> &[u8] {
        let start = match at.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Rows whose keys lie in a range.
    pub(crate) fn find(&self, range: &super::KeyRange, out: &mut Vec<RowId>) {
        let from = first_where(self.ends.len(), |at| self.key(at) >= &*range.low);
        for (at, row_id) in self.row_ids.iter().enumerate().skip(from) {
            if range
                .high
                .as_ref()
                .is_some_and(|high| self.key(at) >= &**high)
            {
                break;
            }
            out.push(*row_id);
        }
    }
}

/// The first of `0..len` for which a test is true that is true from there on; `len` for none.
pub(crate) fn first_where(len: usize, test: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if test(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::KeyRange;
    use proptest::prelude::*;

    #[test]
    fn entries_come_out_in_order_and_are_found() {
        let mut buffer = EntryBuffer::default();
        let keys: [&[u8]; 6] = [
            b"pear",
            b"a long key that shares",
            b"",
            b"a long key that",
            b"fig",
            b"fig",
        ];
        for (row_id, key) in keys.iter().enumerate() {
            buffer.push(key, row_id as u64);
        }
        let sorted = SortedKeys::of(buffer).unwrap();
        let find = |low: &[u8], high: Option<&[u8]>| {
            let mut out = Vec::new();
            let high = high.map(Into::into);
            sorted.find(
                &KeyRange {
                    low: low.into(),
                    high,
                },
                &mut out,
            );
            out
        };
        assert_eq!(find(b"", None), [2, 3, 1, 4, 5, 0]);
        assert_eq!(find(b"fig", Some(b"fig\0")), [4, 5]);
        assert_eq!(find(b"b", Some(b"f")), [] as [u64; 0]);
        assert_eq!(find(b"a long key that s", Some(b"g")), [1, 4, 5]);
    }

    #[test]
    fn many_long_keys_are_ordered_by_what_they_do_not_share() {
        // A short key among them, and they share nothing.
        for short in [None, Some(b"a"), Some(b"s")] {
            let rows = PARALLEL_ENTRIES as u64 + 1_000;
            let text = |n: u64| format!("shared by all keys {:05} {}", n * 7_919 % 99_991, n % 3);
            let mut entries: Vec<_> = (0..rows).map(|n| (text(n).into_bytes(), n)).collect();
            entries.extend(short.map(|key| (key.to_vec(), rows)));
            let mut buffer = EntryBuffer::default();
            for (key, row_id) in &entries {
                buffer.push(key, *row_id);
            }
            buffer.sort();
            entries.sort();
            let mut at = 0;
            let sorted = buffer.for_each(0..buffer.len(), |key, row_id| {
                assert_eq!((key, row_id), (entries[at].0.as_slice(), entries[at].1));
                at += 1;
                Ok(())
            });
            sorted.unwrap();
            assert_eq!(at, entries.len());
        }
    }

    proptest! {
        #[test]
        fn keys_of_any_form_come_out_in_order(
            forms in prop::collection::vec((0_u8..2, 0_usize..12), 1..4),
            keys in prop::collection::vec((any::<usize>(), any::<[u8; 11]>()), 0..200),
            expected in 0_usize..300,
        ) {
            // One form mostly, as the columns of a key make it.
            let form = |at: usize| forms.get((at % 97) % forms.len()).copied().unwrap_or_default();
            let keys = keys.into_iter().map(|(at, rest)| {
                let (first, len) = form(at);
                let mut key = vec![first];
                key.extend(rest.iter().take(len).map(|byte| byte % 3));
                key
            });
            let entries: Vec<(Vec<u8>, RowId)> = keys.zip(0..).collect();
            let limit_bytes = if expected % 2 == 0 { 1 << 10 } else { usize::MAX };
            let mut buffer = EntryBuffer::with_room(expected, limit_bytes);
            let mut at = 0;
            while at < entries.len() {
                let from = at;
                while let Some((key, row_id)) = entries.get(at) && buffer.push_within(key, *row_id) {
                    let reserved = grown(&buffer.short, 0) + grown(&buffer.entries, 0) + grown(&buffer.bytes, 0);
                    prop_assert!(reserved <= limit_bytes || buffer.len() == 1);
                    at += 1;
                }
                prop_assert_eq!(buffer.len(), at - from);
                prop_assert!(at > from && (at == entries.len() || limit_bytes < usize::MAX));
                let mut found = Vec::new();
                buffer.sort();
                buffer
                    .for_each(0..buffer.len(), |key, row_id| {
                        found.push((key.to_vec(), row_id));
                        Ok(())
                    })
                    .unwrap();
                let mut expected_entries = entries[from..at].to_vec();
                expected_entries.sort();
                prop_assert_eq!(found, expected_entries);
                buffer = EntryBuffer::with_room(expected, limit_bytes);
            }
        }
    }
}
