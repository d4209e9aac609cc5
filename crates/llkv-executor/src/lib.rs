//! Push-based, morsel-driven execution of logical plans into Arrow batches
