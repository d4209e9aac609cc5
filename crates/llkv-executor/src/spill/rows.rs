//! Rows in temporary files in the order in which they came.

use super::{Segment, SpillFile, Spiller};
use crate::batch::Batch;
use crate::pipeline::{BufferedSource, MorselReader, Pipeline, PipelineStream, Source, slices};
use crate::run::Run;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use std::sync::Arc;

/// Batches of one consumer, kept in memory while they fit.
pub(crate) struct RowBuffer {
    spiller: Spiller,
    memory: MemoryReservation,
    batches: Vec<Batch>,
    file: Option<Arc<SpillFile>>,
    segments: Vec<Segment>,
}

impl RowBuffer {
    /// All rows of a pipeline in their order, as a source. `each` is called with the batches as they come.
    pub(crate) fn of_pipeline(
        run: &Arc<Run>,
        spiller: Spiller,
        pipeline: Pipeline,
    ) -> Result<Arc<dyn Source>> {
        let mut rows = Self::new(run.reserve(spiller.operator), spiller);
        let mut stream = PipelineStream::new(run, pipeline);
        while let Some(batch) = stream.next()? {
            rows.push(batch)?;
        }
        rows.into_source(run.batch_rows())
    }

    pub(super) fn new(memory: MemoryReservation, spiller: Spiller) -> Self {
        Self {
            memory,
            spiller,
            batches: Vec::new(),
            file: None,
            segments: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, batch: Batch) -> Result<()> {
        let batch = self.spiller.slim(&self.memory, batch)?;
        let bytes = batch.memory_bytes();
        self.batches.push(batch);
        if self.spiller.is_full(&mut self.memory, bytes)? {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(self.spiller.file()?),
        };
        for batch in self.batches.drain(..) {
            self.segments.push(file.append(&batch)?);
        }
        self.memory.shrink(0);
        Ok(())
    }

    /// The batches as a source, in slices of at most `batch_rows`.
    pub(super) fn into_source(mut self, batch_rows: usize) -> Result<Arc<dyn Source>> {
        if self.file.is_none() {
            let source = BufferedSource::new(self.batches, batch_rows, Some(self.memory));
            return Ok(Arc::new(source));
        }
        self.write()?;
        Ok(Arc::new(SegmentSource {
            segments: self.segments,
            batch_rows,
        }))
    }
}

/// Segments as morsels.
struct SegmentSource {
    segments: Vec<Segment>,
    batch_rows: usize,
}

impl Source for SegmentSource {
    fn morsels(&self) -> usize {
        self.segments.len()
    }

    fn estimated_rows(&self) -> u64 {
        self.segments.iter().map(|s| s.rows as u64).sum()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let batch = self.segments.get(morsel).map(Segment::read).transpose()?;
        let batch_rows = self.batch_rows;
        let batches = batch.into_iter();
        Ok(Box::new(
            batches.flat_map(move |batch| slices(batch, batch_rows).map(Ok)),
        ))
    }
}
