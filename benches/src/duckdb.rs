//! DuckDB through the C interface of its shared library, loaded while a benchmark runs: building it from
//! source would take longer than everything else together.
#![allow(unsafe_code)]

use libloading::Library;
use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

type Handle = *mut c_void;
type Outcome<T> = Result<T, Box<dyn Error>>;

/// `duckdb_result`: three counters and three pointers, which only the library reads.
#[repr(C)]
#[derive(Default)]
struct QueryResult([u64; 8]);

/// A connection to a database file.
pub struct DuckDb {
    library: Library,
    database: Handle,
    connection: Handle,
}

/// A function of the library, by its name and type.
macro_rules! function {
    ($library:expr, $name:literal, fn($($argument:ty),*) $(-> $result:ty)?) => {
        // SAFETY: the types are those of the function's declaration in `duckdb.h`.
        unsafe { $library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(concat!($name, "\0").as_bytes()) }
    };
}

impl DuckDb {
    /// Opens or creates a database by the shared library at `library`.
    ///
    /// # Errors
    /// When the library is none of DuckDB's, or DuckDB does not open the file.
    pub fn open(library: &Path, file: &Path) -> Outcome<Self> {
        // SAFETY: the library's initializers are DuckDB's own.
        let library = unsafe { Library::new(library)? };
        let path = CString::new(file.to_string_lossy().as_bytes())?;
        let (mut database, mut connection) = (ptr::null_mut(), ptr::null_mut());
        let open = function!(
            library,
            "duckdb_open",
            fn(*const c_char, *mut Handle) -> c_int
        )?;
        // SAFETY: the path is a C string, the handle is written by the call.
        if unsafe { open(path.as_ptr(), &raw mut database) } != 0 {
            return Err(format!("DuckDB does not open {}", file.display()).into());
        }
        let connect = function!(library, "duckdb_connect", fn(Handle, *mut Handle) -> c_int)?;
        // SAFETY: the database is open, the handle is written by the call.
        if unsafe { connect(database, &raw mut connection) } != 0 {
            return Err("DuckDB gives no connection".into());
        }
        Ok(Self {
            library,
            database,
            connection,
        })
    }

    /// Runs a statement and fetches its whole result.
    ///
    /// # Errors
    /// DuckDB's message.
    pub fn run(&self, sql: &str) -> Outcome<()> {
        self.with_result(sql, |_| Ok(()))
    }

    /// Runs a query and gives its rows as text, NULL as nothing.
    ///
    /// # Errors
    /// DuckDB's message.
    pub fn rows(&self, sql: &str) -> Outcome<Vec<Vec<String>>> {
        type Result = *mut QueryResult;
        let library = &self.library;
        let rows = function!(library, "duckdb_row_count", fn(Result) -> u64)?;
        let columns = function!(library, "duckdb_column_count", fn(Result) -> u64)?;
        let value = function!(
            library,
            "duckdb_value_varchar",
            fn(Result, u64, u64) -> *mut c_char
        )?;
        let free = function!(library, "duckdb_free", fn(*mut c_char))?;
        self.with_result(sql, |result| {
            let text = |column: u64, row: u64| {
                // SAFETY: the result lives, and the place is one of it.
                let text = unsafe { value(result, column, row) };
                if text.is_null() {
                    return String::new();
                }
                // SAFETY: a C string that is ours until it is freed, once, with the library's own function.
                unsafe {
                    let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
                    free(text);
                    owned
                }
            };
            // SAFETY: the result lives.
            let (rows, columns) = unsafe { (rows(result), columns(result)) };
            let row = |row| (0..columns).map(|column| text(column, row)).collect();
            Ok((0..rows).map(row).collect())
        })
    }

    fn with_result<T>(
        &self,
        sql: &str,
        read: impl FnOnce(*mut QueryResult) -> Outcome<T>,
    ) -> Outcome<T> {
        let text = CString::new(sql)?;
        let mut result = QueryResult::default();
        let query = function!(
            self.library,
            "duckdb_query",
            fn(Handle, *const c_char, *mut QueryResult) -> c_int
        )?;
        let message = function!(
            self.library,
            "duckdb_result_error",
            fn(*mut QueryResult) -> *const c_char
        )?;
        let destroy = function!(self.library, "duckdb_destroy_result", fn(*mut QueryResult))?;
        // SAFETY: connection and text live; the result is written by the call, and is destroyed below.
        let failed = unsafe { query(self.connection, text.as_ptr(), &raw mut result) } != 0;
        let outcome = if failed {
            // SAFETY: the message, if there is one, is a C string that lives until the result is destroyed.
            let text = unsafe {
                let message = message(&raw mut result);
                (!message.is_null()).then(|| CStr::from_ptr(message).to_string_lossy().into_owned())
            };
            Err(text.unwrap_or_else(|| "no message".into()).into())
        } else {
            read(&raw mut result)
        };
        // SAFETY: written by `duckdb_query` and not used afterwards.
        unsafe { destroy(&raw mut result) };
        outcome
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        if let Ok(disconnect) = function!(self.library, "duckdb_disconnect", fn(*mut Handle)) {
            // SAFETY: the connection is open and not used afterwards.
            unsafe { disconnect(&raw mut self.connection) };
        }
        if let Ok(close) = function!(self.library, "duckdb_close", fn(*mut Handle)) {
            // SAFETY: the database is open and not used afterwards.
            unsafe { close(&raw mut self.database) };
        }
    }
}
