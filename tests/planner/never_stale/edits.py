"""Edits: one state becomes another, in a manner, and can be told in words.

An edit names what is changed and how, never what reads it: the machine crosses them with the ways
of reading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.planner.never_stale.state import (
    Package,
    Project,
    Read,
    Stage,
    State,
    package_text,
    with_token,
)
from tests.planner.never_stale.world import Manner

__all__ = ["SEVERAL", "Edit", "add_cell", "appear", "check_out", "drop_cell", "during_a_run",
           "install", "move_notebook", "note_nearby", "order_parameters", "prose", "rename",
           "restart", "return_to", "rewrite", "search_in", "set_parameter", "set_start_up",
           "set_values", "set_variable", "swap_cells", "tag_cell", "together", "touch", "uninstall",
           "vanish"]  # fmt: skip

SEVERAL = "several at once"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit.

    Parameters
    ----------
    kind : str
        The kind of change, a few words.
    words : str
        The whole change.
    state : State
        What is so afterwards.
    manner : str
        How changed files come to their places.
    renamed : tuple of str, optional
        A file that is renamed, and its new name.
    touched : str, optional
        A file that gets another date.
    harmless : bool
        No result depends on it: all of them have to be reused.
    fresh : bool
        Another process runs the pipeline from now on.
    meanwhile : bool
        It happens while the pipeline runs: all stages, because that is forced.
    about : Read, optional
        The cell for whose sake it is made.
    parts : tuple of Edit
        The edits that it consists of, one after the other, if it is several at once.
    """

    kind: str
    words: str
    state: State
    manner: Manner = "anew"
    renamed: tuple[str, str] | None = None
    touched: str | None = None
    harmless: bool = False
    fresh: bool = False
    meanwhile: bool = False
    about: Read | None = None
    parts: tuple[Edit, ...] = ()


def together(parts: tuple[Edit, ...]) -> Edit:
    """Several edits, each of the state that the one before has left, and one run after them."""
    if len(parts) == 1:
        return parts[0]
    return Edit(
        kind=SEVERAL,
        words=", and ".join(part.words for part in parts),
        state=parts[-1].state,
        fresh=any(part.fresh for part in parts),
        parts=parts,
    )


def rewrite(state: State, path: str, token: str, manner: Manner) -> Edit:
    """Another value in a file, whose size stays the same."""
    text = with_token(state.files[path], token)
    return Edit(
        kind=f"file changed ({manner})",
        words=f"{path} changes ({manner})",
        state=state.with_files({**state.files, path: text}),
        manner=manner,
    )


def appear(state: State, path: str, text: str, manner: Manner) -> Edit:
    """A file that was not there, or quite another text in one that was."""
    kind = "file rewritten" if path in state.files else "file appears"
    if kind == "file appears" and path.endswith("/__init__.py"):
        kind = "package folder appears"
    return Edit(
        kind=kind,
        words=f"{path}: {kind} ({manner})",
        state=state.with_files({**state.files, path: text}),
        manner=manner,
    )


def vanish(state: State, path: str) -> Edit:
    """A file that is gone."""
    files = {name: text for name, text in state.files.items() if name != path}
    return Edit(kind="file gone", words=f"{path} is removed", state=state.with_files(files))


def rename(state: State, path: str, new: str) -> Edit:
    """A file under another name; its date and inode stay."""
    files = {name: text for name, text in state.files.items() if name != path}
    files[new] = state.files[path]
    return Edit(
        kind="file renamed",
        words=f"{path} is renamed to {new}",
        state=state.with_files(files),
        renamed=(path, new),
    )


def set_variable(state: State, name: str, value: str | None) -> Edit:
    """An environment variable set, changed or unset."""
    left = {key: old for key, old in state.variables.items() if key != name}
    new = left if value is None else {**left, name: value}
    what = "unset" if value is None else f"set to {value}"
    return Edit(kind="variable", words=f"{name} is {what}", state=replace(state, variables=new))


def search_in(state: State, folders: tuple[str, ...]) -> Edit:
    """Other folders on PYTHONPATH, or another order of them."""
    words = f"PYTHONPATH is {':'.join(folders) or 'empty'}"
    return Edit(kind="search path", words=words, state=replace(state, search=folders))


def install(state: State, name: str, number: int, *, metadata: bool) -> Edit:
    """A package in a version, or copied without metadata."""
    package = Package(
        version=f"{number // 10}.{number % 10}" if metadata else "copied",
        text=package_text(name, f"{number:05}"),
        metadata=metadata,
    )
    kind = "package version" if metadata else "package copied without metadata"
    return Edit(
        kind=kind,
        words=f"{name}: {kind} {package.version}, {number:05}",
        state=replace(state, packages={**state.packages, name: package}),
    )


def uninstall(state: State, name: str) -> Edit:
    """A package that is gone."""
    left = {key: package for key, package in state.packages.items() if key != name}
    return Edit(
        kind="package gone", words=f"{name} is removed", state=replace(state, packages=left)
    )


def set_start_up(state: State, text: str | None) -> Edit:
    """IPython's start-up file."""
    words = "IPython's start-up file is removed" if text is None else f"start-up file: {text}"
    return Edit(kind="start-up file", words=words, state=replace(state, start_up=text))


def _cells(state: State, stage: Stage, reads: tuple[Read, ...]) -> State:
    return state.with_stage(replace(stage, reads=reads))


def add_cell(state: State, stage: Stage, read: Read) -> Edit:
    """One more cell, or another one in the place of one."""
    reads = (*(old for old in stage.reads if old.key != read.key), read)
    return Edit(
        kind="cell edited",
        words=f"{stage.name}: a cell for {read.words}",
        state=_cells(state, stage, reads),
    )


def drop_cell(state: State, stage: Stage, key: str) -> Edit:
    """One cell less."""
    reads = tuple(read for read in stage.reads if read.key != key)
    words = f"{stage.name}: the cell of {key} is removed"
    return Edit(kind="cell removed", words=words, state=_cells(state, stage, reads))


def swap_cells(state: State, stage: Stage) -> Edit:
    """The cells in the opposite order."""
    reads = stage.reads[::-1]
    words = f"{stage.name}: the cells in the opposite order"
    return Edit(kind="cells in another order", words=words, state=_cells(state, stage, reads))


def tag_cell(state: State, stage: Stage, key: str, tag: str) -> Edit:
    """A tag put on a cell, or taken off."""
    reads = tuple(_tagged(read, tag) if read.key == key else read for read in stage.reads)
    return Edit(
        kind=f"tag {tag}",
        words=f"{stage.name}: the tag {tag} is put on, or taken off, the cell of {key}",
        state=_cells(state, stage, reads),
    )


def _tagged(read: Read, tag: str) -> Read:
    tags = tuple(old for old in read.tags if old != tag)
    return replace(read, tags=tags if tag in read.tags else (*read.tags, tag))


def prose(state: State, stage: Stage, key: str, text: str) -> Edit:
    """Other words above a cell."""
    reads = tuple(replace(r, prose=text) if r.key == key else r for r in stage.reads)
    return Edit(
        kind="prose",
        words=f"{stage.name}: prose",
        state=_cells(state, stage, reads),
        harmless=True,
    )


def set_parameter(state: State, stage: Stage, name: str, value: Any) -> Edit:
    """A parameter in pipeline.yaml."""
    parameters = {**stage.parameters, name: value}
    return Edit(
        kind="parameter",
        words=f"{stage.name}: parameter {name} is {value}",
        state=state.with_stage(replace(stage, parameters=parameters)),
    )


def order_parameters(state: State, stage: Stage) -> Edit:
    """A dict parameter with its keys in the opposite order."""
    options = dict(reversed(list(stage.parameters["options"].items())))
    parameters = {**stage.parameters, "options": options}
    return Edit(
        kind="order of a parameter's keys",
        words=f"{stage.name}: parameter options is {options}",
        state=state.with_stage(replace(stage, parameters=parameters)),
    )


def set_values(state: State, stage: Stage, values: tuple[str, ...]) -> Edit:
    """Other values for a mapped stage."""
    return Edit(
        kind="values of a mapped stage",
        words=f"{stage.name}: mapped over {', '.join(values)}",
        state=state.with_stage(replace(stage, values=values)),
    )


def move_notebook(state: State, stage: Stage, folder: str) -> Edit:
    """The same notebook in another folder."""
    return Edit(
        kind="notebook moved",
        words=f"the notebook of {stage.name} moves to {folder}",
        state=state.with_stage(replace(stage, folder=folder)),
    )


def check_out(state: State) -> Edit:
    """Another checkout of the project, equal to this one if it is new."""
    other = "two" if state.here == "one" else "one"
    known = state.projects.get(other)
    project: Project = known or state.project
    return Edit(
        kind="another checkout",
        words=f"checkout {other} is run, {'as it was' if known else 'a copy'}",
        state=replace(state, projects={**state.projects, other: project}, here=other),
        harmless=project.rendered == state.project.rendered,
    )


def return_to(state: State, number: int) -> Edit:
    """A state that was so before, but for the checkouts."""
    return Edit(kind="back to before", words=f"back to the state after edit {number}", state=state)


def restart(state: State) -> Edit:
    """Nothing, but another process runs the pipeline."""
    return Edit(
        kind="another process", words="another process", state=state, harmless=True, fresh=True
    )


def touch(state: State, path: str) -> Edit:
    """A new date for a file."""
    return Edit(
        kind="file touched", words=f"{path} is touched", state=state, touched=path, harmless=True
    )


def note_nearby(state: State, path: str, text: str) -> Edit:
    """A file that nothing looks at."""
    return Edit(
        kind="unrelated file",
        words=f"{path} appears or changes, which nothing reads",
        state=state.with_files({**state.files, path: text}),
        harmless=True,
    )


def during_a_run(edit: Edit) -> Edit:
    """The same edit while the pipeline runs."""
    return replace(
        edit,
        kind=f"{edit.kind} during a run",
        words=f"while all stages run: {edit.words}",
        meanwhile=True,
    )
