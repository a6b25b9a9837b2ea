"""What kind of failure a shortened one is, in words.

The rules of the machine know nothing of this list; it only gives names to what they find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import get_args

from tests.planner.never_stale.edits import SEVERAL
from tests.planner.never_stale.shortening import Short
from tests.planner.never_stale.state import Stage, State
from tests.planner.never_stale.ways import Kind

__all__ = ["DESCRIBED", "KINDS", "kind_of"]

_ELSEWHERE = (
    *("worker", "spawned worker", "joblib", "python -m", "python -c", "shell", "subprocess"),
    *("system", "package worker", "package child", "worker reads", "cat", "shell cat"),
    "worker asks",
)
"""Ways that read in a process other than the kernel's."""

_NOT_IMPORTED = ("run -m", "run_module", "run", "exec", "compile", "run_path", "spec", "files",
                 "get_data", "__file__")  # fmt: skip
_APPEARING = ("file appears", "package folder appears", "file renamed")
_ANY_READ = get_args(Kind)
_CHANGING = ("file changed", "file rewritten", "file gone")
_MISSED = (*_CHANGING, "file renamed")


def _about(
    *kinds: str, edits: tuple[str, ...], ways: tuple[str, ...] = ()
) -> Callable[[Short], bool]:
    """A stale result of a cell that reads so, after an edit of that kind outside a run."""

    def matches(short: Short) -> bool:
        read, edit = short.read, short.edit
        return (
            short.failure.finding.symptom == "stale"
            and read is not None
            and edit is not None
            and read.how.kind in kinds
            and _change_of(short).startswith(edits)
            and not _is_during_a_run(short)
            and (not ways or read.way in ways)
        )

    return matches


def _change_of(short: Short) -> str:
    """The kind of the last edit; of one that brought an earlier state back, what that changed."""
    edit = short.edit
    if edit is None or edit.kind not in ("back to before", SEVERAL):
        return "" if edit is None else edit.kind
    before, after = short.failure.start, edit.state
    changes = {
        _change_of_files(before.files, after.files): before.files != after.files,
        "variable": before.variables != after.variables,
        "package version": before.packages != after.packages,
        "start-up file": before.start_up != after.start_up,
        "search path": before.search != after.search,
        "tag": before.stages != after.stages and _untagged(before) == _untagged(after),
        "stages": _untagged(before) != _untagged(after),
    }
    found = [kind for kind, holds in changes.items() if holds]
    return found[0] if len(found) == 1 else edit.kind


def _untagged(state: State) -> tuple[Stage, ...]:
    return tuple(
        replace(stage, reads=tuple(replace(read, tags=()) for read in stage.reads))
        for stage in state.stages
    )


def _was_copied(short: Short) -> bool:
    """Whether a package changed that had been copied without its metadata."""
    if short.edit is None or not _about("package", "module", edits=("package",))(short):
        return False
    before, after = short.failure.start.packages, short.edit.state.packages
    return any(
        not package.metadata for name, package in before.items() if after.get(name) != package
    )


def _change_of_files(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if after.keys() - before.keys():
        return "file appears"
    return "file gone" if before.keys() - after.keys() else "file changed"


def _itself(*kinds: str, edits: tuple[str, ...], ways: tuple[str, ...]) -> Callable[[Short], bool]:
    """The same for ways that see what is read, where that changed, and not what it reads itself."""
    about = _about(*kinds, edits=edits, ways=ways)

    def matches(short: Short) -> bool:
        if not about(short) or short.read is None or short.edit is None:
            return False
        before, after = short.failure.start.files, short.edit.state.files
        target = short.read.target
        changed = [p for p in {**before, **after} if before.get(p) != after.get(p)]
        parts = {part for p in changed for part in (p, *PurePosixPath(p).with_suffix("").parts)}
        return target in parts or short.edit.kind.startswith("package ")

    return matches


def _is_during_a_run(short: Short) -> bool:
    return any(edit.meanwhile for edit in short.failure.edits)


def _appears_beside_module(short: Short) -> bool:
    """Whether a package's folder appears beside a module of the same name."""
    edit = short.edit
    if edit is None or not _about("module", edits=("package folder appears", "file renamed"))(
        short
    ):
        return False
    for path in edit.state.files.keys() - short.failure.start.files.keys():
        folder = PurePosixPath(path).parent
        if path.endswith("/__init__.py") and f"{folder}.py" in edit.state.files:
            return True
    return False


def _not_fresh(edits: tuple[str, ...]) -> Callable[[Short], bool]:
    matches = _about("package", "module", edits=edits)
    return lambda short: matches(short) and short.fresh is False


def _by_other_means(short: Short) -> bool:
    """Whether a package counts for nothing although no process remembers it."""
    ways = ("package module", "package and shell", "through")
    return short.fresh is True and _about("package", edits=("package",), ways=ways)(short)


def _from_variable(short: Short) -> bool:
    return _about("parameter", edits=("variable",))(short)


def _in_place(short: Short) -> bool:
    changed = _about("module", "resource", edits=("file changed (in place)",))(short)
    return changed and short.read is not None and short.read.way not in _ELSEWHERE + _NOT_IMPORTED


def _again(short: Short) -> bool:
    return short.failure.finding.symptom == "run again"


DESCRIBED: dict[str, Callable[[Short], bool]] = {
    "a file changed during the run that read it": _is_during_a_run,
    "a package's folder appears beside a module, and Python prefers it": _appears_beside_module,
    "the source of a package that was only copied": _was_copied,
    "a package changed while one process ran the pipeline twice": _not_fresh(("package",)),
    "what only a worker or a started process reads": _itself(
        "module", "script", "package", "data", edits=(*_CHANGING, "package"), ways=_ELSEWHERE
    ),
    "a package that was imported ahead, and by other means than a plain import": _by_other_means,
    "a file read otherwise than by import": _itself(
        "module", "script", "resource", edits=_MISSED, ways=_NOT_IMPORTED
    ),
    "a module rewritten with equal size, date and inode": _in_place,
    "a module appears nearer on the search path": _about("module", edits=_APPEARING),
    "a notebook moved to a folder with other modules": _about("module", edits=("notebook moved",)),
    "a tag that changes the execution": _about(*_ANY_READ, edits=("tag",)),
    "the order of a parameter's keys": _about("parameter", edits=("order",)),
    "a parameter that comes from a variable": _from_variable,
    "the values of a mapped stage that a consumer shows": _about(
        "input names", edits=("values", "back to")
    ),
    "IPython's start-up file": _about("start-up", edits=("start-up",)),
}
"""The kinds by which people met stale results: words, and whether a failure is of that kind."""

KINDS: dict[str, Callable[[Short], bool]] = {
    **DESCRIBED,
    "a package, by whatever process or way of importing": _about(
        "package", "module", edits=("package",)
    ),
    "a data file that no input declares": _about("data", edits=_MISSED),
    "a file that is asked for, or listed": _about(
        "existence", "listing", edits=(*_APPEARING, *_CHANGING)
    ),
    "an environment variable": _about("variable", "module", "script", edits=("variable",)),
    "the search path": _about("module", "script", "resource", edits=("search path",)),
    "another checkout on the same runs folder": lambda short: (
        short.edit is not None and short.edit.kind == "another checkout"
    ),
    "run again although only a date changed": lambda short: (
        _again(short) and short.edit is not None and "date" in short.edit.words
    ),
    "run again although nothing changed": _again,
}
"""All kinds that have a name; the first that holds counts."""


def kind_of(short: Short) -> str:
    """Name the kind of a failure."""
    for words, holds in KINDS.items():
        if holds(short):
            return words
    read = "several cells" if short.read is None else short.read.how.kind
    edit = "nothing" if short.edit is None else short.edit.kind
    return f"other: {short.failure.finding.symptom}, {read} after {edit}"
