"""Why a stage runs: the difference between its last result and what it would be now."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from mlkit.core.values import decode, plain
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
        *_cells("code", before["cells"], now.cells),
        *_prose(before, now),
        *_values("parameter", before["parameters"], now.parameters),
        *_inputs(before["inputs"], now.inputs),
        *_outputs(before["outputs"], now.outputs),
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


def _prose(before: Mapping[str, Any], now: Parts) -> Iterable[str]:
    """What has changed in the words of a notebook that is an output.

    That they stand elsewhere is said if no code has come or gone between them.
    """
    is_same_code = [d for d, _ in before["cells"]] == [d for d, _ in now.cells]
    for reason in _cells("prose", before.get("prose", ()), now.prose):
        is_of_order = reason.startswith("prose changed: cells were")
        if not reason.endswith(": ") and (is_same_code or not is_of_order):  # no code cell
            yield reason


def _cells(
    kind: str, before: Sequence[Sequence[str]], now: Sequence[Sequence[str]]
) -> Iterable[str]:
    old, new = (Counter(digest for digest, _ in cells) for cells in (before, now))
    added = [title for digest, title in now if digest not in old]
    removed = [title for digest, title in before if digest not in new]
    if len(before) == len(now):
        pairs = zip(before, now, strict=True)
        changed = [b[1] for a, b in pairs if a[0] != b[0] and b[0] not in old]
        if len(changed) == len(added) == len(removed):
            yield from (f"{kind} changed: {title}" for title in changed)
            if not changed and [d for d, _ in before] != [d for d, _ in now]:
                yield f"{kind} changed: the cells are in another order"
            return
    yield from (f"{kind} added: {title}" for title in added)
    yield from (f"{kind} removed: {title}" for title in removed)
    if not added and not removed and [d for d, _ in before] != [d for d, _ in now]:
        yield f"{kind} changed: cells were moved or repeated"


def _values(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            shown = [_value(text) for text in (old, new)]
            if _look_alike(*shown):
                shown = [text or "" for text in (old, new)]
            yield f"{kind} {name}: {_cut(shown[0])} → {_cut(shown[1])}"


def _look_alike(one: str, other: str) -> bool:
    """Whether a person sees no difference, as of an é that is one letter, and one that is two."""
    import unicodedata  # a run in which nothing changed does not need it

    return unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)


def _outputs(before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        yield from _changed(f"output {name}", before.get(name, ""), now.get(name, ""))


def _env(before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            yield f"env {name} is no longer set" if new is None else f"env {name} is set now"
        elif old != new:
            shown = [_cut(json.dumps(text, ensure_ascii=False)) for text in (old, new)]
            yield f"env {name}: {shown[0]} → {shown[1]}"


def _inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*before, *now}):
        if name not in before:
            yield f"input {name} is new"
        elif name not in now:
            yield f"input {name} is gone"
        elif before[name] != now[name]:
            yield f"input {name} changed"


def _value(text: str | None) -> str:
    """A parameter's value for people, of its JSON; one that is not given is the notebook's."""
    if text is None:
        return "default"
    value = decode(json.loads(text))
    if isinstance(value, float | dt.date | PurePath):
        return str(plain(value))
    return json.dumps(plain(value), ensure_ascii=False)


def _cut(shown: str) -> str:
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
