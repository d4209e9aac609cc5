//! Identifiers. Each is a type of its own, so that none is taken for another.

use bitcode::{Decode, Encode};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A table. Table 0 is the system catalog. Never reused within a file.
    TableId(u32)
}
id! {
    /// A column within its table. Never reused within a table.
    FieldId(u32)
}
id! {
    /// An index within its table: the table's key constraints count from 0, the others have the ids that
    /// the catalog gave them and the highest bit set.
    IndexId(u32)
}
id! {
    /// The key of a value in the pager.
    PhysicalKey(u64)
}

/// A row within its table: ascending in commit order, never reused.
pub type RowId = u64;

/// A commit id, a snapshot id, or the id of a running transaction.
pub type TxnId = u64;

/// The `txn_id` of snapshots outside BEGIN and, as a stored `created_by`, "visible to every snapshot".
pub const TXN_ID_AUTO_COMMIT: TxnId = 1;

/// As `deleted_by`: the row is alive.
pub const TXN_ID_NONE: TxnId = u64::MAX;

impl TableId {
    /// The system catalog.
    pub const CATALOG: Self = Self(0);
}

/// What a physical column holds for its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[repr(u8)]
pub enum Namespace {
    /// Values of a user column.
    UserData = 0,
    /// Row ids.
    RowId = 1,
    /// Commit ids that created the rows.
    CreatedBy = 2,
    /// Commit ids that deleted the rows.
    DeletedBy = 3,
    /// Entries of an index.
    Index = 4,
}

/// A column of the store: namespace (8 bits), table (32 bits), field (24 bits) in one integer, so
/// that the columns of one table are neighbours in key order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct LogicalFieldId(u64);

impl LogicalFieldId {
    /// Fields beyond this do not fit the packed form.
    pub const MAX_FIELD: u32 = (1 << 24) - 1;

    /// Packs the parts. `field` must not exceed [`Self::MAX_FIELD`]; higher bits are cut off.
    #[must_use]
    pub const fn new(namespace: Namespace, table: TableId, field: FieldId) -> Self {
        Self(
            ((namespace as u64) << 56)
                | ((table.0 as u64) << 24)
                | (field.0 & Self::MAX_FIELD) as u64,
        )
    }

    /// The user-data column of a field.
    #[must_use]
    pub const fn user(table: TableId, field: FieldId) -> Self {
        Self::new(Namespace::UserData, table, field)
    }

    /// The table.
    #[must_use]
    pub const fn table(self) -> TableId {
        TableId((self.0 >> 24) as u32)
    }

    /// The field.
    #[must_use]
    pub const fn field(self) -> FieldId {
        FieldId((self.0 & Self::MAX_FIELD as u64) as u32)
    }

    /// The namespace, or `None` for a number that none has.
    #[must_use]
    pub const fn namespace(self) -> Option<Namespace> {
        match self.0 >> 56 {
            0 => Some(Namespace::UserData),
            1 => Some(Namespace::RowId),
            2 => Some(Namespace::CreatedBy),
            3 => Some(Namespace::DeletedBy),
            4 => Some(Namespace::Index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_field_id_gives_back_its_parts() {
        let id = LogicalFieldId::new(Namespace::DeletedBy, TableId(u32::MAX), FieldId(77));
        assert_eq!(id.namespace(), Some(Namespace::DeletedBy));
        assert_eq!(id.table(), TableId(u32::MAX));
        assert_eq!(id.field(), FieldId(77));
    }
}
