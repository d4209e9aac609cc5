//! Root slots: where everything else is found, and how far the log was folded in.

use super::bytes::Reader;
use super::extent::ExtentRef;
use super::page::{self, MAX_COUNT, MAX_PAGE};
use super::tree::MAX_LEVEL;
use super::{FORMAT, space};
use xxhash_rust::xxh3::xxh3_64;

/// Size of a slot. The whole of it is covered by the checksum in its last eight bytes.
pub(crate) const SLOT_BYTES: usize = 4096;
/// Where the two slots are.
pub(crate) const SLOTS: [u64; 2] = [0, 64 << 10];
/// First bytes of every database file: the name, and line ends that a text transfer would damage.
const MAGIC: [u8; 8] = *b"LLKV\r\n\x1a\n";
const CHECKSUM_AT: usize = SLOT_BYTES - 8;

/// The state that a checkpoint made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Root {
    /// Counts checkpoints; the newest valid slot wins.
    pub(crate) generation: u64,
    /// The last batch that the manifest contains.
    pub(crate) commit: u64,
    /// The next key to hand out.
    pub(crate) next_key: u64,
    pub(crate) key_count: u64,
    /// One past the last extent.
    pub(crate) end: u64,
    /// Salt of the log segment in which the first later frame stands.
    pub(crate) log_salt: u64,
    /// Size of a log segment.
    pub(crate) segment_bytes: u64,
    /// Offset in the log of the first later frame.
    pub(crate) log_start: u64,
    /// Told by chance when the file was made.
    pub(crate) database: u64,
    pub(crate) manifest: ExtentRef,
    /// Level of the manifest's root page.
    pub(crate) level: u8,
    pub(crate) free_list: ExtentRef,
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotContent {
    Valid(Root),
    /// A root that asks for a newer reader.
    Newer(u32),
    /// It begins like a root, and does not fit its checksum or itself.
    Damaged(&'static str),
    /// Nothing that a database would have here.
    Foreign,
}

impl Root {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&FORMAT.to_le_bytes());
        let features = 0_u64;
        for field in [
            features,
            self.generation,
            self.commit,
            self.next_key,
            self.key_count,
            self.end,
            self.log_salt,
            self.segment_bytes,
            self.log_start,
            self.database,
        ] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        self.manifest.encode(&mut out);
        self.free_list.encode(&mut out);
        out.extend_from_slice(&u32::from(self.level).to_le_bytes());
        out.resize(CHECKSUM_AT, 0);
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a slot; a file that ends before its end gives a short one.
    pub(crate) fn decode(slot: &[u8]) -> SlotContent {
        let mut reader = Reader::new(slot);
        let has_magic = reader.take(MAGIC.len()) == Some(&MAGIC);
        let covered = slot.get(..CHECKSUM_AT);
        let stored = slot
            .get(CHECKSUM_AT..)
            .map(Reader::new)
            .and_then(|mut r| r.u64());
        let intact = match (covered, stored) {
            (Some(bytes), Some(checksum)) => xxh3_64(bytes) == checksum,
            _ => false,
        };
        match (has_magic, intact) {
            (true, true) => decode_fields(&mut reader),
            (true, false) => SlotContent::Damaged("the root does not match its checksum"),
            // A byte of the magic itself may have flipped; the checksum then still nearly fits, and
            // the caller asks the other slot.
            (false, _) => SlotContent::Foreign,
        }
    }
}

fn decode_fields(reader: &mut Reader<'_>) -> SlotContent {
    let short = SlotContent::Damaged("the root is too short");
    let (Some(_format), Some(minimal_reader), Some(features)) =
        (reader.u32(), reader.u32(), reader.u64())
    else {
        return short;
    };
    if minimal_reader > FORMAT || features != 0 {
        return SlotContent::Newer(minimal_reader.max(FORMAT + 1));
    }
    let mut fields = || -> Option<Root> {
        Some(Root {
            generation: reader.u64()?,
            commit: reader.u64()?,
            next_key: reader.u64()?,
            key_count: reader.u64()?,
            end: reader.u64()?,
            log_salt: reader.u64()?,
            segment_bytes: reader.u64()?,
            log_start: reader.u64()?,
            database: reader.u64()?,
            manifest: ExtentRef::decode(reader)?,
            free_list: ExtentRef::decode(reader)?,
            level: u8::try_from(reader.u32()?).ok()?,
        })
    };
    match fields() {
        None => short,
        Some(root) => match root.check() {
            Ok(()) => SlotContent::Valid(root),
            Err(detail) => SlotContent::Damaged(detail),
        },
    }
}

impl Root {
    fn check(&self) -> Result<(), &'static str> {
        if self.end < space::FIRST_EXTENT || self.end > space::MAX_FILE {
            return Err("the root gives the file an impossible end");
        }
        if self.generation.max(self.commit) >= MAX_COUNT {
            return Err("the root has an impossible generation or commit id");
        }
        if self.manifest.offset != 0 {
            page::check(&self.manifest, self.end)?;
            if self.manifest.len > MAX_PAGE || self.level > MAX_LEVEL {
                return Err("the root names an impossible manifest");
            }
        }
        if self.free_list.offset != 0 {
            page::check(&self.free_list, self.end)?;
        }
        let segment_fits = (512..=1 << 40).contains(&self.segment_bytes)
            && self.log_start.is_multiple_of(512)
            && self.log_start <= 2 * self.segment_bytes;
        if !segment_fits {
            return Err("the root describes an impossible log");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Root {
        Root {
            generation: 7,
            commit: 99,
            end: 1 << 20,
            segment_bytes: 1 << 16,
            log_start: 512,
            ..Root::default()
        }
    }

    #[test]
    fn a_root_survives_the_trip() {
        let slot = sample().encode();
        assert_eq!(slot.len(), SLOT_BYTES);
        assert_eq!(Root::decode(&slot), SlotContent::Valid(sample()));
    }

    #[test]
    fn any_flipped_bit_and_any_missing_byte_is_noticed() {
        let slot = sample().encode();
        for byte in 0..SLOT_BYTES {
            let mut bad = slot.clone();
            bad[byte] ^= 1 << (byte % 8);
            assert!(
                !matches!(Root::decode(&bad), SlotContent::Valid(_)),
                "byte {byte}"
            );
            assert!(!matches!(
                Root::decode(&slot[..byte]),
                SlotContent::Valid(_)
            ));
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut slot = sample().encode();
        slot[12..16].copy_from_slice(&9_u32.to_le_bytes());
        let checksum = xxh3_64(&slot[..CHECKSUM_AT]);
        slot[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Root::decode(&slot), SlotContent::Newer(9));
    }
}
