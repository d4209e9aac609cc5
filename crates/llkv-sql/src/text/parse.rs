//! From text to the parser's syntax tree, with limits that keep any input from overflowing the stack.

use super::exclusions::with_marks;
use super::grammar::Grammar;
use super::hints::without_hints;
use super::lexemes::{Kind, Lexemes};
use super::location::SourceText;
use super::quick;
use super::trigger::{self, TriggerText};
use crate::dialect::SqlDialect;
use llkv_result::{BindError, Error, Result, Span};
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};
use std::path::PathBuf;

/// Nesting of parentheses, subqueries, CASE, prefix operators: as deep as SQLite and DuckDB go.
pub(crate) const MAX_NESTING: usize = 1_000;

/// Tokens in one chain of operators. A chain becomes a tree as deep as it is long, and that tree is
/// taken down recursively: the limit bounds the stack that is set aside for it to 1 GiB, of which
/// only what is used is ever touched.
const MAX_CHAIN_TOKENS: usize = 2_000_000;

/// Stack per level of a chain when its tree is taken down, measured at about 200 bytes.
const CHAIN_STACK_BYTES: usize = 512;

/// Stack that parsing and binding start with.
const BASE_STACK_BYTES: usize = 256 * 1024;

/// A statement as parsed.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// What the parser knows.
    Sql(Box<ast::Statement>),
    /// A query, which is not put into a statement of its own.
    Query(Box<ast::Query>),
    /// `EXPLAIN RULES statement`
    ExplainRules(Box<ast::Statement>),
    /// `CHECKPOINT`
    Checkpoint,
    /// `VACUUM`
    Vacuum,
    /// `BACKUP TO 'file'`, `VACUUM INTO 'file'`
    Backup(PathBuf),
    /// `REINDEX`, `REINDEX name`
    Reindex(Option<ast::ObjectName>),
    /// `SET CONSTRAINTS names DEFERRED`, or IMMEDIATE; without names for ALL
    SetConstraints {
        names: Option<Vec<ast::ObjectName>>,
        deferred: bool,
    },
    /// `CREATE TRIGGER ... BEGIN ... END`
    CreateTrigger(Box<TriggerText>),
    /// `SUMMARIZE ...`
    Summarize(Summarized),
}

/// What stands behind SUMMARIZE.
#[derive(Debug)]
pub(crate) enum Summarized {
    /// A table or view.
    Table(ast::ObjectName),
    /// A query.
    Query(Box<ast::Query>),
}

/// Parses one statement and calls `f` with it, on a stack that is large enough for both.
pub(crate) fn parse_statement<R>(
    text: &str,
    dialect: SqlDialect,
    f: impl FnOnce(&Parsed) -> Result<R>,
) -> Result<R> {
    with_parser(
        SourceText::new(text),
        dialect,
        |lexemes| quick::statement(lexemes, dialect),
        |parser| {
            let parsed = statement(parser)?;
            while parser.consume_token(&Token::SemiColon) {}
            end_of_input(parser)?;
            Ok(parsed)
        },
        f,
    )
}

/// Parses an expression from the catalog (a default, a CHECK).
pub(crate) fn parse_expression<R>(
    text: &str,
    dialect: SqlDialect,
    f: impl FnOnce(&ast::Expr) -> Result<R>,
) -> Result<R> {
    with_parser(
        SourceText::hidden(text),
        dialect,
        |lexemes| quick::expression(lexemes, dialect),
        |parser| {
            let expr = parser.parse_expr()?;
            end_of_input(parser)?;
            Ok(Box::new(expr))
        },
        |expr| f(expr),
    )
}

/// Parses a query from the catalog (a view).
pub(crate) fn parse_query<R>(
    text: &str,
    dialect: SqlDialect,
    f: impl FnOnce(&ast::Query) -> Result<R>,
) -> Result<R> {
    with_parser(
        SourceText::hidden(text),
        dialect,
        |lexemes| quick::query(lexemes, dialect),
        |parser| {
            let query = parser.parse_query()?;
            end_of_input(parser)?;
            Ok(query)
        },
        |query| f(query),
    )
}

/// Parses a trigger from the catalog.
pub(crate) fn parse_trigger<R>(
    text: &str,
    dialect: SqlDialect,
    f: impl FnOnce(&TriggerText) -> Result<R>,
) -> Result<R> {
    with_parser(
        SourceText::hidden(text),
        dialect,
        |_| None,
        |parser| match trigger::parse(parser) {
            Some(trigger) => trigger,
            None => parser.expected("CREATE TRIGGER", parser.peek_token()),
        },
        f,
    )
}

/// Reads a text with `quick`, or else with `parse`.
fn with_parser<T, R>(
    source: SourceText<'_>,
    dialect: SqlDialect,
    quick: impl FnOnce(&Lexemes<'_>) -> Option<T>,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    f: impl FnOnce(&T) -> Result<R>,
) -> Result<R> {
    let lexemes = Lexemes::read(source.text(), dialect);
    if !lexemes.is_all() {
        return by_library(source, &lexemes, dialect, parse, f);
    }
    let need = stack_bytes(match lexemes.list.len() {
        few @ ..=FEW_LEXEMES => few * SET_OPERATION_TOKENS,
        _ => chain_steps(lexemes.list.iter().map(|l| step(l.kind)))?,
    });
    let read = on_stack(need, || match quick(&lexemes) {
        Some(parsed) => Ok(f(&parsed)),
        None => Err(f),
    });
    match read {
        Ok(result) => result,
        Err(f) => by_library(source, &lexemes, dialect, parse, f),
    }
}

fn by_library<T, R>(
    source: SourceText<'_>,
    lexemes: &Lexemes<'_>,
    dialect: SqlDialect,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    f: impl FnOnce(&T) -> Result<R>,
) -> Result<R> {
    let grammar = Grammar::new(dialect);
    // Without blanks: the parser library would step over them at each look at a token.
    let mut tokens = super::tokens::tokens(lexemes, &grammar)
        .map_err(|e| syntax_error(&e.message, e.location, source))?;
    number_hexadecimals(&mut tokens, source.text(), dialect);
    let mut tokens = with_whole_numbers(tokens, dialect)
        .map_err(|at| syntax_error("a number with letters behind it", at, source))?;
    number_parameters(&mut tokens);
    let tokens = super::sequence_options::in_order(without_hints(tokens, dialect));
    let tokens = match dialect {
        SqlDialect::Sqlite => tokens,
        SqlDialect::DuckDb => super::from_first::with_select(tokens),
        SqlDialect::Llkv => {
            super::generated_columns::in_full(super::from_first::with_select(tokens))
        }
    };
    let tokens = super::pragma::with_values(with_marks(tokens));
    let need = stack_bytes(chain_steps(
        tokens.iter().filter_map(|t| token_step(&t.token)),
    )?);
    on_stack(need, || {
        let grammar = grammar.of(&tokens);
        let mut parser = Parser::new(&grammar)
            .with_recursion_limit(MAX_NESTING)
            .with_tokens_with_locations(tokens);
        let parsed = parse(&mut parser).map_err(|e| parser_error(e, source))?;
        f(&parsed)
    })
}

fn on_stack<T>(need: usize, work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(need, need + BASE_STACK_BYTES, work)
}

/// Stack for a tree of `depth` levels.
pub(crate) const fn stack_bytes(depth: usize) -> usize {
    BASE_STACK_BYTES + depth * CHAIN_STACK_BYTES
}

fn statement(parser: &mut Parser<'_>) -> Result<Parsed, ParserError> {
    let word = |parser: &Parser<'_>, n: usize, text: &str| {
        matches!(&parser.peek_nth_token_ref(n).token,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
    };
    if word(parser, 0, "CHECKPOINT") {
        parser.next_token();
        return Ok(Parsed::Checkpoint);
    }
    if word(parser, 0, "VACUUM") {
        parser.next_token();
        if parser.parse_keyword(Keyword::INTO) {
            return parser
                .parse_literal_string()
                .map(|path| Parsed::Backup(path.into()));
        }
        // Statistics need no ANALYZE: they are kept with the rows.
        let _ = parser.parse_keyword(Keyword::FULL);
        let _ = parser.parse_keyword(Keyword::ANALYZE);
        return Ok(Parsed::Vacuum);
    }
    if word(parser, 0, "BACKUP") && word(parser, 1, "TO") {
        parser.next_token();
        parser.next_token();
        return parser
            .parse_literal_string()
            .map(|path| Parsed::Backup(path.into()));
    }
    if word(parser, 0, "REINDEX") {
        parser.next_token();
        return reindex(parser);
    }
    if word(parser, 0, "SET") && word(parser, 1, "CONSTRAINTS") {
        (0..2).for_each(|_| drop(parser.next_token()));
        return set_constraints(parser);
    }
    if word(parser, 0, "SUMMARIZE") {
        parser.next_token();
        return summarized(parser).map(Parsed::Summarize);
    }
    if word(parser, 0, "ALTER") && word(parser, 1, "VIEW") {
        let renamed = parser.maybe_parse(renamed_view)?;
        if let Some(statement) = renamed {
            return Ok(Parsed::Sql(Box::new(statement)));
        }
    }
    if word(parser, 0, "EXPLAIN") && word(parser, 1, "RULES") {
        parser.next_token();
        parser.next_token();
        return Ok(Parsed::ExplainRules(Box::new(parser.parse_statement()?)));
    }
    if let Some(trigger) = trigger::parse(parser) {
        return trigger.map(|trigger| Parsed::CreateTrigger(Box::new(trigger)));
    }
    Ok(match parser.parse_statement()? {
        ast::Statement::Query(query) => Parsed::Query(query),
        other => Parsed::Sql(Box::new(other)),
    })
}

/// The name of a table, or a query.
fn summarized(parser: &mut Parser<'_>) -> Result<Summarized, ParserError> {
    let begins_query = match &parser.peek_token_ref().token {
        Token::LParen => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE
        ),
        _ => false,
    };
    match begins_query {
        true => parser.parse_query().map(Summarized::Query),
        false => parser.parse_object_name(false).map(Summarized::Table),
    }
}

/// A `?` is the parameter after the highest one to its left, whatever the order in which clauses are bound.
pub(super) fn number_parameters(tokens: &mut [TokenWithSpan]) {
    let mut highest = 0u64;
    for token in tokens {
        let Token::Placeholder(name) = &mut token.token else {
            continue;
        };
        if name == "?" {
            highest += 1;
            *name = format!("?{highest}");
        } else if let Some(Ok(number)) = name.get(1..).map(str::parse::<u64>) {
            highest = highest.max(number);
        }
    }
}

/// `0x1F` is a number, which the tokenizer takes for the blob `x'1F'`. SQLite reads 64 bits of two's
/// complement.
fn number_hexadecimals(tokens: &mut [TokenWithSpan], text: &str, dialect: SqlDialect) {
    for token in tokens {
        let Token::HexStringLiteral(digits) = &token.token else {
            continue;
        };
        let bits = u64::from_str_radix(digits, 16);
        let start = SourceText::new(text).token_at(token.span.start);
        let quoted = start.is_none_or(|span| !text[span.start..].starts_with('0'));
        if let (Ok(bits), false) = (bits, quoted) {
            let number = match dialect {
                SqlDialect::Sqlite => (bits as i64).to_string(),
                _ => bits.to_string(),
            };
            token.token = Token::Number(number, false);
        }
    }
}

/// `0b11` and `0o17` are numbers, of which the tokenizer makes a zero and a name; any other number with a name right behind it is
/// none.
///
/// # Errors
/// The place of a number that is none.
fn with_whole_numbers(
    tokens: Vec<TokenWithSpan>,
    dialect: SqlDialect,
) -> std::result::Result<Vec<TokenWithSpan>, Location> {
    let is_split = |pair: &[TokenWithSpan]| match pair {
        [number, name] => {
            matches!(
                &number.token,
                Token::Number(..) | Token::HexStringLiteral(_)
            ) && matches!(&name.token, Token::Word(word) if word.quote_style.is_none())
                && number.span.end == name.span.start
        }
        _ => false,
    };
    if !tokens.windows(2).any(is_split) {
        return Ok(tokens);
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match out.last_mut() {
            Some(last) if is_split(&[last.clone(), token.clone()]) => {
                let number = number_of_base(last, &token).filter(|_| dialect != SqlDialect::Sqlite);
                last.token = Token::Number(number.ok_or(last.span.start)?, false);
                last.span.end = token.span.end;
            }
            _ => out.push(token),
        }
    }
    Ok(out)
}

/// The decimal digits of `0` and `b11` or `o17`.
fn number_of_base(zero: &TokenWithSpan, rest: &TokenWithSpan) -> Option<String> {
    let (Token::Number(digits, false), Token::Word(word)) = (&zero.token, &rest.token) else {
        return None;
    };
    let (base, digits_of_base) = word.value.split_at_checked(1).filter(|_| digits == "0")?;
    let radix = match base {
        "b" | "B" => 2,
        "o" | "O" => 8,
        _ => return None,
    };
    let digits = digits_of_base.replace('_', "");
    Some(u64::from_str_radix(&digits, radix).ok()?.to_string())
}

/// `ALTER VIEW [IF EXISTS] name RENAME TO name`, as the ALTER TABLE that does it.
fn renamed_view(parser: &mut Parser<'_>) -> Result<ast::Statement, ParserError> {
    parser.expect_keywords(&[Keyword::ALTER, Keyword::VIEW])?;
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = parser.parse_object_name(false)?;
    parser.expect_keywords(&[Keyword::RENAME, Keyword::TO])?;
    let to = ast::RenameTableNameKind::To(parser.parse_object_name(false)?);
    Ok(ast::Statement::AlterTable(ast::AlterTable {
        name,
        if_exists,
        only: false,
        operations: vec![ast::AlterTableOperation::RenameTable { table_name: to }],
        location: None,
        on_cluster: None,
        table_type: None,
        end_token: ast::helpers::attached_token::AttachedToken::empty(),
    }))
}

/// What follows `SET CONSTRAINTS`.
fn set_constraints(parser: &mut Parser<'_>) -> Result<Parsed, ParserError> {
    let names = match parser.parse_keyword(Keyword::ALL) {
        true => None,
        false => Some(parser.parse_comma_separated(|parser| parser.parse_object_name(false))?),
    };
    let words = [Keyword::DEFERRED, Keyword::IMMEDIATE];
    let deferred = parser.expect_one_of_keywords(&words)? == Keyword::DEFERRED;
    Ok(Parsed::SetConstraints { names, deferred })
}

/// `REINDEX [[TABLE|INDEX] name]`
fn reindex(parser: &mut Parser<'_>) -> Result<Parsed, ParserError> {
    let ends = |parser: &Parser<'_>| {
        matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon)
    };
    if ends(parser) {
        return Ok(Parsed::Reindex(None));
    }
    let kinds = [Keyword::TABLE, Keyword::INDEX];
    if kinds.iter().any(|kind| parser.parse_keyword(*kind)) && ends(parser) {
        return parser.expected("a name", parser.peek_token());
    }
    parser
        .parse_object_name(false)
        .map(|name| Parsed::Reindex(Some(name)))
}

fn end_of_input(parser: &Parser<'_>) -> Result<(), ParserError> {
    match &parser.peek_token_ref().token {
        Token::EOF => Ok(()),
        _ => parser.expected("end of statement", parser.peek_token()),
    }
}

/// What a level of a chain of set operations counts, in tokens: its node is larger than an operator's.
const SET_OPERATION_TOKENS: usize = 8;

/// So few words and signs are not looked at for the depth of what they become: each may be a level of the largest kind.
const FEW_LEXEMES: usize = 64;

/// What a word or sign does to the depth of the syntax tree.
enum Step {
    Open,
    Close,
    Comma,
    Select,
    SetOperation,
    Other,
}

const fn step(kind: Kind) -> Step {
    match kind {
        Kind::LParen => Step::Open,
        Kind::RParen => Step::Close,
        Kind::Comma => Step::Comma,
        Kind::Word(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT) => Step::SetOperation,
        Kind::Word(Keyword::SELECT) => Step::Select,
        _ => Step::Other,
    }
}

/// As [`step`]; `None` for blanks.
const fn token_step(token: &Token) -> Option<Step> {
    Some(match token {
        Token::Whitespace(_) => return None,
        Token::LParen => Step::Open,
        Token::RParen => Step::Close,
        Token::Comma => Step::Comma,
        Token::Word(word) => step(Kind::Word(word.keyword)),
        _ => Step::Other,
    })
}

/// An upper bound on the depth of the syntax tree: tokens since the last comma, added up over all open
/// parentheses, and the set operations of the whole statement. Lists, however long, stay flat.
fn chain_steps(steps: impl Iterator<Item = Step>) -> Result<usize> {
    let mut open: Vec<usize> = Vec::new();
    let (mut total, mut here, mut longest) = (0usize, 0usize, 0usize);
    let mut set_operations = 0usize;
    for step in steps {
        match step {
            Step::Open => {
                open.push(here + 1);
                total += here + 1;
                here = 0;
            }
            Step::Close => {
                if let Some(outer) = open.pop() {
                    total -= outer;
                    here = outer;
                }
            }
            Step::Comma => here = 0,
            Step::SetOperation => set_operations += SET_OPERATION_TOKENS,
            Step::Select => here = here.min(1) + 1,
            Step::Other => here += 1,
        }
        longest = longest.max(total + here);
    }
    longest += set_operations;
    if longest > MAX_CHAIN_TOKENS {
        return Err(BindError::TooComplex {
            what: "the length of a chain of operators, in words and signs,".into(),
            limit: MAX_CHAIN_TOKENS,
        }
        .into());
    }
    Ok(longest)
}

fn parser_error(error: ParserError, source: SourceText<'_>) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => BindError::TooComplex {
            what: "the nesting of the statement".into(),
            limit: MAX_NESTING,
        }
        .into(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, location) = split_location(&message);
            syntax_error(message, location.unwrap_or(Location::empty()), source)
        }
    }
}

/// The parser puts places into its messages: ` at Line: 1, Column: 8`.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let location = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location::new(
            line.trim().parse().ok()?,
            column.trim().parse().ok()?,
        ))
    });
    (text, location)
}

fn syntax_error(message: &str, location: Location, source: SourceText<'_>) -> Error {
    let span: Option<Span> = (location.line > 0)
        .then(|| source.token_at(location))
        .flatten();
    BindError::Syntax {
        message: message.to_owned(),
        span,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<()> {
        parse_statement(text, SqlDialect::Llkv, |_| Ok(()))
    }

    /// Runs `f` on a thread with the stack that threads have by default.
    fn on_small_stack(f: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(f)
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn deep_and_long_statements_end_in_an_answer_or_an_error() {
        on_small_stack(|| {
            let n = 100_000;
            assert!(matches!(
                parse(&format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n))),
                Err(Error::Bind(BindError::TooComplex { .. }))
            ));
            assert!(parse(&format!("SELECT 1{}", "+1".repeat(n))).is_ok());
            assert!(parse(&format!("SELECT {}1", "- ".repeat(n))).is_err());
            assert!(parse(&format!("SELECT {}1", "NOT ".repeat(n))).is_err());
            assert!(parse(&format!("SELECT {}", "CASE WHEN ".repeat(n))).is_err());
            assert!(parse(&format!("SELECT * FROM {}", "(".repeat(n))).is_err());
            assert!(parse(&format!("SELECT {}", "f(".repeat(n))).is_err());
            assert!(parse(&format!("SELECT 1{}", " UNION SELECT 1".repeat(n))).is_ok());
            assert!(parse(&format!("SELECT 1{}", "::int".repeat(n))).is_ok());
        });
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let text = "SELECT 1\nFRM t WHERE";
        let error = parse(text).unwrap_err();
        let span = error.span().unwrap();
        assert_eq!(&text[span.start..span.end], "t", "{error}");
        assert!(!error.to_string().contains("Line"), "{error}");
        let error = parse("SELECT 'abc").unwrap_err();
        assert_eq!(error.span().unwrap().start, 7, "{error}");
    }
}
