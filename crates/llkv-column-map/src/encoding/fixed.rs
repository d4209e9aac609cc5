//! Values of fixed width that are soon dropped: stored as they came, in one go, with what planning wants to know of them.

use super::{EncodedChunk, plain};
use crate::chunk::{assemble, fixed_values};
use crate::column_buffer::typed;
use crate::kind::{Kind, Width};
use crate::stats::{Bounds, Stats};
use arrow::array::{Array, ArrayRef, BooleanBufferBuilder};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::ArrowNativeType;
use hashbrown::HashSet;
use llkv_result::{Error, Result};
use llkv_types::SqlType;

/// Values looked at to tell how many are distinct.
const SAMPLE_ROWS: usize = 1_024;

/// A column that comes in parts; `None` for values of varying width and for columns of one value, which others hold better.
///
/// # Errors
/// When an array is not in the type's Arrow form.
pub(super) fn encode(ty: SqlType, parts: &[&ArrayRef]) -> Result<Option<EncodedChunk>> {
    let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
    let Some(width) = kind.width() else {
        return Ok(None);
    };
    let data_type = ty.to_arrow();
    if let Some(other) = parts.iter().find(|part| *part.data_type() != data_type) {
        return Err(Error::internal(format!(
            "an array of {} for a column of {ty}",
            other.data_type()
        )));
    }
    let values = parts.iter().map(|part| fixed_values(part));
    let values = values.collect::<Result<Vec<Buffer>>>()?;
    let rows = parts.iter().map(|part| part.len()).sum();
    let nulls = nulls_of(parts, rows);
    let bounds = match &nulls {
        None => bounds(kind, &values)?,
        Some(_) => None,
    };
    let span = bounds.map(|(min, max)| max.saturating_sub(min));
    if span == Some(0) {
        return Ok(None);
    }
    let all = usize::try_from(span.unwrap_or(i128::MAX)).unwrap_or(usize::MAX);
    let distinct = distinct(&values, width.bytes(), rows).min(all.saturating_add(1));
    let stats = Stats {
        bounds: bounds.map_or(Bounds::Unknown, |(min, max)| Bounds::Int { min, max }),
        null_count: nulls.as_ref().map_or(0, NullBuffer::null_count) as u32,
    };
    let id = plain::ENCODING.id;
    let bytes = assemble(
        id,
        kind,
        rows,
        nulls.as_ref(),
        &[],
        rows * width.bytes(),
        |out| {
            let parts = values.iter().map(Buffer::as_slice);
            out.buffer_of(rows * width.bytes(), parts);
            Ok(())
        },
    )?;
    Ok(Some(EncodedChunk {
        bytes,
        encoding: id,
        stats,
        distinct_estimate: u32::try_from(distinct).unwrap_or(u32::MAX),
    }))
}

/// Which rows of all parts are valid; `None` where all are.
fn nulls_of(parts: &[&ArrayRef], rows: usize) -> Option<NullBuffer> {
    if parts.iter().all(|part| part.null_count() == 0) {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    for part in parts {
        match part.nulls() {
            Some(nulls) => valid.append_buffer(nulls.inner()),
            None => valid.append_n(part.len(), true),
        }
    }
    Some(NullBuffer::new(valid.finish()))
}

/// The least and the greatest integer; `None` for values that are none, of which nobody asks it.
fn bounds(kind: Kind, parts: &[Buffer]) -> Result<Option<(i128, i128)>> {
    fn of<T: ArrowNativeType + Ord + Into<i128>>(parts: &[Buffer]) -> Result<Option<(i128, i128)>> {
        let mut bounds: Option<(T, T)> = None;
        for part in parts {
            let values = typed::<T>(part, part.len() / size_of::<T>())?;
            let (Some(first), Some(last)) = (values.first(), values.last()) else {
                continue;
            };
            let (mut min, mut max) = bounds.unwrap_or((*first, *last));
            for value in &values[..] {
                min = min.min(*value);
                max = max.max(*value);
            }
            bounds = Some((min, max));
        }
        Ok(bounds.map(|(min, max)| (min.into(), max.into())))
    }
    match kind {
        Kind::Signed(Width::W1) => of::<i8>(parts),
        Kind::Signed(Width::W2) => of::<i16>(parts),
        Kind::Signed(Width::W4) => of::<i32>(parts),
        Kind::Signed(Width::W8) => of::<i64>(parts),
        Kind::Signed(Width::W16) => of::<i128>(parts),
        Kind::Unsigned(Width::W1) => of::<u8>(parts),
        Kind::Unsigned(Width::W2) => of::<u16>(parts),
        Kind::Unsigned(Width::W4) => of::<u32>(parts),
        Kind::Unsigned(_) => of::<u64>(parts),
        Kind::Float(_) | Kind::Opaque | Kind::Bit | Kind::Bytes { .. } => Ok(None),
    }
}

/// Roughly how many values differ, by a sample in equal strides of each part.
fn distinct(parts: &[Buffer], width: usize, rows: usize) -> usize {
    let stride = (rows / SAMPLE_ROWS).max(1);
    let mut sampled = 0;
    let mut seen: HashSet<&[u8], foldhash::fast::FixedState> = HashSet::default();
    for part in parts {
        for value in part.as_slice().chunks_exact(width).step_by(stride) {
            sampled += 1;
            seen.insert(value);
        }
    }
    match seen.len() * 2 <= sampled {
        true => seen.len(),
        false => rows * seen.len() / sampled.max(1),
    }
}
