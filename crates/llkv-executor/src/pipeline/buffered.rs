//! Batches that are already there, as a source.

use super::{MorselReader, Source};
use crate::batch::Batch;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use std::sync::Arc;

/// Batches in memory.
pub(crate) struct BufferedSource {
    batches: Arc<Vec<Batch>>,
    batch_rows: usize,
    /// Batches of a morsel.
    stride: usize,
    rows: u64,
    _memory: Option<MemoryReservation>,
}

impl BufferedSource {
    /// Rows of a morsel, about: small enough that two threads share a result of moderate size.
    const MORSEL_ROWS: u64 = 65_536;

    /// A source over `batches`, put out in slices of at most `batch_rows`. The reservation is
    /// given back when the last reader is gone.
    pub(crate) fn new(
        batches: Vec<Batch>,
        batch_rows: usize,
        memory: Option<MemoryReservation>,
    ) -> Self {
        let rows: u64 = batches.iter().map(|b| b.rows as u64).sum();
        let average = rows / (batches.len() as u64).max(1);
        let stride = usize::try_from(Self::MORSEL_ROWS / average.max(1)).unwrap_or(1);
        Self {
            batches: Arc::new(batches),
            batch_rows,
            // With small batches a morsel still is at most eight of them, so that tests with tiny
            // batches run through many morsels.
            stride: stride.clamp(1, 8),
            rows,
            _memory: memory,
        }
    }
}

impl Source for BufferedSource {
    fn morsels(&self) -> usize {
        self.batches.len().div_ceil(self.stride)
    }

    fn estimated_rows(&self) -> u64 {
        self.rows
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let batches = Arc::clone(&self.batches);
        let range = morsel * self.stride..((morsel + 1) * self.stride).min(batches.len());
        let batch_rows = self.batch_rows;
        Ok(Box::new(
            range
                .filter_map(move |i| batches.get(i).cloned())
                .flat_map(move |batch| slices(batch, batch_rows).map(Ok)),
        ))
    }
}

/// The batch in slices of at most `batch_rows` rows; none of an empty one.
pub(crate) fn slices(batch: Batch, batch_rows: usize) -> impl Iterator<Item = Batch> {
    let count = batch.rows.div_ceil(batch_rows);
    (0..count).map(move |i| {
        let offset = i * batch_rows;
        batch.slice(offset, batch_rows.min(batch.rows - offset))
    })
}
