//! `*`, `t.*`, and what they leave out or replace.

use super::Binder;
use super::collations::Collated;
use super::scope::Qualifier;
use super::select::SelectItem;
use llkv_expr::Expr;
use llkv_result::{BindError, ObjectKind, Result};
use sqlparser::ast::{self, ExcludeSelectItem, SelectItemQualifiedWildcardKind};

impl Binder<'_> {
    pub(super) fn bind_wildcard(
        &mut self,
        of: Option<&SelectItemQualifiedWildcardKind>,
        options: &ast::WildcardAdditionalOptions,
    ) -> Result<Vec<SelectItem>> {
        if options.opt_ilike.is_some() || options.opt_rename.is_some() {
            return self.unsupported("* with ILIKE or RENAME", options);
        }
        let mut items = match of {
            None => self.expand_star(None, options)?,
            Some(SelectItemQualifiedWildcardKind::ObjectName(name)) => {
                let parts: Vec<ast::Ident> = self.name_parts(name)?.into_iter().cloned().collect();
                let relation = self.qualifier(&parts)?;
                if let Some(frame) = self.frames.last() {
                    let mut columns = frame.scope.columns.iter();
                    let own = columns.find(|own| relation.is_some_and(|of| own.is_of(of)));
                    self.note_qualifier(&parts, own.and_then(|own| own.object));
                }
                self.expand_star(relation, name)?
            }
            Some(SelectItemQualifiedWildcardKind::Expr(expr)) => {
                return self.unsupported("* of an expression", expr);
            }
        };
        for name in excluded(options) {
            let before = items.len();
            items.retain(|item| !item.name.eq_ignore_ascii_case(&name));
            if items.len() == before {
                return self.invalid(format!("EXCLUDE: there is no column \"{name}\""), options);
            }
        }
        if let Some(replace) = &options.opt_replace {
            for element in &replace.items {
                let expr = self.bind_expr(&element.expr)?;
                let name = &element.column_name;
                let Some(item) = items
                    .iter_mut()
                    .find(|item| item.name.eq_ignore_ascii_case(&name.value))
                else {
                    return self.invalid(
                        format!("REPLACE: there is no column \"{}\"", name.value),
                        name,
                    );
                };
                item.expr = expr;
                item.collated = self.collated_last();
                item.nullable = true;
            }
        }
        Ok(items)
    }

    /// All columns of the rows, or of one relation among them.
    pub(super) fn expand_star(
        &self,
        relation: Option<Qualifier<'_>>,
        node: &impl super::place::Place,
    ) -> Result<Vec<SelectItem>> {
        let items: Vec<SelectItem> = self
            .frames
            .last()
            .map(|frame| {
                frame
                    .scope
                    .star(relation)
                    .map(|column| SelectItem {
                        name: column.name.clone(),
                        expr: Expr::column(column.id, column.ty),
                        nullable: column.nullable,
                        named: false,
                        collated: Collated::column(self.collation_of_column(column.id)),
                    })
                    .collect()
            })
            .unwrap_or_default();
        if items.is_empty() {
            return match relation {
                Some(relation) => Err(BindError::NotFound {
                    kind: ObjectKind::Table,
                    name: relation.name.to_owned(),
                    hint: None,
                    span: self.span(node),
                }
                .into()),
                None => self.invalid("* without FROM", node),
            };
        }
        Ok(items)
    }
}

fn excluded(options: &ast::WildcardAdditionalOptions) -> Vec<String> {
    let last = |name: &ast::ObjectName| {
        name.0
            .last()
            .and_then(|part| part.as_ident())
            .map(|ident| ident.value.clone())
    };
    match (&options.opt_exclude, &options.opt_except) {
        (Some(ExcludeSelectItem::Single(name)), _) => last(name).into_iter().collect(),
        (Some(ExcludeSelectItem::Multiple(names)), _) => names.iter().filter_map(last).collect(),
        (None, Some(except)) => std::iter::once(&except.first_element)
            .chain(&except.additional_elements)
            .map(|ident| ident.value.clone())
            .collect(),
        (None, None) => vec![],
    }
}
