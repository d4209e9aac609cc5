//! A database on its disk, the sessions on it, the model beside it, and the chance that drives them.

use crate::model::State;
use crate::simulated::{
    Chance, Failure, PATH, Row, Value, check_integrity, failure, open, open_at, options, query, run,
};
use crate::statement::{Answer, Author, Statement};
use crate::transaction::{Transaction, Verdict};
use llkv_result::{Error, ExecError, Result};
use llkv_runtime::RuntimeOptions;
use llkv_sql::{Session, SqlEngine};
use llkv_storage::disk::sim::{Fault, FaultKind};
use llkv_storage::{Disk, SimDisk};
use llkv_types::{Clock, SimClock};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// How often things happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    commits: u64,
    conflicts: u64,
    refusals: u64,
    rows_compared: u64,
    power_cuts: u64,
    disk_failures: u64,
    unknown_commits: u64,
    backups: u64,
    checkpoints: u64,
    timeouts: u64,
    looks_at_the_clock: u64,
}

/// All that a run did: its steps, how often things happened, the disk at its end and the time.
#[derive(Debug, PartialEq, Eq)]
pub struct History {
    pub steps: Vec<String>,
    told: Told,
    disk_operations: u64,
    file: Option<Vec<u8>>,
    utc_micros: i64,
}

impl Told {
    pub fn times(&self) -> [(&'static str, u64); 11] {
        [
            ("commits", self.commits),
            ("conflicts", self.conflicts),
            ("refusals by a constraint", self.refusals),
            ("rows compared", self.rows_compared),
            ("power cuts", self.power_cuts),
            ("failures of the disk", self.disk_failures),
            ("commits of unknown outcome", self.unknown_commits),
            ("backups", self.backups),
            ("checkpoints", self.checkpoints),
            ("timeouts", self.timeouts),
            ("looks at the clock", self.looks_at_the_clock),
        ]
    }
}

impl std::ops::AddAssign for Told {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.conflicts += other.conflicts;
        self.refusals += other.refusals;
        self.rows_compared += other.rows_compared;
        self.power_cuts += other.power_cuts;
        self.disk_failures += other.disk_failures;
        self.unknown_commits += other.unknown_commits;
        self.backups += other.backups;
        self.checkpoints += other.checkpoints;
        self.timeouts += other.timeouts;
        self.looks_at_the_clock += other.looks_at_the_clock;
    }
}

/// A session, and its transaction in the model.
struct Client {
    session: Session,
    transaction: Option<Transaction>,
    /// When its transaction and its last statement began, where it has asked.
    began_us: Option<i128>,
    statement_us: i128,
}

/// The disk failed; what may have been committed by then.
struct Interrupted {
    may_be: Option<State>,
}

type Step = Result<(), Interrupted>;

pub struct World {
    seed: u64,
    chance: Chance,
    author: Author,
    disk: SimDisk,
    clock: SimClock,
    options: RuntimeOptions,
    engine: Option<SqlEngine>,
    clients: Vec<Client>,
    committed: State,
    commits: u64,
    uids: u64,
    told: Told,
    trace: Option<Vec<String>>,
    tells: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut options = options();
        options.checkpoint_commits = *chance.pick(&[4, 20, 100_000]);
        options.store.row_group_rows = *chance.pick(&[4, 16, 122_880]);
        let disk = SimDisk::new(seed ^ 0xd15c);
        let clock = SimClock::new(seed ^ 0xc10c);
        options.clock = Some(Arc::new(clock.clone()));
        let author = Author {
            chance: Chance::new(seed ^ 0xa0),
            names: 0,
        };
        let mut world = Self {
            seed,
            chance,
            author,
            disk,
            clock,
            options,
            engine: None,
            clients: Vec::new(),
            committed: State::default(),
            commits: 0,
            uids: 0,
            told: Told::default(),
            trace: None,
            tells: std::env::var_os("LLKV_SIMULATION_TRACE").is_some(),
        };
        world.open();
        world
    }

    pub fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub fn run(mut self, steps: u64) -> Told {
        self.take(steps);
        self.told
    }

    pub fn run_traced(mut self, steps: u64) -> History {
        self.take(steps);
        self.close();
        History {
            steps: self.trace.take().unwrap_or_default(),
            told: self.told,
            disk_operations: self.disk.operations(),
            file: self.disk.contents(Path::new(PATH)),
            utc_micros: self.clock.utc_micros(),
        }
    }

    fn take(&mut self, steps: u64) {
        for _ in 0..steps {
            if let Err(interrupted) = self.step() {
                self.told.disk_failures += 1;
                self.recover(interrupted.may_be);
            }
        }
        self.disk.heal();
        self.close();
        self.open();
        self.compare();
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.tells || self.trace.is_some() {
            let what = what();
            if self.tells {
                eprintln!("{what}");
            }
            if let Some(trace) = &mut self.trace {
                trace.push(what);
            }
        }
    }

    fn engine(&self) -> &SqlEngine {
        self.engine.as_ref().unwrap()
    }

    fn open(&mut self) {
        let engine = open(&self.disk, &self.options).unwrap();
        check_integrity(&engine, "after opening");
        for _ in 0..1 + self.seed % 4 {
            self.clients.push(Client {
                session: engine.session(),
                transaction: None,
                began_us: None,
                statement_us: 0,
            });
        }
        self.engine = Some(engine);
    }

    fn close(&mut self) {
        self.note(|| "close".to_owned());
        self.clients.clear();
        self.engine = None;
    }

    fn step(&mut self) -> Step {
        let client = self.chance.below(self.clients.len() as u64) as usize;
        match self.chance.below(200) {
            0..2 => {
                self.close();
                self.disk.heal();
                self.open();
                self.compare();
                Ok(())
            }
            2..5 => {
                self.note(|| "power cut".to_owned());
                self.told.power_cuts += 1;
                self.disk.power_cut();
                self.recover(None);
                Ok(())
            }
            5..9 => {
                self.arm();
                Ok(())
            }
            9..15 => self.upkeep("CHECKPOINT"),
            15..17 if self.clients[client].transaction.is_none() => self.upkeep("VACUUM"),
            17..20 => self.back_up(),
            20..25 => {
                self.compare();
                Ok(())
            }
            _ => self.act(client),
        }
    }

    fn arm(&mut self) {
        use FaultKind::{DiskFull, ErrorForever, ErrorOnce, ShortWrite};
        let kind = *self
            .chance
            .pick(&[ErrorOnce, ErrorForever, ShortWrite, DiskFull]);
        let operation = self.disk.operations() + 1 + self.chance.below(25);
        self.note(|| format!("{kind:?} at operation {operation}"));
        self.disk.inject(Fault { operation, kind });
    }

    fn upkeep(&mut self, statement: &str) -> Step {
        self.note(|| statement.to_owned());
        let done = run(&self.engine().session(), statement);
        match done {
            Ok(_) => {
                self.told.checkpoints += 1;
                self.compare_unless_armed();
                Ok(())
            }
            Err(error) => Err(self.interrupted(&error, None)),
        }
    }

    fn back_up(&mut self) -> Step {
        let target = "backup.llkv";
        self.note(|| "backup".to_owned());
        let done = run(&self.engine().session(), "BACKUP TO 'backup.llkv'");
        if let Err(error) = done {
            let interrupted = self.interrupted(&error, None);
            self.disk.heal();
            self.disk.remove(Path::new(target)).ok();
            return Err(interrupted);
        }
        self.told.backups += 1;
        self.disk.heal();
        let backup = open_at(&self.disk, target, &self.options).unwrap();
        check_integrity(&backup, "a backup");
        let found = contents(&backup, &self.committed).unwrap();
        self.agree(&found, "a backup");
        drop(backup);
        self.disk.remove(Path::new(target)).unwrap();
        self.disk.sync_folder(Path::new(target)).unwrap();
        Ok(())
    }

    fn interrupted(&mut self, error: &Error, may_be: Option<State>) -> Interrupted {
        assert_eq!(failure(error), Failure::Disk, "{error}");
        // Not where: reads of one statement may go out in any order.
        self.note(|| "the disk failed".to_owned());
        Interrupted { may_be }
    }

    /// Opens the database again after something went wrong; it holds what was committed, and may hold one commit more.
    fn recover(&mut self, may_be: Option<State>) {
        if self.chance.percent(50) {
            self.disk.power_cut();
        }
        if self.chance.percent(50) {
            self.disk.heal();
        }
        self.close();
        self.disk.heal();
        self.open();
        if let Some(may_be) = may_be {
            self.told.unknown_commits += 1;
            let found = contents(self.engine(), &may_be);
            if found.is_ok_and(|found| found == contents_of(&may_be)) {
                self.note(|| "it was committed".to_owned());
                self.committed = may_be;
                self.commits += 1;
            }
        }
        self.compare();
    }

    /// All rows of all tables, read by a new session.
    fn compare(&mut self) {
        self.disk.heal();
        let found = contents(self.engine(), &self.committed).unwrap();
        let rows = found.rows.iter();
        self.told.rows_compared += rows.map(|(_, rows)| rows.len() as u64).sum::<u64>();
        self.agree(&found, "the database");
    }

    /// A fault that waits may be for the next commit.
    fn compare_unless_armed(&mut self) {
        if let Ok(found) = contents(self.engine(), &self.committed) {
            self.agree(&found, "the database");
        }
    }

    #[track_caller]
    fn agree(&self, found: &Contents, what: &str) {
        let expected = contents_of(&self.committed);
        assert!(
            *found == expected,
            "seed {}: {what} has\n{found:?}\ninstead of\n{expected:?}",
            self.seed
        );
    }

    fn act(&mut self, client: usize) -> Step {
        let is_open = self.clients[client].transaction.is_some();
        match (is_open, self.chance.below(100)) {
            (false, 0..50) => {
                self.note(|| format!("{client}: BEGIN"));
                run(&self.clients[client].session, "BEGIN").unwrap();
                self.clients[client].began_us = None;
                let begun = Transaction::begin(&self.committed, self.commits);
                self.clients[client].transaction = Some(begun);
                Ok(())
            }
            (true, 0..18) => self.commit(client),
            (true, 18..22) => {
                self.roll_back(client);
                Ok(())
            }
            (true, 22..26) => {
                self.note(|| format!("{client}: SAVEPOINT"));
                run(&self.clients[client].session, "SAVEPOINT s").unwrap();
                let transaction = self.clients[client].transaction.as_mut();
                transaction.unwrap().set_savepoint();
                Ok(())
            }
            (true, 26..30) => {
                let transaction = self.clients[client].transaction.as_mut().unwrap();
                if transaction.go_back() {
                    self.note(|| format!("{client}: ROLLBACK TO"));
                    run(&self.clients[client].session, "ROLLBACK TO s; RELEASE s").unwrap();
                }
                Ok(())
            }
            (_, 30..34) => {
                self.look_at_the_clock(client);
                Ok(())
            }
            _ => self.execute(client),
        }
    }

    /// What a session says of the time: that of its transaction stands still, all else goes on.
    fn look_at_the_clock(&mut self, client: usize) {
        self.told.looks_at_the_clock += 1;
        let sql =
            "SELECT epoch_us(now()), epoch_us(statement_timestamp()), epoch_us(clock_timestamp())";
        let before = i128::from(self.clock.utc_micros());
        let session = &self.clients[client].session;
        let found = query(session, sql).unwrap();
        let after = i128::from(self.clock.utc_micros());
        let [moments] = found.as_slice() else {
            panic!("seed {}: {found:?}", self.seed);
        };
        let [Value::Int(began), Value::Int(statement), Value::Int(moment)] = *moments.as_slice()
        else {
            panic!("seed {}: {found:?}", self.seed);
        };
        self.note(|| format!("{client}: {began}, {statement}, {moment}"));
        let client = &mut self.clients[client];
        let known = match client.transaction.is_some() {
            true => *client.began_us.get_or_insert(began),
            false => statement,
        };
        let order = [began, statement, moment, after];
        assert!(
            began == known && order.is_sorted() && before.max(client.statement_us) <= statement,
            "seed {}: {order:?} after {before}, {known}, {}",
            self.seed,
            client.statement_us
        );
        client.statement_us = statement;
    }

    fn roll_back(&mut self, client: usize) {
        self.note(|| format!("{client}: ROLLBACK"));
        run(&self.clients[client].session, "ROLLBACK").unwrap();
        self.clients[client].transaction = None;
    }

    /// True when somebody else could be in the way of a transaction.
    fn has_company(&self, client: usize, since: u64) -> bool {
        let mut others = self
            .clients
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != client);
        let is_writing = |transaction: &Transaction| transaction.has_changes();
        self.commits > since
            || others.any(|(_, other)| other.transaction.as_ref().is_some_and(is_writing))
    }

    fn commit(&mut self, client: usize) -> Step {
        self.note(|| format!("{client}: COMMIT"));
        let transaction = self.clients[client].transaction.take().unwrap();
        let committed = run(&self.clients[client].session, "COMMIT");
        self.conclude(client, &transaction, committed.map(drop))
    }

    /// A transaction has ended; the model follows.
    fn conclude(&mut self, client: usize, transaction: &Transaction, ended: Result<()>) -> Step {
        let next = transaction.commit(&self.committed);
        match ended {
            Ok(()) if !transaction.has_changes() => Ok(()),
            Ok(()) => {
                self.told.commits += 1;
                self.commits += 1;
                self.committed = next
                    .unwrap_or_else(|why| panic!("seed {}: it committed, though {why}", self.seed));
                Ok(())
            }
            Err(error) => match failure(&error) {
                Failure::Disk => {
                    let may_be = next.ok().filter(|_| transaction.has_changes());
                    Err(self.interrupted(&error, may_be))
                }
                Failure::Conflict => {
                    self.told.conflicts += 1;
                    self.note(|| format!("{client}: {error}"));
                    assert!(
                        self.has_company(client, transaction.since),
                        "seed {}: nobody is in the way, and yet: {error}",
                        self.seed
                    );
                    Ok(())
                }
                Failure::Constraint => panic!("seed {}: at the commit: {error}", self.seed),
            },
        }
    }

    fn execute(&mut self, client: usize) -> Step {
        let is_alone = self.clients[client].transaction.is_none();
        let mut transaction = match self.clients[client].transaction.take() {
            Some(transaction) => transaction,
            None => Transaction::begin(&self.committed, self.commits),
        };
        let statement = self.author.statement(&transaction.sees);
        self.note(|| format!("{client}: {}", statement.sql()));
        let others = self
            .clients
            .iter()
            .filter_map(|client| client.transaction.as_ref());
        let others: BTreeSet<_> = others.flat_map(Transaction::gone).collect();
        let verdict = transaction.run(&statement, &self.committed, &others, &mut self.uids);
        let hurries = self.chance.percent(4);
        let answer = match hurries {
            true => self.answer_in_haste(client, &statement),
            false => answer(&self.clients[client].session, &statement),
        };
        let done = self.judge(client, &transaction, &statement, verdict, answer);
        match done {
            Ok(true) if is_alone => self.conclude(client, &transaction, Ok(())),
            Ok(true) => {
                self.clients[client].transaction = Some(transaction);
                Ok(())
            }
            Ok(false) if is_alone => Ok(()),
            Ok(false) => {
                self.roll_back(client);
                Ok(())
            }
            Err(error) => {
                let next = transaction.commit(&self.committed).ok();
                let may_be = next.filter(|_| is_alone && transaction.has_changes());
                Err(self.interrupted(&error, may_be))
            }
        }
    }

    /// Runs a statement with a limit that it may or may not keep.
    fn answer_in_haste(&mut self, client: usize, statement: &Statement) -> Result<Answer> {
        let limit_ms = 1 + self.chance.below(6);
        self.note(|| format!("{client}: within {limit_ms} ms"));
        let session = &self.clients[client].session;
        run(session, &format!("SET statement_timeout = '{limit_ms}ms'")).unwrap();
        let answer = answer(session, statement);
        run(session, "RESET statement_timeout").unwrap();
        answer
    }

    /// True when the statement passed, as it should; the error when the disk failed.
    fn judge(
        &mut self,
        client: usize,
        transaction: &Transaction,
        statement: &Statement,
        verdict: Verdict,
        answer: Result<Answer>,
    ) -> Result<bool> {
        let what = || format!("seed {}, {client}: {}", self.seed, statement.sql());
        let error = match answer {
            Ok(answer) => {
                assert!(!verdict.must_conflict, "{}: no conflict", what());
                assert!(
                    answer == verdict.answer,
                    "{}: {answer:?} instead of {:?}",
                    what(),
                    verdict.answer
                );
                return Ok(true);
            }
            Err(error) => error,
        };
        if let Error::Exec(ExecError::Timeout { .. }) = error {
            self.told.timeouts += 1;
            self.note(|| format!("{client}: {error}"));
            return Ok(false);
        }
        match failure(&error) {
            Failure::Disk => return Err(error),
            Failure::Conflict => {
                assert!(
                    self.has_company(client, transaction.since),
                    "{}: {error}",
                    what()
                );
                self.told.conflicts += 1;
            }
            Failure::Constraint => {
                assert!(verdict.answer == Answer::Refused, "{}: {error}", what());
                self.told.refusals += 1;
            }
        }
        self.note(|| format!("{client}: {error}"));
        Ok(false)
    }
}

/// What a session answers to a statement.
fn answer(session: &Session, statement: &Statement) -> Result<Answer> {
    let sql = statement.sql();
    match statement {
        Statement::Select { .. } | Statement::Aggregate { .. } | Statement::Join { .. } => {
            let mut rows = query(session, &sql)?;
            rows.sort_unstable();
            Ok(Answer::Rows(rows))
        }
        Statement::Insert { .. } | Statement::Update { .. } | Statement::Delete { .. } => {
            run(session, &sql).map(Answer::Changed)
        }
        _ => run(session, &sql).map(|_| Answer::Done),
    }
}

/// What a database holds: tables with their rows, columns and whether they take NULL, and created indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contents {
    rows: Vec<(String, Vec<Row>)>,
    columns: Vec<Row>,
    indexes: Vec<String>,
}

/// What a database holds; rows of those tables that the model has too.
fn contents(engine: &SqlEngine, model: &State) -> Result<Contents> {
    let session = engine.session();
    let names = "SELECT table_name FROM information_schema.tables
                 WHERE table_type = 'BASE TABLE' ORDER BY 1";
    let mut tables = Vec::new();
    for name in texts(&session, names)? {
        let mut rows = Vec::new();
        if model.tables.contains_key(&name) {
            rows = query(&session, &format!("SELECT * FROM {name}"))?;
            rows.sort_unstable();
        }
        tables.push((name, rows));
    }
    let columns =
        "SELECT c.table_name, c.column_name, c.is_nullable FROM information_schema.columns c
                   JOIN information_schema.tables t ON c.table_name = t.table_name
                   WHERE t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position";
    let indexes = "SELECT index_name FROM llkv_indexes WHERE index_name NOT LIKE 't%' ORDER BY 1";
    Ok(Contents {
        rows: tables,
        columns: query(&session, columns)?,
        indexes: texts(&session, indexes)?,
    })
}

fn texts(session: &Session, sql: &str) -> Result<Vec<String>> {
    let rows = query(session, sql)?.into_iter();
    let texts = rows.map(|row| match row.as_slice() {
        [Value::Text(text)] => Ok(text.clone()),
        other => Err(Error::internal(format!("{other:?} is no text"))),
    });
    texts.collect()
}

fn contents_of(state: &State) -> Contents {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut contents = Contents {
        rows: Vec::new(),
        columns: Vec::new(),
        indexes: Vec::new(),
    };
    for (name, table) in &state.tables {
        let mut rows: Vec<Row> = table.rows.values().cloned().collect();
        rows.sort_unstable();
        contents.rows.push((name.clone(), rows));
        let columns = table.columns.iter().map(|column| {
            let nullable = if column.not_null { "NO" } else { "YES" };
            vec![text(name), text(&column.name), text(nullable)]
        });
        contents.columns.extend(columns);
        contents.indexes.extend(table.indexes.keys().cloned());
    }
    contents.indexes.sort_unstable();
    contents
}
