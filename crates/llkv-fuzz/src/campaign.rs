//! Many cases, one seed after the other, up to a number of queries or the first failure.

use crate::accepted::AcceptedList;
use crate::oracle::{Checked, Failure, run};
use crate::shrink::shrink;
use crate::{Dialect, generator};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What to run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Whose SQL.
    pub dialect: Dialect,
    /// The seed of the first case; the next has the next.
    pub first_seed: u64,
    /// Queries after which no further case is begun.
    pub queries: u64,
    /// Threads that run cases.
    pub threads: usize,
    /// Time to make a failing case small.
    pub shrink_time: Duration,
}

impl Campaign {
    /// From a seed on, a thread per processor.
    #[must_use]
    pub fn new(dialect: Dialect, first_seed: u64, queries: u64) -> Self {
        Self {
            dialect,
            first_seed,
            queries,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            shrink_time: Duration::from_secs(20),
        }
    }

    /// Runs it. Every seed below that of a failure has been run.
    ///
    /// # Errors
    /// The failure of the lowest seed, made small.
    pub fn run(&self) -> Result<Checked, Box<FailedCase>> {
        let accepted = AcceptedList::read().map_err(FailedCase::broken)?;
        let next = AtomicU64::new(self.first_seed);
        let state = Mutex::new((Checked::default(), None::<(u64, Failure)>));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| self.worker(&accepted, &next, &state));
            }
        });
        let (checked, failed) = state
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match failed {
            None => Ok(checked),
            Some((seed, failure)) => Err(self.failed(seed, failure, &accepted)),
        }
    }

    /// The first seed's case as SQL, not run.
    #[must_use]
    pub fn script(&self) -> String {
        let (case, _, _) = generator::seeded(self.first_seed, self.dialect);
        let statements: Vec<String> = case.steps.iter().map(ToString::to_string).collect();
        statements.join("\n")
    }

    fn worker(
        &self,
        accepted: &AcceptedList,
        next: &AtomicU64,
        state: &Mutex<(Checked, Option<(u64, Failure)>)>,
    ) {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let (case, _, _) = generator::seeded(seed, self.dialect);
            let result = run(&case, accepted);
            let mut state = state
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            match result {
                Ok(checked) => state.0.add(checked),
                Err(failure) => {
                    if state.1.as_ref().is_none_or(|(first, _)| seed < *first) {
                        state.1 = Some((seed, failure));
                    }
                }
            }
            if state.1.is_some() || state.0.queries >= self.queries {
                return;
            }
        }
    }

    fn failed(&self, seed: u64, failure: Failure, accepted: &AcceptedList) -> Box<FailedCase> {
        let shrunk = shrink(seed, self.dialect, failure, accepted, self.shrink_time);
        let statements = shrunk.case.steps.iter().map(ToString::to_string);
        Box::new(FailedCase {
            seed,
            dialect: self.dialect,
            script: statements.collect::<Vec<_>>().join("\n"),
            failure: shrunk.failure,
        })
    }
}

/// A case that fails.
#[derive(Debug, Clone)]
pub struct FailedCase {
    /// The seed that makes it.
    pub seed: u64,
    /// Whose SQL.
    pub dialect: Dialect,
    /// The smallest case found, as SQL.
    pub script: String,
    /// What is wrong with its last statement.
    pub failure: Failure,
}

impl FailedCase {
    fn broken(message: String) -> Box<Self> {
        Box::new(Self {
            seed: 0,
            dialect: Dialect::Sqlite,
            script: String::new(),
            failure: Failure {
                oracle: "the list of accepted differences".into(),
                step: 0,
                expected: "a list".into(),
                got: message,
            },
        })
    }
}

impl fmt::Display for FailedCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            dialect,
            script,
            failure,
        } = self;
        write!(
            f,
            "seed {seed} fails (cargo run -p llkv-fuzz -- --dialect {dialect} --seed {seed})\n\
             {script}\n{failure}"
        )
    }
}
