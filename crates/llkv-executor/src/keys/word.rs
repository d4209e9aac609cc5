//! The integers into which keys are packed.

use std::fmt::Debug;

/// An integer that holds a packed key.
pub(crate) trait Word: Copy + Eq + Default + Debug + Send + Sync + 'static {
    /// Adds `bits`, shifted left, to the word.
    fn merge(&mut self, bits: u128, shift: u32);

    /// [`Word::merge`] for each word of a column, which are as many as `bits`.
    fn merge_column(words: &mut [Self], bits: impl Iterator<Item = u64>, shift: u32);

    /// The bits from `shift` on, as many as 128.
    fn extract(self, shift: u32) -> u128;

    /// A hash whose high bits are good.
    fn hash(self) -> u64;
}

/// Digits of the golden ratio and of pi: odd constants without structure.
const FOLD_A: u64 = 0x9e37_79b9_7f4a_7c15;
const FOLD_B: u64 = 0x2432_f6a8_885a_308d;

/// The two halves of a 128-bit product folded into one: a multiplication mixes the low bits upwards
/// only, folding brings the high half back down (the idea of wyhash and foldhash).
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Word for u64 {
    fn merge(&mut self, bits: u128, shift: u32) {
        *self |= (bits as u64) << shift;
    }

    fn merge_column(words: &mut [Self], bits: impl Iterator<Item = u64>, shift: u32) {
        for (word, bits) in words.iter_mut().zip(bits) {
            *word |= bits << shift;
        }
    }

    fn extract(self, shift: u32) -> u128 {
        u128::from(self >> shift)
    }

    #[inline]
    fn hash(self) -> u64 {
        fold(self ^ FOLD_B, FOLD_A)
    }
}

impl Word for u128 {
    fn merge(&mut self, bits: u128, shift: u32) {
        *self |= bits << shift;
    }

    fn merge_column(words: &mut [Self], bits: impl Iterator<Item = u64>, shift: u32) {
        let pairs = words.iter_mut().zip(bits);
        // Shifts by whole halves, which are usual, are cheap only where the compiler sees them.
        match shift {
            0 => pairs.for_each(|(word, bits)| *word |= Self::from(bits)),
            64 => pairs.for_each(|(word, bits)| *word |= Self::from(bits) << 64),
            shift => pairs.for_each(|(word, bits)| *word |= Self::from(bits) << shift),
        }
    }

    fn extract(self, shift: u32) -> u128 {
        self >> shift
    }

    #[inline]
    fn hash(self) -> u64 {
        // The second product sees a word of high entropy even where one half of the key is constant.
        let high = fold((self >> 64) as u64 ^ FOLD_A, FOLD_B);
        fold(self as u64 ^ high, FOLD_A)
    }
}
