//! COPY: rows from and to files.

use super::Binder;
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_plan::{
    ColumnInfo, ExternalSource, FileFormat, FileOptions, Insert, LogicalPlan, PlanStatement,
    TableInfo,
};
use llkv_result::{FileError, Result};
use sqlparser::ast::{self, CopyOption, CopySource, CopyTarget};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn bind_copy(
        &mut self,
        source: &CopySource,
        to: bool,
        target: &CopyTarget,
        options: &[CopyOption],
        legacy: &[ast::CopyLegacyOption],
    ) -> Result<PlanStatement> {
        let CopyTarget::File { filename } = target else {
            return super::unsupported("COPY from or to anything but a file");
        };
        let options = self.copy_options(options, legacy)?;
        match (source, to) {
            (
                CopySource::Table {
                    table_name,
                    columns,
                },
                false,
            ) => self.bind_copy_from(table_name, columns, Path::new(filename), &options),
            (
                CopySource::Table {
                    table_name,
                    columns,
                },
                true,
            ) => {
                let source = self.table_rows(table_name, columns)?;
                Ok(copy_to(source, filename, options))
            }
            (CopySource::Query(query), true) => {
                let source = self.bind_query(query)?;
                Ok(copy_to(source, filename, options))
            }
            (CopySource::Query(query), false) => {
                self.invalid("COPY FROM needs a table", query.as_ref())
            }
        }
    }

    fn bind_copy_from(
        &mut self,
        table: &ast::ObjectName,
        columns: &[ast::Ident],
        path: &Path,
        options: &FileOptions,
    ) -> Result<PlanStatement> {
        let info = self.target(table)?;
        let mut positions = Vec::with_capacity(info.columns.len());
        for name in columns {
            positions.push(self.column_position(&info, name)?);
        }
        if columns.is_empty() {
            let given = info.columns.iter().enumerate();
            let given = given.filter(|(_, column)| !column.is_computed());
            positions.extend(given.map(|(at, _)| at));
        }
        let options = FileOptions {
            columns: Some(target_schema(&info, &positions)),
            ..options.clone()
        };
        let source = self.catalog.open_file(path, &options)?;
        self.bind_append(&info, &positions, source, true)
    }

    /// The rows of a source, by position, into columns of a table.
    pub(crate) fn bind_append(
        &mut self,
        info: &TableInfo,
        positions: &[usize],
        source: Arc<dyn ExternalSource>,
        is_copy: bool,
    ) -> Result<PlanStatement> {
        let name = source.name();
        let plan = self.external(source)?;
        let (width, wanted) = (plan.columns().len(), positions.len());
        if width != wanted {
            return super::invalid(format!(
                "{name} has {width} columns, the table takes {wanted}"
            ));
        }
        let source = self.shape(plan, info, positions)?;
        let source = self.as_stored(source, info)?;
        Ok(PlanStatement::Insert(Insert {
            is_copy,
            ..self.plain_insert(source, info)?
        }))
    }

    /// The rows of `COPY t (a, b) TO`.
    fn table_rows(
        &mut self,
        name: &ast::ObjectName,
        columns: &[ast::Ident],
    ) -> Result<LogicalPlan> {
        let factor = ast::TableFactor::Table {
            name: name.clone(),
            alias: None,
            args: None,
            with_hints: vec![],
            version: None,
            with_ordinality: false,
            partitions: vec![],
            json_path: None,
            sample: None,
            index_hints: vec![],
        };
        let (plan, scope) = self.bind_relation(&factor)?;
        if columns.is_empty() {
            let info = self.catalog.table(&self.table_ref(name)?)?;
            return Ok(match info {
                Some(info) => without_computed(plan, &info),
                None => plan,
            });
        }
        let mut kept = Vec::with_capacity(columns.len());
        for name in columns {
            match scope.lookup(None, &name.value) {
                super::scope::Lookup::Found(found) => kept.push(found.column.clone()),
                _ => return self.column_not_found(name, scope.names()),
            }
        }
        Ok(super::subquery::keep(plan, kept))
    }

    fn copy_options(
        &self,
        options: &[CopyOption],
        legacy: &[ast::CopyLegacyOption],
    ) -> Result<FileOptions> {
        let mut result = FileOptions::default();
        for option in options {
            match option {
                CopyOption::Format(name) => {
                    self.set_file_option(&mut result, "format", &name.value, name)?;
                }
                CopyOption::Delimiter(c) => result.delimiter = Some(byte("DELIMITER", *c)?),
                CopyOption::Null(text) => result.null = Some(text.clone()),
                CopyOption::Header(header) => result.header = Some(*header),
                CopyOption::Quote(c) => result.quote = Some(byte("QUOTE", *c)?),
                CopyOption::Escape(c) => result.escape = Some(byte("ESCAPE", *c)?),
                other => return super::unsupported(format!("COPY with {other}")),
            }
        }
        for option in legacy {
            match option {
                ast::CopyLegacyOption::Csv(_) => result.format = Some(FileFormat::Csv),
                ast::CopyLegacyOption::Header => result.header = Some(true),
                ast::CopyLegacyOption::Delimiter(c) => {
                    result.delimiter = Some(byte("DELIMITER", *c)?);
                }
                ast::CopyLegacyOption::Null(text) => result.null = Some(text.clone()),
                ast::CopyLegacyOption::Parquet => result.format = Some(FileFormat::Parquet),
                ast::CopyLegacyOption::Json(_) => result.format = Some(FileFormat::Json),
                other => return super::unsupported(format!("COPY with {other}")),
            }
        }
        Ok(result)
    }

    /// An option by its name, as COPY and the reading functions spell it.
    pub(super) fn set_file_option(
        &self,
        options: &mut FileOptions,
        name: &str,
        value: &str,
        node: &ast::Ident,
    ) -> Result<()> {
        let lower = value.to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "format" => {
                options.format = Some(match lower.as_str() {
                    "csv" | "text" => FileFormat::Csv,
                    "parquet" => FileFormat::Parquet,
                    "json" | "ndjson" => FileFormat::Json,
                    "arrow" | "ipc" => FileFormat::Arrow,
                    _ => {
                        return Err(FileError::UnknownFormat {
                            format: value.to_owned(),
                        }
                        .into());
                    }
                });
            }
            "header" => {
                options.header = Some(is_yes(&lower));
            }
            "delim" | "delimiter" | "sep" => options.delimiter = Some(byte(name, first(value))?),
            "quote" => options.quote = Some(byte(name, first(value))?),
            "escape" => options.escape = Some(byte(name, first(value))?),
            "null" | "nullstr" => options.null = Some(value.to_owned()),
            "compression" | "codec" => options.compression = Some(lower),
            "all_varchar" => options.all_text = is_yes(&lower),
            _ => return self.unsupported(format!("the file option {name}"), node),
        }
        Ok(())
    }
}

/// Rows without the columns that COPY neither writes nor reads where it names none.
fn without_computed(plan: LogicalPlan, info: &TableInfo) -> LogicalPlan {
    if !info.columns.iter().any(ColumnInfo::is_computed) {
        return plan;
    }
    let columns = plan.columns().into_iter().zip(&info.columns);
    let kept = columns.filter(|(_, own)| !own.is_computed());
    let kept = kept.map(|(column, _)| column).collect();
    super::subquery::keep(plan, kept)
}

/// The columns that a file is read into: their types, not those that its values seem to have.
fn target_schema(info: &TableInfo, positions: &[usize]) -> SchemaRef {
    let columns = positions
        .iter()
        .filter_map(|&position| info.columns.get(position));
    let fields = columns.map(|c| Field::new(&*c.name, c.ty.to_arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn copy_to(source: LogicalPlan, filename: &str, options: FileOptions) -> PlanStatement {
    PlanStatement::CopyTo {
        source,
        path: PathBuf::from(filename),
        options,
    }
}

pub(super) fn is_no(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    matches!(value.as_str(), "false" | "f" | "0" | "off" | "no")
}

fn is_yes(value: &str) -> bool {
    matches!(value, "true" | "t" | "1" | "on" | "yes")
}

fn first(value: &str) -> char {
    match value {
        "\\t" => '\t',
        other => other.chars().next().unwrap_or('\0'),
    }
}

fn byte(option: &str, c: char) -> Result<u8> {
    match u8::try_from(u32::from(c)) {
        Ok(byte) if byte.is_ascii() && byte != 0 => Ok(byte),
        _ => super::invalid(format!("{option} must be one ASCII character")),
    }
}
