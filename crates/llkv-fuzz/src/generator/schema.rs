//! Tables, their rows, indexes and views.

use super::{Generator, Relation, RelationKind, Ty};

/// Rows of a large table: more than an index takes to be worth its while.
const LARGE_ROWS: usize = 600;
/// Rows of another.
const MAX_FEW_ROWS: usize = 10;
/// Rows of one INSERT into a large table.
const INSERT_ROWS: usize = 200;

/// What columns may be declared as that take values of any type. Not REAL: SQLite shows its 2.0 as 2 in places.
const DECLARED: &[&str] = &["", "", "INTEGER", "TEXT", "BLOB", "NUMERIC"];

impl Generator<'_> {
    /// One to three tables with rows, indexes on them, a view now and then.
    pub(super) fn schema(&mut self) {
        self.decide_collations();
        let tables = self.choices.between(1, 3);
        let large = self
            .choices
            .one_in(8)
            .then(|| self.choices.between(0, tables - 1));
        for index in 0..tables {
            self.part(|this| this.table(index, large == Some(index)));
        }
        for index in 0..self.choices.between(0, 2) {
            self.part(|this| this.index(index));
        }
        if self.choices.one_in(3) {
            self.part(Self::view);
        }
    }

    fn table(&mut self, number: usize, is_large: bool) {
        let name = format!("t{number}");
        let width = self.choices.between(1, 4);
        let mut columns = Vec::with_capacity(width);
        let mut definitions = Vec::with_capacity(width);
        let mut not_null = Vec::with_capacity(width);
        let key = self.choices.one_in(3);
        for index in 0..width {
            let ty = match index == 0 && key {
                true if self.collates && self.choices.one_in(2) => Ty::Text,
                true => Ty::Integer,
                false => self.ty(),
            };
            let column = format!("c{index}");
            let declared = match ty {
                Ty::Any => self.choices.word(DECLARED),
                ty => self.type_name(ty),
            };
            let collation = self.column_collation(ty);
            let mut definition = format!("{column} {declared}{collation}");
            if index == 0 && key {
                definition.push_str(self.choices.word(&[" PRIMARY KEY", " UNIQUE"]));
            } else if self.choices.one_in(8) {
                definition.push_str(" NOT NULL");
            }
            not_null.push(definition.ends_with("NOT NULL") || definition.ends_with("KEY"));
            columns.push((column, ty));
            definitions.push(definition.trim_end().to_owned());
        }
        self.case
            .setup(format!("CREATE TABLE {name} ({})", definitions.join(", ")));
        let relation = Relation {
            name,
            columns,
            kind: RelationKind::Table {
                key: key.then_some(0),
                not_null,
            },
            is_large,
        };
        match is_large {
            true => self.many_rows(&relation),
            false => self.few_rows(&relation),
        }
        self.relations.push(relation);
    }

    fn few_rows(&mut self, relation: &Relation) {
        let mut rows = Vec::new();
        self.repeat(MAX_FEW_ROWS, 8, |this, number| {
            rows.push(this.row(relation, number))
        });
        if !rows.is_empty() {
            let rows = rows.join(", ");
            // Texts of a key may be equal.
            let verb = match self.collates {
                true => "INSERT OR IGNORE",
                false => "INSERT",
            };
            self.case
                .setup(format!("{verb} INTO {} VALUES {rows}", relation.name));
        }
    }

    /// A row whose key is the number.
    pub(super) fn row(&mut self, relation: &Relation, number: usize) -> String {
        let RelationKind::Table { key, not_null } = &relation.kind else {
            return String::new();
        };
        let values: Vec<String> = relation
            .columns
            .iter()
            .enumerate()
            .map(|(index, (_, ty))| match *key == Some(index) {
                true if *ty == Ty::Text => self.value(*ty),
                true => number.to_string(),
                false if not_null.get(index) == Some(&true) => self.value(*ty),
                false => self.literal(*ty),
            })
            .collect();
        format!("({})", values.join(", "))
    }

    /// Rows by a formula: few decisions make all of them.
    fn many_rows(&mut self, relation: &Relation) {
        let RelationKind::Table { key, not_null } = &relation.kind else {
            return;
        };
        let mut patterns = Vec::new();
        for (index, (_, ty)) in relation.columns.iter().enumerate() {
            let repeats = self.choices.word(&["3", "17", "200", "1000"]);
            let repeats = repeats.parse::<usize>().unwrap_or(1);
            let may_be_null = not_null.get(index) != Some(&true) && self.choices.one_in(2);
            let values: Vec<String> = (0..8).map(|_| self.value(*ty)).collect();
            patterns.push((*ty, repeats, may_be_null, values));
        }
        let value = |index: usize, row: usize| {
            let Some((ty, repeats, may_be_null, values)) = patterns.get(index) else {
                return "NULL".to_owned();
            };
            if *key == Some(index) && *ty == Ty::Text {
                return format!("'K{row}'");
            }
            if *key == Some(index) {
                return row.to_string();
            }
            // A number that walks through its range in no order.
            let mixed = row * 7_919 % repeats;
            if *may_be_null && mixed % 11 == 3 {
                return "NULL".to_owned();
            }
            match ty {
                Ty::Integer => format!("{}", mixed as i64 - 20),
                Ty::Text => format!("'k{mixed}'"),
                _ => values
                    .get(mixed % values.len().max(1))
                    .cloned()
                    .unwrap_or_default(),
            }
        };
        for first in (0..LARGE_ROWS).step_by(INSERT_ROWS) {
            let rows: Vec<String> = (first..first + INSERT_ROWS)
                .map(|row| {
                    let values: Vec<String> = (0..relation.columns.len())
                        .map(|index| value(index, row))
                        .collect();
                    format!("({})", values.join(", "))
                })
                .collect();
            let rows = rows.join(", ");
            self.case
                .setup(format!("INSERT INTO {} VALUES {rows}", relation.name));
        }
    }

    fn index(&mut self, number: usize) {
        let Some(relation) = self.choices.pick(&self.relations).cloned() else {
            return;
        };
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..self.choices.between(1, 2) {
            if let Some((column, ty)) = self.choices.pick(&relation.columns).cloned()
                && keys.iter().all(|key| !key.starts_with(&column))
            {
                let direction = self.choices.word(&["", " DESC"]);
                let collation = self.column_collation(ty);
                keys.push(format!("{column}{collation}{direction}"));
            }
        }
        let (table, keys) = (&relation.name, keys.join(", "));
        self.case
            .setup(format!("CREATE INDEX i{number} ON {table} ({keys})"));
    }

    fn view(&mut self) {
        self.query_depth = 1;
        let query = self.query(None);
        let name = self.fresh("v");
        self.case
            .setup(format!("CREATE VIEW {name} AS {}", query.sql));
        let columns = query.types.iter().enumerate();
        self.relations.push(Relation {
            name,
            columns: columns.map(|(i, ty)| (format!("x{i}"), *ty)).collect(),
            kind: RelationKind::View,
            is_large: true,
        });
    }
}
