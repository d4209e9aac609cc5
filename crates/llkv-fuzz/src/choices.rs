//! The decisions that make a case: drawn from a seed, or replayed from a list.
//!
//! A case is a function of its decisions, so a smaller list of decisions is a smaller case. Generators put
//! the simplest alternative first: a decision of 0, which is what a list that has ended gives.

/// The least time between two states of the generator (a Weyl sequence).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the decisions of one part of a case lie in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A source of decisions that remembers what it gave.
#[derive(Debug)]
pub(crate) struct Choices {
    replayed: Vec<u64>,
    random: Option<u64>,
    taken: Vec<u64>,
    spans: Vec<Span>,
}

impl Choices {
    /// Decisions from a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut choices = Self::replayed(Vec::new());
        choices.random = Some(seed.wrapping_mul(STEP) ^ STEP.rotate_left(17));
        choices
    }

    /// Decisions from a list, then 0 for ever.
    pub(crate) fn replayed(list: Vec<u64>) -> Self {
        Self {
            replayed: list,
            random: None,
            taken: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// A number below `limit`; 0 where `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let drawn = match &mut self.random {
            Some(state) => next(state),
            None => self.replayed.get(self.taken.len()).copied().unwrap_or(0),
        };
        let value = drawn % limit.max(1);
        self.taken.push(value);
        value
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        let width = most.saturating_sub(least) as u64 + 1;
        least + usize::try_from(self.below(width)).unwrap_or(0)
    }

    /// True once in `count` times; the simplest decision is false.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) + 1 == count
    }

    /// The place of an alternative, each as likely as its weight says. The first is the simplest.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let mut left = self.below(sum);
        for (place, &weight) in weights.iter().enumerate() {
            if left < u64::from(weight) {
                return place;
            }
            left -= u64::from(weight);
        }
        0
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(usize::try_from(self.below(items.len() as u64)).unwrap_or(0))
    }

    /// One of some texts; they must not be none.
    pub(crate) fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.pick(words).copied().unwrap_or_default()
    }

    /// Marks the decisions of `part` as belonging together, for the shrinker.
    pub(crate) fn begin(&self) -> usize {
        self.taken.len()
    }

    /// Ends what [`Choices::begin`] began.
    pub(crate) fn end(&mut self, start: usize) {
        let end = self.taken.len();
        if start < end {
            self.spans.push(Span { start, end });
        }
    }

    /// The list that gives the same decisions again, and its parts.
    pub(crate) fn into_parts(self) -> (Vec<u64>, Vec<Span>) {
        (self.taken, self.spans)
    }
}

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(STEP);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_list_gives_the_same_decisions() {
        let mut first = Choices::seeded(7);
        let drawn: Vec<u64> = (1..50).map(|limit| first.below(limit)).collect();
        let (list, _) = first.into_parts();
        let mut second = Choices::replayed(list);
        let again: Vec<u64> = (1..50).map(|limit| second.below(limit)).collect();
        assert_eq!(drawn, again);
        assert_eq!(second.below(9), 0, "a list that has ended gives 0");
    }

    #[test]
    fn weights_are_kept() {
        let mut choices = Choices::seeded(1);
        let mut counts = [0; 3];
        for _ in 0..1_000 {
            counts[choices.weighted(&[1, 0, 3])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((150..350).contains(&counts[0]), "{counts:?}");
    }
}
