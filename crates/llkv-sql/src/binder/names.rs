//! Identifiers: columns by name, and the nearest name for one that does not exist.

use super::collations::Collated;
use super::scope::{Lookup, Qualifier, ScopeColumn};
use super::{Binder, frame::Clause};
use llkv_expr::Expr;
use llkv_plan::{TableInfo, TableRef};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::Scalar;
use sqlparser::ast::{Ident, ObjectName};

/// What the names of SQLite's own tables begin with.
const SYSTEM_PREFIX: &str = "sqlite_";

impl Binder<'_> {
    /// A column, or an alias of the SELECT list where those may be used.
    pub(super) fn bind_name(&mut self, parts: &[Ident]) -> Result<Expr> {
        let (of, name) = match parts {
            [of @ .., name] => (of, name),
            [] => return super::invalid("an empty name"),
        };
        let relation = self.qualifier(of)?;
        for depth in (0..self.frames.len()).rev() {
            let Some(frame) = self.frames.get(depth) else {
                continue;
            };
            match frame.scope.lookup(relation, &name.value) {
                Lookup::Found(ScopeColumn { object, column, .. }) => {
                    let (id, ty) = (column.id, column.ty);
                    self.note_qualifier(of, *object);
                    self.note_name(name, id);
                    self.note_collated(Collated::column(self.collation_of_column(id)));
                    return Ok(Expr::column(id, ty));
                }
                Lookup::Ambiguous => {
                    return Err(BindError::Ambiguous {
                        kind: ObjectKind::Column,
                        name: written(parts),
                        span: self.source.span(name.span),
                    }
                    .into());
                }
                Lookup::Missing => {
                    if self.means_row_id(name)
                        && let Some(number) = self.row_id_of(depth, relation, parts)?
                    {
                        return Ok(number);
                    }
                    // The nearest relation of a name hides those further out.
                    if let (Some(relation), Some(frame)) = (relation, self.frames.get(depth))
                        && self.dialect.names_hide()
                        && frame.scope.has_relation(relation)
                    {
                        return self.name_not_found(Some(relation), name, parts);
                    }
                    if relation.is_none()
                        && let Some(expr) = self.bind_alias(depth, &name.value)
                    {
                        return Ok(expr);
                    }
                }
            }
        }
        if let Some((of_row, collation)) = self.bind_row_name(relation.map(|of| of.name), name) {
            self.note_collated(Collated::column(collation));
            return Ok(of_row);
        }
        self.name_not_found(relation, name, parts)
    }

    /// What stands before a name that means a column.
    pub(super) fn qualifier<'n>(&self, parts: &'n [Ident]) -> Result<Option<Qualifier<'n>>> {
        let (schema, relation) = match parts {
            [] => return Ok(None),
            [relation] => (None, relation),
            [.., schema, relation] => (Some(schema), relation),
        };
        let name = relation.value.as_str();
        let Some(schema) = schema else {
            return Ok(Some(Qualifier { name, object: None }));
        };
        let table = TableRef {
            schema: Some(schema.value.clone()),
            name: name.to_owned(),
        };
        let object = self.relation_id(&table)?;
        if object.is_none() && self.catalog.system_view(&table)?.is_none() {
            return Err(BindError::NotFound {
                kind: ObjectKind::Table,
                name: written(parts),
                hint: None,
                span: self.source.span(relation.span),
            }
            .into());
        }
        let object = Some(object);
        Ok(Some(Qualifier { name, object }))
    }

    /// The position of the column that a name means among those of a table.
    pub(super) fn position_of(&self, info: &TableInfo, name: &Ident) -> Option<usize> {
        let mut columns = info.columns.iter();
        columns
            .position(|column| column.name.eq_ignore_ascii_case(&name.value))
            .or_else(|| match self.means_row_id(name) {
                true => self.row_id_position(info),
                false => None,
            })
    }

    /// The value that the SELECT list names so, where its names may be used.
    fn bind_alias(&mut self, depth: usize, name: &str) -> Option<Expr> {
        let dialect = self.dialect;
        let frame = self.frames.get_mut(depth)?;
        let usable = match frame.clause {
            Clause::Where => dialect.aliases_in_where(),
            Clause::GroupBy
            | Clause::Having
            | Clause::OrderBy
            | Clause::Qualify
            | Clause::Select => true,
            Clause::Aggregate | Clause::On | Clause::Row => false,
        };
        let alias = frame
            .listed
            .iter()
            .flat_map(|listed| listed.iter())
            .find(|item| usable && item.named && item.name.eq_ignore_ascii_case(name))?;
        frame.alias_used = true;
        let (expr, collated) = (alias.expr.clone(), alias.collated);
        self.note_collated(collated);
        Some(expr)
    }

    fn name_not_found(
        &self,
        relation: Option<Qualifier<'_>>,
        name: &Ident,
        parts: &[Ident],
    ) -> Result<Expr> {
        let quoted = name.quote_style == Some('"');
        if relation.is_none() && quoted && self.dialect.quoted_names_fall_back_to_text() {
            return Ok(Expr::Literal(Scalar::Text(name.value.as_str().into())));
        }
        if let Some(relation) = relation {
            let known = self.frames.iter().any(|f| f.scope.has_relation(relation));
            if !known {
                let names: Vec<&str> = self
                    .frames
                    .iter()
                    .flat_map(|f| f.scope.columns.iter().filter_map(|c| c.relation.as_deref()))
                    .collect();
                return Err(BindError::NotFound {
                    kind: ObjectKind::Table,
                    name: relation.name.to_owned(),
                    hint: nearest(relation.name, names.into_iter()),
                    span: parts
                        .iter()
                        .rev()
                        .nth(1)
                        .and_then(|part| self.source.span(part.span)),
                }
                .into());
            }
        }
        let names = self.frames.iter().flat_map(|f| f.scope.names());
        Err(BindError::NotFound {
            kind: ObjectKind::Column,
            name: written(parts),
            hint: nearest(&name.value, names),
            span: self.source.span(name.span),
        }
        .into())
    }

    /// A table's name: `table`, `schema.table`, `catalog.schema.table`.
    pub(super) fn table_ref(&self, name: &ObjectName) -> Result<TableRef> {
        let parts = self.name_parts(name)?;
        match parts.as_slice() {
            [name] => {
                let reference = TableRef {
                    schema: None,
                    name: name.value.clone(),
                };
                match self.is_stored {
                    true => self.stored_reference(reference),
                    false => Ok(reference),
                }
            }
            [.., schema, name] => Ok(TableRef {
                schema: Some(schema.value.clone()),
                name: name.value.clone(),
            }),
            [] => self.invalid("an empty name", name),
        }
    }

    /// The name of something that is to be made.
    pub(super) fn created_name(&self, name: &ObjectName) -> Result<TableRef> {
        let table = self.table_ref(name)?;
        if table.name.is_empty() && self.dialect != crate::SqlDialect::Sqlite {
            return self.invalid("an empty name", name);
        }
        let is_reserved = |name: &str| {
            let start = name.get(..SYSTEM_PREFIX.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM_PREFIX))
        };
        if self.dialect == crate::SqlDialect::Sqlite && is_reserved(&table.name) {
            let message = format!("names that begin with {SYSTEM_PREFIX} are the system's");
            return self.invalid(message, name);
        }
        Ok(table)
    }

    /// The identifiers of a dotted name.
    pub(super) fn name_parts<'n>(&self, name: &'n ObjectName) -> Result<Vec<&'n Ident>> {
        let parts: Option<Vec<&Ident>> = name.0.iter().map(|part| part.as_ident()).collect();
        match parts {
            Some(parts) => Ok(parts),
            None => self.unsupported("a function in a name", name),
        }
    }

    /// A name of one part: a column of an INSERT list, of SET, of USING.
    pub(super) fn simple_name<'n>(&self, name: &'n ObjectName) -> Result<&'n Ident> {
        match self.name_parts(name)?.pop() {
            Some(last) => Ok(last),
            None => self.invalid("an empty name", name),
        }
    }

    /// The error for a table or view that does not exist.
    pub(super) fn table_not_found<T>(&self, name: &TableRef, node: &ObjectName) -> Result<T> {
        let names = self.catalog.names();
        let ctes = self.ctes.iter().flat_map(|scope| scope.names());
        Err(BindError::NotFound {
            kind: ObjectKind::Table,
            name: match &name.schema {
                Some(schema) => format!("{schema}.{}", name.name),
                None => name.name.clone(),
            },
            hint: nearest(&name.name, names.iter().map(String::as_str).chain(ctes)),
            span: self.span(node),
        }
        .into())
    }

    /// The error for a column that a table has not.
    pub(super) fn column_not_found<'n, T>(
        &self,
        name: &Ident,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<T> {
        Err(BindError::NotFound {
            kind: ObjectKind::Column,
            name: name.value.clone(),
            hint: nearest(&name.value, names),
            span: self.source.span(name.span),
        }
        .into())
    }
}

pub(super) fn written(parts: &[Ident]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
    parts.join(".")
}

/// The name that is the fewest typing errors away, if they are few.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    let allowed = 1 + lower.chars().count() / 4;
    names
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["price", "quantity", "id"];
        assert_eq!(nearest("prise", names.into_iter()), Some("price".into()));
        assert_eq!(
            nearest("QUANTITIY", names.into_iter()),
            Some("quantity".into())
        );
        assert_eq!(nearest("banana", names.into_iter()), None);
    }
}
