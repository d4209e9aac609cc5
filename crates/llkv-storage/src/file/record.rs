//! The payload of a log frame: what one batch puts and frees.
//!
//! ```text
//! u64 next key, u32 puts, u32 frees
//! put:  u64 key, u32 length, bytes                    a value in the log
//!       u64 key, u32 0xffff_ffff, 32-byte reference   a value in the main file
//! free: u64 key
//! ```

use super::bytes::Reader;
use super::extent::ExtentRef;

const BY_REFERENCE: u32 = u32::MAX;

/// The value of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put<'a> {
    Bytes(&'a [u8]),
    Extent(ExtentRef),
}

/// A batch as the log keeps it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) next_key: u64,
    pub(crate) frees: Vec<u64>,
    pub(crate) puts: Vec<(u64, Put<'a>)>,
}

impl<'a> Record<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.next_key.to_le_bytes());
        out.extend_from_slice(&(self.puts.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.frees.len() as u32).to_le_bytes());
        for (key, put) in &self.puts {
            out.extend_from_slice(&key.to_le_bytes());
            match put {
                Put::Bytes(bytes) => {
                    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    out.extend_from_slice(bytes);
                }
                Put::Extent(at) => {
                    out.extend_from_slice(&BY_REFERENCE.to_le_bytes());
                    at.encode(out);
                }
            }
        }
        for key in &self.frees {
            out.extend_from_slice(&key.to_le_bytes());
        }
    }

    /// Reads a payload; `None` when it contradicts itself.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let next_key = reader.u64()?;
        let (put_count, free_count) = (reader.u32()? as usize, reader.u32()? as usize);
        // A put takes 12 bytes at least, a free 8: counts beyond that are not believed.
        if put_count.checked_mul(12)? > reader.len() || free_count.checked_mul(8)? > reader.len() {
            return None;
        }
        let mut record = Self {
            next_key,
            frees: Vec::with_capacity(free_count),
            puts: Vec::with_capacity(put_count),
        };
        for _ in 0..put_count {
            let key = reader.u64()?;
            let put = match reader.u32()? {
                BY_REFERENCE => Put::Extent(ExtentRef::decode(&mut reader)?),
                len => Put::Bytes(reader.take(len as usize)?),
            };
            record.puts.push((key, put));
        }
        for _ in 0..free_count {
            record.frees.push(reader.u64()?);
        }
        reader.is_empty().then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_survives_the_trip() {
        let at = ExtentRef {
            offset: 4096,
            len: 9,
            checksum: 1,
            generation: 2,
        };
        let record = Record {
            next_key: 12,
            frees: vec![5, 6],
            puts: vec![
                (1, Put::Bytes(b"abc")),
                (2, Put::Extent(at)),
                (3, Put::Bytes(b"")),
            ],
        };
        let mut payload = Vec::new();
        record.encode(&mut payload);
        assert_eq!(Record::decode(&payload), Some(record));
        for len in 0..payload.len() {
            assert_eq!(Record::decode(&payload[..len]), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_record_or_none(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&payload);
        }
    }
}
