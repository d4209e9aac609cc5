//! TPC-H tables as sources of batches, generated while they are read.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use indicatif::ProgressBar;
use llkv::Result;
use llkv::plan::{BatchIterator, ExternalSource};
use std::fmt;
use std::sync::Arc;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

/// Batches of one part of a table: scale, part (from 1), parts, rows of a batch.
type Generate = fn(f64, i32, i32, usize) -> Box<dyn Iterator<Item = Batch> + Send>;
type Batch = std::result::Result<RecordBatch, ArrowError>;

/// A table of the benchmark.
pub(crate) struct TpchTable {
    pub(crate) name: &'static str,
    pub(crate) create: &'static str,
    pub(crate) estimated_rows: fn(f64) -> u64,
    schema: fn() -> SchemaRef,
    generate: Generate,
    /// Small tables are not worth cutting; the generator gives these whole for every part.
    divisible: bool,
}

macro_rules! generator {
    ($arrow:ident, $generator:ident) => {
        |scale, part, parts, rows| {
            Box::new($arrow::new($generator::new(scale, part, parts)).with_batch_size(rows))
        }
    };
}

/// In the order in which they are filled.
pub(crate) const TABLES: &[TpchTable] = &[
    TpchTable {
        name: "region",
        create: "CREATE TABLE region (r_regionkey BIGINT NOT NULL, r_name VARCHAR NOT NULL,
            r_comment VARCHAR NOT NULL)",
        estimated_rows: |_| 5,
        schema: RegionArrow::schema_ref,
        generate: generator!(RegionArrow, RegionGenerator),
        divisible: false,
    },
    TpchTable {
        name: "nation",
        create: "CREATE TABLE nation (n_nationkey BIGINT NOT NULL, n_name VARCHAR NOT NULL,
            n_regionkey BIGINT NOT NULL, n_comment VARCHAR NOT NULL)",
        estimated_rows: |_| 25,
        schema: NationArrow::schema_ref,
        generate: generator!(NationArrow, NationGenerator),
        divisible: false,
    },
    TpchTable {
        name: "supplier",
        create: "CREATE TABLE supplier (s_suppkey BIGINT NOT NULL, s_name VARCHAR NOT NULL,
            s_address VARCHAR NOT NULL, s_nationkey BIGINT NOT NULL, s_phone VARCHAR NOT NULL,
            s_acctbal DECIMAL(15,2) NOT NULL, s_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 10_000.0) as u64,
        schema: SupplierArrow::schema_ref,
        generate: generator!(SupplierArrow, SupplierGenerator),
        divisible: true,
    },
    TpchTable {
        name: "customer",
        create: "CREATE TABLE customer (c_custkey BIGINT NOT NULL, c_name VARCHAR NOT NULL,
            c_address VARCHAR NOT NULL, c_nationkey BIGINT NOT NULL, c_phone VARCHAR NOT NULL,
            c_acctbal DECIMAL(15,2) NOT NULL, c_mktsegment VARCHAR NOT NULL, c_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 150_000.0) as u64,
        schema: CustomerArrow::schema_ref,
        generate: generator!(CustomerArrow, CustomerGenerator),
        divisible: true,
    },
    TpchTable {
        name: "part",
        create: "CREATE TABLE part (p_partkey BIGINT NOT NULL, p_name VARCHAR NOT NULL,
            p_mfgr VARCHAR NOT NULL, p_brand VARCHAR NOT NULL, p_type VARCHAR NOT NULL,
            p_size INTEGER NOT NULL, p_container VARCHAR NOT NULL,
            p_retailprice DECIMAL(15,2) NOT NULL, p_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 200_000.0) as u64,
        schema: PartArrow::schema_ref,
        generate: generator!(PartArrow, PartGenerator),
        divisible: true,
    },
    TpchTable {
        name: "partsupp",
        create: "CREATE TABLE partsupp (ps_partkey BIGINT NOT NULL, ps_suppkey BIGINT NOT NULL,
            ps_availqty INTEGER NOT NULL, ps_supplycost DECIMAL(15,2) NOT NULL,
            ps_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 800_000.0) as u64,
        schema: PartSuppArrow::schema_ref,
        generate: generator!(PartSuppArrow, PartSuppGenerator),
        divisible: true,
    },
    TpchTable {
        name: "orders",
        create: "CREATE TABLE orders (o_orderkey BIGINT NOT NULL, o_custkey BIGINT NOT NULL,
            o_orderstatus VARCHAR NOT NULL, o_totalprice DECIMAL(15,2) NOT NULL,
            o_orderdate DATE NOT NULL, o_orderpriority VARCHAR NOT NULL, o_clerk VARCHAR NOT NULL,
            o_shippriority INTEGER NOT NULL, o_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 1_500_000.0) as u64,
        schema: OrderArrow::schema_ref,
        generate: generator!(OrderArrow, OrderGenerator),
        divisible: true,
    },
    TpchTable {
        name: "lineitem",
        create: "CREATE TABLE lineitem (l_orderkey BIGINT NOT NULL, l_partkey BIGINT NOT NULL,
            l_suppkey BIGINT NOT NULL, l_linenumber INTEGER NOT NULL,
            l_quantity DECIMAL(15,2) NOT NULL, l_extendedprice DECIMAL(15,2) NOT NULL,
            l_discount DECIMAL(15,2) NOT NULL, l_tax DECIMAL(15,2) NOT NULL,
            l_returnflag VARCHAR NOT NULL, l_linestatus VARCHAR NOT NULL,
            l_shipdate DATE NOT NULL, l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL,
            l_shipinstruct VARCHAR NOT NULL, l_shipmode VARCHAR NOT NULL, l_comment VARCHAR NOT NULL)",
        estimated_rows: |scale| (scale * 6_001_215.0) as u64,
        schema: LineItemArrow::schema_ref,
        generate: generator!(LineItemArrow, LineItemGenerator),
        divisible: true,
    },
];

/// A table at a scale, read part by part; each batch moves the progress bar.
pub(crate) struct TpchSource {
    table: &'static TpchTable,
    scale: f64,
    parts: usize,
    schema: SchemaRef,
    bar: ProgressBar,
}

impl TpchSource {
    /// Rows of a part: a few row groups, so that parts keep all cores busy.
    const PART_ROWS: u64 = 2 * llkv::types::ROW_GROUP_ROWS as u64;

    pub(crate) fn new(table: &'static TpchTable, scale: f64, bar: ProgressBar) -> Self {
        let wanted = (table.estimated_rows)(scale)
            .div_ceil(Self::PART_ROWS)
            .max(1) as usize;
        let parts = if table.divisible { wanted } else { 1 };
        Self {
            table,
            scale,
            parts,
            schema: stored_schema(&(table.schema)()),
            bar,
        }
    }
}

impl fmt::Debug for TpchSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TpchSource({}, scale {})", self.table.name, self.scale)
    }
}

/// The generator's schema with decimals in the width in which they are stored.
fn stored_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), stored_type(f.data_type()), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn stored_type(data_type: &DataType) -> DataType {
    match llkv::SqlType::from_arrow(data_type) {
        Some(ty) => ty.to_arrow(),
        None => data_type.clone(),
    }
}

impl ExternalSource for TpchSource {
    fn name(&self) -> String {
        format!("tpch {}", self.table.name)
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn estimated_rows(&self) -> Option<u64> {
        Some((self.table.estimated_rows)(self.scale))
    }

    fn partitions(&self) -> usize {
        self.parts
    }

    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        let (part, parts) = (partition as i32 + 1, self.parts as i32);
        let batches = (self.table.generate)(self.scale, part, parts, batch_rows);
        let schema = Arc::new(self.schema.project(projection)?);
        let projection = projection.to_vec();
        let bar = self.bar.clone();
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch?.project(&projection)?;
            bar.inc(batch.num_rows() as u64);
            let columns = batch.columns().iter().zip(schema.fields());
            let columns: Vec<ArrayRef> = columns
                .map(|(c, f)| cast(c, f.data_type()))
                .collect::<Result<_, _>>()?;
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        })))
    }
}
