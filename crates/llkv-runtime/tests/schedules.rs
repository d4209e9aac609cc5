//! Random schedules of concurrent sessions against a model of snapshot isolation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/model.rs"]
mod model;

use common::Row;
use llkv_plan::{ConflictAction, PlanStatement};
use llkv_result::{Error, Result, StatementResult};
use llkv_runtime::{OnStatementError, RuntimeEngine, RuntimeOptions, RuntimeSession};
use llkv_storage::{BoxedPager, MemPager};
use model::{Model, OnConflict, Outcome};
use proptest::prelude::*;
use std::sync::Arc;

const SESSIONS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Begin(usize),
    Commit(usize),
    Rollback(usize),
    Savepoint(usize, u8),
    Release(usize, u8),
    RollbackTo(usize, u8),
    Insert(usize, Vec<Row>, u8),
    Delete(usize, i64, i64),
    Update(usize, i64, i64, Row),
    Select(usize),
    OpenStream(usize),
    CloseStream,
    Checkpoint,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let session = 0..SESSIONS;
    let key = 0i64..8;
    let rows = prop::collection::vec((0i64..8, 0i64..100), 1..4);
    prop_oneof![
        4 => session.clone().prop_map(Step::Begin),
        3 => session.clone().prop_map(Step::Commit),
        1 => session.clone().prop_map(Step::Rollback),
        2 => (session.clone(), 0u8..2).prop_map(|(s, n)| Step::Savepoint(s, n)),
        1 => (session.clone(), 0u8..2).prop_map(|(s, n)| Step::Release(s, n)),
        2 => (session.clone(), 0u8..2).prop_map(|(s, n)| Step::RollbackTo(s, n)),
        8 => (session.clone(), rows, 0u8..4).prop_map(|(s, rows, how)| Step::Insert(s, rows, how)),
        3 => (session.clone(), key.clone(), 0i64..3).prop_map(|(s, k, n)| Step::Delete(s, k, k + n)),
        4 => (session.clone(), key.clone(), 0i64..3, 1i64..9)
            .prop_map(|(s, k, n, v)| Step::Update(s, k, k + n, (0, v))),
        2 => (session.clone(), key, 0i64..3, 1i64..3)
            .prop_map(|(s, k, n, d)| Step::Update(s, k, k + n, (d, 0))),
        5 => session.clone().prop_map(Step::Select),
        1 => session.prop_map(Step::OpenStream),
        1 => Just(Step::CloseStream),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

struct Run {
    pager: BoxedPager,
    engine: Option<RuntimeEngine>,
    sessions: Vec<RuntimeSession>,
    streams: Vec<(StatementResult, Vec<Row>)>,
    undo_statements: bool,
}

impl Run {
    fn new(with_key: bool, undo_statements: bool) -> Result<Self> {
        let mut run = Self {
            pager: Arc::new(MemPager::new()),
            engine: None,
            sessions: Vec::new(),
            streams: Vec::new(),
            undo_statements,
        };
        run.open()?;
        common::create(&mut run.sessions[0], "t", with_key)?;
        Ok(run)
    }

    fn open(&mut self) -> Result<()> {
        self.close_streams()?;
        self.sessions.clear();
        self.engine = None;
        let engine = RuntimeEngine::with_pager(Arc::clone(&self.pager), RuntimeOptions::default())?;
        for _ in 0..SESSIONS {
            let mut session = engine.session();
            if self.undo_statements {
                session.set_on_statement_error(OnStatementError::UndoStatement);
            }
            self.sessions.push(session);
        }
        self.engine = Some(engine);
        Ok(())
    }

    fn close_streams(&mut self) -> Result<()> {
        for (stream, expected) in self.streams.drain(..) {
            assert_eq!(
                common::rows_of(stream)?,
                expected,
                "a stream that was open meanwhile"
            );
        }
        Ok(())
    }

    fn run(&mut self, step: &Step) -> Result<Outcome> {
        let done = |()| Outcome::Done;
        match step {
            Step::Begin(s) => self.sessions[*s].begin(false).map(done),
            Step::Commit(s) => self.sessions[*s].commit().map(|committed| {
                if committed {
                    Outcome::Done
                } else {
                    Outcome::RolledBack
                }
            }),
            Step::Rollback(s) => self.sessions[*s].rollback().map(done),
            Step::Savepoint(s, n) => self.sessions[*s].savepoint(&format!("s{n}")).map(done),
            Step::Release(s, n) => self.sessions[*s].release(&format!("s{n}")).map(done),
            Step::RollbackTo(s, n) => self.sessions[*s].rollback_to(&format!("s{n}")).map(done),
            Step::Insert(s, rows, how) => {
                let action = match on_conflict(*how) {
                    OnConflict::Error => ConflictAction::Error,
                    OnConflict::Ignore => ConflictAction::Ignore,
                    OnConflict::Replace => ConflictAction::Replace,
                };
                common::insert_or(&mut self.sessions[*s], "t", rows, action).map(Outcome::Rows)
            }
            Step::Delete(s, low, high) => {
                common::delete(&mut self.sessions[*s], "t", *low..=*high).map(Outcome::Rows)
            }
            Step::Update(s, low, high, by) => {
                common::update(&mut self.sessions[*s], "t", *low..=*high, *by).map(Outcome::Rows)
            }
            Step::Select(s) | Step::OpenStream(s) => {
                common::select(&mut self.sessions[*s], "t").map(Outcome::Selected)
            }
            Step::CloseStream => self.close_streams().map(done),
            Step::Checkpoint => self.sessions[0]
                .execute(PlanStatement::Checkpoint)
                .map(|_| Outcome::Done),
            Step::Reopen => self.open().map(done),
        }
    }
}

fn on_conflict(how: u8) -> OnConflict {
    match how {
        0 => OnConflict::Ignore,
        1 => OnConflict::Replace,
        _ => OnConflict::Error,
    }
}

fn expect(model: &mut Model, step: &Step) -> Outcome {
    match step {
        Step::Begin(s) => model.begin(*s),
        Step::Commit(s) => model.commit(*s),
        Step::Rollback(s) => model.rollback(*s),
        Step::Savepoint(s, n) => model.savepoint(*s, *n),
        Step::Release(s, n) => model.release(*s, *n),
        Step::RollbackTo(s, n) => model.rollback_to(*s, *n),
        Step::Insert(s, rows, how) => model.insert(*s, rows, on_conflict(*how)),
        Step::Delete(s, low, high) => model.delete(*s, *low..=*high),
        Step::Update(s, low, high, by) => model.update(*s, *low..=*high, *by),
        Step::Select(s) | Step::OpenStream(s) => model.select(*s),
        Step::CloseStream | Step::Checkpoint => Outcome::Done,
        Step::Reopen => {
            model.reopen();
            Outcome::Done
        }
    }
}

fn outcome_of(result: Result<Outcome>) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(error) if error.is_retryable() => Outcome::Conflict,
        Err(Error::Constraint(_)) => Outcome::Duplicate,
        Err(Error::Transaction(_)) => Outcome::Refused,
        Err(error) => panic!("{error}"),
    }
}

fn check(steps: &[Step], with_key: bool, undo_statements: bool) {
    let mut run = Run::new(with_key, undo_statements).unwrap();
    let mut model = Model::new(SESSIONS, with_key, undo_statements);
    for (at, step) in steps.iter().enumerate() {
        if let Step::Commit(s) = step
            && model.is_undefined(*s)
        {
            continue;
        }
        let expected = expect(&mut model, step);
        let got = outcome_of(run.run(step));
        let agree = match expected {
            Outcome::DoneOrConflict => matches!(got, Outcome::Done | Outcome::Conflict),
            _ => got == expected,
        };
        assert!(
            agree,
            "step {at}, {step:?}: expected {expected:?}, got {got:?}"
        );
        if let (Step::OpenStream(s), Outcome::Selected(rows)) = (step, got) {
            let stream = common::query(&mut run.sessions[*s], "t").unwrap();
            run.streams.push((stream, rows));
        }
    }
    model.reopen();
    run.open().unwrap();
    let stored = common::select(&mut run.sessions[0], "t").unwrap();
    assert_eq!(
        Outcome::Selected(stored),
        model.select(0),
        "after reopening"
    );
    let violations = run.engine.as_ref().unwrap().verify().unwrap();
    assert!(violations.is_empty(), "{violations:?}");
}

/// Schedules of both tests together.
const SCHEDULES: u32 = 10_000;
const LONG_SCHEDULES: u32 = 100_000;

/// `LLKV_LONG` asks for the long figure, `LLKV_SCHEDULES` for any.
fn config() -> ProptestConfig {
    let asked = std::env::var("LLKV_SCHEDULES").ok();
    let is_long = std::env::var_os("LLKV_LONG").is_some_and(|v| v != "0" && !v.is_empty());
    let schedules = match asked.and_then(|n| n.parse().ok()) {
        Some(asked) => asked,
        None if is_long => LONG_SCHEDULES,
        None => SCHEDULES,
    };
    ProptestConfig {
        cases: schedules / 2,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn schedules_over_a_table_with_a_key(
        steps in prop::collection::vec(step(), 4..24),
        undo in any::<bool>(),
    ) {
        check(&steps, true, undo);
    }

    #[test]
    fn schedules_over_a_table_without_a_key(
        steps in prop::collection::vec(step(), 4..24),
        undo in any::<bool>(),
    ) {
        check(&steps, false, undo);
    }
}
