"""What a person changed in a notebook that JupyterLab had open, put into the notebook's own file.

JupyterLab hands back a whole document in its own manner: other ids for cells that had none, marks
of trust, its kernel's name, a newer format. Of all that only what somebody edited goes into the
file: sources, cells that are new, gone, moved or of another type, tags and other metadata; outputs
where the file holds outputs already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlkit.frozen import dataclass
from mlkit.notebook.injection import is_injected
from mlkit.notebook.kept_json import rewritten, same

__all__ = ["Edited", "Opened", "edited", "opened", "with_edits"]

_PASSING = frozenset({"trusted", "execution", "ExecuteTime", "papermill"})
"""Metadata of cells that tell of an execution, or of this browser."""

_OF_KERNELS = frozenset({"kernelspec", "language_info"})

_OWN_METADATA = _OF_KERNELS | {"widgets", "jupytext"}
"""Metadata of a notebook that JupyterLab writes by itself."""

_ORDER = ("attachments", "cell_type", "execution_count", "id", "metadata", "outputs", "source")

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_IDS_SINCE = 5
"""The minor version of format 4 since which cells have ids."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A notebook as JupyterLab is given it.

    Parameters
    ----------
    document : mapping
        Its document, of a format in which every cell has an id.
    ids : tuple of (str or None)
        By what id each cell of the file is known there; None for one that is not shown.
    """

    document: dict[str, Any]
    ids: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A notebook after an edit.

    Parameters
    ----------
    document : mapping
        Its document as the file shall hold it.
    origins : tuple of (int or None)
        The place that each of its cells had in the file before; None for a new one.
    ids : tuple of (str or None)
        By what id each of its cells is known where it is open; empty if it came without
        one of its own, None for one that is not shown.
    """

    document: dict[str, Any]
    origins: tuple[int | None, ...]
    ids: tuple[str | None, ...]


def opened(document: Mapping[str, Any], kernelspec: Mapping[str, str]) -> Opened:
    """Give a notebook the form in which it is edited.

    Cells that an earlier execution has injected are not shown: a run passes over them, too.

    Parameters
    ----------
    document : mapping
        The notebook as its file holds it.
    kernelspec : mapping of str to str
        The kernel that runs it.
    """
    taken: set[str] = set()
    ids: list[str | None] = []
    shown: list[dict[str, Any]] = []
    for index, cell in enumerate(document["cells"]):
        if is_injected(cell):
            ids.append(None)
            continue
        name = _free(_valid(cell.get("id")) or f"cell-{index}", taken)
        ids.append(name)
        shown.append(_shown(cell, name))
    metadata = {k: v for k, v in document.get("metadata", {}).items() if k != "jupytext"}
    minor = max(_IDS_SINCE, document.get("nbformat_minor", 0))
    whole = {
        "nbformat": 4,
        "nbformat_minor": minor,
        "metadata": {**metadata, "kernelspec": dict(kernelspec)},
        "cells": shown,
    }
    return Opened(document=whole, ids=tuple(ids))


def _shown(cell: Mapping[str, Any], name: str) -> dict[str, Any]:
    shown = {**cell, "id": name, "metadata": dict(cell.get("metadata", {}))}
    shown["source"] = _text(cell)
    if cell["cell_type"] == "code":
        shown["outputs"] = cell.get("outputs") or []
        shown.setdefault("execution_count", None)
    return shown


def _valid(name: object) -> str | None:
    """An id as the format has them; JupyterLab complains about any other at every load."""
    return name if isinstance(name, str) and _ID.fullmatch(name) else None


def edited(
    document: Mapping[str, Any],
    ids: Sequence[str | None],
    saved: Mapping[str, Any],
    kernelspec: Mapping[str, str],
) -> Edited:
    """Put what was edited into a notebook's document.

    Parameters
    ----------
    document : mapping
        The notebook as its file holds it.
    ids : sequence of (str or None)
        By what ids its cells are known where it was edited.
    saved : mapping
        What JupyterLab hands back, without what was injected.
    kernelspec : mapping of str to str
        The kernel that `opened` had named.
    """
    file = _File(document)
    cells = list(saved["cells"])
    origins = _origins(document["cells"], ids, cells)
    named: list[str | None] = []
    taken = {str(document["cells"][place].get("id")) for place in origins if place is not None}
    taken |= {str(cell["id"]) for cell in document["cells"] if is_injected(cell) and "id" in cell}
    new: list[dict[str, Any]] = []
    for cell, place in zip(cells, origins, strict=True):
        if place is None:
            new.append(file.added(cell, _free(str(cell.get("id") or "cell"), taken)))
        else:
            new.append(file.changed(document["cells"][place], cell))
        known = str(cell.get("id") or "")
        named.append("" if known in named else known)
    _with_hidden(document["cells"], ids, (new, origins, named))
    metadata = _metadata_of(document, saved, kernelspec)
    whole = {**document, "cells": new}
    if metadata or "metadata" in document:
        whole["metadata"] = metadata
    return Edited(document=whole, origins=tuple(origins), ids=tuple(named))


def with_edits(text: str, change: Edited) -> str:
    """Write an edited notebook into the text of its file; all else keeps its bytes."""
    return rewritten(text, change.document, {"cells": change.origins})


def _with_hidden(
    cells: Sequence[Mapping[str, Any]],
    ids: Sequence[str | None],
    lists: tuple[list[Any], list[int | None], list[str | None]],
) -> None:
    """Put cells that were not shown back behind the cell that they stood behind.

    Those are the cells without an id, not those that are tagged: somebody may tag one just now.
    """
    new, origins, named = lists
    for index, cell in enumerate(cells):
        if ids[index] is not None:
            continue
        before = [p for p in origins if p is not None and p < index]
        place = origins.index(max(before)) + 1 if before else 0
        new.insert(place, cell)
        origins.insert(place, index)
        named.insert(place, None)


def _origins(
    file: Sequence[Mapping[str, Any]], ids: Sequence[str | None], saved: Sequence[Mapping[str, Any]]
) -> list[int | None]:
    """Find the cell of the file that each saved cell was: by its id, else by what it holds."""
    by_id = {name: place for place, name in enumerate(ids) if name}
    origins: list[int | None] = [by_id.pop(str(cell.get("id") or ""), None) for cell in saved]
    left: dict[tuple[str, str], list[int]] = {}
    for place, name in enumerate(ids):
        if name is not None and place not in origins:
            left.setdefault((file[place]["cell_type"], _text(file[place])), []).append(place)
    for index, cell in enumerate(saved):
        alike = left.get((cell["cell_type"], _text(cell)))
        if origins[index] is None and alike:
            origins[index] = alike.pop(0)
    return origins


class _File:
    """What a notebook's file has, and what it therefore takes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        cells = document["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code" and not is_injected(cell)]
        self.has_outputs = any(cell.get("outputs") for cell in code)
        self.has_counts = any(cell.get("execution_count") is not None for cell in code)
        self.has_ids = document.get("nbformat_minor", 0) >= _IDS_SINCE
        self.as_lines = not any(isinstance(cell.get("source"), str) for cell in cells)
        self.like: Mapping[str, Any] = next(iter(code), {})

    def added(self, saved: Mapping[str, Any], name: str) -> dict[str, Any]:
        """A cell that the file has not had."""
        kept = {k: v for k, v in saved.get("metadata", {}).items() if k not in _PASSING}
        cell = {
            **{k: v for k, v in saved.items() if k in ("attachments", "cell_type")},
            "metadata": kept,
            "source": _split(_text(saved), None) if self.as_lines else _text(saved),
            **self._results({}, saved),
            **({"id": name} if self.has_ids else {}),
        }
        return _ordered(cell, self.like)

    def changed(self, own: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
        """A cell that the file has, with what was edited in it."""
        cell = dict(own)
        cell["cell_type"] = saved["cell_type"]
        if _unix(_text(own)) != _unix(_text(saved)):
            is_text = isinstance(own.get("source"), str)
            cell["source"] = _text(saved) if is_text else _split(_text(saved), own["source"])
        metadata = _merged(own.get("metadata", {}), saved.get("metadata", {}), _PASSING)
        if metadata or "metadata" in own:
            cell["metadata"] = metadata
        for name in ("outputs", "execution_count"):
            cell.pop(name, None)
        cell |= self._results(own, saved)
        if saved.get("attachments"):
            cell["attachments"] = saved["attachments"]
        else:
            cell.pop("attachments", None)
        return _ordered(cell, own)

    def _results(self, own: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs and count of a code cell: as they were saved, if the file holds any."""
        if saved["cell_type"] != "code":
            return {}
        results: dict[str, Any] = {}
        kept = own.get("outputs") or []
        outputs = saved.get("outputs", []) if self.has_outputs else kept
        is_kept = _joined(outputs) == _joined(kept)
        results["outputs"] = own.get("outputs", []) if is_kept else _lines(outputs)
        count = saved.get("execution_count") if self.has_counts else own.get("execution_count")
        results["execution_count"] = count
        if own.get("cell_type") != "code":
            return results
        return {k: v for k, v in results.items() if k in own or v not in ([], None)}


def _merged(
    own: Mapping[str, Any], saved: Mapping[str, Any], passing: Iterable[str]
) -> dict[str, Any]:
    """The file's metadata with what was edited; what passes stays as the file has it."""
    spared = frozenset(passing)
    kept = {key: value for key, value in own.items() if key in spared or key in saved}
    told = {key: value for key, value in saved.items() if key not in spared}
    changes = {k: v for k, v in told.items() if k not in own or not same(own[k], v)}
    return _ordered({**kept, **changes}, own)


def _metadata_of(
    document: Mapping[str, Any], saved: Mapping[str, Any], kernelspec: Mapping[str, str]
) -> dict[str, Any]:
    """The notebook's metadata; its kernel is written anew only if somebody chose another one."""
    own, told = document.get("metadata", {}), saved.get("metadata", {})
    chosen = (told.get("kernelspec") or {}).get("name", kernelspec.get("name"))
    is_other = chosen != kernelspec.get("name")
    return _merged(
        own, told, _OWN_METADATA - ({"kernelspec", "language_info"} if is_other else set())
    )


def _ordered(value: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """Bring keys into the order of a pattern; others come where they sort, or to the end."""
    known = [key for key in like if key in value]
    others = [key for key in value if key not in like]
    is_sorted = list(like) == sorted(like)
    keys = sorted(value) if is_sorted else [*known, *sorted(others, key=_rank)]
    return {key: value[key] for key in keys}


def _rank(key: str) -> tuple[int, str]:
    return (_ORDER.index(key) if key in _ORDER else len(_ORDER), key)


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _unix(text: str) -> str:
    """A text with the line ends that an editor in a browser gives it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _split(text: str, like: Sequence[str] | None) -> list[str]:
    """Cut a text into the lines that a file holds, in the way in which it was cut before."""
    usual = text.splitlines(keepends=True)
    if like is None or list(like) == "".join(like).splitlines(keepends=True):
        return usual
    pieces = text.split("\n")
    return [f"{piece}\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _lines(value: Any) -> Any:
    """Outputs as files hold them: long texts cut into lines."""
    return _in_texts(value, lambda text: text.splitlines(keepends=True))


def _joined(value: Any) -> Any:
    """Outputs as JupyterLab hands them back: every text whole."""
    return _in_texts(value, lambda text: text)


def _in_texts(outputs: Any, form: Any) -> Any:
    formed = []
    for output in outputs:
        item = dict(output)
        if isinstance(item.get("text"), str | list):
            item["text"] = form("".join(item["text"]))
        if isinstance(item.get("data"), dict):
            item["data"] = {
                kind: form("".join(data))
                if not _is_json(kind) and isinstance(data, str | list)
                else data
                for kind, data in item["data"].items()
            }
        formed.append(item)
    return formed


def _free(name: str, taken: set[str]) -> str:
    """A name that is not taken yet, and takes it."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name[:56]}-{number}", number + 1
    taken.add(found)
    return found
