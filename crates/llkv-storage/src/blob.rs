//! Bytes at a 64-byte-aligned address that an Arrow buffer borrows and keeps alive.

use arrow::buffer::Buffer;
use std::any::Any;
use std::sync::Arc;

/// What a blob came from, known only to the pager that made it.
pub(crate) type Origin = Arc<dyn Any + Send + Sync>;

/// An immutable value: cheap to clone, 64-byte aligned, readable as an Arrow [`Buffer`] without a copy.
#[derive(Clone)]
pub struct Blob {
    buffer: Buffer,
    /// The extent behind the bytes, when a file pager wrote or read them.
    origin: Option<Origin>,
}

impl Blob {
    /// The value as an Arrow buffer that shares the bytes.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        self.buffer.clone()
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// True for a value of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// A blob that remembers the extent its bytes live in.
    pub(crate) fn with_origin(buffer: Buffer, origin: Origin) -> Self {
        Self {
            buffer,
            origin: Some(origin),
        }
    }

    /// The extent behind the bytes, if the value came from a file pager.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The same bytes in an allocation of their own when they are a small part of a large one, so
    /// that keeping a short value does not keep a large parent alive.
    pub(crate) fn compact(self) -> Self {
        let roomy = self.buffer.capacity() > 2 * self.buffer.len() + 256;
        if roomy && self.origin.is_none() {
            Self::from_bytes(self.as_slice())
        } else {
            self
        }
    }

    /// Copies `bytes` into an aligned buffer.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            buffer: Buffer::from(bytes),
            origin: None,
        }
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Blob {}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<Buffer> for Blob {
    /// Takes the buffer as it is when it is 64-byte aligned, else copies it once.
    fn from(buffer: Buffer) -> Self {
        if buffer.is_empty() || buffer.as_ptr().align_offset(64) == 0 {
            Self {
                buffer,
                origin: None,
            }
        } else {
            Self::from_bytes(buffer.as_slice())
        }
    }
}

impl From<Vec<u8>> for Blob {
    /// Copies into an aligned buffer.
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blob_is_aligned_to_64_bytes() {
        let bytes: Vec<u8> = (0..200).collect();
        let whole = Buffer::from(bytes.as_slice());
        for blob in [
            Blob::from(bytes.clone()),
            Blob::from(whole.clone()),
            Blob::from(whole.slice(3)),
        ] {
            assert_eq!(blob.as_slice().as_ptr().align_offset(64), 0);
        }
        assert_eq!(Blob::from(whole.slice(3)).as_slice(), &bytes[3..]);
    }

    #[test]
    fn an_aligned_buffer_is_not_copied() {
        let buffer = Buffer::from([7_u8; 100].as_slice());
        assert_eq!(
            Blob::from(buffer.clone()).as_slice().as_ptr(),
            buffer.as_ptr()
        );
    }
}
