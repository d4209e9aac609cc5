//! Statements: made up at random, written as SQL, and what each does to the model.

use crate::model::{Alter, Column, Index, OnDelete, Reference, State, Table, Uid};
use crate::simulated::{Chance, Row, Value};

#[derive(Debug, Clone)]
pub enum Statement {
    Insert {
        table: String,
        rows: Vec<Row>,
        on_conflict: OnConflict,
    },
    Update {
        table: String,
        column: String,
        set: Set,
        filter: Filter,
    },
    Delete {
        table: String,
        filter: Filter,
    },
    Select {
        table: String,
        filter: Filter,
    },
    /// count(*), count, min, max, sum of a column.
    Aggregate {
        table: String,
        column: String,
        filter: Filter,
    },
    /// Each row of a table with the row that it refers to.
    Join {
        child: String,
        reference: Reference,
    },
    Create {
        name: String,
        table: Table,
    },
    Drop {
        name: String,
    },
    Alter {
        table: String,
        alter: Alter,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnConflict {
    Fail,
    Nothing,
    /// Of the primary key: takes the new row's value of a column.
    Update(String),
}

#[derive(Debug, Clone)]
pub enum Set {
    Plus(i128),
    To(Value),
}

#[derive(Debug, Clone)]
pub enum Filter {
    All,
    Between(String, i128, i128),
    Is(String, Value),
    IsNull(String),
}

/// What a statement must give: rows, how many were changed, or a constraint's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Rows(Vec<Row>),
    Changed(u64),
    Done,
    Refused,
}

const WORDS: [&str; 6] = ["ash", "beech", "cedar", "elm", "fir", "oak"];

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => format!("'{text}'"),
    }
}

fn definition(column: &Column) -> String {
    let ty = if column.is_text { "TEXT" } else { "BIGINT" };
    let mut text = format!("{} {ty}", column.name);
    if column.default != Value::Null {
        text += &format!(" DEFAULT {}", literal(&column.default));
    }
    if column.not_null {
        text += " NOT NULL";
    }
    if let Some(least) = column.at_least {
        text += &format!(" CHECK ({} >= {least})", column.name);
    }
    text
}

impl Filter {
    fn sql(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Between(column, low, high) => {
                format!(" WHERE {column} BETWEEN {low} AND {high}")
            }
            Self::Is(column, value) => format!(" WHERE {column} = {}", literal(value)),
            Self::IsNull(column) => format!(" WHERE {column} IS NULL"),
        }
    }

    fn matches(&self, table: &Table, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Between(column, low, high) => match row[table.position(column)] {
                Value::Int(value) => (*low..=*high).contains(&value),
                _ => false,
            },
            Self::Is(_, Value::Null) => false,
            Self::Is(column, value) => row[table.position(column)] == *value,
            Self::IsNull(column) => row[table.position(column)] == Value::Null,
        }
    }
}

impl Statement {
    pub fn sql(&self) -> String {
        match self {
            Self::Insert {
                table,
                rows,
                on_conflict,
            } => {
                let row = |row: &Row| {
                    let values: Vec<String> = row.iter().map(literal).collect();
                    format!("({})", values.join(", "))
                };
                let rows: Vec<String> = rows.iter().map(row).collect();
                let then = match on_conflict {
                    OnConflict::Fail => String::new(),
                    OnConflict::Nothing => " ON CONFLICT DO NOTHING".to_owned(),
                    OnConflict::Update(column) => {
                        format!(" ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column}")
                    }
                };
                format!("INSERT INTO {table} VALUES {}{then}", rows.join(", "))
            }
            Self::Update {
                table,
                column,
                set,
                filter,
            } => {
                let value = match set {
                    Set::Plus(by) => format!("{column} + {by}"),
                    Set::To(value) => literal(value),
                };
                format!("UPDATE {table} SET {column} = {value}{}", filter.sql())
            }
            Self::Delete { table, filter } => format!("DELETE FROM {table}{}", filter.sql()),
            Self::Select { table, filter } => format!("SELECT * FROM {table}{}", filter.sql()),
            Self::Aggregate {
                table,
                column: c,
                filter,
            } => format!(
                "SELECT count(*), count({c}), min({c}), max({c}), sum({c}) FROM {table}{}",
                filter.sql()
            ),
            Self::Join { child, reference } => format!(
                "SELECT c.{1}, p.id FROM {0} c JOIN {2} p ON c.{1} = p.id",
                child, reference.column, reference.parent
            ),
            Self::Create { name, table } => create(name, table),
            Self::Drop { name } => format!("DROP TABLE {name}"),
            Self::Alter { table, alter } => match alter {
                Alter::AddColumn(column) => {
                    format!("ALTER TABLE {table} ADD COLUMN {}", definition(column))
                }
                Alter::DropColumn(name) => format!("ALTER TABLE {table} DROP COLUMN {name}"),
                Alter::RenameColumn(from, to) => {
                    format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}")
                }
                Alter::SetNotNull(name, not_null) => {
                    let how = if *not_null { "SET" } else { "DROP" };
                    format!("ALTER TABLE {table} ALTER COLUMN {name} {how} NOT NULL")
                }
                Alter::CreateIndex(name, index) => {
                    let unique = if index.unique { "UNIQUE " } else { "" };
                    let columns = index.columns.join(", ");
                    format!("CREATE {unique}INDEX {name} ON {table} ({columns})")
                }
                Alter::DropIndex(name) => format!("DROP INDEX {name}"),
            },
        }
    }
}

fn create(name: &str, table: &Table) -> String {
    let mut parts: Vec<String> = table.columns.iter().map(definition).collect();
    if table.has_key {
        parts.push(format!("PRIMARY KEY ({})", table.columns[0].name));
    }
    parts.extend(
        table
            .unique
            .iter()
            .map(|column| format!("UNIQUE ({column})")),
    );
    for reference in &table.references {
        let then = match reference.on_delete {
            OnDelete::Nothing => "",
            OnDelete::Cascade => " ON DELETE CASCADE",
            OnDelete::SetNull => " ON DELETE SET NULL",
        };
        parts.push(format!(
            "FOREIGN KEY ({}) REFERENCES {}{then}",
            reference.column, reference.parent
        ));
    }
    format!("CREATE TABLE {name} ({})", parts.join(", "))
}

impl State {
    /// Does what the statement does, or nothing where a constraint refuses it.
    pub fn run(&mut self, statement: &Statement, uids: &mut Uid) -> Answer {
        let mut next = self.clone();
        let answer = next.change(statement, uids);
        if answer == Answer::Refused || next.check().is_err() {
            return Answer::Refused;
        }
        *self = next;
        answer
    }

    fn change(&mut self, statement: &Statement, uids: &mut Uid) -> Answer {
        match statement {
            Statement::Insert {
                table,
                rows,
                on_conflict,
            } => self.insert(table, rows, on_conflict, uids),
            Statement::Update {
                table,
                column,
                set,
                filter,
            } => {
                let table = self.tables.get_mut(table).unwrap();
                let at = table.position(column);
                let old = matching(table, filter);
                for uid in &old {
                    let mut row = table.rows.remove(uid).unwrap();
                    row[at] = match (set, &row[at]) {
                        (Set::To(value), _) => value.clone(),
                        (Set::Plus(by), Value::Int(value)) => Value::Int(value + by),
                        (Set::Plus(_), other) => other.clone(),
                    };
                    *uids += 1;
                    table.rows.insert(*uids, row);
                }
                Answer::Changed(old.len() as u64)
            }
            Statement::Delete { table, filter } => {
                let table = self.tables.get_mut(table).unwrap();
                let old = matching(table, filter);
                old.iter().for_each(|uid| drop(table.rows.remove(uid)));
                self.cascade(uids);
                Answer::Changed(old.len() as u64)
            }
            Statement::Select { .. } | Statement::Aggregate { .. } | Statement::Join { .. } => {
                Answer::Rows(self.look(statement))
            }
            Statement::Create { name, table } => {
                self.tables.insert(name.clone(), table.clone());
                Answer::Done
            }
            Statement::Drop { name } => {
                self.tables.remove(name);
                Answer::Done
            }
            Statement::Alter { table, alter } => {
                self.tables.get_mut(table).unwrap().alter(alter);
                Answer::Done
            }
        }
    }

    fn insert(
        &mut self,
        table: &str,
        rows: &[Row],
        on_conflict: &OnConflict,
        uids: &mut Uid,
    ) -> Answer {
        let table = self.tables.get_mut(table).unwrap();
        let mut changed = 0;
        if rows.iter().any(|row| table.check_row(row).is_err()) {
            // Also a row that a conflict would keep away.
            return Answer::Refused;
        }
        for row in rows {
            let in_the_way = |key: &Vec<usize>, other: &Row| {
                key.iter()
                    .all(|at| row[*at] != Value::Null && row[*at] == other[*at])
            };
            let keys = match on_conflict {
                OnConflict::Fail => Vec::new(),
                OnConflict::Nothing => table.keys(),
                OnConflict::Update(_) => vec![vec![0]],
            };
            let mut others = table.rows.iter();
            let other = others.find(|(_, other)| keys.iter().any(|key| in_the_way(key, other)));
            let other = other.map(|(uid, _)| *uid);
            let new = match (other, on_conflict) {
                (Some(uid), OnConflict::Update(column)) => {
                    let at = table.position(column);
                    let mut old = table.rows.remove(&uid).unwrap();
                    old[at] = row[at].clone();
                    old
                }
                (Some(_), _) => continue,
                (None, _) => row.clone(),
            };
            changed += 1;
            *uids += 1;
            table.rows.insert(*uids, new);
        }
        Answer::Changed(changed)
    }

    fn look(&self, statement: &Statement) -> Vec<Row> {
        let mut rows = match statement {
            Statement::Select { table, filter } => {
                let table = &self.tables[table];
                let rows = matching(table, filter).into_iter();
                rows.map(|uid| table.rows[&uid].clone()).collect()
            }
            Statement::Aggregate {
                table,
                column,
                filter,
            } => vec![aggregate(&self.tables[table], column, filter)],
            Statement::Join { child, reference } => {
                let child = &self.tables[child];
                let at = child.position(&reference.column);
                // The constraint has it that each value is a key.
                let values = child.rows.values().map(|row| row[at].clone());
                let values = values.filter(|value| *value != Value::Null);
                values.map(|value| vec![value.clone(), value]).collect()
            }
            _ => Vec::new(),
        };
        rows.sort_unstable();
        rows
    }
}

fn matching(table: &Table, filter: &Filter) -> Vec<Uid> {
    let rows = table.rows.iter();
    let rows = rows.filter(|(_, row)| filter.matches(table, row));
    rows.map(|(uid, _)| *uid).collect()
}

fn aggregate(table: &Table, column: &str, filter: &Filter) -> Row {
    let at = table.position(column);
    let uids = matching(table, filter);
    let values = uids.iter().map(|uid| &table.rows[uid][at]);
    let values: Vec<&Value> = values.filter(|value| **value != Value::Null).collect();
    let numbers = values.iter().map(|value| match value {
        Value::Int(value) => *value,
        _ => 0,
    });
    let of = |value: Option<&&Value>| value.map_or(Value::Null, |value| (*value).clone());
    let sum = match values.is_empty() {
        true => Value::Null,
        false => Value::Int(numbers.sum()),
    };
    vec![
        Value::Int(uids.len() as i128),
        Value::Int(values.len() as i128),
        of(values.iter().min()),
        of(values.iter().max()),
        sum,
    ]
}

/// Makes up statements that fit what a session sees.
pub struct Author {
    pub chance: Chance,
    /// The last number of a name or table.
    pub names: u64,
}

impl Author {
    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}{}", self.names)
    }

    fn int(&mut self) -> i128 {
        i128::from(self.chance.below(14)) - 1
    }

    fn value(&mut self, column: &Column) -> Value {
        if !column.not_null && self.chance.percent(12) {
            return Value::Null;
        }
        match column.is_text {
            true => Value::Text((*self.chance.pick(&WORDS)).to_owned()),
            false => Value::Int(self.int()),
        }
    }

    fn column(&mut self, name: &str) -> Column {
        let is_text = self.chance.percent(35);
        let mut column = Column {
            name: self.name(name),
            is_text,
            not_null: false,
            default: Value::Null,
            at_least: None,
        };
        if self.chance.percent(50) {
            column.default = self.value(&column);
        }
        if !is_text && self.chance.percent(25) {
            // Whatever the default is.
            column.at_least = Some(-1);
        }
        column
    }

    pub fn create(&mut self, state: &State) -> Statement {
        self.names += 1;
        let id = self.names;
        let has_key = self.chance.percent(75);
        let mut key = self.column("id");
        (key.name, key.is_text, key.not_null) = ("id".to_owned(), false, has_key);
        (key.default, key.at_least) = (Value::Null, None);
        let mut columns = vec![key];
        for _ in 0..1 + self.chance.below(3) {
            let column = self.column("c");
            columns.push(column);
        }
        if self.chance.percent(30) {
            columns[1].at_least = (!columns[1].is_text).then_some(0);
            columns[1].default = Value::Null;
        }
        let mut table = Table {
            id,
            columns,
            has_key,
            unique: Vec::new(),
            references: Vec::new(),
            indexes: std::collections::BTreeMap::new(),
            rows: std::collections::BTreeMap::new(),
        };
        if self.chance.percent(30) {
            table.unique.push(table.columns[1].name.clone());
        }
        let parents = state.tables.iter().filter(|(_, table)| table.has_key);
        let parents: Vec<&String> = parents.map(|(name, _)| name).collect();
        if !parents.is_empty() && self.chance.percent(60) {
            let mut column = self.column("ref");
            (column.is_text, column.default) = (false, Value::Null);
            let actions = [OnDelete::Nothing, OnDelete::Cascade, OnDelete::SetNull];
            table.references.push(Reference {
                column: column.name.clone(),
                parent: (*self.chance.pick(&parents)).clone(),
                on_delete: *self.chance.pick(&actions),
            });
            table.columns.push(column);
        }
        Statement::Create {
            name: self.name("t"),
            table,
        }
    }

    /// A statement about what is there.
    pub fn statement(&mut self, state: &State) -> Statement {
        let tables: Vec<&String> = state.tables.keys().collect();
        if tables.is_empty() || (tables.len() < 5 && self.chance.percent(4)) {
            return self.create(state);
        }
        let name = (*self.chance.pick(&tables)).clone();
        let table = &state.tables[&name];
        match self.chance.below(100) {
            0..38 => self.insert(name, table),
            38..54 => self.update(name, table),
            54..64 => Statement::Delete {
                filter: self.filter(table),
                table: name,
            },
            64..78 => Statement::Select {
                filter: self.filter(table),
                table: name,
            },
            78..84 => self.aggregate(name, table),
            84..88 => match table.references.first() {
                Some(reference) => Statement::Join {
                    child: name,
                    reference: reference.clone(),
                },
                None => self.aggregate(name, table),
            },
            88..89 if state.children(&name).is_empty() => Statement::Drop { name },
            _ => self.alter(name, table),
        }
    }

    fn insert(&mut self, name: String, table: &Table) -> Statement {
        let count = 1 + self.chance.below(4);
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..count {
            rows.push(
                table
                    .columns
                    .iter()
                    .map(|column| self.value(column))
                    .collect(),
            );
        }
        let on_conflict = match self.chance.below(10) {
            0..2 => OnConflict::Nothing,
            2..5 if table.has_key => {
                // A statement must not meet one row twice.
                rows.sort_by(|a, b| a[0].cmp(&b[0]));
                rows.dedup_by(|a, b| a[0] == b[0]);
                let others: Vec<&Column> = table.columns.iter().skip(1).collect();
                match others.is_empty() {
                    true => OnConflict::Nothing,
                    false => OnConflict::Update(self.chance.pick(&others).name.clone()),
                }
            }
            _ => OnConflict::Fail,
        };
        Statement::Insert {
            table: name,
            rows,
            on_conflict,
        }
    }

    fn update(&mut self, name: String, table: &Table) -> Statement {
        let column = self.chance.pick(&table.columns).clone();
        let set = match column.is_text || self.chance.percent(40) {
            true => Set::To(self.value(&column)),
            false => Set::Plus(i128::from(self.chance.below(5)) - 1),
        };
        Statement::Update {
            filter: self.filter(table),
            table: name,
            column: column.name,
            set,
        }
    }

    fn aggregate(&mut self, name: String, table: &Table) -> Statement {
        let numbers: Vec<&Column> = table.columns.iter().filter(|c| !c.is_text).collect();
        if numbers.is_empty() {
            let filter = Filter::All;
            return Statement::Select {
                table: name,
                filter,
            };
        }
        Statement::Aggregate {
            column: self.chance.pick(&numbers).name.clone(),
            filter: self.filter(table),
            table: name,
        }
    }

    fn filter(&mut self, table: &Table) -> Filter {
        let column = self.chance.pick(&table.columns).clone();
        match self.chance.below(10) {
            0..2 => Filter::All,
            2 => Filter::IsNull(column.name),
            3..6 if !column.is_text => {
                let low = self.int();
                Filter::Between(column.name, low, low + i128::from(self.chance.below(5)))
            }
            _ => Filter::Is(column.name.clone(), self.value(&column)),
        }
    }

    fn alter(&mut self, name: String, table: &Table) -> Statement {
        let free = table.columns.iter().filter(|c| !table.is_used(&c.name));
        let free: Vec<&Column> = free.filter(|c| c.at_least.is_none()).collect();
        let later: Vec<&Column> = table.columns.iter().skip(1).collect();
        let alter = match self.chance.below(12) {
            0..2 if free.len() > 1 => Alter::DropColumn(self.chance.pick(&free).name.clone()),
            2..4 if table.columns.len() < 7 => Alter::AddColumn(self.column("a")),
            4..6 if !later.is_empty() => {
                let from = self.chance.pick(&later).name.clone();
                Alter::RenameColumn(from, self.name("r"))
            }
            6..8 if !later.is_empty() => {
                let column = self.chance.pick(&later);
                Alter::SetNotNull(column.name.clone(), !column.not_null)
            }
            8..9 if !table.indexes.is_empty() => {
                let names: Vec<&String> = table.indexes.keys().collect();
                Alter::DropIndex((*self.chance.pick(&names)).clone())
            }
            _ => {
                let mut columns = vec![self.chance.pick(&table.columns).name.clone()];
                let second = self.chance.pick(&table.columns).name.clone();
                if self.chance.percent(30) && !columns.contains(&second) {
                    columns.push(second);
                }
                let unique = self.chance.percent(30);
                Alter::CreateIndex(self.name("i"), Index { columns, unique })
            }
        };
        Statement::Alter { table: name, alter }
    }
}
