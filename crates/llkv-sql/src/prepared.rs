//! Prepared statements: bound once, run with values.

use crate::Session;
use crate::binder::{Binder, BoundStatement, ParameterMode};
use crate::dependencies::{Dependencies, RecordingCatalog};
use crate::null_order::Reading;
use crate::session::{SessionState, started_result};
use crate::substitute::{PlacedValues, Places};
use crate::text::parse_statement;
use llkv_plan::{CatalogView, PlanStatement};
use llkv_result::{BindError, Error, EvalError, Result, StatementResult};
use llkv_runtime::PreparedPlan;
use llkv_types::{Scalar, SqlType};
use std::sync::{Mutex, PoisonError};

/// A statement that is parsed, bound and planned once and run any number of times, in its session's
/// transaction. It is bound anew when a table or view that it names has changed, and planned anew when the
/// catalog or a setting has, or a table has grown much.
#[derive(Debug)]
pub struct PreparedStatement {
    session: Session,
    bound: Mutex<Prepared>,
}

/// A text and what binding it gave.
#[derive(Debug)]
pub(crate) struct Prepared {
    text: String,
    reading: Reading,
    /// With parameters in the place of values; `None` where the values decide what the plan is.
    template: Option<PlanStatement>,
    places: Places,
    /// The template as it was planned last.
    plan: Option<PreparedPlan>,
    types: Vec<SqlType>,
    dependencies: Dependencies,
    /// It computes with integers, which SQLite would make reals where they do not fit 64 bits.
    may_widen: bool,
    /// The same text with results that may become reals, from the first time on that one had to.
    wide: Option<Box<Prepared>>,
}

impl PreparedStatement {
    pub(crate) fn new(session: Session, text: &str) -> Result<Self> {
        let state = session.state();
        let prepared = Prepared::new(text, state.reading(), &state.runtime.catalog_view());
        drop(state);
        Ok(Self {
            session,
            bound: Mutex::new(prepared?),
        })
    }

    /// Parameters that it takes.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.bound().types.len()
    }

    /// The types that the places of the parameters ask for.
    #[must_use]
    pub fn parameter_types(&self) -> Vec<SqlType> {
        self.bound().types.clone()
    }

    /// Runs the statement with values for its parameters, in their order. A value of another type than
    /// its place asks for is cast.
    ///
    /// # Errors
    /// When there are too few or too many values, one cannot be cast, or the statement fails.
    pub fn execute(&self, values: &[Scalar]) -> Result<StatementResult> {
        let mut state = self.session.state();
        state.run_prepared(&mut self.bound(), values)
    }

    fn bound(&self) -> std::sync::MutexGuard<'_, Prepared> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared {
    /// Binds with the parameters left open.
    pub(crate) fn new(text: &str, reading: Reading, catalog: &dyn CatalogView) -> Result<Self> {
        let recording = RecordingCatalog::new(catalog);
        let prepared = parse_statement(text, reading.dialect, |parsed| {
            let mut binder = Binder::new(&recording, reading, text, ParameterMode::Prepare);
            let plan = plan_of(binder.bind(parsed)?)?;
            let may_widen = binder.may_widen();
            let parameters = binder.into_parameters();
            let needs_values = parameters.needs_values || parameters.has_open_types();
            Ok((plan, parameters.types(), needs_values, may_widen))
        })?;
        let (mut plan, types, needs_values, may_widen) = prepared;
        Ok(Self {
            places: Places::of(&mut plan),
            plan: None,
            text: text.to_owned(),
            reading,
            template: (!needs_values).then_some(plan),
            types,
            dependencies: recording.into_dependencies(),
            may_widen,
            wide: None,
        })
    }

    /// The plan with parameters in the place of values, and their places; `None` where the values decide what the plan is.
    pub(crate) fn into_template(self) -> Option<(PlanStatement, Places)> {
        Some((self.template?, self.places))
    }

    /// The same text with results of integers that may become reals.
    fn widened(&mut self, catalog: &dyn CatalogView) -> Result<&mut Self> {
        let wide = match self.wide.take() {
            Some(wide) => wide,
            None => {
                let reading = Reading {
                    wide_results: true,
                    ..self.reading
                };
                Box::new(Self::new(&self.text, reading, catalog)?)
            }
        };
        Ok(self.wide.insert(wide))
    }

    /// The plan, with values of the types that its places ask for. `None` where the values decide what the plan is: also where
    /// one is a number that its place does not take, in SQLite's dialect where it is of another type than that asks for.
    fn ready<'s, 'v: 's>(
        &'s self,
        values: &'v [Scalar],
    ) -> Result<Option<(&'s PreparedPlan, PlacedValues<'v>)>> {
        let Some(plan) = &self.plan else {
            return Ok(None);
        };
        let values = match self.reading.dialect.values_carry_types() {
            true => self.places.exact_values(values),
            false => self.places.values(values)?,
        };
        Ok(values.map(|values| (plan, values)))
    }

    fn check_count(&self, values: &[Scalar]) -> Result<()> {
        if values.len() == self.types.len() {
            return Ok(());
        }
        Err(BindError::ParameterCount {
            expected: self.types.len(),
            given: values.len(),
        }
        .into())
    }
}

impl SessionState {
    /// Runs a prepared statement, planned anew where it has to be. One that meets a result beyond 64 bits in
    /// its first rows is run again, with results that may become reals.
    pub(crate) fn run_prepared(
        &mut self,
        prepared: &mut Prepared,
        values: &[Scalar],
    ) -> Result<StatementResult> {
        self.storing(|state| state.run_or_widen_prepared(prepared, values))
    }

    fn run_or_widen_prepared(
        &mut self,
        prepared: &mut Prepared,
        values: &[Scalar],
    ) -> Result<StatementResult> {
        let result = self.run_as_planned(prepared, values);
        if !prepared.may_widen || prepared.reading.wide_results {
            return result;
        }
        match started_result(result) {
            Err(Error::Eval(EvalError::OutOfRange { .. })) => {
                let catalog = self.runtime.catalog_view();
                self.run_as_planned(prepared.widened(&catalog)?, values)
            }
            other => other,
        }
    }

    fn run_as_planned(
        &mut self,
        prepared: &mut Prepared,
        values: &[Scalar],
    ) -> Result<StatementResult> {
        loop {
            let is_current = match &prepared.plan {
                Some(plan) => {
                    !prepared.dependencies.are_volatile() && self.runtime.is_current(plan)?
                }
                None => false,
            };
            if !is_current && let Err(error) = self.plan(prepared, values) {
                self.runtime.note_error(&error);
                return Err(error);
            }
            prepared.check_count(values)?;
            let Some((plan, values)) = prepared.ready(values)? else {
                let catalog = self.runtime.catalog_view();
                let plan = bind_with(&prepared.text, prepared.reading, &catalog, values)?;
                match self.run(Box::new(plan), &catalog)? {
                    Some(result) => return Ok(result),
                    None => continue,
                }
            };
            let run = |state: &mut Self| state.runtime.execute_prepared(plan, &values);
            if let Some(result) = self.on_large_stack(run)? {
                return Ok(result);
            }
        }
    }

    fn plan(&self, prepared: &mut Prepared, values: &[Scalar]) -> Result<()> {
        let catalog = self.runtime.catalog_view();
        if !prepared.dependencies.are_current(&catalog)? {
            *prepared = Prepared::new(&prepared.text, prepared.reading, &catalog)?;
        }
        prepared.check_count(values)?;
        prepared.plan = match &prepared.template {
            Some(template) => Some(self.runtime.prepare(template.clone(), &catalog)?),
            None => None,
        };
        Ok(())
    }
}

/// Binds with values: for statements whose plan depends on them, such as `LIMIT ?`.
fn bind_with(
    text: &str,
    reading: Reading,
    catalog: &dyn CatalogView,
    values: &[Scalar],
) -> Result<PlanStatement> {
    parse_statement(text, reading.dialect, |parsed| {
        let mode = ParameterMode::Values(values);
        plan_of(Binder::new(catalog, reading, text, mode).bind(parsed)?)
    })
}

fn plan_of(bound: BoundStatement) -> Result<PlanStatement> {
    match bound {
        BoundStatement::Plan(plan) => Ok(*plan),
        _ => Err(BindError::Unsupported {
            feature: "a statement about the session as a prepared statement".into(),
            span: None,
        }
        .into()),
    }
}
