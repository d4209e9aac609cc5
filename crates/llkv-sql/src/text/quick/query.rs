//! Queries: SELECT with its clauses, and set operations between them.

use super::Cursor;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Distinct, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    Offset, OffsetRows, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query,
    Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};
use sqlparser::tokenizer::Token;

/// How tight UNION and EXCEPT bind; INTERSECT binds tighter.
const UNION_PRECEDENCE: u8 = 10;
const INTERSECT_PRECEDENCE: u8 = 20;

impl Cursor<'_> {
    /// A query that begins with SELECT.
    pub(super) fn query(&mut self) -> Option<Box<Query>> {
        self.nested(|cursor| {
            Some(Box::new(Query {
                with: None,
                body: Box::new(cursor.set_operations(0)?),
                order_by: cursor.order_by()?,
                limit_clause: cursor.limit()?,
                fetch: None,
                locks: Vec::new(),
                for_clause: None,
                settings: None,
                format_clause: None,
                pipe_operators: Vec::new(),
            }))
        })
    }

    /// SELECTs, and set operations that bind tighter than `above`.
    fn set_operations(&mut self, above: u8) -> Option<SetExpr> {
        let mut left = SetExpr::Select(self.select()?);
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
            let right = self.nested(|cursor| cursor.set_operations(precedence))?;
            left = SetExpr::SetOperation {
                op,
                set_quantifier,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
    }

    fn select(&mut self) -> Option<Box<Select>> {
        if !self.is_at(Keyword::SELECT) {
            return None;
        }
        let select_token = AttachedToken(self.next()?.clone());
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
            true => Some(self.expr()?),
            false => None,
        };
        let groups = match self.takes_word(Keyword::GROUP) {
            true => {
                self.expect_word(Keyword::BY)?;
                self.list(Self::expr)?
            }
            false => Vec::new(),
        };
        let having = match self.takes_word(Keyword::HAVING) {
            true => Some(self.expr()?),
            false => None,
        };
        Some(Box::new(Select {
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
        if self.peek() == Some(&Token::Mul) {
            return self.all_columns().map(SelectItem::Wildcard);
        }
        if self.nth(1) == Some(&Token::Period) && self.nth(2) == Some(&Token::Mul) {
            let table = ObjectName::from(vec![self.plain_name()?]);
            self.at += 1;
            let table = SelectItemQualifiedWildcardKind::ObjectName(table);
            let options = self.all_columns()?;
            return Some(SelectItem::QualifiedWildcard(table, options));
        }
        let expr = self.expr()?;
        Some(match self.alias(RESERVED_FOR_COLUMN_ALIAS)? {
            Some((_, alias)) => SelectItem::ExprWithAlias { expr, alias },
            None => SelectItem::UnnamedExpr(expr),
        })
    }

    /// `*`, without words that change what it stands for.
    fn all_columns(&mut self) -> Option<WildcardAdditionalOptions> {
        let star = self.next()?.clone();
        let ends = matches!(
            self.peek(),
            None | Some(Token::Comma | Token::RParen | Token::SemiColon)
        ) || self.is_at(Keyword::FROM);
        ends.then(|| WildcardAdditionalOptions {
            wildcard_token: star.into(),
            ..WildcardAdditionalOptions::default()
        })
    }

    /// `AS name`, or a name that is not one of the words `reserved`; and whether AS was there.
    fn alias(&mut self, reserved: &[Keyword]) -> Option<Option<(bool, Ident)>> {
        if self.takes_word(Keyword::AS) {
            return Some(Some((true, self.name()?)));
        }
        match self.peek() {
            Some(Token::Word(word)) => match word.keyword {
                // It may begin ON CONFLICT.
                Keyword::ON if reserved == RESERVED_FOR_COLUMN_ALIAS => None,
                keyword if reserved.contains(&keyword) => Some(None),
                _ => Some(Some((false, self.name()?))),
            },
            None | Some(Token::Comma | Token::RParen | Token::SemiColon) => Some(None),
            Some(_) => None,
        }
    }

    /// A table, and what is joined to it.
    fn joined_tables(&mut self) -> Option<TableWithJoins> {
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
                    operator(JoinConstraint::On(self.expr()?))
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
    fn table(&mut self) -> Option<TableFactor> {
        if self.takes(&Token::LParen) {
            if !self.is_at(Keyword::SELECT) {
                return None;
            }
            let subquery = self.query()?;
            self.expect(&Token::RParen)?;
            return Some(TableFactor::Derived {
                lateral: false,
                subquery,
                alias: self.table_alias()?,
                sample: None,
            });
        }
        let mut name = vec![self.plain_name()?];
        if self.takes(&Token::Period) {
            name.push(self.plain_name()?);
        }
        Some(TableFactor::Table {
            name: ObjectName::from(name),
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

    fn order_by(&mut self) -> Option<Option<OrderBy>> {
        if !self.takes_word(Keyword::ORDER) {
            return Some(None);
        }
        self.expect_word(Keyword::BY)?;
        let keys = self.list(Self::sort_key)?;
        Some(Some(OrderBy {
            kind: OrderByKind::Expressions(keys),
            interpolate: None,
        }))
    }

    /// `x [ASC|DESC] [NULLS FIRST|LAST]`
    fn sort_key(&mut self) -> Option<OrderByExpr> {
        let expr = self.expr()?;
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

    /// `LIMIT n [OFFSET m]`
    fn limit(&mut self) -> Option<Option<LimitClause>> {
        if !self.takes_word(Keyword::LIMIT) {
            return Some(None);
        }
        let limit = Some(self.expr()?);
        let offset = match self.takes_word(Keyword::OFFSET) {
            true => Some(Offset {
                value: self.expr()?,
                rows: OffsetRows::None,
            }),
            false => None,
        };
        let ends = matches!(self.peek(), None | Some(Token::RParen | Token::SemiColon));
        ends.then_some(Some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by: Vec::new(),
        }))
    }
}
