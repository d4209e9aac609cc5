//! Integers in equal steps: counters, and ids handed out one after the other.

use super::bit_packed::Target;
use super::input::{Input, InputValues};
use super::plain::out_of_range;
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{Positions, Selection};
use llkv_result::Result;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 3,
    name: "sequence",
    estimate,
    write,
    open,
};

fn estimate(input: &Input, profile: &Profile) -> Option<usize> {
    let ints = matches!(input.kind, Kind::Signed(_) | Kind::Unsigned(_));
    (ints && input.rows > 1).then_some(profile.step)?.map(|_| 1)
}

fn write(input: &Input, profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let (InputValues::Ints(ints), Some(step)) = (&input.values, profile.step) else {
        return Err(kind_mismatch());
    };
    let first = ints.offsets.first().copied().unwrap_or(0);
    out.header.i128(ints.base + i128::from(first));
    out.header.i128(step);
    Ok(())
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    if !matches!(kind, Kind::Signed(_) | Kind::Unsigned(_)) {
        return Err(kind_mismatch());
    }
    let (first, step) = (body.header.i128()?, body.header.i128()?);
    let last = step
        .checked_mul(rows as i128)
        .and_then(|way| first.checked_add(way));
    if last.is_none() {
        return Err(damaged("a sequence overflows"));
    }
    Ok(Box::new(Sequence { first, step, rows }))
}

#[derive(Debug)]
struct Sequence {
    first: i128,
    step: i128,
    rows: usize,
}

impl Sequence {
    fn value(&self, row: usize) -> i128 {
        self.first.wrapping_add(self.step.wrapping_mul(row as i128))
    }

    /// How many of `rows` rows from `start` on, of an ascending sequence, have a value below a bound.
    fn rows_below(&self, start: usize, rows: usize, bound: i128) -> usize {
        let distance = bound.saturating_sub(self.value(start));
        // Rounded up: a row at the bound is not below it.
        let below = distance.saturating_add(self.step - 1) / self.step.max(1);
        usize::try_from(below.max(0))
            .unwrap_or(usize::MAX)
            .min(rows)
    }

    fn push(&self, rows: impl Iterator<Item = usize>, out: &mut Values) -> Result<()> {
        let values = rows.map(|row| self.value(row));
        match out {
            Values::W1(vec) => vec.extend(values.map(<u8 as Target>::cut)),
            Values::W2(vec) => vec.extend(values.map(<u16 as Target>::cut)),
            Values::W4(vec) => vec.extend(values.map(<u32 as Target>::cut)),
            Values::W8(vec) => vec.extend(values.map(<u64 as Target>::cut)),
            Values::W16(vec) => vec.extend(values.map(<u128 as Target>::cut)),
            Values::Bits(_) | Values::Views(_) => return Err(kind_mismatch()),
        }
        Ok(())
    }

    fn check(&self, start: usize, rows: usize) -> Result<()> {
        match start.checked_add(rows) {
            Some(end) if end <= self.rows => Ok(()),
            _ => Err(out_of_range(start, rows, self.rows)),
        }
    }
}

impl ColumnReader for Sequence {
    fn integer(&self, row: usize) -> Result<Option<i128>> {
        self.check(row, 1)?;
        Ok(Some(self.value(row)))
    }

    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, rows)?;
        self.push(start..start + rows, out)
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let rows = positions.rows().iter();
        self.push(rows.map(|row| start + usize::from(*row)), out)
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, selection.rows())?;
        if let Test::Range { low, high } = test
            && self.step > 0
        {
            let rows = selection.rows();
            let from = self.rows_below(start, rows, *low);
            let to = self.rows_below(start, rows, high.saturating_add(1));
            selection.remove_range(0, from.min(rows));
            selection.remove_range(to, rows);
            return Ok(());
        }
        selection.retain(|row| test.accepts_int(self.value(start + row)));
        Ok(())
    }
}
