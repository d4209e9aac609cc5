//! Tables as the binder and the optimizer see them, made once per definition and version.

use llkv_column_map::TableVersion;
use llkv_plan::{
    CheckDefinition, ColumnInfo, ColumnStatistics, GeneratedColumn, KeyDefinition, TableInfo,
    TableStatistics,
};
use llkv_table::{Generated, Table};
use llkv_types::{FieldId, RowId, SqlType, TableId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// Entries kept before those of dropped tables are looked for.
const PRUNE_AT: usize = 1_024;

/// What was made of a table's last `S`, while that lives.
type MadeOf<S, T> = Mutex<HashMap<TableId, (Weak<S>, Arc<T>)>>;

/// Descriptions of tables, by the definition that they were made of, and their statistics.
#[derive(Debug, Default)]
pub(crate) struct TableInfoCache {
    infos: MadeOf<Table, TableInfo>,
    statistics: Mutex<HashMap<TableId, Measured>>,
}

/// Statistics of a table, and the version that they were taken of.
#[derive(Debug)]
struct Measured {
    of: Weak<TableVersion>,
    layout: Box<[(FieldId, SqlType)]>,
    next_row_id: RowId,
    statistics: Arc<TableStatistics>,
}

/// Statistics hold until one in so many rows has come or gone: they say how many rows to expect, and to take them of each version
/// that a row has changed took longer than all else of a statement about one.
const KEPT_BELOW: u64 = 16;

impl Measured {
    /// True where the rows of a version are about those that were measured.
    fn is_about(&self, version: &Arc<TableVersion>) -> bool {
        if std::ptr::eq(self.of.as_ptr(), Arc::as_ptr(version)) {
            return true;
        }
        let came = version.next_row_id().checked_sub(self.next_row_id);
        let gone = self.statistics.rows.abs_diff(version.row_count_estimate());
        *self.layout == *version.layout()
            && came.is_some_and(|came| (came + gone) * KEPT_BELOW <= self.statistics.rows)
    }
}

impl TableInfoCache {
    /// The description of a table.
    pub(crate) fn info(&self, table: &Arc<Table>) -> Arc<TableInfo> {
        let mut infos = self.infos.lock();
        if let Some((of, info)) = infos.get(&table.id())
            && std::ptr::eq(of.as_ptr(), Arc::as_ptr(table))
        {
            return Arc::clone(info);
        }
        if infos.len() >= PRUNE_AT {
            infos.retain(|_, (of, _)| of.strong_count() > 0);
        }
        let info = Arc::new(describe(table));
        infos.insert(table.id(), (Arc::downgrade(table), Arc::clone(&info)));
        info
    }

    /// Statistics of a version; but for the number of rows they may be those of one that had about the same.
    pub(crate) fn statistics(&self, version: &Arc<TableVersion>) -> TableStatistics {
        TableStatistics {
            rows: version.row_count_estimate(),
            ..self.measured(version).as_ref().clone()
        }
    }

    fn measured(&self, version: &Arc<TableVersion>) -> Arc<TableStatistics> {
        let mut measured = self.statistics.lock();
        let known = measured.get(&version.table());
        if let Some(known) = known.filter(|known| known.is_about(version)) {
            return Arc::clone(&known.statistics);
        }
        if measured.len() >= PRUNE_AT {
            measured.retain(|_, known| known.of.strong_count() > 0);
        }
        let statistics = Arc::new(measure(version));
        let entry = Measured {
            of: Arc::downgrade(version),
            layout: version.layout().into(),
            next_row_id: version.next_row_id(),
            statistics: Arc::clone(&statistics),
        };
        measured.insert(version.table(), entry);
        statistics
    }
}

fn describe(table: &Table) -> TableInfo {
    let meta = table.meta();
    let columns = meta.columns.iter().map(|column| ColumnInfo {
        field: column.field,
        name: column.name.as_str().into(),
        ty: column.ty,
        nullable: column.nullable,
        default_sql: column.default_sql.clone(),
        generated: column.generated.as_ref().map(|generated| match generated {
            Generated::Expression(sql) => GeneratedColumn::Expression(sql.clone()),
            Generated::Identity { always } => GeneratedColumn::Identity { always: *always },
        }),
        declared: column.declared.clone(),
        collation: column.collation,
    });
    let keys = table.keys().iter().map(|key| KeyDefinition {
        name: key.meta().name.clone(),
        primary: key.meta().primary,
        columns: key.columns().iter().map(|at| *at as u32).collect(),
        collations: key.meta().collations.clone(),
    });
    let checks = meta.checks.iter().map(|check| CheckDefinition {
        name: check.name.clone(),
        sql: check.sql.clone(),
    });
    TableInfo {
        dialect: meta.dialect.clone(),
        id: meta.id,
        name: meta.name.clone(),
        columns: columns.collect(),
        keys: keys.collect(),
        checks: checks.collect(),
    }
}

fn measure(version: &TableVersion) -> TableStatistics {
    let columns = version.layout().iter().filter_map(|(field, _)| {
        let known = version.statistics(*field)?;
        if known.rows == 0 {
            return None;
        }
        Some((
            *field,
            ColumnStatistics {
                min: known.min,
                max: known.max,
                null_count: Some(known.null_count),
                distinct_count: Some(known.distinct_estimate),
            },
        ))
    });
    TableStatistics {
        rows: version.row_count_estimate(),
        columns: columns.collect(),
    }
}
