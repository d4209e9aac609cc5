//! SQL as text: statements of a script, places in it, tokens, the syntax tree.

mod between;
mod create_as;
mod exclusions;
mod from_first;
mod generated_columns;
mod given_row;
mod grammar;
mod hints;
mod lexemes;
mod location;
mod parse;
mod pragma;
mod quick;
mod render;
mod sequence_options;
mod split;
#[cfg(test)]
mod suite;
mod tokens;
mod trigger;

pub(crate) use between::of_symmetric;
pub(crate) use exclusions::{exclusion_of, readable};
pub(crate) use given_row::GivenRow;
pub(crate) use location::SourceText;
pub(crate) use parse::{
    Parsed, Summarized, parse_expression, parse_query, parse_statement, parse_trigger, stack_bytes,
};
pub use render::{render_error, render_script_error};
pub use split::{Statements, split_statements};
pub(crate) use trigger::TriggerText;

/// What a statement was read as, printed by the parser library; nothing for one that cannot be read.
#[cfg(test)]
fn printed(text: &str) -> String {
    parse_statement(text, crate::SqlDialect::Llkv, |parsed| match parsed {
        Parsed::Sql(statement) => Ok(statement.to_string()),
        Parsed::Query(query) => Ok(query.to_string()),
        _ => Ok(String::new()),
    })
    .unwrap_or_default()
}
