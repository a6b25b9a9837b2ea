"""A learner's graph as a picture, and in words."""

from __future__ import annotations

from html import escape

from mlkit.core.graph import topological_order
from mlkit.reports.dag import Box, Dag, EdgeKind, Link
from mlkit.reports.graph_svg import draw_dag
from mlkit.widgets.labs.dag_sketch import Analysis, DagSketch, analyse

__all__ = ["draw_sketch", "explain"]


def draw_sketch(sketch: DagSketch) -> str:
    """Draw the graph in levels; the critical path, or the cycle, is set off and named."""
    found = analyse(sketch)
    return draw_dag(_dag(sketch, found), styled=False)


def _dag(sketch: DagSketch, found: Analysis) -> Dag:
    rest = sketch
    for edge in found.back:
        rest = rest.without_edge(*edge)
    steps = set(zip(found.critical, found.critical[1:], strict=False))
    boxes = [_box(name, sketch, found) for name in topological_order(rest.graph)]
    links = [
        Link(
            source=up,
            target=down,
            kind=EdgeKind.BACK if (up, down) in found.back else EdgeKind.DATA,
            tone=_tone((up, down) in found.cycle, (up, down) in steps),
        )
        for up, down in sketch.edges
    ]
    return Dag(title=_title(sketch, found), boxes=tuple(boxes), links=tuple(links))


def _box(name: str, sketch: DagSketch, found: Analysis) -> Box:
    in_cycle = any(name in edge for edge in found.cycle)
    words = ["in the cycle"] if in_cycle else ["critical"] if name in found.critical else []
    note = " · ".join([f"{sketch.durations_s[name]:g} s", *words])
    return Box(name=name, note=note, tone=_tone(in_cycle, name in found.critical))


def _tone(in_cycle: bool, is_critical: bool) -> str:  # noqa: FBT001 - two facts, one place
    return "cycle" if in_cycle else "critical" if is_critical else ""


def _title(sketch: DagSketch, found: Analysis) -> str:
    if found.cycle:
        way = " → ".join([*(up for up, _ in found.cycle), found.cycle[0][0]])
        return f"Not a DAG: the cycle {way}"
    return (
        f"A DAG of {len(sketch.durations_s)} stages; its critical path takes {found.critical_s:g} s"
    )


def explain(sketch: DagSketch) -> str:
    """Say in HTML what follows: the cycle edge by edge, or order, levels and critical path."""
    found = analyse(sketch)
    if found.cycle:
        return _about_cycle(found)
    if not found.order:
        return "<p>There is no stage yet. Add one, or take the example.</p>"
    rows = [f"<li>level {n}: {_names(names)}</li>" for n, names in enumerate(found.levels, 1)]
    return (
        f"<p><strong>✓ A DAG.</strong> A topological order: {_names(found.order, ' → ')}.</p>"
        f"<p>Levels; what stands on one level can run side by side:</p><ul>{''.join(rows)}</ul>"
        f"<p><strong>Critical path:</strong> {_names(found.critical, ' → ')}, "
        f"{found.critical_s:g} s. No number of workers makes the pipeline faster than that; one "
        f"worker alone needs {found.total_s:g} s.</p>"
    )


def _about_cycle(found: Analysis) -> str:
    items = "".join(
        f"<li>{escape(up)} → {escape(down)}: {escape(down)} waits for {escape(up)}</li>"
        for up, down in found.cycle
    )
    up, down = (escape(name) for name in found.cycle[-1])
    return (
        '<div class="mlkit-problem"><p><strong>✗ A cycle: this is no DAG.</strong> Each of these '
        f"edges makes a stage wait for the one before it, and the last leads back to the first:</p>"
        f"<ol>{items}</ol><p>None of these stages can ever start, so there is no order. "
        f"{up} → {down} closed the cycle; removing any edge of it opens it.</p></div>"
    )


def _names(names: tuple[str, ...], between: str = ", ") -> str:
    return between.join(f"<code>{escape(name)}</code>" for name in names)
