//! One value for all rows.

use super::input::{Input, InputValues};
use super::profile::Profile;
use super::table::{Table, with_table, write_bytes, write_keys};
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
    id: 2,
    name: "constant",
    estimate,
    write,
    open,
};

fn estimate(_input: &Input, profile: &Profile) -> Option<usize> {
    profile.constant.then_some(0)
}

fn write(input: &Input, _profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    match &input.values {
        InputValues::Ints(ints) => write_keys(input.kind, std::iter::once(ints.base), out),
        InputValues::Bytes(strings) => {
            let first = (0..input.rows).find(|row| !input.is_null(*row));
            write_bytes(&[first.map_or(&[][..], |row| strings.get(row))], out)
        }
        InputValues::Bits(_) | InputValues::Fixed(_) => Err(kind_mismatch()),
    }
}

fn open(kind: Kind, _rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    let table = Table::open(kind, 1, body)?;
    if table.len() != 1 {
        return Err(damaged("a constant without a value"));
    }
    Ok(Box::new(Constant { table }))
}

#[derive(Debug)]
struct Constant {
    table: Table,
}

impl Constant {
    fn repeat(&self, rows: usize, out: &mut Values) -> Result<()> {
        with_table!(&self.table, out, |values, vec| {
            let value = values.first().copied().unwrap_or_default();
            vec.extend(std::iter::repeat_n(value, rows));
        });
        Ok(())
    }
}

impl ColumnReader for Constant {
    fn append(
        &self,
        _start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        self.repeat(rows, out)
    }

    fn append_at(
        &self,
        _start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        self.repeat(positions.len(), out)
    }

    fn answers(&self, test: &Test) -> Result<Vec<bool>> {
        self.table.accepts(test)
    }

    fn filter(
        &self,
        _start: usize,
        _test: &Test,
        answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        if answers.first() != Some(&true) {
            selection.clear();
        }
        Ok(())
    }
}
