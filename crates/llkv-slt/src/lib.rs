//! Reader and parallel runner for sqllogictest files
