//! Readers and writers at the same time, each a thread with a connection of its own.

use crate::Outcome;
use crate::options::{Keys, Options};
use crate::report::{cpu_seconds, percentiles, print_line};
use crate::single::{changed, first_value, row};
use llkv::{Connection, Database, Scalar};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What one thread did.
#[derive(Default)]
struct Done {
    fails: u64,
    latencies: Vec<f64>,
}

/// When threads begin and end.
#[derive(Default)]
struct Signals {
    go: AtomicBool,
    stop: AtomicBool,
}

impl Signals {
    fn wait_for_start(&self) {
        while !self.go.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Does an operation again and again until the end.
    fn repeat(&self, mut operation: impl FnMut() -> Outcome) -> Done {
        let mut done = Done::default();
        self.wait_for_start();
        while !self.stop.load(Ordering::Acquire) {
            let before = Instant::now();
            match operation() {
                Ok(()) => done.latencies.push(before.elapsed().as_secs_f64()),
                Err(_) => done.fails += 1,
            }
        }
        done
    }
}

pub(crate) fn run(options: &Options, database: &Database) -> Outcome {
    let readers = if options.read == "none" {
        0
    } else {
        options.readers
    };
    let writers = options
        .writers
        .unwrap_or(usize::from(options.write != "none"));
    let signals = Signals::default();
    let (reads, writes, seconds, cpu_s) = std::thread::scope(|scope| {
        let signals = &signals;
        let reading: Vec<_> = (0..readers)
            .map(|id| {
                scope.spawn(move || read(options, database, id, signals).map_err(|e| e.to_string()))
            })
            .collect();
        let writing: Vec<_> = (0..writers)
            .map(|id| {
                scope.spawn(move || {
                    write(options, database, readers + id, signals).map_err(|e| e.to_string())
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let (started, cpu) = (Instant::now(), cpu_seconds());
        signals.go.store(true, Ordering::Release);
        std::thread::sleep(Duration::from_secs_f64(options.secs));
        signals.stop.store(true, Ordering::Release);
        let (seconds, cpu_s) = (started.elapsed(), cpu_seconds() - cpu);
        Ok::<_, Box<dyn std::error::Error>>((
            gathered(reading)?,
            gathered(writing)?,
            seconds,
            cpu_s,
        ))
    })?;
    report(
        options,
        [(reads, readers), (writes, writers)],
        seconds,
        cpu_s,
    );
    Ok(())
}

/// The sum of what threads did.
fn gathered(
    threads: Vec<std::thread::ScopedJoinHandle<'_, Result<Done, String>>>,
) -> Outcome<Done> {
    let mut all = Done::default();
    for thread in threads {
        let done = thread.join().map_err(|_| "a thread panicked")??;
        all.fails += done.fails;
        all.latencies.extend(done.latencies);
    }
    Ok(all)
}

fn connect(options: &Options, database: &Database) -> Outcome<Connection> {
    let mut connection = database.connect()?;
    connection.execute(&format!("SET threads = {}", options.threads))?;
    Ok(connection)
}

fn read(options: &Options, database: &Database, id: usize, signals: &Signals) -> Outcome<Done> {
    let mut connection = connect(options, database)?;
    let table = &options.table;
    let is_point = options.read == "point";
    let statement = connection.prepare(&match is_point {
        true => format!("SELECT grp FROM {table} WHERE id = ?"),
        false => format!("SELECT SUM(grp), AVG(val), COUNT(*) FROM {table} WHERE grp < ?"),
    })?;
    let mut keys = Keys::starting_at(88_172_645_463_325_252 + id as u64 * 7919);
    Ok(signals.repeat(|| {
        let value = if is_point {
            keys.key(options.rows)
        } else {
            500
        };
        first_value(&statement, &[Scalar::Int64(value)]).map(|_| ())
    }))
}

fn write(options: &Options, database: &Database, id: usize, signals: &Signals) -> Outcome<Done> {
    let mut connection = connect(options, database)?;
    let table = &options.table;
    let updates = options.write == "update";
    let statement = connection.prepare(&match updates {
        true => format!("UPDATE {table} SET val = val + 1 WHERE id = ?"),
        false => format!("INSERT INTO {table} VALUES (?, ?, ?, ?)"),
    })?;
    let mut keys = Keys::starting_at(362_436_069 + id as u64);
    let mut next = options.rows + 1_000_000_000 * (1 + i64::try_from(id)?);
    let mut one = || {
        if updates {
            return changed(&statement, &[Scalar::Int64(keys.key(options.rows))]).map(|_| ());
        }
        next += 1;
        changed(&statement, &row(next, "written while others read")).map(|_| ())
    };
    Ok(signals.repeat(|| {
        if options.batch <= 1 {
            return one();
        }
        connection.execute("BEGIN")?;
        let written = (0..options.batch).try_for_each(|_| one());
        connection.execute(if written.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        })?;
        written
    }))
}

fn report(options: &Options, done: [(Done, usize); 2], seconds: Duration, cpu_s: f64) {
    let [(mut reads, readers), (mut writes, writers)] = done;
    let counts = [reads.latencies.len(), writes.latencies.len()];
    let [reads_per_s, writes_per_s] = counts.map(|count| count as f64 / seconds.as_secs_f64());
    let [read_p50, read_p99, _] = percentiles(&mut reads.latencies);
    let [write_p50, write_p99, _] = percentiles(&mut writes.latencies);
    let extra = format!(
        ",\"read\":\"{}\",\"write\":\"{}\",\"readers\":{readers},\"writers\":{writers},\"batch\":{},\
         \"reads_per_s\":{reads_per_s:.1},\"read_p50_us\":{read_p50:.1},\"read_p99_us\":{read_p99:.1},\
         \"writes_per_s\":{writes_per_s:.1},\"write_p50_us\":{write_p50:.1},\"write_p99_us\":{write_p99:.1},\
         \"read_fails\":{},\"write_fails\":{}",
        options.read, options.write, options.batch, reads.fails, writes.fails
    );
    let operations = i64::try_from(counts[0] + counts[1]).unwrap_or(i64::MAX);
    print_line("conc", operations, seconds, cpu_s, Vec::new(), &extra);
}
