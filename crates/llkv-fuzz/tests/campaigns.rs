//! The campaigns of `cargo test`: 20,000 queries, five million with `LLKV_LONG`.

#![allow(clippy::panic, clippy::print_stdout)]

use llkv_fuzz::{Campaign, Dialect};

fn run(dialect: Dialect, queries: u64) {
    let is_long =
        std::env::var_os("LLKV_LONG").is_some_and(|value| value != "0" && !value.is_empty());
    let queries = if is_long { queries * 250 } else { queries };
    // A long campaign goes where the short one does not.
    let first_seed = if is_long { 1_000_000 } else { 0 };
    match Campaign::new(dialect, first_seed, queries).run() {
        Ok(checked) => println!("{dialect}: {checked:?}"),
        Err(failed) => panic!("{failed}"),
    }
}

#[test]
fn sqlite_agrees() {
    run(Dialect::Sqlite, 14_000);
}

#[test]
fn llkv_agrees_with_itself() {
    run(Dialect::Llkv, 6_000);
}
