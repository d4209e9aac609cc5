//! `CREATE TRIGGER ... BEGIN ...; END`: SQLite's form, which the parser library does not know.

use llkv_types::{TriggerEvent, TriggerTime};
use sqlparser::ast::{Expr, Ident, ObjectName, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// A trigger as written.
#[derive(Debug)]
pub(crate) struct TriggerText {
    pub(crate) temporary: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) name: ObjectName,
    pub(crate) time: TriggerTime,
    pub(crate) event: TriggerEvent,
    /// UPDATE OF; empty for all columns.
    pub(crate) columns: Vec<Ident>,
    pub(crate) table: ObjectName,
    pub(crate) condition: Option<Expr>,
    pub(crate) body: Vec<Statement>,
}

/// The trigger, where the statement is of this form; otherwise the parser stays where it is.
pub(super) fn parse(parser: &mut Parser<'_>) -> Option<Result<TriggerText, ParserError>> {
    if !parser.peek_keyword(Keyword::CREATE) {
        return None;
    }
    let mut trigger = parser.try_parse(head).ok()?;
    Some(body(parser).map(|body| {
        trigger.body = body;
        trigger
    }))
}

/// Up to BEGIN. An error means that the statement is another one.
fn head(parser: &mut Parser<'_>) -> Result<TriggerText, ParserError> {
    parser.expect_keyword(Keyword::CREATE)?;
    let temporary = parser.parse_keyword(Keyword::TEMP) || parser.parse_keyword(Keyword::TEMPORARY);
    parser.expect_keyword(Keyword::TRIGGER)?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let name = parser.parse_object_name(false)?;
    let time =
        match parser.parse_one_of_keywords(&[Keyword::BEFORE, Keyword::AFTER, Keyword::INSTEAD]) {
            Some(Keyword::AFTER) => TriggerTime::After,
            Some(Keyword::INSTEAD) => {
                parser.expect_keyword(Keyword::OF)?;
                TriggerTime::InsteadOf
            }
            _ => TriggerTime::Before,
        };
    let (event, columns) = event(parser)?;
    parser.expect_keyword(Keyword::ON)?;
    let table = parser.parse_object_name(false)?;
    if parser.parse_keyword(Keyword::FOR) {
        parser.expect_keywords(&[Keyword::EACH, Keyword::ROW])?;
    }
    let condition = match parser.parse_keyword(Keyword::WHEN) {
        true => Some(parser.parse_expr()?),
        false => None,
    };
    parser.expect_keyword(Keyword::BEGIN)?;
    Ok(TriggerText {
        temporary,
        if_not_exists,
        name,
        time,
        event,
        columns,
        table,
        condition,
        body: Vec::new(),
    })
}

fn event(parser: &mut Parser<'_>) -> Result<(TriggerEvent, Vec<Ident>), ParserError> {
    let events = [Keyword::INSERT, Keyword::UPDATE, Keyword::DELETE];
    Ok(match parser.expect_one_of_keywords(&events)? {
        Keyword::INSERT => (TriggerEvent::Insert, Vec::new()),
        Keyword::DELETE => (TriggerEvent::Delete, Vec::new()),
        _ if parser.parse_keyword(Keyword::OF) => {
            let columns = parser.parse_comma_separated(Parser::parse_identifier)?;
            (TriggerEvent::Update, columns)
        }
        _ => (TriggerEvent::Update, Vec::new()),
    })
}

/// Statements, each with a semicolon behind it, and END.
fn body(parser: &mut Parser<'_>) -> Result<Vec<Statement>, ParserError> {
    let mut statements = Vec::new();
    loop {
        let token = parser.peek_token();
        let statement = parser.parse_statement()?;
        match statement {
            Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_) => statements.push(statement),
            _ => return parser.expected("SELECT, INSERT, UPDATE or DELETE", token),
        }
        parser.expect_token(&Token::SemiColon)?;
        if parser.parse_keyword(Keyword::END) {
            return Ok(statements);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Parsed, parse_statement};
    use super::*;
    use crate::SqlDialect;

    fn parsed(text: &str) -> Option<TriggerText> {
        let mut found = None;
        let mut parser = Parser::new(&sqlparser::dialect::SQLiteDialect {})
            .try_with_sql(text)
            .unwrap();
        if let Some(trigger) = parse(&mut parser) {
            found = Some(trigger.unwrap());
        }
        found
    }

    #[test]
    fn a_trigger_has_its_parts() {
        let trigger = parsed(
            "CREATE TEMP TRIGGER IF NOT EXISTS tr AFTER UPDATE OF a, b ON t FOR EACH ROW \
             WHEN new.a > old.a BEGIN DELETE FROM u WHERE x = CASE WHEN 1 THEN 2 END; SELECT 1; END",
        )
        .unwrap();
        assert!(trigger.temporary && trigger.if_not_exists);
        assert_eq!(trigger.time, TriggerTime::After);
        assert_eq!(trigger.event, TriggerEvent::Update);
        assert_eq!(trigger.columns.len(), 2);
        assert_eq!(trigger.body.len(), 2);
        assert!(trigger.condition.is_some());
        assert!(parsed("CREATE TABLE t (a)").is_none());
    }

    #[test]
    fn without_a_word_it_fires_before() {
        let trigger = parsed("CREATE TRIGGER tr DELETE ON t BEGIN SELECT 1; END").unwrap();
        assert_eq!(trigger.time, TriggerTime::Before);
    }

    #[test]
    fn only_changes_and_queries_are_run() {
        let parse = |text: &str| {
            parse_statement(text, SqlDialect::Sqlite, |parsed| {
                assert!(matches!(parsed, Parsed::CreateTrigger(_)));
                Ok(())
            })
        };
        assert!(parse("CREATE TRIGGER tr INSERT ON t BEGIN SELECT 1; END;").is_ok());
        assert!(parse("CREATE TRIGGER tr INSERT ON t BEGIN DROP TABLE t; END").is_err());
        assert!(parse("CREATE TRIGGER tr INSERT ON t BEGIN SELECT 1 END").is_err());
        assert!(parse("CREATE TRIGGER tr INSERT ON t BEGIN END").is_err());
    }
}
