//! The keys of collations: what the binder puts in the place of a text that is compared under one.

use super::args::{array, signature};
use arrow::array::ArrayRef;
use llkv_expr::{
    Dialects, Expr, FunctionArgs, InList, NullHandling, ScalarFunction, Signature, Volatility,
};
use llkv_result::Result;
use llkv_types::{Collation, Scalar, SqlType};
use std::sync::Arc;

/// The function that gives the keys of a collation; `None` for the one whose keys are the texts themselves. It has
/// no name that a text could call it by.
///
/// ```
/// use llkv_compute::functions::collation_key;
/// use llkv_types::Collation;
///
/// assert!(collation_key(Collation::Binary).is_none());
/// assert_eq!(collation_key(Collation::NoCase).unwrap().name, "nocase_key");
/// ```
#[must_use]
pub fn collation_key(collation: Collation) -> Option<&'static ScalarFunction> {
    match collation {
        Collation::Binary => None,
        Collation::NoCase => Some(&NOCASE),
        Collation::RightTrim => Some(&RTRIM),
        Collation::Lower => Some(&LOWER),
    }
}

/// The collation whose keys a function gives.
#[must_use]
pub fn collation_of_key(function: &ScalarFunction) -> Option<Collation> {
    [Collation::NoCase, Collation::RightTrim, Collation::Lower]
        .into_iter()
        .find(|collation| collation_key(*collation).is_some_and(|key| key.name == function.name))
}

static NOCASE: ScalarFunction = ScalarFunction {
    name: "nocase_key",
    usage: "nocase_key(x)",
    description: "A text without the case of its ASCII letters, anything else as it is.",
    kernel: |args| keys(Collation::NoCase, args),
    ..KEY
};

static RTRIM: ScalarFunction = ScalarFunction {
    name: "rtrim_key",
    usage: "rtrim_key(x)",
    description: "A text without the spaces at its end, anything else as it is.",
    kernel: |args| keys(Collation::RightTrim, args),
    ..KEY
};

static LOWER: ScalarFunction = ScalarFunction {
    name: "lower_key",
    usage: "lower_key(x)",
    description: "A text without the case of its letters, anything else as it is.",
    kernel: |args| keys(Collation::Lower, args),
    ..KEY
};

/// What the three have in common.
const KEY: ScalarFunction = ScalarFunction {
    name: "",
    aliases: &[],
    usage: "",
    description: "",
    example: ("", ""),
    nulls: NullHandling::Strict,
    volatility: Volatility::Immutable,
    dialects: Dialects::ALL,
    resolve,
    kernel: |args| keys(Collation::Binary, args),
};

fn resolve(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] => signature(&[*ty], *ty),
        _ => None,
    }
}

fn keys(collation: Collation, args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    collation.keys(array(args, 0)?)
}

/// A test of the keys of a column as a test of the column, and the collation whose keys they are: `x = 'a'` for
/// `nocase_key(x) = 'a'`. `None` for other expressions.
///
/// ```
/// use llkv_compute::functions::{collation_key, test_of_keys};
/// use llkv_expr::{BinaryOp, ColumnId, Expr};
/// use llkv_types::{Collation, Scalar, SqlType};
///
/// let column = Expr::column(ColumnId(1), SqlType::Text);
/// let function = collation_key(Collation::NoCase).unwrap();
/// let key = Expr::Function { function, args: vec![column.clone()], ty: SqlType::Text };
/// let a = Expr::Literal(Scalar::Text("a".into()));
/// let (test, collation) = test_of_keys(&Expr::compare(BinaryOp::Eq, key, a.clone())).unwrap();
/// assert_eq!((test, collation), (Expr::compare(BinaryOp::Eq, column, a), Collation::NoCase));
/// ```
#[must_use]
pub fn test_of_keys(expr: &Expr) -> Option<(Expr, Collation)> {
    match expr {
        Expr::Binary {
            op,
            left,
            right,
            ty,
        } => {
            let (column, other, is_left) = match (keyed_column(left), keyed_column(right)) {
                (Some(column), None) => (column, right, true),
                (None, Some(column)) => (column, left, false),
                _ => return None,
            };
            let (column, collation) = column;
            let other = constant_key(other, collation);
            let (left, right) = match is_left {
                true => (column.clone(), other),
                false => (other, column.clone()),
            };
            Some((Expr::binary(*op, left, right, *ty), collation))
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => {
            let (column, collation) = keyed_column(expr)?;
            let list = match list {
                InList::Values(values) => InList::Values(Arc::clone(values)),
                InList::Exprs(items) => InList::Exprs(
                    items
                        .iter()
                        .map(|item| constant_key(item, collation))
                        .collect(),
                ),
            };
            let test = Expr::InList {
                expr: Box::new(column.clone()),
                list,
                negated: false,
            };
            Some((test, collation))
        }
        _ => None,
    }
}

/// The column whose keys an expression gives.
fn keyed_column(expr: &Expr) -> Option<(&Expr, Collation)> {
    let Expr::Function { function, args, .. } = expr else {
        return None;
    };
    let collation = collation_of_key(function)?;
    let column = args.first()?;
    matches!(column, Expr::Column { .. }).then_some((column, collation))
}

/// The key of a constant as one itself; a parameter whose key is taken stands for that key.
fn constant_key(expr: &Expr, collation: Collation) -> Expr {
    match expr {
        Expr::Function { function, args, .. } if collation_of_key(function) == Some(collation) => {
            match args.as_slice() {
                [Expr::Literal(Scalar::Text(text))] => {
                    Expr::Literal(Scalar::Text(collation.key(text).as_ref().into()))
                }
                [parameter @ Expr::Parameter { .. }] => parameter.clone(),
                _ => expr.clone(),
            }
        }
        other => other.clone(),
    }
}
