//! Calls of scalar functions, and the special forms that are calls in disguise.

use super::Binder;
use super::collated_calls::ComparingCall;
use super::names::nearest;
use crate::SqlDialect;
use llkv_expr::{BinaryOp, CastMode, Expr, ScalarFunction, UnaryOp};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::{Collation, Scalar, SqlType};
use smallvec::SmallVec;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

impl Binder<'_> {
    /// A function of the registry, by name or alias.
    pub(super) fn function(&self, name: &str) -> Option<&'static ScalarFunction> {
        llkv_compute::functions::lookup_in(self.dialect.functions(), name)
    }

    /// `f(a, b, ...)`
    pub(super) fn bind_function(&mut self, function: &ast::Function) -> Result<Expr> {
        let Some(name) = function.name.0.last().and_then(|part| part.as_ident()) else {
            return self.unsupported("this form of call", function);
        };
        let lower = name.value.to_ascii_lowercase();
        let args = self.plain_args(function)?;
        if lower == "raise" && self.trigger_row.is_some() {
            return self.bind_raise(&args, function);
        }
        if let Some(over) = &function.over {
            return self.bind_window_call(&lower, function, &args, over);
        }
        if super::windows::function_named(&lower).is_some() && self.function(&lower).is_none() {
            return self.windowing_error(
                format!("window function {lower} requires an OVER clause"),
                function,
            );
        }
        if matches!(lower.as_str(), "grouping" | "grouping_id") {
            return self.bind_grouping_call(function, &args);
        }
        if let Some(aggregate) = self.aggregate_named(&lower, &args) {
            return self.bind_aggregate(aggregate, &lower, function, &args);
        }
        if function.filter.is_some() || super::windows::has_own_order(function) {
            return self.invalid(format!("{lower} is no aggregate function"), function);
        }
        if let FunctionArguments::List(list) = &function.args
            && list.duplicate_treatment.is_some()
        {
            return self.invalid(
                format!("DISTINCT in {lower}, which is no aggregate"),
                function,
            );
        }
        if super::windows::null_treatment(function).is_some() {
            return self.invalid(
                format!("IGNORE NULLS and RESPECT NULLS mean nothing in {lower}"),
                function,
            );
        }
        if super::series::is_series(&lower) && self.dialect == SqlDialect::Llkv {
            return self.bind_series_value(&lower, args.as_slice(), function);
        }
        let mut bound = Vec::with_capacity(args.len());
        let mut collated: Option<Collation> = None;
        for arg in &args {
            match arg {
                FunctionArgExpr::Expr(expr) => bound.push(self.bind_expr(expr)?),
                _ => return self.invalid(format!("{lower}(*) means nothing"), function),
            }
            collated = collated.or(self.collated_last().known());
        }
        if let Some(collation) = collated.filter(|collation| !collation.is_binary())
            && let Some(extreme) = ComparingCall::named(&lower, bound.len())
        {
            return self.bind_collated_call(extreme, bound, collation, function);
        }
        self.call(&lower, bound, function)
    }

    /// The arguments, none of them named.
    fn plain_args<'f>(
        &self,
        function: &'f ast::Function,
    ) -> Result<SmallVec<[&'f FunctionArgExpr; 4]>> {
        let list = match &function.args {
            FunctionArguments::None => return Ok(SmallVec::new()),
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(_) => {
                return self.unsupported("a query as an argument without parentheses", function);
            }
        };
        list.args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(expr) => Ok(expr),
                _ => self.unsupported("a named argument", function),
            })
            .collect()
    }

    /// A call by name, with bound arguments.
    pub(super) fn call(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        if let Some(call) = self.bind_sequence_call(name, &args, node)? {
            return Ok(call);
        }
        match (name, args.len()) {
            ("current_schema", 0) => {
                let path = self.catalog.search_path();
                let first = path.first().map_or("main", String::as_str);
                return Ok(Expr::Literal(Scalar::Text(first.into())));
            }
            ("coalesce" | "ifnull", 1..) => return self.coalesce(args, node),
            ("iif" | "if", 3) => return self.iif(args, node),
            ("typeof" | "pg_typeof", 1) if self.dialect.values_carry_types() => {
                return self.type_of_value(first_of(args));
            }
            ("typeof" | "pg_typeof", 1) => return Ok(self.type_name_of(&args)),
            _ if self.dialect.values_carry_types() => {
                return self.sqlite_call(name, args, node);
            }
            _ => {}
        }
        self.named_call(name, args, node)
    }

    /// Digits behind the point as SQLite's `round` reads them: whole, and never fewer than none.
    fn round_digits(&mut self, digits: Expr) -> Result<Expr> {
        let digits = match digits.ty() {
            SqlType::Int64 => digits,
            _ => Expr::Cast {
                expr: Box::new(self.as_variant(digits)),
                ty: SqlType::Int64,
                mode: CastMode::Sqlite,
            },
        };
        let none = Expr::Literal(Scalar::Int64(0));
        let digits = self.once(digits)?;
        let again = self.copy_of(&digits)?;
        let is_negative = Expr::compare(BinaryOp::Lt, again, none.clone());
        Ok(Expr::Case {
            branches: vec![(is_negative, none)],
            otherwise: Some(Box::new(digits)),
            ty: SqlType::Int64,
        })
    }

    /// A call in SQLite's dialect, where functions mix types.
    fn sqlite_call(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let args = match (name, args.len()) {
            ("max", 2..) => return self.scalar_extreme(true, args),
            ("min", 2..) => return self.scalar_extreme(false, args),
            ("nullif", 2) => {
                let mut args = args.into_iter();
                if let (Some(value), Some(other)) = (args.next(), args.next()) {
                    return self.nullif_as_case(value, other, node);
                }
                vec![]
            }
            ("abs", 1) => match args.first().map(Expr::ty) {
                Some(SqlType::Text | SqlType::Blob) => {
                    vec![self.as_variant(first_of(args))]
                }
                _ => args,
            },
            ("hex" | "length", 1) => match args.first().map(Expr::ty) {
                Some(SqlType::Blob | SqlType::Variant) if name == "hex" => args,
                Some(SqlType::Blob) => args,
                _ => vec![self.text_of(first_of(args))],
            },
            ("quote", 1) => vec![self.as_variant(first_of(args))],
            ("round", 1 | 2) => {
                let mut args = args;
                if let Some(value) = args.first_mut() {
                    let own = std::mem::replace(value, Expr::boolean(true));
                    *value = match own.ty() {
                        SqlType::Float64 => own,
                        _ => Expr::Cast {
                            expr: Box::new(self.as_variant(own)),
                            ty: SqlType::Float64,
                            mode: CastMode::Sqlite,
                        },
                    };
                }
                // With digits halves go away from zero, as SQLite's do.
                let digits = match args.pop() {
                    Some(digits) if !args.is_empty() => self.round_digits(digits)?,
                    value => {
                        args.extend(value);
                        Expr::Literal(Scalar::Int64(0))
                    }
                };
                args.push(digits);
                args
            }
            _ => args,
        };
        let call = self.named_call(name, args, node)?;
        // NULL has no digits.
        if name == "hex" {
            let empty = Expr::Literal(Scalar::Text("".into()));
            return self.coalesce(vec![call, empty], node);
        }
        Ok(call)
    }

    /// A call of the registry's function.
    pub(super) fn named_call(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let name = match (name, args.len()) {
            ("max", 2..) => "greatest",
            ("min", 2..) => "least",
            _ => name,
        };
        let Some(function) = self.function(name) else {
            let own = self.dialect.functions();
            let known = llkv_compute::functions::all().filter(|f| f.dialects.contains(own));
            let names = known.map(|f| f.name);
            return Err(BindError::NotFound {
                kind: ObjectKind::Function,
                name: name.to_owned(),
                hint: nearest(name, names),
                span: self.span(node),
            }
            .into());
        };
        let shape = result_shape(function.name, &args);
        let call = self.call_function(function, args, node)?;
        Ok(match shape {
            Some(ty) if call.ty() != ty => call.cast(ty),
            _ => call,
        })
    }

    fn call_function(
        &mut self,
        function: &'static ScalarFunction,
        args: Vec<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let args: Vec<Expr> = args
            .into_iter()
            .map(|arg| self.sqlite_argument(arg))
            .collect();
        let types: Vec<SqlType> = args.iter().map(Expr::ty).collect();
        let signature = (function.resolve)(&types)
            .or_else(|| self.resolve_open(function, &args, &types))
            .or_else(|| self.resolve_variants(function, &types));
        let Some(signature) = signature else {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            return self.no_operator(
                format!(
                    "{}({}) does not exist; it is called as {}",
                    function.name,
                    types.join(", "),
                    function.usage
                ),
                node,
            );
        };
        let args = args
            .into_iter()
            .zip(signature.args)
            .map(|(arg, ty)| self.implicit(arg, ty))
            .collect();
        Ok(Expr::Function {
            function,
            args,
            ty: signature.result,
        })
    }

    fn sqlite_argument(&self, arg: Expr) -> Expr {
        if arg.ty() == SqlType::Boolean && self.dialect.booleans_are_integers() {
            return arg.cast(SqlType::Int64);
        }
        arg
    }

    fn implicit(&mut self, arg: Expr, ty: SqlType) -> Expr {
        if self.dialect.values_carry_types() && ty == SqlType::Text {
            return self.text_of(arg);
        }
        let carried = matches!(arg.ty(), SqlType::Text | SqlType::Blob | SqlType::Variant);
        if self.dialect.values_carry_types() && carried && arg.ty() != ty {
            return Expr::Cast {
                expr: Box::new(arg),
                ty,
                mode: CastMode::Sqlite,
            };
        }
        self.coerce(arg, ty)
    }

    /// The signature once literals in quotes are taken for NULLs of any type, or text for numbers and
    /// numbers for text where SQLite does not mind.
    fn resolve_open(
        &self,
        function: &ScalarFunction,
        args: &[Expr],
        types: &[SqlType],
    ) -> Option<llkv_expr::Signature> {
        let open: Vec<SqlType> = args
            .iter()
            .zip(types)
            .map(|(arg, ty)| match arg {
                Expr::Literal(Scalar::Text(_)) => SqlType::Null,
                _ => *ty,
            })
            .collect();
        (function.resolve)(&open).or_else(|| {
            if !self.dialect.text_is_a_number() {
                return None;
            }
            let all = |ty: SqlType| vec![ty; types.len()];
            (function.resolve)(&all(SqlType::Text))
                .or_else(|| (function.resolve)(&all(SqlType::Float64)))
        })
    }

    /// The signature once values that carry their type are taken for texts, integers or reals.
    fn resolve_variants(
        &self,
        function: &ScalarFunction,
        types: &[SqlType],
    ) -> Option<llkv_expr::Signature> {
        if !self.dialect.values_carry_types() {
            return None;
        }
        let carried = |ty: &SqlType| matches!(ty, SqlType::Variant | SqlType::Blob);
        [SqlType::Text, SqlType::Int64, SqlType::Float64]
            .into_iter()
            .find_map(|plain| {
                let types: Vec<SqlType> = types
                    .iter()
                    .map(|ty| if carried(ty) { plain } else { *ty })
                    .collect();
                (function.resolve)(&types)
            })
    }

    /// `coalesce(a, b, ...)`: what comes after the first value that is there is not evaluated.
    fn coalesce(&mut self, args: Vec<Expr>, node: &impl super::place::Place) -> Result<Expr> {
        let args = if self.dialect.values_carry_types() {
            reached(args)
        } else {
            args
        };
        if args.len() == 1 {
            return Ok(self.without_affinity(first_of(args)));
        }
        let meeting: Vec<&Expr> = args.iter().collect();
        let (Some(ty), Some(function)) = (self.unify(&meeting), self.function("coalesce")) else {
            return self.coalesce_as_case(args, node);
        };
        let args = args.into_iter().map(|arg| self.coerce(arg, ty)).collect();
        Ok(Expr::Function { function, args, ty })
    }

    fn coalesce_as_case(
        &mut self,
        mut args: Vec<Expr>,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let Some(last) = args.pop() else {
            return self.invalid("coalesce takes at least one argument", node);
        };
        if args.is_empty() {
            return Ok(self.without_affinity(last));
        }
        let mut branches = Vec::with_capacity(args.len());
        for arg in args {
            let arg = self.once(arg)?;
            let copy = self.copy_of(&arg)?;
            branches.push((Expr::unary(UnaryOp::IsNotNull, self.settle(copy)), arg));
        }
        self.case_of(branches, Some(last), node)
    }

    fn iif(&mut self, args: Vec<Expr>, node: &impl super::place::Place) -> Result<Expr> {
        let mut args = args.into_iter();
        let (Some(condition), Some(then), otherwise) = (args.next(), args.next(), args.next())
        else {
            return self.invalid("iif takes three arguments", node);
        };
        let condition = self.condition(condition, node)?;
        self.case_of(vec![(condition, then)], otherwise, node)
    }

    fn type_name_of(&self, args: &[Expr]) -> Expr {
        let name = args.first().map_or(SqlType::Null, Expr::ty).to_string();
        Expr::Literal(Scalar::Text(name.into()))
    }
}

fn first_of(args: Vec<Expr>) -> Expr {
    let null = Expr::Literal(Scalar::Null(SqlType::Null));
    args.into_iter().next().unwrap_or(null)
}

/// The arguments of COALESCE up to the first that cannot be NULL, without those that always are: what
/// is never reached has no say in the type.
fn reached(args: Vec<Expr>) -> Vec<Expr> {
    let mut kept = Vec::with_capacity(args.len());
    for arg in args {
        match arg.as_literal() {
            Some(Scalar::Null(_)) => {}
            Some(_) => {
                kept.push(arg);
                return kept;
            }
            None => kept.push(arg),
        }
    }
    if kept.is_empty() {
        kept.push(Expr::Literal(Scalar::Null(SqlType::Null)));
    }
    kept
}

/// The type of a result that a literal argument tells more about than the types do: a field of a date
/// that is a whole number, a decimal rounded to fewer digits.
fn result_shape(function: &str, args: &[Expr]) -> Option<SqlType> {
    match (function, args) {
        ("date_part", [Expr::Literal(Scalar::Text(field)), _]) => {
            const FRACTIONAL: [&str; 6] = [
                "epoch",
                "second",
                "seconds",
                "julian",
                "millisecond",
                "milliseconds",
            ];
            let whole = !FRACTIONAL.contains(&field.to_ascii_lowercase().as_str());
            whole.then_some(SqlType::Int64)
        }
        ("round" | "trunc", [value, rest @ ..]) => {
            let SqlType::Decimal { precision, scale } = value.ty() else {
                return None;
            };
            let digits = match rest {
                [] => 0,
                [Expr::Literal(Scalar::Int32(digits))] => i64::from(*digits),
                [Expr::Literal(Scalar::Int64(digits))] => *digits,
                _ => return None,
            };
            let kept = u8::try_from(digits.clamp(0, i64::from(scale))).ok()?;
            // One more whole digit, for what is rounded up.
            let whole = (precision - scale).saturating_add(1);
            let precision = whole.saturating_add(kept);
            (precision <= SqlType::DECIMAL128_PRECISION).then_some(SqlType::Decimal {
                precision,
                scale: kept,
            })
        }
        _ => None,
    }
}
