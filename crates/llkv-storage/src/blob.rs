//! Bytes at a 64-byte-aligned address that an Arrow buffer borrows and keeps alive.

use arrow::buffer::Buffer;

/// An immutable value: cheap to clone, 64-byte aligned, readable as an Arrow [`Buffer`] without a copy.
#[derive(Debug, Clone)]
pub struct Blob {
    buffer: Buffer,
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
}

impl From<Buffer> for Blob {
    /// Takes the buffer as it is when it is 64-byte aligned, else copies it once.
    fn from(buffer: Buffer) -> Self {
        if buffer.as_ptr().align_offset(64) == 0 {
            Self { buffer }
        } else {
            Self {
                buffer: Buffer::from(buffer.as_slice()),
            }
        }
    }
}

impl From<Vec<u8>> for Blob {
    /// Copies into an aligned buffer.
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Buffer::from(bytes.as_slice()))
    }
}
