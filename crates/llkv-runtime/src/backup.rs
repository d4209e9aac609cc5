//! BACKUP: a copy of what is committed, as a database file of its own, while others read and write.

use crate::context::RuntimeContext;
use llkv_result::Result;
use llkv_storage::{FilePagerOptions, Progress};
use llkv_types::CancelToken;
use std::path::Path;
use std::sync::Arc;

/// Writes the database to a new file. Closing it is the last checkpoint of the copy: it opens at once.
///
/// # Errors
/// When the file exists, on I/O errors of either side, when the statement is cancelled. Nothing is left
/// behind then.
pub(crate) fn back_up(
    context: &RuntimeContext,
    target: &Path,
    cancel: &CancelToken,
) -> Result<Progress> {
    if !context.store.has_journal() {
        // Without one, the pager has what the last checkpoint wrote.
        context.checkpoint(cancel)?;
    }
    let pin = context.store.pager().pin();
    let options = FilePagerOptions {
        background_checkpoint: false,
        ..context.options.file.clone()
    };
    let disk = Arc::clone(&context.options.disk);
    llkv_storage::backup(&*pin, disk, target, options, &mut |_| cancel.check())
}
