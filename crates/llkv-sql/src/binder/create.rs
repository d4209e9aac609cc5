//! CREATE and DROP of tables and views.

use super::Binder;
use super::alter::is_constraint;
use super::alter_texts::{self, mentions};
use super::alter_views;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use super::types::has_numeric_affinity;
use crate::dialect::SqlDialect;
use hashbrown::HashSet;
use llkv_plan::{
    CheckDefinition, ColumnDefinition, GeneratedColumn, KeyDefinition, LogicalPlan, PlanColumn,
    PlanStatement, TableDefinition, TableRef,
};
use llkv_result::{ObjectKind, Result};
use llkv_types::{Collation, SqlType};
use sqlparser::ast::{self, ColumnOption, ObjectType, TableConstraint, VisitMut};

/// Columns that a table may have.
const MAX_COLUMNS: usize = 16_384;

impl Binder<'_> {
    pub(super) fn bind_create_table(&mut self, create: &ast::CreateTable) -> Result<PlanStatement> {
        let rare = [
            (create.external, "CREATE EXTERNAL TABLE"),
            (create.clone.is_some(), "CREATE TABLE ... CLONE"),
            (create.inherits.is_some(), "INHERITS"),
            (create.partition_by.is_some(), "PARTITION BY"),
            (create.on_commit.is_some(), "ON COMMIT"),
        ];
        if let Some((_, feature)) = rare.iter().find(|(present, _)| *present) {
            return self.unsupported(*feature, &create.name);
        }
        // Before each of them is compared with the others.
        if create.columns.len() > MAX_COLUMNS {
            return Err(super::too_complex("the number of columns", MAX_COLUMNS));
        }
        let name = self.created_name(&create.name)?;
        let source = match &create.query {
            Some(query) => Some(self.bind_query(query)?),
            None => None,
        };
        let definition = match &source {
            Some(plan) => self.define_from_query(create, name, plan)?,
            None => match &create.like {
                Some(
                    ast::CreateTableLikeKind::Parenthesized(like)
                    | ast::CreateTableLikeKind::Plain(like),
                ) => self.define_like(like, name, create.temporary)?,
                None => self.define(create, name)?,
            },
        };
        if definition.columns.len() > MAX_COLUMNS {
            return Err(super::too_complex("the number of columns", MAX_COLUMNS));
        }
        let with_data = create.with_data.as_ref().is_none_or(|with| with.data);
        let source = source.filter(|_| with_data).map(|plan| {
            let types: Vec<SqlType> = definition.columns.iter().map(|c| c.ty).collect();
            self.cast_columns(plan, &types)
        });
        Ok(PlanStatement::CreateTable {
            definition,
            if_not_exists: create.if_not_exists,
            or_replace: create.or_replace,
            source,
        })
    }

    /// CREATE TABLE ... (LIKE table): its columns, with their defaults where asked for, none of its constraints but NOT NULL.
    fn define_like(
        &self,
        like: &ast::CreateTableLike,
        name: TableRef,
        temporary: bool,
    ) -> Result<TableDefinition> {
        let known = self.table_ref(&like.name)?;
        let Some(info) = self.catalog.table(&known)? else {
            return self.table_not_found(&known, &like.name);
        };
        let takes_defaults = like.defaults == Some(ast::CreateTableLikeDefaults::Including);
        let columns = info.columns.iter().map(|column| ColumnDefinition {
            default_sql: column.default_sql.clone().filter(|_| takes_defaults),
            generated: None,
            ..alter_texts::definition_of_column(column)
        });
        Ok(TableDefinition {
            dialect: info.dialect.clone(),
            name,
            columns: columns.collect(),
            keys: vec![],
            checks: vec![],
            foreign_keys: vec![],
            sequences: vec![],
            temporary,
        })
    }

    /// CREATE TABLE ... AS: columns of the query, names of the list where one is given.
    fn define_from_query(
        &mut self,
        create: &ast::CreateTable,
        name: TableRef,
        plan: &LogicalPlan,
    ) -> Result<TableDefinition> {
        let of_query = plan.columns();
        if !create.columns.is_empty() && create.columns.len() != of_query.len() {
            return self.invalid(
                format!(
                    "the table has {} columns, the query {}",
                    create.columns.len(),
                    of_query.len()
                ),
                &create.name,
            );
        }
        let mut columns: Vec<ColumnDefinition> = Vec::with_capacity(of_query.len());
        for (position, column) in of_query.into_iter().enumerate() {
            let given = create.columns.get(position);
            let ty = match given.map(|given| &given.data_type) {
                None | Some(ast::DataType::Unspecified) => match column.ty {
                    SqlType::Null => SqlType::Text,
                    ty => ty,
                },
                Some(ty) => self.bind_type(ty, &create.name)?,
            };
            columns.push(ColumnDefinition {
                name: match given {
                    Some(given) => given.name.value.clone(),
                    None => unique_name(&column.name, &columns),
                },
                ty,
                nullable: true,
                default_sql: None,
                generated: None,
                declared: None,
                collation: Collation::Binary,
            });
        }
        self.refuse_same_names(&columns, create)?;
        Ok(TableDefinition {
            dialect: self.dialect.name().to_owned(),
            name,
            columns,
            keys: vec![],
            checks: vec![],
            foreign_keys: vec![],
            sequences: vec![],
            temporary: create.temporary,
        })
    }

    fn define(&mut self, create: &ast::CreateTable, name: TableRef) -> Result<TableDefinition> {
        if create.columns.is_empty() {
            return self.invalid("a table needs at least one column", &create.name);
        }
        let mut table = TableDefinition {
            dialect: self.dialect.name().to_owned(),
            name,
            columns: Vec::with_capacity(create.columns.len()),
            keys: vec![],
            checks: vec![],
            foreign_keys: vec![],
            sequences: vec![],
            temporary: create.temporary,
        };
        for column in &create.columns {
            self.define_column(column, &mut table)?;
            if create.strict && self.dialect.values_carry_types() {
                self.keep_to_type(column, &mut table)?;
            }
        }
        self.refuse_same_names(&table.columns, create)?;
        // A table may refer to itself: its keys come first.
        let refers =
            |constraint: &&TableConstraint| matches!(constraint, TableConstraint::ForeignKey(_));
        for constraint in create.constraints.iter().filter(|c| !refers(c)) {
            self.define_constraint(constraint, &mut table, &create.name)?;
        }
        merge_equal_keys(&mut table);
        for column in &create.columns {
            for option in &column.options {
                if let ColumnOption::ForeignKey(key) = &option.option {
                    let mut key = key.clone();
                    key.columns = vec![column.name.clone()];
                    key.name = key.name.or_else(|| option.name.clone());
                    self.define_foreign_key(&key, &mut table)?;
                }
            }
        }
        for constraint in create.constraints.iter().filter(refers) {
            self.define_constraint(constraint, &mut table, &create.name)?;
        }
        if self.dialect != SqlDialect::Sqlite
            && let Some(name) = twice(&constraint_names(&table))
        {
            return self.invalid(
                format!("two constraints are named \"{name}\""),
                &create.name,
            );
        }
        if table.keys.iter().filter(|key| key.primary).count() > 1 {
            return self.invalid("a table has one primary key", &create.name);
        }
        for key in table.keys.iter().filter(|key| key.primary) {
            for &position in &key.columns {
                if let Some(column) = table.columns.get_mut(position as usize) {
                    column.nullable = false;
                }
            }
        }
        self.verify_expressions(&table)?;
        Ok(table)
    }

    fn refuse_same_names(
        &self,
        columns: &[ColumnDefinition],
        create: &ast::CreateTable,
    ) -> Result<()> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        match twice(&names) {
            Some(name) => self.invalid(format!("column \"{name}\" is defined twice"), &create.name),
            None => Ok(()),
        }
    }

    pub(super) fn define_column(
        &mut self,
        column: &ast::ColumnDef,
        table: &mut TableDefinition,
    ) -> Result<()> {
        let position = table.columns.len() as u32;
        let serial = Self::serial_type(&column.data_type);
        let numeric = self.dialect.values_carry_types()
            && serial.is_none()
            && has_numeric_affinity(&column.data_type);
        let mut defined = ColumnDefinition {
            name: column.name.value.clone(),
            ty: match serial {
                Some(ty) => ty,
                None if numeric => SqlType::Variant,
                None => self.bind_type(&column.data_type, &column.name)?,
            },
            nullable: true,
            default_sql: None,
            generated: None,
            declared: numeric.then(|| column.data_type.to_string()),
            collation: Collation::Binary,
        };
        if Self::serial_type(&column.data_type).is_some() {
            self.add_sequence(table, &mut defined, &[], None)?;
        }
        for option in &column.options {
            match &option.option {
                ColumnOption::Null | ColumnOption::Comment(_) => {}
                ColumnOption::Collation(name) => {
                    defined.collation = self.collation(name, &column.name)?;
                }
                ColumnOption::NotNull => defined.nullable = false,
                ColumnOption::Default(expr) => {
                    let mut expr = expr.clone();
                    self.qualify_sequences(&mut expr)?;
                    defined.default_sql = Some(expr.to_string());
                }
                ColumnOption::Generated {
                    generated_as,
                    sequence_options,
                    generation_expr,
                    ..
                } => match generation_expr {
                    Some(expr) => {
                        defined.generated = Some(GeneratedColumn::Expression(expr.to_string()));
                    }
                    None => {
                        let always = matches!(generated_as, ast::GeneratedAs::Always);
                        let options = sequence_options.as_deref().unwrap_or_default();
                        let generated = Some(GeneratedColumn::Identity { always });
                        self.add_sequence(table, &mut defined, options, generated)?;
                    }
                },
                ColumnOption::Identity(_) => {
                    return self.unsupported("IDENTITY without GENERATED", &column.name);
                }
                ColumnOption::DialectSpecific(tokens)
                    if tokens.iter().all(|t| is_autoincrement(&t.to_string())) =>
                {
                    let generated = Some(GeneratedColumn::Identity { always: false });
                    self.add_sequence(table, &mut defined, &[], generated)?;
                }
                other if is_constraint(other) => {}
                other => return self.unsupported(format!("{other}"), &column.name),
            }
        }
        let of_key = vec![self.collation_of_key(defined.ty, defined.collation)];
        table.columns.push(defined);
        // Constraints are named by the column.
        for option in &column.options {
            let given = option.name.as_ref();
            match &option.option {
                ColumnOption::PrimaryKey(key) => {
                    self.refuse_deferrable(key.characteristics.as_ref(), &column.name)?;
                    add_key(table, given, true, (vec![position], of_key.clone()));
                }
                ColumnOption::Unique(key) => {
                    self.refuse_rare_unique(key, &column.name)?;
                    add_key(table, given, false, (vec![position], of_key.clone()));
                }
                ColumnOption::Check(check) => {
                    add_check(table, check.name.as_ref().or(given), &check.expr);
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn define_constraint(
        &self,
        constraint: &TableConstraint,
        table: &mut TableDefinition,
        place: &ast::ObjectName,
    ) -> Result<()> {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                self.refuse_deferrable(key.characteristics.as_ref(), place)?;
                let columns = self.key_columns(&key.columns, table, place)?;
                add_key(table, key.name.as_ref(), true, columns);
            }
            TableConstraint::Unique(key) => {
                self.refuse_rare_unique(key, place)?;
                let columns = self.key_columns(&key.columns, table, place)?;
                add_key(table, key.name.as_ref(), false, columns);
            }
            TableConstraint::Check(check) => add_check(table, check.name.as_ref(), &check.expr),
            TableConstraint::ForeignKey(key) => self.define_foreign_key(key, table)?,
            other => return self.unsupported(format!("the constraint {other}"), place),
        }
        Ok(())
    }

    fn refuse_rare_unique(
        &self,
        key: &ast::UniqueConstraint,
        place: &impl super::place::Place,
    ) -> Result<()> {
        if key.nulls_distinct == ast::NullsDistinctOption::NotDistinct {
            return self.unsupported("UNIQUE NULLS NOT DISTINCT", place);
        }
        self.refuse_deferrable(key.characteristics.as_ref(), place)
    }

    /// Keys are looked at as rows come.
    fn refuse_deferrable(
        &self,
        characteristics: Option<&ast::ConstraintCharacteristics>,
        place: &impl super::place::Place,
    ) -> Result<()> {
        let deferred = Some(ast::DeferrableInitial::Deferred);
        match characteristics {
            Some(given) if given.deferrable == Some(true) || given.initially == deferred => {
                self.unsupported("a key that is DEFERRABLE", place)
            }
            _ => Ok(()),
        }
    }

    fn key_columns(
        &self,
        columns: &[ast::IndexColumn],
        table: &TableDefinition,
        place: &ast::ObjectName,
    ) -> Result<(Vec<u32>, Vec<Collation>)> {
        let mut positions = Vec::with_capacity(columns.len());
        let mut collations = Vec::with_capacity(columns.len());
        for column in columns {
            let (expr, explicit) = self.without_collation(&column.column.expr)?;
            let ast::Expr::Identifier(name) = expr else {
                return self.unsupported("an expression as a key", place);
            };
            let position = table
                .columns
                .iter()
                .position(|c| c.name.eq_ignore_ascii_case(&name.value));
            let Some(position) = position else {
                return self.column_not_found(name, table.columns.iter().map(|c| c.name.as_str()));
            };
            if positions.contains(&(position as u32)) {
                return self.invalid(format!("\"{}\" is in the key twice", name.value), name);
            }
            if let Some(found) = table.columns.get(position) {
                let collation = explicit.unwrap_or(found.collation);
                collations.push(self.collation_of_key(found.ty, collation));
            }
            positions.push(position as u32);
        }
        Ok((positions, collations))
    }

    /// Defaults and CHECKs are bound once now, so that a mistake shows when the table is created.
    fn verify_expressions(&mut self, table: &TableDefinition) -> Result<()> {
        let dialect = self.dialect;
        for (position, column) in table.columns.iter().enumerate() {
            // What is made together with the table is not there yet.
            let is_own = |(at, _): &(u32, _)| *at as usize == position;
            if !table.sequences.iter().any(is_own) {
                self.verify_default(column)?;
            }
        }
        let columns: Vec<PlanColumn> = table
            .columns
            .iter()
            .map(|c| self.new_column(c.name.as_str(), c.ty, c.nullable))
            .collect();
        let scope = Scope::of_relation(Some(&table.name.name), columns);
        self.verify_generated(table, &scope)?;
        for check in &table.checks {
            crate::text::parse_expression(&check.sql, dialect, |expr| {
                self.apart(dialect, |binder| {
                    let frame = Frame::new(scope.clone(), LogicalPlan::one_row(), Clause::Row);
                    binder.frames.push(frame);
                    let bound = binder.bind_expr(expr)?;
                    let condition = binder.condition(bound, expr)?;
                    // A constant that is no truth value would refuse every row.
                    if condition.is_constant() {
                        llkv_compute::fold(&condition)?;
                    }
                    match binder.frames.last().is_some_and(|f| !f.pending.is_empty()) {
                        true => super::unsupported("a subquery in CHECK"),
                        false => Ok(()),
                    }
                })
            })?;
        }
        Ok(())
    }

    pub(super) fn bind_create_view(&mut self, view: &ast::CreateView) -> Result<PlanStatement> {
        if view.materialized {
            return self.unsupported("a materialized view", &view.name);
        }
        let name = self.created_name(&view.name)?;
        if view.or_replace {
            self.replaced_view = self.catalog.view(&name)?.map(|known| known.id);
        }
        let (plan, mut found) = self.with_names(|binder| binder.bind_query(&view.query))?;
        let given = view.columns.len();
        if self.dialect == SqlDialect::Llkv {
            let given = view.columns.iter().map(|column| column.name.value.as_str());
            let columns = plan.columns();
            let rest = columns.iter().skip(given.len()).map(|column| &*column.name);
            let names: Vec<&str> = given.chain(rest).collect();
            if let Some(name) = twice(&names) {
                return self.invalid(format!("the view has two columns \"{name}\""), &view.name);
            }
        }
        if given > plan.columns().len() {
            return self.invalid(
                format!(
                    "the view names {given} columns, its query has {}",
                    plan.columns().len()
                ),
                &view.name,
            );
        }
        let mut query = view.query.clone();
        let _ = query.visit(&mut found);
        self.qualify_sequences(&mut query)?;
        Ok(PlanStatement::CreateView {
            name,
            sql: query.to_string(),
            columns: view.columns.iter().map(|c| c.name.value.clone()).collect(),
            dialect: self.dialect.name().to_owned(),
            // Others could not read what a temporary table has.
            temporary: view.temporary || found.has_temporary(),
            if_not_exists: view.if_not_exists,
            or_replace: view.or_replace,
        })
    }

    pub(super) fn bind_drop(
        &self,
        object: &ObjectType,
        names: &[ast::ObjectName],
        (if_exists, cascade): (bool, bool),
    ) -> Result<PlanStatement> {
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            tables.push(self.table_ref(name)?);
        }
        match object {
            ObjectType::Table => Ok(PlanStatement::DropTable {
                views: self.views_over(ObjectKind::Table, &tables, cascade)?,
                names: tables,
                if_exists,
                cascade,
            }),
            ObjectType::Schema => Ok(PlanStatement::DropSchema {
                names: tables,
                if_exists,
                cascade,
            }),
            ObjectType::Sequence => self.bind_drop_sequence(tables, (if_exists, cascade)),
            ObjectType::View => {
                let over = self.views_over(ObjectKind::View, &tables, cascade)?;
                tables.extend(over);
                Ok(PlanStatement::DropView {
                    names: tables,
                    if_exists,
                })
            }
            ObjectType::Index => Ok(PlanStatement::DropIndex {
                names: tables,
                if_exists,
            }),
            other => super::unsupported(format!("DROP {other}")),
        }
    }

    /// The views that go with others, or stand in their way. SQLite and DuckDB leave them behind.
    fn views_over(
        &self,
        kind: ObjectKind,
        names: &[TableRef],
        cascade: bool,
    ) -> Result<Vec<TableRef>> {
        if self.dialect != SqlDialect::Llkv || self.catalog.views().is_empty() {
            return Ok(Vec::new());
        }
        let mut dropped = Vec::with_capacity(names.len());
        for name in names {
            match kind {
                ObjectKind::View => {
                    let view = self.catalog.view(name)?;
                    dropped.extend(view.map(|view| (view.id, view.name.clone())));
                }
                _ => {
                    let table = self.catalog.table(name)?;
                    dropped.extend(table.map(|table| (table.id, table.name.clone())));
                }
            }
        }
        alter_views::dropped_with(self, kind, &dropped, cascade)
    }
}

fn is_autoincrement(word: &str) -> bool {
    word.eq_ignore_ascii_case("AUTOINCREMENT") || word.eq_ignore_ascii_case("AUTO_INCREMENT")
}

/// A name that no earlier column has: `a`, `a_1`, `a_2`, ...
fn unique_name(name: &str, columns: &[ColumnDefinition]) -> String {
    let taken = |name: &str| columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    if !taken(name) {
        return name.to_owned();
    }
    (1..)
        .map(|n| format!("{name}_{n}"))
        .find(|candidate| !taken(candidate))
        .unwrap_or_default()
}

fn add_key(
    table: &mut TableDefinition,
    name: Option<&ast::Ident>,
    primary: bool,
    (columns, collations): (Vec<u32>, Vec<Collation>),
) {
    let collations = match collations.iter().all(|collation| collation.is_binary()) {
        true => Vec::new(),
        false => collations,
    };
    let made = || {
        let mut words = vec![table.name.name.as_str()];
        let names = columns
            .iter()
            .filter_map(|at| table.columns.get(*at as usize));
        words.extend(
            names
                .map(|column| column.name.as_str())
                .filter(|_| !primary),
        );
        words.push(if primary { "pkey" } else { "key" });
        words.join("_")
    };
    let name = constraint_name(table, name, made);
    table.keys.push(KeyDefinition {
        name,
        primary,
        columns,
        collations,
    });
}

/// UNIQUE that is written twice is one key.
fn merge_equal_keys(table: &mut TableDefinition) {
    let mut kept: Vec<KeyDefinition> = Vec::with_capacity(table.keys.len());
    for key in std::mem::take(&mut table.keys) {
        let is_same = |known: &KeyDefinition| {
            known.columns == key.columns
                && known.primary == key.primary
                && known.collations == key.collations
        };
        if key.primary || !kept.iter().any(is_same) {
            kept.push(key);
        }
    }
    table.keys = kept;
}

fn constraint_names(table: &TableDefinition) -> Vec<&str> {
    let keys = table.keys.iter().map(|key| key.name.as_str());
    let checks = table.checks.iter().map(|check| check.name.as_str());
    let foreign = table.foreign_keys.iter().map(|key| key.name.as_str());
    keys.chain(checks).chain(foreign).collect()
}

pub(super) fn add_check(table: &mut TableDefinition, name: Option<&ast::Ident>, expr: &ast::Expr) {
    let made = || {
        let mut used = table.columns.iter();
        let mut used = used.by_ref().filter(|c| mentions(expr, &c.name));
        match (used.next(), used.next()) {
            (Some(one), None) => format!("{}_{}_check", table.name.name, one.name),
            _ => format!("{}_check", table.name.name),
        }
    };
    let name = constraint_name(table, name, made);
    let sql = expr.to_string();
    table.checks.push(CheckDefinition { name, sql });
}

/// A name that stands twice, whatever its case.
fn twice<'n>(names: &[&'n str]) -> Option<&'n str> {
    let mut known = HashSet::with_capacity(names.len());
    let mut names = names.iter();
    names
        .find(|name| !known.insert(name.to_ascii_lowercase()))
        .copied()
}

/// The name that was given, or one that no other constraint of the table has: `t_a_key`, `t_a_key1`, ...
pub(super) fn constraint_name(
    table: &TableDefinition,
    given: Option<&ast::Ident>,
    made: impl FnOnce() -> String,
) -> String {
    if let Some(given) = given {
        return given.value.clone();
    }
    let taken = constraint_names(table);
    let is_taken = |name: &str| taken.iter().any(|known| known.eq_ignore_ascii_case(name));
    let made = made();
    if !is_taken(&made) {
        return made;
    }
    (1..)
        .map(|number| format!("{made}{number}"))
        .find(|candidate| !is_taken(candidate))
        .unwrap_or_default()
}
