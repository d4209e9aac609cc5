//! Runs of equal values: where each run ends, and its value.

use super::input::{Input, InputValues};
use super::plain::out_of_range;
use super::profile::Profile;
use super::table::{Table, with_table, write_keys};
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::{Values, typed};
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{Positions, Selection};
use arrow::buffer::ScalarBuffer;
use llkv_result::Result;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 5,
    name: "run-end",
    estimate,
    write,
    open,
};

fn estimate(input: &Input, profile: &Profile) -> Option<usize> {
    let InputValues::Ints(_) = &input.values else {
        return None;
    };
    // Short runs read slower than packed values, whatever their size.
    let width = super::bit_packed::value_bytes(input.kind);
    (profile.runs * 8 <= input.rows).then_some(profile.runs * (4 + width))
}

fn write(input: &Input, _profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let InputValues::Ints(ints) = &input.values else {
        return Err(kind_mismatch());
    };
    let mut ends: Vec<u8> = Vec::new();
    let mut keys: Vec<i128> = Vec::new();
    let mut end = 0u32;
    for run in ints.offsets.chunk_by(|a, b| a == b) {
        end += run.len() as u32;
        ends.extend_from_slice(&end.to_le_bytes());
        keys.push(ints.base + run.first().map_or(0, |offset| i128::from(*offset)));
    }
    out.header.u32(keys.len() as u32);
    out.buffer(&ends);
    write_keys(input.kind, keys.into_iter(), out)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    let count = body.header.u32()? as usize;
    let ends = typed::<u32>(&body.buffer()?, count)?;
    let ascending = ends.is_sorted_by(|a, b| a < b);
    if !ascending || ends.first() == Some(&0) || ends.last().map(|e| *e as usize) != Some(rows) {
        return Err(damaged("runs do not cover the rows of their chunk"));
    }
    let table = Table::open(kind, count, body)?;
    Ok(Box::new(RunEnd { ends, table }))
}

#[derive(Debug)]
struct RunEnd {
    ends: ScalarBuffer<u32>,
    table: Table,
}

impl RunEnd {
    fn rows(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    /// The run that holds a row.
    fn run_of(&self, row: usize) -> usize {
        self.ends.partition_point(|end| *end as usize <= row)
    }

    fn end_of(&self, run: usize) -> usize {
        self.ends.get(run).map_or(usize::MAX, |end| *end as usize)
    }

    fn check(&self, start: usize, rows: usize) -> Result<()> {
        match start.checked_add(rows) {
            Some(end) if end <= self.rows() => Ok(()),
            _ => Err(out_of_range(start, rows, self.rows())),
        }
    }
}

impl ColumnReader for RunEnd {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, rows)?;
        with_table!(&self.table, out, |values, vec| {
            let (mut at, end) = (start, start + rows);
            let mut run = self.run_of(start);
            while at < end {
                let to = self.end_of(run).min(end);
                let value = values.get(run).copied().unwrap_or_default();
                vec.extend(std::iter::repeat_n(value, to - at));
                at = to;
                run += 1;
            }
        });
        Ok(())
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Some(last) = positions.rows().last() else {
            return Ok(());
        };
        self.check(start, usize::from(*last) + 1)?;
        with_table!(&self.table, out, |values, vec| {
            let first = positions.rows().first().map_or(0, |row| usize::from(*row));
            let mut run = self.run_of(start + first);
            for row in positions.rows() {
                let row = start + usize::from(*row);
                while self.end_of(run) <= row {
                    run += 1;
                }
                vec.push(values.get(run).copied().unwrap_or_default());
            }
        });
        Ok(())
    }

    fn answers(&self, test: &Test) -> Result<Vec<bool>> {
        self.table.accepts(test)
    }

    fn filter(
        &self,
        start: usize,
        _test: &Test,
        answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let rows = selection.rows();
        self.check(start, rows)?;
        let (mut at, end) = (start, start + rows);
        let mut run = self.run_of(start);
        while at < end {
            let to = self.end_of(run).min(end);
            if answers.get(run) != Some(&true) {
                selection.remove_range(at - start, to - start);
            }
            at = to;
            run += 1;
        }
        Ok(())
    }
}
