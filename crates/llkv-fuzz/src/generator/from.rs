//! FROM: tables, views, subqueries and their joins.

use super::{Column, Generator, Relation, RelationKind};

/// A FROM clause and the columns that it brings into sight.
pub(super) struct From {
    pub(super) sql: String,
    pub(super) columns: Vec<Column>,
}

impl Generator<'_> {
    /// A FROM clause of one to three items.
    pub(super) fn from(&mut self) -> From {
        self.part(Self::joined_items)
    }

    fn joined_items(&mut self) -> From {
        let count = 1 + self.choices.weighted(&[5, 4, 2]);
        let mut has_large = false;
        let mut from = self.item(&mut has_large);
        // Where commas bind more loosely than JOIN, an ON sees nothing before the comma.
        let commas_only = !self.is_sqlite() && self.choices.one_in(4);
        for _ in 1..count {
            let right = self.item(&mut has_large);
            from = self.join(from, right, commas_only);
        }
        from
    }

    fn join(&mut self, left: From, right: From, commas_only: bool) -> From {
        let commas = u32::from(self.is_sqlite());
        let kind = match commas_only {
            true => ",",
            false => match self.choices.weighted(&[4, 4, 1, 1, 1, commas]) {
                0 => "JOIN",
                1 => "LEFT JOIN",
                2 => "RIGHT JOIN",
                3 => "FULL JOIN",
                4 => "CROSS JOIN",
                _ => ",",
            },
        };
        let mut columns = left.columns.clone();
        columns.extend(right.columns.iter().cloned());
        let mut sql = format!("{} {kind} {}", left.sql, right.sql);
        if kind.ends_with("JOIN") && kind != "CROSS JOIN" {
            self.scopes.push(columns.clone());
            // A full join is hashed by an equality.
            let condition = if self.choices.one_in(4) {
                self.condition(1)
            } else {
                self.equality(&left, &right)
            };
            self.scopes.pop();
            sql = format!("{sql} ON {condition}");
        }
        From { sql, columns }
    }

    /// A column of each side, equal.
    fn equality(&mut self, left: &From, right: &From) -> String {
        let pairs: Vec<String> = left
            .columns
            .iter()
            .flat_map(|l| right.columns.iter().map(move |r| (l, r)))
            .filter(|(l, r)| l.ty == r.ty)
            .map(|(l, r)| format!("{} = {}", l.sql, r.sql))
            .collect();
        let equality = match self.choices.pick(&pairs) {
            Some(pair) => pair.clone(),
            None => return self.condition(1),
        };
        match self.choices.one_in(4) {
            true => format!("({equality} AND {})", self.condition(1)),
            false => equality,
        }
    }

    fn item(&mut self, has_large: &mut bool) -> From {
        self.part(|this| {
            if this.query_depth > 0 && this.choices.one_in(6) {
                return this.derived();
            }
            let usable: Vec<Relation> = this
                .relations
                .iter()
                .filter(|relation| !(relation.is_large && *has_large))
                .cloned()
                .collect();
            match this.choices.pick(&usable) {
                Some(relation) => {
                    *has_large |= relation.is_large;
                    this.named(relation)
                }
                None => this.derived(),
            }
        })
    }

    fn named(&mut self, relation: &Relation) -> From {
        let alias = self.fresh("a");
        let columns = relation.columns.iter().map(|(name, ty)| Column {
            sql: format!("{alias}.{name}"),
            ty: *ty,
            is_aggregate: false,
            is_stored: matches!(relation.kind, RelationKind::Table { .. }),
        });
        From {
            columns: columns.collect(),
            sql: format!("{} AS {alias}", relation.name),
        }
    }

    fn derived(&mut self) -> From {
        let alias = self.fresh("a");
        let depth = std::mem::take(&mut self.query_depth);
        self.query_depth = depth.saturating_sub(1);
        // It sees nothing around it.
        let scopes = std::mem::take(&mut self.scopes);
        let (sql, types) = if self.relations.is_empty() || depth == 0 {
            ("SELECT 1 AS x0".to_owned(), vec![super::Ty::Integer])
        } else {
            let query = self.query(None);
            (query.sql, query.types)
        };
        self.scopes = scopes;
        self.query_depth = depth;
        let columns = types.iter().enumerate().map(|(index, ty)| Column {
            sql: format!("{alias}.x{index}"),
            ty: *ty,
            is_aggregate: false,
            is_stored: false,
        });
        From {
            columns: columns.collect(),
            sql: format!("({sql}) AS {alias}"),
        }
    }
}
