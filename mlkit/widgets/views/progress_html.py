"""How far the stages that run have come within their notebooks."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.progress import Bar
from mlkit.observe.board import Line
from mlkit.reports.bars import number
from mlkit.reports.spark import draw_spark
from mlkit.reports.svg import text

__all__ = ["progress_html"]

_MOST_STAGES, _MOST_CURVES, _FEWEST = 8, 4, 2


def progress_html(lines: Mapping[str, Line]) -> str:
    """Write a row for each stage that runs: its cell, that cell's first line, its bar and curves.

    Parameters
    ----------
    lines : mapping of str to Line
        The lines of the board, of stages that run; of very many the first.
    """
    told = {name: line for name, line in lines.items() if line.cell}
    if not told:
        return ""
    rows = "".join(_row(name, line) for name, line in list(told.items())[:_MOST_STAGES])
    more = len(told) - _MOST_STAGES
    rest = f"<p>and {more} more stages that run</p>" if more > 0 else ""
    return f'<div class="mlkit-going">{rows}</div>{rest}'


def _row(name: str, line: Line) -> str:
    place = f"<b>{text(name)}</b> cell {line.cell} of {line.cells}"
    code = f"<code>{text(line.code)}</code>" if line.code else ""
    bar = _bar(name, line.bar) if line.bar is not None else ""
    curves = "".join(_curve(n, v) for n, v in list(line.curves.items())[:_MOST_CURVES])
    return f'<div class="state-running"><span>{place}</span>{code}{bar}{curves}</div>'


def _bar(name: str, bar: Bar) -> str:
    drawn = ""
    if bar.total:
        said = f'aria-label="{text(f"{name}: {bar}")}"'
        drawn = f'<progress max="{bar.total:g}" value="{bar.done:g}" {said}></progress>'
    return f"<span>{drawn} {text(str(bar))}</span>"


def _curve(name: str, values: tuple[float, ...]) -> str:
    said = f"{text(name)} {number(values[-1])}"
    drawn = ""
    if len(values) >= _FEWEST:
        drawn = draw_spark(values, f"{name} from {number(values[0])} to {number(values[-1])}")
    return f"<span>{said} {drawn}</span>"
