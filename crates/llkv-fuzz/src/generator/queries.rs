//! Queries: one SELECT, set operations of several, ORDER BY and LIMIT over all.

use super::{Column, Generator, Relation, RelationKind, Ty};

/// A query.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) types: Vec<Ty>,
    /// ORDER BY leaves no two different rows in an open order.
    pub(super) is_ordered: bool,
}

/// Levels of the expressions of a SELECT.
const DEPTH: usize = 2;

impl Generator<'_> {
    /// A query at the top of a statement, with common table expressions now and then.
    pub(super) fn top_query(&mut self) -> Query {
        self.query_depth = 2;
        if !self.choices.one_in(8) {
            return self.shown_query();
        }
        let known = self.relations.len();
        let mut with = Vec::new();
        for _ in 0..self.choices.between(1, 2) {
            let query = self.query(None);
            let name = self.fresh("w");
            with.push(format!("{name} AS ({})", query.sql));
            let columns = query.types.iter().enumerate();
            self.relations.push(Relation {
                name,
                columns: columns.map(|(i, ty)| (format!("x{i}"), *ty)).collect(),
                kind: RelationKind::Common,
                is_large: true,
            });
        }
        let mut query = self.shown_query();
        self.relations.truncate(known);
        query.sql = format!("WITH {} {}", with.join(", "), query.sql);
        query
    }

    /// The query of a statement.
    fn shown_query(&mut self) -> Query {
        self.is_shown = true;
        let query = self.query(None);
        self.is_shown = false;
        query
    }

    /// A query, of the given types where there are some.
    pub(super) fn query(&mut self, types: Option<&[Ty]>) -> Query {
        self.part(|this| this.query_inner(types))
    }

    fn query_inner(&mut self, types: Option<&[Ty]>) -> Query {
        let (mut sql, types) = self.select(types);
        let operations = self.choices.weighted(&[8, 2, 1]);
        for _ in 0..operations {
            let operator = self
                .choices
                .word(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
            let operator = match self.may_choose(&types) {
                true => operator,
                false => "UNION ALL",
            };
            let (right, _) = self.select(Some(&types));
            sql = format!("{sql} {operator} {right}");
        }
        let is_ordered = self.choices.one_in(3);
        if is_ordered {
            sql = format!("{sql} ORDER BY {}", self.order(types.len()));
            // Values that are equal and yet of two types may stand in either order.
            let may_choose = self.may_choose(&types) && !types.contains(&Ty::Any);
            if may_choose && self.choices.one_in(2) {
                let limit = self.choices.word(&["1", "2", "3", "10", "0"]);
                sql = format!("{sql} LIMIT {limit}");
                if self.choices.one_in(2) {
                    sql = format!("{sql} OFFSET {}", self.choices.word(&["1", "2", "0", "20"]));
                }
            }
        }
        let is_ordered = is_ordered && !types.contains(&Ty::Any);
        Query {
            sql,
            types,
            is_ordered,
        }
    }

    /// All columns, each in a direction of its own.
    fn order(&mut self, width: usize) -> String {
        let keys: Vec<String> = (1..=width)
            .map(|position| {
                let direction = self.choices.word(&["", " DESC"]);
                let nulls = match self.choices.one_in(6) {
                    true => self.choices.word(&[" NULLS FIRST", " NULLS LAST"]),
                    false => "",
                };
                format!("{position}{direction}{nulls}")
            })
            .collect();
        keys.join(", ")
    }

    /// One SELECT with its columns named `x0`, `x1` and so on.
    fn select(&mut self, types: Option<&[Ty]>) -> (String, Vec<Ty>) {
        self.part(|this| {
            let from = this.from();
            this.scopes.push(from.columns);
            let filter = match this.choices.one_in(3) {
                true => String::new(),
                false => format!(" WHERE {}", this.condition(DEPTH)),
            };
            let selected = match this.choices.one_in(4) {
                true => this.grouped(&from.sql, &filter, types),
                false => this.plain_select(&from.sql, &filter, types),
            };
            this.scopes.pop();
            selected
        })
    }

    fn plain_select(
        &mut self,
        from: &str,
        filter: &str,
        types: Option<&[Ty]>,
    ) -> (String, Vec<Ty>) {
        let (items, types) = self.items(types);
        let distinct = match self.choices.one_in(5) {
            true if self.may_choose(&types) => "DISTINCT ",
            _ => "",
        };
        (
            format!("SELECT {distinct}{items} FROM {from}{filter}"),
            types,
        )
    }

    /// The columns of a SELECT over what is in sight.
    pub(super) fn items(&mut self, types: Option<&[Ty]>) -> (String, Vec<Ty>) {
        let types = match types {
            Some(types) => types.to_vec(),
            None => (0..self.choices.between(1, 3)).map(|_| self.ty()).collect(),
        };
        let items: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(index, ty)| format!("{} AS x{index}", self.expr(*ty, DEPTH)))
            .collect();
        (items.join(", "), types)
    }

    /// SELECT with GROUP BY, or of one group without it.
    fn grouped(&mut self, from: &str, filter: &str, types: Option<&[Ty]>) -> (String, Vec<Ty>) {
        let (keys, group_by) = self.group_keys();
        let mut sight = self.aggregates();
        sight.extend(keys);
        let outer = self.replace_scope(sight.clone());
        let types = match types {
            Some(types) => types.to_vec(),
            None => sight.iter().map(|column| column.ty).collect(),
        };
        let (items, types) = self.items(Some(&types));
        let having = match self.choices.one_in(3) {
            true => format!(" HAVING {}", self.condition(1)),
            false => String::new(),
        };
        self.replace_scope(outer);
        (
            format!("SELECT {items} FROM {from}{filter}{group_by}{having}"),
            types,
        )
    }

    /// Columns to group by, and the clause.
    pub(super) fn group_keys(&mut self) -> (Vec<Column>, String) {
        let scope = self.scopes.last().cloned().unwrap_or_default();
        // One group's HAVING without GROUP BY is a part of the language too.
        let count = self.choices.weighted(&[1, 3, 2]);
        let mut keys: Vec<Column> = Vec::new();
        for _ in 0..count {
            if let Some(column) = self.choices.pick(&scope)
                && keys.iter().all(|key| key.sql != column.sql)
            {
                keys.push(column.clone());
            }
        }
        if keys.is_empty() {
            return (keys, String::new());
        }
        let names: Vec<&str> = keys.iter().map(|key| key.sql.as_str()).collect();
        let clause = format!(" GROUP BY {}", names.join(", "));
        for key in &mut keys {
            key.sql = self.one_for_all(std::mem::take(&mut key.sql), key.ty);
        }
        (keys, clause)
    }

    /// Puts other columns in the place of the innermost query's.
    pub(super) fn replace_scope(&mut self, columns: Vec<Column>) -> Vec<Column> {
        match self.scopes.last_mut() {
            Some(scope) => std::mem::replace(scope, columns),
            None => {
                self.scopes.push(columns);
                Vec::new()
            }
        }
    }

    /// A query inside an expression, which may name columns around it.
    pub(super) fn subquery(&mut self, types: &[Ty]) -> String {
        let depth = self.query_depth;
        self.query_depth = depth.saturating_sub(1);
        let query = self.query(Some(types));
        self.query_depth = depth;
        query.sql
    }

    /// A subquery of exactly one row.
    pub(super) fn scalar_subquery(&mut self, ty: Ty) -> String {
        let depth = self.query_depth;
        self.query_depth = depth.saturating_sub(1);
        let sql = self.part(|this| {
            let from = this.from();
            this.scopes.push(from.columns);
            let filter = match this.choices.one_in(4) {
                true => String::new(),
                false => format!(" WHERE {}", this.condition(1)),
            };
            let argument = this.plain(ty);
            this.scopes.pop();
            let call = match ty {
                Ty::Boolean => format!("count({argument}) > 1"),
                Ty::Integer if this.choices.one_in(3) => format!("count({argument})"),
                _ => {
                    let call = format!("{}({argument})", this.choices.word(&["min", "max"]));
                    this.one_for_all(call, ty)
                }
            };
            format!("(SELECT {call} FROM {}{filter})", from.sql)
        });
        self.query_depth = depth;
        sql
    }
}
