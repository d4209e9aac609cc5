//! Windows over rows in sorted runs: whole partitions are computed as they come out of the merge.

use super::spec::WindowSpec;
use crate::batch::{Batch, concat_batches};
use crate::pipeline::{MorselReader, Source, slices};
use crate::run::Run;
use crate::spill::{MergedSource, Spiller};
use arrow::datatypes::DataType;
use arrow_row::OwnedRow;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use std::collections::VecDeque;
use std::sync::Arc;

/// The rows of a merge with the values of the functions.
pub(super) struct SpilledSource {
    merged: MergedSource,
    shared: Arc<Shared>,
}

struct Shared {
    run: Arc<Run>,
    spiller: Spiller,
    spec: Arc<WindowSpec>,
    types: Vec<DataType>,
}

impl SpilledSource {
    pub(super) fn new(
        merged: MergedSource,
        run: &Arc<Run>,
        spiller: &Spiller,
        spec: &Arc<WindowSpec>,
        types: Vec<DataType>,
    ) -> Self {
        let shared = Shared {
            run: Arc::clone(run),
            spiller: spiller.clone(),
            spec: Arc::clone(spec),
            types,
        };
        Self {
            merged,
            shared: Arc::new(shared),
        }
    }
}

impl Source for SpilledSource {
    fn morsels(&self) -> usize {
        1
    }

    fn estimated_rows(&self) -> u64 {
        self.merged.estimated_rows()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(PartitionReader {
            rows: Some(self.merged.read(morsel)?),
            memory: shared.run.reserve(shared.spiller.operator),
            shared,
            open: Vec::new(),
            last_key: None,
            ready: VecDeque::new(),
        }))
    }
}

/// Gathers rows until whole partitions are there.
struct PartitionReader {
    shared: Arc<Shared>,
    /// None after the last row.
    rows: Option<MorselReader>,
    /// Rows of partitions that are not computed yet; the last may go on.
    open: Vec<Batch>,
    /// The key of the last row.
    last_key: Option<OwnedRow>,
    ready: VecDeque<Batch>,
    memory: MemoryReservation,
}

impl Iterator for PartitionReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            let next = self.rows.as_mut()?.next().transpose();
            let step = match next {
                Ok(Some(batch)) => self.take(batch),
                Ok(None) => {
                    self.rows = None;
                    self.compute()
                }
                Err(error) => Err(error),
            };
            if let Err(error) = step {
                self.rows = None;
                return Some(Err(error));
            }
        }
    }
}

impl PartitionReader {
    /// Takes rows; partitions that end within them, or before, are computed.
    fn take(&mut self, batch: Batch) -> Result<()> {
        let mut start = None;
        if let Some(keys) = self.shared.spec.keys_of_partitions(&batch)? {
            let last = self.last_key.as_ref().map(OwnedRow::row);
            let before = |row: usize| match row {
                0 => last,
                row => Some(keys.row(row - 1)),
            };
            start = (0..batch.rows).rfind(|row| before(*row) != Some(keys.row(*row)));
            let end = batch.rows.checked_sub(1);
            self.last_key = end.map(|row| keys.row(row).owned());
        }
        if let Some(start) = start {
            self.keep(batch.slice(0, start))?;
            self.compute()?;
            return self.keep(batch.slice(start, batch.rows - start));
        }
        self.keep(batch)
    }

    fn keep(&mut self, batch: Batch) -> Result<()> {
        if batch.rows == 0 {
            return Ok(());
        }
        // The rows are copied together, and have frames and results.
        let computing = self.shared.spec.bytes_per_row() * batch.rows as u64;
        let bytes = self.memory.bytes() + 2 * batch.memory_bytes() + computing;
        self.open.push(batch);
        self.shared.spiller.must_fit(&mut self.memory, bytes)
    }

    /// Computes the partitions that are there; all of them are whole.
    fn compute(&mut self) -> Result<()> {
        let open = std::mem::take(&mut self.open);
        if open.is_empty() {
            return Ok(());
        }
        let shared = &self.shared;
        shared.run.check()?;
        let mut batch = concat_batches(&open, &shared.types)?;
        drop(open);
        let partitions = shared.spec.partitions(&batch)?;
        let check = || shared.run.check();
        let values = shared.spec.compute(&batch, &partitions, &check)?;
        batch.columns.extend(values);
        self.memory.shrink(0);
        self.ready.extend(slices(batch, shared.run.batch_rows()));
        Ok(())
    }
}
