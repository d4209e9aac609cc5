//! Triggers whose texts name a table or view that changes: those that follow it, and those that would not bind any more.

use super::alter_texts::ident;
use super::altered_catalog::{Altered, AlteredCatalog};
use super::stored_names::FoundNames;
use super::{Binder, ParameterMode};
use crate::SqlDialect;
use crate::text::{SourceText, TriggerText, parse_trigger};
use llkv_plan::{CatalogView, Dependent, TableInfo, TriggerInfo, ViewInfo};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::TableId;
use sqlparser::tokenizer::Span;
use std::sync::Arc;

/// What a trigger is on.
#[derive(Clone)]
pub(super) enum On {
    Table(Arc<TableInfo>),
    View(Arc<ViewInfo>),
}

impl On {
    pub(super) fn id(&self) -> TableId {
        match self {
            Self::Table(info) => info.id,
            Self::View(view) => view.id,
        }
    }

    /// The same when `now` has taken the place of what is altered; none where it is gone.
    fn then(self, altered: &AlteredCatalog<'_>, now: &Self) -> Option<Self> {
        match self {
            own if own.id() == now.id() => Some(now.clone()),
            Self::View(view) => altered.rewritten(view).map(Self::View),
            table => Some(table),
        }
    }
}

/// What the names in a trigger's text are.
struct Names {
    /// Those before BEGIN.
    head: FoundNames,
    /// The others; none where they do not all mean something.
    body: Option<FoundNames>,
}

impl Names {
    fn all(&self) -> impl Iterator<Item = &FoundNames> {
        std::iter::once(&self.head).chain(&self.body)
    }
}

/// All triggers, with what they are on.
fn triggers(catalog: &dyn CatalogView) -> Result<Vec<(TriggerInfo, On)>> {
    let mut relations: Vec<On> = catalog.tables().into_iter().map(On::Table).collect();
    for name in catalog.views() {
        relations.extend(catalog.view(&name)?.map(On::View));
    }
    let mut found = Vec::new();
    for on in relations {
        let triggers = catalog.triggers(on.id());
        found.extend(triggers.into_iter().map(|info| (info, on.clone())));
    }
    Ok(found)
}

/// Finds out what the names of a text mean.
fn names(binder: &mut Binder<'_>, text: &TriggerText, on: &On) -> Result<Names> {
    let relation = match on {
        On::Table(info) => Arc::clone(info),
        On::View(view) => binder.view_as_table(view)?.0,
    };
    let ((), head) = binder.with_names(|binder| {
        let table = binder.name_parts(&text.table)?.pop().cloned();
        binder.note_qualifier(table.as_slice(), Some(relation.id));
        for column in &text.columns {
            binder.column_position(&relation, column)?;
        }
        Ok(())
    })?;
    binder.trigger_row = Some(binder.row_of_trigger(text.event, &relation));
    let body = binder.with_names(|binder| binder.bind_program(text));
    let body = body.ok().map(|(_, body)| body);
    Ok(Names { head, body })
}

/// The same of a text of the catalog.
fn stored_names(catalog: &dyn CatalogView, (info, on): (&TriggerInfo, &On)) -> Result<Names> {
    let dialect: SqlDialect = info.dialect.parse()?;
    let mut binder = Binder::new(catalog, dialect, "", ParameterMode::None);
    parse_trigger(&info.sql, dialect, |text| {
        binder.of_catalog(dialect, |binder| names(binder, text, on))
    })
}

/// The text of a trigger to create with schemas before names that are found by the search path alone, and whether it is about a
/// temporary object.
pub(super) fn with_schemas(
    binder: &Binder<'_>,
    text: &TriggerText,
    on: &On,
) -> Result<(String, bool)> {
    let mut reader = Binder::new(binder.catalog, binder.dialect, "", ParameterMode::None);
    // What it names may be made later.
    let body = names(&mut reader, text, on).ok();
    let ((), head) = reader
        .with_names(|reader| reader.note_relation(&text.table, &reader.table_ref(&text.table)?))?;
    let mut found = vec![head];
    found.extend(body.and_then(|names| names.body));
    let temporary = found.iter().any(FoundNames::has_temporary);
    let schemas = found.into_iter().flat_map(FoundNames::into_schemas);
    let before = |(name, schema): (Span, String)| {
        let place = Span::new(name.start, name.start);
        (place, format!("{}.", ident(&schema)))
    };
    let edits = schemas.map(before).collect();
    Ok((edited(binder.source.text(), edits), temporary))
}

/// The triggers that name a table or view, as they are when it has another name.
pub(super) fn with_other_name(
    binder: &Binder<'_>,
    (on, name): (&On, &str),
    to: &str,
    views: &[Dependent],
) -> Result<Vec<Dependent>> {
    let now = match on {
        On::Table(info) => On::Table(Arc::new(TableInfo {
            name: to.to_owned(),
            ..info.as_ref().clone()
        })),
        On::View(view) => On::View(Arc::clone(view)),
    };
    let altered = AlteredCatalog {
        catalog: binder.catalog,
        relation: on.id(),
        now: Altered::Named {
            from: name.to_owned(),
            to: to.to_owned(),
            table: match &now {
                On::Table(info) => Some(Arc::clone(info)),
                On::View(_) => None,
            },
        },
        dependents: views,
    };
    let kind = match on {
        On::Table(_) => ObjectKind::Table,
        On::View(_) => ObjectKind::View,
    };
    follow(&altered, &now, (kind, name), |found| {
        let relations = found.relations.iter();
        let own =
            relations.filter(|(own, id)| *id == on.id() && own.value.eq_ignore_ascii_case(name));
        own.map(|(own, _)| (own.span, ident(to).to_string()))
            .collect()
    })
}

/// The triggers that name a column, as they are when it has another name.
pub(super) fn with_column_name(
    binder: &Binder<'_>,
    (info, after): (&TableInfo, &Arc<TableInfo>),
    position: usize,
    views: &[Dependent],
) -> Result<Vec<Dependent>> {
    let (Some(from), Some(to)) = (info.columns.get(position), after.columns.get(position)) else {
        return Ok(Vec::new());
    };
    let altered = AlteredCatalog {
        catalog: binder.catalog,
        relation: info.id,
        now: Altered::Table(Arc::clone(after)),
        dependents: views,
    };
    let now = On::Table(Arc::clone(after));
    follow(&altered, &now, (ObjectKind::Column, &from.name), |found| {
        let columns = found.columns.iter();
        let own = columns.filter(|(own, place)| {
            *place == (info.id, position) && own.value.eq_ignore_ascii_case(&from.name)
        });
        own.map(|(own, _)| (own.span, ident(&to.name).to_string()))
            .collect()
    })
}

/// The triggers that go with a column, with CASCADE; an error where there are any without.
pub(super) fn without(
    binder: &Binder<'_>,
    (info, after): (&TableInfo, &TableInfo),
    position: usize,
    (cascade, views): (bool, &[Dependent]),
) -> Result<Vec<Dependent>> {
    let after = Arc::new(after.clone());
    let altered = AlteredCatalog {
        catalog: binder.catalog,
        relation: info.id,
        now: Altered::Table(Arc::clone(&after)),
        dependents: views,
    };
    let now = On::Table(after);
    let mut gone = Vec::new();
    for (trigger, on) in triggers(binder.catalog)? {
        let Ok(names) = stored_names(binder.catalog, (&trigger, &on)) else {
            continue;
        };
        let place = (info.id, position);
        let uses = |found: &FoundNames| found.columns.iter().any(|(_, used)| *used == place);
        let Some(on) = on.then(&altered, &now) else {
            continue;
        };
        let fails = || {
            let then = stored_names(&altered, (&trigger, &on));
            then.map_or(true, |then| then.body.is_none() && names.body.is_some())
        };
        if names.all().any(uses) || fails() {
            let name = info.columns.get(position).map_or("", |column| &column.name);
            if !cascade {
                return Err(in_use((ObjectKind::Column, name), &trigger));
            }
            gone.push(Dependent {
                id: trigger.id,
                sql: None,
            });
        }
    }
    Ok(gone)
}

/// The triggers in whose texts `edits` finds something to write anew.
fn follow(
    altered: &AlteredCatalog<'_>,
    now: &On,
    changed: (ObjectKind, &str),
    edits: impl Fn(&FoundNames) -> Vec<(Span, String)>,
) -> Result<Vec<Dependent>> {
    let mut followed = Vec::new();
    for (trigger, on) in triggers(altered.catalog)? {
        // One that does not bind now has no names to follow.
        let Ok(names) = stored_names(altered.catalog, (&trigger, &on)) else {
            continue;
        };
        let edits: Vec<_> = names.all().flat_map(&edits).collect();
        if edits.is_empty() {
            continue;
        }
        let again = TriggerInfo {
            sql: edited(&trigger.sql, edits),
            ..trigger.clone()
        };
        let Some(on) = on.then(altered, now) else {
            continue;
        };
        let uses = |names: &Names| -> usize {
            let found = names
                .all()
                .map(|found| found.relations.len() + found.columns.len());
            found.sum()
        };
        match stored_names(altered, (&again, &on)) {
            Ok(then) if uses(&then) == uses(&names) => followed.push(Dependent {
                id: trigger.id,
                sql: Some(again.sql),
            }),
            _ => return Err(in_use(changed, &trigger)),
        }
    }
    Ok(followed)
}

fn in_use((kind, name): (ObjectKind, &str), trigger: &TriggerInfo) -> llkv_result::Error {
    CatalogError::in_use(kind, name, format!("trigger \"{}\"", trigger.name))
}

/// A text with others in some places.
fn edited(sql: &str, edits: Vec<(Span, String)>) -> String {
    let source = SourceText::new(sql);
    let mut places: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for (span, text) in edits {
        let end = source.byte(span.end).unwrap_or(sql.len());
        places.extend(source.byte(span.start).map(|start| (start..end, text)));
    }
    // A name may have been met more than once.
    places.sort_by_key(|(place, _)| place.start);
    places.dedup_by_key(|(place, _)| place.start);
    let mut sql = sql.to_owned();
    for (place, text) in places.into_iter().rev() {
        sql.replace_range(place, &text);
    }
    sql
}
