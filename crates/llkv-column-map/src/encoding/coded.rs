//! Texts that come as codes of dictionaries, written as codes of one: none of them is read row by row.

use super::dictionary::{self, Dictionary};
use super::table::write_bytes;
use super::{EncodedChunk, packed};
use crate::chunk::assemble;
use crate::kind::Kind;
use crate::stats::{Bounds, Stats};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, DictionaryArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use llkv_result::{Error, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// True for texts that come as codes.
pub(super) fn is_coded(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Dictionary(..))
}

/// The texts that codes stand for; other arrays as they are.
///
/// # Errors
/// When a code has no text.
pub(super) fn decoded(array: &ArrayRef) -> Result<ArrayRef> {
    match array.as_dictionary_opt::<UInt32Type>() {
        Some(coded) => Ok(take(coded.values(), coded.keys(), None)?),
        None => Ok(Arc::clone(array)),
    }
}

/// A dictionary that parts of a column have codes of.
struct Source<'a> {
    values: &'a ArrayRef,
    texts: &'a StringViewArray,
    /// Which of its texts occur, and after merging the code of each.
    codes: Vec<u32>,
}

/// A text that does not occur.
const ABSENT: u32 = u32::MAX;

/// A column of texts in parts; `None` where not all parts are coded in ascending texts, or there are too many texts.
///
/// # Errors
/// When a code has no text.
pub(super) fn encode(kind: Kind, parts: &[&ArrayRef]) -> Result<Option<EncodedChunk>> {
    let coded = parts.iter().map(|p| p.as_dictionary_opt::<UInt32Type>());
    let Some(parts) = coded.collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let rows: usize = parts.iter().map(|part| part.len()).sum();
    let Some((mut sources, places)) = sources(&parts)? else {
        return Ok(None);
    };
    let texts = merge(&mut sources);
    if texts.len() > Dictionary::limit(rows) {
        return Ok(None);
    }
    let codes = codes(&parts, &sources, &places, rows);
    let nulls = nulls_of(&parts, rows);
    let bounds = match (texts.first(), texts.last()) {
        (Some(min), Some(max)) => Bounds::of_bytes(min, max),
        _ => Bounds::Unknown,
    };
    let id = dictionary::ENCODING.id;
    let bytes = assemble(id, kind, rows, nulls.as_ref(), &[], 0, |out| {
        out.header.u32(texts.len() as u32);
        write_bytes(&texts, out)?;
        packed::write(&codes, out)
    })?;
    Ok(Some(EncodedChunk {
        bytes,
        encoding: id,
        stats: Stats {
            bounds,
            null_count: nulls.as_ref().map_or(0, NullBuffer::null_count) as u32,
        },
        distinct_estimate: texts.len() as u32,
    }))
}

/// The dictionaries of all parts, with the texts that occur marked, and which one each part has.
fn sources<'a>(
    parts: &[&'a DictionaryArray<UInt32Type>],
) -> Result<Option<(Vec<Source<'a>>, Vec<usize>)>> {
    let mut sources: Vec<Source<'a>> = Vec::new();
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let values = part.values();
        let known = sources.iter().position(|s| Arc::ptr_eq(s.values, values));
        let place = match known {
            Some(place) => place,
            None => {
                let Some(texts) = values.as_string_view_opt() else {
                    return Ok(None);
                };
                if texts.null_count() > 0 || !ascends(texts) {
                    return Ok(None);
                }
                sources.push(Source {
                    values,
                    texts,
                    codes: vec![ABSENT; texts.len()],
                });
                sources.len() - 1
            }
        };
        places.push(place);
        let Some(source) = sources.get_mut(place) else {
            continue;
        };
        let keys = part.keys();
        if keys.null_count() == 0 {
            for code in keys.values() {
                let slot = source.codes.get_mut(*code as usize);
                *slot.ok_or_else(|| Error::internal("a code without a text"))? = 0;
            }
        } else {
            for code in keys.iter().flatten() {
                let slot = source.codes.get_mut(code as usize);
                *slot.ok_or_else(|| Error::internal("a code without a text"))? = 0;
            }
        }
    }
    Ok(Some((sources, places)))
}

fn ascends(texts: &StringViewArray) -> bool {
    let all = || texts.iter().flatten();
    all().zip(all().skip(1)).all(|(a, b)| a < b)
}

/// The texts that occur in any dictionary, ascending; each dictionary's codes become those of the result.
fn merge<'a>(sources: &mut [Source<'a>]) -> Vec<&'a [u8]> {
    let mut texts: Vec<&'a [u8]> = Vec::new();
    for at in 0..sources.len() {
        let (before, rest) = sources.split_at_mut(at);
        let Some(source) = rest.first_mut() else {
            break;
        };
        let mut merged = Vec::with_capacity(texts.len() + source.codes.len());
        // Where the texts of before are now.
        let mut moved = Vec::with_capacity(texts.len());
        let mut old = texts.iter().peekable();
        for (text, code) in source.texts.iter().flatten().zip(&mut source.codes) {
            if *code == ABSENT {
                continue;
            }
            let text = text.as_bytes();
            while let Some(other) = old.peek() {
                match (**other).cmp(text) {
                    Ordering::Greater => break,
                    order => {
                        moved.push(merged.len() as u32);
                        // One that is equal is the text itself.
                        if order == Ordering::Less {
                            merged.push(**other);
                        }
                        old.next();
                    }
                }
            }
            *code = merged.len() as u32;
            merged.push(text);
        }
        for other in old {
            moved.push(merged.len() as u32);
            merged.push(other);
        }
        for source in before {
            for code in &mut source.codes {
                *code = moved.get(*code as usize).copied().unwrap_or(ABSENT);
            }
        }
        texts = merged;
    }
    texts
}

/// The code of each row in the merged dictionary; that of a NULL is one that there is.
fn codes(
    parts: &[&DictionaryArray<UInt32Type>],
    sources: &[Source<'_>],
    places: &[usize],
    rows: usize,
) -> Vec<u64> {
    let mut codes = Vec::with_capacity(rows);
    for (part, place) in parts.iter().zip(places) {
        let known = sources.get(*place).map_or(&[][..], |s| s.codes.as_slice());
        let of = |code: &u32| known.get(*code as usize).copied();
        match part.keys().nulls().filter(|nulls| nulls.null_count() > 0) {
            None => codes.extend(
                part.keys()
                    .values()
                    .iter()
                    .map(|code| u64::from(of(code).unwrap_or(0))),
            ),
            Some(nulls) => {
                let values = part.keys().values().iter().zip(nulls);
                codes.extend(values.map(|(code, is_valid)| match is_valid {
                    true => u64::from(of(code).unwrap_or(0)),
                    false => 0,
                }));
            }
        }
    }
    codes
}

/// Which rows of all parts are valid; `None` where all are.
fn nulls_of(parts: &[&DictionaryArray<UInt32Type>], rows: usize) -> Option<NullBuffer> {
    if parts.iter().all(|part| part.keys().null_count() == 0) {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    for part in parts {
        match part.keys().nulls() {
            Some(nulls) => valid.append_buffer(nulls.inner()),
            None => valid.append_n(part.len(), true),
        }
    }
    Some(NullBuffer::new(valid.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Chunk;
    use crate::column_buffer::ColumnBuffer;
    use crate::encoding::Scratch;
    use arrow::array::{StringViewBuilder, UInt32Array};
    use arrow::buffer::Buffer;
    use llkv_types::SqlType;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_of_several_dictionaries_are_the_texts_of_one(
            dictionaries in prop::collection::vec(prop::collection::btree_set("[a-c]{0,4}(a long text)?", 1..30), 1..4),
            rows in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, any::<prop::sample::Index>()), 1..40), 1..6),
        ) {
            let values: Vec<ArrayRef> = dictionaries
                .iter()
                .map(|texts| Arc::new(StringViewArray::from_iter_values(texts)) as ArrayRef)
                .collect();
            let parts: Vec<ArrayRef> = rows
                .iter()
                .enumerate()
                .map(|(at, rows)| {
                    let values = &values[at % values.len()];
                    let codes = rows.iter().map(|code| code.map(|code| code.index(values.len()) as u32));
                    let codes = codes.collect::<UInt32Array>();
                    Arc::new(DictionaryArray::try_new(codes, Arc::clone(values)).unwrap()) as ArrayRef
                })
                .collect();
            let mut expected = StringViewBuilder::new();
            for part in &parts {
                let texts = decoded(part).unwrap();
                texts.as_string_view().iter().for_each(|text| expected.append_option(text));
            }
            let expected = expected.finish();
            let parts: Vec<&ArrayRef> = parts.iter().collect();
            let kind = Kind::of(SqlType::Text).unwrap();
            let Some(encoded) = encode(kind, &parts).unwrap() else { return Ok(()) };
            let chunk = Chunk::open(SqlType::Text, &Buffer::from(encoded.bytes.as_slice()), expected.len()).unwrap();
            let mut column = ColumnBuffer::new(SqlType::Text, expected.len()).unwrap();
            chunk.append(0, expected.len(), &mut column, &mut Scratch::default()).unwrap();
            let found = column.finish().unwrap();
            prop_assert_eq!(found.as_string_view(), &expected);
            prop_assert_eq!(encoded.stats.null_count as usize, expected.null_count());
        }
    }
}
