"""The DAG as a layered SVG drawing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from mlkit.core.durations import format_duration
from mlkit.core.states import Status
from mlkit.frozen import dataclass
from mlkit.observe.signs import SIGNS
from mlkit.reports.dag import Box, Dag, EdgeKind, Link
from mlkit.reports.layering import Rows, make_rows
from mlkit.reports.placing import place
from mlkit.reports.svg import document, element, shorten, shorten_name, text, width_of

__all__ = ["draw_dag"]

_GAP, _ROW_GAP, _MARGIN, _PAD = 26.0, 44.0, 14.0, 12.0
_LINE, _NAME_SIZE, _SMALL_SIZE = 17.0, 13.0, 11.5
_LABEL_HEIGHT, _STACK, _MOST_INSTANCES = 22.0, 4.0, 8
_PORT, _LANE = 14.0, 30.0
_POINT = re.compile(r"(-?[\d.]+),(-?[\d.]+)")
_USUAL_STATE = "✓ succeeded · 10.0 s"
"""Boxes have room for it from the start, so that they stay in place while a run goes on."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a box stands: its horizontal centre, its top, its size."""

    x: float
    y: float
    width: float
    height: float
    room: float
    """As wide as the box, or as the widest plate above it."""

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class _Plate:
    """One text above a box, for all arrows that bear it there."""

    text: str
    target: str
    sources: tuple[str, ...]

    @property
    def width(self) -> float:
        return width_of(self.text, _SMALL_SIZE) + 12


def draw_dag(dag: Dag, *, styled: bool = True) -> str:
    """Draw the picture.

    Parameters
    ----------
    dag : Dag
        What it shows.
    styled : bool
        Whether the SVG carries its own style sheet.

    Returns
    -------
    str
        One SVG element, for a file of its own or inline in a page.
    """
    if not dag.boxes:
        said = element("text", "no stages", x=8, y=20)
        return document(said, (120, 32), dag.title, "No stages.", styled=True)
    ahead = [link for link in dag.links if link.kind is not EdgeKind.BACK]
    back = [link for link in dag.links if link.kind is EdgeKind.BACK]
    rows = make_rows([box.name for box in dag.boxes], [(e.source, e.target) for e in ahead])
    plates = _plates(ahead)
    places, bands = _places(dag, rows, plates)
    ports = _ports(rows, places)
    arrows = "".join(_arrow(link, rows, places, ports, bands) for link in ahead)
    labels = "".join(
        _label(plate, index, rows, places, ports)
        for above in plates.values()
        for index, plate in enumerate(above)
    )
    boxes = "".join(_box(box, places[box.name]) for box in dag.boxes)
    width = max(p.x + max(p.room / 2, 1) for p in places.values()) + _MARGIN + _STACK
    arrows += "".join(_back(link, places, width + _LANE * n) for n, link in enumerate(back))
    width += _LANE * len(back)
    height = max(p.bottom for p in places.values()) + _MARGIN + _STACK
    return document(
        _head() + arrows + boxes + labels, (width, height), dag.title, dag.describe(), styled=styled
    )


def _head() -> str:
    return element("defs", *(_tip(tone) for tone in ("", "critical", "cycle")))


def _tip(tone: str) -> str:
    """An arrow's head; its size goes with the width of the line, which is greater with a tone."""
    kind = f"tip tone-{tone}" if tone else "tip"
    return element(
        "marker",
        element("path", d="M0,0 L8,4 L0,8 z", class_=kind),
        id=_tip_name(tone),
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=4 if tone else 7,
        markerHeight=4 if tone else 7,
        orient="auto",
    )


def _tip_name(tone: str) -> str:
    return f"mlkit-tip-{tone}" if tone else "mlkit-tip"


def _lines(box: Box) -> list[tuple[str, str]]:
    """The texts in a box, each with its class."""
    lines = [(shorten_name(box.name, 34), "name")]
    if box.note:
        lines.append((shorten(box.note, 38), "small"))
    if box.status is not None:
        took = f" · {format_duration(box.seconds)}" if box.seconds is not None else ""
        lines.append((f"{SIGNS[box.status]}{took}", "small state"))
    for value, status in box.shown(_MOST_INSTANCES):
        glyph = SIGNS[status].glyph if status is not None else "·"
        lines.append((f"{glyph} {shorten_name(value, 34)}", "small"))
    if len(box.instances) > _MOST_INSTANCES:
        lines.append((f"… and {len(box.instances) - _MOST_INSTANCES} more", "small"))
    return lines


def _size(box: Box) -> tuple[float, float]:
    lines = _lines(box)
    widest = max(width_of(t, _NAME_SIZE if c == "name" else _SMALL_SIZE) for t, c in lines)
    if box.status is not None:
        widest = max(widest, width_of(_USUAL_STATE, _SMALL_SIZE))
    return max(96.0, widest + 2 * _PAD + 4), len(lines) * _LINE + 14.0


def _plates(links: list[Link]) -> dict[str, list[_Plate]]:
    """Give what stands above each box: a text that several of its arrows bear stands there once."""
    sources: dict[tuple[str, str], list[str]] = {}
    for link in links:
        if link.label:
            sources.setdefault((link.target, link.label), []).append(link.source)
    plates: dict[str, list[_Plate]] = {}
    for (target, words), found in sources.items():
        plate = _Plate(text=words, target=target, sources=tuple(found))
        plates.setdefault(target, []).append(plate)
    return plates


def _places(
    dag: Dag, rows: Rows, plates: Mapping[str, list[_Plate]]
) -> tuple[dict[str, _Place], list[tuple[float, float]]]:
    """Give every box and bend its place, and every row its top and bottom."""
    sizes = {box.name: _size(box) for box in dag.boxes}
    room = {
        name: max([width, *(plate.width + 4 for plate in plates.get(name, ()))])
        for name, (width, _) in sizes.items()
    }
    centres = place(rows, room, _GAP)
    places: dict[str, _Place] = {}
    bands: list[tuple[float, float]] = []
    top = _MARGIN
    for row in rows.rows:
        most_plates = max(len(plates.get(name, ())) for name in row)
        top += (_ROW_GAP if bands else 0.0) + most_plates * _LABEL_HEIGHT
        height = max(sizes.get(name, (0.0, 0.0))[1] for name in row)
        for name in row:
            width, own = sizes.get(name, (0.0, height))
            x, wide = _MARGIN + centres[name], room.get(name, 0.0)
            places[name] = _Place(x=x, y=top, width=width, height=own, room=wide)
        bands.append((top, top + height))
        top += height
    return places, bands


def _ports(rows: Rows, places: Mapping[str, _Place]) -> dict[tuple[str, str, str], float]:
    """Where on a box's edge each segment ends: side by side, in the order of the other ends."""
    ports: dict[tuple[str, str, str], float] = {}
    for name, here in places.items():
        for side, pick in (("out", 0), ("in", 1)):
            found = [pair for pair in rows.segments if pair[pick] == name]
            found.sort(key=lambda pair: places[pair[1 - pick]].x)
            step = min(_PORT, (here.width - 24) / max(1, len(found) - 1)) if here.width else 0.0
            for index, pair in enumerate(found):
                ports[(side, *pair)] = here.x + (index - (len(found) - 1) / 2) * step
    return ports


def _arrow(
    link: Link,
    rows: Rows,
    places: Mapping[str, _Place],
    ports: Mapping[tuple[str, str, str], float],
    bands: list[tuple[float, float]],
) -> str:
    """Curve from row to row; straight down where the arrow passes through one."""
    path = rows.paths[link.source, link.target]
    y = places[link.source].bottom
    d = ""
    for start, end in itertools.pairwise(path):
        x1, x2 = ports["out", start, end], ports["in", start, end]
        d = d or f"M{x1:.1f},{y:.1f}"
        floor = next(bottom for upper, bottom in bands if upper <= places[start].y <= bottom)
        if floor > y:
            d += f" L{x1:.1f},{floor:.1f}"
        top = places[end].y
        middle = (floor + top) / 2
        d += f" C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{top:.1f}"
        y = top
    return _drawn(link, d)


def _back(link: Link, places: Mapping[str, _Place], lane: float) -> str:
    """Lead an arrow out on the right and back up, in a lane of its own."""
    source, target = places[link.source], places[link.target]
    x1, x2 = source.x + source.width / 2, target.x + target.width / 2
    y1, y2 = source.y + source.height * 0.7, target.y + target.height * 0.3
    pull = (lane - (x1 + x2) / 8) / 0.75
    d = f"M{x1:.1f},{y1:.1f} C{pull:.1f},{y1:.1f} {pull:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    return _drawn(link, d)


def _drawn(link: Link, d: str) -> str:
    hint = element("title", text(_words(link)))
    kind = f"arrow {link.kind}" + (f" tone-{link.tone}" if link.tone else "")
    tip = f"url(#{_tip_name(link.tone)})"
    strands = "".join(
        element("path", d=_shifted(d, shift), class_=f"{kind} strand")
        for shift in ((2 * _STACK, _STACK) if link.chain else ())
    )
    return strands + element("path", hint, d=d, class_=kind, marker_end=tip)


def _shifted(d: str, right: float) -> str:
    """The same way a little further to the right."""
    return _POINT.sub(lambda point: f"{float(point[1]) + right:.1f},{point[2]}", d)


def _words(link: Link) -> str:
    plain = {
        EdgeKind.DATA: "reads what it wrote",
        EdgeKind.CONDITION: "on condition",
        EdgeKind.ORDER: "order only",
        EdgeKind.BACK: "closes a cycle",
    }
    return f"{link.source} → {link.target}: {link.label or plain[link.kind]}"


def _label(
    plate: _Plate,
    index: int,
    rows: Rows,
    places: Mapping[str, _Place],
    ports: Mapping[tuple[str, str, str], float],
) -> str:
    """Draw a plate over its arrows, within the room that the box has for it."""
    here = places[plate.target]
    ends = [rows.paths[source, plate.target][-2:] for source in plate.sources]
    wanted = sum(ports["in", start, end] for start, end in ends) / len(ends)
    slack = (here.room - plate.width) / 2
    x = min(max(wanted, here.x - slack), here.x + slack)
    y = here.y - 20.0 - _LABEL_HEIGHT * index
    shape = {"width": plate.width, "height": 17.0, "rx": 8}
    face = element("rect", x=x - plate.width / 2, y=y - 12, class_="plate", **shape)
    words = element("text", text(plate.text), x=x, y=y, class_="label", text_anchor="middle")
    return element("g", face + words)


def _box(box: Box, here: _Place) -> str:
    left = here.x - here.width / 2
    shape = {"width": here.width, "height": here.height, "rx": 7}
    status = box.status.value if box.status is not None else "none"
    parts = []
    if box.mapped:
        parts += [
            element("rect", x=left + shift, y=here.y + shift, class_="face", **shape)
            for shift in (2 * _STACK, _STACK)
        ]
    parts.append(element("rect", x=left, y=here.y, class_="face", **shape))
    for index, (line, kind) in enumerate(_lines(box)):
        y = here.y + 20.0 + index * _LINE
        parts.append(element("text", text(line), x=left + _PAD, y=y, class_=kind))
    words = SIGNS[box.status].word if isinstance(box.status, Status) else "stage"
    hint = element("title", text(f"{box.name}: {words}"))
    kind = f"box state-{status}" + (f" tone-{box.tone}" if box.tone else "")
    return element("g", hint + "".join(parts), class_=kind, data_pick=box.name)
