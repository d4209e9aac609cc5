//! Encoded, versioned Arrow columns in a key-value pager: chunks, statistics, pruning
