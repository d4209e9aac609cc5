//! The expression evaluator, casts, functions and accumulators over Arrow arrays
