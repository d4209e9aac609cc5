//! The conformance corpora on this machine: where they are, and the archive that is unpacked once.

use crate::step::{self, root};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder of the conformance corpora, with `sqlite` and `duckdb` below it.
const CORPUS_VARIABLE: &str = "LLKV_CORPUS";
/// The greater part of SQLite's corpus, as an archive below the folder.
const ARCHIVE: &str = "sqlite/more.tar.zst";

/// The folder of the corpora, where there is one: that of `LLKV_CORPUS`, or `shared/slt` beside the workspace.
pub(super) fn folder() -> Option<PathBuf> {
    let beside = || Some(root().parent()?.join("shared").join("slt"));
    let folder = std::env::var_os(CORPUS_VARIABLE)
        .map(PathBuf::from)
        .or_else(beside);
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        step::say(&format!(
            "no corpus here ({CORPUS_VARIABLE} is not set): only our own suite"
        ));
    }
    folder
}

/// The folders of SQLite's whole corpus: none where there is no corpus.
pub(super) fn sqlite_paths() -> Result<Vec<PathBuf>, String> {
    let Some(corpus) = folder() else {
        return Ok(Vec::new());
    };
    let mut paths = vec![corpus.join("sqlite")];
    paths.extend(unpacked(&corpus)?);
    Ok(paths)
}

/// The folder with SQLite's files of the archive; none where there is no archive. They are unpacked below the
/// target folder when they are not there yet.
fn unpacked(corpus: &Path) -> Result<Option<PathBuf>, String> {
    let archive = corpus.join(ARCHIVE);
    if !archive.is_file() {
        return Ok(None);
    }
    let fail = |error: std::io::Error| format!("{}: {error}", archive.display());
    let bytes = archive.metadata().map_err(fail)?.len();
    // Another archive has another length.
    let parent = target_folder()?.join("slt-corpus").join(bytes.to_string());
    let folder = parent.join("sqlite");
    if !folder.is_dir() {
        step::say(&format!(
            "unpacking {} into {}",
            archive.display(),
            folder.display()
        ));
        // What is unpacked half has another name.
        let partial = parent.join(format!("partial-{}", std::process::id()));
        std::fs::create_dir_all(&partial).map_err(fail)?;
        let file = File::open(&archive).map_err(fail)?;
        let decoder = zstd::Decoder::new(file).map_err(fail)?;
        tar::Archive::new(decoder).unpack(&partial).map_err(fail)?;
        std::fs::rename(&partial, &folder).map_err(fail)?;
    }
    Ok(Some(folder))
}

/// The folder that cargo builds into: that of this very program.
fn target_folder() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = program.ancestors().nth(2).map(Path::to_owned);
    folder.ok_or_else(|| "this program lies in no target folder".to_owned())
}
