//! Numbers that an application keeps in a database file, beside its tables.

/// A number of the file itself that LLKV stores and gives no meaning to. Both are 32 bits wide, begin as 0,
/// and change with the transaction that sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum DatabaseNumber {
    /// The version of the application's schema, by which its migrations go.
    UserVersion = 1,
    /// Which application the file belongs to.
    ApplicationId = 2,
}

impl DatabaseNumber {
    /// Every number.
    pub const ALL: [Self; 2] = [Self::UserVersion, Self::ApplicationId];

    /// Its name: that of the pragma which reads and sets it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserVersion => "user_version",
            Self::ApplicationId => "application_id",
        }
    }

    /// The number of that name, in lower case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|number| number.name() == name)
    }

    /// The number that has this id in the catalog.
    #[must_use]
    pub fn by_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|number| *number as u32 == id)
    }
}
