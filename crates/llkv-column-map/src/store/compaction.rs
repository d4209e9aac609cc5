//! Which parts of a table a checkpoint writes anew: a list of runs, and the row groups made of them.

use super::checkpoint::Upkeep;
use super::stage::{GroupWriter, assign_keys};
use crate::column_buffer::ColumnBuffer;
use crate::deletes::Deletes;
use crate::descriptor::{CreatedRun, GroupMeta, IdRun};
use crate::encoding::Lifetime;
use crate::encoding::{self, Scratch};
use crate::marks::{Mark, Marks};
use crate::row_group::{GroupData, RowGroup};
use crate::scan::selection::{Positions, Selection, WINDOW_ROWS};
use crate::table_version::TableVersion;
use crate::tail::{push_created, push_ids};
use llkv_result::Result;
use llkv_storage::WriteBatch;
use llkv_types::{Horizon, ROW_GROUP_ROWS, TXN_ID_AUTO_COMMIT, TxnId};
use std::sync::Arc;

/// A group is written without its dead rows once they are an eighth of it: seven rows are written again for each that goes, and
/// scans read a sixteenth more than they would of a fresh table.
const DEAD_SHARE: usize = 8;
/// The same where somebody waits for a tidy table, or closes it.
const TIDY_DEAD_SHARE: usize = 25;
/// A stored neighbour is written together with new rows when it is at most this much larger: so a row
/// is rewritten a logarithmic number of times, and small groups stay few.
const MERGE_FACTOR: usize = 4;
/// Up to so many delete marks of a table stay in its descriptor: folding a mark into its group means to
/// describe the group anew.
const LOOSE_MARKS: usize = 1_024;
/// Living rows that one checkpoint writes anew only to be rid of dead ones beside them. The rest waits.
const GARBAGE_ROWS: usize = 32 * ROW_GROUP_ROWS;
/// The same where dead rows are few.
const TIDY_ROWS: usize = 8 * ROW_GROUP_ROWS;
/// Strings of one row group stay below this: a chunk is addressed by 32 bits.
const GROUP_BYTES: usize = 1 << 30;

/// Neighbouring segments that become row groups together, or a stored group that stays.
#[derive(Debug)]
struct Run {
    segments: Vec<Arc<RowGroup>>,
    live_rows: usize,
    rewrite: bool,
}

/// What may still be written anew for the sake of dead rows.
#[derive(Debug)]
pub(super) struct Budget {
    /// A group is looked at by the first first.
    tiers: [Tier; 2],
}

#[derive(Debug, Clone, Copy)]
struct Tier {
    /// Living rows beside dead ones.
    rows: usize,
    /// A group is worth it once its rows are at most this many times its dead ones.
    rows_per_dead: usize,
}

/// A table as the checkpoint leaves it.
pub(super) struct Compacted {
    pub(super) groups: Vec<Arc<RowGroup>>,
    /// Groups whose values are not used any more.
    pub(super) retired: Vec<Arc<RowGroup>>,
    /// Delete marks that stay beside the groups.
    pub(super) marks: Vec<Mark>,
}

/// Seals the tail, folds delete marks into their groups, drops rows that no snapshot sees, as far as `budget` goes. New chunks
/// join `batch`.
///
/// # Errors
/// When the pager fails, a stored chunk is damaged, or it was cancelled.
pub(super) fn compact(
    version: &TableVersion,
    upkeep: &Upkeep<'_>,
    budget: &mut Budget,
    batch: &mut WriteBatch,
) -> Result<Compacted> {
    let mut out = Compacted {
        groups: Vec::new(),
        retired: Vec::new(),
        marks: Vec::new(),
    };
    let runs = plan(version, upkeep, budget);
    let stay = runs.iter().filter(|run| !run.rewrite);
    let stay = stay.flat_map(|run| &run.segments);
    // Whether they are too many to stay is all that is asked of more.
    out.marks = stay
        .flat_map(|group| unfolded(&version.marks, group))
        .map(|(_, mark)| mark)
        .take(LOOSE_MARKS + 1)
        .collect();
    let keep_marks = out.marks.len() <= LOOSE_MARKS;
    if !keep_marks {
        out.marks.clear();
    }
    for run in runs {
        if run.rewrite {
            rewrite(version, upkeep, &run, batch, &mut out.groups)?;
            let stored = run.segments.into_iter();
            out.retired
                .extend(stored.filter(|s| matches!(s.data.as_ref(), GroupData::Stored(_))));
        } else {
            let marks = |group| match keep_marks {
                true => Vec::new(),
                false => unfolded(&version.marks, group),
            };
            let kept = run.segments.iter();
            let kept = kept.map(|group| fold(group, &marks(group), upkeep.horizon.oldest()));
            out.groups.extend(kept);
        }
    }
    Ok(out)
}

fn plan(version: &TableVersion, upkeep: &Upkeep<'_>, budget: &mut Budget) -> Vec<Run> {
    let mut segments: Vec<&Arc<RowGroup>> = version.segments().collect();
    segments.sort_by_key(|segment| segment.first_row_id());
    let mut runs: Vec<Run> = Vec::new();
    for segment in segments {
        let dead = dead_rows_of(version, segment, upkeep.horizon);
        let live_rows = segment.rows - dead;
        let plain = matches!(segment.data.as_ref(), GroupData::Plain(_));
        let rewrite = plain || budget.take(segment, dead);
        runs.push(Run {
            live_rows,
            rewrite,
            segments: vec![Arc::clone(segment)],
        });
        while let [.., left, right] = runs.as_slice()
            && merges(left, right, upkeep.shape.row_group_rows)
            && let Some(right) = runs.pop()
            && let Some(left) = runs.last_mut()
        {
            left.segments.extend(right.segments);
            left.live_rows += right.live_rows;
            left.rewrite = true;
        }
    }
    runs
}

fn merges(left: &Run, right: &Run, row_group_rows: usize) -> bool {
    (left.rewrite && right.rewrite)
        || (left.live_rows + right.live_rows <= row_group_rows
            && left.live_rows <= MERGE_FACTOR * right.live_rows)
}

/// True when the budget has a stored group written without its dead rows.
pub(super) fn has_garbage(version: &TableVersion, horizon: &Horizon, budget: &Budget) -> bool {
    let mut groups = version.groups.iter();
    groups.any(|group| budget.allows(group, dead_rows_of(version, group, horizon)))
}

impl Compacted {
    /// True when dead rows stay, because a snapshot sees them or the budget is used up.
    pub(super) fn has_garbage(&self) -> bool {
        let marks = Marks::of(self.marks.clone());
        let usual = Budget::default();
        let (mut groups, end) = (self.groups.iter(), Horizon::end());
        groups.any(|group| usual.allows(group, dead_rows(&marks, group, &end)))
    }
}

impl Tier {
    const USUAL: Self = Self {
        rows: GARBAGE_ROWS,
        rows_per_dead: DEAD_SHARE,
    };
    const TIDY: Self = Self {
        rows: TIDY_ROWS,
        rows_per_dead: TIDY_DEAD_SHARE,
    };
    const ALL: Self = Self {
        rows: usize::MAX,
        rows_per_dead: usize::MAX,
    };
    const NONE: Self = Self {
        rows: 0,
        rows_per_dead: 0,
    };

    fn allows(self, rows: usize, dead: usize) -> bool {
        dead > 0 && dead.saturating_mul(self.rows_per_dead) >= rows
    }

    /// Takes some rows out of what is left.
    fn take(&mut self, rows: usize) -> bool {
        let left = self.rows.checked_sub(rows);
        self.rows = left.unwrap_or(self.rows);
        left.is_some()
    }
}

impl Budget {
    /// As much as somebody waits for gladly.
    pub(super) const TIDY: Self = Self {
        tiers: [Tier::USUAL, Tier::TIDY],
    };
    /// Whatever it takes to have no dead row left.
    pub(super) const ALL: Self = Self {
        tiers: [Tier::ALL, Tier::NONE],
    };

    fn allows(&self, group: &RowGroup, dead: usize) -> bool {
        let mut tiers = self.tiers.iter();
        tiers.any(|tier| tier.allows(group.rows, dead))
    }

    /// True when a group is to be written without its dead rows.
    fn take(&mut self, group: &RowGroup, dead: usize) -> bool {
        let mut tiers = self.tiers.iter_mut();
        tiers.any(|tier| tier.allows(group.rows, dead) && tier.take(group.rows - dead))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tiers: [Tier::USUAL, Tier::NONE],
        }
    }
}

/// Rows of a group of a table that no snapshot sees.
fn dead_rows_of(version: &TableVersion, group: &RowGroup, horizon: &Horizon) -> usize {
    // A table that came and went between two snapshots goes, whatever became of its rows before.
    let went = version.dropped_by.is_some_and(|by| {
        let mut created = group.created.iter();
        created.all(|run| horizon.is_dead(run.created_by, by))
    });
    match went {
        true => group.rows,
        false => dead_rows(&version.marks, group, horizon),
    }
}

fn dead_rows(marks: &Marks, group: &RowGroup, horizon: &Horizon) -> usize {
    let mut created = Runs::from(0, &group.created, |run| run.start);
    let deletes = deletes_of(marks, group).into_iter();
    let dead = deletes.filter(|(position, by)| {
        *by <= horizon.oldest() || {
            let created_by = created.at(*position).map(|run| run.created_by);
            created_by.is_some_and(|created_by| horizon.is_dead(created_by, *by))
        }
    });
    dead.count()
}

/// The deleted rows of a group by ascending positions, and the commits that deleted them.
fn deletes_of(marks: &Marks, group: &RowGroup) -> Vec<(usize, TxnId)> {
    let folded = group.deletes.iter();
    let mut deletes: Vec<(usize, TxnId)> = folded
        .map(|(position, by)| (position as usize, by))
        .collect();
    let recent = unfolded(marks, group);
    deletes.extend(
        recent
            .iter()
            .map(|(position, mark)| (*position, mark.deleted_by)),
    );
    if !deletes.is_sorted() {
        deletes.sort_unstable();
    }
    deletes
}

/// The marks of a group's rows that are not folded into it, one for each row, with the rows' positions, which ascend.
fn unfolded(marks: &Marks, group: &RowGroup) -> Vec<(usize, Mark)> {
    let mut found = marks.collect(group.first_row_id(), group.last_row_id());
    if !found.is_sorted() {
        found.sort_unstable();
    }
    found.dedup_by_key(|mark| mark.row_id);
    let mut folded = group.deletes.iter().peekable();
    let (mut out, mut marks) = (
        Vec::with_capacity(found.len()),
        found.into_iter().peekable(),
    );
    group.id_ranges(0, group.rows, |from, to, first| {
        let end = first + (to - from) as u64;
        while let Some(mark) = marks.next_if(|mark| mark.row_id < end) {
            // Ids between two runs are those of rows that went.
            let Some(offset) = mark.row_id.checked_sub(first) else {
                continue;
            };
            let position = from + offset as usize;
            while folded
                .next_if(|(at, _)| (*at as usize) < position)
                .is_some()
            {}
            if folded.next_if(|(at, _)| *at as usize == position).is_none() {
                out.push((position, mark));
            }
        }
    });
    out
}

/// The group with some delete marks folded in; its values stay where they are.
fn fold(group: &Arc<RowGroup>, marks: &[(usize, Mark)], oldest: TxnId) -> Arc<RowGroup> {
    let folded = group.deletes.iter();
    let mut deletes: Vec<(u32, TxnId)> = folded
        .map(|(position, by)| (position, settle(by, oldest)))
        .collect();
    let recent = marks.iter();
    deletes.extend(recent.map(|(at, mark)| (*at as u32, settle(mark.deleted_by, oldest))));
    deletes.sort_unstable();
    deletes.dedup_by_key(|(position, _)| *position);
    let deletes = Deletes::of(deletes);
    let mut created: Vec<CreatedRun> = Vec::new();
    for run in &group.created {
        push_created(&mut created, run.start, settle(run.created_by, oldest));
    }
    if created == group.created && deletes == group.deletes {
        return Arc::clone(group);
    }
    Arc::new(RowGroup::with_data(
        Arc::clone(&group.data),
        group.rows,
        group.row_ids.clone(),
        created,
        deletes,
    ))
}

/// A commit that every snapshot sees is stored as the one that all see. Others stay what they are while their group does: else
/// each checkpoint would describe it anew.
fn settle(commit_id: TxnId, oldest: TxnId) -> TxnId {
    if commit_id <= oldest {
        TXN_ID_AUTO_COMMIT
    } else {
        commit_id
    }
}

/// The rows of one window that live on.
struct Window {
    segment: Arc<RowGroup>,
    start: usize,
    positions: Positions,
    /// Those among them that snapshots see deleted: their positions in the segment, and by whom.
    deletes: Vec<(usize, TxnId)>,
}

fn rewrite(
    version: &TableVersion,
    upkeep: &Upkeep<'_>,
    run: &Run,
    batch: &mut WriteBatch,
    out: &mut Vec<Arc<RowGroup>>,
) -> Result<()> {
    let (horizon, row_group_rows) = (upkeep.horizon, upkeep.shape.row_group_rows);
    let mut windows: Vec<Window> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    let mut selection = Selection::new();
    for segment in &run.segments {
        let row_bytes = bytes_per_row(segment);
        let deletes = deletes_of(&version.marks, segment);
        for start in (0..segment.rows).step_by(WINDOW_ROWS) {
            let window_rows = WINDOW_ROWS.min(segment.rows - start);
            selection.fill(window_rows);
            if version.dropped_by.is_some() {
                selection.retain(|row| !version.is_dead(segment, start + row, horizon));
            }
            let from = deletes.partition_point(|(position, _)| *position < start);
            let to = deletes.partition_point(|(position, _)| *position < start + window_rows);
            let deletes = deletes.get(from..to).unwrap_or_default();
            let mut kept: Vec<(usize, TxnId)> = Vec::new();
            for (position, by) in deletes {
                match horizon.is_dead(segment.created_by(*position), *by) {
                    true => selection.remove(*position - start),
                    false => kept.push((*position, *by)),
                }
            }
            for positions in pieces(&selection, row_group_rows) {
                let live = positions.len();
                let is_full = rows + live > row_group_rows
                    || rows > 0 && bytes + live * row_bytes > GROUP_BYTES;
                if is_full && rows > 0 {
                    out.push(write_group(version, upkeep, &windows, rows, batch)?);
                    windows.clear();
                    (rows, bytes) = (0, 0);
                }
                windows.push(Window {
                    segment: Arc::clone(segment),
                    start,
                    positions,
                    deletes: kept.clone(),
                });
                rows += live;
                bytes += live * row_bytes;
            }
        }
    }
    if rows > 0 {
        out.push(write_group(version, upkeep, &windows, rows, batch)?);
    }
    Ok(())
}

/// The rows of a window, in pieces that fit a row group: all of them unless groups are tiny.
fn pieces(selection: &Selection, row_group_rows: usize) -> Vec<Positions> {
    let live = selection.count();
    let starts = (0..live).step_by(row_group_rows);
    let part = |start: usize| {
        let mut positions = Positions::default();
        if live <= row_group_rows {
            positions.load_or_gaps(selection);
            return positions;
        }
        let mut part = selection.clone();
        let mut place = 0..;
        part.retain(|_| {
            let place = place.next().unwrap_or(0);
            (start..start + row_group_rows).contains(&place)
        });
        positions.load(&part);
        positions
    };
    starts.map(part).collect()
}

fn bytes_per_row(segment: &RowGroup) -> usize {
    let bytes = match segment.data.as_ref() {
        GroupData::Stored(stored) => stored.chunks.iter().map(|c| c.place.len as usize).sum(),
        GroupData::Plain(plain) => plain.batch.get_array_memory_size(),
    };
    bytes.div_ceil(segment.rows.max(1))
}

fn write_group(
    version: &TableVersion,
    upkeep: &Upkeep<'_>,
    windows: &[Window],
    rows: usize,
    batch: &mut WriteBatch,
) -> Result<Arc<RowGroup>> {
    let horizon = upkeep.horizon;
    let pager = version.pager.as_ref();
    let mut writer = GroupWriter::new(pager, rows);
    let mut scratch = Scratch::default();
    // Snapshots that see a column that went read it from here on.
    let former = version.fills.former_after(horizon.oldest());
    let layout: Vec<_> = version.layout.iter().copied().chain(former).collect();
    for (field, ty) in &layout {
        upkeep.cancel.check()?;
        let stored = version.column(*field)?;
        let mut column = ColumnBuffer::new(*ty, rows)?;
        column.reserve();
        for window in windows {
            let chunk = window.segment.chunk(&stored)?;
            chunk.append_at(window.start, &window.positions, &mut column, &mut scratch)?;
        }
        let encoding = upkeep.shape.encoding;
        let chunk = encoding::encode(*ty, &column.finish()?, encoding, Lifetime::Lasting)?;
        writer.add(*field, chunk)?;
    }
    let staged = writer.finish(&layout);
    let mut meta = assign_keys(pager, &staged, batch)?;
    add_versions(windows, horizon, &mut meta);
    Ok(Arc::new(RowGroup::stored(
        meta,
        Arc::clone(&version.pager),
    )?))
}

/// Row ids, creators and remaining delete marks of the rows of a new group.
fn add_versions(windows: &[Window], horizon: &Horizon, meta: &mut GroupMeta) {
    let mut at = 0u32;
    let mut row_ids: Vec<IdRun> = Vec::new();
    for window in windows {
        let segment = &window.segment;
        let mut ids: Vec<IdRun> = Vec::new();
        let window_rows = WINDOW_ROWS.min(segment.rows - window.start);
        segment.id_ranges(window.start, window_rows, |start, _, first| {
            let start = start as u32;
            ids.push(IdRun { start, first });
        });
        let mut ids = Runs::from(window.start, &ids, |run| run.start);
        let mut created = Runs::from(window.start, &segment.created, |run| run.start);
        let mut deletes = window.deletes.iter().peekable();
        for position in window.positions.iter() {
            let position = window.start + position;
            if let Some(run) = ids.at(position) {
                let row_id = run.first + (position as u64 - u64::from(run.start));
                push_ids(&mut row_ids, at, row_id);
            }
            if let Some(run) = created.at(position) {
                push_created(&mut meta.created, at, horizon.settled(run.created_by));
            }
            while deletes
                .next_if(|(deleted, _)| *deleted < position)
                .is_some()
            {}
            if let Some((_, by)) = deletes.next_if(|(deleted, _)| *deleted == position) {
                meta.deletes.positions.push(at);
                meta.deletes.deleted_by.push(horizon.settled(*by));
            }
            at += 1;
        }
    }
    meta.row_ids = row_ids;
}

/// Runs that are walked through with ascending positions.
struct Runs<'a, T> {
    runs: &'a [T],
    start_of: fn(&T) -> u32,
}

impl<'a, T> Runs<'a, T> {
    fn from(position: usize, runs: &'a [T], start_of: fn(&T) -> u32) -> Self {
        let after = runs.partition_point(|run| start_of(run) as usize <= position);
        let runs = runs.get(after.saturating_sub(1)..).unwrap_or_default();
        Self { runs, start_of }
    }

    /// The run that a position lies in, which is not below that of the last call.
    fn at(&mut self, position: usize) -> Option<&'a T> {
        while let [_, next, ..] = self.runs
            && (self.start_of)(next) as usize <= position
        {
            self.runs = self.runs.get(1..)?;
        }
        self.runs.first()
    }
}
