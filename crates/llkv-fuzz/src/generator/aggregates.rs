//! Aggregates over the columns in sight.

use super::{Column, Generator, Ty};

impl Generator<'_> {
    /// A few aggregates, to be computed with as columns of the grouped query.
    pub(super) fn aggregates(&mut self) -> Vec<Column> {
        let count = self.choices.between(1, 3);
        (0..count).map(|_| self.aggregate()).collect()
    }

    fn aggregate(&mut self) -> Column {
        let (sql, ty) = self.part(|this| {
            let (call, ty) = this.aggregate_call();
            let sql = match this.choices.one_in(8) {
                true => format!("{call} FILTER (WHERE {})", this.plain_condition()),
                false => call,
            };
            let sql = this.one_for_all(sql, ty);
            // The sum of BIGINT, and its average, are wider than that.
            match sql.starts_with("sum") && !this.is_sqlite() {
                true => (format!("CAST({sql} AS {})", this.type_name(ty)), ty),
                false => (sql, ty),
            }
        });
        Column {
            sql,
            ty,
            is_aggregate: true,
            is_stored: false,
        }
    }

    fn aggregate_call(&mut self) -> (String, Ty) {
        let distinct = if self.choices.one_in(4) {
            "DISTINCT "
        } else {
            ""
        };
        let sqlite = u32::from(self.is_sqlite());
        match self.choices.weighted(&[3, 3, 4, 5, 2, 2, sqlite]) {
            0 => ("count(*)".to_owned(), Ty::Integer),
            1 => {
                let ty = self.ty();
                let argument = self.plain(ty);
                (format!("count({distinct}{argument})"), Ty::Integer)
            }
            2 => {
                let argument = self.plain(Ty::Integer);
                (format!("sum({distinct}{argument})"), Ty::Integer)
            }
            3 => {
                let ty = self.ty();
                let ty = if ty == Ty::Boolean { Ty::Integer } else { ty };
                let function = self.choices.word(&["min", "max"]);
                (format!("{function}({})", self.plain(ty)), ty)
            }
            4 => {
                let argument = self.plain(Ty::Real);
                (format!("sum({distinct}{argument})"), Ty::Real)
            }
            5 => {
                let ty = if self.choices.one_in(2) {
                    Ty::Real
                } else {
                    Ty::Integer
                };
                (format!("avg({distinct}{})", self.plain(ty)), Ty::Average)
            }
            _ => {
                let argument = self.plain(Ty::Integer);
                (format!("total({distinct}{argument})"), Ty::Real)
            }
        }
    }

    /// An aggregate's argument.
    pub(super) fn plain(&mut self, ty: Ty) -> String {
        self.alone(|this| this.expr(ty, 1))
    }

    fn plain_condition(&mut self) -> String {
        self.alone(|this| this.condition(1))
    }

    /// Without subqueries and without the columns of outer queries: an aggregate of those alone would be one
    /// of the outer query.
    fn alone(&mut self, make: impl FnOnce(&mut Self) -> String) -> String {
        let depth = std::mem::take(&mut self.query_depth);
        let innermost = self.scopes.pop();
        let outer = std::mem::replace(&mut self.scopes, innermost.into_iter().collect());
        let made = make(self);
        let innermost = std::mem::replace(&mut self.scopes, outer);
        self.scopes.extend(innermost);
        self.query_depth = depth;
        made
    }
}
