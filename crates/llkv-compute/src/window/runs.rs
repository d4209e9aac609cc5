//! Neighbouring rows that belong together.

/// Runs of neighbouring rows: the partitions of a window, or the peers within them.
#[derive(Debug, Clone)]
pub struct RowRuns {
    /// Where each run starts, and the number of rows at the end.
    starts: Vec<u32>,
    /// The run of each row.
    of_row: Vec<u32>,
}

impl RowRuns {
    /// One run of all rows.
    #[must_use]
    pub fn one(rows: usize) -> Self {
        Self::new((0..rows).map(|row| row == 0))
    }

    /// Runs of rows, of which `starts` tells for each row whether a run begins there. The first row always
    /// begins one.
    #[must_use]
    pub fn new(starts: impl Iterator<Item = bool>) -> Self {
        let mut runs = Self {
            starts: Vec::new(),
            of_row: Vec::with_capacity(starts.size_hint().0),
        };
        for (row, is_start) in starts.enumerate() {
            if is_start || row == 0 {
                runs.starts.push(row as u32);
            }
            runs.of_row.push(runs.starts.len() as u32 - 1);
        }
        runs.starts.push(runs.of_row.len() as u32);
        runs
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.of_row.len()
    }

    /// Number of runs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// True where there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_row.is_empty()
    }

    /// For each row, whether a run begins there.
    pub fn starts(&self) -> impl Iterator<Item = bool> + '_ {
        let mut last = None;
        self.of_row.iter().map(move |run| {
            let is_start = last != Some(*run);
            last = Some(*run);
            is_start
        })
    }

    /// First row of each run and the row behind its last.
    pub(super) fn bounds(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let ends = self.starts.iter().skip(1);
        self.starts.iter().copied().zip(ends.copied())
    }

    /// The run of a row.
    pub(super) fn run(&self, row: usize) -> usize {
        self.of_row.get(row).map_or(0, |run| *run as usize)
    }

    /// The first row of a run.
    pub(super) fn start_of(&self, run: usize) -> u32 {
        self.starts.get(run).copied().unwrap_or_default()
    }

    /// The row behind the last of a run.
    pub(super) fn end_of(&self, run: usize) -> u32 {
        self.start_of(run + 1)
    }

    /// The first row of the run of a row.
    pub(super) fn start(&self, row: usize) -> u32 {
        self.start_of(self.run(row))
    }

    /// The row behind the last of the run of a row.
    pub(super) fn end(&self, row: usize) -> u32 {
        self.end_of(self.run(row))
    }
}
