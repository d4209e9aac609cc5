//! COLLATE: on columns, on operands, and what keeps results the same whichever of several equal texts a database shows.

use super::{Generator, Ty};

const NAMES: &[&str] = &["NOCASE", "RTRIM", "BINARY"];

impl Generator<'_> {
    /// Decides whether texts of the case have collations.
    pub(super) fn decide_collations(&mut self) {
        self.collates = self.is_sqlite() && self.choices.one_in(3);
        self.case.collates = self.collates;
    }

    /// The collation of a column's definition, or of a key's column.
    pub(super) fn column_collation(&mut self, ty: Ty) -> String {
        if !self.collates || !matches!(ty, Ty::Text | Ty::Any) || self.choices.one_in(3) {
            return String::new();
        }
        format!(" COLLATE {}", self.choices.word(NAMES))
    }

    /// An operand with a collation now and then.
    pub(super) fn operand(&mut self, sql: String, ty: Ty) -> String {
        if !self.collates || !matches!(ty, Ty::Text | Ty::Any) || !self.choices.one_in(4) {
            return sql;
        }
        format!("({sql} COLLATE {})", self.choices.word(NAMES))
    }

    /// A value of which any of several equal texts may come, as one that is the same for all of them.
    pub(super) fn one_for_all(&self, sql: String, ty: Ty) -> String {
        match self.collates && matches!(ty, Ty::Text | Ty::Any) {
            true => format!("lower(rtrim({sql}))"),
            false => sql,
        }
    }

    /// True where one of several equal rows may be chosen: nothing computes with its texts.
    pub(super) fn may_choose(&self, types: &[Ty]) -> bool {
        !self.collates || self.is_shown && self.query_depth == 2 || !types.contains(&Ty::Text)
    }
}
