//! Bit-packed blocks of 1,024 unsigned integers, in the FastLanes layout.
//!
//! The `fastlanes` crate dispatches on a width that is known only at run time through functions that
//! check lengths in debug builds alone. This module checks them always, and is the only caller. Unpacking has a second version
//! for vectors of 256 bits, taken where the processor has them.
#![allow(unsafe_code)]

use crate::bytes::damaged;
use crate::scan::selection::BLOCK_ROWS;
use arrow::datatypes::ArrowNativeType;
use fastlanes::BitPacking;
use llkv_result::Result;

/// An integer in whose width packed values are unpacked.
pub(crate) trait Lane: BitPacking + ArrowNativeType {
    /// Bits of the integer.
    const BITS: usize;
    /// Widens.
    fn widen(self) -> u64;
    /// Cuts off higher bits.
    fn cut_from(value: u64) -> Self;
    /// Subtracts, wrapping around.
    fn minus(self, other: Self) -> Self;
    /// Unpacks a block by vectors of 256 bits.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn unpack_avx2(width: usize, packed: &[Self], out: &mut [Self; BLOCK_ROWS]);
}

/// The loops of `fastlanes` again, whose own functions are compiled for the baseline and not inlined.
#[cfg(target_arch = "x86_64")]
macro_rules! avx2 {
    ($name:ident, $T:ident) => {
        mod $name {
            use super::BLOCK_ROWS;
            use fastlanes::FastLanes;

            #[target_feature(enable = "avx2")]
            pub(super) fn unpack(width: usize, packed: &[$T], out: &mut [$T; BLOCK_ROWS]) {
                fastlanes::seq_t!(W in $T {
                    match width {
                        #(W => of_width::<W, { BLOCK_ROWS * W / $T::BITS as usize }>(packed, out),)*
                        _ => of_width::<{ $T::BITS as usize }, BLOCK_ROWS>(packed, out),
                    }
                })
            }

            #[target_feature(enable = "avx2")]
            #[allow(clippy::indexing_slicing)]
            fn of_width<const W: usize, const B: usize>(packed: &[$T], out: &mut [$T; BLOCK_ROWS]) {
                let Ok(packed) = <&[$T; B]>::try_from(packed) else {
                    return;
                };
                for lane in 0..<$T>::LANES {
                    fastlanes::unpack!($T, W, packed, lane, |$idx, $elem| {
                        out[$idx] = $elem
                    });
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
avx2!(avx2_u8, u8);
#[cfg(target_arch = "x86_64")]
avx2!(avx2_u16, u16);
#[cfg(target_arch = "x86_64")]
avx2!(avx2_u32, u32);
#[cfg(target_arch = "x86_64")]
avx2!(avx2_u64, u64);

macro_rules! lane {
    ($T:ty, $avx2:ident) => {
        impl Lane for $T {
            const BITS: usize = <$T>::BITS as usize;
            #[inline]
            fn widen(self) -> u64 {
                self as u64
            }
            #[inline]
            fn cut_from(value: u64) -> Self {
                value as $T
            }
            #[inline]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[cfg(target_arch = "x86_64")]
            #[inline]
            unsafe fn unpack_avx2(width: usize, packed: &[Self], out: &mut [Self; BLOCK_ROWS]) {
                // SAFETY: the caller's.
                unsafe { $avx2::unpack(width, packed, out) }
            }
        }
    };
}
lane!(u8, avx2_u8);
lane!(u16, avx2_u16);
lane!(u32, avx2_u32);
lane!(u64, avx2_u64);

/// Integers of `L` that a block packed to `width` bits takes.
pub(crate) const fn packed_len<L: Lane>(width: usize) -> usize {
    BLOCK_ROWS * width / L::BITS
}

fn check<L: Lane>(width: usize, packed: &[L]) -> Result<()> {
    if width > L::BITS || packed.len() != packed_len::<L>(width) {
        return Err(damaged(format!(
            "a block of {} integers packed to {width} bits",
            packed.len()
        )));
    }
    Ok(())
}

/// Packs a block.
///
/// # Errors
/// When the width is above the lane's.
pub(crate) fn pack<L: Lane>(width: usize, values: &[L; BLOCK_ROWS]) -> Result<Vec<L>> {
    let mut packed = vec![L::default(); packed_len::<L>(width)];
    check(width, &packed)?;
    // SAFETY: the width is at most the lane's, the output has exactly the packed length, the input
    // exactly 1,024 values: all that `unchecked_pack` asks for.
    unsafe { L::unchecked_pack(width, values, &mut packed) };
    Ok(packed)
}

/// Unpacks a block.
///
/// # Errors
/// When the width is above the lane's or the length is not the packed one.
#[inline]
pub(crate) fn unpack<L: Lane>(width: usize, packed: &[L], out: &mut [L; BLOCK_ROWS]) -> Result<()> {
    check(width, packed)?;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has it.
        unsafe { L::unpack_avx2(width, packed, out) };
        return Ok(());
    }
    // SAFETY: `check` saw to the width and the input's length; the output has 1,024 values.
    unsafe { L::unchecked_unpack(width, packed, out) };
    Ok(())
}

/// Unpacks one value of a block; `index` below 1,024.
///
/// # Errors
/// When width, length or index do not fit.
#[inline]
pub(crate) fn unpack_one<L: Lane>(width: usize, packed: &[L], index: usize) -> Result<L> {
    check(width, packed)?;
    if index >= BLOCK_ROWS {
        return Err(damaged("an index outside its block"));
    }
    // SAFETY: `check` saw to the width and the input's length; the index is below 1,024.
    Ok(unsafe { L::unchecked_unpack_single(width, packed, index) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<L: Lane + std::fmt::Debug>() {
        for width in 0..=L::BITS {
            let mask = if width == 64 {
                u64::MAX
            } else {
                (1 << width) - 1
            };
            let mut values = [L::default(); BLOCK_ROWS];
            for (index, value) in values.iter_mut().enumerate() {
                *value = L::cut_from((index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask);
            }
            let packed = pack(width, &values).unwrap();
            let mut back = [L::default(); BLOCK_ROWS];
            unpack(width, &packed, &mut back).unwrap();
            assert_eq!(values, back);
            back.fill(L::default());
            // SAFETY: `pack` gave a block of that width. This is what other processors take.
            unsafe { L::unchecked_unpack(width, &packed, &mut back) };
            assert_eq!(values, back);
            for index in [0, 1, 63, 500, 1_023] {
                assert_eq!(unpack_one(width, &packed, index).unwrap(), values[index]);
            }
            assert!(unpack_one(width, &packed, BLOCK_ROWS).is_err());
            let mut longer = packed.clone();
            longer.push(L::default());
            assert!(unpack(width, &longer, &mut back).is_err());
        }
    }

    #[test]
    fn every_width_round_trips_and_wrong_lengths_are_errors() {
        round_trip::<u8>();
        round_trip::<u16>();
        round_trip::<u32>();
        round_trip::<u64>();
    }
}
