//! The simulated disk's chance: small, fast, and the same for the same seed.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound` (0 when the bound is 0).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// True in `parts` of a thousand cases.
    pub(crate) fn chance(&mut self, parts: u64) -> bool {
        self.below(1000) < parts
    }
}

/// What happens to one unsynced sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Lost,
    Garbled,
}

/// The character of one power cut. Cuts differ: caches that lose nearly all, that lose one sector,
/// that lose the newest writes only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Luck {
    kept: u64,
    garbled: u64,
    /// Fates are drawn for whole writes rather than for sectors.
    pub(crate) by_write: bool,
    /// Of a thousand: how much of the sequence of writes survives before fates are drawn at all.
    pub(crate) prefix: u64,
}

impl Luck {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let kept = [0, 50, 500, 900, 970, 1000];
        let garbled = [0, 0, 20, 200];
        let pick = |list: &[u64], random: &mut Random| {
            let index = random.below(list.len() as u64) as usize;
            list.get(index).copied().unwrap_or(500)
        };
        Self {
            kept: pick(&kept, random),
            garbled: pick(&garbled, random),
            by_write: random.chance(400),
            prefix: if random.chance(700) {
                1000
            } else {
                random.below(1001)
            },
        }
    }

    pub(crate) fn fate(&self, random: &mut Random) -> Fate {
        if random.chance(self.garbled) {
            Fate::Garbled
        } else if random.chance(self.kept) {
            Fate::Kept
        } else {
            Fate::Lost
        }
    }

    /// How many of the unsynced changes of the folder survive, in order.
    pub(crate) fn names_kept(&self, drawn: usize, count: usize) -> usize {
        match self.kept {
            0 => 0,
            1000 => count.saturating_sub(1),
            _ => drawn,
        }
    }
}
