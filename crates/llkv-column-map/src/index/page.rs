//! A page of a sorted run: some thousand entries in order, read where they lie.
//!
//! ```text
//! magic "LLKP" | entries u32 | bytes of the shared prefix u32 | bytes of a key after it u32, or 2^32 - 1
//! least row id u64 | bytes of a row id u32 (4 or 8) | 0 u32
//! row ids, each without the least one | the shared prefix
//! ends of the keys, u32 each, where their lengths differ | the keys without the prefix
//! ```

use super::entries::first_where;
use crate::bytes::{ByteReader, ByteWriter, damaged};
use llkv_result::Result;
use llkv_storage::Blob;
use llkv_types::RowId;
use std::ops::Range;

const MAGIC: u32 = u32::from_le_bytes(*b"LLKP");
const VARIABLE: u32 = u32::MAX;

/// Entries that wait to become a page.
#[derive(Debug, Default)]
pub(crate) struct PageWriter {
    keys: Vec<u8>,
    ends: Vec<usize>,
    row_ids: Vec<RowId>,
}

impl PageWriter {
    /// Adds an entry; entries come in order.
    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) {
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        self.row_ids.push(row_id);
    }

    pub(crate) fn len(&self) -> usize {
        self.row_ids.len()
    }

    /// Bytes that the page may take at the most, about.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() + self.row_ids.len() * 8
    }

    fn key(&self, at: usize) -> &[u8] {
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.keys.get(start..end).unwrap_or_default()
    }

    pub(crate) fn first_key(&self) -> &[u8] {
        self.key(0)
    }

    pub(crate) fn last_key(&self) -> &[u8] {
        self.key(self.len().saturating_sub(1))
    }

    /// The bytes of the page; the writer is empty again.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let (first, last) = (self.first_key(), self.last_key());
        let prefix = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let widths = || (0..self.len()).map(|at| self.key(at).len() - prefix);
        let width = widths().next().unwrap_or(0);
        let is_fixed = widths().all(|w| w == width);
        let least = self.row_ids.iter().min().copied().unwrap_or(0);
        let most = self.row_ids.iter().max().copied().unwrap_or(0);
        let id_bytes: u32 = if most - least <= u64::from(u32::MAX) {
            4
        } else {
            8
        };
        let mut out = ByteWriter::with_capacity(self.bytes() + 64);
        out.u32(MAGIC);
        out.u32(self.len() as u32);
        out.u32(prefix as u32);
        out.u32(if is_fixed { width as u32 } else { VARIABLE });
        out.u64(least);
        out.u32(id_bytes);
        out.u32(0);
        for row_id in &self.row_ids {
            match id_bytes {
                4 => out.u32((row_id - least) as u32),
                _ => out.u64(row_id - least),
            }
        }
        out.raw(first.get(..prefix).unwrap_or_default());
        if !is_fixed {
            let mut end = 0;
            for width in widths() {
                end += width;
                out.u32(end as u32);
            }
        }
        for at in 0..self.len() {
            out.raw(self.key(at).get(prefix..).unwrap_or_default());
        }
        *self = Self::default();
        out.into_vec()
    }
}

/// A page as it lies in the file. Any bytes give a page or an error; what a page says is checked at use.
#[derive(Debug)]
pub(crate) struct Page {
    blob: Blob,
    count: usize,
    least: RowId,
    id_bytes: usize,
    row_ids: Range<usize>,
    prefix: Range<usize>,
    ends: Range<usize>,
    keys: Range<usize>,
    /// Of all keys, after the prefix; none where they differ.
    width: Option<usize>,
}

impl Page {
    pub(crate) fn open(blob: Blob) -> Result<Self> {
        let mut input = ByteReader::new(blob.as_slice());
        if input.u32()? != MAGIC {
            return Err(damaged("an index page does not start with its mark"));
        }
        let (count, prefix, width) = (input.u32()? as usize, input.u32()? as usize, input.u32()?);
        let (least, id_bytes, _) = (input.u64()?, input.u32()? as usize, input.u32()?);
        if id_bytes != 4 && id_bytes != 8 {
            return Err(damaged(format!(
                "row ids of {id_bytes} bytes in an index page"
            )));
        }
        let width = (width != VARIABLE).then_some(width as usize);
        let mut at = 32usize;
        let mut part = |items: usize, bytes: usize| {
            let end = items.checked_mul(bytes).and_then(|len| at.checked_add(len));
            let end = end.filter(|end| *end <= blob.len());
            let end = end.ok_or_else(|| damaged("an index page is too short"))?;
            let range = at..end;
            at = end;
            Ok::<_, llkv_result::Error>(range)
        };
        let row_ids = part(count, id_bytes)?;
        let prefix = part(prefix, 1)?;
        let ends = part(if width.is_none() { count } else { 0 }, 4)?;
        let keys = match width {
            Some(width) => part(count, width)?,
            None => at..blob.len(),
        };
        Ok(Self {
            count,
            least,
            id_bytes,
            row_ids,
            prefix,
            ends,
            keys,
            width,
            blob,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.blob.as_slice().get(range.clone()).unwrap_or_default()
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        self.bytes(&self.prefix)
    }

    /// A key without the shared prefix.
    pub(crate) fn suffix(&self, at: usize) -> &[u8] {
        let (start, end) = match self.width {
            Some(width) => (at * width, (at + 1) * width),
            None => (
                at.checked_sub(1).map_or(0, |before| self.end(before)),
                self.end(at),
            ),
        };
        self.bytes(&self.keys).get(start..end).unwrap_or_default()
    }

    fn end(&self, at: usize) -> usize {
        let (ends, _) = self.bytes(&self.ends).as_chunks::<4>();
        ends.get(at)
            .map_or(0, |end| u32::from_le_bytes(*end) as usize)
    }

    pub(crate) fn row_id(&self, at: usize) -> RowId {
        let bytes = self.bytes(&self.row_ids);
        let offset = if self.id_bytes == 4 {
            let (ids, _) = bytes.as_chunks::<4>();
            ids.get(at)
                .map_or(0, |id| u64::from(u32::from_le_bytes(*id)))
        } else {
            let (ids, _) = bytes.as_chunks::<8>();
            ids.get(at).map_or(0, |id| u64::from_le_bytes(*id))
        };
        self.least.saturating_add(offset)
    }

    /// The whole key in `out`.
    pub(crate) fn key_into(&self, at: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.prefix());
        out.extend_from_slice(self.suffix(at));
    }

    /// The first entry whose key is at or above `key`.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        let prefix = self.prefix();
        match key.get(..prefix.len()) {
            Some(start) if start == prefix => {
                let rest = key.get(prefix.len()..).unwrap_or_default();
                first_where(self.count, |at| self.suffix(at) >= rest)
            }
            _ if key <= prefix => 0,
            _ => self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(entries: &[(Vec<u8>, RowId)]) -> Page {
        let mut writer = PageWriter::default();
        for (key, row_id) in entries {
            writer.push(key, *row_id);
        }
        Page::open(Blob::from_bytes(&writer.finish())).unwrap()
    }

    fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let short = prop::collection::vec(0u8..4, 0..6);
        let fixed = prop::collection::vec(any::<u8>(), 9).prop_map(|mut key| {
            key.splice(..5, [1, 128, 0, 0, 0]);
            key
        });
        prop_oneof![
            prop::collection::vec(short, 1..60),
            prop::collection::vec(fixed, 1..60),
        ]
    }

    proptest! {
        #[test]
        fn a_page_is_its_entries(mut keys in keys(), probe in prop::collection::vec(0u8..4, 0..6), far in any::<bool>()) {
            keys.sort();
            let step = if far { 1 << 33 } else { 3 };
            let entries: Vec<_> = keys.into_iter().zip((5u64..).map(|n| n * step)).collect();
            let page = page(&entries);
            prop_assert_eq!(page.len(), entries.len());
            let mut key = Vec::new();
            for (at, entry) in entries.iter().enumerate() {
                page.key_into(at, &mut key);
                prop_assert_eq!((&key, page.row_id(at)), (&entry.0, entry.1));
            }
            for key in entries.iter().map(|(key, _)| key).chain([&probe]) {
                let expected = entries.partition_point(|(k, _)| k < key);
                prop_assert_eq!(page.lower_bound(key), expected);
            }
        }

        #[test]
        fn any_bytes_are_a_page_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..200), marked in any::<bool>()) {
            if marked && bytes.len() > 8 {
                bytes.splice(..8, *b"LLKP\x03\0\0\0");
            }
            if let Ok(page) = Page::open(Blob::from_bytes(&bytes)) {
                let mut key = Vec::new();
                for at in 0..page.len().min(300) + 2 {
                    page.key_into(at, &mut key);
                    page.row_id(at);
                }
                page.lower_bound(b"abc");
            }
        }
    }
}
