//! The Rust example of the workspace's README, run as it stands there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs
)]

/// The lines of this file between the two marks, and the lines between the fences of the README.
const SOURCE: &str = include_str!("readme.rs");
const README: &str = include_str!("../../../README.md");

fn example() -> llkv::Result<()> {
    // example begins
    use llkv::Database;

    let database = Database::open("shop.llkv")?;
    let mut connection = database.connect()?;
    connection.execute("CREATE TABLE IF NOT EXISTS planets (name VARCHAR, moons INTEGER)")?;

    let insert = connection.prepare("INSERT INTO planets VALUES (?, ?)")?;
    insert.execute(("Jupiter", 95))?;

    for batch in connection.query("SELECT name, moons FROM planets WHERE moons > 10")? {
        println!("{:?}", batch?); // an arrow RecordBatch
    }
    // example ends
    let mut rows = 0;
    for batch in connection.query("SELECT name, moons FROM planets WHERE moons > 10")? {
        rows += batch?.num_rows();
    }
    assert_eq!(rows, 1);
    Ok(())
}

/// The lines between two marks, without their indentation.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    let (_, after) = text.split_once(begin).expect(begin);
    let (inside, _) = after.split_once(end).expect(end);
    inside
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_example_is_the_one_that_runs_here() {
    let here = between(SOURCE, "// example begins\n", "// example ends");
    assert_eq!(between(README, "```rust\n", "```"), here);
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    example().unwrap();
    assert!(folder.path().join("shop.llkv").exists());
}
