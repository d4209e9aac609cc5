//! `RAISE(...)`: the error by which the program of a trigger ends itself and more.

use super::args::{signature, texts};
use arrow::array::ArrayRef;
use llkv_expr::{Dialects, FunctionArgs, NullHandling, ScalarFunction, Signature, Volatility};
use llkv_result::{Error, EvalError, RaiseAction, Result};
use llkv_types::SqlType;

/// The function: its arguments are the word and the message. It has no name that a text could call it
/// by outside of a trigger, so it is in no list.
pub(super) static RAISE: ScalarFunction = ScalarFunction {
    name: "raise",
    aliases: &[],
    usage: "RAISE(IGNORE), RAISE(ABORT | FAIL | ROLLBACK, message)",
    description: "Ends the program of a trigger, and what set it off.",
    example: ("", ""),
    nulls: NullHandling::Custom,
    // Once for each row, and never ahead of time.
    volatility: Volatility::Volatile,
    dialects: Dialects::ALL,
    resolve,
    kernel,
};

fn resolve(types: &[SqlType]) -> Option<Signature> {
    match types {
        [_, _] => signature(&[SqlType::Text, SqlType::Text], SqlType::Null),
        _ => None,
    }
}

fn kernel(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.rows == 0 {
        return Ok(arrow::array::new_null_array(&args.result.to_arrow(), 0));
    }
    let action = match texts(args, 0)?.get(0) {
        Some("ignore") => RaiseAction::Ignore,
        Some("abort") => RaiseAction::Abort,
        Some("fail") => RaiseAction::Fail,
        Some("rollback") => RaiseAction::Rollback,
        _ => return Err(Error::internal("RAISE without one of its words")),
    };
    let message = texts(args, 1)?.get(0).unwrap_or_default().to_owned();
    Err(EvalError::Raised { action, message }.into())
}
