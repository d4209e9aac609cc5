//! WITH RECURSIVE by rounds, and the rows of the last round.
//!
//! A round runs when its first row is asked for: a LIMIT above ends a recursion that has no end.

use super::collect::collect;
use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::keys::GroupTable;
use crate::pipeline::{BufferedSource, MorselReader, Pipeline, Source, slices};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::array::UInt32Array;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use std::collections::VecDeque;
use std::sync::Arc;

/// The first rows, and rounds over those of the round before.
pub(crate) struct RecursiveOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) inputs: Arc<RecursiveInputs>,
}

/// What runs in the rounds.
pub(crate) struct RecursiveInputs {
    pub(crate) base: Box<dyn Operator>,
    pub(crate) step: Box<dyn Operator>,
    /// Number of the working table that `step` reads.
    pub(crate) table: u32,
    /// UNION: rows that were there before are left out.
    pub(crate) distinct: bool,
}

impl Operator for RecursiveOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.inputs.base.as_ref(), self.inputs.step.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let seen = if self.inputs.distinct {
            Some(Seen {
                table: GroupTable::new(&self.info.key_types())?,
                groups: Vec::new(),
                memory: run.reserve(self.info.kind),
            })
        } else {
            None
        };
        let rounds = Rounds {
            inputs: Arc::clone(&self.inputs),
            run: Arc::clone(run),
            spiller: Spiller::new(run, &self.info),
            seen,
            begun: false,
            last: Vec::new(),
            held: None,
            out: VecDeque::new(),
        };
        let source = RecursiveSource {
            rounds: parking_lot::Mutex::new(Some(rounds)),
        };
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }
}

/// One morsel: each round needs the one before.
struct RecursiveSource {
    rounds: parking_lot::Mutex<Option<Rounds>>,
}

impl Source for RecursiveSource {
    fn morsels(&self) -> usize {
        1
    }

    fn estimated_rows(&self) -> u64 {
        0
    }

    fn read(&self, _: usize) -> Result<MorselReader> {
        match self.rounds.lock().take() {
            Some(rounds) => Ok(Box::new(rounds)),
            None => Ok(Box::new(std::iter::empty())),
        }
    }
}

/// The rounds so far.
struct Rounds {
    inputs: Arc<RecursiveInputs>,
    run: Arc<Run>,
    spiller: Spiller,
    seen: Option<Seen>,
    begun: bool,
    /// The rows of the last round, and the memory held for them.
    last: Vec<Batch>,
    held: Option<MemoryReservation>,
    /// Those that are still to be put out.
    out: VecDeque<Batch>,
}

/// All rows that were put out.
struct Seen {
    table: GroupTable,
    groups: Vec<u32>,
    memory: MemoryReservation,
}

impl Iterator for Rounds {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.out.pop_front() {
                return Some(Ok(batch));
            }
            if self.begun && self.last.is_empty() {
                return None;
            }
            if let Err(error) = self.round() {
                self.begun = true;
                self.last.clear();
                return Some(Err(error));
            }
        }
    }
}

impl Rounds {
    fn round(&mut self) -> Result<()> {
        self.run.check()?;
        let input = if self.begun {
            let last = std::mem::take(&mut self.last);
            self.run.set_working(self.inputs.table, last);
            self.inputs.step.as_ref()
        } else {
            self.begun = true;
            self.inputs.base.as_ref()
        };
        let pipeline = open_input(input, &self.run, &Hints::default())?;
        let (batches, memory) = collect(&self.run, pipeline, &self.spiller)?;
        let mut fresh = Vec::with_capacity(batches.len());
        for batch in batches {
            let batch = match &mut self.seen {
                Some(seen) => seen.new_rows(batch, &self.spiller)?,
                None => batch,
            };
            if batch.rows > 0 {
                fresh.push(batch);
            }
        }
        let batch_rows = self.run.batch_rows();
        let out = fresh.iter().cloned();
        self.out
            .extend(out.flat_map(|batch| slices(batch, batch_rows)));
        self.last = fresh;
        self.held = Some(memory);
        Ok(())
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.run.set_working(self.inputs.table, Vec::new());
    }
}

impl Seen {
    /// The rows that were not there before, each once.
    fn new_rows(&mut self, batch: Batch, spiller: &Spiller) -> Result<Batch> {
        let mut next = self.table.len();
        self.table
            .intern(&batch.columns, batch.rows, &mut self.groups)?;
        let bytes = self.table.size_bytes() as u64;
        spiller.must_fit(&mut self.memory, bytes)?;
        let mut fresh = Vec::new();
        for (row, group) in self.groups.iter().enumerate() {
            // Groups are numbered in the order in which they first come.
            if *group as usize == next {
                next += 1;
                fresh.push(row as u32);
            }
        }
        if fresh.len() == batch.rows {
            return Ok(batch);
        }
        batch.take(&UInt32Array::from(fresh))
    }
}

/// The rows of the last round of a recursion around.
pub(crate) struct WorkingTableOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) table: u32,
    /// Columns put out, by their position among the recursion's.
    pub(crate) columns: Vec<usize>,
}

impl Operator for WorkingTableOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![]
    }

    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let mut batches = Vec::new();
        for batch in run.working(self.table) {
            let columns = self.columns.iter().map(|at| batch.column(*at).cloned());
            batches.push(Batch::new(columns.collect::<Result<_>>()?, batch.rows));
        }
        let source = BufferedSource::new(batches, run.batch_rows(), None);
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }
}
