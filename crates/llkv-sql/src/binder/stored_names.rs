//! Names in texts of the catalog. They mean what they meant when the text was written, whatever the search path is when it is
//! read: one without a schema is of `main`, and where a definition names something of another schema, that is put before the name.

use super::sequences::{reference_of, sequence_name_mut};
use super::{Binder, alter_texts};
use llkv_plan::TableRef;
use llkv_result::{Error, Result};
use sqlparser::ast::{self, Ident, ObjectName, ObjectNamePart, VisitMut, VisitorMut};
use sqlparser::tokenizer::Span;
use std::ops::ControlFlow;

const MAIN: &str = "main";
const TEMPORARY: &str = "temp";

/// Names of relations, by their places in the text, with the schemas other than `main` in which they were found.
#[derive(Debug, Default)]
pub(super) struct FoundNames {
    names: Vec<(Span, String)>,
}

impl FoundNames {
    /// True where one of them is that of a temporary object.
    pub(super) fn has_temporary(&self) -> bool {
        self.names.iter().any(|(_, schema)| schema == TEMPORARY)
    }
}

impl VisitorMut for FoundNames {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(own)] = name.0.as_slice()
            && let Some((_, schema)) = self.names.iter().find(|(span, _)| *span == own.span)
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
        Ok(self.catalog.table(reference)?.is_some() || self.catalog.view(reference)?.is_some())
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

    /// Where a definition is bound, remembers what a name in it was found to be.
    pub(super) fn note_relation(&mut self, name: &Ident, reference: &TableRef) -> Result<()> {
        if self.found_names.is_none() {
            return Ok(());
        }
        let schema = self.other_schema(reference, |reference| self.is_relation(reference))?;
        if let (Some(found), Some(schema)) = (&mut self.found_names, schema) {
            found.names.push((name.span, schema));
        }
        Ok(())
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
