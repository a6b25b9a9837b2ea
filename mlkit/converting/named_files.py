"""The files that a notebook reads and writes, where its text names them.

A name in the text becomes a parameter of the stage, so that the pipeline can say where the file is.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mlkit.converting.observing import Observation
from mlkit.converting.parts import Cell
from mlkit.converting.planning import Conversion, StagePlan
from mlkit.converting.statement_roles import Roles

__all__ = ["Edit", "FilePlan", "plan_files"]

_LONGEST = 250


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A text constant of a cell that gives way to a name; lines from 1, columns in UTF-8 bytes."""

    cell: int
    line: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """The files of one stage.

    Parameters
    ----------
    inputs : mapping of str to str
        Parameter → the file's path from the original's folder, or `STAGE.OUTPUT`.
    outputs : mapping of str to str
        Parameter → the file's name.
    edits : tuple of Edit
        Where the text names them.
    script_edits : mapping of str to str
        Files that `%run` reads → the parameter that holds the path.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A text in a cell that names a file."""

    cell: Cell
    node: ast.Constant
    path: str


def plan_files(
    conversion: Conversion, observation: Observation, source_folder: str
) -> tuple[dict[str, FilePlan], list[str]]:
    """Find each stage's files.

    Returns
    -------
    dict of str to FilePlan
        By stage.
    list of str
        What people should know.
    """
    remarks: list[str] = []
    plans: dict[str, FilePlan] = {}
    writers: dict[str, tuple[str, str]] = {}  # path → stage, output
    start = dict(observation.looks[-1].files)
    before: Mapping[str, tuple[int, int]] = start
    for stage in conversion.stages:
        after = observation.looks[stage.part.end].files
        fresh = {path for path, marks in after.items() if before.get(path) != marks}
        plan = _plan_stage(stage, conversion.roles, fresh, start, writers, remarks)
        plans[stage.part.name] = plan
        for name, file in plan.outputs.items():
            path = next(p for p in fresh if PurePosixPath(p).name == file)
            writers[path] = (stage.part.name, name)
        unnamed = sorted(fresh - {p for p, (by, _) in writers.items() if by == stage.part.name})
        if unnamed:
            shown = ", ".join(unnamed[:3]) + (" …" if len(unnamed) > 3 else "")
            remarks.append(
                f"'{stage.part.name}' writes {shown} under a name that its text does not spell: "
                "declare it as an output, or it is dropped"
            )
        before = after
    return plans, remarks


def _plan_stage(
    stage: StagePlan,
    roles: Roles,
    fresh: set[str],
    start: Mapping[str, tuple[int, int]],
    writers: Mapping[str, tuple[str, str]],
    remarks: list[str],
) -> FilePlan:
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    edits: list[Edit] = []
    taken = {carried.name for carried in (*stage.takes, *stage.gives)} | set(stage.parameters)
    known: dict[str, str] = {}

    def parameter(path: str, ending: str) -> str:
        if path not in known:
            base = re.sub(r"\W+", "_", PurePosixPath(path).stem).strip("_").lower() or "file"
            base = f"file_{base}" if base[0].isdigit() else base
            name, further = f"{base}_{ending}", 2
            while name in taken or name in known.values():
                name, further = f"{base}_{ending}_{further}", further + 1
            known[path] = name
        return known[path]

    def place(path: str) -> str | None:
        """The parameter under which a path is handed to the stage."""
        if path in fresh:
            name = parameter(path, "file")
            outputs[name] = PurePosixPath(path).name
        elif path in writers:
            name = parameter(path, "file")
            inputs[name] = ".".join(writers[path])
        elif path in start:
            name = parameter(path, "file")
            inputs[name] = f"file:{path}"
        elif any(other.startswith(f"{path}/") for other in start):
            name = parameter(path, "folder")
            inputs[name] = f"file:{path}/"
        else:
            return None
        return name

    for literal in stage.parameters:
        value = roles.value_of(literal)
        path = _path_of(value) if isinstance(value, str) else None
        if path is not None:
            known[path] = literal
            if place(path) is None:
                del known[path]
    moved = {id(s) for cell in stage.part.code for s in roles.moved(cell)}
    for named in _named_files(stage.part.code, moved):
        if named.path in fresh and named.path in start:
            remarks.append(
                f"'{stage.part.name}' writes {named.path}, which was there before: "
                "a stage never changes a file of another; the original stays as it is"
            )
        name = place(named.path)
        if name is not None:
            edits.append(_edit(named, name))
    scripts = {}
    for script in (*stage.scripts, *(s for cell in stage.part.code for s in cell.scripts)):
        path = _path_of(script) or script
        if path in start:
            scripts[script] = parameter(path, "script")
            inputs[scripts[script]] = f"file:{path}"
    return FilePlan(inputs=inputs, outputs=outputs, edits=tuple(edits), scripts=scripts)


def _named_files(cells: Sequence[Cell], moved: set[int]) -> Iterator[_Named]:
    """Texts that stand where a path may stand: as an argument, or in a list."""
    for cell in cells:
        for statement in cell.statements:
            if id(statement) in moved and not isinstance(
                statement.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            ):
                continue
            for parent in ast.walk(statement.node):
                for child in _arguments(parent):
                    path = _path_of(str(child.value))
                    if path is not None and child.lineno == child.end_lineno:
                        yield _Named(cell=cell, node=child, path=path)


def _arguments(parent: ast.AST) -> Iterator[ast.Constant]:
    nodes: list[ast.AST] = []
    if isinstance(parent, ast.Call):
        nodes = [*parent.args, *(word.value for word in parent.keywords)]
    elif isinstance(parent, ast.List | ast.Tuple):
        nodes = list(parent.elts)
    elif isinstance(parent, ast.Assign):
        nodes = [parent.value]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def _path_of(text: str) -> str | None:
    """A relative path in its plain form, if a text may be one."""
    if not text or len(text) > _LONGEST or "\n" in text or "\0" in text or "://" in text:
        return None
    plain = os.path.normpath(text).replace(os.sep, "/")
    return None if plain.startswith(("/", "..", "~")) or plain == "." else plain


def _edit(named: _Named, name: str) -> Edit:
    node = named.node
    assert node.end_col_offset is not None
    return Edit(
        cell=named.cell.index,
        line=node.lineno,
        start=node.col_offset,
        end=node.end_col_offset,
        text=name,
    )
