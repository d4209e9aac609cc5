//! Logical plans, statements and optimizer rules of the LLKV database
