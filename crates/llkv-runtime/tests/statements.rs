//! Statements besides the changes of rows: views, EXPLAIN, COPY, CHECK, SET.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use arrow::array::{AsArray, RecordBatch};
use common::{create, info, insert, name, select};
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{
    CatalogView, ConflictAction, ExplainFormat, ExplainMode, FileOptions, Insert, LogicalPlan,
    PlanColumn, PlanStatement, RowCheck, Scan, TableDefinition, TableRef, Values,
};
use llkv_result::{Result, StatementResult};
use llkv_runtime::{RuntimeEngine, RuntimeOptions, RuntimeSession};
use llkv_storage::{BoxedPager, MemPager};
use llkv_types::{FieldId, Scalar, SqlType};
use std::sync::Arc;

fn session() -> RuntimeSession {
    let engine = RuntimeEngine::in_memory(RuntimeOptions::default()).unwrap();
    engine.session()
}

fn column(id: u32, name: &str) -> PlanColumn {
    PlanColumn {
        id: ColumnId(id),
        name: name.into(),
        ty: SqlType::Int64,
        nullable: true,
    }
}

fn scan(session: &RuntimeSession, table: &str) -> LogicalPlan {
    let info = info(session, table).unwrap();
    LogicalPlan::Scan(Scan {
        table: info.id,
        table_name: info.name.clone(),
        columns: vec![(FieldId(0), column(0, "k")), (FieldId(1), column(1, "v"))],
        row_id: None,
        predicates: vec![],
        index: None,
    })
}

fn batches(result: StatementResult) -> Vec<RecordBatch> {
    match result {
        StatementResult::Select(stream) => stream.map(|batch| batch.unwrap()).collect(),
        other => panic!("{other:?}"),
    }
}

fn create_view(
    session: &mut RuntimeSession,
    sql: &str,
    or_replace: bool,
) -> Result<StatementResult> {
    session.execute(PlanStatement::CreateView {
        name: name("v"),
        sql: sql.into(),
        columns: vec!["a".into()],
        dialect: "llkv".into(),
        temporary: false,
        if_not_exists: false,
        or_replace,
    })
}

#[test]
fn views_are_stored_as_their_text() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    let open = || {
        RuntimeEngine::with_pager(Arc::clone(&pager), RuntimeOptions::default())
            .unwrap()
            .session()
    };
    {
        let mut session = open();
        create_view(&mut session, "SELECT 1", false).unwrap();
        let error = create_view(&mut session, "SELECT 2", false).unwrap_err();
        assert_eq!(error.sqlstate(), "42P07");
        create_view(&mut session, "SELECT 3", true).unwrap();
        let error = create(&mut session, "V", false).unwrap_err();
        assert_eq!(error.to_string(), "view \"V\" already exists");
    }
    let mut session = open();
    let view = session.catalog_view().view(&name("V")).unwrap().unwrap();
    assert_eq!((view.sql.as_str(), view.columns.len()), ("SELECT 3", 1));
    let drop_table = PlanStatement::DropTable {
        names: vec![name("v")],
        if_exists: false,
        cascade: false,
        views: Vec::new(),
    };
    assert_eq!(session.execute(drop_table).unwrap_err().sqlstate(), "42P01");
    let drop_view = PlanStatement::DropView {
        names: vec![name("v"), name("none")],
        if_exists: true,
    };
    session.execute(drop_view).unwrap();
    assert!(session.catalog_view().view(&name("v")).unwrap().is_none());
}

#[test]
fn the_system_views_tell_of_the_transactions_own_catalog() {
    let mut session = session();
    session.begin(false).unwrap();
    create(&mut session, "t", true).unwrap();
    let columns = TableRef {
        schema: Some("information_schema".into()),
        name: "COLUMNS".into(),
    };
    let source = session
        .catalog_view()
        .system_view(&columns)
        .unwrap()
        .unwrap();
    let at = source.schema().index_of("column_name").unwrap();
    let rows: Vec<_> = source
        .read(0, &[at], 1)
        .unwrap()
        .map(|b| b.unwrap())
        .collect();
    let names: Vec<_> = rows
        .iter()
        .map(|b| b.column(0).as_string_view().value(0))
        .collect();
    assert_eq!(names, ["k", "v"]);
    assert!(
        source
            .read(0, &[], 10)
            .unwrap()
            .all(|b| b.unwrap().num_rows() == 2)
    );
}

#[test]
fn create_table_as_replaces_what_it_reads() {
    let mut session = session();
    create(&mut session, "t", false).unwrap();
    insert(&mut session, "t", &[(1, 1), (2, 2)]).unwrap();
    let create_as = |source, if_not_exists, or_replace| PlanStatement::CreateTable {
        definition: TableDefinition {
            dialect: "llkv".into(),
            foreign_keys: vec![],
            sequences: vec![],
            name: name("t"),
            columns: ["k", "v"]
                .map(|name| llkv_plan::ColumnDefinition {
                    name: name.into(),
                    ty: SqlType::Int64,
                    nullable: true,
                    default_sql: None,
                    generated: None,
                    declared: None,
                    collation: llkv_types::Collation::Binary,
                })
                .to_vec(),
            keys: vec![],
            checks: vec![],
            temporary: false,
        },
        if_not_exists,
        or_replace,
        source: Some(source),
    };
    let source = scan(&session, "t");
    let kept = session
        .execute(create_as(source.clone(), true, false))
        .unwrap();
    assert_eq!(kept.rows_affected(), Some(0));
    assert!(
        session
            .execute(create_as(source.clone(), false, false))
            .is_err()
    );
    let replaced = session.execute(create_as(source, false, true)).unwrap();
    assert_eq!(replaced.rows_affected(), Some(2));
    assert_eq!(select(&mut session, "t").unwrap(), [(1, 1), (2, 2)]);
}

#[test]
fn explain_shows_the_plan_its_making_and_its_doing() {
    let mut session = session();
    create(&mut session, "t", false).unwrap();
    insert(&mut session, "t", &[(1, 1)]).unwrap();
    let (text, json) = (ExplainFormat::Text, ExplainFormat::Json);
    for (mode, format, word) in [
        (ExplainMode::Plan, text, "t"),
        (ExplainMode::Plan, json, "\"node\": \"Scan\""),
        (ExplainMode::Rules, text, "bound"),
        (ExplainMode::Analyze, text, "~1  "),
        (ExplainMode::Analyze, json, "\"estimated_rows\": 1,"),
    ] {
        let statement = Box::new(PlanStatement::Query(scan(&session, "t")));
        let result = session
            .execute(PlanStatement::Explain {
                statement,
                mode,
                format,
            })
            .unwrap();
        let lines: Vec<String> = batches(result)
            .iter()
            .flat_map(|b| {
                b.column(0)
                    .as_string_view()
                    .iter()
                    .flatten()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(
            lines.iter().any(|line| line.contains(word)),
            "{mode:?}: {lines:?}"
        );
    }
    assert!(session.last_statistics().is_some());
}

#[test]
fn copy_writes_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut session = session();
    create(&mut session, "t", false).unwrap();
    insert(&mut session, "t", &[(1, 10), (2, 20)]).unwrap();
    let copy = PlanStatement::CopyTo {
        source: scan(&session, "t"),
        path: path.clone(),
        options: FileOptions::default(),
    };
    assert_eq!(session.execute(copy).unwrap().rows_affected(), Some(2));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "k,v\n1,10\n2,20\n");
}

#[test]
fn a_check_refuses_false_and_lets_null_pass() {
    let mut session = session();
    create(&mut session, "t", false).unwrap();
    let info = info(&session, "t").unwrap();
    let mut insert = |v: Option<i64>| {
        let one = |value: Option<i64>| -> arrow::array::ArrayRef {
            Arc::new(arrow::array::Int64Array::from(vec![value]))
        };
        let batch = RecordBatch::try_from_iter([("k", one(Some(1))), ("v", one(v))]).unwrap();
        session.execute(PlanStatement::Insert(Insert {
            table: info.id,
            table_name: "t".into(),
            source: LogicalPlan::Values(Values {
                columns: vec![column(5, "k"), column(6, "v")],
                batches: vec![batch],
            }),
            checks: vec![RowCheck {
                name: "positive".into(),
                expr: Expr::compare(
                    BinaryOp::Gt,
                    Expr::column(ColumnId(6), SqlType::Int64),
                    Expr::Literal(Scalar::Int64(0)),
                ),
            }],
            on_conflict: ConflictAction::Error,
            upsert: None,
            returning: None,
            is_copy: false,
            triggers: None,
            cascades: vec![],
            numbered_key: None,
            generated_with_key: Vec::new(),
        }))
    };
    insert(Some(1)).unwrap();
    insert(None).unwrap();
    assert_eq!(insert(Some(-1)).unwrap_err().sqlstate(), "23514");
}

#[test]
fn settings_are_checked() {
    let mut session = session();
    let mut set = |name: &str, value: &str| {
        session.execute(PlanStatement::Set {
            name: name.into(),
            value: value.into(),
        })
    };
    for (name, value) in [
        ("threads", "1"),
        ("batch_size", "100"),
        ("memory_limit", "1GB"),
        ("memory_limit", "default"),
        ("temp_directory", "/a/folder"),
        ("temp_directory", "default"),
        ("temp_limit", "0"),
        ("temp_limit", "10GB"),
        ("temp_limit", "default"),
        ("force_spill", "on"),
        ("force_spill", "default"),
        ("on_statement_error", "undo"),
        ("disabled_rules", "limit_pushdown"),
        ("optimizer", "off"),
        ("optimizer", "default"),
        ("index_use", "never"),
    ] {
        set(name, value).unwrap();
    }
    assert_eq!(set("threads", "0").unwrap_err().sqlstate(), "42601");
    assert_eq!(set("no_such_setting", "1").unwrap_err().sqlstate(), "0A000");
}
