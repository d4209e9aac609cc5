//! Manifest pages: a node of the radix map as bytes.
//!
//! A page has a header of 32 bytes (magic, level, first key, a bitmap of its 128 slots) and 28 bytes
//! for each slot in use: where the child page or the value is, its length, checksum and generation.
//! Values of at most [`INLINE_MAX`] bytes stand behind the slots, in the page itself.

use super::bytes::{Reader, put_u48};
use super::extent::ExtentRef;
use super::tree::{FANOUT, LEVEL_BITS};
use super::value::INLINE_MAX;
use super::{GRANULE, space};

/// Generations and commit ids stay below this, so that counting on never overflows.
pub(crate) const MAX_COUNT: u64 = 1 << 62;

const MAGIC: u32 = u32::from_le_bytes(*b"LKMP");
const HEADER: usize = 32;
const SLOT: usize = 28;

/// No page is longer.
pub(crate) const MAX_PAGE: u64 = (HEADER + FANOUT * (SLOT + INLINE_MAX)) as u64;

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry<B> {
    /// A child page, or a value in an extent of its own.
    Extent(ExtentRef),
    /// A short value.
    Inline(B),
}

/// The slots in use, ascending, with what they hold.
type Entries<'a> = Vec<(usize, Entry<&'a [u8]>)>;

/// The bytes of a page. `entries` are (slot, entry), ascending by slot.
pub(crate) fn encode<B: AsRef<[u8]>>(
    level: u8,
    first: u64,
    entries: &[(usize, Entry<B>)],
) -> Vec<u8> {
    let bitmap = entries
        .iter()
        .fold(0_u128, |bits, (slot, _)| bits | (1 << slot));
    let mut out = Vec::with_capacity(GRANULE as usize);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&u32::from(level).to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&bitmap.to_le_bytes());
    let mut heap = HEADER + entries.len() * SLOT;
    for (_, entry) in entries {
        let at = match entry {
            Entry::Extent(at) => *at,
            Entry::Inline(bytes) => {
                let len = bytes.as_ref().len() as u64;
                let checksum = heap as u64;
                heap += bytes.as_ref().len();
                ExtentRef {
                    offset: 0,
                    len,
                    checksum,
                    generation: 0,
                }
            }
        };
        put_u48(&mut out, at.offset / GRANULE);
        put_u48(&mut out, at.len);
        out.extend_from_slice(&at.checksum.to_le_bytes());
        out.extend_from_slice(&at.generation.to_le_bytes());
    }
    for (_, entry) in entries {
        if let Entry::Inline(bytes) = entry {
            out.extend_from_slice(bytes.as_ref());
        }
    }
    out
}

/// The entries of a page that must be the node at `level` beginning at `first`, in a file that ends
/// at `end`; what does not fit is told in words.
pub(crate) fn decode(
    page: &[u8],
    level: u8,
    first: u64,
    end: u64,
) -> Result<Entries<'_>, &'static str> {
    let mut reader = Reader::new(page);
    let short = "the manifest page is too short";
    if reader.u32().ok_or(short)? != MAGIC {
        return Err("not a manifest page");
    }
    if reader.u32().ok_or(short)? != u32::from(level) || reader.u64().ok_or(short)? != first {
        return Err("the manifest page belongs elsewhere");
    }
    let bitmap = reader.u128().ok_or(short)?;
    let mut entries = Vec::with_capacity(bitmap.count_ones() as usize);
    for slot in (0..FANOUT).filter(|slot| bitmap >> slot & 1 == 1) {
        let at = ExtentRef {
            offset: reader.u48().ok_or(short)?.saturating_mul(GRANULE),
            len: reader.u48().ok_or(short)?,
            checksum: reader.u64().ok_or(short)?,
            generation: reader.u64().ok_or(short)?,
        };
        entries.push((slot, decode_entry(page, level, at, end)?));
    }
    let bits = LEVEL_BITS * (u32::from(level) + 1);
    if bits > 64 && bitmap >> (1_u32 << (LEVEL_BITS + 64 - bits)) != 0 {
        return Err("the manifest page has keys beyond 64 bits");
    }
    Ok(entries)
}

fn decode_entry(
    page: &[u8],
    level: u8,
    at: ExtentRef,
    end: u64,
) -> Result<Entry<&[u8]>, &'static str> {
    if at.offset != 0 {
        check(&at, end)?;
        if level > 0 && at.len > MAX_PAGE {
            return Err("a manifest page is over the limit");
        }
        return Ok(Entry::Extent(at));
    }
    if level > 0 {
        return Err("an inner manifest page has an inline value");
    }
    let start = usize::try_from(at.checksum).map_err(|_| "an inline value lies outside")?;
    let len = usize::try_from(at.len).map_err(|_| "an inline value lies outside")?;
    let stop = start
        .checked_add(len)
        .ok_or("an inline value lies outside")?;
    let bytes = page
        .get(start..stop)
        .ok_or("an inline value lies outside its page")?;
    Ok(Entry::Inline(bytes))
}

/// Checks that an extent lies within a file that ends at `end`.
pub(crate) fn check(at: &ExtentRef, end: u64) -> Result<(), &'static str> {
    if at.generation >= MAX_COUNT {
        return Err("an extent has an impossible generation");
    }
    let fits = at.offset >= space::FIRST_EXTENT
        && at.offset.is_multiple_of(GRANULE)
        && at
            .offset
            .checked_add(at.len)
            .is_some_and(|stop| stop <= end);
    if fits {
        Ok(())
    } else {
        Err("an extent lies outside the file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: u64 = 1 << 40;

    fn entry() -> impl Strategy<Value = Entry<Vec<u8>>> {
        prop_oneof![
            (17_u64..1 << 20, 0..1_u64 << 30, any::<u64>(), 0..MAX_COUNT).prop_map(
                |(granule, len, checksum, generation)| Entry::Extent(ExtentRef {
                    offset: granule * GRANULE,
                    len,
                    checksum,
                    generation,
                })
            ),
            prop::collection::vec(any::<u8>(), 0..=INLINE_MAX).prop_map(Entry::Inline),
        ]
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            slots in prop::collection::btree_map(0..FANOUT, entry(), 0..FANOUT),
            first in any::<u64>(),
        ) {
            let entries: Vec<_> = slots.into_iter().collect();
            let page = encode(0, first, &entries);
            prop_assert!(page.len() as u64 <= MAX_PAGE);
            let decoded = decode(&page, 0, first, END).unwrap();
            prop_assert_eq!(decoded.len(), entries.len());
            for ((slot, got), (expected_slot, expected)) in decoded.iter().zip(&entries) {
                prop_assert_eq!(slot, expected_slot);
                match (got, expected) {
                    (Entry::Extent(a), Entry::Extent(b)) => prop_assert_eq!(a, b),
                    (Entry::Inline(a), Entry::Inline(b)) => prop_assert_eq!(*a, b.as_slice()),
                    _ => prop_assert!(false, "another kind of entry"),
                }
            }
        }

        #[test]
        fn any_bytes_give_a_node_or_an_error(
            mut page in prop::collection::vec(any::<u8>(), 0..600),
            level in 0..=9_u8,
            valid_header in any::<bool>(),
        ) {
            if valid_header && page.len() >= 16 {
                page[..4].copy_from_slice(&MAGIC.to_le_bytes());
                page[4..8].copy_from_slice(&u32::from(level).to_le_bytes());
                page[8..16].fill(0);
            }
            let _ = decode(&page, level, 0, END);
        }
    }
}
