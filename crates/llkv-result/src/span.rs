//! A place in SQL text.

use std::fmt;

/// A half-open byte range of the SQL text that a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte of the offending text.
    pub start: usize,
    /// One past the last byte of the offending text.
    pub end: usize,
}

impl Span {
    /// A span of `start..end`, in bytes of the statement's text.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{}", self.start, self.end)
    }
}
