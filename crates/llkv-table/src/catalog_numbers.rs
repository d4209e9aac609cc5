//! The numbers that an application keeps in the file, as part of the catalog.

use crate::CatalogState;
use crate::meta::damaged;
use llkv_result::Result;
use llkv_types::{DatabaseNumber, RowId};

/// What a number is, and where it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredNumber {
    value: i32,
    /// Its row in table 0; none while the transaction that sets it first has not committed.
    row_id: Option<RowId>,
}

impl CatalogState {
    /// A number of the file; 0 where it was never set.
    #[must_use]
    pub fn number(&self, number: DatabaseNumber) -> i32 {
        self.numbers.get(&number).map_or(0, |stored| stored.value)
    }

    /// Sets a number of the file.
    pub fn set_number(&mut self, number: DatabaseNumber, value: i32) {
        let row_id = self.numbers.get(&number).and_then(|stored| stored.row_id);
        self.numbers.insert(number, StoredNumber { value, row_id });
    }

    /// The numbers that are others than they were in `base`.
    pub(crate) fn numbers_set(&self, base: &Self) -> Vec<(DatabaseNumber, i32)> {
        let numbers = self
            .numbers
            .iter()
            .map(|(number, stored)| (*number, stored.value));
        numbers
            .filter(|(number, value)| base.number(*number) != *value)
            .collect()
    }

    /// Takes note of the row in which a number is stored, and gives back the one that it had.
    pub(crate) fn store_number(
        &mut self,
        number: DatabaseNumber,
        value: i32,
        row_id: RowId,
    ) -> Option<RowId> {
        let row_id = Some(row_id);
        let before = self.numbers.insert(number, StoredNumber { value, row_id });
        before?.row_id
    }

    /// Reads a number from its row.
    pub(crate) fn read_number(&mut self, id: u32, payload: &[u8], row_id: RowId) -> Result<()> {
        let number = DatabaseNumber::by_id(id);
        let (Some(number), Ok(value)) = (number, payload.try_into()) else {
            return Err(damaged(format!("number {id} of {} bytes", payload.len())));
        };
        self.store_number(number, i32::from_le_bytes(value), row_id);
        Ok(())
    }
}
