//! Entries of an index in memory: gathered in any order, then sorted by key and row id.

use llkv_types::RowId;

/// Keys and row ids as they come.
#[derive(Debug, Default)]
pub(crate) struct EntryBuffer {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A key's first bytes as a number, its place in the buffer, and its row.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Sixteen bytes: all of a key of one number, so that sorting looks at nothing else.
    first: u128,
    start: usize,
    len: usize,
    row_id: RowId,
}

const FIRST_BYTES: usize = 16;

impl EntryBuffer {
    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) {
        let mut first = [0; FIRST_BYTES];
        for (to, from) in first.iter_mut().zip(key) {
            *to = *from;
        }
        self.entries.push(Entry {
            first: u128::from_be_bytes(first),
            start: self.bytes.len(),
            len: key.len(),
            row_id,
        });
        self.bytes.extend_from_slice(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Takes over the entries of another buffer.
    pub(crate) fn append(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.entries.extend(other.entries.iter().map(|e| Entry {
            start: base + e.start,
            ..*e
        }));
    }

    /// Sorts, and gives the entries one by one.
    pub(crate) fn sorted(&mut self) -> impl Iterator<Item = (&[u8], RowId)> {
        let bytes = &self.bytes;
        self.entries.sort_unstable_by(|a, b| {
            (a.first.cmp(&b.first))
                .then_with(|| match a.len.max(b.len) {
                    // What is missing to sixteen bytes counts as zeros.
                    0..=FIRST_BYTES => a.len.cmp(&b.len),
                    _ => key_of(bytes, a).cmp(key_of(bytes, b)),
                })
                .then_with(|| a.row_id.cmp(&b.row_id))
        });
        let entries = self.entries.iter();
        entries.map(|entry| (key_of(bytes, entry), entry.row_id))
    }
}

fn key_of<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    bytes
        .get(entry.start..entry.start + entry.len)
        .unwrap_or_default()
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
