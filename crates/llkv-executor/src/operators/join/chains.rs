//! Hash buckets as chains of row numbers in two flat arrays.

/// Rows by bucket: `heads[bucket]` is a row, `next[row]` the one after it. Numbers are rows plus one,
/// zero ends a chain; a chain goes through its rows in ascending order.
pub(super) struct Chains {
    heads: Vec<u32>,
    next: Vec<u32>,
    /// Whether some bucket has more than one row.
    chained: bool,
}

impl Chains {
    /// Chains of `rows` rows in `buckets` buckets. `bucket_of` gives a row's bucket, `None` to leave it out.
    pub(super) fn build(
        buckets: usize,
        rows: usize,
        mut bucket_of: impl FnMut(usize) -> Option<usize>,
    ) -> Self {
        let mut heads = vec![0_u32; buckets];
        let mut next = Vec::new();
        // From the last row to the first, each put before the others, so that the first comes first.
        for row in (0..rows).rev() {
            let Some(head) = bucket_of(row).and_then(|bucket| heads.get_mut(bucket)) else {
                continue;
            };
            let number = row as u32 + 1;
            let following = std::mem::replace(head, number);
            if following != 0 {
                if next.is_empty() {
                    next = vec![0_u32; rows];
                }
                if let Some(slot) = next.get_mut(row) {
                    *slot = following;
                }
            }
        }
        let chained = !next.is_empty();
        Self {
            heads,
            next,
            chained,
        }
    }

    /// The first row of a bucket, plus one; zero where it is empty.
    pub(super) fn head(&self, bucket: usize) -> u32 {
        self.heads.get(bucket).copied().unwrap_or(0)
    }

    /// The row after `number` in its bucket, plus one; zero at the end.
    pub(super) fn next(&self, number: u32) -> u32 {
        if !self.chained {
            return 0;
        }
        self.next.get(number as usize - 1).copied().unwrap_or(0)
    }

    /// Whether `same` holds for no two rows of a bucket. Looks no further than the first two of which it does.
    pub(super) fn are_distinct(&self, same: impl Fn(usize, usize) -> bool) -> bool {
        let starts = self.next.iter().enumerate().filter(|(_, next)| **next != 0);
        starts.into_iter().all(|(row, next)| {
            let mut number = *next;
            while number != 0 {
                if same(row, number as usize - 1) {
                    return false;
                }
                number = self.next(number);
            }
            true
        })
    }

    /// Whether some bucket has more than one row.
    pub(super) fn is_chained(&self) -> bool {
        self.chained
    }

    /// Bytes held.
    pub(super) fn size_bytes(&self) -> usize {
        (self.heads.capacity() + self.next.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_bucket_may_be_distinct_or_not() {
        let keys = [10, 20, 30, 20, 50];
        let of_rows = |rows: usize| {
            // All rows in two buckets.
            let chains = Chains::build(2, rows, |row| Some(row % 2));
            chains.are_distinct(|a, b| keys.get(a) == keys.get(b))
        };
        assert!(of_rows(3));
        assert!(!of_rows(4), "rows 1 and 3 have one key");
        assert!(Chains::build(8, 5, Some).are_distinct(|_, _| true));
    }
}
