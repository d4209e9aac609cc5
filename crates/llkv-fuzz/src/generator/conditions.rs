//! Conditions: what stands in WHERE, ON, HAVING, CASE and FILTER.

use super::{Generator, Ty};

impl Generator<'_> {
    /// A condition, at most so many levels deep.
    pub(super) fn condition(&mut self, depth: usize) -> String {
        self.part(|this| this.condition_inner(depth))
    }

    fn condition_inner(&mut self, depth: usize) -> String {
        let deep = u32::from(depth > 0);
        let subqueries = u32::from(depth > 0 && self.query_depth > 0);
        let weights = [
            8,
            3,
            2,
            2,
            4 * deep,
            3 * deep,
            2 * deep,
            2,
            3 * subqueries,
            3 * subqueries,
            1,
            1,
        ];
        let below = depth.saturating_sub(1);
        match self.choices.weighted(&weights) {
            0 => self.comparison(below),
            1 => self.null_test(below),
            2 => self.between(below),
            3 => self.in_list(below),
            4 => format!("({} AND {})", self.condition(below), self.condition(below)),
            5 => format!("({} OR {})", self.condition(below), self.condition(below)),
            6 => format!("(NOT {})", self.condition(below)),
            7 => self.like(below),
            8 => self.exists(),
            9 => self.in_query(below),
            10 => self.truth(below),
            _ => {
                let test =
                    self.choices
                        .word(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"]);
                format!("(({}) {test})", self.condition(below))
            }
        }
    }

    /// A type whose values are compared.
    pub(super) fn comparable(&mut self) -> Ty {
        self.ty()
    }

    fn comparison(&mut self, depth: usize) -> String {
        let operator = self.choices.word(&["=", "<", ">", "<>", "<=", ">="]);
        let ty = self.comparable();
        if self.mixes_types && self.choices.one_in(12) {
            return self.mixed_comparison(ty, operator);
        }
        let other = match ty {
            Ty::Integer if self.choices.one_in(6) => Ty::Real,
            same => same,
        };
        let left = self.expr(ty, depth);
        let left = self.operand(left, ty);
        let right = self.expr(other, depth);
        let right = self.operand(right, other);
        if self.choices.one_in(8) {
            let operator = if self.is_sqlite() {
                self.choices.word(&["IS", "IS NOT"])
            } else {
                self.choices
                    .word(&["IS NOT DISTINCT FROM", "IS DISTINCT FROM"])
            };
            return format!("({left} {operator} {right})");
        }
        format!("({left} {operator} {right})")
    }

    /// Values of two types: SQLite's affinity decides, which is certain for stored columns and constants alone.
    fn mixed_comparison(&mut self, ty: Ty, operator: &str) -> String {
        let other = self.comparable();
        let (left, right) = (self.stored(ty), self.stored(other));
        format!("({left} {operator} {right})")
    }

    fn stored(&mut self, ty: Ty) -> String {
        let scopes = self.scopes.iter().flatten();
        let stored = scopes.filter(|column| column.is_stored && column.ty == ty);
        let stored: Vec<String> = stored.map(|column| column.sql.clone()).collect();
        match self.choices.pick(&stored) {
            Some(column) => column.clone(),
            None => self.literal(ty),
        }
    }

    fn null_test(&mut self, depth: usize) -> String {
        let ty = self.ty();
        let test = self.choices.word(&["IS NULL", "IS NOT NULL"]);
        format!("({} {test})", self.expr(ty, depth))
    }

    fn between(&mut self, depth: usize) -> String {
        let ty = self.comparable();
        let not = self.choices.word(&["", "NOT "]);
        let tested = self.expr(ty, depth);
        let tested = self.operand(tested, ty);
        let (least, most) = (self.expr(ty, 0), self.expr(ty, 0));
        let most = self.operand(most, ty);
        format!("({tested} {not}BETWEEN {least} AND {most})")
    }

    fn in_list(&mut self, depth: usize) -> String {
        let ty = self.comparable();
        let not = self.choices.word(&["", "NOT "]);
        let tested = self.expr(ty, depth);
        let tested = self.operand(tested, ty);
        let count = self.choices.between(1, 4);
        let list: Vec<String> = (0..count).map(|_| self.expr(ty, 0)).collect();
        format!("({tested} {not}IN ({}))", list.join(", "))
    }

    fn like(&mut self, depth: usize) -> String {
        const PATTERNS: &[&str] = &[
            "'a%'", "'%b'", "'_'", "'%'", "'A_'", "''", "'%a%'", "'a\\_b'",
        ];
        const GLOBS: &[&str] = &["'a*'", "'*b'", "'?'", "'[ab]*'", "'[^a]'"];
        let not = self.choices.word(&["", "NOT "]);
        let text = self.expr(Ty::Text, depth);
        if self.is_sqlite() && self.choices.one_in(3) {
            return format!("({text} {not}GLOB {})", self.choices.word(GLOBS));
        }
        format!("({text} {not}LIKE {})", self.choices.word(PATTERNS))
    }

    /// A value that is its own truth: a number in SQLite's dialect.
    fn truth(&mut self, depth: usize) -> String {
        if self.is_sqlite() {
            let ty = self.ty();
            return self.expr(ty, depth);
        }
        self.expr(Ty::Boolean, depth)
    }

    fn exists(&mut self) -> String {
        let not = self.choices.word(&["", "NOT "]);
        let query = self.subquery(&[Ty::Integer]);
        // SQLite forgets DISTINCT within EXISTS, also where OFFSET then passes over rows that are equal.
        let without = query.rsplit_once(" OFFSET ").filter(|(before, rows)| {
            before.contains("DISTINCT") && rows.bytes().all(|digit| digit.is_ascii_digit())
        });
        let query = without.map_or(query.as_str(), |(before, _)| before);
        format!("({not}EXISTS ({query}))")
    }

    fn in_query(&mut self, depth: usize) -> String {
        let ty = self.comparable();
        let not = self.choices.word(&["", "NOT "]);
        let tested = self.expr(ty, depth);
        let tested = self.operand(tested, ty);
        let query = self.subquery(&[ty]);
        format!("({tested} {not}IN ({query}))")
    }
}
