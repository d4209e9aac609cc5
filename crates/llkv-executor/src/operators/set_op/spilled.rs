//! Counts in temporary files, added up a partition at a time.

use super::Rule;
use super::counts::{CountedReader, Counts};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Source};
use crate::run::Run;
use crate::spill::{LAST_LEVEL, PartitionWriter, Segment, Spiller};
use llkv_result::Result;
use std::sync::Arc;

/// The partitions as morsels.
pub(super) struct SpilledSource {
    shared: Arc<Shared>,
    partitions: Vec<Vec<Segment>>,
}

struct Shared {
    run: Arc<Run>,
    spiller: Spiller,
    rule: Rule,
}

impl SpilledSource {
    /// Writes the counts that are not written yet.
    pub(super) fn new(
        run: &Arc<Run>,
        spiller: &Spiller,
        rule: Rule,
        mut counts: Counts,
    ) -> Result<Self> {
        counts.spill()?;
        let partitions = match counts.spilled.take() {
            Some(writer) => writer.finish()?,
            None => Vec::new(),
        };
        let shared = Shared {
            run: Arc::clone(run),
            spiller: spiller.clone(),
            rule,
        };
        Ok(Self {
            shared: Arc::new(shared),
            partitions: partitions.into_iter().filter(|p| !p.is_empty()).collect(),
        })
    }
}

impl Source for SpilledSource {
    fn morsels(&self) -> usize {
        self.partitions.len()
    }

    fn estimated_rows(&self) -> u64 {
        let segments = self.partitions.iter().flatten();
        segments.map(|segment| segment.rows as u64).sum()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let segments = self.partitions.get(morsel).cloned();
        Ok(Box::new(PartitionReader {
            shared: Arc::clone(&self.shared),
            waiting: segments.into_iter().map(|segments| (0, segments)).collect(),
            rows: None,
        }))
    }
}

/// Adds up a partition, and the partitions into which it falls where it is too large.
struct PartitionReader {
    shared: Arc<Shared>,
    /// Partitions and their levels.
    waiting: Vec<(u32, Vec<Segment>)>,
    rows: Option<CountedReader>,
}

impl Iterator for PartitionReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.rows.as_mut().and_then(Iterator::next) {
                return Some(batch);
            }
            self.rows = None;
            let (level, segments) = self.waiting.pop()?;
            if let Err(error) = self.load(level, &segments) {
                return Some(Err(error));
            }
        }
    }
}

impl PartitionReader {
    fn load(&mut self, level: u32, segments: &[Segment]) -> Result<()> {
        let Shared { run, spiller, rule } = self.shared.as_ref();
        let mut counts = Counts::new(run, spiller, rule)?;
        let mut segments = segments.iter();
        while let Some(segment) = segments.next() {
            run.check()?;
            let batch = segment.read()?;
            let growth_bytes = counts.growth_bytes(batch.rows);
            if spiller.must_cut(&mut counts.memory, growth_bytes, level)? && !counts.is_empty() {
                return self.split(level, counts, Some(batch), segments.as_slice());
            }
            counts.merge(&batch)?;
            let bytes = counts.size_bytes();
            counts.memory.shrink(bytes);
            let more = bytes - counts.memory.bytes();
            if spiller.must_cut(&mut counts.memory, more, level)? {
                return self.split(level, counts, None, segments.as_slice());
            }
        }
        self.rows = Some(CountedReader::all(counts, rule, run.batch_rows()));
        Ok(())
    }

    /// Cuts a partition by more bits of the hash: what was added up already, then what was not.
    fn split(
        &mut self,
        level: u32,
        mut counts: Counts,
        read: Option<Batch>,
        unread: &[Segment],
    ) -> Result<()> {
        let Shared { spiller, rule, .. } = self.shared.as_ref();
        let level = level + 1;
        if level > LAST_LEVEL {
            return Err(spiller.too_large(&counts.memory));
        }
        let mut writer = PartitionWriter::new(spiller, level)?;
        counts.spill_into(&mut writer)?;
        let unread = unread.iter().map(Segment::read);
        for batch in read.map(Ok).into_iter().chain(unread) {
            let batch = batch?;
            let keys = batch.columns.get(..rule.types.len()).unwrap_or_default();
            writer.write(keys, &batch)?;
        }
        let parts = writer.finish()?.into_iter().filter(|part| !part.is_empty());
        self.waiting.extend(parts.map(|part| (level, part)));
        Ok(())
    }
}
