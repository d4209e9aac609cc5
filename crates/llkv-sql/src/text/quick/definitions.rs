//! Definitions: CREATE TABLE, CREATE INDEX, CREATE VIEW, DROP.

use super::{Cursor, Kind};
use sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use sqlparser::ast::{
    CharacterLength, ColumnDef, ColumnOption, ColumnOptionDef, CreateIndex, CreateTableOptions,
    CreateView, DataType, ExactNumberInfo, Expr, IndexColumn, KeyOrIndexDisplay,
    NullsDistinctOption, ObjectName, ObjectType, OrderByExpr, OrderByOptions, OrderBySort,
    PrimaryKeyConstraint, Statement, UniqueConstraint,
};
use sqlparser::keywords::Keyword;

impl Cursor<'_> {
    /// What stands behind CREATE.
    pub(super) fn create(&mut self) -> Option<Box<Statement>> {
        self.at += 1;
        let keyword = self.keyword(0)?;
        self.at += 1;
        match keyword {
            Keyword::TABLE => self.create_table(),
            Keyword::INDEX => self.create_index(false),
            Keyword::UNIQUE => {
                self.expect_word(Keyword::INDEX)?;
                self.create_index(true)
            }
            Keyword::VIEW => self.create_view(),
            _ => None,
        }
    }

    /// `t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)` behind CREATE TABLE.
    fn create_table(&mut self) -> Option<Box<Statement>> {
        let name = self.plain_names()?;
        self.expect(Kind::LParen)?;
        let columns = self.list(Self::column_definition)?;
        self.expect(Kind::RParen)?;
        let created = CreateTableBuilder::new(name).columns(columns).build();
        Some(Box::new(Statement::CreateTable(created)))
    }

    fn column_definition(&mut self) -> Option<ColumnDef> {
        let name = self.plain_name()?;
        let data_type = self.data_type()?;
        let mut options = Vec::new();
        while !matches!(self.peek()?, Kind::Comma | Kind::RParen) {
            options.push(ColumnOptionDef {
                name: None,
                option: self.column_option()?,
            });
        }
        Some(ColumnDef {
            name,
            data_type,
            options,
        })
    }

    /// The types that need no more words.
    fn data_type(&mut self) -> Option<DataType> {
        let keyword = self.keyword(0)?;
        self.at += 1;
        if keyword == Keyword::VARCHAR {
            return Some(DataType::Varchar(self.length()?));
        }
        if self.peek() == Some(Kind::LParen) {
            return None;
        }
        Some(match keyword {
            Keyword::INTEGER => DataType::Integer(None),
            Keyword::INT => DataType::Int(None),
            Keyword::FLOAT => DataType::Float(ExactNumberInfo::None),
            Keyword::REAL => DataType::Real,
            Keyword::TEXT => DataType::Text,
            _ => return None,
        })
    }

    /// `(30)`, or nothing.
    fn length(&mut self) -> Option<Option<CharacterLength>> {
        if !self.takes(Kind::LParen) {
            return Some(None);
        }
        let digits = self.next().filter(|l| l.kind == Kind::Number)?;
        let length = self.lexemes.written(digits).parse().ok()?;
        self.expect(Kind::RParen)?;
        Some(Some(CharacterLength::IntegerLength { length, unit: None }))
    }

    fn column_option(&mut self) -> Option<ColumnOption> {
        let keyword = self.keyword(0)?;
        self.at += 1;
        let option = match keyword {
            Keyword::PRIMARY => {
                self.expect_word(Keyword::KEY)?;
                ColumnOption::PrimaryKey(PrimaryKeyConstraint {
                    name: None,
                    index_name: None,
                    index_type: None,
                    columns: Vec::new(),
                    include: Vec::new(),
                    index_options: Vec::new(),
                    characteristics: None,
                })
            }
            Keyword::UNIQUE => ColumnOption::Unique(UniqueConstraint {
                name: None,
                index_name: None,
                index_type_display: KeyOrIndexDisplay::None,
                index_type: None,
                columns: Vec::new(),
                include: Vec::new(),
                index_options: Vec::new(),
                characteristics: None,
                nulls_distinct: NullsDistinctOption::None,
            }),
            Keyword::NOT => {
                self.expect_word(Keyword::NULL)?;
                ColumnOption::NotNull
            }
            _ => return None,
        };
        // DEFERRABLE and the like belong to the option before them.
        let goes_on =
            matches!(self.keyword(0), Some(Keyword::NOT)) && self.keyword(1) != Some(Keyword::NULL);
        (!goes_on).then_some(option)
    }

    /// `i ON t (a, b DESC)` behind CREATE INDEX.
    fn create_index(&mut self, unique: bool) -> Option<Box<Statement>> {
        let name = self.plain_names()?;
        self.expect_word(Keyword::ON)?;
        let table_name = self.plain_names()?;
        self.expect(Kind::LParen)?;
        let columns = self.list(Self::index_column)?;
        self.expect(Kind::RParen)?;
        Some(Box::new(Statement::CreateIndex(CreateIndex {
            name: Some(name),
            table_name,
            using: None,
            columns,
            unique,
            concurrently: false,
            r#async: false,
            if_not_exists: false,
            include: Vec::new(),
            nulls_distinct: None,
            with: Vec::new(),
            predicate: None,
            index_options: Vec::new(),
            alter_options: Vec::new(),
        })))
    }

    /// `a [ASC|DESC]`
    fn index_column(&mut self) -> Option<IndexColumn> {
        let expr = Expr::Identifier(self.plain_name()?);
        let sort = if self.takes_word(Keyword::ASC) {
            Some(OrderBySort::Asc)
        } else if self.takes_word(Keyword::DESC) {
            Some(OrderBySort::Desc)
        } else {
            None
        };
        if !matches!(self.peek()?, Kind::Comma | Kind::RParen) {
            return None;
        }
        let options = OrderByOptions {
            sort,
            nulls_first: None,
        };
        let column = OrderByExpr {
            expr,
            options,
            with_fill: None,
        };
        Some(IndexColumn {
            column,
            operator_class: None,
        })
    }

    /// `v AS SELECT ...` behind CREATE VIEW.
    fn create_view(&mut self) -> Option<Box<Statement>> {
        let name = self.plain_names()?;
        self.expect_word(Keyword::AS)?;
        let query = self.query()?;
        Some(Box::new(Statement::CreateView(CreateView {
            or_alter: false,
            or_replace: false,
            materialized: false,
            secure: false,
            name,
            name_before_not_exists: false,
            columns: Vec::new(),
            query,
            options: CreateTableOptions::None,
            cluster_by: Vec::new(),
            comment: None,
            with_no_schema_binding: false,
            if_not_exists: false,
            temporary: false,
            copy_grants: false,
            to: None,
            params: None,
        })))
    }

    /// `DROP TABLE [IF EXISTS] t`; indexes and views likewise.
    pub(super) fn drop(&mut self) -> Option<Box<Statement>> {
        let object_type = match self.keyword(1)? {
            Keyword::TABLE => ObjectType::Table,
            Keyword::INDEX => ObjectType::Index,
            Keyword::VIEW => ObjectType::View,
            _ => return None,
        };
        self.at += 2;
        let if_exists = self.takes_word(Keyword::IF);
        if if_exists {
            self.expect_word(Keyword::EXISTS)?;
        }
        let names: Vec<ObjectName> = self.list(Self::plain_names)?;
        Some(Box::new(Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade: false,
            restrict: false,
            purge: false,
            temporary: false,
            table: None,
        }))
    }
}
