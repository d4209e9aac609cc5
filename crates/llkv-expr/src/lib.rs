//! Bound SQL expressions as values
