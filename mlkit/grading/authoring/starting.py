"""Begin an exercise: a solution that works, and the words beside it, to be changed bit by bit."""

from __future__ import annotations

import builtins
import contextlib
import json
import keyword
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.exercise.source import notebook_text

__all__ = ["begin"]

TEMPLATE = Path(__file__).with_name("template")
TAKEN = {"contextlib", "empty", "four", "io", "mlkit", "numbers", "outcome", "three"}
LONGEST = 40  # a cell's id has at most 64 characters, and `feedback-` and `-other` belong to it


def begin(
    name: str, folder: Path, *, title: str | None = None, data: Sequence[Path] = ()
) -> list[Path]:
    """Write a new exercise's solution and words, and copy its data beside them.

    Parameters
    ----------
    name : str
        The stem of its files.
    folder : Path
        The folder of solutions; it is made if need be.
    title : str, optional
        The notebook's heading.
    data : sequence of Path
        Files that the exercise works on.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    GradingError
        If the name cannot be one, or something of that name is there already; then nothing is
        written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or len(name) > LONGEST:
        raise GradingError(
            f"{name!r} cannot be the name of an exercise",
            remedy=f"Names are up to {LONGEST} letters, digits and hyphens: 03-mean-delay.",
        )
    places = [folder / "data" / path.name for path in data]
    _refuse(folder, [folder / f"{name}.ipynb", folder / f"{name}.yaml"], data, places)
    function = _function(name)
    texts = {
        suffix: _renamed(
            (TEMPLATE / f"mean-of{suffix}").read_text(encoding="utf-8"), name, function
        )
        for suffix in (".ipynb", ".yaml")
    }
    names = [f"data/{path.name}" for path in data]
    texts[".ipynb"] = _notebook(json.loads(texts[".ipynb"]), title, names)
    texts[".yaml"] = texts[".yaml"].replace("data: []", f"data: {json.dumps(names)}", 1)
    contents = {place: path.read_bytes() for path, place in zip(data, places, strict=True)}
    contents |= {folder / f"{name}{suffix}": text.encode() for suffix, text in texts.items()}
    _write(contents)
    return [*(folder / f"{name}{suffix}" for suffix in texts), *places]


def _write(contents: Mapping[Path, bytes]) -> None:
    """Write all of some new files, or none."""
    written: list[Path] = []
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            path.write_bytes(content)
    except OSError as error:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise GradingError(f"the file cannot be written: {reason}", path) from error


def _refuse(
    folder: Path, wanted: Sequence[Path], data: Sequence[Path], places: Sequence[Path]
) -> None:
    """Refuse what cannot be done, before anything is written."""
    if folder.exists() and not folder.is_dir():
        raise GradingError("this is no folder, and solutions would be put into it", folder)
    for path in (*wanted, *places):
        if os.path.lexists(path):
            remedy = "Give another name, or move this away first."
            raise GradingError(
                "there is something of that name already", path, remedy=remedy, code="E806"
            )
    for path in data:
        if not path.is_file():
            raise GradingError("there is no such file of data", path)
    doubles = {path.name for path in data if [p.name for p in data].count(path.name) > 1}
    if doubles:
        raise GradingError(f"two files of data are called {min(doubles)!r}")


def _function(name: str) -> str:
    """The name of a function to begin with: `03-mean-delay` → `mean_delay`."""
    function = re.sub(r"^[^a-z]+", "", name.lower()).replace("-", "_").strip("_")
    if not function:
        return "answer"
    taken = keyword.iskeyword(function) or function in TAKEN or hasattr(builtins, function)
    return f"{function}_of" if taken else function


def _renamed(text: str, name: str, function: str) -> str:
    """The template's text under the new exercise's name, its function under its own."""
    meant = {"mean-of.": f"{name}.", "mean-of": function.replace("_", "-"), "mean_of": function}
    return re.sub(r"mean-of\.(?=yaml|ipynb)|mean-of|mean_of", lambda m: meant[m[0]], text)


def _notebook(notebook: dict[str, Any], title: str | None, names: Sequence[str]) -> str:
    for cell in notebook["cells"]:
        if cell["id"] == "title" and title:
            cell["source"][0] = f"# {' '.join(title.split())}\n"
        if cell["id"] == "setup" and names:
            lines = [f'DATA = Path("{names[0]}")', f"# There is also {', '.join(names[1:])}."]
            cell["source"] = [
                line.replace("import io\n", "import io\nfrom pathlib import Path\n")
                for line in cell["source"]
            ]
            added = "\n".join(lines if names[1:] else lines[:1])
            cell["source"] += [f"\n\n{added}"]
            cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    return notebook_text(notebook)
