//! A simulated file: what readers see, what is durable, and the changes in between.

use super::LockMode;
use super::pages::Pages;
use super::random::{Fate, Luck, Random};
use std::sync::Arc;

/// The unit that reaches the disk whole or not at all.
const SECTOR: usize = 512;

/// An unsynced change.
#[derive(Debug, Clone)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    Resize(u64),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SimFile {
    view: Pages,
    durable: Pages,
    pending: Vec<Change>,
    readers: u32,
    writer: bool,
}

impl SimFile {
    pub(crate) fn size(&self) -> u64 {
        self.view.len()
    }

    pub(crate) fn contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.view.len() as usize];
        self.view.read(&mut bytes, 0);
        bytes
    }

    pub(crate) fn set_contents(&mut self, bytes: &[u8]) {
        self.view = Pages::default();
        self.view.write(bytes, 0);
        self.sync();
    }

    pub(crate) fn flip_bit(&mut self, bit: u64) -> bool {
        let mut byte = [0];
        let there = self.view.read(&mut byte, bit / 8) == 1;
        if there {
            let flipped = byte.map(|b| b ^ (1 << (bit % 8)));
            self.view.write(&flipped, bit / 8);
            self.durable.write(&flipped, bit / 8);
        }
        there
    }

    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> usize {
        self.view.read(bytes, offset)
    }

    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) -> usize {
        self.view.write(bytes, offset);
        self.pending.push(Change::Write {
            offset,
            bytes: bytes.into(),
        });
        bytes.len()
    }

    pub(crate) fn resize(&mut self, len: u64) {
        self.view.resize(len);
        self.pending.push(Change::Resize(len));
    }

    pub(crate) fn sync(&mut self) {
        self.durable = self.view.clone();
        self.pending.clear();
    }

    /// A sync that failed: some changes are durable, and the others never will be, although
    /// readers go on seeing them until the power goes off.
    pub(crate) fn fail_sync(&mut self, random: &mut Random) {
        let luck = Luck::draw(random);
        self.settle(&luck, random);
    }

    pub(crate) fn lose_power(&mut self, luck: &Luck, random: &mut Random) {
        self.settle(luck, random);
        self.view = self.durable.clone();
    }

    /// Each pending change meets its fate, in order: of changes to one sector the last kept wins.
    fn settle(&mut self, luck: &Luck, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        let reached = pending.len() as u64 * luck.prefix / 1000;
        for change in pending.into_iter().take(reached as usize) {
            match change {
                Change::Resize(len) => {
                    if luck.fate(random) == Fate::Kept {
                        self.durable.resize(len);
                    }
                }
                Change::Write { offset, bytes } => self.settle_write(offset, &bytes, luck, random),
            }
        }
    }

    fn settle_write(&mut self, offset: u64, bytes: &[u8], luck: &Luck, random: &mut Random) {
        let common = luck.fate(random);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = (at % SECTOR as u64) as usize;
            let (head, tail) = rest.split_at(rest.len().min(SECTOR - within));
            let fate = if luck.by_write {
                common
            } else {
                luck.fate(random)
            };
            match fate {
                Fate::Kept => self.durable.write(head, at),
                Fate::Lost => {}
                Fate::Garbled => self.garble(at - within as u64, within + head.len(), random),
            }
            at += head.len() as u64;
            rest = tail;
        }
    }

    /// Fills the sector at `start` with noise, up to what the file has of it.
    fn garble(&mut self, start: u64, len: usize, random: &mut Random) {
        let noise: Vec<u8> = (0..SECTOR / 8)
            .flat_map(|_| random.next().to_le_bytes())
            .collect();
        let have = self.durable.len().saturating_sub(start) as usize;
        let len = have.clamp(len, SECTOR);
        self.durable
            .write(noise.get(..len).unwrap_or_default(), start);
    }

    pub(crate) fn try_lock(&mut self, mode: LockMode) -> bool {
        match mode {
            LockMode::Exclusive if !self.writer && self.readers == 0 => self.writer = true,
            LockMode::Shared if !self.writer => self.readers += 1,
            _ => return false,
        }
        true
    }

    pub(crate) fn unlock(&mut self, mode: LockMode) {
        match mode {
            LockMode::Exclusive => self.writer = false,
            LockMode::Shared => self.readers = self.readers.saturating_sub(1),
        }
    }

    pub(crate) fn unlock_all(&mut self) {
        self.writer = false;
        self.readers = 0;
    }
}
