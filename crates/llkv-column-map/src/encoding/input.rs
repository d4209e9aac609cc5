//! A column's values made ready for encoding: integers as offsets from their minimum, strings as views.

use super::profile::Profile;
use crate::chunk::{fixed_values, view_parts};
use crate::column_buffer::typed;
use crate::column_test::{float_key, float32_key};
use crate::kind::{Kind, Width};
use crate::scan::selection::WINDOW_ROWS;
use crate::stats::{Bounds, Stats};
use crate::views::{place_of, stored, view_bytes};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::ArrowNativeType;
use hashbrown::HashMap;
use llkv_result::{Error, Result};
use llkv_types::SqlType;

/// The values of a chunk to be encoded.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) kind: Kind,
    pub(crate) rows: usize,
    pub(crate) nulls: Option<NullBuffer>,
    pub(crate) values: InputValues,
}

/// Values by form. At NULL rows stands some other value of the column, or zero.
#[derive(Debug)]
pub(crate) enum InputValues {
    /// Booleans.
    Bits(BooleanBuffer),
    /// Integers, and floats by their key.
    Ints(Ints),
    /// Values that are only ever stored plain.
    Fixed(Buffer),
    /// Strings.
    Bytes(Strings),
}

/// Integers as distances from their minimum.
#[derive(Debug)]
pub(crate) struct Ints {
    pub(crate) offsets: Vec<u64>,
    /// The minimum.
    pub(crate) base: i128,
    /// Maximum less minimum.
    pub(crate) span: u64,
    /// The values as they came.
    pub(crate) raw: Buffer,
}

/// Strings as views.
#[derive(Debug)]
pub(crate) struct Strings {
    views: ScalarBuffer<u128>,
    buffers: Vec<Buffer>,
    /// Bytes of all strings that are not NULL.
    pub(crate) total_bytes: usize,
}

impl Input {
    /// Reads an array in the Arrow form of `ty`.
    ///
    /// # Errors
    /// When it is of another form.
    pub(crate) fn new(ty: SqlType, array: &ArrayRef) -> Result<Self> {
        let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
        if *array.data_type() != ty.to_arrow() {
            return Err(Error::internal(format!(
                "an array of {} for a column of {ty}",
                array.data_type()
            )));
        }
        let array = &stored(ty, array)?;
        let rows = array.len();
        let nulls = array.nulls().filter(|n| n.null_count() > 0).cloned();
        let values = match kind {
            Kind::Bit => InputValues::Bits(array.as_boolean().values().clone()),
            Kind::Bytes { .. } => InputValues::Bytes(Strings::new(array, nulls.as_ref())),
            Kind::Opaque => InputValues::Fixed(fixed_values(array)?),
            _ => {
                let raw = fixed_values(array)?;
                match ints(kind, &raw, rows, nulls.as_ref())? {
                    Some(ints) => InputValues::Ints(ints),
                    None => InputValues::Fixed(raw),
                }
            }
        };
        Ok(Self {
            kind,
            rows,
            nulls,
            values,
        })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// At most `wanted` rows that are not NULL, ascending: one of each of so many equal parts of the column, not always at the
    /// same place of it, because what comes around every so many rows would otherwise not be seen.
    pub(crate) fn sample(&self, wanted: usize) -> impl Iterator<Item = usize> + Clone {
        let parts = self.rows.min(wanted);
        let rows = (0..parts).map(move |part| {
            let start = part * self.rows / parts;
            let len = (part + 1) * self.rows / parts - start;
            start + ((u64::from(scattered(part as u32)) * len as u64) >> 32) as usize
        });
        rows.filter(|row| !self.is_null(*row))
    }

    /// Statistics of each window. Strings are compared by their codes or numbers where the profile has them.
    pub(crate) fn window_stats(&self, profile: &Profile) -> Vec<Stats> {
        (0..self.rows)
            .step_by(WINDOW_ROWS)
            .map(|start| self.stats_of(start, WINDOW_ROWS.min(self.rows - start), profile))
            .collect()
    }

    /// Statistics of all rows.
    pub(crate) fn stats(&self) -> Stats {
        self.stats_of(0, self.rows, &Profile::default())
    }

    fn stats_of(&self, start: usize, rows: usize, profile: &Profile) -> Stats {
        let null_count = self
            .nulls
            .as_ref()
            .map_or(0, |nulls| nulls.slice(start, rows).null_count());
        let bounds = if null_count == rows {
            Bounds::Unknown
        } else {
            self.bounds_of(start, rows, profile)
        };
        Stats {
            bounds,
            null_count: null_count as u32,
        }
    }

    fn bounds_of(&self, start: usize, rows: usize, profile: &Profile) -> Bounds {
        match &self.values {
            InputValues::Ints(ints) => {
                let window = ints.offsets.get(start..start + rows).unwrap_or_default();
                let (mut min, mut max) = (u64::MAX, 0);
                for offset in window {
                    min = min.min(*offset);
                    max = max.max(*offset);
                }
                Bounds::Int {
                    min: ints.base + i128::from(min),
                    max: ints.base + i128::from(max),
                }
            }
            InputValues::Bits(bits) => {
                let (mut any, mut all) = (false, true);
                for row in (start..start + rows).filter(|row| !self.is_null(*row)) {
                    any |= bits.value(row);
                    all &= bits.value(row);
                }
                Bounds::Int {
                    min: i128::from(all),
                    max: i128::from(any),
                }
            }
            InputValues::Bytes(strings) => {
                let valid = (start..start + rows).filter(|row| !self.is_null(*row));
                let found = match (&profile.dictionary, &profile.numbered) {
                    (Some(dictionary), _) => dictionary.least_and_greatest(valid.clone()),
                    (None, Some(numbered)) => numbered.least_and_greatest(valid.clone()),
                    (None, None) => None,
                };
                let found = match found {
                    Some((least, greatest)) => Some((strings.get(least), strings.get(greatest))),
                    None => strings.least_and_greatest(valid),
                };
                let Some((min, max)) = found else {
                    return Bounds::Unknown;
                };
                Bounds::of_bytes(min, max)
            }
            InputValues::Fixed(_) => match self.wide_bounds(start, rows) {
                Some((min, max)) => Bounds::Int { min, max },
                None => Bounds::Unknown,
            },
        }
    }

    /// Bounds of decimals whose range does not fit 64 bits.
    fn wide_bounds(&self, start: usize, rows: usize) -> Option<(i128, i128)> {
        let (Kind::Signed(Width::W16), InputValues::Fixed(raw)) = (self.kind, &self.values) else {
            return None;
        };
        let values = typed::<i128>(raw, self.rows).ok()?;
        let valid = (start..start + rows)
            .filter(|row| !self.is_null(*row))
            .filter_map(|row| values.get(row).copied());
        valid.fold(None, |bounds, value| match bounds {
            None => Some((value, value)),
            Some((min, max)) => Some((value.min(min), value.max(max))),
        })
    }
}

impl Strings {
    fn new(array: &ArrayRef, nulls: Option<&NullBuffer>) -> Self {
        let (views, buffers) = view_parts(array);
        let total_bytes = match nulls {
            None => views.iter().map(|v| crate::views::view_len(*v)).sum(),
            Some(nulls) => nulls
                .valid_indices()
                .filter_map(|row| views.get(row))
                .map(|v| crate::views::view_len(*v))
                .sum(),
        };
        Self {
            views,
            buffers,
            total_bytes,
        }
    }

    /// The bytes of a row that is not NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        self.views
            .get(row)
            .and_then(|view| view_bytes(view, &self.buffers))
            .unwrap_or_default()
    }

    /// For each buffer, the first one that is the same memory: the batches of a scan bring a dictionary's buffer again and
    /// again.
    pub(crate) fn same_buffers(&self) -> Vec<u32> {
        let mut first: HashMap<(*const u8, usize), u32, foldhash::fast::FixedState> =
            HashMap::default();
        let numbered = (0..).zip(&self.buffers);
        numbered
            .map(|(at, buffer)| *first.entry((buffer.as_ptr(), buffer.len())).or_insert(at))
            .collect()
    }

    /// Where a row's string lies, or what it is where it is short: rows of one place hold the same string. `same` is what
    /// [`Strings::same_buffers`] gave.
    #[inline]
    pub(crate) fn place(&self, row: usize, same: &[u32]) -> u128 {
        place_of(self.views.get(row).copied().unwrap_or_default(), same)
    }

    /// The view of a row.
    #[inline]
    pub(crate) fn view(&self, row: usize) -> u128 {
        self.views.get(row).copied().unwrap_or_default()
    }

    /// The first four bytes of a row, ordered as the strings are: a string's end counts as zero.
    fn prefix(&self, row: usize) -> u32 {
        let view = self.views.get(row).copied().unwrap_or_default();
        ((view >> 32) as u32).swap_bytes()
    }

    /// The least and the greatest string of rows; `None` where there are no rows. Most rows are between the two by their
    /// first bytes.
    fn least_and_greatest(&self, mut rows: impl Iterator<Item = usize>) -> Option<(&[u8], &[u8])> {
        let first = rows.next()?;
        let (mut min, mut max) = (self.get(first), self.get(first));
        let (mut least, mut greatest) = (self.prefix(first), self.prefix(first));
        for row in rows {
            let prefix = self.prefix(row);
            if least < prefix && prefix < greatest {
                continue;
            }
            let bytes = self.get(row);
            if bytes < min {
                (min, least) = (bytes, prefix);
            } else if bytes > max {
                (max, greatest) = (bytes, prefix);
            }
        }
        Some((min, max))
    }
}

/// A number without any order for each number: a murmur3 finalizer.
const fn scattered(number: u32) -> u32 {
    let hash = (number ^ (number >> 16)).wrapping_mul(0x85EB_CA6B);
    let hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

/// Values as offsets; `None` when their range needs more than 64 bits.
fn ints(kind: Kind, raw: &Buffer, rows: usize, nulls: Option<&NullBuffer>) -> Result<Option<Ints>> {
    const SIGN: u64 = 1 << 63;
    let signed = |value: i64| value as u64 ^ SIGN;
    Ok(Some(match kind {
        Kind::Signed(Width::W1) => offsets::<i8>(raw, rows, nulls, true, |v| signed(v.into()))?,
        Kind::Signed(Width::W2) => offsets::<i16>(raw, rows, nulls, true, |v| signed(v.into()))?,
        Kind::Signed(Width::W4) => offsets::<i32>(raw, rows, nulls, true, |v| signed(v.into()))?,
        Kind::Signed(Width::W8) => offsets::<i64>(raw, rows, nulls, true, signed)?,
        Kind::Unsigned(Width::W1) => offsets::<u8>(raw, rows, nulls, false, u64::from)?,
        Kind::Unsigned(Width::W2) => offsets::<u16>(raw, rows, nulls, false, u64::from)?,
        Kind::Unsigned(Width::W4) => offsets::<u32>(raw, rows, nulls, false, u64::from)?,
        Kind::Unsigned(_) => offsets::<u64>(raw, rows, nulls, false, |v| v)?,
        Kind::Float(Width::W4) => offsets::<f32>(raw, rows, nulls, true, |v| {
            signed(i64::from(float32_key(v)))
        })?,
        Kind::Float(_) => offsets::<f64>(raw, rows, nulls, true, |v| signed(float_key(v)))?,
        Kind::Signed(Width::W16) => return wide(raw, rows, nulls),
        Kind::Bit | Kind::Opaque | Kind::Bytes { .. } => return Ok(None),
    }))
}

fn offsets<T: ArrowNativeType>(
    raw: &Buffer,
    rows: usize,
    nulls: Option<&NullBuffer>,
    signed: bool,
    order: impl Fn(T) -> u64,
) -> Result<Ints> {
    let values = typed::<T>(raw, rows)?;
    let mut offsets: Vec<u64> = values.iter().map(|v| order(*v)).collect();
    fill_nulls(&mut offsets, nulls);
    let (mut min, mut max) = (u64::MAX, 0);
    for value in &offsets {
        min = min.min(*value);
        max = max.max(*value);
    }
    min = min.min(max);
    for value in &mut offsets {
        *value -= min;
    }
    let base = match signed {
        true => i128::from((min ^ 1 << 63) as i64),
        false => i128::from(min),
    };
    Ok(Ints {
        offsets,
        base,
        span: max - min,
        raw: raw.clone(),
    })
}

/// Puts the value before it (or else the first valid one) in the place of each NULL.
fn fill_nulls<T: Copy + Default>(values: &mut [T], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls else { return };
    let first = nulls.valid_indices().next();
    let mut last = first
        .and_then(|row| values.get(row))
        .copied()
        .unwrap_or_default();
    for (value, valid) in values.iter_mut().zip(nulls.iter()) {
        if valid {
            last = *value;
        } else {
            *value = last;
        }
    }
}

fn wide(raw: &Buffer, rows: usize, nulls: Option<&NullBuffer>) -> Result<Option<Ints>> {
    let mut values = typed::<i128>(raw, rows)?.to_vec();
    fill_nulls(&mut values, nulls);
    let min = values.iter().copied().min().unwrap_or(0);
    let max = values.iter().copied().max().unwrap_or(0);
    let Some(span) = max
        .checked_sub(min)
        .and_then(|span| u64::try_from(span).ok())
    else {
        return Ok(None);
    };
    Ok(Some(Ints {
        offsets: values.iter().map(|v| v.wrapping_sub(min) as u64).collect(),
        base: min,
        span,
        raw: raw.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringViewArray, UInt64Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn bounds_of_strings_are_the_least_and_the_greatest(
            texts in prop::collection::vec("(id|http://a)?[a-c\\x00]{0,6}é?", 1..40),
        ) {
            let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(&texts));
            let InputValues::Bytes(strings) = Input::new(SqlType::Text, &array).unwrap().values else {
                panic!("texts are strings");
            };
            let (min, max) = strings.least_and_greatest(0..texts.len()).unwrap();
            prop_assert_eq!(min, texts.iter().min().unwrap().as_bytes());
            prop_assert_eq!(max, texts.iter().max().unwrap().as_bytes());
        }
    }

    fn ints_of(ty: SqlType, array: ArrayRef) -> Ints {
        match Input::new(ty, &array).unwrap().values {
            InputValues::Ints(ints) => ints,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn integers_become_offsets_and_nulls_repeat_what_came_before() {
        let array = Int32Array::from(vec![None, Some(-5), None, Some(7)]);
        let ints = ints_of(SqlType::Int32, Arc::new(array));
        assert_eq!((ints.base, ints.span), (-5, 12));
        assert_eq!(ints.offsets, [0, 0, 0, 12]);
        let array = UInt64Array::from(vec![u64::MAX, u64::MAX - 3]);
        let ints = ints_of(SqlType::UInt64, Arc::new(array));
        assert_eq!((ints.base, ints.span), (i128::from(u64::MAX) - 3, 3));
        let array = Float64Array::from(vec![1.0, -1.0]);
        let ints = ints_of(SqlType::Float64, Arc::new(array));
        assert_eq!(ints.base, i128::from(float_key(-1.0)));
    }
}
