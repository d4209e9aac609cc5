//! Queries: SELECT with its clauses, and set operations between them.

use super::{Cursor, Kind, node};
use sqlparser::ast::{
    Distinct, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    Offset, OffsetRows, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query,
    Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};

/// How tight UNION and EXCEPT bind; INTERSECT binds tighter.
const UNION_PRECEDENCE: u8 = 10;
const INTERSECT_PRECEDENCE: u8 = 20;

impl Cursor<'_> {
    /// A query that begins with SELECT.
    pub(super) fn query(&mut self) -> Option<Box<Query>> {
        self.descend()?;
        let mut query = query_of(self.set_operations(0)?);
        if self.takes_word(Keyword::ORDER) {
            query.order_by = Some(self.order_by()?);
        }
        if self.takes_word(Keyword::LIMIT) {
            query.limit_clause = Some(self.limit()?);
        }
        self.ascend();
        Some(query)
    }

    /// SELECTs, and set operations that bind tighter than `above`.
    fn set_operations(&mut self, above: u8) -> Option<Box<SetExpr>> {
        let select = self.select()?;
        let mut left = node!(SetExpr::Select(select));
        loop {
            let (op, precedence) = match self.keyword(0) {
                Some(Keyword::UNION) => (SetOperator::Union, UNION_PRECEDENCE),
                Some(Keyword::EXCEPT) => (SetOperator::Except, UNION_PRECEDENCE),
                Some(Keyword::INTERSECT) => (SetOperator::Intersect, INTERSECT_PRECEDENCE),
                _ => return Some(left),
            };
            if above >= precedence {
                return Some(left);
            }
            self.at += 1;
            let set_quantifier = if self.takes_word(Keyword::ALL) {
                SetQuantifier::All
            } else if self.takes_word(Keyword::DISTINCT) {
                SetQuantifier::Distinct
            } else {
                SetQuantifier::None
            };
            self.descend()?;
            let right = self.set_operations(precedence)?;
            self.ascend();
            left = node!(SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            });
        }
    }

    fn select(&mut self) -> Option<Box<Select>> {
        if !self.is_at(Keyword::SELECT) {
            return None;
        }
        let select_token = self.token()?;
        let distinct = if self.takes_word(Keyword::DISTINCT) {
            Some(Distinct::Distinct)
        } else if self.takes_word(Keyword::ALL) {
            Some(Distinct::All)
        } else {
            None
        };
        let projection = self.list(Self::item)?;
        let from = match self.takes_word(Keyword::FROM) {
            true => self.list(Self::joined_tables)?,
            false => Vec::new(),
        };
        let selection = match self.takes_word(Keyword::WHERE) {
            true => Some(*self.expr()?),
            false => None,
        };
        let groups = match self.takes_word(Keyword::GROUP) {
            true => {
                self.expect_word(Keyword::BY)?;
                self.list(Self::element)?
            }
            false => Vec::new(),
        };
        let having = match self.takes_word(Keyword::HAVING) {
            true => Some(*self.expr()?),
            false => None,
        };
        Some(node!(Select {
            select_token,
            optimizer_hints: Vec::new(),
            distinct,
            select_modifiers: None,
            top: None,
            top_before_distinct: false,
            projection,
            exclude: None,
            into: None,
            from,
            lateral_views: Vec::new(),
            prewhere: None,
            selection,
            connect_by: Vec::new(),
            group_by: GroupByExpr::Expressions(groups, Vec::new()),
            cluster_by: Vec::new(),
            distribute_by: Vec::new(),
            sort_by: Vec::new(),
            having,
            named_window: Vec::new(),
            qualify: None,
            window_before_qualify: false,
            value_table_mode: None,
            flavor: SelectFlavor::Standard,
        }))
    }

    /// What stands between the commas of SELECT.
    fn item(&mut self) -> Option<SelectItem> {
        if self.peek() == Some(Kind::Mul) {
            return self.all_columns().map(SelectItem::Wildcard);
        }
        if self.nth(1) == Some(Kind::Period) && self.nth(2) == Some(Kind::Mul) {
            let table = ObjectName::from(vec![self.plain_name()?]);
            self.at += 1;
            let table = SelectItemQualifiedWildcardKind::ObjectName(table);
            let options = self.all_columns()?;
            return Some(SelectItem::QualifiedWildcard(table, options));
        }
        let expr = *self.expr()?;
        Some(match self.alias(RESERVED_FOR_COLUMN_ALIAS)? {
            Some((_, alias)) => SelectItem::ExprWithAlias { expr, alias },
            None => SelectItem::UnnamedExpr(expr),
        })
    }

    /// `*`, without words that change what it stands for.
    fn all_columns(&mut self) -> Option<WildcardAdditionalOptions> {
        let star = self.token()?;
        let ends = matches!(
            self.peek(),
            None | Some(Kind::Comma | Kind::RParen | Kind::SemiColon)
        ) || self.is_at(Keyword::FROM);
        ends.then(|| WildcardAdditionalOptions {
            wildcard_token: star,
            ..WildcardAdditionalOptions::default()
        })
    }

    /// `AS name`, or a name that is not one of the words `reserved`; and whether AS was there.
    fn alias(&mut self, reserved: &[Keyword]) -> Option<Option<(bool, Ident)>> {
        if self.takes_word(Keyword::AS) {
            return Some(Some((true, self.name()?)));
        }
        match self.peek() {
            Some(Kind::Word(keyword)) => match keyword {
                // It may begin ON CONFLICT.
                Keyword::ON if reserved == RESERVED_FOR_COLUMN_ALIAS => None,
                keyword if reserved.contains(&keyword) => Some(None),
                _ => Some(Some((false, self.name()?))),
            },
            Some(Kind::QuotedName) => Some(Some((false, self.name()?))),
            None | Some(Kind::Comma | Kind::RParen | Kind::SemiColon) => Some(None),
            Some(_) => None,
        }
    }

    /// A table, and what is joined to it.
    pub(super) fn joined_tables(&mut self) -> Option<TableWithJoins> {
        let relation = self.table()?;
        let mut joins = Vec::new();
        loop {
            let operator = match self.keyword(0) {
                Some(Keyword::CROSS) => None,
                Some(Keyword::JOIN) => Some(JoinOperator::Join as fn(JoinConstraint) -> _),
                Some(Keyword::INNER) => Some(JoinOperator::Inner as fn(JoinConstraint) -> _),
                Some(Keyword::LEFT) => match self.keyword(1) {
                    Some(Keyword::OUTER) => {
                        self.at += 1;
                        Some(JoinOperator::LeftOuter as fn(JoinConstraint) -> _)
                    }
                    _ => Some(JoinOperator::Left as fn(JoinConstraint) -> _),
                },
                _ => return Some(TableWithJoins { relation, joins }),
            };
            self.at += usize::from(!self.is_at(Keyword::JOIN));
            self.expect_word(Keyword::JOIN)?;
            let relation = self.table()?;
            let join_operator = match operator {
                None => JoinOperator::CrossJoin(JoinConstraint::None),
                Some(operator) => {
                    self.expect_word(Keyword::ON)?;
                    operator(JoinConstraint::On(*self.expr()?))
                }
            };
            joins.push(Join {
                relation,
                global: false,
                join_operator,
            });
        }
    }

    /// `t`, `s.t`, `(SELECT ...)`, with or without another name.
    pub(super) fn table(&mut self) -> Option<TableFactor> {
        if self.takes(Kind::LParen) {
            if !self.is_at(Keyword::SELECT) {
                return None;
            }
            let subquery = self.query()?;
            self.expect(Kind::RParen)?;
            return Some(TableFactor::Derived {
                lateral: false,
                subquery,
                alias: self.table_alias()?,
                sample: None,
            });
        }
        Some(TableFactor::Table {
            name: self.plain_names()?,
            alias: self.table_alias()?,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        })
    }

    fn table_alias(&mut self) -> Option<Option<TableAlias>> {
        Some(
            self.alias(RESERVED_FOR_TABLE_ALIAS)?
                .map(|(explicit, name)| TableAlias {
                    explicit,
                    name,
                    columns: Vec::new(),
                    at: None,
                }),
        )
    }

    /// What stands behind ORDER.
    fn order_by(&mut self) -> Option<OrderBy> {
        self.expect_word(Keyword::BY)?;
        let keys = self.list(Self::sort_key)?;
        Some(OrderBy {
            kind: OrderByKind::Expressions(keys),
            interpolate: None,
        })
    }

    /// `x [ASC|DESC] [NULLS FIRST|LAST]`
    fn sort_key(&mut self) -> Option<OrderByExpr> {
        let expr = *self.expr()?;
        let sort = if self.takes_word(Keyword::ASC) {
            Some(OrderBySort::Asc)
        } else if self.takes_word(Keyword::DESC) {
            Some(OrderBySort::Desc)
        } else {
            None
        };
        let mut nulls_first = None;
        if self.takes_word(Keyword::NULLS) {
            nulls_first = Some(self.takes_word(Keyword::FIRST));
            if nulls_first == Some(false) {
                self.expect_word(Keyword::LAST)?;
            }
        }
        Some(OrderByExpr {
            expr,
            options: OrderByOptions { sort, nulls_first },
            with_fill: None,
        })
    }

    /// `n [OFFSET m]` behind LIMIT.
    fn limit(&mut self) -> Option<LimitClause> {
        let limit = Some(*self.expr()?);
        let offset = match self.takes_word(Keyword::OFFSET) {
            true => Some(Offset {
                value: *self.expr()?,
                rows: OffsetRows::None,
            }),
            false => None,
        };
        let ends = matches!(self.peek(), None | Some(Kind::RParen | Kind::SemiColon));
        ends.then_some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by: Vec::new(),
        })
    }
}

/// A query that is nothing but its body.
pub(super) fn query_of(body: Box<SetExpr>) -> Box<Query> {
    node!(Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    })
}
