//! The optimizer keeps the rows of a plan: random plans over random data, optimized and not, run by
//! a naive interpreter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // helpers of tests are tests
#[path = "reference/generate.rs"]
mod generate;
#[path = "reference/mod.rs"]
mod interpret;

// The generator names the interpreter's types through its parent.
use interpret::{Data, Env, Value, run};

use generate::{Generator, statistics};
use llkv_plan::{
    CatalogView, ExternalSource, FileOptions, LogicalPlan, OptimizerOptions, TableInfo, TableRef,
    TableStatistics, ViewInfo, explain, optimize_traced,
};
use llkv_result::{BindError, Error, Result};
use llkv_types::TableId;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// The data, and how many times as large the optimizer takes their tables for.
struct Catalog<'a>(&'a Data, u64);

impl CatalogView for Catalog<'_> {
    fn table(&self, _: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        Ok(None)
    }
    fn view(&self, _: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        Ok(None)
    }
    fn system_view(&self, _: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        Ok(None)
    }
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    fn open_file(&self, path: &Path, _: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        Err(Error::internal(format!("no file {}", path.display())))
    }
    fn statistics(&self, table: TableId) -> TableStatistics {
        let mut statistics = statistics(self.0, table);
        statistics.rows *= self.1;
        statistics
    }
}

fn has_shared(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Shared(_)) || plan.inputs().into_iter().any(has_shared)
}

fn has_apply(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Apply(_)) || plan.inputs().into_iter().any(has_apply)
}

/// What came of a plan.
struct Outcome {
    /// The optimizer does not say that it cannot.
    is_supported: bool,
    /// Parts are computed once for several places.
    is_shared: bool,
}

/// Optimizes and compares, for small tables and for large ones.
fn check(bytes: &[u8]) -> std::result::Result<Outcome, TestCaseError> {
    let (small, large) = (check_as(bytes, 1)?, check_as(bytes, 10_000)?);
    Ok(Outcome {
        is_supported: small.is_supported && large.is_supported,
        is_shared: large.is_shared,
    })
}

fn check_as(bytes: &[u8], times: u64) -> std::result::Result<Outcome, TestCaseError> {
    let mut generator = Generator::new(bytes);
    let data = generator.data();
    let plan = generator.plan(5, &Vec::new());
    let expected = run(&plan, &Env::new(), &data);
    let options = OptimizerOptions {
        trace: true,
        ..OptimizerOptions::default()
    };
    let before = explain(&plan);
    let optimized = match optimize_traced(plan, &Catalog(&data, times), &options) {
        Ok(optimized) => optimized,
        Err(Error::Bind(BindError::Unsupported { .. })) => {
            return Ok(Outcome {
                is_supported: false,
                is_shared: false,
            });
        }
        Err(error) => return Err(TestCaseError::fail(format!("{error}\nof\n{before}"))),
    };
    let steps = || {
        let steps = optimized.trace.iter();
        steps
            .map(|step| format!("-- {}\n{}", step.rule, step.plan))
            .collect::<String>()
    };
    prop_assert!(!has_apply(&optimized.plan), "{}", steps());
    let found = run(&optimized.plan, &Env::new(), &data);
    match (expected, found) {
        (Ok(mut expected), Ok(mut found)) => {
            expected.sort();
            found.sort();
            prop_assert_eq!(expected, found, "{}\n{:?}", steps(), data);
        }
        // A row that is filtered out earlier raises no error.
        (Err(_), _) => {}
        (Ok(_), Err(error)) => prop_assert!(false, "{error:?}\n{}", steps()),
    }
    Ok(Outcome {
        is_supported: true,
        is_shared: has_shared(&optimized.plan),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn an_optimized_plan_has_the_rows_of_the_plan(
        bytes in proptest::collection::vec(any::<u8>(), 20..160)
    ) {
        check(&bytes)?;
    }
}

/// More where asked for: `LLKV_PLAN_CASES=100000 cargo test -p llkv-plan --release`.
fn cases() -> u32 {
    std::env::var("LLKV_PLAN_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3_000)
}

#[test]
fn most_random_plans_are_supported() {
    use rand::{RngCore, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let (mut supported, mut shared, mut all) = (0, 0, 0);
    for _ in 0..500 {
        let mut bytes = vec![0; 120];
        random.fill_bytes(&mut bytes);
        let outcome = check(&bytes).unwrap();
        supported += usize::from(outcome.is_supported);
        shared += usize::from(outcome.is_shared);
        all += 1;
    }
    assert!(shared >= 10, "{shared} of {all} compute something once");
    assert!(supported * 100 >= all * 90, "{supported} of {all}");
}
