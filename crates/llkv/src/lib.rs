//! Embedded SQL database: Apache Arrow columns in one crash-safe file
