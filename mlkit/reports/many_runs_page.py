"""Many runs side by side as a page: what differs, pictures of metrics, pictures of artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord
from mlkit.frozen import dataclass
from mlkit.observe.layout import counted
from mlkit.reports.many_runs import Difference, ManyRuns, letters
from mlkit.reports.notebook_page import page_environment, page_style
from mlkit.reports.output_view import Budget
from mlkit.reports.report_parts import format_time
from mlkit.reports.run_table import state_text
from mlkit.reports.sanitise import PICTURE_KINDS, picture_uri
from mlkit.reports.scatter import Point, draw_scatter, is_less_better, pareto_edge

__all__ = ["many_runs_page", "metric_pictures"]

_MOST_METRICS = 4
_MOST_PARAMETERS = 3
_MOST_EDGES = 3
_PICTURE_CHARACTERS = 24_000_000


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of one run."""

    name: str
    address: str
    alternative: str


def many_runs_page(found: ManyRuns, records: Sequence[RunRecord]) -> str:
    """Write the comparison as one HTML document that needs nothing else and runs no script.

    Parameters
    ----------
    found : ManyRuns
        What differs.
    records : sequence of RunRecord
        The runs, whose pictures are read where they say they are.
    """
    names = letters(len(found.rows))
    runs = [
        (name, row.run_id, ", ".join(row.labels), state_text(row), format_time(row.started))
        for name, row in zip(names, found.rows, strict=True)
    ]
    kinds = ("parameter", "setting", "file", "package", "metric")
    code = [
        {
            "stage": versions.stage,
            "versions": [
                {"runs": " ".join(names[place] for place in places), "change": change}
                for places, change in zip(versions.runs, versions.changes, strict=True)
            ],
        }
        for versions in found.code
    ]
    template = page_environment().get_template("many_runs.html")
    return template.render(
        title=f"{counted(len(runs), 'run')} compared",
        runs=runs,
        names=names,
        tables=[(kind, [_row(d) for d in found.of(kind)]) for kind in kinds if found.of(kind)],
        code=code,
        charts=list(metric_pictures(found)),
        pictures=list(_pictures(records, names)),
        equal=found.equal,
        style=page_style(),
    )


def _row(found: Difference) -> tuple[str, list[str]]:
    return found.name, ["–" if value is None else str(value) for value in found.values]


def metric_pictures(found: ManyRuns) -> Iterator[tuple[str, str]]:
    """Metrics over parameters that are numbers, then pairs of metrics with their edge.

    Yields
    ------
    (str, str)
        What the picture shows, and the picture.
    """
    names = letters(len(found.rows))
    metrics = found.of("metric")[:_MOST_METRICS]
    numbers = [(d, values) for d in found.of("parameter") if (values := _numbers(d)) is not None]
    for metric in metrics:
        for parameter, xs in numbers[:_MOST_PARAMETERS]:
            points = [
                Point(name=name, x=x, y=y.value, low=y.low, high=y.high)
                for name, x, y in zip(names, xs, metric.values, strict=True)
                if x is not None and y is not None
            ]
            if len(points) > 1:
                words = f"{metric.name} over {parameter.name}, {len(points)} runs"
                yield (
                    words,
                    draw_scatter(points, (parameter.name, metric.name), words),
                )
    for one, other in list(combinations(metrics, 2))[:_MOST_EDGES]:
        points = [
            Point(name=name, x=x.value, y=y.value, low=y.low, high=y.high)
            for name, x, y in zip(names, one.values, other.values, strict=True)
            if x is not None and y is not None
        ]
        if len(points) > 1:
            yield _edge_picture(points, one.name, other.name)


def _edge_picture(points: Sequence[Point], one: str, other: str) -> tuple[str, str]:
    less = is_less_better(one), is_less_better(other)
    edge = pareto_edge(points, x_less=less[0], y_less=less[1])
    better = [
        f"{'less' if is_less else 'more'} {name.rpartition('.')[2]}"
        for name, is_less in zip((one, other), less, strict=True)
    ]
    who = ", ".join(point.name for point in edge)
    words = f"No run surpasses {who}, if {better[0]} and {better[1]} are better"
    return words, draw_scatter(points, (one, other), f"{other} over {one}", edge=edge)


def _numbers(found: Difference) -> list[float | None] | None:
    """A parameter's values, if all that are there are numbers."""
    values: list[float | None] = []
    for text in found.values:
        value: Any = None
        if text is not None:
            try:
                value = json.loads(text)
            except ValueError:
                return None
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
        values.append(value)
    return values


def _pictures(
    records: Sequence[RunRecord], names: Sequence[str]
) -> Iterator[tuple[str, list[Shown]]]:
    """Pictures among the artifacts that differ, those of one output together."""
    budget = Budget(_PICTURE_CHARACTERS)
    found: dict[str, list[tuple[str, str, Path]]] = {}
    for name, record in zip(names, records, strict=True):
        for item in record.stages.values():
            for output, artifact in item.artifacts.items():
                path = Path(artifact.path)
                if path.suffix.lower() in PICTURE_KINDS:
                    place = f"{item.id}.{output}"
                    found.setdefault(place, []).append((name, artifact.digest, path))
    for place, several in found.items():
        if len({digest for _, digest, _ in several}) < 2:
            continue
        pictures = []
        for name, _, path in several:
            kind = PICTURE_KINDS[path.suffix.lower()]
            address = _address(path, kind) if budget.can_take(_size(path) * 4 // 3) else None
            if address is not None and budget.take(len(address)):
                words = f"{place} of run {name}"
                pictures.append(Shown(name=name, address=address, alternative=words))
        if pictures:
            yield place, pictures


def _address(path: Path, kind: str) -> str | None:
    try:
        return picture_uri(kind, path.read_bytes())
    except OSError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
