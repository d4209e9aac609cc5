//! Names in texts of the catalog. They mean what they meant when the text was written, whatever the search path is when it is
//! read: one without a schema is of `main`, and where a definition names something of another schema, that is put before the name.

use super::sequences::{reference_of, sequence_name_mut};
use super::{Binder, alter_texts};
use hashbrown::HashMap;
use llkv_expr::ColumnId;
use llkv_plan::TableRef;
use llkv_result::{Error, Result};
use llkv_types::TableId;
use sqlparser::ast::{self, Ident, ObjectName, ObjectNamePart, VisitMut, VisitorMut};
use sqlparser::tokenizer::Span;
use std::ops::ControlFlow;

const MAIN: &str = "main";
const TEMPORARY: &str = "temp";

/// What the names of a text were found to be, by their places in it.
#[derive(Debug, Default)]
pub(super) struct FoundNames {
    /// Names of relations, with the schemas other than `main` in which they were found.
    schemas: Vec<(Span, String)>,
    /// Names of tables and views, before columns too.
    pub(super) relations: Vec<(Ident, TableId)>,
    /// Names of columns, with the table or view and the position there.
    pub(super) columns: Vec<(Ident, (TableId, usize))>,
    /// Columns of tables in the plan.
    origins: HashMap<ColumnId, (TableId, usize)>,
}

impl FoundNames {
    /// True where one of them is that of a temporary object.
    pub(super) fn has_temporary(&self) -> bool {
        self.schemas.iter().any(|(_, schema)| schema == TEMPORARY)
    }

    /// The schemas that are missing before names, by the places where they belong.
    pub(super) fn into_schemas(self) -> Vec<(Span, String)> {
        self.schemas
    }
}

impl VisitorMut for FoundNames {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(own)] = name.0.as_slice()
            && let Some((_, schema)) = self.schemas.iter().find(|(span, _)| *span == own.span)
        {
            let schema = alter_texts::ident(schema);
            name.0.insert(0, ObjectNamePart::Identifier(schema));
        }
        ControlFlow::Continue(())
    }
}

/// Puts schemas before the names of sequences.
struct Sequences<'a, 'b> {
    binder: &'a Binder<'b>,
}

impl VisitorMut for Sequences<'_, '_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<Error> {
        let Some(name) = sequence_name_mut(expr) else {
            return ControlFlow::Continue(());
        };
        let reference = reference_of(name);
        let is_there = |reference: &TableRef| {
            let found = self.binder.catalog.sequence(reference)?;
            Ok(found.is_some())
        };
        match self.binder.other_schema(&reference, is_there) {
            Ok(None) => {}
            Ok(Some(schema)) => {
                let own = alter_texts::ident(&reference.name);
                *name = format!("{}.{own}", alter_texts::ident(&schema));
            }
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Binder<'_> {
    /// Where a text of the catalog is read: what a name without a schema means there.
    pub(super) fn stored_reference(&self, reference: TableRef) -> Result<TableRef> {
        if reference.schema.is_some() {
            return Ok(reference);
        }
        let of_main = in_schema(MAIN, &reference);
        Ok(match self.is_relation(&of_main)? {
            true => of_main,
            false => reference,
        })
    }

    /// The same of the name of a sequence.
    pub(super) fn stored_sequence(&self, reference: TableRef) -> Result<TableRef> {
        let of_main = in_schema(MAIN, &reference);
        Ok(match &reference.schema {
            None if self.catalog.sequence(&of_main)?.is_some() => of_main,
            _ => reference,
        })
    }

    fn is_relation(&self, reference: &TableRef) -> Result<bool> {
        Ok(self.relation_id(reference)?.is_some())
    }

    /// The table or view of a name.
    pub(super) fn relation_id(&self, reference: &TableRef) -> Result<Option<TableId>> {
        Ok(match self.catalog.table(reference)? {
            Some(table) => Some(table.id),
            None => self.catalog.view(reference)?.map(|view| view.id),
        })
    }

    /// The schema other than `main` in which something is found by a name without one.
    fn other_schema(
        &self,
        reference: &TableRef,
        is_there: impl Fn(&TableRef) -> Result<bool>,
    ) -> Result<Option<String>> {
        if reference.schema.is_some() {
            return Ok(None);
        }
        let path = self.catalog.search_path();
        for schema in std::iter::once(TEMPORARY.to_owned()).chain(path) {
            if is_there(&in_schema(&schema, reference))? {
                return Ok((!is_main(&schema)).then_some(schema));
            }
        }
        Ok(None)
    }

    /// Where a definition is bound, remembers what the name of a relation in it was found to be.
    pub(super) fn note_relation(&self, name: &ObjectName, reference: &TableRef) -> Result<()> {
        if self.found_names.borrow().is_none() {
            return Ok(());
        }
        let parts = self.name_parts(name)?;
        let schema = match parts.as_slice() {
            [_] => self.other_schema(reference, |reference| self.is_relation(reference))?,
            _ => None,
        };
        let object = self.relation_id(reference)?;
        if let (Some(found), Some(own)) = (&mut *self.found_names.borrow_mut(), parts.last()) {
            found
                .schemas
                .extend(schema.map(|schema| (own.span, schema)));
            let own = (*own).clone();
            found.relations.extend(object.map(|object| (own, object)));
        }
        Ok(())
    }

    /// The same of the name of a table or view before that of a column.
    pub(super) fn note_qualifier(&self, of: &[Ident], object: Option<TableId>) {
        if let (Some(found), Some(name), Some(object)) =
            (&mut *self.found_names.borrow_mut(), of.last(), object)
        {
            found.relations.push((name.clone(), object));
        }
    }

    /// The same of the name of a column of a table.
    pub(super) fn note_position(&self, name: &Ident, place: (TableId, usize)) {
        if let Some(found) = &mut *self.found_names.borrow_mut() {
            found.columns.push((name.clone(), place));
        }
    }

    /// The same of the name of a column of the rows that are there.
    pub(super) fn note_name(&self, name: &Ident, column: ColumnId) {
        if let Some(found) = &mut *self.found_names.borrow_mut()
            && let Some(place) = found.origins.get(&column)
        {
            found.columns.push((name.clone(), *place));
        }
    }

    /// Columns that are those of a table, in its order.
    pub(super) fn note_origins(&self, table: TableId, columns: impl Iterator<Item = ColumnId>) {
        if let Some(found) = &mut *self.found_names.borrow_mut() {
            let places = columns.zip((0..).map(|position| (table, position)));
            found.origins.extend(places);
        }
    }

    /// What names are found to be while something is bound.
    pub(super) fn with_names<R>(
        &mut self,
        bind: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<(R, FoundNames)> {
        let outer = self.found_names.replace(Some(FoundNames::default()));
        let bound = bind(self);
        let found = self.found_names.replace(outer);
        Ok((bound?, found.unwrap_or_default()))
    }

    /// Puts schemas before the names of sequences in a definition.
    pub(super) fn qualify_sequences(&self, node: &mut impl VisitMut) -> Result<()> {
        match node.visit(&mut Sequences { binder: self }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// The schema in which an object of a name is made, where that is not `main`.
    pub(super) fn schema_for_new(&self, name: &TableRef) -> Option<String> {
        let schema = match &name.schema {
            Some(schema) => Some(schema.clone()),
            None => self.catalog.search_path().into_iter().next(),
        };
        schema.filter(|schema| !is_main(schema))
    }
}

/// The schema that is always there has two names.
fn is_main(schema: &str) -> bool {
    [MAIN, "public"]
        .iter()
        .any(|main| schema.eq_ignore_ascii_case(main))
}

fn in_schema(schema: &str, reference: &TableRef) -> TableRef {
    TableRef {
        schema: Some(schema.to_owned()),
        name: reference.name.clone(),
    }
}
