//! Made-up data: numbers that depend on a seed alone, and Parquet files of batches.

use arrow::array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::error::Error;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows that are made at once.
const BATCH_ROWS: usize = 1 << 17;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the same numbers
/// from the same seed, whatever library versions come.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, all of them as likely; 0 where `end` is.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number of `0 <= x < 1`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `end`; the smaller, the likelier, as places in a ranking are: the density falls with the
    /// `skew`-th root of the place.
    pub fn ranked(&mut self, end: u64, skew: i32) -> u64 {
        ((end as f64 * self.unit().powi(skew)) as u64).min(end.saturating_sub(1))
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// `1..=count` in any order (Fisher and Yates).
    pub fn permutation(&mut self, count: usize) -> Vec<i32> {
        let mut numbers: Vec<i32> = (1..=count as i32).collect();
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, self.below(last as u64 + 1) as usize);
        }
        numbers
    }
}

/// Folder of the Parquet files of a workload, which are made once for each size.
#[derive(Debug)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder below the one that `LLKV_BENCH_DATA` names, or below `scratch`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(scratch: &Path, workload: &str, rows: usize) -> Outcome<Self> {
        let root = std::env::var_os("LLKV_BENCH_DATA").map(PathBuf::from);
        let folder = root.unwrap_or_else(|| scratch.to_path_buf());
        let folder = folder.join(format!("{workload}-{rows}"));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// The file of a table.
    #[must_use]
    pub fn file(&self, table: &str) -> PathBuf {
        self.0.join(format!("{table}.parquet"))
    }

    /// Writes a table of `rows` rows unless it is there: `columns` gives the named columns of a range of rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        &self,
        table: &str,
        rows: usize,
        mut columns: impl FnMut(Range<usize>) -> Vec<(&'static str, ArrayRef)>,
    ) -> Outcome<()> {
        let path = self.file(table);
        if path.exists() {
            return Ok(());
        }
        // A file that is not whole has another name.
        let part = path.with_extension("part");
        let mut writer: Option<ArrowWriter<File>> = None;
        for start in (0..rows).step_by(BATCH_ROWS) {
            let range = start..(start + BATCH_ROWS).min(rows);
            let columns = columns(range).into_iter();
            let batch = RecordBatch::try_from_iter_with_nullable(
                columns.map(|(name, column)| (name, column, false)),
            )?;
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let properties = WriterProperties::builder()
                        .set_compression(Compression::SNAPPY)
                        .build();
                    let file = File::create(&part)?;
                    none.insert(ArrowWriter::try_new(
                        file,
                        batch.schema(),
                        Some(properties),
                    )?)
                }
            };
            writer.write(&batch)?;
        }
        if let Some(writer) = writer {
            writer.close()?;
            std::fs::rename(part, path)?;
        }
        Ok(())
    }
}

/// The rows that a variable of the environment asks for, `rows` where it is not set, few where `cargo test` tries
/// whether the benchmark runs at all.
///
/// # Errors
/// When it is no number.
pub fn rows_asked_for(variable: &str, rows: usize) -> Outcome<usize> {
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(5_000);
    }
    match std::env::var(variable) {
        Ok(text) => Ok(text.replace('_', "").parse()?),
        Err(_) => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_seed_alone() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..3).map(|_| random.below(1_000)).collect();
        let mut again = Random::new(1);
        assert_eq!(
            first,
            [again.below(1_000), again.below(1_000), again.below(1_000)]
        );
        let mut permutation = random.permutation(1_000);
        assert_ne!(permutation, Random::new(9).permutation(1_000));
        permutation.sort_unstable();
        assert!(permutation.into_iter().eq(1..=1_000));
        let low = (0..1_000).filter(|_| random.ranked(100, 3) < 12).count();
        assert!((400..600).contains(&low), "{low}");
    }
}
