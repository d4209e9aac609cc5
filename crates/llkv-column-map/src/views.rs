//! Arrow string views over bytes whose UTF-8 was checked once, when their chunk was opened.
//!
//! Arrow's checked constructor looks at every string of every batch again, which costs more than all
//! the rest of a string scan. This is the one place of the crate that skips that check.
#![allow(unsafe_code)]

use crate::bytes::damaged;
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use llkv_result::Result;
use llkv_types::{SqlType, variant};
use std::sync::Arc;

/// Strings up to this many bytes lie inside their view.
pub(crate) const INLINE_BYTES: usize = 12;

/// The view of `bytes`, found at `offset` of buffer number `buffer`.
#[inline]
pub(crate) fn make_view(bytes: &[u8], buffer: u32, offset: u32) -> u128 {
    let len = bytes.len() as u128;
    match bytes.first_chunk::<4>() {
        Some(prefix) if bytes.len() > INLINE_BYTES => {
            len | u128::from(u32::from_le_bytes(*prefix)) << 32
                | u128::from(buffer) << 64
                | u128::from(offset) << 96
        }
        _ => {
            let mut inline = [0; 16];
            for (to, from) in inline.iter_mut().skip(4).zip(bytes) {
                *to = *from;
            }
            u128::from_le_bytes(inline) | len
        }
    }
}

/// Bytes of the string behind a view.
#[inline]
pub(crate) fn view_len(view: u128) -> usize {
    view as u32 as usize
}

/// The view with its buffer number raised by `by`; views that hold their string stay as they are.
#[inline]
pub(crate) fn shift_buffer(view: u128, by: u32) -> u128 {
    if view_len(view) > INLINE_BYTES {
        let index = ((view >> 64) as u32).wrapping_add(by);
        (view & !(u128::from(u32::MAX) << 64)) | u128::from(index) << 64
    } else {
        view
    }
}

/// A view with the number of its buffer looked up in `same`; views that hold their string stay as they are.
#[inline]
pub(crate) fn place_of(view: u128, same: &[u32]) -> u128 {
    if view_len(view) > INLINE_BYTES {
        let index = (view >> 64) as u32;
        let index = same.get(index as usize).copied().unwrap_or(index);
        (view & !(u128::from(u32::MAX) << 64)) | u128::from(index) << 64
    } else {
        view
    }
}

/// The bytes behind a view; `None` when it points outside the buffers.
#[inline]
pub(crate) fn view_bytes<'a>(view: &'a u128, buffers: &'a [Buffer]) -> Option<&'a [u8]> {
    let len = view_len(*view);
    if len > INLINE_BYTES {
        let buffer = buffers.get((*view >> 64) as u32 as usize)?;
        let offset = (*view >> 96) as u32 as usize;
        buffer.as_slice().get(offset..offset.checked_add(len)?)
    } else {
        inline_bytes(view).get(4..4 + len)
    }
}

#[inline]
fn inline_bytes(view: &u128) -> &[u8; 16] {
    const { assert!(cfg!(target_endian = "little"), "views are little-endian") };
    // SAFETY: a u128 is 16 initialised bytes, u8 has no alignment, the lifetime is the borrow's.
    unsafe { &*std::ptr::from_ref(view).cast::<[u8; 16]>() }
}

/// Checks that every string of `bytes` cut at `offsets` lies in bounds and, with `utf8`, is valid UTF-8.
///
/// # Errors
/// When one does not.
pub(crate) fn check_strings(bytes: &[u8], offsets: &[u32], utf8: bool) -> Result<()> {
    let mut previous = 0;
    for offset in offsets {
        if *offset < previous {
            return Err(damaged("string offsets are not ascending"));
        }
        previous = *offset;
    }
    if previous as usize > bytes.len() {
        return Err(damaged("string offsets lie outside their data"));
    }
    if !utf8 || bytes.is_ascii() {
        return Ok(());
    }
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(format!("a string: {e}")))?;
    match offsets.iter().all(|o| text.is_char_boundary(*o as usize)) {
        true => Ok(()),
        false => Err(damaged("a string starts inside a character")),
    }
}

/// The views below an array: those of texts and blobs, or of values that carry their own type.
///
/// # Errors
/// Where such values are not in their form.
pub(crate) fn stored(ty: SqlType, array: &ArrayRef) -> Result<ArrayRef> {
    match ty {
        SqlType::Variant => Ok(Arc::new(variant::encoded(array.as_ref())?)),
        _ => Ok(Arc::clone(array)),
    }
}

/// The array in the form of its type: the reverse of [`stored`].
///
/// # Errors
/// As there.
pub(crate) fn typed(ty: SqlType, array: ArrayRef) -> Result<ArrayRef> {
    match (ty, array.as_binary_view_opt()) {
        (SqlType::Variant, Some(values)) => variant::from_encoded(values.clone()),
        _ => Ok(array),
    }
}

/// An array of views.
///
/// Every view must lie inside its buffer and, with `utf8`, be valid UTF-8: the readers that make
/// views check both when they open a chunk ([`check_strings`]) and build views only from checked
/// offsets or from arrays that Arrow checked.
///
/// # Errors
/// When views and validity differ in length.
pub(crate) fn array(
    views: ScalarBuffer<u128>,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
    utf8: bool,
) -> Result<ArrayRef> {
    if nulls.as_ref().is_some_and(|n| n.len() != views.len()) {
        return Err(damaged("views and validity differ in length"));
    }
    let buffers: Arc<[Buffer]> = buffers.into();
    // SAFETY: see above: views were made from offsets that were checked against the very buffer
    // they name, or copied from a valid array together with its buffers; UTF-8 was checked likewise.
    Ok(unsafe {
        if utf8 {
            Arc::new(StringViewArray::new_unchecked(views, buffers, nulls))
        } else {
            Arc::new(BinaryViewArray::new_unchecked(views, buffers, nulls))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_gives_back_its_bytes() {
        let data = Buffer::from(b"....the quick brown fox".as_slice());
        for len in 0..=19 {
            let bytes = &data.as_slice()[4..4 + len];
            let view = make_view(bytes, 0, 4);
            assert_eq!(view_bytes(&view, std::slice::from_ref(&data)), Some(bytes));
        }
    }

    #[test]
    fn a_string_cut_inside_a_character_is_refused() {
        let bytes = "aé".as_bytes();
        assert!(check_strings(bytes, &[0, 1, 3], true).is_ok());
        assert!(check_strings(bytes, &[0, 2, 3], true).is_err());
        assert!(check_strings(bytes, &[0, 2, 3], false).is_ok());
        assert!(check_strings(bytes, &[0, 3, 2], false).is_err());
        assert!(check_strings(bytes, &[0, 4], false).is_err());
    }
}
