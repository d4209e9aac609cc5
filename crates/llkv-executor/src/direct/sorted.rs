//! Rows to be sorted.

use super::walk::{Places, Walk};
use llkv_compute::order_of;
use llkv_expr::{Expr, SortKey};
use llkv_result::Result;
use llkv_types::Scalar;
use smallvec::SmallVec;
use std::cmp::Ordering;

/// Rows in the order in which they came, each the values of some places and then those keys that stand in none of them.
pub(super) struct SortedRows<'k> {
    places: &'k Places,
    /// Which value of a row a key is.
    keys: SmallVec<[(&'k SortKey, usize); 4]>,
    width: usize,
    /// Row by row.
    values: Vec<Scalar>,
}

impl<'k> SortedRows<'k> {
    /// No rows yet of the values in `places`.
    pub(super) fn new(keys: &'k [SortKey], places: &'k Places) -> Self {
        let mut width = places.len();
        let keys = keys.iter().map(|key| {
            let place = match &key.expr {
                Expr::Column { id, .. } => places.iter().position(|p| *p == id.0 as usize),
                _ => None,
            };
            let at = place.unwrap_or(width);
            width = width.max(at + 1);
            (key, at)
        });
        Self {
            keys: keys.collect(),
            places,
            width,
            values: Vec::new(),
        }
    }

    /// Takes the row at hand.
    pub(super) fn add(&mut self, walk: &Walk<'_>) -> Result<()> {
        for place in self.places {
            self.values.push(walk.value(*place)?.clone());
        }
        for (key, at) in &self.keys {
            if *at >= self.places.len() {
                self.values.push(walk.evaluate(&key.expr)?);
            }
        }
        Ok(())
    }

    /// The values of the rows, sorted; rows with equal keys stay in their order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &[Scalar]> {
        let mut rows: Vec<&[Scalar]> = self.values.chunks_exact(self.width.max(1)).collect();
        rows.sort_by(|left, right| self.order(left, right));
        rows.into_iter()
    }

    fn order(&self, left: &[Scalar], right: &[Scalar]) -> Ordering {
        for (key, at) in &self.keys {
            let (Some(left), Some(right)) = (left.get(*at), right.get(*at)) else {
                continue;
            };
            let order = order_by(key, left, right);
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

fn order_by(key: &SortKey, left: &Scalar, right: &Scalar) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (false, false) => {
            let order = order_of(left, right).unwrap_or(Ordering::Equal);
            match key.descending {
                true => order.reverse(),
                false => order,
            }
        }
        (is_left, _) if is_left == key.nulls_first => Ordering::Less,
        _ => Ordering::Greater,
    }
}
