//! `bit_and`, `bit_or`, `bit_xor` of integers of every width.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{Seen, argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::datatypes::DataType;
use llkv_result::Result;
use llkv_types::SqlType;
use num_traits::{PrimInt, Zero};
use std::sync::Arc;

/// How bits meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BitOp {
    And,
    Or,
    Xor,
}

/// Bits of all values of a group.
pub(super) struct BitFold<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    seen: Seen,
    op: BitOp,
    ty: SqlType,
}

impl<T> BitFold<T>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt,
{
    pub(super) fn new(op: BitOp, ty: SqlType) -> Self {
        Self {
            values: Vec::new(),
            seen: Seen::default(),
            op,
            ty,
        }
    }

    /// What changes nothing: all bits for AND, none for the others.
    fn neutral(&self) -> T::Native {
        match self.op {
            BitOp::And => !T::Native::zero(),
            BitOp::Or | BitOp::Xor => T::Native::zero(),
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<T>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        self.seen.mark(groups, counted.as_ref());
        let op = self.op;
        let states = self.values.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            if let Some(state) = states.get_mut(group) {
                let value = array.value(row);
                *state = match op {
                    BitOp::And => *state & value,
                    BitOp::Or => *state | value,
                    BitOp::Xor => *state ^ value,
                };
            }
        });
        Ok(())
    }
}

impl<T> GroupsAccumulator for BitFold<T>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt,
{
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.update(states, Groups::PerRow(group_of_row), group_count, None)
    }

    fn resize(&mut self, group_count: usize) {
        if self.values.len() < group_count {
            let neutral = self.neutral();
            self.values.resize(group_count, neutral);
            self.seen.resize(group_count);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.to_arrow()]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.seen.take_nulls();
        let values = std::mem::take(&mut self.values);
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)))
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.size_bytes()
    }
}
