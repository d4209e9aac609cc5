//! Functions that give a value of another row.

use super::frames::Frames;
use super::runs::RowRuns;
use crate::arrays::{primitive, some_nulls};
use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::Int64Type;
use llkv_expr::WindowFunction;
use llkv_result::{Error, EvalError, Result};

/// What [`navigate`] needs.
#[derive(Debug)]
pub struct Navigation<'a> {
    /// Which function.
    pub function: WindowFunction,
    /// The values; `lag` and `lead`: the distance, BIGINT, and the value where there is no such row, both
    /// optional; `nth_value`: the number, BIGINT.
    pub args: &'a [ArrayRef],
    /// Rows whose value is NULL are passed over.
    pub ignore_nulls: bool,
    /// Partitions.
    pub partitions: &'a RowRuns,
    /// Frames, for the functions that look at them.
    pub frames: Option<&'a Frames>,
}

/// `lag`, `lead`, `first_value`, `last_value`, `nth_value`.
///
/// # Errors
/// [`EvalError::WindowArgument`] for a row number less than one; an internal error for another function.
pub fn navigate(navigation: &Navigation<'_>) -> Result<ArrayRef> {
    let values = navigation
        .args
        .first()
        .ok_or_else(|| Error::internal("a window function misses its argument"))?;
    let known = navigation.ignore_nulls.then(|| Known::new(values));
    match navigation.function {
        WindowFunction::Lag => navigation.neighbours(values, known.as_ref(), -1),
        WindowFunction::Lead => navigation.neighbours(values, known.as_ref(), 1),
        _ => navigation.in_frames(values, known.as_ref()),
    }
}

/// The rows that are not NULL.
struct Known {
    rows: Vec<u32>,
    /// How many of them are before each row, and before the end.
    before: Vec<u32>,
}

impl Known {
    fn new(values: &ArrayRef) -> Self {
        let nulls = some_nulls(values);
        let mut known = Self {
            rows: Vec::new(),
            before: Vec::with_capacity(values.len() + 1),
        };
        for row in 0..values.len() {
            known.before.push(known.rows.len() as u32);
            if !nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                known.rows.push(row as u32);
            }
        }
        known.before.push(known.rows.len() as u32);
        known
    }

    fn before(&self, row: u32) -> i64 {
        self.before
            .get(row as usize)
            .map_or(0, |count| i64::from(*count))
    }

    fn at(&self, index: i64) -> Option<u32> {
        self.rows.get(usize::try_from(index).ok()?).copied()
    }
}

/// A range of rows with the NULLs of it passed over, if asked for.
struct Piece<'a> {
    start: u32,
    end: u32,
    known: Option<&'a Known>,
}

impl Piece<'_> {
    fn len(&self) -> i64 {
        match self.known {
            Some(known) => known.before(self.end) - known.before(self.start),
            None => i64::from(self.end) - i64::from(self.start),
        }
    }

    /// The row at a place within.
    fn row(&self, at: i64) -> Option<u32> {
        match self.known {
            Some(known) => known.at(known.before(self.start) + at),
            None => u32::try_from(i64::from(self.start) + at).ok(),
        }
    }
}

impl Navigation<'_> {
    /// The values `distance` rows before (`sign` -1) or after.
    fn neighbours(&self, values: &ArrayRef, known: Option<&Known>, sign: i64) -> Result<ArrayRef> {
        let distances = match self.args.get(1) {
            Some(distances) => Some(primitive::<Int64Type>(distances)?),
            None => None,
        };
        let mut rows = Vec::with_capacity(values.len());
        let mut defaulted = Vec::new();
        for row in 0..values.len() {
            if distances.is_some_and(|d| d.is_null(row)) {
                rows.push(None);
                continue;
            }
            let distance = distances.map_or(1, |d| d.value(row));
            let found = self.neighbour(row, distance.saturating_mul(sign), known);
            if found.is_none() {
                defaulted.push(row);
            }
            rows.push(found);
        }
        match self.args.get(2) {
            Some(defaults) if !defaulted.is_empty() => {
                with_defaults(values, &rows, defaults, &defaulted)
            }
            _ => Ok(take(values.as_ref(), &UInt32Array::from(rows), None)?),
        }
    }

    fn neighbour(&self, row: usize, distance: i64, known: Option<&Known>) -> Option<u32> {
        let (start, end) = (self.partitions.start(row), self.partitions.end(row));
        let at = row as u32;
        if distance == 0 {
            return Some(at);
        }
        let (piece, place) = if distance < 0 {
            let before = Piece {
                start,
                end: at,
                known,
            };
            let place = before.len().saturating_add(distance);
            (before, place)
        } else {
            let start = at + 1;
            (Piece { start, end, known }, distance - 1)
        };
        (0..piece.len())
            .contains(&place)
            .then(|| piece.row(place))
            .flatten()
    }

    fn in_frames(&self, values: &ArrayRef, known: Option<&Known>) -> Result<ArrayRef> {
        let frames = self
            .frames
            .ok_or_else(|| Error::internal("a window function misses its frames"))?;
        let numbers = match self.function {
            WindowFunction::NthValue => Some(self.numbers()?),
            WindowFunction::FirstValue | WindowFunction::LastValue => None,
            other => {
                return Err(Error::internal(format!(
                    "{} navigates nowhere",
                    other.name()
                )));
            }
        };
        let last = self.function == WindowFunction::LastValue;
        let rows: UInt32Array = (0..values.len())
            .map(|row| {
                let pieces = frames
                    .pieces(row)
                    .map(|(start, end)| Piece { start, end, known });
                if last {
                    let piece = pieces.iter().rev().find(|piece| piece.len() > 0)?;
                    return piece.row(piece.len() - 1);
                }
                let mut left = match numbers {
                    Some(numbers) if numbers.is_null(row) => return None,
                    Some(numbers) => numbers.value(row) - 1,
                    None => 0,
                };
                for piece in &pieces {
                    if left < piece.len() {
                        return piece.row(left);
                    }
                    left -= piece.len();
                }
                None
            })
            .collect();
        Ok(take(values.as_ref(), &rows, None)?)
    }

    fn numbers(&self) -> Result<&Int64Array> {
        let numbers = self
            .args
            .get(1)
            .ok_or_else(|| Error::internal("nth_value misses its number"))?;
        let numbers = primitive::<Int64Type>(numbers)?;
        if numbers.iter().flatten().any(|n| n < 1) {
            let function = WindowFunction::NthValue.name();
            return Err(EvalError::WindowArgument { function }.into());
        }
        Ok(numbers)
    }
}

/// The values at `rows`, and those of `defaults` at the rows `defaulted`.
fn with_defaults(
    values: &ArrayRef,
    rows: &[Option<u32>],
    defaults: &ArrayRef,
    defaulted: &[usize],
) -> Result<ArrayRef> {
    let nothing = arrow::array::new_null_array(values.data_type(), 1);
    let mut indices: Vec<(usize, usize)> = rows
        .iter()
        .map(|row| row.map_or((2, 0), |row| (0, row as usize)))
        .collect();
    for row in defaulted {
        if let Some(index) = indices.get_mut(*row) {
            *index = (1, *row);
        }
    }
    Ok(interleave(
        &[values.as_ref(), defaults.as_ref(), nothing.as_ref()],
        &indices,
    )?)
}
