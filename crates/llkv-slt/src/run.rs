//! Runs one script against one database.

mod record;

use crate::dialect::Dialect;
use crate::engine::{SltEngine, Target};
use crate::report::{Failure, FileReport};
use crate::script::{
    Comparison, Condition, ConditionTest, LoopDirective, LoopSource, Node, NodeKind, Script,
};
use crate::session::Session;
use crate::variables::{Variables, foreach_values};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a script is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The dialect of the file and of its SQL.
    pub dialect: Dialect,
    /// A folder of its own, which exists.
    pub scratch: PathBuf,
    /// The database it begins with.
    pub target: Target,
    /// When the database is closed and opened again, where no record can see it.
    pub reopen: Reopen,
    /// Keep the results, for rewriting the expectations.
    pub keep_results: bool,
    /// Time after which no further record is begun.
    pub timeout: Duration,
}

/// When a run closes its database and opens it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopen {
    /// When the file says so.
    Never,
    /// Once more in the middle.
    Once,
    /// Before every record at the top of the file.
    Always,
}

/// The results of records that ran once, by the line of their head: what `--complete` writes.
pub type KeptResults = HashMap<usize, Kept>;

/// What a record gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// The lines of a query's result.
    Lines(Vec<String>),
    /// The text of a statement's error.
    Error(String),
}

/// Is told the line of each record before it is run.
pub type Progress<'p> = &'p (dyn Fn(usize) + Sync);

/// Runs a script; `progress` hears of each record before it is run.
pub fn run_script(
    engine: &dyn SltEngine,
    script: &Script,
    options: &RunOptions,
    progress: Progress<'_>,
) -> (FileReport, KeptResults) {
    let started = Instant::now();
    let mut lane = Lane {
        engine,
        options,
        progress,
        session: Session::new(engine, options.dialect, options.target.clone()),
        variables: file_variables(&script.path, &options.scratch),
        report: FileReport::default(),
        labels: HashMap::new(),
        kept: KeptResults::new(),
        hash_threshold: options.dialect.default_hash_threshold(),
        skipping: false,
        loops: 0,
        deadline: started.checked_add(options.timeout),
    };
    lane.file(script);
    let mut report = lane.report;
    report.statistics = lane.session.finish();
    report.wall_ns = nanos(started.elapsed());
    (report, lane.kept)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Folders and the environment, as a file may name them.
fn file_variables(script: &Path, scratch: &Path) -> Variables {
    let mut variables = Variables::new();
    let scratch = scratch.display().to_string();
    for name in ["TEST_DIR", "TEMP_DIR"] {
        variables.push(name, scratch.clone());
    }
    let data = script
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("data"))
        .find(|folder| folder.is_dir());
    let data = data.unwrap_or_else(|| PathBuf::from("data"));
    variables.push("DATA_DIR", data.display().to_string());
    let name = script.file_stem().unwrap_or_default();
    variables.push("TEST_NAME", name.to_string_lossy());
    variables
}

/// What happens after a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    /// The rest of the file is not run.
    Stop,
}

/// One line of execution through a script: the file itself, or an iteration on its own thread.
struct Lane<'r> {
    engine: &'r dyn SltEngine,
    options: &'r RunOptions,
    progress: Progress<'r>,
    session: Session<'r>,
    variables: Variables,
    report: FileReport,
    /// The hash of each label's result, and the line where it was first seen.
    labels: HashMap<String, (String, usize)>,
    kept: KeptResults,
    hash_threshold: usize,
    /// Between `mode skip` and `mode unskip`.
    skipping: bool,
    /// Loops around the present node.
    loops: usize,
    deadline: Option<Instant>,
}

impl<'r> Lane<'r> {
    fn file(&mut self, script: &Script) {
        let middle = script.record_count() / 2;
        let always = self.options.reopen == Reopen::Always;
        let mut may_reopen = always || self.options.reopen == Reopen::Once && middle > 0;
        for (index, node) in script.nodes.iter().enumerate() {
            if matches!(&node.kind, NodeKind::Require(words) if words.iter().any(|w| w == "skip_reload"))
            {
                may_reopen = false;
            }
            let run = self.report.passed + self.report.failed + self.report.skipped;
            let is_due = always || run >= middle as u64;
            if may_reopen && is_due && self.session.can_reopen() {
                self.session.close(None);
                self.report.reopened += 1;
                may_reopen = always;
            }
            if self.node(node) == Flow::Stop {
                let rest = script.nodes.get(index + 1..).unwrap_or_default();
                self.report.skipped += count_records(rest);
                return;
            }
        }
    }

    fn nodes(&mut self, nodes: &[Node]) -> Flow {
        for (index, node) in nodes.iter().enumerate() {
            if self.node(node) == Flow::Stop {
                let rest = nodes.get(index + 1..).unwrap_or_default();
                self.report.skipped += count_records(rest);
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    fn node(&mut self, node: &Node) -> Flow {
        if self.skipping && !matches!(node.kind, NodeKind::Skip(false)) {
            self.report.skipped += count_records(std::slice::from_ref(node));
            return Flow::Continue;
        }
        if !node
            .conditions
            .iter()
            .all(|condition| self.holds(condition))
        {
            self.pass_over(node);
            return Flow::Continue;
        }
        if matches!(node.kind, NodeKind::Statement(_) | NodeKind::Query(_)) {
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                let limit = self.options.timeout.as_secs_f64();
                self.fail_at(node.line, format!("the file ran longer than {limit} s"));
                return Flow::Stop;
            }
            (self.progress)(node.line);
        }
        match &node.kind {
            NodeKind::Statement(record) => self.statement(node.line, record),
            NodeKind::Query(record) => self.query(node.line, record),
            _ => return self.directive(node),
        }
        Flow::Continue
    }

    fn directive(&mut self, node: &Node) -> Flow {
        match &node.kind {
            NodeKind::Loop(directive) => return self.run_loop(node.line, directive),
            NodeKind::HashThreshold(threshold) => self.hash_threshold = *threshold,
            NodeKind::Halt => return Flow::Stop,
            NodeKind::Load { path, read_only } => {
                let target = self.load_target(path.as_deref(), *read_only);
                return self.change_database(node.line, Some(target));
            }
            NodeKind::Restart => return self.change_database(node.line, None),
            NodeKind::Reconnect => self.session.reconnect(),
            NodeKind::Require(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                if !provides(self.engine, &words) {
                    return self.skip_rest(format!("require {}", words.join(" ")));
                }
            }
            NodeKind::RequireEnv { name, value } => match std::env::var(name) {
                Ok(found) if value.as_ref().is_none_or(|value| *value == found) => {
                    self.variables.push(name.clone(), found);
                }
                _ => return self.skip_rest(format!("require-env {name}")),
            },
            NodeKind::TestEnv { name, value } => {
                let value = std::env::var(name).unwrap_or_else(|_| value.clone());
                self.variables.push(name.clone(), value);
            }
            NodeKind::Skip(skip) => self.skipping = *skip,
            NodeKind::Sleep(time) => std::thread::sleep(*time),
            NodeKind::ResetLabel(label) => {
                self.labels.remove(label);
            }
            NodeKind::Unsupported(text) => {
                return self.skip_rest(format!("the directive `{text}` is not offered"));
            }
            NodeKind::Ignored | NodeKind::Statement(_) | NodeKind::Query(_) => {}
        }
        Flow::Continue
    }

    fn load_target(&self, path: Option<&str>, read_only: bool) -> Target {
        match path {
            None => Target::Memory,
            Some(path) => Target::File {
                path: PathBuf::from(self.variables.expand(path).into_owned()),
                read_only,
            },
        }
    }

    /// Closes the database and opens it again, or another one.
    fn change_database(&mut self, line: usize, next: Option<Target>) -> Flow {
        self.session.close(next);
        match self.session.start() {
            Ok(()) => Flow::Continue,
            Err(error) => {
                self.fail_at(line, format!("the database does not open: {error}"));
                Flow::Stop
            }
        }
    }

    fn skip_rest(&mut self, reason: String) -> Flow {
        self.report.skip_reason = Some(reason);
        Flow::Stop
    }

    fn fail_at(&mut self, line: usize, message: String) {
        self.report.fail(Failure {
            line: line as u64,
            sql: String::new(),
            message,
            expected: Vec::new(),
            got: Vec::new(),
        });
    }

    fn holds(&self, condition: &Condition) -> bool {
        let applies = match &condition.test {
            ConditionTest::Name(name) => name == self.options.dialect.label(),
            ConditionTest::Variable {
                name,
                operator,
                value,
            } => self
                .variables
                .get(name)
                .is_some_and(|found| compares(found, *operator, &self.variables.expand(value))),
        };
        applies != condition.skip
    }

    fn run_loop(&mut self, line: usize, directive: &LoopDirective) -> Flow {
        let (names, rows) = match self.iterations(&directive.source) {
            Ok(iterations) => iterations,
            Err(message) => {
                self.fail_at(line, message);
                return Flow::Stop;
            }
        };
        if directive.concurrent {
            return self.run_concurrently(line, &names, &rows, &directive.body);
        }
        self.loops += 1;
        let mut flow = Flow::Continue;
        for row in rows {
            let count = row.len();
            for (name, value) in names.iter().zip(row) {
                self.variables.push(name.clone(), value);
            }
            flow = self.nodes(&directive.body);
            self.variables.pop(count);
            if flow == Flow::Stop {
                break;
            }
        }
        self.loops -= 1;
        flow
    }

    /// The variables of a loop, and their values in each iteration.
    fn iterations(&self, source: &LoopSource) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
        match source {
            LoopSource::Range {
                variable,
                start,
                end,
            } => {
                let bound = |text: &str| {
                    let text = self.variables.expand(text);
                    let bound = text.parse::<i64>();
                    bound.map_err(|_| format!("the bound `{text}` is no number"))
                };
                let values = (bound(start)?..bound(end)?).map(|i| vec![i.to_string()]);
                Ok((vec![variable.clone()], values.collect()))
            }
            LoopSource::Each { variables, values } => {
                let values = foreach_values(values);
                let rows = values.iter().map(|value| {
                    let value = self.variables.expand(value);
                    if variables.len() == 1 {
                        return Ok(vec![value.into_owned()]);
                    }
                    let parts: Vec<String> = value.split(',').map(str::to_owned).collect();
                    if parts.len() == variables.len() {
                        Ok(parts)
                    } else {
                        Err(format!("`{value}` does not have {} parts", variables.len()))
                    }
                });
                Ok((variables.clone(), rows.collect::<Result<_, String>>()?))
            }
        }
    }

    /// Every iteration on a thread and connections of its own.
    fn run_concurrently(
        &mut self,
        line: usize,
        names: &[String],
        rows: &[Vec<String>],
        body: &[Node],
    ) -> Flow {
        let mut lanes = Vec::new();
        for row in rows {
            match self.beside(names, row) {
                Ok(lane) => lanes.push(lane),
                Err(message) => {
                    self.fail_at(line, message);
                    return Flow::Stop;
                }
            }
        }
        let parts: Vec<Option<(FileReport, Flow)>> = std::thread::scope(|scope| {
            let run = |mut lane: Lane<'_>| {
                let flow = lane.nodes(body);
                (lane.report, flow)
            };
            let threads = lanes.into_iter().map(|lane| scope.spawn(move || run(lane)));
            let threads: Vec<_> = threads.collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok())
                .collect()
        });
        let mut flow = Flow::Continue;
        for part in parts {
            match part {
                Some((report, part_flow)) => {
                    self.report.absorb(report);
                    if part_flow == Flow::Stop {
                        flow = Flow::Stop;
                    }
                }
                None => self.fail_at(line, "an iteration panicked".to_owned()),
            }
        }
        flow
    }

    fn beside(&mut self, names: &[String], row: &[String]) -> Result<Lane<'r>, String> {
        let mut variables = self.variables.clone();
        for (name, value) in names.iter().zip(row) {
            variables.push(name.clone(), value.clone());
        }
        let session = self.session.beside();
        Ok(Lane {
            engine: self.engine,
            options: self.options,
            progress: self.progress,
            session: session.map_err(|error| format!("no further connection: {error}"))?,
            variables,
            report: FileReport::default(),
            labels: self.labels.clone(),
            kept: KeptResults::new(),
            hash_threshold: self.hash_threshold,
            skipping: false,
            loops: self.loops + 1,
            deadline: self.deadline,
        })
    }
}

fn count_records(nodes: &[Node]) -> u64 {
    let counted = nodes.iter().map(|node| match &node.kind {
        NodeKind::Statement(_) | NodeKind::Query(_) => 1,
        NodeKind::Loop(inner) => count_records(&inner.body),
        _ => 0,
    });
    counted.sum()
}

/// Answers what concerns the machine and this runner; asks the database about the rest.
fn provides(engine: &dyn SltEngine, words: &[&str]) -> bool {
    match words {
        ["skip_reload" | "noforcestorage" | "no_alternative_verify" | "no_vector_verification"] => {
            true
        }
        ["notwindows"] => !cfg!(windows),
        ["windows"] => cfg!(windows),
        ["notmacos" | "noosx"] => !cfg!(target_os = "macos"),
        ["64bit"] => cfg!(target_pointer_width = "64"),
        words => engine.provides(words),
    }
}

fn compares(left: &str, operator: Comparison, right: &str) -> bool {
    let order = match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.partial_cmp(&right),
        _ => Some(left.cmp(right)),
    };
    order.is_some_and(|order| match operator {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}
