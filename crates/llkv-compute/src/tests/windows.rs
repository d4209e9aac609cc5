//! Windows against a reference that looks at each row by itself.

use super::{col, column, lit, scalars};
use crate::window::{
    Bound, FrameRows, Frames, Navigation, Offset, RangeKeys, RowRuns, aggregate_over, navigate,
    rank_rows,
};
use crate::{Groups, aggregate_type, create_accumulator};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt32Array};
use llkv_expr::{
    AggregateExpr, AggregateFunction as F, FrameExclusion, FrameUnit, WindowFunction as W,
};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::sync::Arc;

/// Rows of partitions in order, as (partition, key, value); keys are NULL last.
#[derive(Debug, Clone)]
struct Rows(Vec<(u8, Option<i64>, Option<i64>)>);

fn rows(most: usize) -> impl Strategy<Value = Rows> {
    let row = (
        0u8..3,
        prop::option::weighted(0.9, 0i64..12),
        prop::option::weighted(0.8, -9i64..10),
    );
    prop::collection::vec(row, 0..most).prop_map(|mut rows| {
        rows.sort_by_key(|(partition, key, _)| (*partition, key.is_none(), *key));
        Rows(rows)
    })
}

impl Rows {
    fn partitions(&self) -> RowRuns {
        RowRuns::new((0..self.0.len()).map(|i| i == 0 || self.0[i].0 != self.0[i - 1].0))
    }

    fn peers(&self) -> RowRuns {
        RowRuns::new(
            (0..self.0.len()).map(|i| {
                i == 0 || (self.0[i].0, self.0[i].1) != (self.0[i - 1].0, self.0[i - 1].1)
            }),
        )
    }

    fn keys(&self) -> Vec<Option<i64>> {
        self.0.iter().map(|row| row.1).collect()
    }

    fn values(&self) -> Vec<Option<i64>> {
        self.0.iter().map(|row| row.2).collect()
    }

    /// The rows of the partition of a row.
    fn partition(&self, row: usize) -> Vec<usize> {
        (0..self.0.len())
            .filter(|i| self.0[*i].0 == self.0[row].0)
            .collect()
    }

    fn is_peer(&self, a: usize, b: usize) -> bool {
        (self.0[a].0, self.0[a].1) == (self.0[b].0, self.0[b].1)
    }

    /// The number of a row's group of peers within its partition.
    fn group(&self, row: usize) -> i64 {
        let partition = self.partition(row);
        let upto = partition.iter().take_while(|i| **i <= row);
        upto.filter(|i| **i == partition[0] || !self.is_peer(**i, **i - 1))
            .count() as i64
    }
}

#[derive(Debug, Clone, Copy)]
enum Edge {
    Unbounded,
    Current,
    Preceding(i64),
    Following(i64),
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![
        Just(Edge::Unbounded),
        Just(Edge::Current),
        (0i64..5).prop_map(Edge::Preceding),
        (0i64..5).prop_map(Edge::Following),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Spec {
    unit: FrameUnit,
    start: Edge,
    end: Edge,
    exclusion: FrameExclusion,
}

fn spec() -> impl Strategy<Value = Spec> {
    use FrameExclusion as E;
    let unit = prop::sample::select(vec![FrameUnit::Rows, FrameUnit::Range, FrameUnit::Groups]);
    let exclusion = prop::sample::select(vec![
        E::NoOthers,
        E::NoOthers,
        E::CurrentRow,
        E::Group,
        E::Ties,
    ]);
    (unit, edge(), edge(), exclusion).prop_map(|(unit, start, end, exclusion)| Spec {
        unit,
        start,
        end,
        exclusion,
    })
}

impl Spec {
    fn frames(&self, rows: &Rows) -> Frames {
        let keys = rows.keys();
        let ints = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let offset = |distance: i64, sign: i64| Offset {
            distance: ints(vec![Some(distance); keys.len()]),
            bound: Some(ints(
                keys.iter()
                    .map(|k| k.map(|k| k + distance * sign))
                    .collect(),
            )),
        };
        let bound = |edge: Edge| match edge {
            Edge::Unbounded => Bound::Unbounded,
            Edge::Current => Bound::CurrentRow,
            Edge::Preceding(n) => Bound::Preceding(offset(n, -1)),
            Edge::Following(n) => Bound::Following(offset(n, 1)),
        };
        let spec = FrameRows {
            unit: self.unit,
            start: bound(self.start),
            end: bound(self.end),
            exclusion: self.exclusion,
            keys: Some(RangeKeys {
                values: ints(keys.clone()),
                descending: false,
                nulls_first: false,
            }),
        };
        Frames::new(&spec, &rows.partitions(), &rows.peers()).unwrap()
    }

    /// The rows of a frame, by the definition.
    fn members(&self, rows: &Rows, row: usize) -> Vec<usize> {
        let is_in = |other: &usize| {
            let other = *other;
            let behind_start = self.passes(rows, row, other, self.start, true);
            let before_end = self.passes(rows, row, other, self.end, false);
            let excluded = match self.exclusion {
                FrameExclusion::NoOthers => false,
                FrameExclusion::CurrentRow => other == row,
                FrameExclusion::Group => rows.is_peer(row, other),
                FrameExclusion::Ties => rows.is_peer(row, other) && other != row,
            };
            behind_start && before_end && !excluded
        };
        rows.partition(row).into_iter().filter(is_in).collect()
    }

    fn passes(&self, rows: &Rows, row: usize, other: usize, edge: Edge, start: bool) -> bool {
        let distance = match edge {
            Edge::Unbounded => return true,
            Edge::Current => 0,
            Edge::Preceding(n) => -n,
            Edge::Following(n) => n,
        };
        let (place, bound) = match self.unit {
            FrameUnit::Rows => (other as i64, row as i64 + distance),
            FrameUnit::Groups => (rows.group(other), rows.group(row) + distance),
            FrameUnit::Range => match (rows.0[other].1, rows.0[row].1) {
                (Some(other), Some(key)) => (other, key + distance),
                // NULLs are peers; a NULL is behind every key.
                (None, None) => (0, 0),
                (None, Some(_)) => (1, 0),
                (Some(_), None) => (0, 1),
            },
        };
        if start {
            place >= bound
        } else {
            place <= bound
        }
    }
}

fn calls() -> Vec<(F, SqlType)> {
    vec![
        (F::CountStar, SqlType::Int64),
        (F::Count, SqlType::Int64),
        (F::Sum, SqlType::Int32),
        (F::Sum, SqlType::Int64),
        (
            F::Sum,
            SqlType::Decimal {
                precision: 12,
                scale: 2,
            },
        ),
        (F::Sum, SqlType::Float64),
        (F::Total, SqlType::Float64),
        (F::Avg, SqlType::Int32),
        (F::Avg, SqlType::Float64),
        (F::Min, SqlType::Int64),
        (F::Max, SqlType::Float64),
        (F::Min, SqlType::Text),
        (F::Max, SqlType::Text),
        (F::StringAgg, SqlType::Text),
        (F::BoolAnd, SqlType::Boolean),
        (F::BoolOr, SqlType::Boolean),
        (F::AnyValue, SqlType::Int64),
        (F::First, SqlType::Int64),
    ]
}

fn of_type(value: Option<i64>, ty: SqlType) -> Scalar {
    let Some(value) = value else {
        return Scalar::Null(ty);
    };
    match ty {
        SqlType::Int32 => Scalar::Int32(value as i32),
        SqlType::Int64 => Scalar::Int64(value),
        SqlType::Float64 => Scalar::Float64(value as f64 / 4.0),
        SqlType::Boolean => Scalar::Boolean(value > -7),
        SqlType::Decimal { precision, scale } => Scalar::Decimal {
            value: i128::from(value) * 33,
            precision,
            scale,
        },
        _ => Scalar::Text(format!("v{value}").into()),
    }
}

fn call(function: F, ty: SqlType) -> AggregateExpr {
    let types = if function == F::CountStar {
        vec![]
    } else {
        vec![ty]
    };
    let (args, result) = aggregate_type(function, &types).unwrap();
    let mut args: Vec<_> = args.iter().map(|ty| col(0, *ty)).collect();
    if function == F::StringAgg {
        args.push(lit(Scalar::Text("-".into())));
    }
    AggregateExpr {
        function,
        args,
        distinct: false,
        filter: None,
        order_by: vec![],
        ty: result,
    }
}

fn texts(array: &ArrayRef) -> Vec<String> {
    scalars(array).iter().map(ToString::to_string).collect()
}

/// One accumulator for each row.
fn by_row(
    call: &AggregateExpr,
    args: &[ArrayRef],
    filter: Option<&BooleanArray>,
    members: &[Vec<usize>],
) -> Vec<String> {
    let of = |rows: &Vec<usize>| {
        let indices: UInt32Array = rows.iter().map(|row| Some(*row as u32)).collect();
        let take = |array: &ArrayRef| arrow::compute::take(array, &indices, None).unwrap();
        let args: Vec<ArrayRef> = args.iter().map(take).collect();
        let filter = filter.map(|f| {
            rows.iter()
                .map(|row| Some(f.value(*row)))
                .collect::<BooleanArray>()
        });
        let mut accumulator = create_accumulator(call).unwrap();
        accumulator
            .update(&args, Groups::Single(rows.len()), 1, filter.as_ref())
            .unwrap();
        accumulator.resize(1);
        texts(&accumulator.finish().unwrap()).remove(0)
    };
    members.iter().map(of).collect()
}

fn check_aggregates(rows: &Rows, spec: Spec, filtered: bool) {
    let frames = spec.frames(rows);
    let members: Vec<Vec<usize>> = (0..rows.0.len())
        .map(|row| spec.members(rows, row))
        .collect();
    let filter = filtered.then(|| {
        rows.values()
            .iter()
            .map(|v| Some(v.is_some_and(|v| v % 3 != 0)))
            .collect::<BooleanArray>()
    });
    for (function, ty) in calls() {
        let call = call(function, ty);
        let values: Vec<Scalar> = rows.values().iter().map(|v| of_type(*v, ty)).collect();
        let args = match function {
            F::CountStar => vec![],
            _ => vec![column(ty, &values)],
        };
        let got = aggregate_over(&call, &args, filter.as_ref(), &frames, &|| Ok(())).unwrap();
        let expected = by_row(&call, &args, filter.as_ref(), &members);
        assert_eq!(texts(&got), expected, "{call} of {ty}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn aggregates_over_any_frame(rows in rows(40), spec in spec(), filtered in any::<bool>()) {
        check_aggregates(&rows, spec, filtered);
    }

    /// Long partitions: most frames are neither short nor side by side.
    #[test]
    fn aggregates_over_long_frames(rows in rows(300), unit in 0..2usize, end in edge(), exclude in any::<bool>()) {
        let spec = Spec {
            unit: [FrameUnit::Rows, FrameUnit::Range][unit],
            start: if exclude { Edge::Unbounded } else { Edge::Preceding(60) },
            end,
            exclusion: if exclude { FrameExclusion::Ties } else { FrameExclusion::NoOthers },
        };
        check_aggregates(&rows, spec, false);
    }

    #[test]
    fn values_of_frames(rows in rows(30), spec in spec(), ignore_nulls in any::<bool>(), n in 1i64..5) {
        let frames = spec.frames(&rows);
        let values = rows.values();
        let array = Arc::new(Int64Array::from(values.clone())) as ArrayRef;
        let numbers = Arc::new(Int64Array::from(vec![n; values.len()])) as ArrayRef;
        for (function, at) in [(W::FirstValue, 0), (W::LastValue, -1), (W::NthValue, n - 1)] {
            let args = match function {
                W::NthValue => vec![array.clone(), numbers.clone()],
                _ => vec![array.clone()],
            };
            let got = navigate(&Navigation {
                function,
                args: &args,
                ignore_nulls,
                partitions: &rows.partitions(),
                frames: Some(&frames),
            }).unwrap();
            let expected: Vec<Option<i64>> = (0..values.len()).map(|row| {
                let mut seen = spec.members(&rows, row);
                seen.retain(|i| !ignore_nulls || values[*i].is_some());
                let at = if at < 0 { seen.len() as i64 + at } else { at };
                usize::try_from(at).ok().and_then(|at| seen.get(at)).and_then(|i| values[*i])
            }).collect();
            prop_assert_eq!(&got, &(Arc::new(Int64Array::from(expected)) as ArrayRef));
        }
    }

    #[test]
    fn neighbours(rows in rows(30), distances in prop::collection::vec(prop::option::weighted(0.9, -4i64..5), 30), ignore_nulls in any::<bool>()) {
        let values = rows.values();
        let array = Arc::new(Int64Array::from(values.clone())) as ArrayRef;
        let distance: Vec<Option<i64>> = distances.into_iter().take(values.len()).collect();
        let args = vec![
            array.clone(),
            Arc::new(Int64Array::from(distance.clone())) as ArrayRef,
            Arc::new(Int64Array::from((0..values.len() as i64).map(|i| i + 100).collect::<Vec<_>>())) as ArrayRef,
        ];
        for (function, sign) in [(W::Lag, -1), (W::Lead, 1)] {
            let got = navigate(&Navigation {
                function,
                args: &args,
                ignore_nulls,
                partitions: &rows.partitions(),
                frames: None,
            }).unwrap();
            let expected: Vec<Option<i64>> = (0..values.len()).map(|row| {
                let distance = distance[row]? * sign;
                if distance == 0 {
                    return values[row];
                }
                let partition = rows.partition(row).into_iter();
                let counts = |i: &usize| !ignore_nulls || values[*i].is_some();
                let found = if distance > 0 {
                    partition.filter(|i| *i > row).filter(counts).nth(distance as usize - 1)
                } else {
                    partition.rev().filter(|i| *i < row).filter(counts).nth(-distance as usize - 1)
                };
                found.map_or(Some(row as i64 + 100), |i| values[i])
            }).collect();
            prop_assert_eq!(&got, &(Arc::new(Int64Array::from(expected)) as ArrayRef));
        }
    }

    #[test]
    fn ranks(rows in rows(30), buckets in 1i64..8) {
        let all = 0..rows.0.len();
        let number = |row: usize| rows.partition(row).iter().filter(|i| **i <= row).count() as i64;
        let rank = |row: usize| 1 + rows.partition(row).iter().filter(|i| **i < row && !rows.is_peer(**i, row)).count() as i64;
        let size = |row: usize| rows.partition(row).len() as i64;
        let upto = |row: usize| rows.partition(row).iter().filter(|i| **i <= row || rows.is_peer(**i, row)).count() as f64;
        // Buckets are filled one row each in turn, then lined up.
        let bucket = |row: usize| {
            let sizes: Vec<i64> = (0..buckets).map(|b| size(row) / buckets + i64::from(b < size(row) % buckets)).collect();
            let mut left = number(row);
            for (b, size) in sizes.iter().enumerate() {
                left -= size;
                if left <= 0 {
                    return b as i64 + 1;
                }
            }
            0
        };
        let of = |function: W, args: &[ArrayRef]| texts(&rank_rows(function, args, &rows.partitions(), &rows.peers()).unwrap());
        let ints = |f: &dyn Fn(usize) -> i64| all.clone().map(|row| f(row).to_string()).collect::<Vec<_>>();
        let floats = |f: &dyn Fn(usize) -> f64| all.clone().map(|row| Scalar::Float64(f(row)).to_string()).collect::<Vec<_>>();
        prop_assert_eq!(of(W::RowNumber, &[]), ints(&number));
        prop_assert_eq!(of(W::Rank, &[]), ints(&rank));
        prop_assert_eq!(of(W::DenseRank, &[]), ints(&|row| rows.group(row)));
        prop_assert_eq!(of(W::PercentRank, &[]), floats(&|row| if size(row) == 1 { 0.0 } else { (rank(row) - 1) as f64 / (size(row) - 1) as f64 }));
        prop_assert_eq!(of(W::CumeDist, &[]), floats(&|row| upto(row) / size(row) as f64));
        let arg = Arc::new(Int64Array::from(vec![buckets; rows.0.len()])) as ArrayRef;
        prop_assert_eq!(of(W::Ntile, &[arg]), ints(&bucket));
    }
}
