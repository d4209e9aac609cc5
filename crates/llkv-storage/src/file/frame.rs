//! Log frames: one batch, its place in the order, and the checksums that tell it from a torn write.
//!
//! ```text
//!  0  u64  xxh3-64 of bytes 8..48
//!  8  u32  payload length
//! 12  u32  kind: 0 the payload follows, 1 the payload is in an extent that these 32 bytes name
//! 16  u64  salt of the segment's present use
//! 24  u64  commit id
//! 32  u64  xxh3-64 of the payload
//! 40  u64  zero
//! 48       payload, then zeros up to a multiple of 512
//! ```

use super::bytes::Reader;
use xxhash_rust::xxh3::xxh3_64;

/// Frames begin at multiples of this: the unit that a disk writes whole or not at all.
pub(crate) const SECTOR: u64 = 512;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 48;

/// What stands behind the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The batch.
    Inline,
    /// A reference to an extent that holds the batch.
    Extent,
}

/// A frame header that passed its checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) len: u32,
    payload_checksum: u64,
}

/// A frame without its header, which [`seal`] fills in: room for the header, and the payload of
/// `fill`.
pub(crate) fn start(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = Vec::with_capacity(SECTOR as usize);
    frame.resize(HEADER, 0);
    fill(&mut frame);
    frame
}

/// Length that a frame of `payload_len` bytes takes in the log.
pub(crate) fn stored_len(payload_len: usize) -> u64 {
    (HEADER as u64 + payload_len as u64).next_multiple_of(SECTOR)
}

/// xxh3 of the payload of a started frame.
pub(crate) fn payload_checksum(frame: &[u8]) -> u64 {
    xxh3_64(frame.get(HEADER..).unwrap_or_default())
}

/// Gives a started frame its header and pads it.
pub(crate) fn seal(frame: &mut Vec<u8>, kind: Kind, salt: u64, commit: u64, payload_checksum: u64) {
    let len = (frame.len() - HEADER) as u32;
    let mut header = Vec::with_capacity(HEADER - 8);
    header.extend_from_slice(&len.to_le_bytes());
    header.extend_from_slice(&u32::from(kind == Kind::Extent).to_le_bytes());
    header.extend_from_slice(&salt.to_le_bytes());
    header.extend_from_slice(&commit.to_le_bytes());
    header.extend_from_slice(&payload_checksum.to_le_bytes());
    header.extend_from_slice(&0_u64.to_le_bytes());
    let checksum = xxh3_64(&header).to_le_bytes();
    for (to, from) in frame.iter_mut().zip(checksum.iter().chain(&header)) {
        *to = *from;
    }
    frame.resize(stored_len(len as usize) as usize, 0);
}

/// The header at the start of `bytes`, if it is the frame of `commit` under `salt`. `believe` skips
/// the checksum (a planted bug).
pub(crate) fn open(bytes: &[u8], salt: u64, commit: u64, believe: bool) -> Option<Header> {
    let mut reader = Reader::new(bytes.get(..HEADER)?);
    let checksum = reader.u64()?;
    let header = Header {
        len: reader.u32()?,
        kind: match reader.u32()? {
            0 => Kind::Inline,
            1 => Kind::Extent,
            _ => return None,
        },
        payload_checksum: {
            let placed = reader.u64()? == salt && reader.u64()? == commit;
            let payload_checksum = reader.u64()?;
            if !placed {
                return None;
            }
            payload_checksum
        },
    };
    let intact = believe || xxh3_64(bytes.get(8..HEADER)?) == checksum;
    intact.then_some(header)
}

impl Header {
    /// True when `payload` is the one that was written.
    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        xxh3_64(payload) == self.payload_checksum
    }
}
