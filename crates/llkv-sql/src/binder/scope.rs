//! The columns that names may mean.

use llkv_plan::{PlanColumn, TableInfo};
use llkv_types::TableId;
use std::rc::Rc;

/// A column of a FROM clause.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// The name that the relation goes by; none for merged columns of USING.
    pub(super) relation: Option<Rc<str>>,
    /// The table or view that goes by its own name, which a schema may stand before.
    pub(super) object: Option<TableId>,
    /// The column.
    pub(super) column: PlanColumn,
    /// Reached by `relation.name` alone: the column went into a merged one.
    pub(super) hidden: bool,
}

/// The columns of a FROM clause, in the order of `*`.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) columns: Vec<ScopeColumn>,
}

/// What stands before the name of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Qualifier<'n> {
    /// The relation.
    pub(super) name: &'n str,
    /// Where a schema stands before the relation: the table or view that this names, none for a view of the system.
    pub(super) object: Option<Option<TableId>>,
}

/// What a name was found to be.
pub(super) enum Lookup<'s> {
    /// One column.
    Found(&'s ScopeColumn),
    /// More than one.
    Ambiguous,
    /// None.
    Missing,
}

impl Scope {
    /// The columns of one relation.
    pub(super) fn of_relation(name: Option<&str>, columns: Vec<PlanColumn>) -> Self {
        let relation: Option<Rc<str>> = name.map(Into::into);
        Self {
            columns: columns
                .into_iter()
                .map(|column| ScopeColumn {
                    relation: relation.clone(),
                    object: None,
                    column,
                    hidden: false,
                })
                .collect(),
        }
    }

    /// The columns of a table that a statement changes.
    pub(super) fn of_table(
        info: &TableInfo,
        alias: Option<&str>,
        columns: Vec<PlanColumn>,
    ) -> Self {
        match alias {
            None => Self::of_relation(Some(&info.name), columns).of_object(info.id),
            Some(alias) => Self::of_relation(Some(alias), columns),
        }
    }

    /// The same columns, which are those of a table or view under its own name.
    pub(super) fn of_object(mut self, id: TableId) -> Self {
        self.columns
            .iter_mut()
            .for_each(|column| column.object = Some(id));
        self
    }

    /// The columns of both.
    pub(super) fn join(mut self, right: Self) -> Self {
        self.columns.extend(right.columns);
        self
    }

    /// A column by its name and, where given, its relation's.
    pub(super) fn lookup(&self, relation: Option<Qualifier<'_>>, name: &str) -> Lookup<'_> {
        let mut found: Option<&ScopeColumn> = None;
        for candidate in &self.columns {
            let fits = candidate.column.name.eq_ignore_ascii_case(name)
                && match relation {
                    Some(relation) => candidate.is_of(relation),
                    None => !candidate.hidden,
                };
            if !fits {
                continue;
            }
            match found {
                Some(first) if first.column.id != candidate.column.id => return Lookup::Ambiguous,
                _ => found = Some(candidate),
            }
        }
        found.map_or(Lookup::Missing, Lookup::Found)
    }

    /// True where a relation goes by the name.
    pub(super) fn has_relation(&self, relation: Qualifier<'_>) -> bool {
        self.columns.iter().any(|c| c.is_of(relation))
    }

    /// A relation that has the name of a relation of both, where not even a schema tells them apart.
    pub(super) fn same_relation<'s>(&self, other: &'s Self) -> Option<&'s str> {
        let mut last = None;
        for theirs in &other.columns {
            let Some(relation) = theirs.relation.as_deref() else {
                continue;
            };
            if last.replace(relation) == Some(relation) {
                continue;
            }
            let qualifier = Qualifier {
                name: relation,
                object: None,
            };
            let is_apart =
                |own: &ScopeColumn| own.object.zip(theirs.object).is_some_and(|(a, b)| a != b);
            let mut same = self.columns.iter().filter(|own| own.is_of(qualifier));
            if same.any(|own| !is_apart(own)) {
                return Some(relation);
            }
        }
        None
    }

    /// The columns of `*`, or of `relation.*`.
    pub(super) fn star<'s>(
        &'s self,
        relation: Option<Qualifier<'s>>,
    ) -> impl Iterator<Item = &'s PlanColumn> {
        self.columns
            .iter()
            .filter(move |c| match relation {
                Some(relation) => c.is_of(relation),
                None => !c.hidden,
            })
            .map(|c| &c.column)
    }

    /// Names that a mistyped one may have meant.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| &*c.column.name)
    }

    /// Marks columns as ones that may be NULL: the side of an outer join that may have no match.
    pub(super) fn set_nullable(&mut self) {
        for column in &mut self.columns {
            column.column.nullable = true;
        }
    }
}

impl ScopeColumn {
    pub(super) fn is_of(&self, relation: Qualifier<'_>) -> bool {
        let own = self.relation.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(relation.name))
            && relation.object.is_none_or(|object| object == self.object)
    }
}
