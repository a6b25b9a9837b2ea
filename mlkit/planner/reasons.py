"""Why a stage runs: the difference between its last result and what it would be now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlkit.planner.fingerprint import PARTS_VERSION, Parts

__all__ = ["OLDER", "differences", "nearest"]

OLDER = "recorded by an older mlkit, which did not see all that a stage depends on"
"""Why a stage runs whose last result was kept in another form."""

OWN_KERNEL = "mlkit's own"

_LONGEST = 60


def differences(before: Mapping[str, Any], now: Parts) -> tuple[str, ...]:
    """Say what has changed between two results' parts.

    Parameters
    ----------
    before : mapping
        `Parts.to_json` of the last result.
    now : Parts
        The parts as they are.

    Returns
    -------
    tuple of str
        One sentence for each cell, parameter, input or version; empty if nothing changed.
    """
    if before.get("version") != PARTS_VERSION:
        return (OLDER,)
    return (
        *_cells(before["cells"], now.cells),
        *_values("parameter", before["parameters"], now.parameters),
        *_inputs(before["inputs"], now.inputs),
        *_values("output", before["outputs"], now.outputs),
        *_env(before.get("env", {}), now.env),
        *_changed("kernel", before.get("kernel") or OWN_KERNEL, now.kernel or OWN_KERNEL),
        *_changed("Python", before["python"], now.python),
    )


def nearest(told: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Of several results' differences, newest result first, those of the one that differs least.

    Of as many differences, the newer result's; one of which not all is known comes last.
    """
    return min(told, key=lambda reasons: (OLDER in reasons, len(reasons)))


def _changed(what: str, before: str, now: str) -> Iterable[str]:
    if before != now:
        yield f"{what}: {before or 'none'} → {now or 'none'}"


def _cells(before: Sequence[Sequence[str]], now: Sequence[Sequence[str]]) -> Iterable[str]:
    old, new = (Counter(digest for digest, _ in cells) for cells in (before, now))
    added = [title for digest, title in now if digest not in old]
    removed = [title for digest, title in before if digest not in new]
    if len(before) == len(now):
        pairs = zip(before, now, strict=True)
        changed = [b[1] for a, b in pairs if a[0] != b[0] and b[0] not in old]
        if len(changed) == len(added) == len(removed):
            yield from (f"code changed: {title}" for title in changed)
            if not changed and [d for d, _ in before] != [d for d, _ in now]:
                yield "code changed: the cells are in another order"
            return
    yield from (f"code added: {title}" for title in added)
    yield from (f"code removed: {title}" for title in removed)
    if not added and not removed and [d for d, _ in before] != [d for d, _ in now]:
        yield "code changed: cells were moved or repeated"


def _values(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            yield f"{kind} {name}: {_short(old)} → {_short(new)}"


def _env(before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            yield f"env {name} is no longer set" if new is None else f"env {name} is set now"
        elif old != new:
            yield f"env {name}: {_short(json.dumps(old))} → {_short(json.dumps(new))}"


def _inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        if name not in before:
            yield f"input {name} is new"
        elif name not in now:
            yield f"input {name} is gone"
        elif before[name] != now[name]:
            yield f"input {name} changed"


def _short(text: str | None) -> str:
    if text is None:
        return "default"
    try:
        shown = json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        shown = text
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
