//! The columns that names may mean.

use llkv_plan::PlanColumn;
use std::rc::Rc;

/// A column of a FROM clause.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// The name that the relation goes by; none for merged columns of USING.
    pub(super) relation: Option<Rc<str>>,
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

/// What a name was found to be.
pub(super) enum Lookup<'s> {
    /// One column.
    Found(&'s PlanColumn),
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
                    column,
                    hidden: false,
                })
                .collect(),
        }
    }

    /// The columns of both.
    pub(super) fn join(mut self, right: Self) -> Self {
        self.columns.extend(right.columns);
        self
    }

    /// A column by its name and, where given, its relation's.
    pub(super) fn lookup(&self, relation: Option<&str>, name: &str) -> Lookup<'_> {
        let mut found: Option<&PlanColumn> = None;
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
                Some(first) if first.id != candidate.column.id => return Lookup::Ambiguous,
                _ => found = Some(&candidate.column),
            }
        }
        found.map_or(Lookup::Missing, Lookup::Found)
    }

    /// True where a relation goes by the name.
    pub(super) fn has_relation(&self, relation: &str) -> bool {
        self.columns.iter().any(|c| c.is_of(relation))
    }

    /// The columns of `*`, or of `relation.*`.
    pub(super) fn star<'s>(
        &'s self,
        relation: Option<&'s str>,
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
    pub(super) fn is_of(&self, relation: &str) -> bool {
        self.relation
            .as_deref()
            .is_some_and(|own| own.eq_ignore_ascii_case(relation))
    }
}
