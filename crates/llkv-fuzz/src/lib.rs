//! Tests LLKV with SQL that nobody wrote: differential and metamorphic, seeded, shrinking.
//!
//! A seed makes a case: tables with rows and indexes, views, then queries, changes and transactions over the
//! SQL that both databases speak. Oracles judge each statement:
//!
//! - SQLite gives the same rows, the same count of changes, or an error too (dialect `sqlite`);
//! - operators for the smallest tables, the optimizer off, every index, no index and tiny batches give the same rows;
//! - ternary logic partitioning: a query's rows are those where a condition is true, false and NULL, in WHERE,
//!   HAVING, under DISTINCT and under aggregates;
//! - NoREC: a filter lets through as many rows as there are for which its condition is true;
//! - an expression over constants is the same expression over columns that hold them.
//!
//! A [`Campaign`] runs one case after the other and ends with a [`FailedCase`]: its seed, and the smallest case
//! found that fails in the same way. What may differ from SQLite stands in `accepted-differences.txt`.
//!
//! ```
//! use llkv_fuzz::{Campaign, Dialect};
//!
//! let campaign = Campaign::new(Dialect::Sqlite, 1, 10);
//! let checked = campaign.run().map_err(|failed| failed.to_string())?;
//! assert!(checked.queries >= 10);
//! # Ok::<(), String>(())
//! ```

mod accepted;
mod campaign;
mod case;
mod choices;
mod generator;
mod llkv;
mod oracle;
mod shrink;
mod sqlite;
mod value;
mod watchdog;

pub use campaign::{Campaign, FailedCase};
pub use oracle::{Checked, Failure};

use std::fmt;

/// Whose SQL is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// SQLite's, with SQLite as the reference.
    Sqlite,
    /// LLKV's own, with its other types: the metamorphic oracles alone.
    Llkv,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Llkv => "llkv",
        })
    }
}
