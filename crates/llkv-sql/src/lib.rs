//! SQL text to Arrow results: parser dialects, binder, engine, prepared statements
