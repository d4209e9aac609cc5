//! Random plans from a string of bytes: shorter and smaller bytes give simpler plans, so that a
//! failing plan shrinks.

use crate::{Data, Value};
use hashbrown::HashMap;
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, ColumnId, Expr, SortKey, UnaryOp};
use llkv_plan::{
    Aggregate, Apply, ApplyKind, ColumnStatistics, Distinct, Filter, Join, JoinKind, Limit,
    LogicalPlan, PlanColumn, Project, Projection, Scan, SetOp, SetOpKind, Sort, TableStatistics,
    UnionAll,
};
use llkv_types::{FieldId, Scalar, SqlType, TableId};

/// Tables that the plans read, each with three columns.
const TABLES: u32 = 3;

/// Makes plans and data.
pub(crate) struct Generator<'a> {
    bytes: &'a [u8],
    next_column: u32,
    /// Nodes that may still be made.
    budget: usize,
}

type Columns = Vec<PlanColumn>;

impl<'a> Generator<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            next_column: 0,
            budget: 14,
        }
    }

    /// A number below `n`; 0 once the bytes are used up.
    fn below(&mut self, n: usize) -> usize {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first as usize % n
            }
            None => 0,
        }
    }

    fn fresh(&mut self, ty: SqlType) -> PlanColumn {
        let id = ColumnId(self.next_column);
        self.next_column += 1;
        PlanColumn {
            id,
            name: format!("c{}", id.0).into(),
            ty,
            nullable: true,
        }
    }

    fn value(&mut self) -> Value {
        match self.below(5) {
            0 => Some(0),
            1 => Some(1),
            2 => None,
            n => Some(n as i64 - 1),
        }
    }

    pub(crate) fn data(&mut self) -> Data {
        let mut data = Data::new();
        for table in 0..TABLES {
            let rows = self.below(6);
            let rows = (0..rows)
                .map(|_| (0..3).map(|f| (FieldId(f), self.value())).collect())
                .collect();
            data.insert(TableId(table), rows);
        }
        data
    }

    /// A plan that may read the `around` columns.
    pub(crate) fn plan(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        if depth == 0 || self.budget == 0 {
            return self.scan();
        }
        self.budget -= 1;
        match self.below(16) {
            0 | 1 => self.scan(),
            2..=4 => self.filter(depth, around),
            5 => self.project(depth, around),
            6..=8 => self.join(depth, around),
            9..=11 => self.apply(depth, around),
            12 => self.aggregate(depth, around),
            13 => LogicalPlan::Distinct(Distinct {
                input: Box::new(self.plan(depth - 1, around)),
            }),
            14 => self.set(depth, around),
            _ => self.limit(depth, around),
        }
    }

    fn scan(&mut self) -> LogicalPlan {
        let table = self.below(TABLES as usize) as u32;
        LogicalPlan::Scan(Scan {
            table: TableId(table),
            table_name: format!("t{table}"),
            columns: (0..3)
                .map(|f| (FieldId(f), self.fresh(SqlType::Int64)))
                .collect(),
            row_id: None,
            predicates: Vec::new(),
            index: None,
        })
    }

    fn both(input: &LogicalPlan, around: &Columns) -> Columns {
        let mut all = input.columns();
        all.extend(around.iter().cloned());
        all
    }

    fn filter(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let input = self.plan(depth - 1, around);
        let scope = Self::both(&input, around);
        let predicate = self.predicate(2, &scope);
        LogicalPlan::Filter(Filter {
            input: Box::new(input),
            predicate,
        })
    }

    fn project(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let input = self.plan(depth - 1, around);
        let scope = Self::both(&input, around);
        let own = input.columns();
        let mut projections = Vec::new();
        for c in own {
            if self.below(3) != 1 {
                let expr = Expr::column(c.id, c.ty);
                let name = if self.below(2) == 0 {
                    c.name.clone()
                } else {
                    format!("{}_renamed", c.name).into()
                };
                projections.push(Projection {
                    column: PlanColumn { name, ..c },
                    expr,
                });
            }
        }
        for _ in 0..self.below(3) {
            let expr = self.integer(2, &scope);
            projections.push(Projection {
                column: self.fresh(expr.ty()),
                expr,
            });
        }
        LogicalPlan::Project(Project {
            input: Box::new(input),
            projections,
        })
    }

    fn join(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let (bytes, budget) = (self.bytes, self.budget);
        let left = self.plan(depth - 1, around);
        let right = match self.below(4) {
            3 => self.again(bytes, budget, depth, around),
            _ => self.plan(depth - 1, around),
        };
        let kind = [
            JoinKind::Inner,
            JoinKind::Left,
            JoinKind::Inner,
            JoinKind::Right,
            JoinKind::Full,
            JoinKind::Semi,
            JoinKind::Anti,
            JoinKind::Mark,
            JoinKind::NullAwareAnti,
        ][self.below(9)];
        let (left_columns, right_columns) = (left.columns(), right.columns());
        let mut on = Vec::new();
        let least = usize::from(kind == JoinKind::NullAwareAnti);
        for _ in 0..self.below(3).max(least) {
            on.push((
                self.integer(1, &left_columns),
                self.integer(1, &right_columns),
            ));
        }
        let null_equal = (0..on.len()).map(|_| self.below(8) == 7).collect();
        let mut scope = left_columns;
        scope.extend(right_columns);
        scope.extend(around.iter().cloned());
        let filter = (kind != JoinKind::NullAwareAnti && self.below(2) == 1)
            .then(|| self.predicate(2, &scope));
        LogicalPlan::Join(Join {
            left: Box::new(left),
            right: Box::new(right),
            kind,
            null_equal,
            filter,
            mark: (kind == JoinKind::Mark).then(|| self.fresh(SqlType::Boolean)),
            null_aware_mark: false,
            aggregates: Vec::new(),
            left_first: false,
            on,
        })
    }

    /// The plan that so many bytes gave before, with columns of its own.
    fn again(
        &mut self,
        bytes: &'a [u8],
        budget: usize,
        depth: usize,
        around: &Columns,
    ) -> LogicalPlan {
        let rest = (self.bytes, self.budget);
        (self.bytes, self.budget) = (bytes, budget);
        let plan = self.plan(depth - 1, around);
        (self.bytes, self.budget) = rest;
        plan
    }

    fn apply(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let outer = self.plan(depth - 1, around);
        let scope = Self::both(&outer, around);
        let mut inner = self.plan(depth - 1, &scope);
        let outer_columns = outer.columns();
        let kind = match self.below(6) {
            0 => ApplyKind::Exists {
                mark: self.fresh(SqlType::Boolean),
            },
            1 => {
                let inner_columns = inner.columns();
                let pairs = 1 + self.below(2);
                ApplyKind::In {
                    mark: self.fresh(SqlType::Boolean),
                    needle: (0..pairs)
                        .map(|_| self.integer(1, &outer_columns))
                        .collect(),
                    haystack: (0..pairs)
                        .map(|_| self.integer(1, &inner_columns))
                        .collect(),
                }
            }
            2 => ApplyKind::Cross,
            3 => ApplyKind::Left,
            n => {
                let scalar = self.below(4);
                if scalar < 3 {
                    inner = self.aggregate_over(inner, true);
                } else {
                    inner = sort_by_all(inner);
                }
                ApplyKind::Scalar {
                    first_row: n == 5 || scalar == 3,
                }
            }
        };
        LogicalPlan::Apply(Apply {
            outer: Box::new(outer),
            inner: Box::new(inner),
            kind,
        })
    }

    fn aggregate(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let input = self.plan(depth - 1, around);
        let scalar = self.below(3) == 0;
        self.aggregate_over(input, scalar)
    }

    fn aggregate_over(&mut self, input: LogicalPlan, scalar: bool) -> LogicalPlan {
        let columns = input.columns();
        let mut groups: Vec<Projection> = Vec::new();
        if !scalar {
            for _ in 0..=self.below(2) {
                let expr = self.integer(1, &columns);
                let pass = match &expr {
                    Expr::Column { id, .. } => columns
                        .iter()
                        .find(|c| c.id == *id && groups.iter().all(|g| g.column.id != c.id)),
                    _ => None,
                };
                let column = pass.cloned().unwrap_or_else(|| self.fresh(SqlType::Int64));
                groups.push(Projection { column, expr });
            }
        }
        let mut aggregates = Vec::new();
        for _ in 0..=self.below(2) {
            let function = [
                AggregateFunction::CountStar,
                AggregateFunction::Count,
                AggregateFunction::Sum,
                AggregateFunction::Min,
                AggregateFunction::Max,
            ][self.below(5)];
            let args = if function == AggregateFunction::CountStar {
                Vec::new()
            } else {
                vec![self.integer(1, &columns)]
            };
            let call = AggregateExpr {
                distinct: !args.is_empty() && self.below(4) == 3,
                filter: (self.below(5) == 4).then(|| self.predicate(1, &columns)),
                function,
                args,
                order_by: Vec::new(),
                ty: SqlType::Int64,
            };
            aggregates.push((self.fresh(SqlType::Int64), call));
        }
        LogicalPlan::Aggregate(Aggregate {
            input: Box::new(input),
            groups,
            aggregates,
        })
    }

    /// A projection to a number of integer columns, for set operations.
    fn integers(&mut self, depth: usize, around: &Columns, width: usize) -> LogicalPlan {
        let input = self.plan(depth - 1, around);
        let columns = input.columns();
        let projections = (0..width)
            .map(|_| {
                let expr = self.integer(1, &columns);
                Projection {
                    column: self.fresh(SqlType::Int64),
                    expr,
                }
            })
            .collect();
        LogicalPlan::Project(Project {
            input: Box::new(input),
            projections,
        })
    }

    fn set(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let width = 1 + self.below(2);
        let left = self.integers(depth, around, width);
        let right = self.integers(depth, around, width);
        let columns = (0..width).map(|_| self.fresh(SqlType::Int64)).collect();
        match self.below(3) {
            0 => LogicalPlan::UnionAll(UnionAll {
                inputs: vec![left, right],
                columns,
            }),
            n => LogicalPlan::SetOp(SetOp {
                kind: if n == 1 {
                    SetOpKind::Except
                } else {
                    SetOpKind::Intersect
                },
                all: self.below(2) == 1,
                left: Box::new(left),
                right: Box::new(right),
                columns,
            }),
        }
    }

    fn limit(&mut self, depth: usize, around: &Columns) -> LogicalPlan {
        let input = self.plan(depth - 1, around);
        LogicalPlan::Limit(Limit {
            input: Box::new(sort_by_all(input)),
            skip: [0, 0, 0, 1][self.below(4)],
            fetch: [Some(1), Some(2), Some(1), None, Some(0)][self.below(5)],
        })
    }

    /// An expression of type BIGINT.
    fn integer(&mut self, depth: usize, scope: &Columns) -> Expr {
        let numbers: Vec<&PlanColumn> = scope.iter().filter(|c| c.ty == SqlType::Int64).collect();
        match self.below(8) {
            6 => Expr::Literal(
                self.value()
                    .map_or(Scalar::Null(SqlType::Int64), Scalar::Int64),
            ),
            7 if depth > 0 => {
                let op = [BinaryOp::Add, BinaryOp::Subtract][self.below(2)];
                let (l, r) = (
                    self.integer(depth - 1, scope),
                    self.integer(depth - 1, scope),
                );
                Expr::binary(op, l, r, SqlType::Int64)
            }
            5 if depth > 0 => Expr::Case {
                branches: vec![(self.predicate(0, scope), self.integer(depth - 1, scope))],
                otherwise: Some(Box::new(self.integer(depth - 1, scope))),
                ty: SqlType::Int64,
            },
            n if !numbers.is_empty() => {
                let c = numbers[(n * 7 + self.below(5)) % numbers.len()];
                Expr::column(c.id, c.ty)
            }
            n => Expr::Literal(Scalar::Int64(n as i64 % 3)),
        }
    }

    /// An expression of type BOOLEAN.
    fn predicate(&mut self, depth: usize, scope: &Columns) -> Expr {
        let marks: Vec<&PlanColumn> = scope.iter().filter(|c| c.ty == SqlType::Boolean).collect();
        if !marks.is_empty() && self.below(2) == 0 {
            let mark = marks[self.below(marks.len())];
            let mark = Expr::column(mark.id, mark.ty);
            return match self.below(4) {
                0 | 1 => mark,
                2 => Expr::unary(UnaryOp::Not, mark),
                _ => Expr::unary(UnaryOp::IsNotTrue, mark),
            };
        }
        match self.below(12) {
            7 if depth > 0 => Expr::And(vec![
                self.predicate(depth - 1, scope),
                self.predicate(depth - 1, scope),
            ]),
            8 if depth > 0 => Expr::Or(vec![
                self.predicate(depth - 1, scope),
                self.predicate(depth - 1, scope),
            ]),
            9 if depth > 0 => Expr::unary(UnaryOp::Not, self.predicate(depth - 1, scope)),
            10 => {
                let op = [UnaryOp::IsNull, UnaryOp::IsNotNull][self.below(2)];
                Expr::unary(op, self.integer(1, scope))
            }
            11 => Expr::boolean(self.below(2) == 0),
            n => {
                let op = [
                    BinaryOp::Eq,
                    BinaryOp::Eq,
                    BinaryOp::Eq,
                    BinaryOp::Lt,
                    BinaryOp::NotEq,
                    BinaryOp::GtEq,
                    BinaryOp::IsNotDistinctFrom,
                ][n % 7];
                Expr::compare(op, self.integer(1, scope), self.integer(1, scope))
            }
        }
    }
}

/// Sorted by everything, so that a slice of it is the same whatever the order of the input.
fn sort_by_all(input: LogicalPlan) -> LogicalPlan {
    let keys = input
        .columns()
        .into_iter()
        .map(|c| SortKey {
            expr: Expr::column(c.id, c.ty),
            descending: false,
            nulls_first: true,
        })
        .collect();
    LogicalPlan::Sort(Sort {
        input: Box::new(input),
        keys,
        fetch: None,
    })
}

/// Statistics of the data.
pub(crate) fn statistics(data: &Data, table: TableId) -> TableStatistics {
    let rows = &data[&table];
    let columns = (0..3)
        .map(|f| {
            let values: Vec<i64> = rows.iter().filter_map(|row| row[&FieldId(f)]).collect();
            let mut different: HashMap<i64, ()> = HashMap::new();
            different.extend(values.iter().map(|v| (*v, ())));
            let statistics = ColumnStatistics {
                min: values.iter().min().map(|v| Scalar::Int64(*v)),
                max: values.iter().max().map(|v| Scalar::Int64(*v)),
                null_count: Some((rows.len() - values.len()) as u64),
                distinct_count: Some(different.len() as u64),
            };
            (FieldId(f), statistics)
        })
        .collect();
    TableStatistics {
        rows: rows.len() as u64,
        columns,
    }
}
