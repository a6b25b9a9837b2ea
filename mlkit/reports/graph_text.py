"""The DAG as text: a drawing of rails for the terminal, and Mermaid's notation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlkit.core.durations import format_duration
from mlkit.core.states import Status
from mlkit.observe.layout import fold
from mlkit.observe.signs import SIGNS
from mlkit.reports.dag import Box, Dag, EdgeKind, Link
from mlkit.reports.svg import shorten

__all__ = ["draw_mermaid", "draw_rails"]

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_SHAPES = {
    0: " ",
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _UP | _RIGHT: "╰",
    _UP | _LEFT: "╯",
    _DOWN | _RIGHT: "╭",
    _DOWN | _LEFT: "╮",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _LEFT | _RIGHT: "┴",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}
_MOST_INSTANCES = 8
_GAP = "  "
_LEAST_CAPTION = 24
_ARROWS = {EdgeKind.DATA: "-->", EdgeKind.CONDITION: "-->", EdgeKind.ORDER: "-.->"}
_CLASSES = {
    Status.SUCCEEDED: "fill:#e3f4ec,stroke:#0b7a4b,color:#0b3d27",
    Status.CACHED: "fill:#e4effa,stroke:#1f5fa8,color:#12355c",
    Status.FAILED: "fill:#fde7e4,stroke:#b3261e,color:#601410,stroke-width:3px",
    Status.SKIPPED: "fill:#f0f1f2,stroke:#5f6368,color:#3c4043",
    Status.UPSTREAM_FAILED: "fill:#fdf1d8,stroke:#8a5a00,color:#4f3400",
    Status.LOST: "fill:#f0e8fa,stroke:#6b3fa0,color:#3a2259",
    Status.CANCELLED: "fill:#f0e8fa,stroke:#6b3fa0,color:#3a2259",
    Status.RUNNING: "fill:#fff7cc,stroke:#7a6200,color:#433600",
    Status.WAITING: "fill:#ffffff,stroke:#5f6368,color:#3c4043,stroke-dasharray:4",
}


def draw_rails(dag: Dag, width: int = 80) -> str:
    """Draw the stages one below the other, with rails from each to those that wait for it.

    Parameters
    ----------
    dag : Dag
        The graph.
    width : int
        The terminal's columns. Captions wrap; where rails leave them no room, there are none.

    Returns
    -------
    str
        Lines of text; each names its stage, its state, and what it comes after.
    """
    rows = list(_rows(dag))
    drawn = max((len(drawing) for drawing, _, _ in rows), default=0)
    if width - drawn - len(_GAP) < _LEAST_CAPTION:
        rows = [(_glyph(box), " ", _caption(box, dag.links)) for box in dag.boxes]
        drawn = 1
    lines = []
    for drawing, below, caption in rows:
        first, *more = fold(caption, width - drawn - len(_GAP))
        lines.append(f"{drawing.ljust(drawn)}{_GAP}{first}".rstrip())
        lines += [f"{below.ljust(drawn)}{_GAP}{line}".rstrip() for line in more]
    return "\n".join(lines)


def _rows(dag: Dag) -> Iterator[tuple[str, str, str]]:
    """Each line of the drawing, what stands below it where its caption goes on, and the caption."""
    rails: list[str | None] = []
    for box in dag.boxes:
        targets = list(dict.fromkeys(e.target for e in dag.links if e.source == box.name))
        if box.name not in rails:
            _claim(rails, box.name)
        column = rails.index(box.name)
        below = _passing(rails, column, "│" if targets else " ")
        yield _passing(rails, column, _glyph(box)), below, _caption(box, dag.links)
        below_it = list(rails)
        below_it[column] = None
        for target in targets:
            if target not in below_it:
                _claim(below_it, target, first=column)
        ends = [below_it.index(target) for target in targets]
        if ends and ends != [column]:
            yield _turns(rails, below_it, column, ends), "", ""
        rails = below_it
        while rails and rails[-1] is None:
            rails.pop()


def _glyph(box: Box) -> str:
    if box.status is not None:
        return SIGNS[box.status].glyph
    return "◎" if box.mapped else "○"


def _claim(rails: list[str | None], name: str, first: int | None = None) -> None:
    """Give a name the preferred rail, else the first that is free, else a new one."""
    if first is not None and rails[first] is None:
        rails[first] = name
    elif None in rails:
        rails[rails.index(None)] = name
    else:
        rails.append(name)


def _passing(rails: Sequence[str | None], column: int, glyph: str) -> str:
    marks = ["│" if name is not None else " " for name in rails]
    marks[column] = glyph
    return " ".join(marks)


def _turns(
    above: Sequence[str | None], below: Sequence[str | None], column: int, ends: Sequence[int]
) -> str:
    """The line below a stage: from its rail to the rails of those that wait for it."""
    left, right = min(column, *ends), max(column, *ends)
    marks = []
    for index in range(len(below)):
        before = index < len(above) and above[index] is not None
        vertical = _UP * before + _DOWN * (below[index] is not None)
        turning = index == column or index in ends
        if not turning:
            inside = left < index < right
            marks.append(_SHAPES[vertical] if vertical or not inside else "─")
        else:
            sides = _LEFT * (left < index) + _RIGHT * (index < right)
            marks.append(_SHAPES.get(vertical | sides, "│"))
        marks.append("─" if left <= index < right else " ")
    return "".join(marks).rstrip()


def _caption(box: Box, links: Sequence[Link]) -> str:
    parts = [box.name]
    if box.mapped:
        parts.append(_instances(box))
    if box.status is not None:
        took = f" in {format_duration(box.seconds)}" if box.seconds is not None else ""
        parts.append(f"{SIGNS[box.status].word}{took}")
    incoming = [e for e in links if e.target == box.name]
    if incoming:
        parts.append(f"← {', '.join(map(_origin, incoming))}")
    return "  ".join(parts)


def _instances(box: Box) -> str:
    """How many instances there are, and by name the few that matter."""
    failed = [value for value, status in box.instances if status is Status.FAILED]
    shown = failed or [value for value, _ in box.instances]
    names = shorten(("; " if any("," in value for value in shown) else ", ").join(shown), 60)
    count = f"× {len(box.instances)} " if box.instances else ""
    what = "failed: " if failed else f"{box.note}: " if box.note and names else box.note
    return f"{count}({what}{names})"


def _origin(link: Link) -> str:
    if link.kind is EdgeKind.CONDITION:
        return f"{link.source} when {link.label}"
    source = f"{link.source}[{','.join(link.chain)}]" if link.chain else link.source
    if link.kind is EdgeKind.ORDER:
        return f"{source} (order only)"
    return f"{source}{link.label}" if link.label.startswith("[") else source


def draw_mermaid(dag: Dag) -> str:
    """Write the graph in Mermaid's notation, which JupyterLab and GitHub draw.

    Returns
    -------
    str
        A flowchart with accessible title and description.
    """
    ids = {box.name: f"s{index}" for index, box in enumerate(dag.boxes)}
    lines = [
        "flowchart TD",
        f"  accTitle: {_bare(dag.title)}",
        f"  accDescr: {_bare(dag.describe())}",
    ]
    lines += [f"  {ids[box.name]}{_mermaid_box(box)}" for box in dag.boxes]
    for link in dag.links:
        label = f"|{_quoted(link.label)}|" if link.label else ""
        lines.append(f"  {ids[link.source]} {_ARROWS[link.kind]}{label} {ids[link.target]}")
    used = dict.fromkeys(box.status for box in dag.boxes if box.status is not None)
    for status in used:
        lines.append(f"  classDef {status.value} {_CLASSES[status]}")
        names = ",".join(ids[box.name] for box in dag.boxes if box.status is status)
        lines.append(f"  class {names} {status.value}")
    return "\n".join(lines)


def _mermaid_box(box: Box) -> str:
    parts = [box.name, box.note]
    parts += [str(SIGNS[box.status])] if box.status is not None else []
    parts += [f"{SIGNS[s].glyph if s else '·'} {value}" for value, s in box.shown(_MOST_INSTANCES)]
    hidden = len(box.instances) - _MOST_INSTANCES
    parts += [f"… and {hidden} more"] if hidden > 0 else []
    words = "<br/>".join(_quoted(part)[1:-1] for part in parts if part)
    return f'[["{words}"]]' if box.mapped else f'("{words}")'


def _quoted(words: str) -> str:
    """Quote a text; Mermaid reads its own entities, `#quot;` and the like, inside quotes."""
    safe = _plain(words).replace("#", "#35;").replace("&", "#amp;").replace('"', "#quot;")
    return f'"{safe.replace("<", "#lt;").replace(">", "#gt;")}"'


def _plain(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words)


def _bare(words: str) -> str:
    """A text outside of quotes, where Mermaid knows no entities."""
    return _plain(words).translate({ord("<"): "‹", ord(">"): "›"})
