//! SQL text to Arrow results: parser dialects, binder, engine, prepared statements

mod binder;
mod dialect;
mod text;

pub use dialect::SqlDialect;
pub use text::{Statements, render_error, split_statements};
