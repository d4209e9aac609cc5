//! The tables and questions of db-benchmark, which h2o.ai began: grouping and joining of one kind of table, with few
//! and with many groups, with small and with large right sides.

use crate::data::{DataFolder, Random};
use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};
use std::error::Error;
use std::sync::Arc;

/// Values of a key with few of them.
const FEW: u64 = 100;

/// The tables' columns, in the dialect that both engines read.
pub const TABLES: [(&str, &str); 5] = [
    (
        "g1",
        "id1 VARCHAR, id2 VARCHAR, id3 VARCHAR, id4 INTEGER, id5 INTEGER, id6 INTEGER, \
         v1 INTEGER, v2 INTEGER, v3 DOUBLE",
    ),
    (
        "x",
        "id1 INTEGER, id2 INTEGER, id3 INTEGER, id4 VARCHAR, id5 VARCHAR, id6 VARCHAR, v1 DOUBLE",
    ),
    ("small", "id1 INTEGER, id4 VARCHAR, v2 DOUBLE"),
    (
        "medium",
        "id1 INTEGER, id2 INTEGER, id4 VARCHAR, id5 VARCHAR, v2 DOUBLE",
    ),
    (
        "big",
        "id1 INTEGER, id2 INTEGER, id3 INTEGER, id4 VARCHAR, id5 VARCHAR, id6 VARCHAR, v2 DOUBLE",
    ),
];

/// A question: its name, the query, and what of its answer is compared.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// `g1` ... `g10`, `j1` ... `j5`.
    pub name: &'static str,
    /// The query.
    pub sql: &'static str,
    /// Aggregates over the answer.
    pub check: &'static str,
}

const fn question(name: &'static str, sql: &'static str, check: &'static str) -> Question {
    Question { name, sql, check }
}

/// The ten questions of grouping.
pub const GROUPBY: [Question; 10] = [
    question(
        "g1",
        "SELECT id1, sum(v1) AS a FROM g1 GROUP BY id1",
        "min(id1), sum(a)",
    ),
    question(
        "g2",
        "SELECT id1, id2, sum(v1) AS a FROM g1 GROUP BY id1, id2",
        "max(id2), sum(a)",
    ),
    question(
        "g3",
        "SELECT id3, sum(v1) AS a, avg(v3) AS b FROM g1 GROUP BY id3",
        "min(id3), sum(a), sum(b)",
    ),
    question(
        "g4",
        "SELECT id4, avg(v1) AS a, avg(v2) AS b, avg(v3) AS c FROM g1 GROUP BY id4",
        "sum(id4), sum(a), sum(b), sum(c)",
    ),
    question(
        "g5",
        "SELECT id6, sum(v1) AS a, sum(v2) AS b, sum(v3) AS c FROM g1 GROUP BY id6",
        "sum(id6), sum(a), sum(b), sum(c)",
    ),
    question(
        "g6",
        "SELECT id4, id5, median(v3) AS a, stddev(v3) AS b FROM g1 GROUP BY id4, id5",
        "sum(id4), sum(a), sum(b)",
    ),
    question(
        "g7",
        "SELECT id3, max(v1) - min(v2) AS a FROM g1 GROUP BY id3",
        "max(id3), sum(a)",
    ),
    question(
        "g8",
        "SELECT id6, v3 FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) AS place \
         FROM g1 WHERE v3 IS NOT NULL) AS s WHERE place <= 2",
        "sum(id6), sum(v3)",
    ),
    question(
        "g9",
        "SELECT id2, id4, power(corr(v1, v2), 2) AS a FROM g1 GROUP BY id2, id4",
        // Of one row there is no correlation: NULL here, not a number there.
        "sum(id4), sum(CASE WHEN a < 2 THEN a END)",
    ),
    question(
        "g10",
        "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS a, count(*) AS b FROM g1 \
         GROUP BY id1, id2, id3, id4, id5, id6",
        "sum(id4), sum(id6), sum(a), sum(b)",
    ),
];

/// The five questions of joining, and what is summed where the answer is not kept.
pub const JOIN: [(Question, &str); 5] = [
    (
        question(
            "j1",
            "SELECT x.*, small.id4 AS small_id4, v2 FROM x JOIN small ON x.id1 = small.id1",
            "sum(v1), sum(v2), max(small_id4)",
        ),
        "FROM x JOIN small ON x.id1 = small.id1",
    ),
    (
        question(
            "j2",
            "SELECT x.*, medium.id1 AS medium_id1, medium.id4 AS medium_id4, medium.id5 AS medium_id5, v2 \
             FROM x JOIN medium ON x.id2 = medium.id2",
            "sum(v1), sum(v2), max(medium_id5)",
        ),
        "FROM x JOIN medium ON x.id2 = medium.id2",
    ),
    (
        question(
            "j3",
            "SELECT x.*, medium.id1 AS medium_id1, medium.id4 AS medium_id4, medium.id5 AS medium_id5, v2 \
             FROM x LEFT JOIN medium ON x.id2 = medium.id2",
            "sum(v1), sum(v2), count(medium_id1)",
        ),
        "FROM x LEFT JOIN medium ON x.id2 = medium.id2",
    ),
    (
        question(
            "j4",
            "SELECT x.*, medium.id1 AS medium_id1, medium.id2 AS medium_id2, medium.id4 AS medium_id4, v2 \
             FROM x JOIN medium ON x.id5 = medium.id5",
            "sum(v1), sum(v2), sum(medium_id2)",
        ),
        "FROM x JOIN medium ON x.id5 = medium.id5",
    ),
    (
        question(
            "j5",
            "SELECT x.*, big.id1 AS big_id1, big.id2 AS big_id2, big.id4 AS big_id4, big.id5 AS big_id5, \
             big.id6 AS big_id6, v2 FROM x JOIN big ON x.id3 = big.id3",
            "sum(v1), sum(v2), sum(big_id2), max(big_id6)",
        ),
        "FROM x JOIN big ON x.id3 = big.id3",
    ),
];

/// Writes the files of all tables, of which `g1`, `x` and `big` have `rows` rows.
///
/// # Errors
/// When one cannot be written.
pub fn write_tables(folder: &DataFolder, rows: usize) -> Result<(), Box<dyn Error>> {
    write_groups(folder, rows)?;
    let mut random = Random::new(2);
    let small = Keys::new(&mut random, (rows / 1_000_000).max(10));
    let medium = Keys::new(&mut random, (rows / 1_000).max(10));
    let big = Keys::new(&mut random, rows);

    // Each table has numbers of its own, whether the others are there or not.
    let mut random = Random::new(3);
    folder.write("x", rows, |range| {
        let ids: [Vec<i32>; 2] =
            [&small, &medium].map(|keys| keys.any_left(&mut random, range.len()));
        let [id1, id2] = ids;
        let id3 = big.left.get(range.clone()).unwrap_or_default().to_vec();
        let texts = [&id1, &id2, &id3].map(|ids| named(ids));
        let [id4, id5, id6] = texts;
        let mut columns = integers([("id1", id1), ("id2", id2), ("id3", id3)]);
        columns.extend([("id4", id4), ("id5", id5), ("id6", id6)]);
        columns.push(("v1", percents(&mut random, range.len())));
        columns
    })?;
    for (seed, table, keys) in [
        (4, "small", &small),
        (5, "medium", &medium),
        (6, "big", &big),
    ] {
        let mut random = Random::new(seed);
        folder.write(table, keys.right.len(), |range| {
            let own = keys.right.get(range.clone()).unwrap_or_default().to_vec();
            let rows = own.len();
            let mut any = |keys: &Keys| keys.any_right(&mut random, rows);
            let ids = match table {
                "small" => vec![("id1", "id4", own)],
                "medium" => vec![("id1", "id4", any(&small)), ("id2", "id5", own)],
                _ => vec![
                    ("id1", "id4", any(&small)),
                    ("id2", "id5", any(&medium)),
                    ("id3", "id6", own),
                ],
            };
            let texts: Vec<(&str, ArrayRef)> = ids
                .iter()
                .map(|(_, name, ids)| (*name, named(ids)))
                .collect();
            let mut columns = integers(ids.into_iter().map(|(name, _, ids)| (name, ids)));
            columns.extend(texts);
            columns.push(("v2", percents(&mut random, rows)));
            columns
        })?;
    }
    Ok(())
}

fn write_groups(folder: &DataFolder, rows: usize) -> Result<(), Box<dyn Error>> {
    let many = (rows as u64 / FEW).max(1);
    let mut random = Random::new(1);
    folder.write("g1", rows, |range| {
        let rows = range.len();
        let mut text = |values: u64, width: usize| -> ArrayRef {
            let ids = (0..rows).map(|_| format!("id{:0width$}", 1 + random.below(values)));
            Arc::new(StringArray::from_iter_values(ids))
        };
        let mut columns = vec![
            ("id1", text(FEW, 3)),
            ("id2", text(FEW, 3)),
            ("id3", text(many, 10)),
        ];
        let mut number =
            |end: u64| -> Vec<i32> { (0..rows).map(|_| 1 + random.below(end) as i32).collect() };
        columns.extend(integers([
            ("id4", number(FEW)),
            ("id5", number(FEW)),
            ("id6", number(many)),
            ("v1", number(5)),
            ("v2", number(15)),
        ]));
        columns.push(("v3", percents(&mut random, rows)));
        columns
    })
}

/// Keys of the left side and of the right one: nine in ten are on both.
struct Keys {
    left: Vec<i32>,
    right: Vec<i32>,
}

impl Keys {
    fn new(random: &mut Random, count: usize) -> Self {
        let all = random.permutation(count + count / 10);
        let both = count - count / 10;
        let (shared, others) = all.split_at(both);
        let (left, right) = others.split_at(others.len() / 2);
        let mixed = |own: &[i32], random: &mut Random| {
            let keys = [shared, own].concat();
            let order = random.permutation(keys.len()).into_iter();
            let keys = order.filter_map(|place| keys.get(place as usize - 1).copied());
            keys.collect::<Vec<i32>>()
        };
        Self {
            left: mixed(left, random),
            right: mixed(right, random),
        }
    }

    fn any_left(&self, random: &mut Random, rows: usize) -> Vec<i32> {
        (0..rows)
            .filter_map(|_| random.one_of(&self.left).copied())
            .collect()
    }

    fn any_right(&self, random: &mut Random, rows: usize) -> Vec<i32> {
        (0..rows)
            .filter_map(|_| random.one_of(&self.right).copied())
            .collect()
    }
}

fn integers(
    columns: impl IntoIterator<Item = (&'static str, Vec<i32>)>,
) -> Vec<(&'static str, ArrayRef)> {
    let columns = columns.into_iter();
    columns
        .map(|(name, values)| (name, Arc::new(Int32Array::from(values)) as ArrayRef))
        .collect()
}

/// Keys as text.
fn named(ids: &[i32]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        ids.iter().map(|id| format!("id{id}")),
    ))
}

/// Numbers below 100 with six digits behind the point.
fn percents(random: &mut Random, rows: usize) -> ArrayRef {
    let values = (0..rows).map(|_| random.below(100_000_000) as f64 / 1e6);
    Arc::new(values.collect::<Float64Array>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_keys_are_on_both_sides() {
        let keys = Keys::new(&mut Random::new(3), 1_000);
        let right: std::collections::HashSet<i32> = keys.right.iter().copied().collect();
        let shared = keys.left.iter().filter(|key| right.contains(key)).count();
        let found = (keys.left.len(), keys.right.len(), right.len(), shared);
        assert_eq!(found, (1_000, 1_000, 1_000, 900));
    }
}
