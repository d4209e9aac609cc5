//! Rows that come one by one, gathered column by column until there is a batch of them.

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryViewBuilder, BooleanBuilder, GenericByteViewBuilder,
    NullBufferBuilder, PrimitiveArray, RecordBatch, StringViewBuilder,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, ByteViewType, DataType, Date32Type, Decimal64Type, Decimal128Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    SchemaRef, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use llkv_result::{Error, Result};
use llkv_types::{BATCH_ROWS, Scalar, SqlType};
use std::sync::Arc;

/// Rows on their way into a batch.
#[derive(Debug)]
pub(crate) struct RowBuffer {
    columns: Vec<Values>,
    rows: usize,
}

/// The values of a column of one width. Most of the time there is one: what a builder of Arrow does to finish costs as much
/// as all else that becomes of such a row.
#[derive(Debug)]
struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
    data_type: DataType,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn new(data_type: DataType) -> Self {
        Self {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
            data_type,
        }
    }

    fn append_value(&mut self, value: T::Native) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    fn append_null(&mut self) {
        self.values.push(T::Native::default());
        self.nulls.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        let array = PrimitiveArray::<T>::new(values, self.nulls.finish());
        Arc::new(array.with_data_type(self.data_type.clone()))
    }
}

/// Ends a column of texts or blobs. A builder that goes on doubles the blocks that it allocates, up to two megabytes, whatever
/// the next batch needs of them.
fn finish_views<T: ByteViewType + ?Sized>(values: &mut GenericByteViewBuilder<T>) -> ArrayRef {
    let next = GenericByteViewBuilder::with_capacity(0);
    Arc::new(std::mem::replace(values, next).finish())
}

/// Makes the enum of builders, how one begins, takes a value, and ends.
macro_rules! values {
    ($($Variant:ident: $Arrow:ty = $($Scalar:ident)|*;)+) => {
        /// The values of one column.
        #[derive(Debug)]
        enum Values {
            Boolean(BooleanBuilder),
            // Boxed: these builders are larger than a row of numbers is.
            Text(Box<StringViewBuilder>),
            Blob(Box<BinaryViewBuilder>),
            $($Variant(Numbers<$Arrow>),)+
        }

        impl Values {
            /// Takes a value; false for one of another type.
            fn push(&mut self, value: &Scalar) -> bool {
                match (self, value) {
                    (Self::Boolean(values), Scalar::Boolean(value)) => values.append_value(*value),
                    (Self::Text(values), Scalar::Text(value)) => values.append_value(value),
                    (Self::Blob(values), Scalar::Blob(value)) => values.append_value(value),
                    (Self::Boolean(values), Scalar::Null(_)) => values.append_null(),
                    (Self::Text(values), Scalar::Null(_)) => values.append_null(),
                    (Self::Blob(values), Scalar::Null(_)) => values.append_null(),
                    $($((Self::$Variant(values), Scalar::$Scalar(value)) => values.append_value(*value),)*
                    (Self::$Variant(values), Scalar::Null(_)) => values.append_null(),)+
                    (Self::Decimal64(values), Scalar::Decimal { value, .. }) => {
                        match i64::try_from(*value) {
                            Ok(value) => values.append_value(value),
                            Err(_) => return false,
                        }
                    }
                    (Self::Decimal128(values), Scalar::Decimal { value, .. }) => {
                        values.append_value(*value);
                    }
                    _ => return false,
                }
                true
            }

            fn finish(&mut self) -> ArrayRef {
                match self {
                    Self::Boolean(values) => ArrayBuilder::finish(values),
                    Self::Text(values) => finish_views(values.as_mut()),
                    Self::Blob(values) => finish_views(values.as_mut()),
                    $(Self::$Variant(values) => values.finish(),)+
                }
            }
        }
    };
}

values! {
    Int8: Int8Type = Int8;
    Int16: Int16Type = Int16;
    Int32: Int32Type = Int32;
    Int64: Int64Type = Int64;
    UInt8: UInt8Type = UInt8;
    UInt16: UInt16Type = UInt16;
    UInt32: UInt32Type = UInt32;
    UInt64: UInt64Type = UInt64;
    Float32: Float32Type = Float32;
    Float64: Float64Type = Float64;
    Date: Date32Type = Date;
    Time: Time64MicrosecondType = Time;
    Timestamp: TimestampMicrosecondType = Timestamp | TimestampTz;
    Interval: IntervalMonthDayNanoType = Interval;
    Decimal64: Decimal64Type = ;
    Decimal128: Decimal128Type = ;
}

impl Values {
    /// An empty column; `None` for a type whose values do not come one by one.
    fn new(ty: SqlType) -> Option<Self> {
        macro_rules! of {
            ($Variant:ident) => {
                Self::$Variant(Numbers::new(ty.to_arrow()))
            };
        }
        Some(match ty {
            SqlType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(0)),
            SqlType::Text => Self::Text(Box::new(StringViewBuilder::with_capacity(0))),
            SqlType::Blob => Self::Blob(Box::new(BinaryViewBuilder::with_capacity(0))),
            SqlType::Int8 => of!(Int8),
            SqlType::Int16 => of!(Int16),
            SqlType::Int32 => of!(Int32),
            SqlType::Int64 => of!(Int64),
            SqlType::UInt8 => of!(UInt8),
            SqlType::UInt16 => of!(UInt16),
            SqlType::UInt32 => of!(UInt32),
            SqlType::UInt64 => of!(UInt64),
            SqlType::Float32 => of!(Float32),
            SqlType::Float64 => of!(Float64),
            SqlType::Date => of!(Date),
            SqlType::Time => of!(Time),
            SqlType::Timestamp | SqlType::TimestampTz => of!(Timestamp),
            SqlType::Interval => of!(Interval),
            SqlType::Decimal { precision, .. } if precision <= SqlType::DECIMAL64_PRECISION => {
                of!(Decimal64)
            }
            SqlType::Decimal { .. } => of!(Decimal128),
            _ => return None,
        })
    }
}

impl RowBuffer {
    /// An empty buffer for columns of these types; `None` where values of one do not come one by one.
    pub(crate) fn new(types: impl ExactSizeIterator<Item = SqlType>) -> Option<Self> {
        let mut columns = Vec::with_capacity(types.len());
        for ty in types {
            columns.push(Values::new(ty)?);
        }
        Some(Self { columns, rows: 0 })
    }

    /// Takes a row, whose values are of the columns' types.
    ///
    /// # Errors
    /// For a value of another type, or another number of values.
    pub(crate) fn push(&mut self, row: &[Scalar]) -> Result<()> {
        let fits = row.len() == self.columns.len();
        let mut pairs = self.columns.iter_mut().zip(row);
        if !fits || !pairs.all(|(column, value)| column.push(value)) {
            return Err(Error::internal("a row that does not fit its table"));
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS
    }

    /// The rows as a batch; the buffer is empty afterwards.
    ///
    /// # Errors
    /// When the schema is not that of the columns.
    pub(crate) fn finish(&mut self, schema: SchemaRef) -> Result<RecordBatch> {
        self.rows = 0;
        let columns = self.columns.iter_mut().map(Values::finish).collect();
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;
    use arrow::datatypes::{Field, Schema};

    #[test]
    fn rows_are_what_they_were() {
        let rows = [
            vec![
                Scalar::Int64(7),
                Scalar::Text("a text of more than twelve bytes".into()),
                Scalar::TimestampTz(-5),
                Scalar::Decimal {
                    value: 1234,
                    precision: 9,
                    scale: 2,
                },
            ],
            vec![
                Scalar::Null(SqlType::Int64),
                Scalar::Null(SqlType::Text),
                Scalar::Null(SqlType::TimestampTz),
                Scalar::Decimal {
                    value: -1,
                    precision: 9,
                    scale: 2,
                },
            ],
        ];
        let types: Vec<SqlType> = rows[0].iter().map(Scalar::sql_type).collect();
        let fields = types.iter().map(|ty| Field::new("c", ty.to_arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut buffer = RowBuffer::new(types.iter().copied()).unwrap();
        for _ in 0..2 {
            rows.iter().for_each(|row| buffer.push(row).unwrap());
            let batch = buffer.finish(Arc::clone(&schema)).unwrap();
            for (at, row) in rows.iter().enumerate() {
                for (column, value) in batch.columns().iter().zip(row) {
                    assert_eq!(Scalar::from_array(column.as_ref(), at).unwrap(), *value);
                    assert_eq!(column.is_null(at), value.is_null());
                }
            }
        }
        assert!(buffer.push(&[Scalar::Int64(1)]).is_err());
        assert!(RowBuffer::new([SqlType::Variant].into_iter()).is_none());
    }
}
