//! Parameters of prepared statements.

use super::Binder;
use llkv_expr::Expr;
use llkv_result::{BindError, Result};
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::ValueWithSpan;

/// Parameters that one statement may have.
const MAX_PARAMETERS: usize = 65_535;

/// What the binder does with a parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ParameterMode<'a> {
    /// There are none: a statement that is run at once.
    None,
    /// They stay, with the types that their places ask for.
    Prepare,
    /// They are replaced by these values.
    Values(&'a [Scalar]),
}

/// Parameters met in a statement.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    mode: ParameterMode<'a>,
    /// Types, `Null` where nothing asked for one.
    types: Vec<SqlType>,
    /// Names of `:name` parameters, by index.
    names: Vec<Option<String>>,
    /// One was met by its number; `?` has one, too.
    has_numbers: bool,
    /// One stands where only a value can be planned: LIMIT.
    pub(crate) needs_values: bool,
}

impl<'a> Parameters<'a> {
    pub(super) const fn new(mode: ParameterMode<'a>) -> Self {
        Self {
            mode,
            types: Vec::new(),
            names: Vec::new(),
            has_numbers: false,
            needs_values: false,
        }
    }

    pub(super) const fn mode(&self) -> ParameterMode<'a> {
        self.mode
    }

    /// Their types; TEXT where nothing asked for one.
    pub(crate) fn types(&self) -> Vec<SqlType> {
        self.types
            .iter()
            .map(|ty| match ty {
                SqlType::Null => SqlType::Text,
                ty => *ty,
            })
            .collect()
    }

    /// True where nothing asked for a type of some parameter: it takes that of its value.
    pub(crate) fn has_open_types(&self) -> bool {
        self.types.contains(&SqlType::Null)
    }

    /// The first place that asks for a type decides.
    pub(super) fn infer(&mut self, index: usize, ty: SqlType) {
        if let Some(known @ SqlType::Null) = self.types.get_mut(index) {
            *known = ty;
        }
    }

    fn reserve(&mut self, index: usize) {
        if self.types.len() <= index {
            self.types.resize(index + 1, SqlType::Null);
            self.names.resize(index + 1, None);
        }
    }

    fn is_mixed(&self) -> bool {
        self.has_numbers && self.names.iter().any(Option::is_some)
    }

    fn named(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|n| n.as_deref() == Some(name));
        known.unwrap_or_else(|| {
            let index = self.types.len();
            self.reserve(index);
            if let Some(slot) = self.names.get_mut(index) {
                *slot = Some(name.to_owned());
            }
            index
        })
    }
}

impl Binder<'_> {
    /// `?`, `?1`, `$1`, `:name`
    pub(super) fn bind_parameter(&mut self, name: &str, node: &ValueWithSpan) -> Result<Expr> {
        if self.trigger_row.is_some() {
            return self.invalid("a trigger takes no parameters", node);
        }
        let index = match name.strip_prefix(['?', '$', ':', '@']) {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                match digits.parse::<usize>() {
                    Ok(number) if (1..=MAX_PARAMETERS).contains(&number) => {
                        self.parameters.has_numbers = true;
                        number - 1
                    }
                    _ => {
                        return self.invalid(
                            format!("parameters are numbered 1 to {MAX_PARAMETERS}"),
                            node,
                        );
                    }
                }
            }
            Some(name) => self.parameters.named(name),
            None => return self.invalid(format!("\"{name}\" is not a parameter"), node),
        };
        if self.parameters.is_mixed() {
            return self.invalid("parameters are either named or numbered, not both", node);
        }
        if index >= MAX_PARAMETERS {
            return Err(super::too_complex(
                "the number of parameters",
                MAX_PARAMETERS,
            ));
        }
        self.parameters.reserve(index);
        match self.parameters.mode {
            ParameterMode::Prepare => Ok(Expr::Parameter {
                index,
                ty: SqlType::Null,
            }),
            ParameterMode::Values(values) => match values.get(index) {
                Some(value) => Ok(Expr::Literal(value.clone())),
                None => Err(BindError::ParameterCount {
                    expected: index + 1,
                    given: values.len(),
                }
                .into()),
            },
            ParameterMode::None => Err(BindError::ParameterCount {
                expected: index + 1,
                given: 0,
            }
            .into()),
        }
    }
}
