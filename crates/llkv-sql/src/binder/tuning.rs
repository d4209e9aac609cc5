//! Settings of DuckDB that say how it works and never what it answers: taken, and without effect here.

/// True where a script may set `name` although nothing here listens to it.
pub(super) fn is_without_effect(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// In alphabetical order.
const NAMES: &[&str] = &[
    "allocator_background_threads",
    "approximate_join_order_threshold",
    "asof_loop_join_threshold",
    "async_threads",
    "auto_checkpoint_skip_wal_threshold",
    "checkpoint_threshold",
    "debug_force_external",
    "debug_force_no_cross_product",
    "debug_skip_checkpoint_on_commit",
    "debug_verify_column_bindings",
    "debug_verify_serializer",
    "debug_verify_vector",
    "debug_window_mode",
    "delim_join_as_cte",
    "disable_checkpoint_on_shutdown",
    "disable_optimizer",
    "disable_profiling",
    "disable_progress_bar",
    "disable_verification",
    "disable_verify_external",
    "disable_verify_parallelism",
    "disabled_optimizers",
    "enable_caching_operators",
    "enable_checkpoint_on_shutdown",
    "enable_optimizer",
    "enable_progress_bar",
    "enable_verification",
    "force_compression",
    "immediate_transaction_mode",
    "index_scan_max_count",
    "index_scan_percentage",
    "max_vacuum_tasks",
    "merge_join_threshold",
    "nested_loop_join_threshold",
    "ordered_aggregate_threshold",
    "parquet_metadata_cache",
    "partitioned_write_flush_threshold",
    "partitioned_write_max_open_files",
    "perfect_ht_threshold",
    "pivot_filter_threshold",
    "preserve_insertion_order",
    "read_ahead_depth",
    "storage_compatibility_version",
    "verify_external",
    "verify_fetch_row",
    "verify_parallelism",
    "wal_autocheckpoint",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted());
        assert!(is_without_effect("verify_parallelism"));
        assert!(!is_without_effect("threads"));
    }
}
