"""Pipelines named by the shape of their graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.testing.sketches import Sketch, write_pipeline

__all__ = [
    "branching",
    "chain",
    "chained_map",
    "diamond",
    "dynamic_map",
    "fan_out",
    "fan_out_fan_in",
    "mapped",
    "product",
]


def chain(folder: Path, length: int = 3, **top: Any) -> Path:
    """`s1 → s2 → … → sN`."""
    sketches = [
        Sketch(name=f"s{n}", upstream=(f"s{n - 1}",) if n > 1 else ()) for n in range(1, length + 1)
    ]
    return write_pipeline(folder, *sketches, **top)


def diamond(folder: Path, **top: Any) -> Path:
    """`top → {left ‖ right} → bottom`."""
    return write_pipeline(
        folder,
        Sketch(name="top"),
        Sketch(name="left", upstream=("top",)),
        Sketch(name="right", upstream=("top",)),
        Sketch(name="bottom", upstream=("left", "right")),
        **top,
    )


def fan_out(folder: Path, width: int = 3, **top: Any) -> Path:
    """`source → {leaf1 ‖ … ‖ leafN}`."""
    leaves = [Sketch(name=f"leaf{n}", upstream=("source",)) for n in range(1, width + 1)]
    return write_pipeline(folder, Sketch(name="source"), *leaves, **top)


def fan_out_fan_in(folder: Path, width: int = 3, **top: Any) -> Path:
    """`source → {mid1 ‖ … ‖ midN} → sink`."""
    names = tuple(f"mid{n}" for n in range(1, width + 1))
    return write_pipeline(
        folder,
        Sketch(name="source"),
        *(Sketch(name=name, upstream=("source",)) for name in names),
        Sketch(name="sink", upstream=names),
        **top,
    )


def branching(folder: Path, decision: str = "yes", **top: Any) -> Path:
    """`decide → {yes ‖ no} → finish`: one branch is skipped, and they join again."""
    body = "import json\nfrom pathlib import Path\nPath(out).write_text(json.dumps(decision))"
    branches = [Sketch(name=n, keys={"when": {"decide.out": n}}) for n in ("yes", "no")]
    return write_pipeline(
        folder,
        Sketch(
            name="decide",
            body=body,
            declares=f'decision: str = "{decision}"',
            file="decision.json",
        ),
        *branches,
        Sketch(
            name="finish",
            keys={"after": ["yes", "no"], "trigger": "none_failed_min_one_success"},
        ),
        **top,
    )


_EACH = """from pathlib import Path
Path(out).write_text(f"{value}")"""
_ALL = """from pathlib import Path
Path(out).write_text(",".join(Path(path).read_text() for path in parts))"""


def mapped(folder: Path, values: Sequence[Any] = ("a", "b", "c"), **top: Any) -> Path:
    """`each[VALUE]… → all`: one instance for each value of a list, and a stage that reads them."""
    return write_pipeline(folder, _each({"value": list(values)}, values), _all(), **top)


def dynamic_map(folder: Path, values: Sequence[Any] = ("a", "b", "c"), **top: Any) -> Path:
    """`choose → each[VALUE]… → all`: the list is what `choose` writes."""
    body = "import json\nfrom pathlib import Path\nPath(out).write_text(json.dumps(values))"
    choose = Sketch(
        name="choose", body=body, declares=f"values: list = {list(values)!r}", file="values.json"
    )
    return write_pipeline(folder, choose, _each({"value": "choose.out"}, values), _all(), **top)


def product(folder: Path, values: Sequence[str] = ("a", "b,c"), **top: Any) -> Path:
    """`each[VALUE,NUMBER]… → all`: one instance for each combination of two lists."""
    each = Sketch(
        name="each",
        body='from pathlib import Path\nPath(out).write_text(f"{value}{number}")',
        declares='value: str = ""\nnumber: int = 0',
        file="each.txt",
        keys={"foreach": {"value": list(values), "number": "parameters.numbers"}},
    )
    return write_pipeline(folder, each, _all(), parameters={"numbers": [1, 2]}, **top)


_NEXT = """from pathlib import Path
Path(out).write_text(Path(mine).read_text() + "+")"""


def chained_map(folder: Path, values: Sequence[Any] = ("a", "b"), **top: Any) -> Path:
    """`first[VALUE] → each[VALUE] → all`: each instance reads its own, and the last stage all."""
    over = {"value": list(values)}
    first = _each(over, values)
    each = replace(
        first,
        body=_NEXT,
        declares=f'{first.declares}\nmine: str = ""',
        keys={"foreach": over, "inputs": {"mine": "first[value].out"}},
    )
    return write_pipeline(folder, replace(first, name="first"), each, _all(), **top)


def _each(foreach: dict[str, Any], values: Sequence[Any]) -> Sketch:
    kind = type(values[0]).__name__ if values else "str"
    default = repr(values[0] if values else "")
    return Sketch(
        name="each",
        body=_EACH,
        declares=f"value: {kind} = {default}",
        file="each.txt",
        keys={"foreach": foreach},
    )


def _all() -> Sketch:
    return Sketch(
        name="all",
        body=_ALL,
        declares="parts: list[str] = []",
        file="all.txt",
        keys={"inputs": {"parts": "each.out"}, "trigger": "none_failed"},
    )
