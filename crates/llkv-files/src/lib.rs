//! CSV, Parquet, JSON and Arrow files as sources and sinks of record batches
