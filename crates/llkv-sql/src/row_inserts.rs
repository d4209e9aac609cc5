//! INSERTs of one row each that differ in their literals alone, as scripts and dumps have thousands of them: bound once.

use crate::binder::BoundStatement;
use crate::null_order::Reading;
use crate::prepared::Prepared;
use crate::session::SessionState;
use crate::substitute::Places;
use crate::text::GivenRow;
use arrow::array::RecordBatch;
use llkv_plan::{LogicalPlan, PlanStatement};
use llkv_result::{Result, StatementResult};
use llkv_runtime::{PreparedPlan, SessionCatalog};

/// Beginnings of statements that a session knows: scripts that fill several tables in turn have a few.
const MOST_KNOWN: usize = 8;

/// What a session knows of such statements.
#[derive(Debug, Default)]
pub(crate) struct RowInserts {
    /// The beginning of the last one that was bound by itself.
    last: String,
    /// Those that came more than once, the last one used first.
    known: Vec<RowInsert>,
}

/// Statements with one beginning.
#[derive(Debug)]
struct RowInsert {
    /// `INSERT INTO t VALUES `
    head: String,
    /// Values of a row.
    width: usize,
    reading: Reading,
    /// How a row is inserted; `None` where that is not all they do.
    plan: Option<(Places, PreparedPlan)>,
}

impl SessionState {
    /// Runs an INSERT as one like it was run before; `None` for other statements, and where it has to be bound itself.
    ///
    /// # Errors
    /// When the row violates a constraint.
    pub(crate) fn insert_like_before(
        &mut self,
        statement: &str,
    ) -> Result<Option<StatementResult>> {
        let reading = self.reading();
        let is_alike =
            |known: &RowInsert| known.reading == reading && statement.starts_with(&known.head);
        let Some(at) = self.row_inserts.known.iter().position(is_alike) else {
            return Ok(None);
        };
        let known = self.row_inserts.known.remove(at);
        let result = match &known.plan {
            None => Ok(None),
            Some((_, plan)) if !self.runtime.is_current(plan)? => return Ok(None),
            Some((places, plan)) => {
                let row = statement.get(known.head.len()..).unwrap_or_default();
                let values = GivenRow::values(row, reading.dialect);
                let values = values.filter(|values| values.len() == known.width);
                match values
                    .as_ref()
                    .and_then(|values| places.exact_values(values))
                {
                    Some(values) => {
                        self.on_large_stack(|state| state.runtime.execute_prepared(plan, &values))
                    }
                    None => Ok(None),
                }
            }
        };
        self.row_inserts.known.insert(0, known);
        result
    }

    /// Takes note of a statement that was bound by itself, to run others like it without.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn note_insert(
        &mut self,
        statement: &str,
        bound: &BoundStatement,
        catalog: &SessionCatalog,
    ) -> Result<()> {
        let reading = self.reading();
        let given = match bound {
            BoundStatement::Plan(plan) if inserts_one_row(plan) => {
                GivenRow::of(statement, reading.dialect)
            }
            _ => None,
        };
        let Some(given) = given else {
            return Ok(());
        };
        let inserts = &mut self.row_inserts;
        if inserts.last != given.head {
            given.head.clone_into(&mut inserts.last);
            return Ok(());
        }
        let is_known = |known: &RowInsert| known.reading == reading && known.head == given.head;
        if inserts.known.iter().any(is_known) {
            return Ok(());
        }
        let places = vec!["?"; given.values.len()].join(", ");
        let text = format!("{}({places})", given.head);
        // What cannot be prepared is bound each time.
        let prepared = Prepared::new(&text, reading, catalog).ok();
        let plan = match prepared.and_then(Prepared::into_template) {
            Some((statement, places)) => {
                let plan = self.runtime.prepare_row(statement, catalog)?;
                plan.map(|plan| (places, plan))
            }
            None => None,
        };
        let known = &mut self.row_inserts.known;
        known.truncate(MOST_KNOWN - 1);
        let insert = RowInsert {
            head: given.head.to_owned(),
            width: given.values.len(),
            reading,
            plan,
        };
        known.insert(0, insert);
        Ok(())
    }
}

fn inserts_one_row(statement: &PlanStatement) -> bool {
    let PlanStatement::Insert(insert) = statement else {
        return false;
    };
    let mut plan = &insert.source;
    while let LogicalPlan::Project(project) = plan {
        plan = &project.input;
    }
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    matches!(plan, LogicalPlan::Values(values) if rows(&values.batches) == 1)
}
