//! Faults that a test arms: which operation fails, and how.

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// This operation fails; a write may have reached the disk in part.
    ErrorOnce,
    /// This operation and all later ones fail.
    ErrorForever,
    /// If it is a write, half of it is written and said to be.
    ShortWrite,
    /// If it needs space, there is none; so it is from then on.
    DiskFull,
}

/// A fault at one operation, counted as [`SimDisk::operations`](super::SimDisk::operations) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The number of the operation: the first after arming is `operations() + 1`.
    pub operation: u64,
    /// What happens at it.
    pub kind: FaultKind,
}

/// What the faults say about an operation, from mild to severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Pass,
    Short,
    Full,
    Fail,
}

impl Fault {
    pub(crate) fn strikes(&self, operation: u64) -> Verdict {
        let now = operation == self.operation;
        let since = operation >= self.operation;
        match self.kind {
            FaultKind::ErrorOnce if now => Verdict::Fail,
            FaultKind::ErrorForever if since => Verdict::Fail,
            FaultKind::ShortWrite if now => Verdict::Short,
            FaultKind::DiskFull if since => Verdict::Full,
            _ => Verdict::Pass,
        }
    }
}
