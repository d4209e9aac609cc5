//! Keys of joins and groups: several columns packed into one integer where they fit; else columns beside an index of hashes
//! (groups), or rows of bytes (joins). Groups whose keys have few combinations are looked up in an array first.

mod codes;
mod column_store;
mod direct_keys;
mod group_table;
mod hash_index;
mod key_columns;
mod originals;
mod packed;
mod row_keys;
mod sort_keys;
mod word;
mod word_table;

pub(crate) use codes::{Differences, KeyCodes, code_of, row_of, shifted, sort_entries};
pub(crate) use direct_keys::has_digits;
pub(crate) use group_table::GroupTable;
pub(crate) use packed::{PackedLayout, Packing};
pub(crate) use row_keys::RowKeys;
pub(crate) use sort_keys::SortKeys;
pub(crate) use word::Word;

use std::hash::BuildHasher;

/// The hash of a key's bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    foldhash::fast::FixedState::with_seed(0).hash_one(bytes)
}
