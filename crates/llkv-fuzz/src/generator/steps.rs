//! The order of a case: queries, pairs, changes and transactions in turn.

use super::Generator;

/// Steps of the longest case.
const MAX_STEPS: usize = 30;

impl Generator<'_> {
    /// The statements after the schema.
    pub(super) fn steps(&mut self) {
        self.repeat(MAX_STEPS, 16, |this, _| this.step());
        self.end_transaction();
    }

    fn step(&mut self) {
        match self.choices.weighted(&[10, 6, 3, 1]) {
            0 => {
                let query = self.top_query();
                self.case.compare(query.sql, query.is_ordered);
            }
            1 => self.pair(),
            2 => self.change(),
            _ => self.transaction(),
        }
    }
}
