//! A set of column ids as a bitmap: ids of one statement are small and dense.

use llkv_expr::{ColumnId, Expr};
use smallvec::SmallVec;

/// No statement has so many columns: a larger id is a mistake, and would cost a bitmap of that size.
const LARGEST: u32 = 1 << 24;

/// Columns of one statement. Up to 256 ids take no allocation.
#[derive(Debug, Clone, Default)]
pub struct ColumnSet {
    words: SmallVec<[u64; 4]>,
}

impl ColumnSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    const fn place(id: ColumnId) -> (usize, u64) {
        ((id.0 / 64) as usize, 1 << (id.0 % 64))
    }

    /// Adds a column; true where it was not in the set.
    pub fn insert(&mut self, id: ColumnId) -> bool {
        debug_assert!(id.0 < LARGEST, "columns are numbered from 0 on: {id:?}");
        let (word, bit) = Self::place(id);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(slot) = self.words.get_mut(word) else {
            return false;
        };
        let fresh = *slot & bit == 0;
        *slot |= bit;
        fresh
    }

    /// Takes a column out.
    pub fn remove(&mut self, id: ColumnId) {
        let (word, bit) = Self::place(id);
        if let Some(slot) = self.words.get_mut(word) {
            *slot &= !bit;
        }
    }

    /// Is the column in the set?
    #[must_use]
    pub fn contains(&self, id: ColumnId) -> bool {
        let (word, bit) = Self::place(id);
        self.words.get(word).is_some_and(|slot| slot & bit != 0)
    }

    /// Adds the columns that the expression reads.
    pub fn insert_expr(&mut self, expr: &Expr) {
        if let Expr::Column { id, .. } = expr {
            self.insert(*id);
        }
        expr.for_each_child(&mut |child| self.insert_expr(child));
    }

    /// The columns that the expression reads.
    #[must_use]
    pub fn of_expr(expr: &Expr) -> Self {
        let mut set = Self::new();
        set.insert_expr(expr);
        set
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (slot, more) in self.words.iter_mut().zip(&other.words) {
            *slot |= more;
        }
    }

    /// Keeps what is in the other set too.
    pub fn retain(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (slot, kept) in self.words.iter_mut().zip(&other.words) {
            *slot &= kept;
        }
    }

    /// Takes out what is in the other set.
    pub fn subtract(&mut self, other: &Self) {
        for (slot, gone) in self.words.iter_mut().zip(&other.words) {
            *slot &= !gone;
        }
    }

    /// True where nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Columns in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Are all columns of this set in the other?
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words
            .iter()
            .enumerate()
            .all(|(i, word)| word & !other.words.get(i).copied().unwrap_or(0) == 0)
    }

    /// Have the two sets a column in common?
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// The columns in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            (0..64u32)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| ColumnId(i as u32 * 64 + bit))
        })
    }
}

impl FromIterator<ColumnId> for ColumnSet {
    fn from_iter<T: IntoIterator<Item = ColumnId>>(ids: T) -> Self {
        let mut set = Self::new();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

impl PartialEq for ColumnSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u32]) -> ColumnSet {
        ids.iter().map(|id| ColumnId(*id)).collect()
    }

    #[test]
    fn sets_of_different_lengths_compare_and_combine() {
        let small = set(&[1, 3]);
        let large = set(&[1, 3, 500]);
        assert!(small.is_subset(&large) && !large.is_subset(&small));
        assert!(small.intersects(&large) && !small.intersects(&set(&[500])));
        let mut both = small.clone();
        both.extend(&large);
        assert_eq!(both, large);
        both.subtract(&set(&[500]));
        assert_eq!(both, small);
        let mut kept = large.clone();
        kept.retain(&set(&[3]));
        assert_eq!(kept.iter().collect::<Vec<_>>(), [ColumnId(3)]);
        assert_eq!((large.len(), kept.len()), (3, 1));
    }
}
