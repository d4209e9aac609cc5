//! A column of SQLite's dialect that a value of another type should go into: it becomes one whose values carry
//! their type, as all are in SQLite, and keeps its affinity.

use super::Binder;
use super::alter::unaltered;
use llkv_plan::{AlterAction, PlanStatement, TableInfo, TableRef};
use llkv_result::Result;
use llkv_types::SqlType;

impl Binder<'_> {
    /// The change of the table that lets a column take all values; `None` where it has to stay as it is.
    pub(crate) fn bind_widening(
        &mut self,
        table: &str,
        column: &str,
    ) -> Result<Option<PlanStatement>> {
        let name = TableRef {
            schema: None,
            name: table.to_owned(),
        };
        let Some(info) = self.catalog.table(&name)? else {
            return Ok(None);
        };
        let position = info.columns.iter().position(|c| *c.name == *column);
        let Some(position) = position.filter(|at| self.can_widen(&info, *at)) else {
            return Ok(None);
        };
        let mut after = info.as_ref().clone();
        let Some(widened) = after.columns.get_mut(position) else {
            return Ok(None);
        };
        let declared = Some(match widened.ty {
            SqlType::Float64 => super::variants::REAL,
            SqlType::Text => super::variants::TEXT,
            SqlType::Blob => super::variants::BLOB,
            _ => "INTEGER",
        });
        let declared = declared.map(str::to_owned);
        widened.ty = SqlType::Variant;
        widened.declared.clone_from(&declared);
        let field = widened.field;
        let mut out = unaltered(&info);
        self.convert(&after, &info, position, None, &mut out)?;
        out.action = AlterAction::SetType {
            field,
            ty: SqlType::Variant,
            declared,
        };
        Ok(Some(PlanStatement::AlterTable(Box::new(out))))
    }

    /// A key that numbers the rows holds integers alone, in SQLite too. Both sides of a foreign key are of one type, and
    /// other dialects count on the types of their tables.
    fn can_widen(&self, info: &TableInfo, position: usize) -> bool {
        let Some(column) = info.columns.get(position) else {
            return false;
        };
        let at = position as u32;
        let refers = self.catalog.foreign_keys(info.id);
        let mut referring = self.catalog.referring(info.id).into_iter();
        let is_referred = referring.any(|child| {
            let keys = self.catalog.foreign_keys(child.id);
            let mut to_this = keys.iter().filter(|key| key.parent == Some(info.id));
            to_this.any(|key| key.parent_columns.contains(&at))
        });
        info.dialect == self.dialect.name()
            && self.dialect.values_carry_types()
            && column.generated.is_none()
            && self.row_id_position(info) != Some(position)
            && !refers.iter().any(|key| key.columns.contains(&at))
            && !is_referred
            && matches!(
                column.ty,
                SqlType::Int64 | SqlType::Float64 | SqlType::Text | SqlType::Blob
            )
    }
}
