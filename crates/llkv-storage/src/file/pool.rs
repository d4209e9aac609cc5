//! The buffer pool: verified copies of extents in 64-byte-aligned frames, evicted by the clock rule.

use super::extent::ExtentRef;
use arrow::buffer::{Buffer, MutableBuffer};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// Frames kept for reuse, and the largest among them.
const SPARE_FRAMES: usize = 32;
const SPARE_BYTES: usize = 1 << 20;

/// Copies of extents, up to a number of bytes. What readers hold stays theirs when it is evicted.
pub(crate) struct Pool {
    capacity_bytes: u64,
    state: Mutex<State>,
}

/// An extent's offset is used again after it was freed; its checksum and generation tell which use.
type Key = (u64, u64, u64);

#[derive(Default)]
struct State {
    frames: HashMap<Key, Frame>,
    /// The hand of the clock is at the front.
    clock: VecDeque<Key>,
    used_bytes: u64,
    spare: Vec<MutableBuffer>,
}

struct Frame {
    buffer: Buffer,
    /// Read since the hand last passed.
    hot: bool,
}

fn key_of(at: &ExtentRef) -> Key {
    (at.offset, at.checksum, at.generation)
}

impl Pool {
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        Self {
            capacity_bytes,
            state: Mutex::default(),
        }
    }

    /// The copy of an extent, if it is here.
    pub(crate) fn get(&self, at: &ExtentRef) -> Option<Buffer> {
        let mut state = self.state.lock();
        let frame = state.frames.get_mut(&key_of(at))?;
        frame.hot = true;
        Some(frame.buffer.clone())
    }

    /// A zeroed or recycled frame of `len` bytes, to be filled.
    pub(crate) fn frame(&self, len: usize) -> MutableBuffer {
        let mut state = self.state.lock();
        let fit = state
            .spare
            .iter()
            .position(|spare| spare.capacity() >= len && spare.capacity() <= 2 * len + 4096);
        match fit.map(|index| state.spare.swap_remove(index)) {
            Some(mut frame) => {
                frame.resize(len, 0);
                frame
            }
            None => MutableBuffer::from_len_zeroed(len),
        }
    }

    /// Keeps a verified copy, evicting others.
    pub(crate) fn insert(&self, at: &ExtentRef, buffer: Buffer) {
        let len = buffer.len() as u64;
        if len > self.capacity_bytes {
            return;
        }
        let mut state = self.state.lock();
        let frame = Frame { buffer, hot: false };
        if state.frames.insert(key_of(at), frame).is_none() {
            state.clock.push_back(key_of(at));
            state.used_bytes += len;
        }
        while state.used_bytes > self.capacity_bytes {
            let Some(key) = state.clock.pop_front() else {
                break;
            };
            state.pass(key);
        }
    }
}

impl State {
    /// The hand passes a frame: a hot one gets another round, a cold one goes.
    fn pass(&mut self, key: Key) {
        let Some(frame) = self.frames.get_mut(&key) else {
            return;
        };
        if frame.hot {
            frame.hot = false;
            self.clock.push_back(key);
            return;
        }
        let Some(frame) = self.frames.remove(&key) else {
            return;
        };
        self.used_bytes -= frame.buffer.len() as u64;
        if frame.buffer.len() <= SPARE_BYTES
            && self.spare.len() < SPARE_FRAMES
            && let Ok(spare) = frame.buffer.into_mutable()
        {
            self.spare.push(spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> ExtentRef {
        ExtentRef {
            offset,
            ..ExtentRef::default()
        }
    }

    #[test]
    fn what_is_read_again_stays_and_frames_are_recycled() {
        let pool = Pool::new(3000);
        for offset in 1..=3 {
            pool.insert(&at(offset), pool.frame(1000).into());
        }
        assert!(pool.get(&at(1)).is_some());
        pool.insert(&at(4), pool.frame(1000).into());
        assert!(pool.get(&at(1)).is_some(), "hot");
        assert!(pool.get(&at(2)).is_none(), "cold");
        let state = pool.state.lock();
        assert_eq!((state.used_bytes, state.spare.len()), (3000, 1));
    }

    #[test]
    fn a_value_over_the_capacity_is_not_kept() {
        let pool = Pool::new(10);
        pool.insert(&at(1), pool.frame(11).into());
        assert!(pool.get(&at(1)).is_none());
    }
}
