//! `nextval`, `currval`, `setval`: functions that have an effect, on sequences that only a catalog can name.
//!
//! The binder looks a name up and puts the number in its place under which [`register`] knows the sequence of
//! the session. They are in no registry of functions: a name resolves to them in the binder.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{Int64Type, UInt64Type};
use llkv_expr::{FunctionArgs, NullHandling, ScalarFunction, Signature, Volatility};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// A sequence as one session uses it.
pub trait SequenceSource: Send + Sync {
    /// So many numbers that nobody else gets.
    ///
    /// # Errors
    /// When there are not so many, or what has to be logged cannot be.
    fn next_values(&self, count: usize) -> Result<Vec<i64>>;

    /// The number that the session took last.
    ///
    /// # Errors
    /// When it took none.
    fn current(&self) -> Result<i64>;

    /// Has the sequence go on after a number, or with it where that is not `given` yet.
    ///
    /// # Errors
    /// When it is no number of the sequence, or cannot be logged.
    fn set(&self, value: i64, is_given: bool) -> Result<()>;
}

#[derive(Default)]
struct Registry {
    last: u64,
    sources: HashMap<u64, Weak<dyn SequenceSource>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Makes a sequence known for as long as it lives and gives its number, which no other ever has.
#[must_use]
pub fn register(source: &Arc<dyn SequenceSource>) -> u64 {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.last += 1;
    let number = registry.last;
    if number.is_power_of_two() {
        registry
            .sources
            .retain(|_, source| source.strong_count() > 0);
    }
    registry.sources.insert(number, Arc::downgrade(source));
    number
}

fn source(args: &FunctionArgs<'_>) -> Result<Arc<dyn SequenceSource>> {
    let numbers = args.arrays.first();
    let numbers = numbers.and_then(|array| array.as_primitive_opt::<UInt64Type>());
    let number = numbers
        .filter(|numbers| !numbers.is_empty())
        .map(|n| n.value(0));
    let number = number.ok_or_else(|| Error::internal("a sequence without its number"))?;
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let source = registry.sources.get(&number).and_then(Weak::upgrade);
    source.ok_or_else(|| Error::internal("a sequence of a session that has ended"))
}

fn signature(types: &[SqlType], args: &[SqlType]) -> Option<Signature> {
    (types.len() == args.len()).then(|| Signature {
        args: args.to_vec(),
        result: SqlType::Int64,
    })
}

/// `nextval('sequence')`
pub static NEXTVAL: ScalarFunction = ScalarFunction {
    name: "nextval",
    aliases: &[],
    usage: "nextval('sequence')",
    description: "The next number of a sequence.",
    example: ("", ""),
    nulls: NullHandling::Custom,
    volatility: Volatility::Volatile,
    dialects: llkv_expr::Dialects::ALL,
    resolve: |types| signature(types, &[SqlType::UInt64]),
    kernel: |args| {
        let values = source(args)?.next_values(args.rows)?;
        Ok(Arc::new(Int64Array::from(values)) as ArrayRef)
    },
};

/// `currval('sequence')`
pub static CURRVAL: ScalarFunction = ScalarFunction {
    name: "currval",
    aliases: &[],
    usage: "currval('sequence')",
    description: "The number of a sequence that the session took last.",
    example: ("", ""),
    nulls: NullHandling::Custom,
    volatility: Volatility::Volatile,
    dialects: llkv_expr::Dialects::ALL,
    resolve: |types| signature(types, &[SqlType::UInt64]),
    kernel: |args| {
        let value = source(args)?.current()?;
        Ok(Arc::new(Int64Array::from(vec![value; args.rows])) as ArrayRef)
    },
};

/// `setval('sequence', value [, is_given])`
pub static SETVAL: ScalarFunction = ScalarFunction {
    name: "setval",
    aliases: &[],
    usage: "setval('sequence', value, is_given)",
    description: "Has a sequence go on after a number, or with it where that is not given yet.",
    example: ("", ""),
    nulls: NullHandling::Strict,
    volatility: Volatility::Volatile,
    dialects: llkv_expr::Dialects::ALL,
    resolve: |types| signature(types, &[SqlType::UInt64, SqlType::Int64, SqlType::Boolean]),
    kernel: set_values,
};

fn set_values(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let sequence = source(args)?;
    let (Some(values), Some(given)) = (args.arrays.get(1), args.arrays.get(2)) else {
        return Err(Error::internal("setval without its arguments"));
    };
    let (values, given): (&Int64Array, &BooleanArray) =
        (values.as_primitive::<Int64Type>(), given.as_boolean());
    let at = |argument: usize, row: usize| match args.constants.get(argument) {
        Some(true) => 0,
        _ => row,
    };
    let mut out = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let (of_value, of_given) = (at(1, row), at(2, row));
        if values.is_null(of_value) || given.is_null(of_given) {
            out.push(None);
            continue;
        }
        let value = values.value(of_value);
        sequence.set(value, given.value(of_given))?;
        out.push(Some(value));
    }
    Ok(Arc::new(Int64Array::from(out)))
}
