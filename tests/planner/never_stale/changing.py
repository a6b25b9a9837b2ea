"""Draw edits: of what a cell reads, of the cell itself, or of anything else that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.planner.never_stale import edits
from tests.planner.never_stale.drawing import (
    PLACES,
    SEARCHES,
    reads,
    texts_for,
    tokens,
    values_of_variables,
)
from tests.planner.never_stale.edits import Edit
from tests.planner.never_stale.state import (
    NOTEBOOK_FOLDERS,
    PACKAGES,
    VARIABLES,
    Read,
    Stage,
    State,
)
from tests.planner.never_stale.ways import Kind
from tests.planner.never_stale.world import Manner

__all__ = ["changes", "changes_during_a_run"]

manners = st.sampled_from(get_args(Manner))
_AT_ONCE: tuple[Manner, ...] = ("anew", "old date")
_VALUES = (("lr", "rf"), ("xgb", "svm"), ("rf", "lr"), ("lr",))


def _likely(paths: Iterable[str], target: str) -> list[str]:
    """Those of some files that a cell which reads something is likely to look at."""
    return sorted(p for p in paths if target in {p, *Path(p).with_suffix("").parts})


@st.composite
def _of_files(draw: DrawFn, state: State, target: str) -> Edit:
    """Draw an edit of a file with another value, text, name or place; "" stands for any file."""
    present = _likely(state.files, target) if target else sorted(state.files)
    absent = [path for path in PLACES if path not in state.files]
    absent = _likely(absent, target) if target else sorted(absent)
    valued = [path for path in present if state.files[path]]
    choices: list[str] = ["value"] * 4 if valued else []
    choices += ["text"] if any(path.endswith(".py") for path in valued) else []
    choices += ["gone", "renamed"] if present and len(state.files) > 4 else []
    choices += ["new", "new"] if absent else []
    what = draw(st.sampled_from(choices or ["value"]))
    if what == "value":
        path = draw(st.sampled_from(valued or ["lib/alpha.py"]))
        return edits.rewrite(state, path, draw(tokens), draw(manners))
    if what in ("new", "text"):
        modules = [path for path in valued if path.endswith(".py")]
        path = draw(st.sampled_from(absent if what == "new" else modules))
        manner = draw(st.sampled_from(_AT_ONCE))
        return edits.appear(state, path, draw(texts_for(path)), manner)
    path = draw(st.sampled_from(present))
    ending = path.rpartition(".")[2]
    free = [p for p in PLACES if p not in state.files and p.endswith(ending)]
    if what == "gone" or not free:
        return edits.vanish(state, path)
    return edits.rename(state, path, draw(st.sampled_from(free)))


@st.composite
def _of_package(draw: DrawFn, state: State, name: str) -> Edit:
    """Draw another version of a package; or it is copied and not installed, or gone."""
    present = state.packages.get(name)
    if present is not None and draw(st.integers(0, 6)) == 0:
        return edits.uninstall(state, name)
    properly = present is None or present.metadata
    otherwise = draw(st.integers(0, 3)) == 0
    number = draw(st.integers(10, 29))
    return edits.install(state, name, number, metadata=properly is not otherwise)


@st.composite
def _of_variable(draw: DrawFn, state: State, name: str) -> Edit:
    """Draw another value of a variable, or none."""
    value = draw(st.one_of(st.none(), values_of_variables, values_of_variables))
    is_needed = any("${" + name + "}" in s.parameters.values() for s in state.stages)
    if name not in state.variables or is_needed:
        value = value or "value-other"
    return edits.set_variable(state, name, value)


@st.composite
def _of_parameter(draw: DrawFn, state: State, stage: Stage, name: str) -> Edit:
    """Draw another value of a parameter, or another order in it; or where it comes from changes."""
    if name == "options":
        if draw(st.booleans()):
            return edits.order_parameters(state, stage)
        value = {"low": draw(st.integers(3, 99)), "high": 2}
        return edits.set_parameter(state, stage, name, value)
    if stage.parameters[name] == "${SETTING_A}" and draw(st.integers(0, 2)):
        return draw(_of_variable(state, "SETTING_A"))
    given = ["${SETTING_A}"] if "SETTING_A" in state.variables else []
    month = st.sampled_from([*given, f"month-{draw(st.integers(3, 99))}"])
    return edits.set_parameter(state, stage, name, draw(month))


@st.composite
def _of_cell(draw: DrawFn, state: State, stage: Stage, key: str) -> Edit:
    """Draw a tag, another order of cells, another cell, or one less."""
    what = draw(st.sampled_from(("tag", "tag", "order", "other", "less")))
    if what == "order" and len(stage.reads) > 1:
        return edits.swap_cells(state, stage)
    if what == "less" and len(stage.reads) > 1:
        return edits.drop_cell(state, stage, key)
    if what == "other":
        kinds: Sequence[Kind] = ("code", "code", "module", "data", "variable", "package")
        return edits.add_cell(state, stage, draw(reads(key, kinds, state.files)))
    return edits.tag_cell(state, stage, key, "skip-execution")


@st.composite
def changes(draw: DrawFn, state: State) -> Edit:
    """Draw an edit: of what a cell reads, of this cell, or of anything else that counts.

    The cell is drawn first, by the kind of what it reads: so an edit of a kind that few cells
    depend on is as likely as others.
    """
    if draw(st.integers(0, 5)) == 0:
        return draw(_of_anything(state))
    cells = [(stage, read) for stage in state.stages for read in stage.reads]
    if not cells:
        stage = draw(st.sampled_from(state.stages))
        return edits.add_cell(state, stage, draw(reads("r0", ("code", "module"), state.files)))
    kind = draw(st.sampled_from(sorted({read.how.kind for _, read in cells})))
    stage, read = draw(st.sampled_from([each for each in cells if each[1].how.kind == kind]))
    if kind in ("code", "nothing") or draw(st.integers(0, 6)) == 0:
        return replace(draw(_of_cell(state, stage, read.key)), about=read)
    return replace(draw(_of_read(state, stage, read)), about=read)


@st.composite
def _of_read(draw: DrawFn, state: State, stage: Stage, read: Read) -> Edit:
    target = read.target
    elsewhere = next(folder for folder in NOTEBOOK_FOLDERS if folder != stage.folder)
    moved = edits.move_notebook(state, stage, elsewhere)
    mapped = next((each for each in state.stages if each.values), None)
    match read.how.kind:
        case "package":
            return draw(_of_package(state, target))
        case "variable":
            return draw(_of_variable(state, target))
        case "parameter":
            return draw(_of_parameter(state, stage, target))
        case "start-up":
            text = draw(st.one_of(st.none(), tokens.map('STARTED = "{}"\n'.format)))
            return edits.set_start_up(state, text)
        case "instance" | "input names" if mapped is not None:
            return edits.set_values(state, mapped, draw(st.sampled_from(_VALUES)))
        case "module" if draw(st.integers(0, 6)) == 0:
            return moved
        case "module" if draw(st.integers(0, 6)) == 0:
            return edits.search_in(state, draw(st.sampled_from(SEARCHES)))
        case _:
            return draw(_of_files(state, target))


@st.composite
def _of_anything(draw: DrawFn, state: State) -> Edit:
    """Draw an edit of something that modules read in turn, or that nobody reads."""
    stage = draw(st.sampled_from(state.stages))
    texts = "".join(state.project.rendered.values())
    choices: list[Callable[[], st.SearchStrategy[Edit]]] = [
        lambda: _of_files(state, ""),
        lambda: st.sampled_from(SEARCHES).map(lambda folders: edits.search_in(state, folders)),
        lambda: st.sampled_from(NOTEBOOK_FOLDERS).map(
            lambda folder: edits.move_notebook(state, stage, folder)
        ),
        *(lambda name=name: _of_variable(state, name) for name in VARIABLES if name in texts),
        *(lambda name=name: _of_package(state, name) for name in PACKAGES if name in texts),
    ]
    return draw(draw(st.sampled_from(choices))())


@st.composite
def changes_during_a_run(draw: DrawFn, state: State) -> Edit | None:
    """Draw another value in a file that a cell reads, while the pipeline runs, if one does."""
    cells = [read for stage in state.stages for read in stage.reads]
    found = {path: read for read in cells for path in _likely(state.files, read.target)}
    paths = [path for path in sorted(found) if state.files[path]]
    if not paths:
        return None
    path = draw(st.sampled_from(paths))
    edit = edits.rewrite(state, path, draw(tokens), draw(st.sampled_from(_AT_ONCE)))
    return replace(edits.during_a_run(edit), about=found[path])
