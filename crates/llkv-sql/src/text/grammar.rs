//! The grammar that each dialect accepts, as hooks of the parser library.

use crate::dialect::SqlDialect;
use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Ident, ObjectName, Query, SetExpr, Statement, Table,
    UnaryOperator,
};
use sqlparser::dialect::{Dialect, DuckDbDialect, PostgreSqlDialect, Precedence, SQLiteDialect};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::any::TypeId;

/// The parser's view of a [`SqlDialect`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    dialect: SqlDialect,
    /// No definitions of columns are read, in which the library has to know whether a NOT NULL stands within
    /// parentheses.
    plain_parentheses: bool,
}

impl Grammar {
    pub(super) const fn new(dialect: SqlDialect) -> Self {
        Self {
            dialect,
            plain_parentheses: false,
        }
    }

    /// The grammar for these tokens.
    pub(super) fn of(self, tokens: &[TokenWithSpan]) -> Self {
        let defines = [Keyword::CREATE, Keyword::ALTER];
        let is_definition = |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if defines.contains(&word.keyword));
        Self {
            plain_parentheses: !tokens.iter().any(is_definition),
            ..self
        }
    }

    const fn is_sqlite(self) -> bool {
        matches!(self.dialect, SqlDialect::Sqlite)
    }
}

macro_rules! accepts {
    ($($hook:ident)*) => {
        $(fn $hook(&self) -> bool { true })*
    };
}

impl Dialect for Grammar {
    /// Some productions of the library ask for the identity of the dialect.
    fn dialect(&self) -> TypeId {
        match self.dialect {
            SqlDialect::Llkv => TypeId::of::<PostgreSqlDialect>(),
            SqlDialect::Sqlite => TypeId::of::<SQLiteDialect>(),
            SqlDialect::DuckDb => TypeId::of::<DuckDbDialect>(),
        }
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_' || !ch.is_ascii()
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$' || !ch.is_ascii()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`' || (self.is_sqlite() && ch == '[')
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('"')
    }

    fn supports_trailing_commas(&self) -> bool {
        !self.is_sqlite()
    }

    fn supports_dictionary_syntax(&self) -> bool {
        !self.is_sqlite()
    }

    fn supports_nested_comments(&self) -> bool {
        !self.is_sqlite()
    }

    fn supports_boolean_literals(&self) -> bool {
        true
    }

    /// Elsewhere `$$` starts a text; `$1` is a parameter in any case.
    fn supports_dollar_placeholder(&self) -> bool {
        self.is_sqlite()
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        !self.is_sqlite()
    }

    accepts! {
        supports_filter_during_aggregation
        supports_group_by_expr
        supports_in_empty_list
        supports_limit_comma
        supports_bitwise_shift_operators
        supports_notnull_operator
        supports_numeric_literal_underscores
        supports_comma_separated_trim
        supports_from_first_select
        supports_order_by_all
        supports_select_wildcard_exclude
        supports_select_wildcard_replace
        supports_select_wildcard_except
        supports_start_transaction_modifier
        supports_explain_with_utility_options
        supports_extract_comma_syntax
        allow_extract_custom
        allow_extract_single_quotes
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_named_fn_args_with_assignment_operator
        supports_named_fn_args_with_rarrow_operator
        supports_string_escape_constant
        supports_asc_desc_in_column_definition
        supports_interval_options
        supports_insert_table_alias
        supports_unicode_string_literal
        supports_window_clause_named_window_reference
        supports_group_by_with_modifier
        supports_window_function_null_treatment_arg
        supports_parenthesized_set_variables
        supports_alter_column_type_using
        supports_create_table_like_parenthesized
    }

    /// Short cuts for the literals and plain names that most expressions are made of: the library
    /// would first try, and fail, to read each as a type name.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Minus => Some(sign(parser, UnaryOperator::Minus)),
            Token::Plus => Some(sign(parser, UnaryOperator::Plus)),
            Token::Tilde if self.is_sqlite() => Some(sign(parser, UnaryOperator::BitwiseNot)),
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => {
                Some(parser.parse_value().map(Expr::Value))
            }
            Token::LParen if self.plain_parentheses => parenthesized(parser),
            Token::Word(word) => {
                let keyword = word.keyword;
                word_prefix(parser, keyword)
            }
            _ => None,
        }
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if self.is_power(parser) {
            parser.next_token();
            parser.next_token();
            return Some(infix(parser, expr, precedence, BinaryOperator::PGExp));
        }
        if !self.is_sqlite() && parser.consume_token(&Token::Caret) {
            return Some(infix(parser, expr, precedence, BinaryOperator::PGExp));
        }
        if !matches!(
            parser.peek_token_ref().token,
            Token::Word(_) | Token::DuckIntDiv
        ) {
            return None;
        }
        if is_word(parser, "ISNULL") {
            parser.next_token();
            return Some(Ok(Expr::IsNull(Box::new(expr.clone()))));
        }
        if parser.consume_token(&Token::DuckIntDiv) {
            return Some(infix(
                parser,
                expr,
                precedence,
                BinaryOperator::DuckIntegerDivide,
            ));
        }
        for (keyword, op) in [
            (Keyword::GLOB, BinaryOperator::Glob),
            (Keyword::REGEXP, BinaryOperator::Regexp),
            (Keyword::MATCH, BinaryOperator::Match),
        ] {
            if parser.parse_keyword(keyword) {
                return Some(infix(parser, expr, precedence, op));
            }
            if parser.parse_keywords(&[Keyword::NOT, keyword]) {
                let test = infix(parser, expr, precedence, op);
                return Some(test.map(|test| Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(test),
                }));
            }
        }
        if self.is_sqlite()
            && let Some(test) = is_test(parser, expr, precedence)
        {
            return Some(test);
        }
        let in_list = in_table(parser, expr).or_else(|| in_queries(parser, expr));
        in_list.or_else(|| {
            super::between::symmetric(parser, expr, self.prec_value(Precedence::Between))
        })
    }

    /// SQLite's order of precedence differs from the library's default where operators on bits and
    /// `||` are concerned.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::StringConcat if self.is_sqlite() => Some(Ok(CONCAT_PRECEDENCE)),
            Token::StringConcat => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Mul if self.is_power(parser) => Some(Ok(POWER_PRECEDENCE)),
            // SQLite has no such operator: the expression ends before it.
            Token::Caret if self.is_sqlite() => Some(Ok(0)),
            Token::Caret => Some(Ok(POWER_PRECEDENCE)),
            Token::Ampersand | Token::Pipe | Token::ShiftLeft | Token::ShiftRight => {
                Some(Ok(BITS_PRECEDENCE))
            }
            // `x ISNULL`; the library knows `x NOTNULL`.
            Token::Word(_) if is_word(parser, "ISNULL") => {
                Some(Ok(self.prec_value(Precedence::Is)))
            }
            _ => None,
        }
    }

    /// `INSERT INTO t SELECT 1 ON CONFLICT ...`: ON names no column.
    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        let conflict = || matches!(&parser.peek_token_ref().token, Token::Word(w) if w.keyword == Keyword::CONFLICT);
        let reserved =
            RESERVED_FOR_COLUMN_ALIAS.contains(keyword) && !FREE_ALIASES.contains(keyword);
        !(reserved || *keyword == Keyword::ON && conflict())
    }

    fn is_table_alias(&self, keyword: &Keyword, _: &mut Parser) -> bool {
        !RESERVED_FOR_TABLE_ALIAS.contains(keyword) || FREE_ALIASES.contains(keyword)
    }

    /// `REPLACE INTO` is an INSERT; `CREATE TABLE t (a, b) AS` names columns without types.
    fn parse_statement(&self, parser: &mut Parser) -> Option<Result<Statement, ParserError>> {
        if let Some(created) = super::create_as::parse(parser) {
            return Some(created);
        }
        if parser.parse_keyword(Keyword::REPLACE) {
            parser.prev_token();
            let token = parser.get_current_token().clone();
            return Some(parser.parse_insert(token));
        }
        None
    }
}

impl Grammar {
    /// DuckDB's `**`, which the library reads as two `*`.
    fn is_power(&self, parser: &Parser) -> bool {
        matches!(self.dialect, SqlDialect::DuckDb)
            && parser.peek_token_ref().token == Token::Mul
            && {
                let (first, second) = (parser.peek_nth_token_ref(0), parser.peek_nth_token_ref(1));
                second.token == Token::Mul && first.span.end == second.span.start
            }
    }
}

/// Words that begin clauses in grammars that the library knows besides ours.
const FREE_ALIASES: [Keyword; 9] = [
    Keyword::TOP,
    Keyword::SORT,
    Keyword::CLUSTER,
    Keyword::DISTRIBUTE,
    Keyword::MINUS,
    Keyword::VIEW,
    Keyword::START,
    Keyword::OUTPUT,
    Keyword::FORMAT,
];

/// Between `+` (30) and comparisons (20).
const BITS_PRECEDENCE: u8 = 25;
/// Above `*` (40), below `::` (50).
const CONCAT_PRECEDENCE: u8 = 45;
/// Above `*` and AT TIME ZONE.
const POWER_PRECEDENCE: u8 = 43;
/// Above `||` and `^`, below `::`: a sign binds tighter than any operator with two sides.
const SIGN_PRECEDENCE: u8 = 48;

/// True where the next token is this word, without quotes.
fn is_word(parser: &Parser, text: &str) -> bool {
    matches!(&parser.peek_token_ref().token,
        Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
}

/// A plain name, or a call or keyword that begins nothing else, without trying it as a type name.
fn word_prefix(parser: &mut Parser, keyword: Keyword) -> Option<Result<Expr, ParserError>> {
    let next = &parser.peek_nth_token_ref(1).token;
    match keyword {
        Keyword::NoKeyword if ends_name(next) => {
            Some(parser.parse_identifier().map(Expr::Identifier))
        }
        Keyword::COUNT
        | Keyword::SUM
        | Keyword::AVG
        | Keyword::MIN
        | Keyword::MAX
        | Keyword::ABS
        | Keyword::COALESCE
        | Keyword::NULLIF
            if *next == Token::LParen =>
        {
            let name = parser.parse_identifier();
            Some(name.and_then(|name| parser.parse_function(ObjectName::from(vec![name]))))
        }
        Keyword::NULL => Some(parser.parse_value().map(Expr::Value)),
        Keyword::ROW if *next == Token::LParen => {
            parser.advance_token();
            Some(row(parser))
        }
        Keyword::CAST if *next == Token::LParen => {
            parser.advance_token();
            Some(parser.parse_cast_expr(CastKind::Cast))
        }
        Keyword::CASE => {
            parser.advance_token();
            Some(parser.parse_case_expr())
        }
        // The library takes `(3)` of `INTERVAL (3) DAY` for digits of a type, as in `INTERVAL (3) '1 day'`.
        Keyword::INTERVAL if *next == Token::LParen => {
            let behind = &parser.peek_nth_token_ref(4).token;
            if matches!(behind, Token::SingleQuotedString(_)) {
                return None;
            }
            parser.advance_token();
            Some(parser.parse_interval())
        }
        Keyword::TRIM if *next == Token::LParen => trim_blanks(parser),
        Keyword::NOT => {
            parser.advance_token();
            Some(parser.parse_not())
        }
        _ => None,
    }
}

/// `TRIM(LEADING FROM x)`, which the library knows with characters alone.
fn trim_blanks(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let keyword = |at: usize| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let sides = [Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING];
    if !sides.contains(&keyword(2)) || keyword(3) != Keyword::FROM {
        return None;
    }
    parser.advance_token();
    parser.advance_token();
    Some(blanks_of(parser))
}

fn blanks_of(parser: &mut Parser) -> Result<Expr, ParserError> {
    let trim_where = Some(parser.parse_trim_where()?);
    parser.expect_keyword_is(Keyword::FROM)?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim {
        expr,
        trim_where,
        trim_what: None,
        trim_characters: None,
    })
}

/// `(a, b)` behind ROW.
fn row(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let values = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Tuple(values))
}

/// True for what may follow a name in an expression, but neither a function's name nor a type's.
fn ends_name(next: &Token) -> bool {
    match next {
        // In `interval '1' day` and `national 'text'` a text follows at once.
        Token::Word(_) => true,
        Token::Comma
        | Token::RParen
        | Token::EOF
        | Token::SemiColon
        | Token::Period
        | Token::Eq
        | Token::DoubleEq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Ampersand
        | Token::Pipe
        | Token::ShiftLeft
        | Token::ShiftRight => true,
        _ => false,
    }
}

/// `(x)`, `(x, y)`; queries in parentheses are the library's.
fn parenthesized(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let begins_query = matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word)
        if matches!(word.keyword, Keyword::SELECT | Keyword::WITH));
    if begins_query {
        return None;
    }
    parser.advance_token();
    let inner = parser
        .parse_comma_separated(Parser::parse_expr)
        .and_then(|mut exprs| {
            parser.expect_token(&Token::RParen)?;
            Ok(match (exprs.pop(), exprs.is_empty()) {
                (Some(only), true) => Expr::Nested(Box::new(only)),
                (last, _) => {
                    exprs.extend(last);
                    Expr::Tuple(exprs)
                }
            })
        });
    Some(inner)
}

/// `-x`, `+x`, `~x`
fn sign(parser: &mut Parser, op: UnaryOperator) -> Result<Expr, ParserError> {
    parser.next_token();
    let expr = Box::new(parser.parse_subexpr(SIGN_PRECEDENCE)?);
    Ok(Expr::UnaryOp {
        expr: apart_from(op, expr),
        op,
    })
}

/// The operand of a sign, in parentheses where it begins with a minus: two of them would be written as the beginning of a
/// comment.
pub(super) fn apart_from(op: UnaryOperator, expr: Box<Expr>) -> Box<Expr> {
    let mut first = expr.as_ref();
    let begins_with_minus = loop {
        first = match first {
            Expr::UnaryOp { op, .. } => break *op == UnaryOperator::Minus,
            Expr::BinaryOp { left, .. } => left,
            Expr::Collate { expr, .. } | Expr::Cast { expr, .. } => expr,
            _ => break false,
        };
    };
    match begins_with_minus && op == UnaryOperator::Minus {
        true => Box::new(Expr::Nested(expr)),
        false => expr,
    }
}

fn infix(
    parser: &mut Parser,
    left: &Expr,
    precedence: u8,
    op: BinaryOperator,
) -> Result<Expr, ParserError> {
    let right = parser.parse_subexpr(precedence)?;
    Ok(Expr::BinaryOp {
        left: Box::new(left.clone()),
        op,
        right: Box::new(right),
    })
}

/// `x IS [NOT] y` for any y: equality that takes NULL for a value.
fn is_test(parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
    let keyword = |n: usize| match &parser.peek_nth_token_ref(n).token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    };
    if keyword(0) != Some(Keyword::IS) {
        return None;
    }
    let negated = keyword(1) == Some(Keyword::NOT);
    let known = matches!(
        keyword(1 + usize::from(negated)),
        Some(Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::UNKNOWN | Keyword::DISTINCT)
    );
    if known {
        return None;
    }
    for _ in 0..=usize::from(negated) {
        parser.next_token();
    }
    let left = Box::new(left.clone());
    Some(parser.parse_subexpr(precedence).map(|right| {
        let right = Box::new(right);
        if negated {
            Expr::IsDistinctFrom(left, right)
        } else {
            Expr::IsNotDistinctFrom(left, right)
        }
    }))
}

/// `x [NOT] IN table`: the rows of a table.
fn in_table(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let is = |n: usize, keyword: Keyword| matches!(&parser.peek_nth_token_ref(n).token, Token::Word(w) if w.keyword == keyword);
    let negated = is(0, Keyword::NOT);
    let at = usize::from(negated);
    let name_follows = is(at, Keyword::IN)
        && matches!(&parser.peek_nth_token_ref(at + 1).token,
            Token::Word(w) if w.keyword == Keyword::NoKeyword || w.quote_style.is_some());
    if !name_follows {
        return None;
    }
    for _ in 0..=at {
        parser.next_token();
    }
    Some(
        parser
            .parse_object_name(false)
            .map(|name| Expr::InSubquery {
                expr: Box::new(left.clone()),
                subquery: Box::new(rows_of(&name)),
                negated,
            }),
    )
}

/// Tokens of a query that are looked through for its end.
const MOST_TOKENS: usize = 2_000;

/// `x [NOT] IN ((SELECT ...), ...)`: a list whose first value is a query, which the library takes for the query itself.
fn in_queries(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let token = |n: usize| &parser.peek_nth_token_ref(n).token;
    let is =
        |n: usize, keyword: Keyword| matches!(token(n), Token::Word(w) if w.keyword == keyword);
    let negated = is(0, Keyword::NOT);
    let at = usize::from(negated);
    if !is(at, Keyword::IN) || *token(at + 1) != Token::LParen || *token(at + 2) != Token::LParen {
        return None;
    }
    let mut open = 0_usize;
    let end = (at + 2..at + MOST_TOKENS).find(|n| {
        match token(*n) {
            Token::LParen => open += 1,
            Token::RParen => open -= 1,
            Token::EOF => return true,
            _ => {}
        }
        open == 0
    })?;
    if *token(end + 1) != Token::Comma {
        return None;
    }
    for _ in 0..at + 2 {
        parser.next_token();
    }
    let list = parser.parse_comma_separated(Parser::parse_expr);
    Some(list.and_then(|list| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::InList {
            expr: Box::new(left.clone()),
            list,
            negated,
        })
    }))
}

fn rows_of(name: &ObjectName) -> Query {
    let part = |n: usize| {
        let parts = &name.0;
        parts.len().checked_sub(n).and_then(|i| {
            parts
                .get(i)
                .and_then(|part| part.as_ident())
                .map(|ident: &Ident| ident.value.clone())
        })
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Table(Box::new(Table {
            table_name: part(1),
            schema_name: part(2),
        }))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}
