//! The allocator of LLKV's programs, which a library never chooses: mimalloc.
//!
//! Many small, short-lived allocations from several threads are measurably faster with it than with the system's. It gives
//! freed pages back to the system after ten milliseconds. A query that follows another one takes as many again, and the
//! system clears each of them first, which took a third of the time of queries with large hash tables: see
//! [`keep_freed_memory`].
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: llkv_allocator::Allocator = llkv_allocator::Allocator;
//!
//! llkv_allocator::keep_freed_memory(None);
//! assert_eq!(vec![7_u64; 3].len(), 3);
//! ```
#![allow(unsafe_code)]

use libmimalloc_sys as mi;
use std::alloc::{GlobalAlloc, Layout};
#[cfg(target_os = "linux")]
use std::ffi::c_ulong;
use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

/// The allocator, to be named with `#[global_allocator]`.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

/// `alignof(max_align_t)` of the platforms that we know: what C's `malloc` aligns to.
const MALLOC_ALIGNMENT: usize = if cfg!(target_pointer_width = "64") {
    16
} else {
    8
};

/// True where `malloc` aligns as the layout asks: it does for every type of at most the size that is asked for.
///
/// mimalloc's functions that take an alignment allocate more than they are asked for, unless the size is a power of two, and
/// take twice as long: a tiny query took 3 % longer.
#[inline]
const fn is_aligned_by_malloc(size: usize, align: usize) -> bool {
    align <= MALLOC_ALIGNMENT && align <= size
}

// SAFETY: the functions of mimalloc give blocks of at least the size, aligned as `is_aligned_by_malloc` tells or as the
// layout asks, or null; they unwind never. `mi_free` and the two that reallocate take any block that one of the others gave,
// and reallocating keeps what fits. That sizes are not zero and layouts those of the block is the caller's promise.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: above.
        unsafe {
            match is_aligned_by_malloc(size, align) {
                true => mi::mi_malloc(size).cast(),
                false => mi::mi_malloc_aligned(size, align).cast(),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: above.
        unsafe {
            match is_aligned_by_malloc(size, align) {
                true => mi::mi_zalloc(size).cast(),
                false => mi::mi_zalloc_aligned(size, align).cast(),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: above.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (block, align): (*mut c_void, _) = (block.cast(), layout.align());
        // SAFETY: above.
        unsafe {
            match is_aligned_by_malloc(size, align) {
                true => mi::mi_realloc(block, size).cast(),
                false => mi::mi_realloc_aligned(block, size, align).cast(),
            }
        }
    }
}

unsafe extern "C" {
    /// `void mi_option_set(mi_option_t option, long value)` of `mimalloc.h`.
    fn mi_option_set(option: c_int, value: c_long);
    /// `void mi_collect(bool force)` of `mimalloc.h`.
    fn mi_collect(force: bool);
    /// `int prctl(int option, ...)` of `sys/prctl.h`.
    #[cfg(target_os = "linux")]
    fn prctl(option: c_int, ...) -> c_int;
}

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`, which never renumbers its options.
const PURGE_DELAY: c_int = 15;

/// Freed memory waits so long to be used again: longer than most queries take, which free some of it and take it again.
const KEPT_MS: i64 = 5_000;

/// The same where memory is limited: what waits is not counted, and is memory of the process all the same.
const KEPT_WHERE_LIMITED_MS: i64 = 10;

/// Below this limit nothing waits, and there are no huge pages: of two megabytes that hold one batch, the system counts all. A load
/// under a limit of 40 MB took 97 MiB, and 56 so, in the same time.
const SMALL_LIMIT_BYTES: u64 = 1 << 30;

/// The delay that is set; negative before the first time.
static DELAY_MS: AtomicI64 = AtomicI64::new(-1);

/// Keeps freed memory for some seconds, hardly where memory is limited, and not at all where the limit is small, unless the environment
/// says otherwise (`MIMALLOC_PURGE_DELAY`).
pub fn keep_freed_memory(limit_bytes: Option<u64>) {
    let (delay_ms, with_huge_pages) = match limit_bytes {
        None => (KEPT_MS, true),
        Some(SMALL_LIMIT_BYTES..) => (KEPT_WHERE_LIMITED_MS, true),
        Some(_) => (0, false),
    };
    let is_news = DELAY_MS.swap(delay_ms, Ordering::Relaxed) != delay_ms;
    if is_news && std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        allow_huge_pages(with_huge_pages);
        // SAFETY: the library that allocates for this program exports the functions, of these signatures. The first stores
        // a number in a table of the library, and ignores options that it does not know. The second gives back what was
        // freed, from any thread: what waits already would wait for as long as it was told to, and all behind it.
        unsafe {
            mi_option_set(PURGE_DELAY, delay_ms as c_long);
            mi_collect(true);
        }
    }
}

/// Whether the system may give this process huge pages, from now on.
#[cfg(target_os = "linux")]
fn allow_huge_pages(allowed: bool) {
    /// Of `linux/prctl.h`.
    const PR_SET_THP_DISABLE: c_int = 41;
    let zero: c_ulong = 0;
    // SAFETY: the C library has the function, of this signature; the operation takes one flag and three zeros and touches no memory
    // of the process. Should the system not know it, all stays as it was.
    unsafe {
        prctl(
            PR_SET_THP_DISABLE,
            c_ulong::from(!allowed),
            zero,
            zero,
            zero,
        );
    }
}

/// Elsewhere nobody hands them out unasked.
#[cfg(not(target_os = "linux"))]
fn allow_huge_pages(_allowed: bool) {}

#[cfg(test)]
mod tests {
    use super::Allocator;
    use std::alloc::{GlobalAlloc, Layout};

    #[test]
    fn blocks_are_aligned_and_keep_their_bytes() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4_096] {
            for size in (1..200).chain([1_000, 1_500, 100_000]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: sizes are not zero; each block is freed once, by the layout that it has then.
                unsafe {
                    let zeroed = Allocator.alloc_zeroed(layout);
                    let block = Allocator.alloc(layout);
                    assert!(!zeroed.is_null() && !block.is_null());
                    assert_eq!((zeroed as usize % align, block as usize % align), (0, 0));
                    assert!((0..size).all(|at| *zeroed.add(at) == 0));
                    (0..size).for_each(|at| *block.add(at) = at as u8);
                    let longer = Allocator.realloc(block, layout, size + 77);
                    assert_eq!(longer as usize % align, 0);
                    assert!((0..size).all(|at| *longer.add(at) == at as u8));
                    let layout_of_longer = Layout::from_size_align(size + 77, align).unwrap();
                    let shorter = Allocator.realloc(longer, layout_of_longer, size.div_ceil(2));
                    assert_eq!(shorter as usize % align, 0);
                    assert!((0..size.div_ceil(2)).all(|at| *shorter.add(at) == at as u8));
                    let layout_of_shorter =
                        Layout::from_size_align(size.div_ceil(2), align).unwrap();
                    Allocator.dealloc(shorter, layout_of_shorter);
                    Allocator.dealloc(zeroed, layout);
                }
            }
        }
    }
}
