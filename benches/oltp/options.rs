//! The arguments of one run.

use crate::Outcome;
use std::path::PathBuf;

/// What to do, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) path: PathBuf,
    pub(crate) operation: String,
    /// Operations, or the key of `point`.
    pub(crate) n: i64,
    pub(crate) threads: usize,
    /// Keys of the table, from 0 on.
    pub(crate) rows: i64,
    pub(crate) readers: usize,
    pub(crate) writers: Option<usize>,
    pub(crate) secs: f64,
    pub(crate) read: String,
    pub(crate) write: String,
    /// Writes of one transaction.
    pub(crate) batch: usize,
    pub(crate) table: String,
    pub(crate) sql: Option<String>,
    pub(crate) seed: u64,
}

impl Options {
    pub(crate) fn of_arguments(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let usage = "usage: oltp FILE OPERATION N [key=value ...]";
        let mut next = || arguments.next().ok_or(usage);
        let mut options = Self {
            path: next()?.into(),
            operation: next()?,
            n: next()?.parse()?,
            threads: 2,
            rows: 1_000_000,
            readers: 2,
            writers: None,
            secs: 5.0,
            read: "point".into(),
            write: "update".into(),
            batch: 1,
            table: "kv".into(),
            sql: None,
            seed: 1,
        };
        for argument in arguments {
            let (key, value) = argument.split_once('=').ok_or(usage)?;
            options.set(key, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Outcome {
        match key {
            "threads" => self.threads = value.parse()?,
            "rows" => self.rows = value.parse()?,
            "readers" => self.readers = value.parse()?,
            "writers" => self.writers = Some(value.parse()?),
            "secs" => self.secs = value.parse()?,
            "read" => self.read = value.into(),
            "write" => self.write = value.into(),
            "batch" => self.batch = value.parse()?,
            "table" => self.table = value.into(),
            "sql" => self.sql = Some(value.into()),
            "seed" => self.seed = value.parse()?,
            other => return Err(format!("no option {other}").into()),
        }
        Ok(())
    }
}

/// A generator of keys: xorshift, the same sequence for every engine.
#[derive(Debug)]
pub(crate) struct Keys(u64);

impl Keys {
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self(88_172_645_463_325_252 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn starting_at(state: u64) -> Self {
        Self(state)
    }

    pub(crate) fn next(&mut self) -> u64 {
        let mut x = self.0;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = x;
        x
    }

    /// A key below `rows`.
    pub(crate) fn key(&mut self, rows: i64) -> i64 {
        let rows = u64::try_from(rows).unwrap_or(1).max(1);
        i64::try_from(self.next() % rows).unwrap_or(0)
    }
}
