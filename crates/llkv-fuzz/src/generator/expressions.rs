//! Expressions of a type.

use super::{Generator, Ty};

impl Generator<'_> {
    /// An expression of a type, at most so many levels deep.
    pub(super) fn expr(&mut self, ty: Ty, depth: usize) -> String {
        self.part(|this| this.expr_inner(ty, depth))
    }

    fn expr_inner(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 {
            return match self.choices.weighted(&[1, 3]) {
                0 => self.literal(ty),
                _ => self.column(ty),
            };
        }
        let subqueries = u32::from(self.query_depth > 0);
        match self.choices.weighted(&[2, 8, 6, 3, subqueries]) {
            0 => self.literal(ty),
            1 => self.column(ty),
            2 => self.operation(ty, depth - 1),
            3 => self.conditional(ty, depth - 1),
            _ => self.scalar_subquery(ty),
        }
    }

    /// A column of the type that is in sight, the innermost rather than an outer one; else a constant.
    pub(super) fn column(&mut self, ty: Ty) -> String {
        let innermost = self.scopes.len().saturating_sub(1);
        let outer = self.choices.one_in(4);
        let fits = |level: usize, column: &super::Column| {
            column.ty == ty && (level == innermost || !column.is_aggregate)
        };
        let scopes = self.scopes.iter().enumerate();
        let found: Vec<String> = scopes
            .filter(|(level, _)| outer || *level == innermost)
            .flat_map(|(level, scope)| scope.iter().map(move |column| (level, column)))
            .filter(|(level, column)| fits(*level, column))
            .map(|(_, column)| column.sql.clone())
            .collect();
        match self.choices.pick(&found) {
            Some(column) => column.clone(),
            None => self.literal(ty),
        }
    }

    /// What every type has: CASE, COALESCE, NULLIF.
    fn conditional(&mut self, ty: Ty, depth: usize) -> String {
        match self.choices.weighted(&[3, 2, 2, 1]) {
            0 => {
                let condition = self.condition(depth);
                let (yes, no) = (self.expr(ty, depth), self.expr(ty, depth));
                format!("CASE WHEN {condition} THEN {yes} ELSE {no} END")
            }
            1 => {
                let (first, second) = (self.expr(ty, depth), self.expr(ty, depth));
                format!("COALESCE({first}, {second})")
            }
            2 => {
                let (first, second) = (self.expr(ty, depth), self.expr(ty, 0));
                let second = self.operand(second, ty);
                format!("NULLIF({first}, {second})")
            }
            _ => {
                let tested = self.comparable();
                let (operand, first) = (self.expr(tested, depth), self.expr(tested, 0));
                let (second, yes) = (self.expr(tested, 0), self.expr(ty, depth));
                let no = self.expr(ty, 0);
                format!("CASE {operand} WHEN {first} THEN {yes} WHEN {second} THEN {no} END")
            }
        }
    }

    fn operation(&mut self, ty: Ty, depth: usize) -> String {
        match ty {
            Ty::Integer => self.integer_operation(depth),
            Ty::Real => self.real_operation(depth),
            Ty::Text => self.text_operation(depth),
            Ty::Boolean => format!("({})", self.condition(depth)),
            Ty::Decimal => {
                let (left, right) = (self.expr(ty, depth), self.expr(ty, 0));
                format!("CAST(({left} + {right}) AS DECIMAL(12, 2))")
            }
            Ty::Any | Ty::Average | Ty::Date => self.conditional(ty, depth),
        }
    }

    fn integer_operation(&mut self, depth: usize) -> String {
        let sqlite = u32::from(self.is_sqlite());
        let weights = [4, 2, 2, 2, 2, sqlite, sqlite, 2 * sqlite, sqlite, 1];
        match self.choices.weighted(&weights) {
            0 => {
                let operator = self.choices.word(&["+", "-", "*"]);
                let (left, right) = (self.expr(Ty::Integer, depth), self.expr(Ty::Integer, depth));
                format!("({left} {operator} {right})")
            }
            1 => {
                let operator = self.choices.word(&["/", "%"]);
                let left = self.expr(Ty::Integer, depth);
                let right = if self.is_sqlite() {
                    self.expr(Ty::Integer, depth)
                } else {
                    self.choices.word(&["2", "3", "7", "(-2)"]).to_owned()
                };
                format!("({left} {operator} {right})")
            }
            2 => format!("(- {})", self.expr(Ty::Integer, depth)),
            3 => format!("abs({})", self.expr(Ty::Integer, depth)),
            4 => format!("length({})", self.expr(Ty::Text, depth)),
            5 => format!("({})", self.condition(depth)),
            6 => {
                let operator = self.choices.word(&["&", "|", "<<", ">>"]);
                let (left, right) = (self.expr(Ty::Integer, depth), self.expr(Ty::Integer, 0));
                format!("({left} {operator} {right})")
            }
            7 => {
                let ty = self.ty();
                format!("CAST({} AS INTEGER)", self.expr(ty, depth))
            }
            8 => {
                let (text, part) = (self.expr(Ty::Text, depth), self.expr(Ty::Text, 0));
                format!("instr({text}, {part})")
            }
            _ => format!("CAST({} AS BIGINT)", self.expr(Ty::Integer, depth)),
        }
    }

    fn real_operation(&mut self, depth: usize) -> String {
        let sqlite = u32::from(self.is_sqlite());
        match self.choices.weighted(&[4, 2, 2, 2, 1, sqlite]) {
            0 => {
                let operator = self.choices.word(&["+", "-", "*"]);
                let other = if self.choices.one_in(3) {
                    Ty::Integer
                } else {
                    Ty::Real
                };
                let (left, right) = (self.expr(Ty::Real, depth), self.expr(other, 0));
                format!("({left} {operator} {right})")
            }
            1 => {
                let name = self.type_name(Ty::Real);
                format!("CAST({} AS {name})", self.expr(Ty::Integer, depth))
            }
            2 => format!("(- {})", self.expr(Ty::Real, depth)),
            3 => format!("abs({})", self.expr(Ty::Real, depth)),
            // A power of two keeps every digit.
            4 => {
                let divisor = self.choices.word(&["2.0", "4.0", "0.5"]);
                let name = self.type_name(Ty::Real);
                let divided = self.expr(Ty::Real, depth);
                format!("({divided} / CAST({divisor} AS {name}))")
            }
            _ => format!("round({})", self.expr(Ty::Real, depth)),
        }
    }

    fn text_operation(&mut self, depth: usize) -> String {
        let sqlite = u32::from(self.is_sqlite());
        let collates = 2 * u32::from(self.collates);
        match self.choices.weighted(&[
            3,
            2,
            2,
            1,
            1,
            2 * sqlite,
            sqlite,
            sqlite,
            collates,
            collates,
        ]) {
            0 => {
                let (left, right) = (self.expr(Ty::Text, depth), self.expr(Ty::Text, 0));
                format!("({left} || {right})")
            }
            1 => {
                let function = self
                    .choices
                    .word(&["upper", "lower", "trim", "ltrim", "rtrim"]);
                format!("{function}({})", self.expr(Ty::Text, depth))
            }
            2 => {
                let text = self.expr(Ty::Text, depth);
                let start = self.choices.word(&["1", "2", "3"]);
                let count = self.choices.word(&["1", "2", "0", "5"]);
                format!("substr({text}, {start}, {count})")
            }
            3 => {
                let (text, old) = (self.expr(Ty::Text, depth), self.expr(Ty::Text, 0));
                format!("replace({text}, {old}, {})", self.value(Ty::Text))
            }
            4 => format!("CAST({} AS TEXT)", self.expr(Ty::Integer, depth)),
            5 => {
                let ty = self.ty();
                format!("typeof({})", self.expr(ty, depth))
            }
            6 => format!("CAST({} AS TEXT)", self.expr(Ty::Real, depth)),
            8 => {
                let text = self.expr(Ty::Text, depth);
                format!("({})", self.operand(text, Ty::Text))
            }
            9 => {
                let function = self.choices.word(&["min", "max"]);
                let (first, second) = (self.expr(Ty::Text, depth), self.expr(Ty::Text, 0));
                let second = self.operand(second, Ty::Text);
                format!("{function}({first}, {second})")
            }
            _ => {
                let function = self.choices.word(&["hex", "quote"]);
                format!("{function}({})", self.expr(Ty::Text, depth))
            }
        }
    }
}
