//! Type names.

use super::Binder;
use crate::dialect::SqlDialect;
use llkv_result::{BindError, ObjectKind, Result, Span};
use llkv_types::SqlType;
use sqlparser::ast::{DataType, ExactNumberInfo, TimezoneInfo};

/// DECIMAL without digits: as in DuckDB, since a column needs a scale.
const DEFAULT_DECIMAL: SqlType = SqlType::Decimal {
    precision: 18,
    scale: 3,
};

/// The widest integer.
const HUGE_INTEGER: SqlType = SqlType::Decimal {
    precision: SqlType::DECIMAL128_PRECISION,
    scale: 0,
};

impl Binder<'_> {
    /// The type that a type name means in the dialect.
    pub(super) fn bind_type(
        &self,
        ty: &DataType,
        node: &impl super::place::Place,
    ) -> Result<SqlType> {
        match self.dialect {
            SqlDialect::Sqlite => Ok(sqlite_type(ty)),
            SqlDialect::DuckDb if *ty == DataType::Float(ExactNumberInfo::None) => {
                Ok(SqlType::Float32)
            }
            SqlDialect::Llkv | SqlDialect::DuckDb => sql_type(ty, self.span(node)),
        }
    }
}

fn sql_type(ty: &DataType, span: Option<Span>) -> Result<SqlType> {
    use DataType as D;
    Ok(match ty {
        D::Bool | D::Boolean => SqlType::Boolean,
        D::TinyInt(_) => SqlType::Int8,
        D::SmallInt(_) | D::Int2(_) | D::Int16 => SqlType::Int16,
        D::Int(_) | D::Integer(_) | D::Int4(_) | D::Int32 | D::MediumInt(_) => SqlType::Int32,
        D::Signed | D::SignedInteger => SqlType::Int32,
        D::BigInt(_) | D::Int8(_) | D::Int64 => SqlType::Int64,
        D::UTinyInt | D::TinyIntUnsigned(_) | D::UInt8 => SqlType::UInt8,
        D::USmallInt | D::SmallIntUnsigned(_) | D::Int2Unsigned(_) | D::UInt16 => SqlType::UInt16,
        D::IntUnsigned(_)
        | D::IntegerUnsigned(_)
        | D::Int4Unsigned(_)
        | D::MediumIntUnsigned(_)
        | D::Unsigned
        | D::UnsignedInteger
        | D::UInt32 => SqlType::UInt32,
        D::UBigInt | D::BigIntUnsigned(_) | D::Int8Unsigned(_) | D::UInt64 => SqlType::UInt64,
        D::HugeInt | D::Int128 => HUGE_INTEGER,
        D::Real | D::Float4 | D::Float32 => SqlType::Float32,
        D::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => SqlType::Float32,
        D::Float(_) | D::Double(_) | D::DoublePrecision | D::Float8 | D::Float64 => {
            SqlType::Float64
        }
        D::Numeric(digits) | D::Decimal(digits) | D::Dec(digits) => decimal(digits, span)?,
        D::Text
        | D::TinyText
        | D::MediumText
        | D::LongText
        | D::String(_)
        | D::Varchar(_)
        | D::Nvarchar(_)
        | D::Char(_)
        | D::Character(_)
        | D::CharVarying(_)
        | D::CharacterVarying(_)
        | D::CharacterLargeObject(_)
        | D::CharLargeObject(_)
        | D::Clob(_) => SqlType::Text,
        D::Blob(_)
        | D::TinyBlob
        | D::MediumBlob
        | D::LongBlob
        | D::Bytea
        | D::Bytes(_)
        | D::Binary(_)
        | D::Varbinary(_) => SqlType::Blob,
        D::Date | D::Date32 => SqlType::Date,
        D::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Time,
        D::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | D::TimestampNtz(_)
        | D::Datetime(_) => SqlType::Timestamp,
        D::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => SqlType::TimestampTz,
        D::Interval { .. } => SqlType::Interval,
        D::Custom(name, arguments) => custom(&name.to_string(), arguments, span)?,
        other => {
            return Err(BindError::Unsupported {
                feature: format!("the type {other}"),
                span,
            }
            .into());
        }
    })
}

/// Names that the parser does not know as types.
fn custom(name: &str, arguments: &[String], span: Option<Span>) -> Result<SqlType> {
    let lower = name.trim_matches('"').to_ascii_lowercase();
    Ok(match (lower.as_str(), arguments) {
        ("int1", []) => SqlType::Int8,
        ("short", []) => SqlType::Int16,
        ("long", []) => SqlType::Int64,
        ("hugeint", []) => HUGE_INTEGER,
        ("uinteger", []) => SqlType::UInt32,
        ("utinyint", []) => SqlType::UInt8,
        ("usmallint", []) => SqlType::UInt16,
        ("ubigint", []) => SqlType::UInt64,
        ("logical", []) => SqlType::Boolean,
        ("bpchar" | "name", _) => SqlType::Text,
        ("timestamptz", []) => SqlType::TimestampTz,
        ("timestamp_us", []) => SqlType::Timestamp,
        _ => {
            return Err(BindError::NotFound {
                kind: ObjectKind::Type,
                name: name.to_owned(),
                hint: super::names::nearest(name, TYPE_NAMES.into_iter()),
                span,
            }
            .into());
        }
    })
}

const TYPE_NAMES: [&str; 20] = [
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "real",
    "double",
    "decimal",
    "varchar",
    "text",
    "blob",
    "date",
    "time",
    "timestamp",
    "interval",
];

fn decimal(digits: &ExactNumberInfo, span: Option<Span>) -> Result<SqlType> {
    let (precision, scale) = match *digits {
        ExactNumberInfo::None => return Ok(DEFAULT_DECIMAL),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision), Ok(scale))
            if (1..=SqlType::DECIMAL128_PRECISION).contains(&precision) && scale <= precision =>
        {
            Ok(SqlType::Decimal { precision, scale })
        }
        _ => Err(BindError::Invalid {
            message: format!(
                "DECIMAL({precision},{scale}): precision is 1 to 38, scale 0 to the precision"
            ),
            span,
        }
        .into()),
    }
}

/// SQLite goes by parts of the name (its "affinity"), so any name is a type.
fn sqlite_type(ty: &DataType) -> SqlType {
    sqlite_affinity(ty).unwrap_or(SqlType::Float64)
}

/// None for names of numbers that are integers or reals.
fn sqlite_affinity(ty: &DataType) -> Option<SqlType> {
    match ty {
        DataType::Unspecified => return Some(SqlType::Variant),
        // What most are, told without their names.
        DataType::Integer(None) => return Some(SqlType::Int64),
        DataType::Real => return Some(SqlType::Float64),
        DataType::Text => return Some(SqlType::Text),
        _ => {}
    }
    let name = ty.to_string().to_ascii_uppercase();
    let has = |part: &str| name.contains(part);
    if has("INTERVAL") {
        Some(SqlType::Interval)
    } else if has("INT") {
        Some(SqlType::Int64)
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Some(SqlType::Text)
    } else if has("BLOB") {
        Some(SqlType::Blob)
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Some(SqlType::Float64)
    } else if has("BOOL") {
        Some(SqlType::Int64)
    } else if has("DATE") || has("TIME") {
        Some(SqlType::Text)
    } else {
        None
    }
}

/// True for the type that in SQLite holds integers and reals, and as a column's texts that are neither: one whose name says nothing
/// else.
pub(super) fn has_numeric_affinity(ty: &DataType) -> bool {
    sqlite_affinity(ty).is_none()
}
