//! What sessions did and what they saw: the appends and reads of transactions, in real time.

/// A list, by the way in which it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// A row for each element, with its place in the key.
    Rows,
    /// One text that is updated in place.
    Text,
    /// A row for each element without a place: a set.
    Set,
}

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kept: Kept,
    pub number: u32,
}

/// What is appended; no two appends have the same.
pub type Element = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Append(Key, Element),
    Read(Key, Vec<Element>),
}

/// What the session was told of its transaction's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Committed,
    Aborted,
    /// COMMIT failed in a way that leaves it open.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Txn {
    pub ops: Vec<Op>,
    pub outcome: Outcome,
    /// A moment before its snapshot was taken.
    pub began: u64,
    /// A moment after its outcome was settled.
    pub ended: u64,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub txns: Vec<Txn>,
    /// Elements that their own transaction took back, going back to a savepoint.
    pub undone: Vec<Element>,
}
