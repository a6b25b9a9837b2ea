"""The files that a notebook reads and writes, where its text names them.

A name in the text becomes a parameter of the stage, so that the pipeline can say where the file is.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from pathlib import PurePosixPath

from mlkit.converting.names import names_of
from mlkit.converting.observing import Marks, Observation
from mlkit.converting.parts import Cell, Statement
from mlkit.converting.planning import Conversion, StagePlan
from mlkit.converting.spelled_files import path_of
from mlkit.converting.statement_roles import Roles
from mlkit.frozen import dataclass

__all__ = ["Edit", "FilePlan", "plan_files"]

_MOST_SINGLE = 20
_ABOUT_FILES = re.compile(
    r"path|dir|folder|file|root|join|open|read|load|save|glob|walk|scan|listdir|exists|^Path$|^to_",
    re.I,
)


_PLACE = re.compile(r"\{[^{}]*\}|%[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]")
"""Where `format` or `%` puts a value into a text."""

_PATTERN = re.compile(r"[*?\[]")


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
    scripts : mapping of str to str
        Files that `%run` reads → the parameter that holds the path.
    paths : mapping of str to str
        Parameter → the file's path in the original's folder.
    brought, kept : mapping of str to str
        Parameter → where the code looks for a file, or writes it, under a name that it computes;
        a folder's ends with a slash.
    folders : tuple of str
        Folders that have to be there for that.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    brought: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Written:
    """Where a file, or the folder in which it is, comes from."""

    stage: str
    output: str
    path: str

    @property
    def reference(self) -> str:
        """As an input names it."""
        return f"{self.stage}.{self.output}"


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A text in a cell that names a file."""

    cell: Cell
    node: ast.Constant
    path: str
    is_read: bool


def plan_files(
    conversion: Conversion, observation: Observation
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
    writers: dict[str, _Written] = {}
    start = dict(observation.looks[-1].files)
    before = observation.looks[-1]
    modules: set[str] = set()
    for stage in conversion.stages:
        after = observation.looks[stage.part.end]
        if stage.part.cells[0].index == stage.part.cells[0].begins:
            modules = set()  # a kernel that begins imports what it needs itself
        fresh = {path for path, marks in after.files.items() if before.files.get(path) != marks}
        seen = [
            look
            for end, look in observation.looks.items()
            if stage.part.cells[0].index <= end <= stage.part.end
        ]
        read = {path for look in seen for path in look.read}
        gone = before.files.keys() - after.files.keys()  # removed, or given another name
        going_on = (fresh & read & before.files.keys()) | gone
        elsewhere = {
            path
            for path in start.keys() - read
            if any(other.endswith(f"/{path}") for other in read)
        }
        plan = _plan_stage(
            stage,
            fresh - going_on,
            going_on,
            {path: marks for path, marks in start.items() if path not in elsewhere},
            writers,
            remarks,
        )
        scripts = {s for part in conversion.stages for cell in part.part.code for s in cell.scripts}
        modules |= {path for path in read & start.keys() if path.endswith(".py")} - scripts
        modules |= {path for path in read & writers.keys() if path.endswith(".py")}
        wanted = (read | gone | modules | _mentioned(stage, writers)) & (before.files.keys())
        listed = {path for look in seen for path in look.listed}
        said = {word for cell in stage.part.code for word in cell.shell_words}
        words = {path for word in said if (path := path_of(word)) is not None}
        wanted |= words & before.files.keys()
        texts = _texts(stage)
        patterns = {word for word in said if _PATTERN.search(word)}
        patterns |= {t for t in texts if _PATTERN.search(t) and re.search(r"\w", t)}
        wanted |= {path for path in before.files for word in patterns if _is_meant(path, word)}
        listed |= {w for w in words if any(p.startswith(f"{w}/") for p in before.files)}
        plan = _with_brought(plan, wanted, listed, texts, start, writers, _other_names(stage))
        plan = _also_where_it_was(plan, words, _computed(stage))
        named = {plan.paths[output] for output in plan.outputs}
        plan, dropped = _with_kept(plan, stage, fresh - named, after.files, start, writers)
        parents = {
            *(str(PurePosixPath(path).parent) for path in plan.brought.values()),
            *(str(PurePosixPath(path).parent) for path in fresh - named),
        }
        folders = {
            folder
            for folder in before.folders
            if any(parent == folder or parent.startswith(f"{folder}/") for parent in parents)
        }
        deepest = {f for f in folders if not any(other.startswith(f"{f}/") for other in folders)}
        plan = replace(plan, folders=tuple(sorted(deepest)))
        plans[stage.part.name] = plan
        for output in plan.outputs:
            path = plan.paths[output]
            inside = [p for p in fresh if p == path or p.startswith(f"{path}/")]
            writers |= dict.fromkeys(
                inside, _Written(stage=stage.part.name, output=output, path=path)
            )
        if dropped:
            shown = ", ".join(dropped[:3]) + (" …" if len(dropped) > 3 else "")
            remarks.append(
                f"'{stage.part.name}' writes {shown} under names that its text does not spell: "
                "declare them as outputs, or they are dropped"
            )
        for path in gone:  # later parts shall not find it either
            writers.pop(path, None)
            start.pop(path, None)
        before = after
    return plans, remarks


def _mentioned(stage: StagePlan, writers: Collection[str]) -> set[str]:
    """Files of earlier stages in whose folder a text of this one points: `f"figures/{n}.png"`."""
    starts = {path_of(text) for text in _texts(stage)} - {None}
    return {
        path
        for path in writers
        if any(
            path.startswith(f"{s}/") or ("/" in str(s) and path.startswith(str(s))) for s in starts
        )
    }


def _texts(stage: StagePlan) -> list[str]:
    """All texts that stand in a stage's code."""
    texts = [stage.roles.value_of(name) for name in stage.parameters]
    for cell in stage.part.code:
        for statement in cell.statements:
            texts += [n.value for n in ast.walk(statement.node) if isinstance(n, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


def _computed(stage: StagePlan) -> set[str]:
    """Patterns of the names that a stage's code puts together: `data/*.csv` of `f"data/{n}.csv"`.

    A folder's name that is handed to something about files stands for whatever is in it.
    """
    found: set[str] = set()
    for cell in stage.part.code:
        for node in (node for s in cell.statements for node in ast.walk(s.node)):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else "*" for v in node.values]
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Attribute) and node.attr == "format":
                if isinstance(node.value, ast.Constant):
                    found.add(_PLACE.sub("*", str(node.value.value)))
            elif isinstance(node, ast.BinOp | ast.Call | ast.Assign):
                texts = [node.left] if isinstance(node, ast.BinOp) else list(_arguments(node))
                for text in texts:
                    about = isinstance(node, ast.BinOp) or _is_about_files(node)
                    if about and isinstance(text, ast.Constant) and isinstance(text.value, str):
                        filled = _PLACE.sub("*", text.value)
                        found |= {filled} - {text.value}  # a whole name has given way already
                        found.add(f"{text.value.rstrip('/')}/*")
    return {os.path.normpath(text) for text in found if text and "\0" not in text}


def _other_names(stage: StagePlan) -> set[str]:
    """Names to which a stage gives another meaning than that of a file's path."""
    nodes = [statement.node for cell in stage.part.code for statement in cell.statements]
    return {
        name
        for node in nodes
        if not isinstance(getattr(node, "value", None), ast.Constant)
        for name in names_of(node).binds
    }


def _with_brought(
    plan: FilePlan,
    wanted: Collection[str],
    listed: Collection[str],
    texts: Collection[str],
    start: Collection[str],
    writers: Mapping[str, _Written],
    own: Collection[str],
) -> FilePlan:
    """Add the files that a stage reads, and that its text does not name."""
    given = {plan.paths[name] for name in plan.inputs if name in plan.paths}
    inputs, paths, brought = dict(plan.inputs), dict(plan.paths), dict(plan.brought)

    def add(path: str, reference: str, ending: str, place: str) -> None:
        if (reference, place) not in ((inputs[n], brought[n]) for n in brought):
            name = _free_name(path, ending, {*inputs, *plan.outputs, *paths, *own})
            inputs[name], paths[name], brought[name] = reference, path, place

    for folder in sorted(listed):
        inside = [path for path in start if path.startswith(f"{folder}/")]
        is_given = any(folder == path or folder.startswith(f"{path}/") for path in given)
        is_given &= not any(
            text.removeprefix("./").startswith(f"{folder}/") and path_of(text) not in given
            for text in texts
        )
        if inside and not is_given:
            add(folder, f"file:{folder}/", "folder", f"{folder}/")
            given.add(folder)
        wanted = {*wanted, *(path for path in writers if path.startswith(f"{folder}/"))}
    for path in sorted(wanted):
        if path in given or (
            path not in writers and any(path.startswith(f"{other}/") for other in given)
        ):
            continue
        if path in writers:
            written = writers[path]
            is_folder = written.path != path
            place = f"{written.path}/" if is_folder else path
            ending = "folder" if is_folder else "file"
            add(written.path, written.reference, ending, place)
        elif path in start:
            add(path, f"file:{path}", "file", path)
    return replace(plan, inputs=inputs, paths=paths, brought=brought)


def _also_where_it_was(plan: FilePlan, words: Set[str], patterns: Set[str]) -> FilePlan:
    """Bring what is named in yet another way: by a command of the shell, or by a computed text.

    Only the text that is a name and nothing else gives way to the parameter.
    """
    there = {place.rstrip("/") for place in plan.brought.values()}
    said = {
        name: f"{path}/" if plan.inputs[name].endswith("/") else path
        for name, path in plan.paths.items()
        if name in plan.inputs
        and path not in there
        and (path in words or any(_is_meant(path, pattern) for pattern in patterns))
    }
    return replace(plan, brought={**plan.brought, **said})


def _with_kept(
    plan: FilePlan,
    stage: StagePlan,
    unnamed: Collection[str],
    there: Collection[str],
    start: Collection[str],
    writers: Collection[str],
) -> tuple[FilePlan, list[str]]:
    """Add the files that a stage writes, and that its text does not name."""
    own = {*start, *writers}
    whole: set[str] = set()
    single: set[str] = set()
    for path in unnamed:
        parents = [
            str(p) for p in reversed(PurePosixPath(path).parents) if p.name not in ("", "..")
        ]
        folder = next(
            (
                f
                for f in parents
                if not any(p.startswith(f"{f}/") for p in own)
                and all(p in unnamed for p in there if p.startswith(f"{f}/"))
                and sum(p.startswith(f"{f}/") for p in unnamed) > 1
            ),
            None,
        )
        if folder is None:
            single.add(path)
        else:
            inside = [p for p in unnamed if p.startswith(f"{folder}/")]
            whole.add(os.path.commonpath([str(PurePosixPath(p).parent) for p in inside]))
    if len(single) > _MOST_SINGLE:
        return plan, sorted(single)
    outputs, paths, kept = dict(plan.outputs), dict(plan.paths), dict(plan.kept)
    for path in sorted(whole | single):
        ending = "folder" if path in whole else "file"
        given = {c.name for c in (*stage.takes, *stage.gives)} | set(stage.parameters)
        given |= _other_names(stage)
        name = _free_name(
            path,
            ending + "_out" if path in paths.values() else ending,
            {
                *plan.inputs,
                *outputs,
                *paths,
                *given,
            },
        )
        file = _free_file(PurePosixPath(path).name, name, outputs, stage)
        outputs[name] = f"{file}/" if path in whole else file
        paths[name] = path
        kept[name] = f"{path}/" if path in whole else path
    return replace(plan, outputs=outputs, paths=paths, kept=kept), []


def _free_file(file: str, parameter: str, outputs: Mapping[str, str], stage: StagePlan) -> str:
    """A name for an output's file that no other output of the stage has."""
    taken = {*(text.rstrip("/") for text in outputs.values()), *(c.file for c in stage.gives)}
    return f"{parameter}{PurePosixPath(file).suffix}" if file in taken else file


def _free_name(path: str, ending: str, taken: Collection[str]) -> str:
    base = re.sub(r"\W+", "_", PurePosixPath(path).stem).strip("_").lower() or "file"
    base = f"file_{base}" if base[0].isdigit() else base
    name, further = f"{base}_{ending}", 2
    while name in taken:
        name, further = f"{base}_{ending}_{further}", further + 1
    return name


def _plan_stage(
    stage: StagePlan,
    fresh: set[str],
    going_on: set[str],
    start: Mapping[str, Marks],
    writers: Mapping[str, _Written],
    remarks: list[str],
) -> FilePlan:
    roles = stage.roles
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    edits: list[Edit] = []
    taken = {carried.name for carried in (*stage.takes, *stage.gives)} | set(stage.parameters)
    taken |= _other_names(stage)
    known: dict[str, str] = {}

    def parameter(path: str, ending: str) -> str:
        if path not in known:
            known[path] = _free_name(path, ending, {*taken, *known.values()})
        return known[path]

    def place(path: str) -> str | None:
        """The parameter under which a path is handed to the stage."""
        if path in going_on:
            return None
        if path in fresh:
            name = parameter(path, "file")
            if name not in outputs:
                outputs[name] = _free_file(PurePosixPath(path).name, name, outputs, stage)
        elif path in writers and writers[path].path == path:
            name = parameter(path, "file")
            inputs[name] = writers[path].reference
        elif path in start:
            name = parameter(path, "file")
            inputs[name] = f"file:{path}"
        elif any(file.startswith(f"{path}/") for file in start) and not any(
            file.startswith(f"{path}/") for file in (*fresh, *going_on, *writers)
        ):  # what it writes would come into that folder, and what others wrote is not there
            name = parameter(path, "folder")
            inputs[name] = f"file:{path}/"
        else:
            return None
        return name

    for literal in stage.parameters:
        value = roles.value_of(literal)
        path = path_of(value) if isinstance(value, str) else None
        if path is not None:
            known[path] = literal
            if place(path) is None:
                del known[path]
    moved = {id(s) for cell in stage.part.code for s in roles.moved(cell)}
    paths = {c.name for c in stage.gives if c.kind in ("str", "Path", "PosixPath")}
    plain = {c.name for c in stage.gives}
    moved |= {
        id(statement)
        for cell in stage.part.code
        for statement in cell.statements
        if _hands_on(statement, paths, plain)
    }
    everything = list(_named_files(stage.part.code, moved, roles))
    written = {named.path for named in everything if not named.is_read} | set(known)
    for named in everything:
        if named.path in fresh and named.path not in written:
            continue  # it is written under a name that is computed, and read where it is
        if named.path in going_on and named.path in start:
            remarks.append(
                f"'{stage.part.name}' reads and changes {named.path}, which was there before: "
                "a stage never changes a file of another; the original stays as it is"
            )
        name = place(named.path)
        if name is not None:
            edits.append(_edit(named, name))
    scripts = {}
    for script in (*stage.scripts, *(s for cell in stage.part.code for s in cell.scripts)):
        path = path_of(script) or script
        if path in start:
            scripts[script] = parameter(path, "script")
            inputs[scripts[script]] = f"file:{path}"
    places = {name: path for path, name in known.items()}
    return FilePlan(
        inputs=inputs, outputs=outputs, edits=tuple(edits), scripts=scripts, paths=places
    )


def _hands_on(statement: Statement, paths: set[str], plain: set[str]) -> bool:
    """Whether a statement makes a path, or a list of them, that later stages take.

    They read what is there themselves, and the pipeline has to know; so its text stays as it is,
    and the files come to where it leads.
    """
    node = statement.node
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    binds = names_of(node).binds
    calls = any(isinstance(inner, ast.Call) for inner in ast.walk(node.value))
    return bool(binds & paths) or (not calls and bool(binds & plain))


def _named_files(cells: Sequence[Cell], moved: set[int], roles: Roles) -> Iterator[_Named]:
    """Texts that stand where a path may stand: as an argument, or in a list."""
    for cell in cells:
        for statement in cell.statements:
            if id(statement) in moved and not roles.definition_of(statement):
                continue
            for parent in ast.walk(statement.node):
                for child in _arguments(parent):
                    path = path_of(str(child.value))
                    if path is None or child.lineno != child.end_lineno:
                        continue
                    if "/" in path or "." in path or _is_about_files(parent):
                        is_read = isinstance(parent, ast.Call) and _reads(parent)
                        yield _Named(cell=cell, node=child, path=path, is_read=is_read)


def _is_about_files(parent: ast.AST) -> bool:
    """Whether a plain word there is a folder's or a file's name: it may be a column's as well."""
    if isinstance(parent, ast.Call):
        return bool(_ABOUT_FILES.search(_called(parent)))
    if isinstance(parent, ast.Assign):
        return bool(_ABOUT_FILES.search(ast.unparse(parent.targets[0])))
    return False


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def _reads(call: ast.Call) -> bool:
    """Whether a call only reads the file that it is given."""
    if _called(call) == "open":
        modes = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
        return all(isinstance(m, ast.Constant) and str(m.value).startswith("r") for m in modes)
    return bool(re.match(r"read|load|imread|getsize|exists|isfile|glob", _called(call)))


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


def _is_meant(path: str, word: str) -> bool:
    """Whether a file is one of those that a shell, or `glob`, puts in the place of a pattern."""
    pattern, file = PurePosixPath(word), PurePosixPath(path)
    if "\n" in word or not pattern.parts:
        return False
    hidden = file.name.startswith(".") and not pattern.name.startswith(".")
    return len(pattern.parts) == len(file.parts) and not hidden and file.match(word)


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
