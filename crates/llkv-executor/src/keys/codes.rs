//! Sort keys in short: the bytes in which the keys of some rows differ, packed into an integer.
//!
//! The bytes of a key are mostly the same in all rows: the byte that tells NULL, the upper bytes of small integers.
//! Leaving them out does not change the order, and what is left often fits as a whole.

use arrow_row::Rows;
use std::cmp::Ordering;

/// Bytes of a key that are looked at.
const KEY_BYTES: usize = 64;

/// Bytes of a code: with the 4 bytes of a row's number below them, 16 in all.
const CODE_BYTES: usize = 12;

/// Bits of a row's number, below the code.
const ROW_BITS: u32 = 32;

/// Where the keys of some rows differ.
#[derive(Debug, Clone)]
pub(crate) struct Differences {
    /// The first row's key, with zeros behind its end; none where there is no row.
    first: Option<[u8; KEY_BYTES]>,
    /// The bits that are not the same in all rows.
    mask: [u8; KEY_BYTES],
    /// Some key is longer than what is looked at.
    is_cut: bool,
}

impl Differences {
    /// The differences among keys. A key that ends is the same as one that goes on with zeros, which no two
    /// different keys of one converter do: none is the beginning of another.
    pub(crate) fn of(keys: &Rows) -> Self {
        let mut found = Self {
            first: None,
            mask: [0; KEY_BYTES],
            is_cut: false,
        };
        let Some(first) = keys.iter().next().map(|key| key.data()) else {
            return found;
        };
        let padded = padded(first);
        found.first = Some(padded);
        let (words, []) = padded.as_chunks::<8>() else {
            return found;
        };
        let mut masks = [0_u64; KEY_BYTES / 8];
        let mut last_mask = 0_u64;
        let last = first.last_chunk::<8>().copied().map(u64::from_be_bytes);
        for key in keys.iter().map(|key| key.data()) {
            let same_length = key.len() == first.len() && key.len() <= KEY_BYTES;
            if let (true, Some(last), Some(end)) = (same_length, last, key.last_chunk::<8>()) {
                let (whole, _) = key.as_chunks::<8>();
                for ((mask, word), known) in masks.iter_mut().zip(whole).zip(words) {
                    *mask |= u64::from_be_bytes(*word) ^ u64::from_be_bytes(*known);
                }
                last_mask |= u64::from_be_bytes(*end) ^ last;
            } else {
                found.compare(key, &padded, first.len());
            }
        }
        for (to, mask) in found.mask.as_chunks_mut::<8>().0.iter_mut().zip(masks) {
            *to = (u64::from_be_bytes(*to) | mask).to_be_bytes();
        }
        let end = first.len().saturating_sub(8);
        let ends = found.mask.iter_mut().skip(end);
        for (to, byte) in ends.zip(last_mask.to_be_bytes()) {
            *to |= byte;
        }
        found
    }

    /// Compares a key with the first one, which has `first_len` bytes before it was padded.
    fn compare(&mut self, key: &[u8], first: &[u8; KEY_BYTES], first_len: usize) {
        self.is_cut |= key.len() > KEY_BYTES;
        let len = key.len().max(first_len);
        let bytes = key.iter().copied().chain(std::iter::repeat(0)).take(len);
        for ((mask, byte), known) in self.mask.iter_mut().zip(bytes).zip(first) {
            *mask |= byte ^ known;
        }
    }

    /// The differences among the keys of both.
    pub(crate) fn merge(mut self, other: &Self) -> Self {
        let (Some(first), Some(other_first)) = (&self.first, &other.first) else {
            return if self.first.is_some() {
                self
            } else {
                other.clone()
            };
        };
        for (at, mask) in self.mask.iter_mut().enumerate() {
            let byte = |bytes: &[u8; KEY_BYTES]| bytes.get(at).copied().unwrap_or_default();
            *mask |= byte(&other.mask) | (byte(first) ^ byte(other_first));
        }
        self.is_cut |= other.is_cut;
        self
    }
}

fn padded(key: &[u8]) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    for (to, from) in bytes.iter_mut().zip(key) {
        *to = *from;
    }
    bytes
}

/// Neighbouring bytes of a key, read as a word of 8 bytes that they are a part of.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// First byte of the word.
    start: usize,
    /// Bits of the word below the piece.
    below: u32,
    /// Bits of the piece.
    bits: u32,
}

impl Piece {
    fn new(start: usize, len: usize) -> Self {
        let end = start + len;
        let word = end.saturating_sub(8);
        Self {
            start: word,
            below: (word + 8 - end) as u32 * 8,
            bits: len as u32 * 8,
        }
    }

    fn read(self, key: &[u8]) -> u64 {
        let word = match key.get(self.start..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_be_bytes(*word),
            None => word_at_end(key.get(self.start..).unwrap_or_default()),
        };
        (word >> self.below) & (u64::MAX >> (64 - self.bits))
    }
}

/// Up to seven bytes as the upper bytes of a word.
fn word_at_end(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(word)
}

/// Makes codes of keys: where two codes differ, they are ordered as their keys.
#[derive(Debug)]
pub(crate) struct KeyCodes {
    pieces: Vec<Piece>,
    /// The bytes of a key that its code has, in order.
    positions: Vec<usize>,
    /// The first byte that differs and has no place in the code.
    missing: Option<usize>,
}

impl KeyCodes {
    /// Codes of keys of which all differences are known.
    pub(crate) fn new(differences: &Differences) -> Self {
        let mask = differences.mask.iter().enumerate();
        let differing = mask.filter(|(_, mask)| **mask != 0).map(|(at, _)| at);
        let mut positions: Vec<usize> = differing.collect();
        let mut missing = positions.get(CODE_BYTES).copied();
        if missing.is_none() && differences.is_cut {
            missing = Some(KEY_BYTES);
        }
        positions.truncate(CODE_BYTES);
        let mut pieces = Vec::new();
        let neighbours = positions.chunk_by(|a, b| a + 1 == *b);
        for piece in neighbours.flat_map(|run| run.chunks(8)) {
            pieces.extend(piece.first().map(|start| Piece::new(*start, piece.len())));
        }
        Self {
            pieces,
            positions,
            missing,
        }
    }

    /// Equal codes mean equal keys.
    pub(crate) fn is_exact(&self) -> bool {
        self.missing.is_none()
    }

    /// The code of a key, above the number of its row.
    pub(crate) fn entry(&self, key: &[u8], row: u32) -> u128 {
        let mut code = 0_u128;
        for piece in &self.pieces {
            code = (code << piece.bits) | u128::from(piece.read(key));
        }
        (code << ROW_BITS) | u128::from(row)
    }

    /// By how many bits entries are shifted to tell the first `key_bytes` bytes of keys apart; none where codes do not.
    pub(crate) fn shift_to(&self, key_bytes: usize) -> Option<u32> {
        if self.missing.is_some_and(|missing| missing < key_bytes) {
            return None;
        }
        let behind = self.positions.iter().filter(|at| **at >= key_bytes);
        Some(ROW_BITS + 8 * behind.count() as u32)
    }
}

/// The code of an entry.
pub(crate) fn code_of(entry: u128) -> u128 {
    entry >> ROW_BITS
}

/// What is left of an entry that is shifted, as [`KeyCodes::shift_to`] says: nothing, where all of it is behind.
pub(crate) fn shifted(entry: u128, shift: u32) -> u128 {
    entry.checked_shr(shift).unwrap_or(0)
}

/// The row of an entry.
pub(crate) fn row_of(entry: u128) -> u32 {
    entry as u32
}

/// Sorts entries by their codes, those of one code by `ties`, or by row where there is none to ask.
pub(crate) fn sort_entries(entries: &mut [u128], ties: Option<impl Fn(u32, u32) -> Ordering>) {
    entries.sort_unstable();
    let Some(ties) = ties else {
        return;
    };
    for tied in entries.chunk_by_mut(|a, b| code_of(*a) == code_of(*b)) {
        if tied.len() > 1 {
            tied.sort_unstable_by(|a, b| ties(row_of(*a), row_of(*b)).then(a.cmp(b)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringViewArray};
    use arrow::compute::SortOptions;
    use arrow_row::{RowConverter, SortField};
    use proptest::prelude::*;
    use std::sync::Arc;

    type Row = (Option<i64>, Option<String>, Option<f64>);

    fn encoded(rows: &[Row], converter: &RowConverter) -> Rows {
        let columns: [ArrayRef; 3] = [
            Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
            Arc::new(
                rows.iter()
                    .map(|r| r.1.as_deref())
                    .collect::<StringViewArray>(),
            ),
            Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>()),
        ];
        converter.convert_columns(&columns).unwrap()
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let number = prop_oneof![0_i64..4, 0_i64..100_000, any::<i64>()];
        let text = prop_oneof!["[ab]{0,2}", "a{60,70}[xy]?", "\\PC{0,12}"];
        let real = prop_oneof![0_u8..3, any::<u8>()].prop_map(f64::from);
        let (number, text, real) = (
            prop::option::of(number),
            prop::option::of(text),
            prop::option::of(real),
        );
        prop::collection::vec((number, text, real), 0..60)
    }

    proptest! {
        #[test]
        fn entries_sort_as_keys_do(
            parts in prop::collection::vec(rows(), 1..4),
            keep in prop::sample::select(vec![0b001, 0b010, 0b100, 0b011, 0b110, 0b111]),
            descending in any::<bool>(),
            nulls_first in any::<bool>(),
        ) {
            use arrow::datatypes::DataType as T;
            let options = SortOptions { descending, nulls_first };
            let fields = [T::Int64, T::Utf8View, T::Float64];
            let fields = fields.into_iter().map(|t| SortField::new_with_options(t, options));
            let converter = RowConverter::new(fields.collect()).unwrap();
            // Columns that are not kept are the same in all rows.
            let mask = |row: &Row| (
                row.0.filter(|_| keep & 1 != 0),
                row.1.clone().filter(|_| keep & 2 != 0),
                row.2.filter(|_| keep & 4 != 0),
            );
            let parts: Vec<Vec<Row>> = parts.iter().map(|p| p.iter().map(mask).collect()).collect();
            let each = parts.iter().map(|part| Differences::of(&encoded(part, &converter)));
            let differences = each.reduce(|a, b| a.merge(&b)).unwrap();
            let codes = KeyCodes::new(&differences);
            let keys = encoded(&parts.concat(), &converter);
            let key = |row: u32| keys.row(row as usize);

            let mut entries: Vec<u128> = Vec::new();
            for (row, key) in keys.iter().enumerate() {
                entries.push(codes.entry(key.data(), row as u32));
            }
            for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
                let by_key = key(row_of(*a)).cmp(&key(row_of(*b)));
                match code_of(*a).cmp(&code_of(*b)) {
                    Ordering::Equal if !codes.is_exact() => {}
                    by_code => prop_assert_eq!(by_code, by_key),
                }
                // The bytes of the first column: one for NULL, eight for the number.
                if let Some(shift) = codes.shift_to(9) {
                    let first = |entry: u128| &key(row_of(entry)).data()[..9];
                    prop_assert_eq!(shifted(*a, shift) == shifted(*b, shift), first(*a) == first(*b));
                }
            }
            let ties = |a, b| key(a).cmp(&key(b));
            sort_entries(&mut entries, (!codes.is_exact()).then_some(ties));
            let mut expected: Vec<u32> = (0..keys.num_rows() as u32).collect();
            expected.sort_by(|a, b| key(*a).cmp(&key(*b)));
            let order: Vec<u32> = entries.iter().map(|e| row_of(*e)).collect();
            prop_assert_eq!(order, expected);
        }
    }

    #[test]
    fn small_numbers_have_exact_codes() {
        let converter =
            RowConverter::new(vec![SortField::new(arrow::datatypes::DataType::Int64); 3]);
        let converter = converter.unwrap();
        let column = |k: i64| -> ArrayRef {
            Arc::new((0..1000).map(|i| i * k % 100_003).collect::<Int64Array>())
        };
        let keys = converter
            .convert_columns(&[column(7), column(12_345), column(99_991)])
            .unwrap();
        let codes = KeyCodes::new(&Differences::of(&keys));
        assert!(codes.is_exact());
        assert_eq!(codes.positions, [7, 8, 15, 16, 17, 24, 25, 26]);
    }
}
