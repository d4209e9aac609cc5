//! The optimizer: an ordered list of rules, applied one after another.

use crate::estimate::Estimator;
use crate::places::count_places;
use crate::rules::RULES;
use crate::walk::{NodeKinds, Shape};
use crate::{CatalogView, LogicalPlan, PlanColumn, explain_estimated};
use llkv_expr::ColumnId;
use llkv_result::{BindError, Error, Result};
use llkv_types::SqlType;
use smallvec::SmallVec;
use std::sync::Arc;

/// Levels of nodes and expressions above which a plan is refused.
pub const MAX_PLAN_DEPTH: usize = 20_000;

/// Levels that fit the smallest stack that a caller may have; above it, a larger one is made.
const SHALLOW_DEPTH: usize = 48;

/// Stack that one level may take, in bytes: the largest frames of the rules, unoptimized.
const STACK_PER_LEVEL_BYTES: usize = 16 * 1024;

/// A rewriting of plans that keeps their rows.
pub trait Rule: Sync {
    /// Name, as `EXPLAIN RULES` and [`OptimizerOptions::disabled_rules`] use it.
    fn name(&self) -> &'static str;

    /// One sentence.
    fn description(&self) -> &'static str;

    /// Kinds of nodes without which the rule has nothing to do.
    fn needs(&self) -> NodeKinds;

    /// True where the rule finds nothing more to do in what it has left, until another rule has changed it.
    fn is_settled_at_once(&self) -> bool {
        false
    }

    /// True where the rule looks at expressions one by one, wherever they stand.
    fn looks_at_expressions(&self) -> bool {
        false
    }

    /// True where plans cannot be executed without it.
    fn is_required(&self) -> bool {
        false
    }

    /// Rewrites the plan in place; true where something changed. The columns that the plan puts out
    /// stay the same, in order, with their ids.
    ///
    /// # Errors
    /// For a plan that the rule cannot make executable.
    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool>;
}

/// What a rule may ask.
pub struct RuleContext<'a> {
    /// Cardinalities.
    pub estimator: Estimator<'a>,
    /// When an index is taken.
    pub index_use: IndexUse,
    /// Set by a rule that has only moved expressions: rules that look at each on its own find nothing new.
    pub moves_only: bool,
    next_column: u32,
}

impl RuleContext<'_> {
    /// A column that the statement does not have yet.
    pub fn fresh(&mut self, name: impl Into<Arc<str>>, ty: SqlType, nullable: bool) -> PlanColumn {
        let id = ColumnId(self.next_column);
        self.next_column = self.next_column.saturating_add(1);
        PlanColumn {
            id,
            name: name.into(),
            ty,
            nullable,
        }
    }
}

/// What [`optimize`] does and leaves out.
#[derive(Debug, Clone, Default)]
pub struct OptimizerOptions {
    /// Names of rules that are not run. Without `unnest` a plan with subqueries cannot be executed.
    pub disabled_rules: Vec<String>,
    /// Only the rules without which no plan can be executed are run, and `disabled_rules` does not matter.
    pub only_required: bool,
    /// When an index is taken.
    pub index_use: IndexUse,
    /// Keep the plan's text after each rule that changed it: [`Optimized::trace`].
    pub trace: bool,
}

impl OptimizerOptions {
    fn runs(&self, rule: &dyn Rule) -> bool {
        if self.only_required {
            return rule.is_required();
        }
        let mut disabled = self.disabled_rules.iter();
        !disabled.any(|name| name == rule.name())
    }
}

/// When rows are looked up by an index rather than looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndexUse {
    /// Where it costs less, by the estimates.
    #[default]
    ByCost,
    /// Wherever an index knows something of a predicate: for tests, whose tables are small.
    Always,
    /// Nowhere.
    Never,
}

/// The plan after a rule that changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// Name of the rule; `bound` for the plan before all rules.
    pub rule: &'static str,
    /// The tree as text.
    pub plan: String,
}

/// A plan, and how it came about.
#[derive(Debug, Clone)]
pub struct Optimized {
    /// The plan.
    pub plan: LogicalPlan,
    /// Where asked for: the plan as bound, then after each rule that changed it.
    pub trace: Vec<TraceStep>,
}

/// Applies all rules in their order. The result has the columns of `plan`, and no
/// [`LogicalPlan::Apply`].
///
/// # Errors
/// [`BindError::Unsupported`] for a correlated subquery of a shape that no rule unnests,
/// [`BindError::TooComplex`] for a plan nested deeper than [`MAX_PLAN_DEPTH`].
pub fn optimize(
    plan: LogicalPlan,
    catalog: &dyn CatalogView,
    options: &OptimizerOptions,
) -> Result<LogicalPlan> {
    optimize_traced(plan, catalog, options).map(|optimized| optimized.plan)
}

/// Like [`optimize`], with the steps on the way where `options.trace` is set.
///
/// # Errors
/// As [`optimize`].
pub fn optimize_traced(
    plan: LogicalPlan,
    catalog: &dyn CatalogView,
    options: &OptimizerOptions,
) -> Result<Optimized> {
    let shape = Shape::of(&plan);
    if shape.depth > MAX_PLAN_DEPTH {
        return Err(BindError::TooComplex {
            what: "the nesting of the plan".into(),
            limit: MAX_PLAN_DEPTH,
        }
        .into());
    }
    if shape.depth <= SHALLOW_DEPTH {
        return apply_rules(plan, shape, catalog, options);
    }
    let stack_bytes = shape.depth.saturating_mul(STACK_PER_LEVEL_BYTES);
    stacker::maybe_grow(stack_bytes, stack_bytes.saturating_mul(2), || {
        apply_rules(plan, shape, catalog, options)
    })
}

fn apply_rules(
    mut plan: LogicalPlan,
    shape: Shape,
    catalog: &dyn CatalogView,
    options: &OptimizerOptions,
) -> Result<Optimized> {
    let mut context = RuleContext {
        estimator: Estimator::new(catalog),
        index_use: options.index_use,
        moves_only: false,
        next_column: shape.next_column,
    };
    let mut trace = Vec::new();
    if options.trace {
        trace.push(TraceStep {
            rule: "bound",
            plan: explain_estimated(&plan, catalog),
        });
    }
    let checked = cfg!(debug_assertions).then(|| plan.columns());
    if let Some(columns) = &checked {
        check("binding", &plan, columns)?;
    }
    let mut kinds = shape.kinds;
    // Rules that found nothing to do in the plan as it is.
    let mut idle: SmallVec<[&dyn Rule; 16]> = SmallVec::new();
    for rule in RULES {
        let is_idle = idle.iter().any(|idle| idle.name() == rule.name());
        let wanted = rule.needs().intersects(kinds) && options.runs(*rule) && !is_idle;
        if !wanted {
            continue;
        }
        context.moves_only = false;
        if !rule.rewrite(&mut plan, &mut context)? {
            idle.push(*rule);
            continue;
        }
        idle.retain(|idle| context.moves_only && idle.looks_at_expressions());
        if rule.is_settled_at_once() {
            idle.push(*rule);
        }
        kinds = NodeKinds::within(&plan);
        if options.trace {
            let text = explain_estimated(&plan, catalog);
            if trace.last().is_none_or(|last| last.plan != text) {
                trace.push(TraceStep {
                    rule: rule.name(),
                    plan: text,
                });
            }
        }
        if let Some(columns) = &checked {
            check(rule.name(), &plan, columns)?;
        }
    }
    if kinds.intersects(NodeKinds::SHARED) {
        count_places(&mut plan);
    }
    Ok(Optimized { plan, trace })
}

/// After each rule, in debug builds: the plan is sound and puts out what it put out before.
fn check(rule: &str, plan: &LogicalPlan, columns: &[PlanColumn]) -> Result<()> {
    let broken =
        |what: String| Error::internal(format!("after {rule}: {what}\n{}", crate::explain(plan)));
    crate::validate(plan).map_err(|e| broken(e.to_string()))?;
    let now = plan.columns();
    let same = now.len() == columns.len()
        && now
            .iter()
            .zip(columns)
            .all(|(a, b)| a.id == b.id && a.ty == b.ty && a.name == b.name);
    if same {
        Ok(())
    } else {
        Err(broken("the plan puts out other columns".into()))
    }
}
