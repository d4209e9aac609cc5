//! Constants, small and often equal, so that joins find partners and sets overlap.

use super::{Generator, Ty};

const INTEGERS: &[&str] = &[
    "0", "1", "2", "3", "(-1)", "5", "7", "10", "(-3)", "12", "100",
];
const LARGE: &[&str] = &[
    "9223372036854775807",
    "(-9223372036854775807)",
    "4294967296",
    "2147483648",
    "(-2147483649)",
];
const REALS: &[&str] = &[
    "0.5", "1.0", "0.0", "2.5", "(-1.5)", "2.0", "0.25", "10.75", "(-0.5)",
];
/// Reals that equal no integer.
const FRACTIONS: &[&str] = &["0.5", "2.5", "(-1.5)", "0.25", "10.75"];
const TEXTS: &[&str] = &[
    "'a'",
    "''",
    "'b'",
    "'A'",
    "'ab'",
    "'ba'",
    "'1'",
    "'12'",
    "' a'",
    "'B%'",
    "'a_b'",
    "'a '",
    "'AB '",
    "'\u{20ac}'",
];
const BLOBS: &[&str] = &["x''", "x'00'", "x'61'", "x'ff10'"];
const DATES: &[&str] = &[
    "DATE '2024-01-31'",
    "DATE '2024-02-29'",
    "DATE '1999-12-31'",
    "DATE '2000-01-01'",
    "DATE '1969-07-20'",
];
const DECIMALS: &[&str] = &["0.50", "1.25", "(-1.25)", "10.00", "0.01", "99.99"];

impl Generator<'_> {
    /// A constant of a type; NULL now and then.
    pub(super) fn literal(&mut self, ty: Ty) -> String {
        if self.choices.one_in(10) {
            return self.null(ty);
        }
        self.value(ty)
    }

    /// NULL as a constant: with a type where the dialect wants to know it.
    fn null(&self, ty: Ty) -> String {
        if self.is_sqlite() {
            return "NULL".to_owned();
        }
        format!("CAST(NULL AS {})", self.type_name(ty))
    }

    /// A constant of a type that is not NULL.
    pub(super) fn value(&mut self, ty: Ty) -> String {
        let words = match ty {
            Ty::Integer if self.is_sqlite() && self.choices.one_in(60) => LARGE,
            Ty::Integer => INTEGERS,
            Ty::Real | Ty::Average => REALS,
            Ty::Text => TEXTS,
            Ty::Any => match self.choices.weighted(&[4, 3, 3, 1]) {
                0 => INTEGERS,
                1 => FRACTIONS,
                2 => TEXTS,
                _ => BLOBS,
            },
            Ty::Boolean => &["true", "false"],
            Ty::Date => DATES,
            Ty::Decimal => DECIMALS,
        };
        let word = self.choices.word(words);
        match ty {
            Ty::Decimal => format!("CAST({word} AS DECIMAL(12, 2))"),
            Ty::Real | Ty::Average if !self.is_sqlite() => format!("CAST({word} AS DOUBLE)"),
            _ => word.to_owned(),
        }
    }

    /// A type's name in CREATE TABLE and CAST.
    pub(super) fn type_name(&self, ty: Ty) -> &'static str {
        match ty {
            Ty::Integer if self.is_sqlite() => "INTEGER",
            Ty::Integer => "BIGINT",
            Ty::Real | Ty::Average if self.is_sqlite() => "REAL",
            Ty::Real | Ty::Average => "DOUBLE",
            Ty::Text => "TEXT",
            Ty::Any => "",
            Ty::Boolean => "BOOLEAN",
            Ty::Date => "DATE",
            Ty::Decimal => "DECIMAL(12, 2)",
        }
    }

    /// A type for a column or an expression.
    pub(super) fn ty(&mut self) -> Ty {
        if self.is_sqlite() {
            const TYPES: [Ty; 4] = [Ty::Integer, Ty::Text, Ty::Real, Ty::Any];
            let place = self.choices.weighted(&[8, 5, 4, 2]);
            return TYPES.get(place).copied().unwrap_or(Ty::Integer);
        }
        const TYPES: [Ty; 6] = [
            Ty::Integer,
            Ty::Text,
            Ty::Real,
            Ty::Boolean,
            Ty::Date,
            Ty::Decimal,
        ];
        let place = self.choices.weighted(&[6, 4, 3, 2, 2, 2]);
        TYPES.get(place).copied().unwrap_or(Ty::Integer)
    }
}
