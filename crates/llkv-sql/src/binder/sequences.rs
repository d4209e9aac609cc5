//! CREATE SEQUENCE, SERIAL and identity columns, and the functions that take numbers of a sequence.

use super::{Binder, alter_texts};
use crate::SqlDialect;
use crate::text::parse_expression;
use llkv_compute::sequences::{CURRVAL, NEXTVAL, SETVAL};
use llkv_expr::{Expr, ScalarFunction};
use llkv_plan::{
    ColumnDefinition, GeneratedColumn, PlanStatement, SequenceDefinition, TableDefinition, TableRef,
};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use sqlparser::ast::{self, FunctionArgExpr, SequenceOptions};
use std::ops::ControlFlow;

impl Binder<'_> {
    pub(super) fn bind_create_sequence(
        &mut self,
        name: &ast::ObjectName,
        data_type: Option<&ast::DataType>,
        options: &[SequenceOptions],
        (temporary, if_not_exists): (bool, bool),
    ) -> Result<PlanStatement> {
        let ty = match data_type {
            None => SqlType::Int64,
            Some(ty) => self.bind_type(ty, name)?,
        };
        let table_ref = self.table_ref(name)?;
        Ok(PlanStatement::CreateSequence {
            definition: self.define_sequence(table_ref, ty, options, temporary)?,
            if_not_exists,
        })
    }

    pub(super) fn bind_drop_sequence(
        &self,
        names: Vec<TableRef>,
        (if_exists, cascade): (bool, bool),
    ) -> Result<PlanStatement> {
        let mut sequences = Vec::with_capacity(names.len());
        for name in names {
            let defaults = match self.catalog.sequence(&name)? {
                Some(number) => self.defaults_from(number)?,
                None => Vec::new(),
            };
            sequences.push((name, defaults));
        }
        Ok(PlanStatement::DropSequence {
            sequences,
            if_exists,
            cascade,
        })
    }

    /// The columns whose defaults name a sequence.
    fn defaults_from(&self, sequence: u64) -> Result<Vec<(TableId, FieldId)>> {
        let mut found = Vec::new();
        for table in self.catalog.tables() {
            let dialect: SqlDialect = table.dialect.parse()?;
            for column in &table.columns {
                let Some(sql) = &column.default_sql else {
                    continue;
                };
                if parse_expression(sql, dialect, |expr| Ok(self.calls(expr, sequence)))? {
                    found.push((table.id, column.field));
                }
            }
        }
        Ok(found)
    }

    /// True for an expression in which a function of sequences is called with this one.
    fn calls(&self, expr: &ast::Expr, sequence: u64) -> bool {
        let found = ast::visit_expressions(expr, |expr| {
            let named = sequence_named(expr).map(|name| {
                let reference = self.stored_sequence(reference_of(&name))?;
                self.catalog.sequence(&reference)
            });
            match named {
                Some(Ok(Some(number))) if number == sequence => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        found.is_break()
    }

    fn define_sequence(
        &mut self,
        name: TableRef,
        ty: SqlType,
        options: &[SequenceOptions],
        temporary: bool,
    ) -> Result<SequenceDefinition> {
        let (lowest, highest) = match ty {
            SqlType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            SqlType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            SqlType::Int64 => (i64::MIN, i64::MAX),
            _ => return super::invalid("a sequence gives SMALLINT, INTEGER or BIGINT"),
        };
        let (mut start, mut min, mut max) = (None, None, None);
        let (mut increment, mut cycle) = (1, false);
        for option in options {
            match option {
                SequenceOptions::IncrementBy(value, _) => increment = self.whole_number(value)?,
                SequenceOptions::MinValue(value) => {
                    min = value.as_ref().map(|v| self.whole_number(v)).transpose()?;
                }
                SequenceOptions::MaxValue(value) => {
                    max = value.as_ref().map(|v| self.whole_number(v)).transpose()?;
                }
                SequenceOptions::StartWith(value, _) => start = Some(self.whole_number(value)?),
                SequenceOptions::Cache(_) => {}
                // The library says with `true` that the word NO stands before it.
                SequenceOptions::Cycle(is_no) => cycle = !is_no,
            }
        }
        let (of_min, of_max) = match increment > 0 {
            true => (1, highest),
            false => (lowest, -1),
        };
        let (min, max) = (min.unwrap_or(of_min), max.unwrap_or(of_max));
        let start = start.unwrap_or(if increment > 0 { min } else { max });
        let refused = if increment == 0 {
            Some("INCREMENT must not be zero".to_owned())
        } else if min > max || (min == max && !cycle) {
            Some(format!(
                "MINVALUE ({min}) must be less than MAXVALUE ({max})"
            ))
        } else if start < min {
            Some(format!(
                "START value ({start}) cannot be less than MINVALUE ({min})"
            ))
        } else if start > max {
            Some(format!(
                "START value ({start}) cannot be greater than MAXVALUE ({max})"
            ))
        } else if min < lowest || max > highest {
            Some(format!("a bound is out of range for {ty}"))
        } else {
            None
        };
        if let Some(message) = refused {
            return Err(BindError::InvalidOption { message }.into());
        }
        Ok(SequenceDefinition {
            name,
            start,
            increment,
            min,
            max,
            cycle,
            temporary,
        })
    }

    fn whole_number(&mut self, value: &ast::Expr) -> Result<i64> {
        let bound = self.bind_constant(value)?;
        match llkv_compute::cast_scalar(&bound, SqlType::Int64, llkv_expr::CastMode::Strict)? {
            Scalar::Int64(number) => Ok(number),
            _ => self.invalid("a sequence counts in whole numbers", value),
        }
    }

    /// SERIAL and the like: the type, and a sequence of the column's own.
    pub(super) fn serial_type(ty: &ast::DataType) -> Option<SqlType> {
        let name = ty.to_string().to_ascii_lowercase();
        match name.as_str() {
            "smallserial" | "serial2" => Some(SqlType::Int16),
            "serial" | "serial4" => Some(SqlType::Int32),
            "bigserial" | "serial8" => Some(SqlType::Int64),
            _ => None,
        }
    }

    /// Gives a column that is being defined a sequence of its own.
    pub(super) fn add_sequence(
        &mut self,
        table: &mut TableDefinition,
        column: &mut ColumnDefinition,
        options: &[SequenceOptions],
        generated: Option<GeneratedColumn>,
    ) -> Result<()> {
        let position = table.columns.len() as u32;
        let is_taken = |name: &str| {
            let known = table.sequences.iter();
            let mut known = known.map(|(_, sequence)| sequence.name.name.as_str());
            let reference = TableRef {
                schema: table.name.schema.clone(),
                name: name.to_owned(),
            };
            let exists = self.catalog.sequence(&reference).is_ok_and(|s| s.is_some());
            exists || known.any(|known| known.eq_ignore_ascii_case(name))
        };
        let base = SequenceDefinition::name_of(&table.name.name, &column.name);
        let mut name = base.clone();
        let mut number = 0;
        while is_taken(&name) {
            number += 1;
            name = format!("{base}{number}");
        }
        let schema = match table.temporary {
            true => Some("temp".to_owned()),
            false => self.schema_for_new(&table.name),
        };
        let written = match schema {
            Some(schema) => format!(
                "{}.{}",
                alter_texts::ident(&schema),
                alter_texts::ident(&name)
            ),
            None => alter_texts::ident(&name).to_string(),
        };
        let reference = TableRef {
            schema: table.name.schema.clone(),
            name,
        };
        let sequence = self.define_sequence(reference, column.ty, options, table.temporary)?;
        column.default_sql = Some(format!("nextval('{}')", written.replace('\'', "''")));
        column.nullable = false;
        column.generated = generated;
        table.sequences.push((position, sequence));
        Ok(())
    }

    /// `nextval('s')`, `currval('s')`, `setval('s', 5)`: the name is a literal; the catalog's number for it
    /// takes its place.
    pub(super) fn bind_sequence_call(
        &mut self,
        name: &str,
        args: &[Expr],
        node: &impl super::place::Place,
    ) -> Result<Option<Expr>> {
        let function: &'static ScalarFunction = match name {
            "nextval" => &NEXTVAL,
            "currval" => &CURRVAL,
            "setval" => &SETVAL,
            _ => return Ok(None),
        };
        let Some((Expr::Literal(Scalar::Text(sequence)), rest)) = args.split_first() else {
            return self.unsupported(format!("{name} of a sequence that is no literal"), node);
        };
        let mut reference = reference_of(sequence);
        if self.is_stored {
            reference = self.stored_sequence(reference)?;
        }
        let Some(number) = self.catalog.sequence(&reference)? else {
            return Err(BindError::NotFound {
                kind: ObjectKind::Sequence,
                name: sequence.to_string(),
                hint: None,
                span: self.span(node),
            }
            .into());
        };
        let mut bound = vec![Expr::Literal(Scalar::UInt64(number))];
        match (name, rest) {
            ("setval", [value]) => {
                bound.push(self.coerce(value.clone(), SqlType::Int64));
                bound.push(Expr::boolean(true));
            }
            ("setval", [value, given]) => {
                bound.push(self.coerce(value.clone(), SqlType::Int64));
                bound.push(self.coerce(given.clone(), SqlType::Boolean));
            }
            ("nextval" | "currval", []) => {}
            _ => return self.no_operator(format!("{name} takes other arguments"), node),
        }
        Ok(Some(Expr::Function {
            function,
            args: bound,
            ty: SqlType::Int64,
        }))
    }
}

/// The name that a call of a function of sequences gives.
fn sequence_named(expr: &ast::Expr) -> Option<String> {
    sequence_call(expr)?;
    sequence_name_mut(&mut expr.clone()).cloned()
}

/// The same to be changed.
pub(super) fn sequence_name_mut(expr: &mut ast::Expr) -> Option<&mut String> {
    sequence_call(expr)?;
    let ast::Expr::Function(call) = expr else {
        return None;
    };
    let ast::FunctionArguments::List(list) = &mut call.args else {
        return None;
    };
    let ast::FunctionArg::Unnamed(FunctionArgExpr::Expr(name)) = list.args.first_mut()? else {
        return None;
    };
    let name = match name {
        ast::Expr::Cast {
            expr,
            data_type: ast::DataType::Regclass,
            ..
        } => expr.as_mut(),
        name => name,
    };
    match name {
        ast::Expr::Value(value) => match &mut value.value {
            ast::Value::SingleQuotedString(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// A call of a function of sequences.
fn sequence_call(expr: &ast::Expr) -> Option<&ast::Function> {
    let ast::Expr::Function(call) = expr else {
        return None;
    };
    let function = call.name.to_string().to_ascii_lowercase();
    matches!(function.as_str(), "nextval" | "currval" | "setval").then_some(call)
}

/// `schema.name`, each of them in quotes or not.
pub(super) fn reference_of(text: &str) -> TableRef {
    let mut parts: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match (c, parts.last_mut()) {
            ('"', _) => quoted = !quoted,
            ('.', _) if !quoted => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            _ => {}
        }
    }
    let name = parts.pop().unwrap_or_default();
    TableRef {
        schema: parts.pop(),
        name,
    }
}
