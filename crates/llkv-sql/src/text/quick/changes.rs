//! Changes of rows: INSERT, UPDATE, DELETE.

use super::query::query_of;
use super::{Cursor, Kind};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, ObjectName, Parens, Query,
    SetExpr, SqliteOnConflict, Statement, TableObject, TableWithJoins, Update, Values,
};
use sqlparser::keywords::Keyword;

impl Cursor<'_> {
    /// `INSERT [OR REPLACE] INTO t [(a, b)] VALUES (1, 2), ...`, or a query in the place of VALUES.
    pub(super) fn insert(&mut self) -> Option<Box<Statement>> {
        let insert_token = self.token()?;
        let or = match self.takes_word(Keyword::OR) {
            true => Some(self.conflict()?),
            false => None,
        };
        self.expect_word(Keyword::INTO)?;
        let table = TableObject::TableName(self.plain_names()?);
        let columns = match self.peek()? {
            Kind::LParen if self.keyword(1) == Some(Keyword::SELECT) => return None,
            Kind::LParen => self.columns()?,
            _ => Vec::new(),
        };
        let source = match self.keyword(0)? {
            Keyword::VALUES => self.values()?,
            Keyword::SELECT => self.query()?,
            _ => return None,
        };
        let insert = insert(insert_token, or, table, columns, source);
        Some(Box::new(Statement::Insert(insert)))
    }

    /// What stands behind OR.
    fn conflict(&mut self) -> Option<SqliteOnConflict> {
        let conflict = match self.keyword(0)? {
            Keyword::REPLACE => SqliteOnConflict::Replace,
            Keyword::IGNORE => SqliteOnConflict::Ignore,
            _ => return None,
        };
        self.at += 1;
        Some(conflict)
    }

    /// `(a, b)`
    fn columns(&mut self) -> Option<Vec<ObjectName>> {
        self.at += 1;
        let columns = self.list(|cursor| Some(ObjectName::from(vec![cursor.plain_name()?])))?;
        self.expect(Kind::RParen)?;
        Some(columns)
    }

    fn values(&mut self) -> Option<Box<Query>> {
        self.at += 1;
        let values = Values {
            explicit_row: false,
            value_keyword: false,
            rows: self.list(Self::row)?,
        };
        Some(query_of(Box::new(SetExpr::Values(values))))
    }

    /// `(1, 2)`
    fn row(&mut self) -> Option<Parens<Vec<Expr>>> {
        if self.peek() != Some(Kind::LParen) {
            return None;
        }
        let opening_token = self.token()?;
        let content = self.list(Self::element)?;
        if self.peek() != Some(Kind::RParen) {
            return None;
        }
        Some(Parens {
            opening_token,
            content,
            closing_token: self.token()?,
        })
    }

    /// `UPDATE t SET a = 1, b = 2 [WHERE x]`
    pub(super) fn update(&mut self) -> Option<Box<Statement>> {
        let update_token = self.token()?;
        let table = self.changed_table()?;
        self.expect_word(Keyword::SET)?;
        let assignments = self.list(Self::assignment)?;
        Some(Box::new(Statement::Update(Update {
            update_token,
            optimizer_hints: Vec::new(),
            table,
            assignments,
            from: None,
            selection: self.condition()?,
            returning: None,
            output: None,
            or: None,
            order_by: Vec::new(),
            limit: None,
        })))
    }

    /// `a = 1`
    fn assignment(&mut self) -> Option<Assignment> {
        let target = AssignmentTarget::ColumnName(self.plain_names()?);
        self.expect(Kind::Eq)?;
        let value = *self.expr()?;
        Some(Assignment { target, value })
    }

    /// `DELETE FROM t [WHERE x]`
    pub(super) fn delete(&mut self) -> Option<Box<Statement>> {
        let delete_token = self.token()?;
        self.expect_word(Keyword::FROM)?;
        let table = self.changed_table()?;
        Some(Box::new(Statement::Delete(Delete {
            delete_token,
            optimizer_hints: Vec::new(),
            tables: Vec::new(),
            from: FromTable::WithFromKeyword(vec![table]),
            using: None,
            selection: self.condition()?,
            returning: None,
            output: None,
            order_by: Vec::new(),
            limit: None,
        })))
    }

    fn changed_table(&mut self) -> Option<TableWithJoins> {
        if self.peek()? == Kind::LParen {
            return None;
        }
        Some(TableWithJoins {
            relation: self.table()?,
            joins: Vec::new(),
        })
    }

    fn condition(&mut self) -> Option<Option<Expr>> {
        Some(match self.takes_word(Keyword::WHERE) {
            true => Some(*self.expr()?),
            false => None,
        })
    }
}

fn insert(
    insert_token: AttachedToken,
    or: Option<SqliteOnConflict>,
    table: TableObject,
    columns: Vec<ObjectName>,
    source: Box<Query>,
) -> Insert {
    Insert {
        insert_token,
        optimizer_hints: Vec::new(),
        or,
        ignore: false,
        into: true,
        table,
        table_alias: None,
        columns,
        overwrite: false,
        source: Some(source),
        assignments: Vec::new(),
        partitioned: None,
        after_columns: Vec::new(),
        has_table_keyword: false,
        on: None,
        returning: None,
        output: None,
        replace_into: false,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses: Vec::new(),
        multi_table_when_clauses: Vec::new(),
        multi_table_else_clause: None,
    }
}
