//! What a database is, without storage: tables, their constraints, their rows.

use crate::simulated::{Row, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A version of a row; a changed row is another one.
pub type Uid = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub is_text: bool,
    pub not_null: bool,
    pub default: Value,
    /// CHECK (column >= ...).
    pub at_least: Option<i128>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    Nothing,
    Cascade,
    SetNull,
}

/// FOREIGN KEY (column) REFERENCES parent: its first column is its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub column: String,
    pub parent: String,
    pub on_delete: OnDelete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub columns: Vec<String>,
    pub unique: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// No two tables ever have the same, whatever their names.
    pub id: u64,
    /// The first is the primary key where there is one.
    pub columns: Vec<Column>,
    pub has_key: bool,
    /// UNIQUE constraints, of one column each.
    pub unique: Vec<String>,
    pub references: Vec<Reference>,
    pub indexes: BTreeMap<String, Index>,
    pub rows: BTreeMap<Uid, Row>,
}

/// A change of a table that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alter {
    AddColumn(Column),
    DropColumn(String),
    RenameColumn(String, String),
    SetNotNull(String, bool),
    CreateIndex(String, Index),
    DropIndex(String),
}

/// All tables, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub tables: BTreeMap<String, Table>,
}

impl Table {
    pub fn position(&self, column: &str) -> usize {
        let found = self.columns.iter().position(|c| c.name == column);
        found.unwrap_or_else(|| panic!("no column {column} in {:?}", self.columns))
    }

    pub fn alter(&mut self, alter: &Alter) {
        match alter {
            Alter::AddColumn(column) => {
                let value = &column.default;
                self.rows
                    .values_mut()
                    .for_each(|row| row.push(value.clone()));
                self.columns.push(column.clone());
            }
            Alter::DropColumn(name) => {
                let at = self.position(name);
                self.columns.remove(at);
                self.rows.values_mut().for_each(|row| drop(row.remove(at)));
            }
            Alter::RenameColumn(from, to) => {
                let at = self.position(from);
                self.columns[at].name.clone_from(to);
                let references = self.references.iter_mut().map(|r| &mut r.column);
                let indexed = self
                    .indexes
                    .values_mut()
                    .flat_map(|index| &mut index.columns);
                for name in self.unique.iter_mut().chain(references).chain(indexed) {
                    if name == from {
                        name.clone_from(to);
                    }
                }
            }
            Alter::SetNotNull(name, not_null) => {
                let at = self.position(name);
                self.columns[at].not_null = *not_null;
            }
            Alter::CreateIndex(name, index) => {
                self.indexes.insert(name.clone(), index.clone());
            }
            Alter::DropIndex(name) => {
                self.indexes.remove(name);
            }
        }
    }

    /// False where a constraint or an index is about a column that is gone.
    pub fn has_all_columns(&self) -> bool {
        let indexed = self.indexes.values().flat_map(|index| &index.columns);
        let of_references = self.references.iter().map(|r| &r.column);
        let mut named = self.unique.iter().chain(indexed).chain(of_references);
        named.all(|name| self.columns.iter().any(|column| column.name == *name))
    }

    /// Columns whose values no two rows have in common, unless there is a NULL among them.
    pub fn keys(&self) -> Vec<Vec<usize>> {
        let primary = self.has_key.then(|| vec![0]);
        let unique = self.unique.iter().map(|name| vec![self.position(name)]);
        let indexes = self.indexes.values().filter(|index| index.unique);
        let indexes = indexes.map(|index| index.columns.iter().map(|c| self.position(c)).collect());
        primary.into_iter().chain(unique).chain(indexes).collect()
    }

    pub fn is_used(&self, column: &str) -> bool {
        let is_it = |name: &String| name == column;
        let mut indexed = self.indexes.values().flat_map(|index| &index.columns);
        (self.has_key && self.columns[0].name == column)
            || self.unique.iter().any(is_it)
            || self.references.iter().any(|r| r.column == column)
            || indexed.any(is_it)
    }

    /// What a row breaks by itself.
    pub fn check_row(&self, row: &Row) -> Result<(), String> {
        for (column, value) in self.columns.iter().zip(row) {
            if *value == Value::Null && column.not_null {
                return Err(format!("a NULL in {}", column.name));
            }
            if let (Some(least), Value::Int(value)) = (column.at_least, value)
                && *value < least
            {
                return Err(format!("{value} in {}", column.name));
            }
        }
        Ok(())
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let mut rows = self.rows.values();
        rows.try_for_each(|row| self.check_row(row))?;
        for key in self.keys() {
            let mut known = BTreeSet::new();
            for row in self.rows.values() {
                let values: Vec<&Value> = key.iter().map(|at| &row[*at]).collect();
                if !values.contains(&&Value::Null) && !known.insert(values.clone()) {
                    return Err(format!("{name}: {values:?} twice"));
                }
            }
        }
        Ok(())
    }
}

impl State {
    /// Every constraint holds.
    pub fn check(&self) -> Result<(), String> {
        for (name, table) in &self.tables {
            table.check(name)?;
            for reference in &table.references {
                let Some(parent) = self.tables.get(&reference.parent) else {
                    return Err(format!(
                        "{name} refers to {}, which is gone",
                        reference.parent
                    ));
                };
                let keys: BTreeSet<&Value> = parent.rows.values().map(|row| &row[0]).collect();
                let at = table.position(&reference.column);
                let mut values = table.rows.values().map(|row| &row[at]);
                let missing = values.find(|value| **value != Value::Null && !keys.contains(value));
                if let Some(missing) = missing {
                    return Err(format!(
                        "{name}: {missing:?} is not in {}",
                        reference.parent
                    ));
                }
            }
        }
        Ok(())
    }

    /// Tables that refer to another one.
    pub fn children(&self, parent: &str) -> Vec<String> {
        let children = self.tables.iter();
        let children = children.filter(|(_, t)| t.references.iter().any(|r| r.parent == parent));
        children.map(|(name, _)| name.clone()).collect()
    }

    /// Does what foreign keys do about rows that are gone, and to what refers to those in turn.
    pub fn cascade(&mut self, uids: &mut Uid) {
        loop {
            let mut changed = false;
            let names: Vec<String> = self.tables.keys().cloned().collect();
            for name in names {
                for reference in self.tables[&name].references.clone() {
                    changed |= self.cascade_one(&name, &reference, uids);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn cascade_one(&mut self, name: &str, reference: &Reference, uids: &mut Uid) -> bool {
        if reference.on_delete == OnDelete::Nothing {
            return false;
        }
        let parent = &self.tables[&reference.parent];
        let keys: BTreeSet<Value> = parent.rows.values().map(|row| row[0].clone()).collect();
        let table = self.tables.get_mut(name).unwrap();
        let at = table.position(&reference.column);
        let dangles = |row: &Row| row[at] != Value::Null && !keys.contains(&row[at]);
        let dangling: Vec<Uid> = table
            .rows
            .iter()
            .filter(|(_, row)| dangles(row))
            .map(|(uid, _)| *uid)
            .collect();
        for uid in &dangling {
            let mut row = table.rows.remove(uid).unwrap();
            if reference.on_delete == OnDelete::SetNull {
                row[at] = Value::Null;
                *uids += 1;
                table.rows.insert(*uids, row);
            }
        }
        !dangling.is_empty()
    }

    /// The versions that are in this state and not in another, by the ids of their tables.
    pub fn rows_beyond(&self, other: &Self) -> BTreeSet<(u64, Uid)> {
        let mut rows = self.uids();
        let others = other.uids();
        rows.retain(|row| !others.contains(row));
        rows
    }

    pub fn table_ids(&self) -> BTreeSet<u64> {
        self.tables.values().map(|table| table.id).collect()
    }

    pub fn uids(&self) -> BTreeSet<(u64, Uid)> {
        let tables = self.tables.values();
        let rows = tables.flat_map(|table| table.rows.keys().map(|uid| (table.id, *uid)));
        rows.collect()
    }
}
