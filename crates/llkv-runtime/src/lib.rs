//! Contexts, sessions, commit and statement dispatch of the LLKV database
