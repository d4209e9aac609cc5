//! Entries of an index in memory: gathered in any order, then sorted by key and row id.

use llkv_types::RowId;
use rayon::slice::ParallelSliceMut;

/// Keys and row ids as they come.
#[derive(Debug, Default)]
pub(crate) struct EntryBuffer {
    /// Keys that are longer than [`FIRST_BYTES`], each behind its length.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A key's first bytes, its place, and its row.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// All of a key of one number, so that sorting looks at nothing else; zeros follow a shorter one.
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

impl EntryBuffer {
    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) {
        let mut first = [0; FIRST_BYTES];
        for (to, from) in first.iter_mut().zip(key) {
            *to = *from;
        }
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
        self.entries.len()
    }

    /// Bytes in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Sorts, and gives the entries one by one.
    pub(crate) fn sorted(&mut self) -> impl Iterator<Item = (&[u8], RowId)> {
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
        match self.entries.len() >= PARALLEL_ENTRIES {
            true => self.entries.par_sort_unstable_by(order),
            false => self.entries.sort_unstable_by(order),
        }
        let entries = self.entries.iter();
        entries.map(|entry| (entry.key(bytes), entry.row_id))
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
    pub(crate) fn of(mut buffer: EntryBuffer) -> Self {
        let mut sorted = Self::default();
        for (key, row_id) in buffer.sorted() {
            sorted.bytes.extend_from_slice(key);
            sorted.ends.push(sorted.bytes.len());
            sorted.row_ids.push(row_id);
        }
        sorted
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
        let sorted = SortedKeys::of(buffer);
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
}
