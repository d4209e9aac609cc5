//! Transaction ids, snapshots, visibility and conflicts of the LLKV database
