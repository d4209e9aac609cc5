//! The groups that the rows of a batch belong to.

/// Rows per group from which sorting a batch's rows by their groups pays: every accumulator then runs through
/// each group with its state in a register.
const MIN_ROWS_PER_GROUP: usize = 32;

/// Groups up to which one pass over the rows for each group is cheaper than a counting sort, whose counters
/// of few groups wait on one another.
const MAX_PASSES: usize = 8;

/// More groups than this rarely follow themselves so closely that an accumulator waits for its own last step, ...
const CLOSE_GROUPS: usize = 32;

/// ... so that sorting rows by them pays for this many accumulators and more.
const MIN_ACCUMULATORS: usize = 3;

/// The group of each row of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// One per row, in any order.
    PerRow(&'a [u32]),
    /// One per row, and the same rows sorted by their groups.
    Sorted(&'a [u32], &'a RowsByGroup),
    /// This many rows, all of group 0: an aggregation without GROUP BY.
    Single(usize),
}

impl<'a> Groups<'a> {
    /// The groups of rows, which are sorted into `by_group` where that pays for as many accumulators. Groups are
    /// numbered below `group_count`.
    pub fn of_rows(
        group_of_row: &'a [u32],
        group_count: usize,
        accumulators: usize,
        by_group: &'a mut RowsByGroup,
    ) -> Self {
        let is_sparse = group_of_row.len() < group_count.saturating_mul(MIN_ROWS_PER_GROUP);
        if is_sparse || (group_count > CLOSE_GROUPS && accumulators < MIN_ACCUMULATORS) {
            return Self::PerRow(group_of_row);
        }
        by_group.sort(group_of_row, group_count);
        Self::Sorted(group_of_row, by_group)
    }

    /// The group of a row.
    pub(super) fn of(&self, row: usize) -> usize {
        match self {
            Self::PerRow(groups) | Self::Sorted(groups, _) => {
                groups.get(row).map_or(0, |group| *group as usize)
            }
            Self::Single(_) => 0,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        match self {
            Self::PerRow(groups) | Self::Sorted(groups, _) => groups.len(),
            Self::Single(rows) => *rows,
        }
    }
}

/// Row numbers of a batch sorted by group, rows of one group in their order.
#[derive(Clone, Debug, Default)]
pub struct RowsByGroup {
    rows: Vec<u32>,
    /// Where the rows of each group end.
    ends: Vec<u32>,
}

impl RowsByGroup {
    /// Each group with its rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(group, end)| {
            let rows = self.rows.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            (group, rows)
        })
    }

    fn sort(&mut self, group_of_row: &[u32], group_count: usize) {
        self.ends.clear();
        if group_count <= MAX_PASSES {
            self.pass_by_group(group_of_row, group_count);
        } else {
            self.counting_sort(group_of_row, group_count);
        }
    }

    /// Every row is written at the end of its group's rows and stays there only if it belongs to the group.
    fn pass_by_group(&mut self, group_of_row: &[u32], group_count: usize) {
        // The last pass writes behind the last row that stays.
        self.rows.resize(group_of_row.len() + 1, 0);
        let rows = self.rows.as_mut_slice();
        let mut end = 0;
        for group in 0..group_count as u32 {
            for (row, of) in group_of_row.iter().enumerate() {
                if let Some(slot) = rows.get_mut(end) {
                    *slot = row as u32;
                }
                end += usize::from(*of == group);
            }
            self.ends.push(end as u32);
        }
        self.rows.truncate(group_of_row.len());
    }

    fn counting_sort(&mut self, group_of_row: &[u32], group_count: usize) {
        self.rows.resize(group_of_row.len(), 0);
        self.ends.resize(group_count, 0);
        for group in group_of_row {
            if let Some(count) = self.ends.get_mut(*group as usize) {
                *count += 1;
            }
        }
        let mut start = 0;
        for end in &mut self.ends {
            start += std::mem::replace(end, start);
        }
        // Each entry is now where its group begins, and moves to where it ends.
        for (row, group) in group_of_row.iter().enumerate() {
            if let Some(end) = self.ends.get_mut(*group as usize) {
                if let Some(slot) = self.rows.get_mut(*end as usize) {
                    *slot = row as u32;
                }
                *end += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_sorting_keep_rows_in_order_within_their_group() {
        for group_count in [1, 3, MAX_PASSES, MAX_PASSES + 1, 40] {
            let groups: Vec<u32> = (0..5000_u32)
                .map(|row| (row.wrapping_mul(2_654_435_761) >> 7) % group_count as u32)
                .collect();
            let mut scratch = RowsByGroup::default();
            // Buffers of an earlier, larger batch do not show through.
            scratch.sort(&vec![0; 9000], 50);
            let Groups::Sorted(_, sorted) = Groups::of_rows(&groups, group_count, 3, &mut scratch)
            else {
                panic!("{group_count} groups are few");
            };
            let listed: Vec<(usize, Vec<u32>)> =
                sorted.iter().map(|(g, rows)| (g, rows.to_vec())).collect();
            let expected: Vec<(usize, Vec<u32>)> = (0..group_count)
                .map(|g| {
                    let rows = (0..5000).filter(|row| groups[*row as usize] as usize == g);
                    (g, rows.collect())
                })
                .collect();
            assert_eq!(listed, expected);
        }
    }

    #[test]
    fn many_groups_are_left_as_they_are() {
        let groups: Vec<u32> = (0..100).collect();
        let mut scratch = RowsByGroup::default();
        assert!(matches!(
            Groups::of_rows(&groups, 100, 3, &mut scratch),
            Groups::PerRow(_)
        ));
        let groups: Vec<u32> = (0..4_000).map(|row| row % 40).collect();
        assert!(matches!(
            Groups::of_rows(&groups, 40, 1, &mut scratch),
            Groups::PerRow(_)
        ));
    }
}
