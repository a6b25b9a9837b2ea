"""What would keep an exercise from running on another machine, read from its code."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mlkit.errors import DISTRIBUTION, GradingError
from mlkit.grading.exercise.roles import line_of_cell
from mlkit.grading.exercise.source import Exercise
from mlkit.inside.checks.check_notebook import cell_text

__all__ = ["hindrances"]

EVERYWHERE = ("/usr", "/bin", "/lib", "/dev", "/proc", "/sys", "/etc", "/tmp", "/var")
LONGEST_PATH = 200


def hindrances(exercise: Exercise, path: Path, ids: Iterable[str]) -> Iterator[GradingError]:
    """Places of this machine, files that learners do not get, packages that they do not have.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    path : Path
        Its solution.
    ids : iterable of str
        The ids of the cells in the solution's file, in their order there.
    """
    numbers = {name: number for number, name in enumerate(ids)}
    known = _brought_along(exercise.words.packages if exercise.words else ())
    for cell in exercise.notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        number = numbers.get(cell["id"], 0)
        for node in ast.walk(_tree(cell_text(cell))):
            found = _about_import(node, path, known, exercise) or _about_text(node, path, exercise)
            if found:
                message, remedy = found
                line = _line(path, number, getattr(node, "lineno", 1))
                yield GradingError(f"the cell {cell['id']!r} {message}", path, line, remedy)


def _tree(source: str) -> ast.Module:
    """A cell's syntax tree without IPython's own lines; empty if it is no Python."""
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _about_text(node: ast.AST, path: Path, exercise: Exercise) -> tuple[str, str] | None:
    """Whether a text of the code names a place that is not there for others."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return None
    text = node.value
    if not 1 < len(text) < LONGEST_PATH or "\n" in text or "\0" in text:
        return None
    beside = "Put the file beside the notebook and name it under 'data' in the exercise's .yaml."
    if text.startswith(("/", "~/")) and _is_own_place(text):
        return f"names {text!r}, a place on this machine", beside
    if text.startswith(("../", "..\\")) and (path.parent / text).exists():
        return f"names {text!r}, which lies outside the exercise's folder", beside
    place = path.parent / text
    if place.suffix and place.is_file() and Path(text).as_posix() not in exercise.data:
        remedy = f"Name it there: data: [{Path(text).as_posix()}]"
        return f"reads {text!r}, which is not named under 'data', so learners do not get it", remedy
    return None


def _is_own_place(text: str) -> bool:
    """Whether a path is there, and would not be on every machine; what is not is only a text.

    Folders such as /tmp are everywhere, but no file that happens to lie in it.
    """
    try:
        place = Path(text).expanduser()
        if text.startswith("/tmp/"):
            return place.is_file()
        return not text.startswith(EVERYWHERE) and place.exists()
    except (OSError, RuntimeError):
        return False


def _about_import(
    node: ast.AST, path: Path, known: frozenset[str], exercise: Exercise
) -> tuple[str, str] | None:
    """Whether code imports what learners may not have."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [node.module]
    else:
        return None
    for name in (name.partition(".")[0] for name in names):
        given = any(one == f"{name}.py" or one.startswith(f"{name}/") for one in exercise.data)
        if given or name in sys.stdlib_module_names or name in known:
            continue
        if (path.parent / f"{name}.py").is_file():
            remedy = f"Name it under 'data' in the exercise's .yaml: data: [{name}.py]"
            return f"imports {name!r}, a file that learners do not get", remedy
        package = next(iter(packages_distributions().get(name, ())), name)
        remedy = f"Name it under 'packages' in the exercise's .yaml: packages: [{package}]"
        return f"imports {name!r}, which mlkit does not bring along", remedy
    return None


def _brought_along(packages: Iterable[str]) -> frozenset[str]:
    """The modules that come with mlkit, or with what an exercise asks for."""
    wanted = {DISTRIBUTION}
    for text in packages:
        try:
            wanted.add(Requirement(text).name)
        except InvalidRequirement:
            wanted.add(text)
    there = frozenset().union(*map(_with_requirements, wanted))
    modules = {
        module
        for module, owners in packages_distributions().items()
        if any(canonicalize_name(owner) in there for owner in owners)
    }
    return frozenset(
        modules | {"mlkit"} | {canonicalize_name(name).replace("-", "_") for name in wanted}
    )


@functools.cache
def _with_requirements(distribution: str) -> frozenset[str]:
    """A distribution, and all that pip would install with it."""
    found: set[str] = set()
    left = [distribution]
    while left:
        name = left.pop()
        if canonicalize_name(name) in found:
            continue
        found.add(canonicalize_name(name))
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        no_extra: dict[str, Any] = {"extra": ""}
        left += [one.name for one in needed if not one.marker or one.marker.evaluate(no_extra)]
    return frozenset(found)


def _line(path: Path, number: int, lineno: int) -> int | None:
    """The line of a notebook's file where a line of a cell's source stands."""
    start = line_of_cell(path, number)
    if start is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    for place in range(start - 1, len(lines)):
        if place > start - 1 and '"cell_type"' in lines[place]:
            break
        if lines[place].strip() == '"source": [':
            return place + 1 + lineno
    return start
