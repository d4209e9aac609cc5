//! What the integration tests share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part"
)]

use llkv_storage::{Blob, Pager, WriteBatch};
use llkv_types::PhysicalKey;

pub mod script;
pub mod suite;

/// A value that tells which one it is: `len` bytes derived from `tag`.
pub fn value(tag: u64, len: usize) -> Vec<u8> {
    let mut state = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub fn blob(tag: u64, len: usize) -> Blob {
    Blob::from(value(tag, len))
}

pub fn puts(entries: &[(u64, &[u8])]) -> WriteBatch {
    WriteBatch {
        puts: entries
            .iter()
            .map(|(key, bytes)| (PhysicalKey(*key), Blob::from_bytes(bytes)))
            .collect(),
        frees: Vec::new(),
    }
}

pub fn frees(keys: &[u64]) -> WriteBatch {
    WriteBatch {
        puts: Vec::new(),
        frees: keys.iter().copied().map(PhysicalKey).collect(),
    }
}

pub fn get(pager: &dyn Pager, key: u64) -> Option<Vec<u8>> {
    let found = pager.batch_get(&[PhysicalKey(key)]).unwrap();
    found[0].as_ref().map(|blob| blob.as_slice().to_vec())
}

pub fn keys(pager: &dyn Pager, from: u64, to: u64) -> Vec<u64> {
    let found = pager.keys_in(PhysicalKey(from)..PhysicalKey(to)).unwrap();
    found.into_iter().map(|key| key.0).collect()
}

/// True when the long figures of the campaigns are asked for.
pub fn long() -> bool {
    std::env::var_os("LLKV_LONG").is_some_and(|v| v != "0" && !v.is_empty())
}
