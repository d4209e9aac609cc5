//! Ways to run LLKV that change how it works and never what it answers: every file gives the same under all of
//! them.
//!
//! A configuration is a value in [`CONFIGURATIONS`]; another one is another line there.

use crate::job::Storage;
use llkv_sql::EngineOptions;
use llkv_storage::ReadMode;

/// A way to run LLKV.
pub struct Configuration {
    /// Its name on the command line.
    pub name: &'static str,
    /// Settings of every session: name and value, as SET takes them.
    pub settings: &'static [(&'static str, &'static str)],
    /// What is different when the database is opened.
    pub options: fn(&mut EngineOptions),
    /// Where databases live.
    pub storage: Storage,
    /// Parts of paths whose files are not run.
    pub except: &'static [&'static str],
    /// Close and open the database before each statement where no record can see it.
    pub reopens_always: bool,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Configuration").field(&self.name).finish()
    }
}

/// All statements are optimized and run by operators, however few rows there are: else most configurations would change
/// nothing for the small tables of most files.
const BY_OPERATORS: (&str, &str) = ("direct_execution", "off");

/// Nothing else is different.
const PLAIN: Configuration = Configuration {
    name: "",
    settings: &[BY_OPERATORS],
    options: |_| {},
    storage: Storage::Memory,
    except: &[],
    reopens_always: false,
};

/// Rows of the row groups of `row-groups`: few enough that the tables of most files have several.
const TINY_ROW_GROUP: usize = 3;

macro_rules! encoding {
    ($name:literal, $encoding:literal) => {
        Configuration {
            name: $name,
            options: |options| {
                sealed_at_once(options);
                options.runtime.store.encoding = Some($encoding.to_owned());
            },
            ..PLAIN
        }
    };
}

/// All configurations besides the usual one.
pub static CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        name: "operators",
        ..PLAIN
    },
    Configuration {
        name: "optimizer-off",
        settings: &[BY_OPERATORS, ("optimizer", "off")],
        // Without the rules that find joins, its FROM lists are products of whole tables.
        except: &["slt/tpch/"],
        ..PLAIN
    },
    Configuration {
        name: "batch-2",
        settings: &[BY_OPERATORS, ("batch_size", "2")],
        ..PLAIN
    },
    Configuration {
        name: "batch-1024",
        settings: &[BY_OPERATORS, ("batch_size", "1024")],
        ..PLAIN
    },
    Configuration {
        name: "threads-1",
        settings: &[BY_OPERATORS, ("threads", "1")],
        ..PLAIN
    },
    Configuration {
        name: "threads-2",
        settings: &[BY_OPERATORS, ("threads", "2")],
        ..PLAIN
    },
    Configuration {
        name: "indexes-off",
        settings: &[BY_OPERATORS, ("index_use", "never")],
        ..PLAIN
    },
    Configuration {
        name: "indexes-always",
        settings: &[BY_OPERATORS, ("index_use", "always")],
        ..PLAIN
    },
    Configuration {
        name: "spill",
        settings: &[BY_OPERATORS, ("force_spill", "on")],
        ..PLAIN
    },
    Configuration {
        name: "row-groups",
        options: |options| {
            sealed_at_once(options);
            options.runtime.store.row_group_rows = TINY_ROW_GROUP;
        },
        ..PLAIN
    },
    encoding!("encoding-plain", "plain"),
    encoding!("encoding-constant", "constant"),
    encoding!("encoding-sequence", "sequence"),
    encoding!("encoding-bit-packed", "bit-packed"),
    encoding!("encoding-delta", "delta"),
    encoding!("encoding-dictionary", "dictionary"),
    encoding!("encoding-run-end", "run-end"),
    encoding!("encoding-fsst", "fsst"),
    encoding!("encoding-decimal", "decimal"),
    encoding!("encoding-numbered", "numbered"),
    Configuration {
        name: "reopen",
        storage: Storage::File,
        // A session takes several numbers of a sequence at once: closing it leaves a gap, and `currval` is its own.
        except: &["slt/ddl/sequence"],
        reopens_always: true,
        ..PLAIN
    },
    Configuration {
        name: "buffer-pool",
        options: |options| {
            sealed_at_once(options);
            options.runtime.file.read_mode = ReadMode::Pool;
            options.runtime.file.pool_bytes = 1 << 20;
        },
        storage: Storage::File,
        ..PLAIN
    },
];

impl Configuration {
    /// The configuration of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CONFIGURATIONS.iter().find(|own| own.name == name)
    }
}

/// Rows leave the tail for encoded row groups after each commit, which otherwise waits for many.
fn sealed_at_once(options: &mut EngineOptions) {
    options.runtime.checkpoint_rows = 1;
    options.runtime.checkpoint_commits = 1;
    options.runtime.background_checkpoint = false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::engine::{Outcome, SltEngine as _, Target};
    use crate::engines::LlkvEngine;

    /// Wrong names of settings and encodings would be errors here.
    #[test]
    fn every_configuration_answers() {
        let folder = tempfile::tempdir().unwrap();
        for configuration in CONFIGURATIONS {
            let engine = LlkvEngine::with(configuration);
            let target = match configuration.storage {
                Storage::Memory => Target::Memory,
                Storage::File => Target::File {
                    path: folder.path().join(configuration.name),
                    read_only: false,
                },
            };
            let database = engine.open(&target, Dialect::Llkv).unwrap();
            let mut connection = database.connect().unwrap();
            connection
                .run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
                .unwrap();
            connection
                .run(
                    "INSERT INTO t SELECT i, 'x' || (i % 3)::TEXT FROM generate_series(1, 20) s(i)",
                )
                .unwrap();
            let outcome = connection.run("SELECT b FROM t WHERE a > 13 AND a <> 17");
            let Ok(Outcome::Rows { batches, .. }) = outcome else {
                panic!("{configuration:?}: {outcome:?}");
            };
            let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert_eq!(rows, 6, "{configuration:?}");
            if configuration.settings.contains(&("batch_size", "2")) {
                assert!(batches.iter().all(|batch| batch.num_rows() <= 2));
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for configuration in CONFIGURATIONS {
            let found = Configuration::named(configuration.name);
            assert!(found.is_some_and(|found| std::ptr::eq(found, configuration)));
        }
        assert!(Configuration::named("").is_none());
    }
}
