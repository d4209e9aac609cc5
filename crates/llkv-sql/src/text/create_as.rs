//! `CREATE TABLE t (a, b) AS SELECT ...`: names without types, which the parser library asks types for.

use sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use sqlparser::ast::{ColumnDef, DataType, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{IsOptional, Parser, ParserError};

/// The statement, where it is of this form; otherwise the parser stays where it is.
pub(super) fn parse(parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
    if !parser.peek_keyword(Keyword::CREATE) {
        return None;
    }
    let head = parser.try_parse(head).ok()?;
    Some(parser.parse_query().map(|query| {
        let created = head.query(Some(query)).build();
        Statement::CreateTable(created)
    }))
}

/// Up to AS. An error means that the statement is another one.
fn head(parser: &mut Parser<'_>) -> Result<CreateTableBuilder, ParserError> {
    parser.expect_keyword(Keyword::CREATE)?;
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    let temporary = parser.parse_keyword(Keyword::TEMP) || parser.parse_keyword(Keyword::TEMPORARY);
    parser.expect_keyword(Keyword::TABLE)?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let name = parser.parse_object_name(false)?;
    let names = parser.parse_parenthesized_column_list(IsOptional::Mandatory, false)?;
    parser.expect_keyword(Keyword::AS)?;
    let columns = names.into_iter().map(|name| ColumnDef {
        name,
        data_type: DataType::Unspecified,
        options: vec![],
    });
    Ok(CreateTableBuilder::new(name)
        .or_replace(or_replace)
        .temporary(temporary)
        .if_not_exists(if_not_exists)
        .columns(columns.collect()))
}
