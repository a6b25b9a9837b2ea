"""A trace as text: what a stage's result depends on beside its code, parameters and inputs."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["trace_text"]

BOUNDARY = (
    "Not seen: what compiled readers (pyarrow, polars, DuckDB) open, and programs but Python's own."
)


def trace_text(stage: str, trace: Mapping[str, Any]) -> str:
    """List a trace for a terminal, a heading for each kind of thing, then the boundary.

    Parameters
    ----------
    stage : str
        The stage, or `STAGE[VALUE]`.
    trace : mapping
        What `mlkit.planner.trace.observe` gave, of any version.
    """
    if "files" not in trace:
        reasons = trace.get("unstable") or ["it was recorded by an older mlkit"]
        return "\n".join([f"The result of {stage} is not reused:", *(f"  {r}" for r in reasons)])
    parts = [f"The result of {stage} depends on its code, its parameters and inputs, and on"]
    for title, lines in _groups(trace):
        if lines:
            parts.append("\n".join([title, *(f"  {line}" for line in lines)]))
    if len(parts) == 1:
        parts[0] = f"The result of {stage} depends on its code, its parameters and its inputs only."
    parts.append(BOUNDARY)
    if trace["programs"]:
        parts[-1] += "\nPrograms that it started: " + ", ".join(trace["programs"])
    return "\n\n".join(parts)


def _groups(trace: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    environment = trace["environment"]
    yield "Not reusable", list(trace["unstable"])
    yield (
        "Files",
        [
            f"{_place(name)}  {item['digest'][:10]}"
            + (f"  (module {item['module']})" if item.get("module") else "")
            for name, item in trace["files"].items()
        ],
    )
    missing = [n for g in trace["imports"] for n, place in g["found"].items() if place is None]
    yield "Modules that were looked for in vain", sorted(set(missing))
    yield "What was there", [_place(name) for name in trace["present"] if _place(name)]
    itself = trace.get("itself", {})
    missing_itself = [name for name, kind in itself.items() if kind is None]
    absent = sorted({*trace["absent"], *missing_itself})
    yield "What was not there", [_place(name) for name in absent]
    links = trace.get("links", {})
    yield "Where links lead", [f"{_place(name)} → {target}" for name, target in links.items()]
    status = {name: _status(fields) for name, fields in trace.get("status", {}).items() if fields}
    yield "Dates and modes", [f"{_place(name)}  {words}" for name, words in status.items()]
    yield "What may be done with", [_place(name) for name in trace.get("may", {})]
    yield (
        "Names in folders",
        [
            *(f"{_place(name) or '.'}/  {_count(item)}" for name, item in trace["lists"].items()),
            *(f"{item['pattern']}  {_count(item['found'])}" for item in trace["globs"]),
        ],
    )
    yield (
        "Environment variables",
        [
            *(["all of them, but for those of the session"] if environment["all"] else []),
            *(f"{n}{'' if d else '  (not set)'}" for n, d in environment["read"].items()),
            *(f"{name}  (a secret: it never counts)" for name in environment["secret"]),
        ],
    )
    yield (
        "Packages",
        [
            *(["all that are installed"] if trace.get("installed") else []),
            *(
                f"{name} {version or '(not installed)'}"
                for name, version in trace["packages"].items()
            ),
        ],
    )
    yield "Modules of no package, by source", list(trace["unowned"])
    yield "IPython's start-up files", list(trace["startup"])


def _place(name: str) -> str:
    """A file by its path; where it is not beside the notebook, with the root it is relative to."""
    root, _, relative = name.partition(":")
    return relative if root in ("notebook", "path") else f"{relative} ({root})" if relative else ""


def _status(fields: Mapping[str, int]) -> str:
    """When a file was written or changed, and its mode: what of them the code asked for."""
    words = {"st_mtime_ns": "written", "st_ctime_ns": "changed"}
    told = [f"{words[f]} {_moment(value)}" for f, value in fields.items() if f in words]
    told += [f"mode {stat.filemode(fields['st_mode'])}"] if "st_mode" in fields else []
    return ", ".join(told)


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(" ", "seconds")


def _count(names: Mapping[str, Any]) -> str:
    found = names["names"]
    return "many names" if found is None else f"{len(found)} name" + "s" * (len(found) != 1)
