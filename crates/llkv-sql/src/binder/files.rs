//! Files in FROM: by name in quotes, or by a reading function.

use super::Binder;
use super::from::Rows;
use crate::text::parse_expression;
use arrow::datatypes::{Field, Schema};
use llkv_expr::Expr;
use llkv_plan::{ExternalScan, ExternalSource, FileFormat, FileOptions, LogicalPlan};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArgOperator, TableAlias};
use std::path::Path;
use std::sync::Arc;

impl Binder<'_> {
    /// `FROM 'x.parquet'`: the file's rows, and the name that they go by.
    pub(super) fn bind_file_name(
        &mut self,
        name: &ast::ObjectName,
    ) -> Result<Option<(LogicalPlan, String)>> {
        let [part] = name.0.as_slice() else {
            return Ok(None);
        };
        let Some(ident) = part.as_ident() else {
            return Ok(None);
        };
        let path = Path::new(&ident.value);
        let quoted = ident.quote_style.is_some();
        if !quoted || path.extension().is_none() {
            return Ok(None);
        }
        let source = self.catalog.open_file(path, &FileOptions::default())?;
        let plan = self.external(source)?;
        Ok(Some((plan, stem(path))))
    }

    /// All columns of a source that is no table.
    pub(super) fn external(&mut self, source: Arc<dyn ExternalSource>) -> Result<LogicalPlan> {
        let schema = source.schema();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (position, field) in schema.fields().iter().enumerate() {
            let Some(ty) = SqlType::from_arrow(field.data_type()) else {
                return super::unsupported(format!(
                    "the type {} of column \"{}\"",
                    field.data_type(),
                    field.name()
                ));
            };
            let column = self.new_column(field.name().as_str(), ty, field.is_nullable());
            columns.push((position, column));
        }
        Ok(LogicalPlan::External(ExternalScan { source, columns }))
    }

    /// `read_csv('x')`, `range(10)`, ...
    pub(super) fn bind_table_function(
        &mut self,
        name: &ast::ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Result<Rows> {
        let function = self.simple_name(name)?.value.to_ascii_lowercase();
        let format = match function.as_str() {
            "read_csv" | "read_csv_auto" => Some(FileFormat::Csv),
            "read_parquet" | "parquet_scan" => Some(FileFormat::Parquet),
            "read_json" | "read_json_auto" | "read_ndjson" => Some(FileFormat::Json),
            "read_arrow" => Some(FileFormat::Arrow),
            "range" | "generate_series" => {
                return self.bind_series_rows(&function, args, name, alias);
            }
            _ => None,
        };
        if let Some(pragma) = function.strip_prefix("pragma_")
            && let Some(plan) = self.bind_pragma_function(pragma, args, name)?
        {
            return self.named_rows(plan, alias, Some(&function));
        }
        let Some(format) = format else {
            const KNOWN: [&str; 6] = [
                "read_csv",
                "read_parquet",
                "read_json",
                "read_arrow",
                "range",
                "generate_series",
            ];
            return Err(BindError::NotFound {
                kind: ObjectKind::Function,
                name: function.clone(),
                hint: super::names::nearest(&function, KNOWN.into_iter()),
                span: self.span(name),
            }
            .into());
        };
        let (path, options) = self.bind_reading(&function, format, args, name)?;
        let source = self.catalog.open_file(Path::new(&path), &options)?;
        let plan = self.external(source)?;
        self.named_rows(plan, alias, Some(&stem(Path::new(&path))))
    }

    /// `pragma_table_info('t')`
    fn bind_pragma_function(
        &mut self,
        pragma: &str,
        args: &[FunctionArg],
        node: &ast::ObjectName,
    ) -> Result<Option<LogicalPlan>> {
        let value = match args {
            [] => None,
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => {
                Some(self.bind_constant(expr)?.to_string())
            }
            _ => return self.invalid("a pragma takes one constant", node),
        };
        self.pragma_rows(pragma, value.as_deref(), node)
    }

    fn bind_reading(
        &mut self,
        function: &str,
        format: FileFormat,
        args: &[FunctionArg],
        node: &ast::ObjectName,
    ) -> Result<(String, FileOptions)> {
        let mut options = FileOptions {
            format: Some(format),
            ..FileOptions::default()
        };
        let mut path = None;
        for arg in args {
            if let Some((name, value)) = option_of(arg) {
                if self.set_column_types(&mut options, name, value)? {
                    continue;
                }
                let value = self.bind_constant(value)?.to_string();
                self.set_file_option(&mut options, &name.value, &value, name)?;
                continue;
            }
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if path.is_none() => {
                    match self.bind_constant(expr)? {
                        Scalar::Text(text) => path = Some(text.to_string()),
                        _ => return self.invalid(format!("{function} takes a file name"), expr),
                    }
                }
                other => {
                    return self.invalid(
                        format!("{function} takes a file name and named options, not {other}"),
                        node,
                    );
                }
            }
        }
        match path {
            Some(path) => Ok((path, options)),
            None => self.invalid(format!("{function} takes a file name"), node),
        }
    }

    /// `columns = {'a': 'INTEGER', ...}`, all columns of a CSV file, or `types = {...}`, those of some; false for other options.
    fn set_column_types(
        &mut self,
        options: &mut FileOptions,
        name: &ast::Ident,
        value: &ast::Expr,
    ) -> Result<bool> {
        let is_all = name.value.eq_ignore_ascii_case("columns");
        let of_some = ["types", "dtypes", "column_types"];
        if !is_all
            && !of_some
                .iter()
                .any(|known| name.value.eq_ignore_ascii_case(known))
        {
            return Ok(false);
        }
        let ast::Expr::Dictionary(entries) = value else {
            let message = format!("{} is written as {{'column': 'TYPE', ...}}", name.value);
            return self.invalid(message, name);
        };
        for entry in entries {
            let written = self.bind_constant(&entry.value)?.to_string();
            let cast = format!("CAST(NULL AS {written})");
            let ty = parse_expression(&cast, self.dialect, |expr| match expr {
                ast::Expr::Cast { data_type, .. } => self.bind_type(data_type, name),
                _ => super::invalid("no type"),
            });
            let Ok(ty) = ty else {
                return self.invalid(format!("'{written}' is no type"), name);
            };
            options.types.push((entry.key.value.clone(), ty));
        }
        if is_all {
            let types = std::mem::take(&mut options.types);
            let fields = types
                .into_iter()
                .map(|(name, ty)| Field::new(name, ty.to_arrow(), true));
            options.columns = Some(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
        }
        Ok(true)
    }

    /// A constant, computed now.
    pub(super) fn bind_constant(&mut self, node: &ast::Expr) -> Result<Scalar> {
        match self.bind_expr(node)? {
            Expr::Literal(scalar) => Ok(scalar),
            other if other.is_constant() => llkv_compute::fold(&other),
            _ => self.invalid("a constant is expected", node),
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `name = value`, `name => value`, `name := value`. The first is read as a comparison, which it is in other calls.
fn option_of(arg: &FunctionArg) -> Option<(&ast::Ident, &ast::Expr)> {
    match arg {
        FunctionArg::Named {
            name,
            arg: FunctionArgExpr::Expr(value),
            operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
        } => Some((name, value)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::Eq,
            right,
        })) => match left.as_ref() {
            ast::Expr::Identifier(name) => Some((name, right)),
            _ => None,
        },
        _ => None,
    }
}
