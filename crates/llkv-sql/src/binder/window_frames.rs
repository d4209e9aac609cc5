//! Windows: PARTITION BY, ORDER BY and the frame, with what they take over from a named window.

use super::Binder;
use crate::text::exclusion_of;
use llkv_expr::{
    BinaryOp, Expr, FrameBound, FrameExclusion, FrameOffset, FrameUnit, RangeKey, SortKey,
    WindowFrame,
};
use llkv_result::Result;
use llkv_types::SqlType;
use sqlparser::ast::{self, NamedWindowExpr, WindowFrameBound, WindowFrameUnits, WindowType};

/// Names that lead to one another, at most: a chain that is longer leads in a circle.
const MAX_NAMES: usize = 100;

/// A window as written, with what its base gave it.
struct Parts<'w> {
    partition_by: Vec<&'w ast::Expr>,
    order_by: Vec<&'w ast::OrderByExpr>,
    frame: Option<&'w ast::WindowFrame>,
    exclusion: Option<&'w str>,
}

/// The bound partition, order and frame.
type Bound = (Vec<Expr>, Vec<SortKey>, WindowFrame);

impl Binder<'_> {
    /// The window behind OVER.
    pub(super) fn bind_window(&mut self, over: &WindowType, node: &ast::Function) -> Result<Bound> {
        let named = self.frames.last();
        let named = named.and_then(|frame| frame.named_windows.clone());
        let named = named.as_deref().unwrap_or_default();
        let parts = match over {
            WindowType::NamedWindow(name) => self.named_window(named, name, 0)?,
            WindowType::WindowSpec(spec) => self.window_parts(named, spec, 0)?,
        };
        let mut partition_by = Vec::with_capacity(parts.partition_by.len());
        for expr in parts.partition_by {
            let bound = self.bind_expr(expr)?;
            partition_by.push(self.collated_key(bound)?);
        }
        let mut order_by = Vec::with_capacity(parts.order_by.len());
        for key in parts.order_by {
            let bound = self.bind_expr(&key.expr)?;
            let bound = self.collated_key(bound)?;
            order_by.push(self.sort_key(bound, &key.options));
        }
        let frame = match parts.frame {
            None => WindowFrame::running(),
            Some(frame) => self.bind_frame(frame, parts.exclusion, &order_by, node)?,
        };
        Ok((partition_by, order_by, frame))
    }

    fn named_window<'w>(
        &self,
        named: &'w [ast::NamedWindowDefinition],
        name: &ast::Ident,
        depth: usize,
    ) -> Result<Parts<'w>> {
        let found = named
            .iter()
            .find(|definition| definition.0.value.eq_ignore_ascii_case(&name.value));
        match found.map(|definition| &definition.1) {
            _ if depth > MAX_NAMES => {
                self.windowing_error(format!("window \"{}\" is made of itself", name.value), name)
            }
            None => Err(llkv_result::BindError::NotFound {
                kind: llkv_result::ObjectKind::Window,
                name: name.value.clone(),
                hint: None,
                span: self.span(name),
            }
            .into()),
            Some(NamedWindowExpr::NamedWindow(other)) => self.named_window(named, other, depth + 1),
            Some(NamedWindowExpr::WindowSpec(spec)) => self.window_parts(named, spec, depth + 1),
        }
    }

    /// A window over another takes its partition and its order, if it has one; only a window without a frame can
    /// be taken over so.
    fn window_parts<'w>(
        &self,
        named: &'w [ast::NamedWindowDefinition],
        spec: &'w ast::WindowSpec,
        depth: usize,
    ) -> Result<Parts<'w>> {
        let mut own: Vec<&ast::OrderByExpr> = spec.order_by.iter().collect();
        let exclusion = own.last().and_then(|key| exclusion_of(&key.expr));
        if exclusion.is_some() {
            own.pop();
        }
        let mut parts = Parts {
            partition_by: spec.partition_by.iter().collect(),
            order_by: own,
            frame: spec.window_frame.as_ref(),
            exclusion,
        };
        let Some(base_name) = &spec.window_name else {
            return Ok(parts);
        };
        let base = self.named_window(named, base_name, depth + 1)?;
        let refused = |what: &str| {
            self.windowing_error(
                format!("cannot {what} of window \"{}\"", base_name.value),
                base_name,
            )
        };
        if !parts.partition_by.is_empty() {
            return refused("override PARTITION BY clause");
        }
        if !parts.order_by.is_empty() && !base.order_by.is_empty() {
            return refused("override ORDER BY clause");
        }
        if base.frame.is_some() {
            return refused("copy the frame clause");
        }
        parts.partition_by = base.partition_by;
        if parts.order_by.is_empty() {
            parts.order_by = base.order_by;
        }
        Ok(parts)
    }

    fn bind_frame(
        &mut self,
        frame: &ast::WindowFrame,
        exclusion: Option<&str>,
        order_by: &[SortKey],
        node: &ast::Function,
    ) -> Result<WindowFrame> {
        let unit = match frame.units {
            WindowFrameUnits::Rows => FrameUnit::Rows,
            WindowFrameUnits::Range => FrameUnit::Range,
            WindowFrameUnits::Groups => FrameUnit::Groups,
        };
        if unit == FrameUnit::Groups && order_by.is_empty() {
            return self.windowing_error("GROUPS mode requires an ORDER BY clause", node);
        }
        let end = frame
            .end_bound
            .as_ref()
            .unwrap_or(&WindowFrameBound::CurrentRow);
        if let Some(wrong) = out_of_order(&frame.start_bound, end) {
            return self.windowing_error(wrong, node);
        }
        let mut ranged = Ranged {
            unit,
            order_by,
            key: None,
        };
        let start = self.bind_bound(&frame.start_bound, &mut ranged, node)?;
        let end = self.bind_bound(end, &mut ranged, node)?;
        let key = ranged.key.take();
        let mut bound = WindowFrame {
            unit,
            start,
            end,
            exclusion: match exclusion {
                Some("current row") => FrameExclusion::CurrentRow,
                Some("group") => FrameExclusion::Group,
                Some("ties") => FrameExclusion::Ties,
                _ => FrameExclusion::NoOthers,
            },
            range_key: None,
        };
        if let (Some(ty), [only]) = (key, order_by) {
            self.measure(&mut bound, only, ty, node)?;
        }
        Ok(bound)
    }

    fn bind_bound(
        &mut self,
        bound: &WindowFrameBound,
        ranged: &mut Ranged<'_>,
        node: &ast::Function,
    ) -> Result<FrameBound> {
        let (distance, preceding) = match bound {
            WindowFrameBound::CurrentRow => return Ok(FrameBound::CurrentRow),
            WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) => {
                return Ok(FrameBound::Unbounded);
            }
            WindowFrameBound::Preceding(Some(distance)) => (distance, true),
            WindowFrameBound::Following(Some(distance)) => (distance, false),
        };
        let bound = self.bind_expr(distance)?;
        if self.dialect == crate::SqlDialect::Sqlite && bound.columns().next().is_some() {
            return self.windowing_error("the distance of a frame must be constant", node);
        }
        let distance = match ranged.unit {
            FrameUnit::Range => self.range_distance(bound, ranged, node)?,
            unit => self.row_distance(bound, unit, node)?,
        };
        let offset = FrameOffset {
            distance,
            bound: None,
        };
        Ok(match preceding {
            true => FrameBound::Preceding(offset),
            false => FrameBound::Following(offset),
        })
    }

    fn row_distance(&mut self, bound: Expr, unit: FrameUnit, node: &ast::Function) -> Result<Expr> {
        let ty = bound.ty();
        if !ty.is_numeric() && ty != SqlType::Null {
            return self.mismatch(
                format!(
                    "argument of {} must be type BIGINT, not type {ty}",
                    unit.name()
                ),
                node,
            );
        }
        Ok(self.coerce(bound, SqlType::Int64))
    }

    /// A distance in the type that the key of ORDER BY takes; the type in which they are added is noted.
    fn range_distance(
        &mut self,
        bound: Expr,
        ranged: &mut Ranged<'_>,
        node: &ast::Function,
    ) -> Result<Expr> {
        const WIDE: SqlType = SqlType::Decimal {
            precision: SqlType::DECIMAL128_PRECISION,
            scale: 0,
        };
        let [key] = ranged.order_by else {
            return self.windowing_error(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
                node,
            );
        };
        let (key_ty, ty) = (key.expr.ty(), bound.ty());
        let open = ty == SqlType::Null;
        let small =
            |ty: SqlType| ty.is_integer() && !matches!(ty, SqlType::Int64 | SqlType::UInt64);
        let (sum_ty, distance_ty) = match key_ty {
            SqlType::Date | SqlType::Timestamp if open || ty == SqlType::Interval => {
                (SqlType::Timestamp, SqlType::Interval)
            }
            SqlType::Date | SqlType::Timestamp if ty == SqlType::Text => {
                (SqlType::Timestamp, SqlType::Interval)
            }
            SqlType::TimestampTz if open || matches!(ty, SqlType::Interval | SqlType::Text) => {
                (SqlType::TimestampTz, SqlType::Interval)
            }
            _ if key_ty.is_numeric()
                && (ty.is_float() || key_ty.is_float())
                && (open || ty.is_numeric()) =>
            {
                (SqlType::Float64, SqlType::Float64)
            }
            _ if small(key_ty) && (open || small(ty)) => (SqlType::Int64, SqlType::Int64),
            _ if key_ty.is_integer() && (open || ty.is_integer()) => (WIDE, WIDE),
            _ if key_ty.is_numeric() && (open || ty.is_numeric()) => {
                let scale = |ty: SqlType| match ty {
                    SqlType::Decimal { scale, .. } => scale,
                    _ => 0,
                };
                let wide = SqlType::Decimal {
                    precision: SqlType::DECIMAL128_PRECISION,
                    scale: scale(key_ty).max(scale(ty)),
                };
                (wide, wide)
            }
            _ => {
                return self.unsupported(
                    format!("RANGE with a distance of {ty} for a key of {key_ty}"),
                    node,
                );
            }
        };
        // Both bounds are measured of one key.
        ranged.key = Some(ranged.key.map_or(sum_ty, |known| wider(known, sum_ty)));
        Ok(self.coerce(bound, distance_ty))
    }

    /// Adds the bounds themselves: the key with the distance.
    fn measure(
        &mut self,
        frame: &mut WindowFrame,
        key: &SortKey,
        ty: SqlType,
        node: &ast::Function,
    ) -> Result<()> {
        let value = self.copy_of(&key.expr)?.cast(ty);
        for bound in [&mut frame.start, &mut frame.end] {
            let (offset, before) = match bound {
                FrameBound::Preceding(offset) => (offset, true),
                FrameBound::Following(offset) => (offset, false),
                FrameBound::Unbounded | FrameBound::CurrentRow => continue,
            };
            if ty != SqlType::Timestamp && ty != SqlType::TimestampTz {
                let own = std::mem::replace(&mut offset.distance, Expr::boolean(true));
                offset.distance = self.coerce(own, ty);
            }
            let op = match before != key.descending {
                true => BinaryOp::Subtract,
                false => BinaryOp::Add,
            };
            let copy = self.copy_of(&value)?;
            let distance = self.copy_of(&offset.distance)?;
            let sum = self.binary(op, copy, distance, node)?;
            offset.bound = Some(sum.cast(ty));
        }
        frame.range_key = Some(RangeKey {
            expr: value,
            descending: key.descending,
            nulls_first: key.nulls_first,
        });
        Ok(())
    }
}

/// What the bounds of a RANGE frame are measured of.
struct Ranged<'a> {
    unit: FrameUnit,
    order_by: &'a [SortKey],
    /// The type in which distances are added, once one was met.
    key: Option<SqlType>,
}

/// Of two types in which distances are added, the one that holds both.
fn wider(a: SqlType, b: SqlType) -> SqlType {
    match (a, b) {
        (SqlType::Float64, _) | (_, SqlType::Float64) => SqlType::Float64,
        (SqlType::Int64, other) | (other, SqlType::Int64) => other,
        (SqlType::Decimal { scale: x, .. }, SqlType::Decimal { scale: y, .. }) => {
            if x >= y {
                a
            } else {
                b
            }
        }
        (a, _) => a,
    }
}

/// What is wrong with a frame that ends before it starts.
fn out_of_order(start: &WindowFrameBound, end: &WindowFrameBound) -> Option<&'static str> {
    use WindowFrameBound as B;
    match (start, end) {
        (B::Following(None), _) => Some("frame start cannot be UNBOUNDED FOLLOWING"),
        (_, B::Preceding(None)) => Some("frame end cannot be UNBOUNDED PRECEDING"),
        (B::CurrentRow, B::Preceding(_)) => {
            Some("frame starting from current row cannot have preceding rows")
        }
        (B::Following(_), B::Preceding(_) | B::CurrentRow) => {
            Some("frame starting from following row cannot have preceding rows")
        }
        _ => None,
    }
}
