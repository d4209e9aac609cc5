//! Searching the texts of an array for a substring, many texts at a time.
//!
//! Neighbouring rows usually lie side by side in one buffer. A search through such a stretch costs far less
//! than one search per text, whose beginnings and ends take longer than the bytes in between.

use arrow::array::{Array, StringViewArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use memchr::memmem::Finder;

/// Texts up to this many bytes stand in their view.
const INLINE_BYTES: u32 = 12;

/// Bytes between two texts over which a stretch goes on: bytes of rows that are not in the array.
const MAX_GAP_BYTES: usize = 256;

/// A text within the buffer of its stretch.
struct Place {
    row: usize,
    start: usize,
    end: usize,
}

/// The rows whose text holds what `finder` looks for; what is said of NULL rows means nothing.
pub(super) fn rows_containing(
    array: &StringViewArray,
    nulls: Option<&NullBuffer>,
    finder: &Finder<'_>,
) -> BooleanBuffer {
    let mut found = vec![false; array.len()];
    let mut stretch: Vec<Place> = Vec::new();
    let mut buffer = usize::MAX;
    for (row, view) in array.views().iter().enumerate() {
        let length = *view as u32;
        if nulls.is_some_and(|nulls| nulls.is_null(row))
            || (length as usize) < finder.needle().len()
        {
            continue;
        }
        if length <= INLINE_BYTES {
            if let Some(found) = found.get_mut(row) {
                *found = finder.find(array.value(row).as_bytes()).is_some();
            }
            continue;
        }
        // A long text's view: length, first four bytes, buffer, offset, of 32 bits each.
        let (of, start) = ((*view >> 64) as u32 as usize, (*view >> 96) as usize);
        let follows = stretch.last().is_none_or(|last| {
            of == buffer && start >= last.end && start - last.end <= MAX_GAP_BYTES
        });
        if !follows {
            search(array, buffer, &stretch, finder, &mut found);
            stretch.clear();
        }
        buffer = of;
        let end = start + length as usize;
        stretch.push(Place { row, start, end });
    }
    search(array, buffer, &stretch, finder, &mut found);
    found.into()
}

/// Marks the rows of a stretch that hold the needle.
fn search(
    array: &StringViewArray,
    buffer: usize,
    stretch: &[Place],
    finder: &Finder<'_>,
    found: &mut [bool],
) {
    let (Some(bytes), Some(last)) = (array.data_buffers().get(buffer), stretch.last()) else {
        return;
    };
    let mut places = stretch.iter();
    let mut place = places.next();
    while let Some(current) = place {
        let Some(hit) = bytes
            .get(current.start..last.end)
            .and_then(|bytes| finder.find(bytes))
            .map(|hit| current.start + hit)
        else {
            return;
        };
        // The text in which the hit begins, or the next one where it begins in a gap.
        while let Some(passed) = place
            && passed.end <= hit
        {
            place = places.next();
        }
        let Some(owner) = place else {
            return;
        };
        if owner.start <= hit && hit + finder.needle().len() <= owner.end {
            if let Some(found) = found.get_mut(owner.row) {
                *found = true;
            }
            place = places.next();
        } else if owner.start <= hit {
            // Across the end of the text: nothing in the rest of it can be a hit.
            place = places.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::UInt32Array;
    use arrow::compute::take;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_search_in_each_text(
            texts in prop::collection::vec(prop::option::weighted(0.9, "[ab]{0,40}"), 0..60),
            needle in "[ab]{1,5}",
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
            shuffled in any::<bool>(),
        ) {
            let mut array = StringViewArray::from_iter(texts.iter());
            if shuffled && !texts.is_empty() {
                let rows: UInt32Array = picks.iter().map(|p| p.index(texts.len()) as u32).collect();
                let taken = take(&array, &rows, None).unwrap();
                array = taken.as_any().downcast_ref::<StringViewArray>().unwrap().clone();
            }
            let finder = Finder::new(needle.as_bytes());
            let found = rows_containing(&array, array.nulls(), &finder);
            for row in 0..array.len() {
                if array.is_valid(row) {
                    prop_assert_eq!(found.value(row), array.value(row).contains(&needle));
                }
            }
        }
    }
}
