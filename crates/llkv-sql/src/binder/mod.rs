//! The binder: names and types of a syntax tree, resolved against a catalog.
//!
//! One [`Binder`] binds one statement. A query pushes a [`Frame`]: the rows that its expressions see
//! and the subqueries met in them. Columns get ids that are unique within the statement; a subquery
//! inside an expression becomes an [`Apply`](llkv_plan::Apply) on the rows of its frame and a column
//! reference in its place; a name that the innermost frame does not know is looked up in the frames
//! around it, which is all there is to correlation. Nothing is evaluated but literals.

mod added_columns;
mod aggregate;
mod alter;
mod alter_texts;
mod alter_triggers;
mod alter_views;
mod altered_catalog;
mod collated_calls;
mod collated_sets;
mod collations;
mod conditions;
mod copy;
mod create;
mod cte;
mod delete;
mod distinct;
mod equality;
mod expr;
mod files;
mod foreign_key_check;
mod foreign_keys;
mod frame;
mod from;
mod full_joins;
mod functions;
mod generated;
mod grouping;
mod grouping_sets;
mod indexes;
mod insert;
mod interval;
mod joins;
mod limit;
mod literals;
mod merge;
mod names;
mod on_conflict;
mod operators;
mod order;
mod output;
mod parameters;
mod place;
mod pragma;
mod predicates;
mod quantified;
mod query;
mod recursive;
mod returning;
mod row_ids;
mod row_values;
mod scope;
mod select;
mod sequences;
mod series;
mod set_ops;
mod settings;
mod show;
mod special_calls;
mod statement;
mod stored_names;
mod strict;
mod subquery;
mod summarize;
mod triggers;
mod tuning;
mod types;
mod update;
mod values;
mod variants;
mod views;
mod widening;
mod wildcard;
mod window_frames;
mod windows;

pub(crate) use literals::{convert, negative_number, number};
pub(crate) use parameters::ParameterMode;
pub use statement::BoundStatement;

use crate::dialect::SqlDialect;
use crate::null_order::{NullOrder, Reading};
use crate::text::SourceText;
use cte::CteScope;
use frame::Frame;
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{CatalogView, ColumnSet, PlanColumn};
use llkv_result::{BindError, Result, Span};
use llkv_types::{SqlType, TableId};
use parameters::Parameters;
use place::Place;
use std::cell::RefCell;
use std::sync::Arc;

/// Levels of an expression tree, as bound: what is deeper would overflow a stack in some recursion above.
const MAX_DEPTH: usize = 1_000;

/// Relations that one statement may name, those inside views and common table expressions included.
const MAX_RELATIONS: usize = 20_000;

/// Nodes of expressions that stand in a plan more often than in the text: `x BETWEEN a AND b` is two
/// comparisons of x, and nested forms like it would double the plan at each level.
const MAX_COPIED_NODES: usize = 1_000_000;

/// Binds one statement.
pub(crate) struct Binder<'a> {
    catalog: &'a dyn CatalogView,
    dialect: SqlDialect,
    /// Of the session; views are read without it.
    null_order: Option<NullOrder>,
    source: SourceText<'a>,
    next_column: u32,
    frames: Vec<Frame>,
    ctes: Vec<CteScope>,
    parameters: Parameters<'a>,
    depth: usize,
    /// The greatest depth since a subquery began.
    deepest: usize,
    relations: usize,
    views: usize,
    copied: usize,
    /// The view that the statement gives another query.
    replaced_view: Option<TableId>,
    /// What columns convert the other side of a comparison to, in SQLite's dialect: by their numbers.
    affinities: Vec<variants::Affinity>,
    collations: collations::Collations,
    /// Columns that `rowid` means too: the INTEGER PRIMARY KEYs of tables, in SQLite's dialect.
    row_ids: ColumnSet,
    /// Columns of recursions, in SQLite's dialect: some of their values no column of a table has converted.
    unconverted: ColumnSet,
    /// Results of integers may be reals: see [`Reading`].
    wide_results: bool,
    /// A result of integers was met that may not fit them.
    may_widen: bool,
    /// The row of the trigger whose text is being bound.
    trigger_row: Option<triggers::TriggerRow>,
    /// What is bound is a text of the catalog.
    is_stored: bool,
    /// Names that a definition has, where one is bound.
    found_names: RefCell<Option<stored_names::FoundNames>>,
    /// Programs of the triggers that the statement may fire.
    triggers: triggers::TriggerPrograms,
}

impl<'a> Binder<'a> {
    /// A binder for a statement of `text`.
    pub(crate) fn new(
        catalog: &'a dyn CatalogView,
        reading: impl Into<Reading>,
        text: &'a str,
        mode: ParameterMode<'a>,
    ) -> Self {
        let Reading {
            dialect,
            null_order,
            wide_results,
        } = reading.into();
        Self {
            catalog,
            dialect,
            null_order,
            source: SourceText::new(text),
            next_column: 0,
            frames: Vec::new(),
            ctes: Vec::new(),
            parameters: Parameters::new(mode),
            depth: 0,
            deepest: 0,
            relations: 0,
            views: 0,
            copied: 0,
            replaced_view: None,
            affinities: Vec::new(),
            collations: collations::Collations::default(),
            row_ids: ColumnSet::new(),
            unconverted: ColumnSet::new(),
            wide_results,
            may_widen: false,
            trigger_row: None,
            is_stored: false,
            found_names: RefCell::new(None),
            triggers: triggers::TriggerPrograms::default(),
        }
    }

    /// What was found out about the statement's parameters.
    pub(crate) fn into_parameters(self) -> Parameters<'a> {
        self.parameters
    }

    fn new_id(&mut self) -> ColumnId {
        let id = ColumnId(self.next_column);
        self.next_column = self.next_column.wrapping_add(1);
        id
    }

    fn new_column(&mut self, name: impl Into<Arc<str>>, ty: SqlType, nullable: bool) -> PlanColumn {
        PlanColumn {
            id: self.new_id(),
            name: name.into(),
            ty,
            nullable,
        }
    }

    /// Counts a relation against the limit of the statement.
    fn count_relation(&mut self) -> Result<()> {
        self.relations += 1;
        if self.relations > MAX_RELATIONS {
            return Err(too_complex(
                "the number of relations of the statement",
                MAX_RELATIONS,
            ));
        }
        Ok(())
    }

    /// A second copy of an expression, counted against the limit of the statement.
    fn copy_of(&mut self, expr: &Expr) -> Result<Expr> {
        expr.visit(&mut |_| self.copied += 1);
        if self.copied > MAX_COPIED_NODES {
            return Err(too_complex(
                "the size of the expressions that the statement repeats",
                MAX_COPIED_NODES,
            ));
        }
        Ok(expr.clone())
    }

    fn span(&self, node: &impl Place) -> Option<Span> {
        self.source.span(node.place())
    }

    fn invalid<T>(&self, message: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::Invalid {
            message: message.into(),
            span: self.span(node),
        }
        .into())
    }

    fn unsupported<T>(&self, feature: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::Unsupported {
            feature: feature.into(),
            span: self.span(node),
        }
        .into())
    }

    /// Groups or aggregates where they mean nothing.
    fn grouping_error<T>(&self, message: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::Grouping {
            message: message.into(),
            span: self.span(node),
        }
        .into())
    }

    /// Window functions or frames where they mean nothing.
    fn windowing_error<T>(&self, message: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::Windowing {
            message: message.into(),
            span: self.span(node),
        }
        .into())
    }

    /// No operator or function takes such operands.
    fn no_operator<T>(&self, message: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::UndefinedFunction {
            message: message.into(),
            span: self.span(node),
        }
        .into())
    }

    fn mismatch<T>(&self, message: impl Into<String>, node: &impl Place) -> Result<T> {
        Err(BindError::TypeMismatch {
            message: message.into(),
            span: self.span(node),
        }
        .into())
    }
}

fn too_complex(what: &str, limit: usize) -> llkv_result::Error {
    BindError::TooComplex {
        what: what.into(),
        limit,
    }
    .into()
}

/// A feature that no place in the text stands for.
fn unsupported<T>(feature: impl Into<String>) -> Result<T> {
    Err(BindError::Unsupported {
        feature: feature.into(),
        span: None,
    }
    .into())
}

/// A statement that means nothing, where no place in the text is known.
fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(BindError::Invalid {
        message: message.into(),
        span: None,
    }
    .into())
}
