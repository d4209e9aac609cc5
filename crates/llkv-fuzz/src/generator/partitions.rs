//! Pairs of queries that must give the same rows.
//!
//! Ternary logic partitioning: Rigger and Su, "Finding bugs in database systems via query partitioning" (2020).
//! NoREC: Rigger and Su, "Detecting optimization bugs in database engines via non-optimizing reference engine
//! construction" (2020).

use super::{Column, Generator, Ty};

/// Constants of one folded expression.
const CONSTANTS: usize = 4;

impl Generator<'_> {
    /// A pair of one of the kinds.
    pub(super) fn pair(&mut self) {
        self.query_depth = 1;
        match self.choices.weighted(&[3, 2, 2, 2, 3, 3]) {
            0 => self.partitioned_where(),
            1 => self.partitioned_distinct(),
            2 => self.partitioned_having(),
            3 => self.partitioned_aggregate(),
            4 => self.counted(),
            _ => self.folded(),
        }
    }

    /// The three conditions of which exactly one holds for each row.
    fn three(condition: &str) -> [String; 3] {
        [
            condition.to_owned(),
            format!("NOT ({condition})"),
            format!("({condition}) IS NULL"),
        ]
    }

    fn partitioned_where(&mut self) {
        let from = self.from();
        self.scopes.push(from.columns);
        let (items, _) = self.items(None);
        let condition = self.condition(2);
        self.scopes.pop();
        let from = from.sql;
        let parts = Self::three(&condition)
            .map(|condition| format!("SELECT {items} FROM {from} WHERE {condition}"));
        let whole = format!("SELECT {items} FROM {from}");
        self.case
            .same("partition by WHERE", whole, parts.join(" UNION ALL "));
    }

    fn partitioned_distinct(&mut self) {
        let from = self.from();
        self.scopes.push(from.columns);
        let types = self.plain_types();
        let (items, _) = self.items(Some(&types));
        let condition = self.condition(2);
        self.scopes.pop();
        let from = from.sql;
        let parts = Self::three(&condition)
            .map(|condition| format!("SELECT DISTINCT {items} FROM {from} WHERE {condition}"));
        let whole = format!("SELECT DISTINCT {items} FROM {from}");
        self.case
            .same("partition by DISTINCT", whole, parts.join(" UNION "));
    }

    fn partitioned_having(&mut self) {
        let from = self.from();
        self.scopes.push(from.columns);
        let (keys, group_by) = self.group_keys();
        if keys.is_empty() {
            // HAVING alone would make a group where there was none.
            self.scopes.pop();
            return;
        }
        let mut sight = self.aggregates();
        sight.extend(keys);
        let types: Vec<Ty> = sight.iter().map(|column| column.ty).collect();
        let outer = self.replace_scope(sight);
        let (items, _) = self.items(Some(&types));
        let condition = self.condition(1);
        self.replace_scope(outer);
        self.scopes.pop();
        let from = from.sql;
        let parts = Self::three(&condition)
            .map(|condition| format!("SELECT {items} FROM {from}{group_by} HAVING {condition}"));
        let whole = format!("SELECT {items} FROM {from}{group_by}");
        self.case
            .same("partition by HAVING", whole, parts.join(" UNION ALL "));
    }

    fn partitioned_aggregate(&mut self) {
        let from = self.from();
        self.scopes.push(from.columns);
        let types = self.plain_types();
        // The extremes of the parts would be compared without the collation.
        let ty = types
            .first()
            .filter(|ty| **ty != Ty::Text || !self.collates);
        let ty = ty.copied().unwrap_or(Ty::Integer);
        let (inner, outer, ty) = match self.choices.weighted(&[2, 2, 2, 1]) {
            0 => ("min", "min", ty),
            1 => ("max", "max", ty),
            2 => ("count", "sum", ty),
            _ => ("sum", "sum", Ty::Real),
        };
        let argument = self.plain(ty);
        let condition = self.condition(2);
        self.scopes.pop();
        let from = from.sql;
        let parts = Self::three(&condition).map(|condition| {
            format!("SELECT {inner}({argument}) AS m FROM {from} WHERE {condition}")
        });
        let whole = format!("SELECT {inner}({argument}) FROM {from}");
        let cast = match (inner, self.is_sqlite()) {
            ("count", false) => "CAST(sum(m) AS BIGINT)".to_owned(),
            _ => format!("{outer}(m)"),
        };
        let parts = format!("SELECT {cast} FROM ({}) AS p", parts.join(" UNION ALL "));
        self.case.same("partition by aggregate", whole, parts);
    }

    /// Types whose equal values are one value, and which `min` takes.
    fn plain_types(&mut self) -> Vec<Ty> {
        let count = self.choices.between(1, 2);
        (0..count)
            .map(|_| match self.ty() {
                Ty::Any | Ty::Boolean => Ty::Integer,
                ty => ty,
            })
            .collect()
    }

    /// NoREC: rows that a filter lets through, against rows for which the same condition is true.
    fn counted(&mut self) {
        let from = self.from();
        self.scopes.push(from.columns);
        let condition = self.condition(3);
        self.scopes.pop();
        let from = from.sql;
        let filtered = format!("SELECT count(*) FROM {from} WHERE {condition}");
        let counted = format!("SELECT count(CASE WHEN {condition} THEN 1 END) FROM {from}");
        self.case.same("filter against flag", filtered, counted);
    }

    /// The same expression over constants and over columns that hold them.
    fn folded(&mut self) {
        let mut columns = Vec::new();
        let mut constants = Vec::new();
        for number in 0..CONSTANTS {
            let ty = match self.ty() {
                // Its values would get a type of their own only in a column.
                Ty::Any => Ty::Integer,
                ty => ty,
            };
            constants.push((self.literal(ty), ty));
            columns.push(Column {
                sql: format!("k.c{number}"),
                ty,
                is_aggregate: false,
                is_stored: true,
            });
        }
        let depth = std::mem::take(&mut self.query_depth);
        let relations = std::mem::take(&mut self.relations);
        self.scopes.push(columns);
        let mixes = self.mixes_types;
        self.mixes_types = false;
        let ty = self.ty();
        let expression = self.expr(ty, 3);
        self.mixes_types = mixes;
        self.scopes.pop();
        self.relations = relations;
        self.query_depth = depth;
        self.folded_pair(&constants, &expression);
    }

    fn folded_pair(&mut self, constants: &[(String, Ty)], expression: &str) {
        let mut constant = expression.to_owned();
        let mut definitions = Vec::new();
        let mut values = Vec::new();
        for (number, (value, ty)) in constants.iter().enumerate() {
            constant = constant.replace(&format!("k.c{number}"), value);
            definitions.push(format!("c{number} {}", self.type_name(*ty)));
            values.push(value.clone());
        }
        let name = self.fresh("k");
        self.case
            .setup(format!("CREATE TABLE {name} ({})", definitions.join(", ")));
        self.case
            .setup(format!("INSERT INTO {name} VALUES ({})", values.join(", ")));
        let evaluated = format!("SELECT {expression} FROM {name} AS k");
        self.case.same(
            "constant against column",
            format!("SELECT {constant}"),
            evaluated,
        );
        self.case.setup(format!("DROP TABLE {name}"));
    }
}
