//! Tables, system catalog, constraints and versioned scans over llkv-column-map
