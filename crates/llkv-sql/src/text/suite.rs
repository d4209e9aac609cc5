//! The SQL of the project's own conformance suite, for tests that read it in two ways.

use std::path::Path;

/// Hands on every line of every file of `slt/`.
pub(super) fn for_each_line(mut read: impl FnMut(&str)) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../slt");
    let mut folders = vec![suite];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|name| name == "slt") {
                let text = std::fs::read_to_string(&path).unwrap();
                text.lines().for_each(&mut read);
            }
        }
    }
}
