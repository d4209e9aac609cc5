//! SQL's meaning of joins, one pair of rows at a time.

use super::harness::Tuple;
use llkv_plan::JoinKind;
use llkv_types::{Scalar, SqlType};

/// What a pair of values is under `=`: unknown where one is NULL.
pub(crate) fn equal(a: &Scalar, b: &Scalar) -> Option<bool> {
    (!a.is_null() && !b.is_null()).then(|| a == b)
}

/// A join as the reference sees it: keys are column positions.
pub(crate) struct Reference<'a> {
    pub kind: JoinKind,
    pub keys: &'a [(usize, usize)],
    pub null_equal: &'a [bool],
    /// Three-valued condition over a pair.
    pub filter: &'a dyn Fn(&Tuple, &Tuple) -> Option<bool>,
    pub null_aware: bool,
    pub left_types: &'a [SqlType],
    pub right_types: &'a [SqlType],
}

impl Reference<'_> {
    fn key_matches(&self, at: usize, left: &Tuple, right: &Tuple) -> Option<bool> {
        let (l, r) = self.keys[at];
        let (l, r) = (&left[l], &right[r]);
        if self.null_equal[at] && (l.is_null() || r.is_null()) {
            return Some(l.is_null() && r.is_null());
        }
        equal(l, r)
    }

    fn matches(&self, left: &Tuple, right: &Tuple) -> bool {
        let keys = (0..self.keys.len()).all(|at| self.key_matches(at, left, right) == Some(true));
        keys && (self.filter)(left, right) == Some(true)
    }

    /// `IN`: over the right rows that agree on the keys before the last and pass the filter.
    fn in_value(&self, left: &Tuple, right: &[Tuple]) -> Option<bool> {
        let last = self.keys.len() - 1;
        let mut value = Some(false);
        for row in right {
            let prefix = (0..last).all(|at| self.key_matches(at, left, row) == Some(true));
            if !prefix || (self.filter)(left, row) != Some(true) {
                continue;
            }
            match self.key_matches(last, left, row) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => value = None,
            }
        }
        value
    }

    /// The rows of the join, or `None` where it is an error.
    pub(crate) fn rows(&self, left: &[Tuple], right: &[Tuple]) -> Option<Vec<Tuple>> {
        let nulls = |types: &[SqlType]| types.iter().map(|t| Scalar::Null(*t)).collect::<Tuple>();
        let pair = |l: &Tuple, r: &Tuple| l.iter().chain(r).cloned().collect::<Tuple>();
        let mut out = Vec::new();
        for l in left {
            let found: Vec<&Tuple> = right.iter().filter(|r| self.matches(l, r)).collect();
            match self.kind {
                JoinKind::Semi if !found.is_empty() => out.push(l.clone()),
                JoinKind::Anti if found.is_empty() => out.push(l.clone()),
                JoinKind::Semi | JoinKind::Anti => {}
                JoinKind::NullAwareAnti => {
                    if self.in_value(l, right) == Some(false) {
                        out.push(l.clone());
                    }
                }
                JoinKind::Mark => {
                    let value = match self.null_aware {
                        true => self.in_value(l, right),
                        false => Some(!found.is_empty()),
                    };
                    let mark = value.map_or(Scalar::Null(SqlType::Boolean), Scalar::Boolean);
                    out.push(l.iter().cloned().chain([mark]).collect());
                }
                JoinKind::Single if found.len() > 1 => return None,
                _ => out.extend(found.iter().map(|r| pair(l, r))),
            }
            let keeps = matches!(
                self.kind,
                JoinKind::Left | JoinKind::Full | JoinKind::Single
            );
            if keeps && found.is_empty() {
                out.push(pair(l, &nulls(self.right_types)));
            }
        }
        if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
            for r in right {
                if !left.iter().any(|l| self.matches(l, r)) {
                    out.push(pair(&nulls(self.left_types), r));
                }
            }
        }
        Some(out)
    }
}
