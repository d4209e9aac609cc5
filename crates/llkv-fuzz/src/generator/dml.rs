//! Statements that change rows, and transactions around them.

use super::{Column, Generator, Relation, RelationKind, Ty};

impl Generator<'_> {
    /// A change, then a look at the table that it changed.
    pub(super) fn change(&mut self) {
        let tables: Vec<Relation> = self
            .relations
            .iter()
            .filter(|relation| matches!(relation.kind, RelationKind::Table { .. }))
            .cloned()
            .collect();
        let Some(table) = self.choices.pick(&tables).cloned() else {
            return;
        };
        self.query_depth = 1;
        let sql = match self.choices.weighted(&[3, 3, 3, 1]) {
            0 => self.insert(&table),
            1 => self.update(&table),
            2 => self.delete(&table),
            _ => self.insert_query(&table),
        };
        let returning = match self.choices.one_in(4) {
            true => self.returning(&table),
            false => String::new(),
        };
        self.case.change(format!("{sql}{returning}"));
        self.case
            .compare(format!("SELECT * FROM {}", table.name), false);
    }

    /// BEGIN, COMMIT or ROLLBACK, whichever can be said now.
    pub(super) fn transaction(&mut self) {
        let sql = match (self.in_transaction, self.choices.one_in(2)) {
            (false, _) => "BEGIN",
            (true, false) => "COMMIT",
            (true, true) => "ROLLBACK",
        };
        self.in_transaction = !self.in_transaction;
        self.case.change(sql.to_owned());
    }

    /// Ends the transaction that is open.
    pub(super) fn end_transaction(&mut self) {
        if self.in_transaction {
            self.transaction();
        }
    }

    fn insert(&mut self, table: &Relation) -> String {
        let (verb, action) = self.on_conflict(table);
        // What a row replaces that came with it is counted in one database and not in the other.
        let most = if verb == "INSERT OR REPLACE" { 1 } else { 3 };
        let count = self.choices.between(1, most);
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            // A key that may be there already.
            let number = self.choices.between(0, 12);
            rows.push(self.row(table, number));
        }
        let rows = rows.join(", ");
        format!("{verb} INTO {} VALUES {rows}{action}", table.name)
    }

    fn on_conflict(&mut self, table: &Relation) -> (&'static str, String) {
        let RelationKind::Table { key: Some(key), .. } = &table.kind else {
            return ("INSERT", String::new());
        };
        let sqlite = u32::from(self.is_sqlite());
        let key = table
            .columns
            .get(*key)
            .map(|(name, _)| name.clone())
            .unwrap_or_default();
        match self.choices.weighted(&[3, sqlite, sqlite, 1, 1]) {
            0 => ("INSERT", String::new()),
            1 => ("INSERT OR REPLACE", String::new()),
            2 => ("INSERT OR IGNORE", String::new()),
            3 => ("INSERT", format!(" ON CONFLICT ({key}) DO NOTHING")),
            _ => match table.columns.get(1) {
                Some((column, _)) => (
                    "INSERT",
                    format!(" ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}"),
                ),
                None => ("INSERT", format!(" ON CONFLICT ({key}) DO NOTHING")),
            },
        }
    }

    fn insert_query(&mut self, table: &Relation) -> String {
        // A key made by a query would hit another key sooner or later, in an open order.
        if matches!(&table.kind, RelationKind::Table { key: Some(_), .. }) {
            return self.insert(table);
        }
        let types: Vec<Ty> = table.columns.iter().map(|(_, ty)| *ty).collect();
        let query = self.query(Some(&types));
        format!("INSERT INTO {} {}", table.name, query.sql)
    }

    fn update(&mut self, table: &Relation) -> String {
        self.scopes.push(columns_of(table));
        let RelationKind::Table { key, .. } = &table.kind else {
            return String::new();
        };
        // Rows of a changing key would meet one another in an open order.
        let changeable: Vec<&(String, Ty)> = table
            .columns
            .iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != *key)
            .map(|(_, column)| column)
            .collect();
        let mut sets = Vec::new();
        if let Some((name, ty)) = self.choices.pick(&changeable).copied().cloned() {
            let value = self.without(table, |this| this.expr(ty, 1));
            sets.push(format!("{name} = {value}"));
        } else if let Some((name, _)) = table.columns.first() {
            sets.push(format!("{name} = {name}"));
        }
        let sql = format!(
            "UPDATE {} SET {} WHERE {}",
            table.name,
            sets.join(", "),
            self.condition(2)
        );
        self.scopes.pop();
        sql
    }

    /// Makes something whose subqueries read neither a table nor a view, which may be of that table. What SET reads of the
    /// table itself is as it was before the statement; SQLite may read rows that the statement has changed already.
    fn without<R>(&mut self, table: &Relation, make: impl FnOnce(&mut Self) -> R) -> R {
        let (all, depth) = (self.relations.clone(), self.query_depth);
        let is_other = |other: &Relation| {
            matches!(other.kind, RelationKind::Table { .. }) && other.name != table.name
        };
        self.relations.retain(is_other);
        if self.relations.is_empty() {
            self.query_depth = 0;
        }
        let made = make(self);
        (self.relations, self.query_depth) = (all, depth);
        made
    }

    fn delete(&mut self, table: &Relation) -> String {
        self.scopes.push(columns_of(table));
        let sql = format!("DELETE FROM {} WHERE {}", table.name, self.condition(2));
        self.scopes.pop();
        sql
    }

    fn returning(&mut self, table: &Relation) -> String {
        let depth = std::mem::take(&mut self.query_depth);
        // SQLite gives back a REAL column's 2.0 as the integer 2 here.
        let mut columns = columns_of(table);
        columns.retain(|column| column.ty != Ty::Real);
        self.scopes.push(columns);
        let (items, _) = self.items(None);
        self.scopes.pop();
        self.query_depth = depth;
        format!(" RETURNING {items}")
    }
}

/// The columns of a table, by their qualified names.
fn columns_of(table: &Relation) -> Vec<Column> {
    let columns = table.columns.iter();
    let columns = columns.map(|(name, ty)| Column {
        sql: format!("{}.{name}", table.name),
        ty: *ty,
        is_aggregate: false,
        is_stored: true,
    });
    columns.collect()
}
