//! Relations, classes of equal columns and other conditions of a region of inner joins.

use crate::LogicalPlan;
use crate::column_set::ColumnSet;
use crate::estimate::{Estimate, Estimator, expr_distinct, key_selectivity, selectivity};
use crate::rules::build::equality;
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};

/// A condition of a region.
pub(super) enum Condition {
    /// An equality, and whether NULL equals NULL in it.
    Key(Expr, Expr, bool),
    /// Anything else.
    Filter(Expr),
}

/// A column of a class.
struct Member {
    expr: Expr,
    relation: usize,
    distinct: f64,
}

/// Columns that the conditions make equal.
struct Class {
    members: Vec<Member>,
    relations: u64,
}

impl Class {
    /// The member within a set that has the fewest values: all have those of the fewest there.
    fn within(&self, set: u64) -> Option<&Member> {
        self.members
            .iter()
            .filter(|m| set & (1 << m.relation) != 0)
            .min_by(|a, b| a.distinct.total_cmp(&b.distinct))
    }
}

/// A condition that makes no class.
struct Other {
    condition: Option<Condition>,
    relations: u64,
    /// Relations of the two operands of a key.
    operands: (u64, u64),
    selectivity: f64,
}

/// The graph of a region.
pub(super) struct Graph {
    /// Rows of each relation.
    pub(super) rows: Vec<f64>,
    /// For each relation, the relations that a condition links it with.
    pub(super) neighbours: Vec<u64>,
    classes: Vec<Class>,
    others: Vec<Other>,
}

impl Graph {
    pub(super) fn new(
        relations: &[LogicalPlan],
        conditions: Vec<Condition>,
        estimator: &Estimator<'_>,
    ) -> Self {
        let mut owner: HashMap<ColumnId, usize> = HashMap::new();
        let mut all = Estimate::default();
        let mut rows = Vec::with_capacity(relations.len());
        for (at, relation) in relations.iter().enumerate() {
            relation.for_each_column(&mut |c| {
                owner.insert(c.id, at);
            });
            let estimate = estimator.of(relation);
            rows.push(estimate.rows.max(1.0));
            relation.for_each_column(&mut |c| {
                all.columns.insert(c.id, estimate.column(c.id));
            });
            all.rows = all.rows.max(estimate.rows);
        }
        let mut graph = Self {
            neighbours: vec![0; rows.len()],
            rows,
            classes: Vec::new(),
            others: Vec::new(),
        };
        for condition in conditions {
            graph.add(condition, &owner, &all);
        }
        graph.equate_within_relations();
        graph.link();
        graph
    }

    fn add(&mut self, condition: Condition, owner: &HashMap<ColumnId, usize>, all: &Estimate) {
        if let Condition::Key(l @ Expr::Column { id: a, .. }, r @ Expr::Column { id: b, .. }, false) =
            &condition
            && let (Some(left), Some(right)) = (owner.get(a), owner.get(b))
        {
            let member = |expr: &Expr, id: ColumnId, relation: usize| Member {
                expr: expr.clone(),
                relation,
                distinct: all.column(id).distinct,
            };
            self.equate(member(l, *a, *left), member(r, *b, *right));
            return;
        }
        let mut columns = ColumnSet::new();
        let part = match &condition {
            Condition::Key(l, r, _) => {
                columns.insert_expr(l);
                columns.insert_expr(r);
                1.0 / expr_distinct(l, all).max(expr_distinct(r, all)).max(1.0)
            }
            Condition::Filter(predicate) => {
                columns.insert_expr(predicate);
                selectivity(predicate, all)
            }
        };
        let relations_of = |columns: &ColumnSet| {
            columns
                .iter()
                .filter_map(|id| owner.get(&id))
                .fold(0, |set, at| set | (1u64 << at))
        };
        let operands = match &condition {
            Condition::Key(l, r, _) => (
                relations_of(&ColumnSet::of_expr(l)),
                relations_of(&ColumnSet::of_expr(r)),
            ),
            Condition::Filter(_) => (0, 0),
        };
        self.others.push(Other {
            condition: Some(condition),
            relations: relations_of(&columns),
            operands,
            selectivity: part,
        });
    }

    /// Puts two columns into one class, merging the classes that they are in.
    fn equate(&mut self, a: Member, b: Member) {
        let find = |graph: &Self, m: &Member| {
            graph
                .classes
                .iter()
                .position(|c| c.members.iter().any(|known| known.expr == m.expr))
        };
        let (at_a, at_b) = (find(self, &a), find(self, &b));
        match (at_a, at_b) {
            (None, None) => self.classes.push(Class {
                relations: (1 << a.relation) | (1 << b.relation),
                members: vec![a, b],
            }),
            (Some(at), None) => self.extend_class(at, b),
            (None, Some(at)) => self.extend_class(at, a),
            (Some(x), Some(y)) if x != y => {
                let gone = self.classes.swap_remove(x.max(y));
                if let Some(kept) = self.classes.get_mut(x.min(y)) {
                    kept.relations |= gone.relations;
                    kept.members.extend(gone.members);
                }
            }
            _ => {}
        }
    }

    fn extend_class(&mut self, at: usize, member: Member) {
        if let Some(class) = self.classes.get_mut(at) {
            class.relations |= 1 << member.relation;
            class.members.push(member);
        }
    }

    /// Two members in one relation are equal within it: no join would test that.
    fn equate_within_relations(&mut self) {
        for class in &self.classes {
            let mut seen: HashMap<usize, &Member> = HashMap::new();
            for member in &class.members {
                if let Some(first) = seen.insert(member.relation, member) {
                    let (l, r) = (first.expr.clone(), member.expr.clone());
                    self.others.push(Other {
                        condition: Some(Condition::Filter(equality(l, r, false))),
                        relations: 1 << member.relation,
                        operands: (0, 0),
                        selectivity: 1.0,
                    });
                }
            }
        }
    }

    fn link(&mut self) {
        let sets = self.classes.iter().map(|c| c.relations);
        let pairs = self.others.iter().map(|o| o.relations);
        let sets: Vec<u64> = sets
            .chain(pairs.filter(|set| set.count_ones() == 2))
            .collect();
        for set in sets {
            for (at, neighbours) in self.neighbours.iter_mut().enumerate() {
                if set & (1 << at) != 0 {
                    *neighbours |= set & !(1 << at);
                }
            }
        }
    }

    /// The relations that conditions link with a set, the set itself left out.
    pub(super) fn neighbourhood(&self, set: u64) -> u64 {
        let mut found = 0;
        let mut rest = set;
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            found |= self.neighbours.get(at).copied().unwrap_or(0);
        }
        found & !set
    }

    /// The part of the pairs of two sets that satisfies the conditions between them, and whether
    /// there is an equality among these.
    pub(super) fn between(
        &self,
        (left, left_rows): (u64, f64),
        (right, right_rows): (u64, f64),
    ) -> (f64, bool) {
        let mut hashed = false;
        let mut keys = self
            .classes
            .iter()
            .filter(|c| c.relations & left != 0 && c.relations & right != 0)
            .filter_map(|c| {
                hashed = true;
                let (l, r) = (c.within(left)?, c.within(right)?);
                Some((l.distinct.min(left_rows), r.distinct.min(right_rows)))
            });
        let mut part = key_selectivity(&mut keys, left_rows, right_rows);
        let both = left | right;
        for other in &self.others {
            let set = other.relations;
            if set & !both == 0 && set & !left != 0 && set & !right != 0 {
                part *= other.selectivity;
                hashed |= matches!(other.condition, Some(Condition::Key(..)));
            }
        }
        (part, hashed)
    }

    /// The conditions that a relation itself can test.
    pub(super) fn take_local(&mut self, relation: usize) -> Vec<Expr> {
        self.take_others(|set| set == 1 << relation)
            .into_iter()
            .map(as_predicate)
            .collect()
    }

    /// The conditions that a join of two sets tests: keys and the rest.
    pub(super) fn take_conditions(
        &mut self,
        left: u64,
        right: u64,
    ) -> (Vec<(Expr, Expr, bool)>, Vec<Expr>) {
        let mut on: Vec<(Expr, Expr, bool)> = self
            .classes
            .iter()
            .filter_map(|c| {
                let (l, r) = (c.within(left)?, c.within(right)?);
                Some((l.expr.clone(), r.expr.clone(), false))
            })
            .collect();
        let mut filter = Vec::new();
        for other in &mut self.others {
            let set = other.relations;
            if set == 0 || set & !(left | right) != 0 {
                continue;
            }
            let (l_set, r_set) = other.operands;
            let lies = |operand: u64, side: u64| operand != 0 && operand & !side == 0;
            match other.condition.take() {
                Some(Condition::Key(l, r, flag)) if lies(l_set, left) && lies(r_set, right) => {
                    on.push((l, r, flag));
                }
                Some(Condition::Key(l, r, flag)) if lies(l_set, right) && lies(r_set, left) => {
                    on.push((r, l, flag));
                }
                Some(condition) => filter.push(as_predicate(condition)),
                None => {}
            }
        }
        (on, filter)
    }

    fn take_others(&mut self, wanted: impl Fn(u64) -> bool) -> Vec<Condition> {
        self.others
            .iter_mut()
            .filter(|o| wanted(o.relations))
            .filter_map(|o| o.condition.take())
            .collect()
    }

    /// What is left when all relations are joined.
    pub(super) fn take_rest(&mut self) -> Vec<Expr> {
        self.take_others(|_| true)
            .into_iter()
            .map(as_predicate)
            .collect()
    }
}

fn as_predicate(condition: Condition) -> Expr {
    match condition {
        Condition::Key(l, r, null_equal) => equality(l, r, null_equal),
        Condition::Filter(predicate) => predicate,
    }
}
