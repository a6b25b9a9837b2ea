"""The notebook of an attempt that failed, as somebody goes on in it, and how it becomes the source.

It stands in a folder of its own that only its owner reads: what is tried out in it is no part of
the run's record. Its cells are those of the source with the outputs of the attempt, so that what
was corrected can be put into the source's own text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import NotebookError, UsageError
from mlkit.frozen import dataclass
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.edits import edited, opened
from mlkit.notebook.injection import is_injected
from mlkit.notebook.source_file import SourceFile

__all__ = ["LiveNotebook", "open_live_notebook", "take_over"]

_STATE = ".mlkit-live.json"


@dataclass(frozen=True, kw_only=True)
class LiveNotebook:
    """A notebook to go on in.

    Parameters
    ----------
    path : Path
        Where it stands.
    cell : str, optional
        The id of the cell that failed.
    """

    path: Path
    cell: str | None


def open_live_notebook(
    folder: Path, source: Path, executed: Path, kernelspec: Mapping[str, str]
) -> LiveNotebook:
    """Write the notebook of an attempt for somebody to go on in; one that is there stays.

    Parameters
    ----------
    folder : Path
        Where it is to stand, alone.
    source : Path
        The stage's notebook.
    executed : Path
        What the attempt has left of it.
    kernelspec : mapping of str to str
        The kernel that has run it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path, state = folder / source.with_suffix(".ipynb").name, folder / _STATE
    if path.is_file() and state.is_file():
        return LiveNotebook(path=path, cell=_read(state)["failed"])
    document = parse_notebook(executed.read_text(encoding="utf-8"), executed).document
    own = [cell for cell in document["cells"] if not is_injected(cell)]
    file = _unchanged(source, own)
    base = {**document, "cells": own} if file is None else file.document
    shown = opened(base, kernelspec)
    cells = iter(shown.document["cells"])
    failed, whole = None, []
    for cell in document["cells"]:
        if is_injected(cell):
            whole.append({**cell, "id": str(cell.get("id") or "injected-parameters")})
            continue
        name = next(cells)
        results = ("outputs", "execution_count")
        whole.append({**name, **{key: cell[key] for key in results if key in cell}})
        if cell.get("metadata", {}).get("mlkit", {}).get("status") == "failed":
            failed = name["id"]
    facts = {
        "failed": failed,
        "source": str(source),
        "digest": None if file is None else file.digest,
        "ids": list(shown.ids),
        "kernelspec": dict(kernelspec),
    }
    _write(path, json.dumps({**shown.document, "cells": whole}, ensure_ascii=False, indent=1))
    _write(state, json.dumps(facts))
    return LiveNotebook(path=path, cell=failed)


def _unchanged(source: Path, own: Iterable[Mapping[str, Any]]) -> SourceFile | None:
    """The source's file, if it still holds the cells that the attempt has executed."""
    try:
        file = SourceFile.read(source)
    except NotebookError:
        return None
    cells = [cell for cell in file.document["cells"] if not is_injected(cell)]
    return file if list(map(_key, cells)) == list(map(_key, own)) else None


def _key(cell: Mapping[str, Any]) -> tuple[str, str]:
    return cell["cell_type"], "".join(cell.get("source", ""))


def take_over(folder: Path, source: Path) -> bool:
    """Write what was corrected in a live notebook into the source; no output goes with it.

    Parameters
    ----------
    folder : Path
        Where the live notebook stands.
    source : Path
        The stage's notebook.

    Returns
    -------
    bool
        Whether there was anything to write.

    Raises
    ------
    UsageError
        If there is no live notebook, or the source has changed since.
    """
    path, state = folder / source.with_suffix(".ipynb").name, folder / _STATE
    if not path.is_file() or not state.is_file():
        raise UsageError(
            "there is nothing to take over: the stage's notebook was not opened by --live",
            remedy="Open it by --live, correct it, and save it first",
            code="E101",
        )
    facts, file = _read(state), SourceFile.read(source)
    if facts["digest"] != file.digest:
        since = "the stage ran" if facts["digest"] is None else "it was opened or taken over"
        raise UsageError(
            f"nothing was taken over: the notebook has changed on disk since {since}",
            source,
            remedy=f"Copy what you have corrected from {path}",
            code="E103",
        )
    live = parse_notebook(path.read_text(encoding="utf-8"), path).document
    cells = _without_results(live["cells"], facts["ids"], file.document["cells"])
    change = edited(file.document, facts["ids"], {**live, "cells": cells}, facts["kernelspec"])
    data = file.with_change(change)
    if data != file.data:
        _replace(source, data)
    now = SourceFile.of(data, source)
    _write(state, json.dumps({**facts, "digest": now.digest, "ids": list(change.ids)}))
    return data != file.data


def _without_results(
    live: Iterable[Mapping[str, Any]],
    ids: Iterable[str | None],
    file: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The cells of a live notebook, with the outputs that the source has, if any."""
    known = dict(zip(ids, file, strict=True))
    bare = []
    for cell in live:
        if is_injected(cell):
            continue
        kept = {k: v for k, v in cell.items() if k not in ("outputs", "execution_count")}
        if cell["cell_type"] == "code":
            own = known.get(cell.get("id"), {})
            kept |= {"outputs": own.get("outputs") or []}
            kept |= {"execution_count": own.get("execution_count")}
        bare.append({"metadata": {}, **kept})
    return bare


def _read(state: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    return document


def _write(path: Path, text: str) -> None:
    _replace(path, f"{text}\n".encode("utf-8", "backslashreplace"))


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one piece; a link to it still leads to it."""
    place = Path(os.path.realpath(path))
    # Two may open the same at once, a terminal and a panel: each has a file of its own.
    aside = place.with_name(f".{place.name}.{os.urandom(4).hex()}.part")
    aside.write_bytes(data)
    if place.exists():
        aside.chmod(place.stat().st_mode & 0o7777)
    aside.replace(place)
