"""The comparison of two runs as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlkit.reports.bars import number
from mlkit.reports.changes import Comparison, MetricChange
from mlkit.reports.svg import text

_FIRST_ROWS = 8

__all__ = ["coloured_diff", "comparison_html", "table"]


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; the cells are HTML already, and an empty table becomes a sentence."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return f"<p>{text(caption)}: no difference.</p>"
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return (
        f'<div class="mlkit-scroll"><table class="mlkit-table"><caption>{text(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def comparison_html(found: Comparison) -> str:
    """Tell what differs between two runs: causes before effects; then what does not differ.

    Parameters
    ----------
    found : Comparison
        From `mlkit.compare`; its left run is called A, its right one B.
    """
    head = (
        f"<p><b>A</b> is run <code>{text(found.left)}</code>, "
        f"<b>B</b> is run <code>{text(found.right)}</code>.</p>"
    )
    parts = {
        "parameters": _folding("Parameters", ("name", "A", "B"), _parameters(found)),
        "settings": _folding("Settings", ("setting", "A", "B"), _settings(found)),
        "code": "".join(_code(found)),
        "metrics": _folding("Metrics", ("metric", "A", "B", "B − A"), _metrics(found)),
        "artifacts": _folding("Artifacts", ("artifact", "A", "B"), _artifacts(found)),
    }
    equal = ", ".join(name for name, part in parts.items() if not part)
    same = f"<p>No difference: {equal}.</p>" if equal else ""
    count = f"<p>{_many(found.equal_artifacts)} equal in both runs.</p>"
    return f"{head}{''.join(parts.values())}{same}{count}"


def _folding(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first rows are seen; the rest are a click away. Without rows it is nothing."""
    every = list(rows)
    if not every:
        return ""
    first, rest = every[:_FIRST_ROWS], every[_FIRST_ROWS:]
    shown = table(caption, head, first)
    if not rest:
        return shown
    others = table(f"{caption}, the rest", head, rest)
    return f"{shown}<details><summary>{len(rest)} more</summary>{others}</details>"


def _many(count: int) -> str:
    return "1 artifact is" if count == 1 else f"{count} artifacts are"


def _parameters(found: Comparison) -> Iterator[list[str]]:
    for change in found.parameters:
        name = f"{change.stage}.{change.name}" if change.stage else change.name
        yield [_code_of(name), *map(_value, (change.left, change.right))]


def _settings(found: Comparison) -> Iterator[list[str]]:
    for change in found.settings:
        of = f" ({', '.join(change.stages)})" if change.stages else ""
        name = f"{change.kind} {change.name}".rstrip()
        yield [text(f"{name}{of}"), *map(_value, (change.left, change.right))]


def _code_of(content: str) -> str:
    return f"<code>{text(content)}</code>"


def _value(content: str | None) -> str:
    return "(not there)" if content is None else _code_of(content)


def _code(found: Comparison) -> Iterator[str]:
    for change in found.code:
        if change.note:
            yield f"<p>Code of {text(change.stage)}: {text(change.note)}.</p>"
        for cell in change.cells:
            place = cell.right if cell.right is not None else cell.left
            shown = coloured_diff(cell.diff)
            yield f"<p>Code of {text(change.stage)}, cell {place}:</p><pre>{shown}</pre>"


def coloured_diff(diff: str) -> str:
    """Mark the lines of a diff that came and went; their signs stay."""
    return "\n".join(map(_line, diff.splitlines()))


def _line(line: str) -> str:
    kind = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{kind}>{text(line)}</{kind}>" if kind else text(line)


def _artifacts(found: Comparison) -> Iterator[list[str]]:
    for change in found.artifacts:
        sides = ((change.left, change.left_bytes), (change.right, change.right_bytes))
        yield [
            _code_of(f"{change.stage}.{change.output}"),
            *(
                "(not there)" if digest is None else f"{_code_of(digest[:10])} {size or 0:,} bytes"
                for digest, size in sides
            ),
        ]


def _metrics(found: Comparison) -> Iterator[list[str]]:
    """Those that differ, the largest relative difference first."""
    for change in sorted(found.metrics, key=_relative, reverse=True):
        if change.left != change.right:
            name = f"{change.stage}.{change.output}: {change.metric}"
            yield [text(name), _number(change.left), _number(change.right), _by(change)]


def _relative(change: MetricChange) -> float:
    if change.left is None or change.right is None:
        return float("inf")
    return abs(change.right - change.left) / (max(abs(change.left), abs(change.right)) or 1.0)


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _by(change: MetricChange) -> str:
    by = change.difference
    if by is None:
        return ""
    return f"{'▲' if by > 0 else '▼'} {by:+.4g}"
