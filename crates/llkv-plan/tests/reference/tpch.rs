//! A catalog with tables like those of TPC-H at scale 1.

use llkv_plan::{
    CatalogView, ColumnIds, ColumnInfo, ColumnStatistics, ExternalSource, FileOptions, PlanBuilder,
    TableInfo, TableRef, TableStatistics, ViewInfo,
};
use llkv_result::{Error, Result};
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use std::path::Path;
use std::sync::Arc;

/// The catalog.
pub(crate) struct Catalog;

/// Name, type, distinct values, range.
type Column = (&'static str, SqlType, u64, Option<(i32, i32)>);

const DATES: Option<(i32, i32)> = Some((8035, 10591));

const CUSTOMER: &[Column] = &[
    ("c_custkey", SqlType::Int64, 150_000, None),
    ("c_mktsegment", SqlType::Text, 5, None),
];
const ORDERS: &[Column] = &[
    ("o_orderkey", SqlType::Int64, 1_500_000, None),
    ("o_custkey", SqlType::Int64, 100_000, None),
    ("o_orderdate", SqlType::Date, 2_406, DATES),
    ("o_orderpriority", SqlType::Text, 5, None),
    ("o_clerk", SqlType::Int64, 1_000, None),
];
const LINEITEM: &[Column] = &[
    ("l_orderkey", SqlType::Int64, 1_500_000, None),
    ("l_partkey", SqlType::Int64, 200_000, None),
    ("l_quantity", SqlType::Int64, 50, None),
    ("l_extendedprice", SqlType::Int64, 900_000, None),
    ("l_shipdate", SqlType::Date, 2_526, DATES),
    ("l_commitdate", SqlType::Date, 2_466, DATES),
    ("l_receiptdate", SqlType::Date, 2_554, DATES),
];
const PART: &[Column] = &[
    ("p_partkey", SqlType::Int64, 200_000, None),
    ("p_brand", SqlType::Text, 25, None),
];

const TABLES: &[(&str, u64, &[Column])] = &[
    ("customer", 150_000, CUSTOMER),
    ("orders", 1_500_000, ORDERS),
    ("lineitem", 6_000_000, LINEITEM),
    ("part", 200_000, PART),
];

impl Catalog {
    fn find(name: &str) -> Option<TableInfo> {
        let at = TABLES.iter().position(|(table, _, _)| *table == name)?;
        let (name, _, columns) = TABLES.get(at)?;
        Some(TableInfo {
            dialect: "llkv".into(),
            id: TableId(at as u32),
            name: (*name).into(),
            columns: columns
                .iter()
                .enumerate()
                .map(|(i, (name, ty, _, _))| ColumnInfo {
                    field: FieldId(i as u32),
                    name: (*name).into(),
                    ty: *ty,
                    nullable: !name.ends_with("orderkey") && !name.ends_with("custkey"),
                    default_sql: None,
                    generated: None,
                    declared: None,
                    collation: llkv_types::Collation::Binary,
                })
                .collect(),
            keys: Vec::new(),
            checks: Vec::new(),
        })
    }

    /// A scan of all columns of a table.
    pub(crate) fn scan<'a>(ids: &'a ColumnIds, name: &str) -> PlanBuilder<'a> {
        PlanBuilder::scan(ids, &Self::find(name).unwrap())
    }
}

impl CatalogView for Catalog {
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        Ok(Self::find(&name.name).map(Arc::new))
    }
    fn view(&self, _: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        Ok(None)
    }
    fn system_view(&self, _: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        Ok(None)
    }
    fn names(&self) -> Vec<String> {
        TABLES.iter().map(|(name, _, _)| (*name).into()).collect()
    }
    fn open_file(&self, path: &Path, _: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        Err(Error::internal(format!("no file {}", path.display())))
    }
    fn statistics(&self, table: TableId) -> TableStatistics {
        let Some((_, rows, columns)) = TABLES.get(table.0 as usize) else {
            return TableStatistics::default();
        };
        TableStatistics {
            rows: *rows,
            columns: columns
                .iter()
                .enumerate()
                .map(|(i, (_, _, distinct, range))| {
                    let statistics = ColumnStatistics {
                        min: range.map(|(min, _)| Scalar::Date(min)),
                        max: range.map(|(_, max)| Scalar::Date(max)),
                        null_count: Some(0),
                        distinct_count: Some(*distinct),
                    };
                    (FieldId(i as u32), statistics)
                })
                .collect(),
        }
    }
}
