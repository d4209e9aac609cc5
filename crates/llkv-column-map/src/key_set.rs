//! The integer keys of one side of a join, as a test that drops rows of the other side early.

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use llkv_result::{Error, Result};

/// Calls `$body` with `$array` as a typed array of integers that fit 64 bits, or gives `$other`.
macro_rules! with_integers {
    ($values:expr, |$array:ident| $body:expr, _ => $other:expr) => {{
        macro_rules! typed {
            ($t:ty) => {{
                let $array = $values.as_primitive::<$t>();
                $body
            }};
        }
        match $values.data_type() {
            DataType::Int8 => typed!(Int8Type),
            DataType::Int16 => typed!(Int16Type),
            DataType::Int32 => typed!(Int32Type),
            DataType::Int64 => typed!(Int64Type),
            DataType::UInt8 => typed!(UInt8Type),
            DataType::UInt16 => typed!(UInt16Type),
            DataType::UInt32 => typed!(UInt32Type),
            DataType::Date32 => typed!(Date32Type),
            DataType::Decimal64(_, _) => typed!(Decimal64Type),
            DataType::Timestamp(_, _) => typed!(TimestampMicrosecondType),
            _ => $other,
        }
    }};
}

/// Bits of the bitmap per key, at most, once it is larger than [`SMALL_BITMAP_BITS`].
const MAX_BITS_PER_KEY: u64 = 64;
/// Bitmaps up to this size lie in a core's own cache, however few their keys.
const SMALL_BITMAP_BITS: u64 = 1 << 20;
/// Bits of a Bloom filter per key.
const BLOOM_BITS_PER_KEY: usize = 16;
/// More keys than this: testing a row costs a miss of the cache, as looking it up does.
const MAX_BLOOM_KEYS: usize = 1 << 22;

/// A set of 64-bit keys that answers fast and may say yes to a few values that are no keys, never no to one
/// that is.
///
/// Keys of a narrow range are a bitmap, which is exact; others a Bloom filter whose bits for one key lie in
/// one word (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007).
#[derive(Debug, PartialEq)]
pub struct KeySet {
    low: i64,
    high: i64,
    form: Form,
}

#[derive(Debug, PartialEq)]
enum Form {
    /// Bit `key - low`.
    Bitmap(Vec<u64>),
    /// A power of two words, chosen by the high bits of a key's hash.
    Bloom { words: Vec<u64>, shift: u32 },
}

impl KeySet {
    /// The values of a column but its NULLs; as [`KeySet::new`], and `None` for types that are no integers of 64
    /// bits.
    #[must_use]
    pub fn of_array(values: &dyn Array) -> Option<Self> {
        fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
            array: &PrimitiveArray<T>,
        ) -> Option<KeySet> {
            let count = array.len() - array.null_count();
            KeySet::new(array.iter().flatten().map(Into::into), count)
        }
        with_integers!(values, |array| of(array), _ => None)
    }

    /// The rows of a column that may be keys; NULL is none.
    ///
    /// # Errors
    /// For types that are no integers of 64 bits.
    pub fn passing(&self, values: &dyn Array) -> Result<BooleanBuffer> {
        fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
            set: &KeySet,
            array: &PrimitiveArray<T>,
        ) -> BooleanBuffer {
            let keys = array.values();
            BooleanBuffer::collect_bool(array.len(), |row| {
                array.is_valid(row) && keys.get(row).is_some_and(|key| set.contains((*key).into()))
            })
        }
        with_integers!(values, |array| Ok(of(self, array)), _ => Err(Error::internal(format!(
            "a test of keys for a column of {}",
            values.data_type()
        ))))
    }

    /// A set of `count` keys, equal ones allowed. `None` where testing rows would gain nothing over testing
    /// the range of the keys: for no keys, for every key of a range, for too many.
    pub fn new(keys: impl Iterator<Item = i64> + Clone, count: usize) -> Option<Self> {
        let low = keys.clone().min()?;
        let high = keys.clone().max()?;
        let span = high.abs_diff(low);
        let most = SMALL_BITMAP_BITS.max((count as u64).saturating_mul(MAX_BITS_PER_KEY));
        let form = if span < most {
            let mut words = vec![0_u64; (span / 64 + 1) as usize];
            for key in keys {
                let at = key.abs_diff(low);
                if let Some(word) = words.get_mut((at / 64) as usize) {
                    *word |= 1 << (at % 64);
                }
            }
            let ones: u64 = words.iter().map(|word| u64::from(word.count_ones())).sum();
            if ones == span + 1 {
                return None;
            }
            Form::Bitmap(words)
        } else if count <= MAX_BLOOM_KEYS {
            let len = (count * BLOOM_BITS_PER_KEY / 64).next_power_of_two().max(2);
            let shift = 64 - len.trailing_zeros();
            let mut words = vec![0_u64; len];
            for key in keys {
                let (at, bits) = place(key, shift);
                if let Some(word) = words.get_mut(at) {
                    *word |= bits;
                }
            }
            Form::Bloom { words, shift }
        } else {
            return None;
        };
        Some(Self { low, high, form })
    }

    /// The least key.
    #[must_use]
    pub fn low(&self) -> i64 {
        self.low
    }

    /// The greatest key.
    #[must_use]
    pub fn high(&self) -> i64 {
        self.high
    }

    /// Whether `value` may be a key.
    #[inline]
    #[must_use]
    pub fn contains(&self, value: i64) -> bool {
        match &self.form {
            Form::Bitmap(words) => has_bit(words, self.low, value),
            Form::Bloom { words, shift } => {
                let (at, bits) = place(value, *shift);
                words.get(at).is_some_and(|word| word & bits == bits)
                    && self.low <= value
                    && value <= self.high
            }
        }
    }

    /// The words of a bitmap and the key of its first bit, for [`has_bit`]: loops over many values ask for them once.
    pub(crate) fn bitmap(&self) -> Option<(&[u64], i64)> {
        match &self.form {
            Form::Bitmap(words) => Some((words, self.low)),
            Form::Bloom { .. } => None,
        }
    }

    /// Whether a key may lie within `low..=high`.
    pub(crate) fn meets(&self, low: i128, high: i128) -> bool {
        let low = low.max(self.low.into());
        let high = high.min(self.high.into());
        if low > high {
            return false;
        }
        let Form::Bitmap(words) = &self.form else {
            return true;
        };
        // Both lie within the keys' range now.
        let from = (low - i128::from(self.low)) as u64;
        let to = (high - i128::from(self.low)) as u64;
        let (first, last) = ((from / 64) as usize, (to / 64) as usize);
        let words = words.get(first..=last).unwrap_or_default();
        words.iter().enumerate().any(|(index, word)| {
            let mut word = *word;
            if index == 0 {
                word &= u64::MAX << (from % 64);
            }
            if first + index == last {
                word &= u64::MAX >> (63 - to % 64);
            }
            word != 0
        })
    }

    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match &self.form {
            Form::Bitmap(words) | Form::Bloom { words, .. } => size_of_val(words.as_slice()),
        }
    }
}

/// Whether the bit of a value is set in a bitmap whose first bit is that of `low`.
#[inline]
pub(crate) fn has_bit(words: &[u64], low: i64, value: i64) -> bool {
    // Wrapping: what lies below the least key becomes too large.
    let at = value.wrapping_sub(low) as u64;
    let word = usize::try_from(at / 64).ok().and_then(|i| words.get(i));
    word.is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// The word of a key, and its four bits there.
fn place(key: i64, shift: u32) -> (usize, u64) {
    // Fibonacci hashing, folded so that the low bits, which choose the bits, depend on all of the key.
    let product = u128::from(key as u64 ^ 0x2432_f6a8_885a_308d) * 0x9e37_79b9_7f4a_7c15_u128;
    let hash = product as u64 ^ (product >> 64) as u64;
    let bits = (0..4).fold(0, |bits, i| bits | 1_u64 << (hash >> (6 * i) & 63));
    ((hash >> shift) as usize, bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_without_gaps_needs_no_set() {
        assert!(KeySet::new(5..900, 895).is_none());
        assert!(KeySet::new(std::iter::empty(), 0).is_none());
        assert!(KeySet::new([7, 7].into_iter(), 2).is_none());
    }

    #[test]
    fn few_strangers_pass() {
        let keys = || (0..10_000_i64).map(|i| i.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let set = KeySet::new(keys(), 10_000).unwrap();
        assert!(matches!(set.form, Form::Bloom { .. }));
        assert!(keys().all(|key| set.contains(key)));
        let strangers = (0..100_000_i64).filter(|i| set.contains(i * 7 + 1)).count();
        assert!(strangers < 3_000, "{strangers} of 100,000");
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(
            keys in prop::collection::vec(prop_oneof![-300_i64..300, any::<i64>()], 1..200),
            narrow in any::<bool>(),
            bounds in (-400_i64..400, 0_i64..100),
        ) {
            let keys: Vec<i64> = keys.into_iter().map(|k| if narrow { k % 300 } else { k }).collect();
            let Some(set) = KeySet::new(keys.iter().copied(), keys.len()) else {
                let (low, high) = (*keys.iter().min().unwrap(), *keys.iter().max().unwrap());
                prop_assert!((low..=high).all(|v| keys.contains(&v)));
                return Ok(());
            };
            for key in &keys {
                prop_assert!(set.contains(*key));
            }
            let (low, high) = (bounds.0, bounds.0 + bounds.1);
            let met = keys.iter().any(|key| (low..=high).contains(key));
            let meets = set.meets(low.into(), high.into());
            prop_assert!(meets || !met);
            if narrow {
                prop_assert_eq!(meets, met);
                for value in -400..400 {
                    prop_assert_eq!(set.contains(value), keys.contains(&value));
                }
            }
            prop_assert!(!set.contains(set.low().wrapping_sub(1)) || set.low() == i64::MIN);
        }
    }
}
