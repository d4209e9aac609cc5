//! Little-endian writing and total reading of hand-laid structures.

use llkv_result::{Error, Result, StorageError};
use std::path::PathBuf;

/// Chunks start at multiples of this within the value of a key, and buffers within a chunk.
pub(crate) const ALIGNMENT: usize = 64;

/// An error for stored bytes that contradict their structure.
pub(crate) fn damaged(detail: impl Into<String>) -> Error {
    damaged_key(None, detail)
}

/// An error for the value of a key that contradicts its structure.
pub(crate) fn damaged_key(key: Option<u64>, detail: impl Into<String>) -> Error {
    StorageError::Corrupt {
        path: PathBuf::from("column store"),
        offset: 0,
        key,
        detail: detail.into(),
    }
    .into()
}

/// An error for a record of a later version than this build reads.
pub(crate) fn newer(key: Option<u64>, record: &'static str, found: u32, supported: u32) -> Error {
    StorageError::NewerRecord {
        path: PathBuf::from("column store"),
        key,
        record,
        found,
        supported,
    }
    .into()
}

/// Appends integers and aligned buffers to a byte vector.
#[derive(Debug, Default)]
pub(crate) struct ByteWriter {
    bytes: Vec<u8>,
}

impl ByteWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i128(&mut self, value: i128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A length (32 bits) and the bytes.
    pub(crate) fn prefixed(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.raw(bytes);
    }

    /// Zeroes up to the next multiple of `alignment`.
    pub(crate) fn align(&mut self, alignment: usize) {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(alignment), 0);
    }

    /// Zeroes up to a length.
    pub(crate) fn align_to(&mut self, len: usize) {
        self.bytes.resize(len.max(self.bytes.len()), 0);
    }

    /// Makes room for bytes to come.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Overwrites the first bytes.
    pub(crate) fn overwrite(&mut self, first: &[u8]) {
        if let Some(slot) = self.bytes.get_mut(..first.len()) {
            slot.copy_from_slice(first);
        }
    }

    /// Overwrites four bytes written before.
    pub(crate) fn patch_u32(&mut self, at: usize, value: u32) {
        if let Some(slot) = self.bytes.get_mut(at..at + 4) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Overwrites eight bytes written before.
    pub(crate) fn patch_u64(&mut self, at: usize, value: u64) {
        if let Some(slot) = self.bytes.get_mut(at..at + 8) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what [`ByteWriter`] wrote; every read is checked against the end.
#[derive(Debug, Clone)]
pub(crate) struct ByteReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> ByteReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The next `len` bytes.
    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self
            .position
            .checked_add(len)
            .ok_or_else(|| damaged("a length overflows"))?;
        let slice = self.bytes.get(self.position..end).ok_or_else(|| {
            damaged(format!(
                "{len} bytes wanted at {}, {} there",
                self.position,
                self.remaining()
            ))
        })?;
        self.position = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.raw(N)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i128(&mut self) -> Result<i128> {
        self.array().map(i128::from_le_bytes)
    }

    /// What [`ByteWriter::prefixed`] wrote.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()? as usize;
        self.raw(len)
    }
}
