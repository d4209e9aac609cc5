//! The power is cut after every disk operation of a script: what was acknowledged is there, whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{Row, create, delete, drop_table, info, insert, select, update};
use llkv_runtime::{RuntimeEngine, RuntimeOptions, RuntimeSession};
use llkv_storage::{FilePager, FilePagerOptions, SimDisk};
use std::sync::Arc;

const PATH: &str = "crash.llkv";

fn open(disk: &SimDisk) -> llkv_result::Result<RuntimeEngine> {
    let options = FilePagerOptions {
        log_bytes: 256 << 10,
        background_checkpoint: false,
        ..FilePagerOptions::default()
    };
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options)?;
    RuntimeEngine::with_pager(Arc::new(pager), RuntimeOptions::default())
}

/// The rows of `t` and whether `u` exists; `None` before `t` does.
type State = Option<(Vec<Row>, bool)>;

fn state(session: &mut RuntimeSession) -> State {
    info(session, "t").ok()?;
    let rows = select(session, "t").unwrap();
    Some((rows, info(session, "u").is_ok()))
}

type Step = Box<dyn Fn(&RuntimeEngine, &mut RuntimeSession) -> llkv_result::Result<()>>;

fn script() -> Vec<Step> {
    let mut steps: Vec<Step> = vec![Box::new(|_, s| create(s, "t", true))];
    for round in 0..6i64 {
        steps.push(Box::new(move |_, s| {
            let rows: Vec<Row> = (0..40).map(|i| (round * 100 + i, i)).collect();
            insert(s, "t", &rows).map(drop)
        }));
        steps.push(Box::new(move |_, s| {
            // One transaction over both tables and the catalog.
            s.begin(false)?;
            update(s, "t", round * 100..=round * 100 + 9, (0, 1_000))?;
            delete(s, "t", round * 100 + 20..=round * 100 + 29)?;
            if round % 2 == 0 {
                create(s, "u", false)?;
                insert(s, "u", &[(1, 1)])?;
            } else {
                drop_table(s, "u")?;
            }
            s.commit().map(drop)
        }));
        steps.push(Box::new(move |_, s| {
            s.begin(false)?;
            delete(s, "t", 0..=i64::MAX)?;
            s.rollback()
        }));
        steps.push(Box::new(|engine, _| engine.checkpoint()));
    }
    steps
}

#[test]
fn a_cut_at_every_operation_keeps_whole_transactions() {
    for seed in 0..3 {
        let disk = SimDisk::new(seed);
        disk.record();
        // The operations done when a state was acknowledged.
        let mut states: Vec<(u64, State)> = vec![(0, None)];
        {
            let engine = open(&disk).unwrap();
            let mut session = engine.session();
            for step in script() {
                step(&engine, &mut session).unwrap();
                states.push((disk.operations(), state(&mut session)));
            }
        }
        for copy in disk.take_recording().into_iter() {
            let operations = copy.operations();
            let acknowledged = states
                .iter()
                .rposition(|(at, _)| *at <= operations)
                .unwrap();
            let disk = copy.fork(operations ^ seed);
            disk.power_cut();
            let engine = open(&disk).unwrap();
            let found = state(&mut engine.session());
            let allowed = &states[acknowledged..states.len().min(acknowledged + 2)];
            assert!(
                allowed.iter().any(|(_, state)| *state == found),
                "seed {seed}, cut after operation {operations}: {found:?}"
            );
            let violations = engine.verify().unwrap();
            assert!(
                violations.is_empty(),
                "seed {seed}, {operations}: {violations:?}"
            );
            // Life goes on.
            if found.is_some() {
                insert(&mut engine.session(), "t", &[(-1, 0)]).unwrap();
            }
        }
    }
}
