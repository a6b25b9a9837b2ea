"""What is drawn in a panel: changes of pipeline.yaml, each of which can be undone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mlkit.beginning.new_stage import NewStage, add_stage, exact_text
from mlkit.beginning.redrawing import (
    redraw,
    with_input,
    with_name,
    without_input,
    without_stage,
)
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["Drawings"]

_MOST_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A change: the file's text before and after, and a notebook that was written with it."""

    before: str
    after: str
    notebook: Path | None = None
    content: bytes = b""


class Drawings:
    """The changes that were drawn in one server; its methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: dict[Path, list[_Step]] = {}

    def draw(self, file: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make one change; `do` says which.

        Raises
        ------
        MlkitError
            If it cannot be made, or would leave an invalid pipeline; then nothing has changed.
        """
        with self._lock:
            what = str(asked.get("do"))
            if what == "undo":
                self._undo(file)
            else:
                step = _add(file, asked) if what == "add" else _change(file, what, asked)
                steps = self._steps.setdefault(file, [])
                steps.append(step)
                del steps[:-_MOST_STEPS]
            return {"undo": len(self._steps.get(file, ()))}

    def _undo(self, file: Path) -> None:
        steps = self._steps.get(file)
        if not steps:
            raise UsageError("nothing that was drawn here is left to undo")
        step = steps[-1]
        if exact_text(file) != step.after:
            raise UsageError(
                f"{file.name} has changed since, and is left as it is",
                remedy="Change it in the editor",
            )
        file.write_bytes(step.before.encode("utf-8"))
        steps.pop()
        made = step.notebook
        if made is not None and made.exists() and made.read_bytes() == step.content:
            made.unlink()


def _add(file: Path, asked: Mapping[str, Any]) -> _Step:
    """A further stage, with the notebook that it begins with."""
    before = exact_text(file)
    new = NewStage(
        name=_word(asked, "name"),
        inputs=[str(each) for each in asked.get("inputs") or ()],
        outputs=[str(each) for each in asked.get("outputs") or ()],
    )
    added = add_stage(file, new)
    notebook = added.notebook if added.notebook_is_new else None
    content = b"" if notebook is None else notebook.read_bytes()
    after = exact_text(file)
    return _Step(before=before, after=after, notebook=notebook, content=content)


def _change(file: Path, what: str, asked: Mapping[str, Any]) -> _Step:
    word = partial(_word, asked)
    changes: dict[str, Callable[[str], str]] = {
        "delete": lambda text: without_stage(text, word("stage")),
        "rename": lambda text: with_name(text, word("stage"), word("name")),
        "wire": lambda text: with_input(text, word("stage"), word("input"), word("source")),
        "cut": lambda text: without_input(text, word("stage"), word("input")),
    }
    if what not in changes:
        raise UsageError(f"'{what}' is nothing that can be drawn")
    before, after = redraw(file, changes[what])
    return _Step(before=before, after=after)


def _word(asked: Mapping[str, Any], name: str) -> str:
    found = asked.get(name)
    if not isinstance(found, str) or not found.strip():
        raise UsageError(f"the {name} is missing")
    return found.strip()
