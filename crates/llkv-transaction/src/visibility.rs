//! Which versions a snapshot sees.

use arrow::array::UInt64Array;
use arrow::buffer::BooleanBuffer;
use llkv_types::TxnId;

/// True when a row created and deleted by these commits is visible to the snapshot.
#[must_use]
pub const fn is_visible(created_by: TxnId, deleted_by: TxnId, snapshot_id: TxnId) -> bool {
    created_by <= snapshot_id && snapshot_id < deleted_by
}

/// The rows visible to a snapshot, for arrays of equal length without NULLs. Rows beyond the shorter
/// array are not visible.
#[must_use]
pub fn visible_rows(
    created_by: &UInt64Array,
    deleted_by: &UInt64Array,
    snapshot_id: TxnId,
) -> BooleanBuffer {
    let pairs = created_by.values().iter().zip(deleted_by.values());
    BooleanBuffer::from_iter(
        pairs.map(|(created, deleted)| is_visible(*created, *deleted, snapshot_id)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_types::{TXN_ID_AUTO_COMMIT, TXN_ID_NONE};

    #[test]
    fn a_row_lives_from_its_creation_to_before_its_deletion() {
        assert!(!is_visible(5, 9, 4));
        assert!(is_visible(5, 9, 5));
        assert!(is_visible(5, 9, 8));
        assert!(!is_visible(5, 9, 9));
        assert!(is_visible(TXN_ID_AUTO_COMMIT, TXN_ID_NONE, 1));
        assert!(!is_visible(5, 5, 5), "created and deleted by one commit");
    }
}
