//! The program's allocator, and how long it keeps memory that was freed.
//!
//! mimalloc gives freed pages back to the system after ten milliseconds. A query that follows another one takes as many
//! again, and the system clears each of them first, which took a third of the time of queries with large hash tables.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicI64, Ordering};

/// Many small, short-lived allocations from several threads: measurably faster here than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// `void mi_option_set(mi_option_t option, long value)` of `mimalloc.h`.
    fn mi_option_set(option: c_int, value: c_long);
    /// `void mi_collect(bool force)` of `mimalloc.h`.
    fn mi_collect(force: bool);
}

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`, which never renumbers its options.
const PURGE_DELAY: c_int = 15;

/// Freed memory waits so long to be used again: longer than most queries take, which free some of it and take it again.
const KEPT_MS: i64 = 5_000;

/// The same where memory is limited: what waits is not counted, and is memory of the process all the same.
const KEPT_WHERE_LIMITED_MS: i64 = 10;

/// The delay that is set; negative before the first time.
static DELAY_MS: AtomicI64 = AtomicI64::new(-1);

/// Keeps freed memory for some seconds, or hardly where memory `is_limited`, unless the environment says otherwise.
pub(crate) fn keep_freed_memory(is_limited: bool) {
    let delay_ms = if is_limited {
        KEPT_WHERE_LIMITED_MS
    } else {
        KEPT_MS
    };
    let is_news = DELAY_MS.swap(delay_ms, Ordering::Relaxed) != delay_ms;
    if is_news && std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the library that allocates for this program exports the functions, of these signatures. The first stores
        // a number in a table of the library, and ignores options that it does not know. The second gives back what was
        // freed, from any thread: what waits already would wait for as long as it was told to, and all behind it.
        unsafe {
            mi_option_set(PURGE_DELAY, delay_ms as c_long);
            mi_collect(true);
        }
    }
}
