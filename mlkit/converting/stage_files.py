"""Stages as files: notebooks, a helper module, and pipeline.yaml."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mlkit.beginning.notebook import code_cell, notebook_of
from mlkit.beginning.wiring import stage_lines, written_scalar, written_value
from mlkit.converting.given_names import MODULES, GivenNames, given_names
from mlkit.converting.named_files import Edit, FilePlan
from mlkit.converting.names import evaluated_names
from mlkit.converting.originals import Originals
from mlkit.converting.parts import Cell
from mlkit.converting.planning import Carried, Conversion, StagePlan
from mlkit.converting.snapshot import RANDOM
from mlkit.converting.statement_roles import Placed, Roles, imports_of, is_future
from mlkit.core.types import ValueMismatchError, fit
from mlkit.notebook.annotations import UnknownAnnotationError, read_annotation
from mlkit.notebook.source import is_text
from mlkit.notebook.source_file import written_text

__all__ = ["HELPERS", "documents_of", "notebook_names", "texts_of"]

HELPERS = "helpers"
_LOADERS = {
    "json": "{json}.loads({Path}({port}).read_text())",
    "parquet": "{pd}.read_parquet({port})",
    "npy": "{np}.load({port})",
    "joblib": "{joblib}.load({port})",
}
_SAVERS = {
    "json": "{Path}({port}).write_text({json}.dumps({value}, ensure_ascii=False))",
    "parquet": "{value}.to_parquet({port})",
    "npy": "{np}.save({port}, {value})",
    "joblib": "{joblib}.dump({value}, {port})",
}


def notebook_names(conversion: Conversion, originals: Originals) -> dict[str, str]:
    """The notebooks' files, by stage: each its own, or numbered in their order."""
    suffix = originals.notebooks[0].file.suffix
    return {
        stage.part.name: stage.part.cells[0].notebook
        or f"{number:02d}-{stage.part.name.replace('_', '-')}{suffix}"
        for number, stage in enumerate(conversion.stages, start=1)
    }


def documents_of(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    *,
    originals: Originals,
    target: Path,
    raising: Mapping[int, str],
) -> dict[str, dict[str, Any]]:
    """The notebook of each stage, as the JSON of a `.ipynb`.

    Parameters
    ----------
    conversion, plans
        What was planned.
    originals : Originals
        The notebooks that it is made from.
    target : Path
        The folder of the pipeline.
    raising : mapping of int to str
        Cells that fail in the original, too.
    """
    names = given_names(conversion, plans)
    return {
        stage.part.name: _notebook(stage, plans, conversion, names, originals, target, raising)
        for stage in conversion.stages
    }


def texts_of(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    documents: Mapping[str, dict[str, Any]],
    *,
    name: str,
    originals: Originals,
    target: Path,
) -> dict[str, str]:
    """All files of the pipeline, by their names.

    Parameters
    ----------
    conversion, plans, documents
        What was planned, and the notebooks.
    name : str
        The pipeline's name.
    originals : Originals
        The notebooks that it is made from.
    target : Path
        The folder of the pipeline.
    """
    notebooks = notebook_names(conversion, originals)
    forms = {original.cells[0].index: original.form for original in originals.notebooks}
    files = {}
    for stage in conversion.stages:
        file, form = notebooks[stage.part.name], forms[stage.part.cells[0].begins]
        files[file] = _written(documents[stage.part.name], Path(file), form)
    if conversion.helpers:
        files[f"{HELPERS}.py"] = _helper_module(conversion, originals.called)
    names = given_names(conversion, plans)
    files["pipeline.yaml"] = _pipeline(conversion, plans, names, notebooks, name, originals, target)
    return files


def _pipeline(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    names: GivenNames,
    notebooks: Mapping[str, str],
    name: str,
    originals: Originals,
    target: Path,
) -> str:
    lines = [f"# Made from {originals.called} by mlkit convert.", f"name: {written_scalar(name)}"]
    shared, own = _values(conversion, plans)
    if shared:
        lines.append("parameters:")
        for key, (roles, value) in shared.items():
            lines += [f"  {line.strip()}" for line in roles.comment_on(key)]
            lines.append(f"  {key}: {value}")
    lines.append("stages:")
    for stage in conversion.stages:
        plan = plans[stage.part.name]
        inputs = {names.into(c.name): f"{c.by}.{names.out_of(c.name)}" for c in stage.takes}
        inputs |= {n: _reference(text, originals.folder, target) for n, text in plan.inputs.items()}
        outputs = {names.out_of(c.name): c.file for c in stage.gives} | dict(plan.outputs)
        entry: dict[str, Any] = {"notebook": notebooks[stage.part.name]}
        entry |= {k: v for k, v in (("inputs", inputs), ("outputs", outputs)) if v}
        name_line, notebook_line, *more = stage_lines(stage.part.name, entry)
        lines += [name_line, notebook_line]
        if own[stage.part.name]:
            lines.append("    parameters:")
            lines += [f"      {key}: {value}" for key, value in own[stage.part.name].items()]
        lines += more
    return "\n".join(lines) + "\n"


def _values(
    conversion: Conversion, plans: Mapping[str, FilePlan]
) -> tuple[dict[str, tuple[Roles, str]], dict[str, dict[str, str]]]:
    """The parameters of all stages that have them, and each stage's own: of unequal values."""
    told = {
        stage.part.name: {
            name: written_value(stage.roles.value_of(name))
            for name in stage.roles.literals
            if name in _parameters(stage, plans)
        }
        for stage in conversion.stages
    }
    every: dict[str, set[str]] = {}
    for values in told.values():
        for name, value in values.items():
            every.setdefault(name, set()).add(value)
    shared: dict[str, tuple[Roles, str]] = {}
    for stage in conversion.stages:
        for name, value in told[stage.part.name].items():
            if len(every[name]) == 1:
                shared.setdefault(name, (stage.roles, value))
    own = {
        stage: {name: value for name, value in values.items() if name not in shared}
        for stage, values in told.items()
    }
    return shared, own


def _parameters(stage: StagePlan, plans: Mapping[str, FilePlan]) -> list[str]:
    """The literals that are parameters of a stage; names of files are inputs or outputs."""
    plan = plans[stage.part.name]
    return [n for n in stage.parameters if n not in plan.inputs and n not in plan.outputs]


def _reference(text: str, folder: Path, target: Path) -> str:
    """An input as pipeline.yaml has it; paths from outside lead from the pipeline's folder."""
    if not text.startswith("file:"):
        return text
    path = text.removeprefix("file:")
    led = Path(os.path.relpath(folder / path, target)).as_posix()
    return f"file:{led}{'/' if path.endswith('/') else ''}"


def _notebook(
    stage: StagePlan,
    plans: Mapping[str, FilePlan],
    conversion: Conversion,
    names: GivenNames,
    originals: Originals,
    target: Path,
    raising: Mapping[int, str],
) -> dict[str, Any]:
    plan = plans[stage.part.name]
    cells = list(stage.part.cells)
    prose = []
    while cells and cells[0].kind != "code":
        prose.append(cells.pop(0))
    made = [_kept(cell, cell.source) for cell in prose]
    declared = _declared(stage, plans, names, originals, target)
    if declared:
        made.append(code_cell("parameters", declared, "parameters"))
    made += [code_cell(f"mlkit-{n}", text) for n, text in _beginning(stage, plan, names) if text]
    for cell in cells:
        text = _source(cell, plan, stage.roles, conversion.helpers)
        if cell.kind != "code":
            made.append(_kept(cell, text))
        elif text.strip():
            tags = ["raises-exception"] if cell.index in raising else []
            made.append(_kept(cell, text, tags))
    saved = "\n".join(_save(carried, names) for carried in stage.gives)
    if saved:
        made.append(code_cell("mlkit-save", saved))
    if plan.kept:
        made.append(code_cell("mlkit-keep", _keep(plan, names)))
    return notebook_of(made)


def _declared(
    stage: StagePlan,
    plans: Mapping[str, FilePlan],
    names: GivenNames,
    originals: Originals,
    target: Path,
) -> str:
    plan = plans[stage.part.name]
    lines = [
        _declaration(stage.roles.literals[n], stage.roles.value_of(n))
        for n in stage.parameters
        if n not in plan.inputs and n not in plan.outputs
    ]
    for carried in stage.takes:
        path = f"runs/latest/{carried.by}/{carried.file}"
        lines.append(f"{names.into(carried.name)}: str = {json.dumps(path, ensure_ascii=False)}")
    for name, text in plan.inputs.items():
        path = _reference(text, originals.folder, target).removeprefix("file:")
        if not text.startswith("file:"):
            by, _, output = text.partition(".")
            path = f"runs/latest/{by}/{plans[by].outputs[output]}"
        lines.append(f"{name}: str = {json.dumps(path, ensure_ascii=False)}")
    for carried in stage.gives:
        path = f"scratch/{carried.file}"
        lines.append(f"{names.out_of(carried.name)}: str = {json.dumps(path, ensure_ascii=False)}")
    for name, file in plan.outputs.items():
        lines.append(f"{name}: str = {json.dumps('scratch/' + file, ensure_ascii=False)}")
    return "\n".join(lines)


def _declaration(placed: Placed, default: Any) -> str:
    """A literal's text; without an annotation that is no parameter's, such as `Final`."""
    node = placed.statement.node
    if not isinstance(node, ast.AnnAssign) or _may_be_declared(node.annotation, default):
        return placed.text
    (first, begin), (last, end) = _end_of(node.target), _end_of(node.annotation)
    lines = placed.text.encode().split(b"\n")  # offsets are of bytes
    rest = lines[last - placed.first][end:]
    together = lines[first - placed.first][:begin] + b" " + rest[rest.index(b"=") :]
    lines[first - placed.first : last - placed.first + 1] = [together]
    return b"\n".join(lines).decode()


def _end_of(node: ast.expr) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _may_be_declared(annotation: ast.expr, default: Any) -> bool:
    try:
        fit(default, read_annotation(annotation))
    except (UnknownAnnotationError, ValueMismatchError):
        return False
    return True


def _beginning(stage: StagePlan, plan: FilePlan, names: GivenNames) -> list[tuple[str, str]]:
    """Imports, settings, definitions from elsewhere, and what is read."""
    wanted = _wanted(stage)
    future = [placed.text for placed in stage.imports if is_future(placed)]
    early = [placed for placed in stage.settings if placed.names.needs & {"sys", "os"}]
    in_order = sorted([*stage.imports, *early], key=lambda p: (p.cell.index, p.statement.first))
    own = [p.text for p in in_order if p.text not in future]
    there = {text for placed in stage.imports for text in imports_of(placed)}
    missing = [text for text in map(names.import_of, wanted) if text not in there]
    helpers = [f"from {HELPERS} import {', '.join(stage.helpers)}"] if stage.helpers else []
    settings = [placed.text for placed in stage.settings if placed not in early]
    scripts = [
        f"%run ${plan.scripts[script]}" for script in stage.scripts if script in plan.scripts
    ]
    taken = {carried.name for carried in stage.takes}
    texts = [
        (f"def-{n}", placed.text, bool(evaluated_names(placed.statement.node) & taken))
        for n, placed in enumerate(stage.copied, start=1)
    ]
    return [
        ("bring", _bring(plan, names)),
        ("imports", "\n".join([*dict.fromkeys([*future, *missing, *own, *helpers])])),
        ("settings", "\n".join([*settings, *scripts])),
        *((name, text) for name, text, is_late in texts if not is_late),
        ("load", "\n".join(_load(carried, names) for carried in stage.takes)),
        *((name, text) for name, text, is_late in texts if is_late),
    ]


def _bring(plan: FilePlan, names: GivenNames) -> str:
    """Put files where the code looks for them, if it computes their names."""
    os_, shutil = names.modules["os"], names.modules["shutil"]
    folders = {path for path in plan.brought.values() if path.endswith("/")}
    lines: dict[str, list[str]] = {}
    for parameter, path in plan.brought.items():
        if path in folders:
            copied = f"copy_function={shutil}.copyfile, dirs_exist_ok=True"
            line = f"{shutil}.copytree({parameter}, {path!r}, {copied})"
            lines.setdefault(_top(path), []).append(line)
    for path in plan.folders:
        line = f"{os_}.makedirs({path!r}, exist_ok=True)"
        lines.setdefault(_top(path), []).append(line)
    for parameter, path in plan.brought.items():
        if path not in folders:
            line = f"{shutil}.copyfile({parameter}, {path!r})"
            lines.setdefault(_top(path), []).append(line)
    if not lines:
        return ""
    head = [names.import_of("os")] if plan.folders or any(lines.keys() - {""}) else []
    head += [names.import_of("shutil")] if plan.brought else []
    text = [*head, "", "# the code below computes the names of these", *lines.pop("", [])]
    for top, copies in lines.items():
        text += [f"if not {os_}.path.exists({top!r}):  # opened by hand, it may be there"]
        text += [f"    {line}" for line in copies]
    return "\n".join(text)


def _top(path: str) -> str:
    """The first name in a path that leads out of the stage's folder; none if it stays inside."""
    parts = PurePosixPath(path).parts
    up = next((n for n, part in enumerate(parts) if part != ".."), 0)
    return "/".join(parts[: up + 1]) if up else ""


def _keep(plan: FilePlan, names: GivenNames) -> str:
    """Make outputs of files that were written under computed names."""
    shutil = names.modules["shutil"]
    lines = [
        f"{shutil}.copytree({path!r}, {parameter}, dirs_exist_ok=True)"
        if path.endswith("/")
        else f"{shutil}.copyfile({path!r}, {parameter})"
        for parameter, path in plan.kept.items()
    ]
    return "\n".join([names.import_of("shutil"), "", *lines]) if lines else ""


def _wanted(stage: StagePlan) -> list[str]:
    names: set[str] = set()
    for carried in (*stage.takes, *stage.gives):
        names |= {"json": {"json", "Path"}, "parquet": {"pd"}, "npy": {"np"}}.get(
            carried.form, {"joblib"}
        )
        names |= {RANDOM[0]: {"random"}, RANDOM[1]: {"np"}}.get(carried.name, set())
    for carried in stage.gives:
        if carried.form == "parquet":
            names -= {"pd"} if not any(c.form == "parquet" for c in stage.takes) else set()
    return [name for name in MODULES if name in names]


def _load(carried: Carried, names: GivenNames) -> str:
    port = names.into(carried.name)
    if carried.name in RANDOM:
        call = "{random}.setstate" if carried.name == RANDOM[0] else "{np}.random.set_state"
        text = (
            call + "({joblib}.load({port}))  # random numbers go on where an earlier part stopped"
        )
        return text.format(port=port, **names.modules)
    return f"{carried.name} = {_LOADERS[carried.form].format(port=port, **names.modules)}"


def _save(carried: Carried, names: GivenNames) -> str:
    port, value = names.out_of(carried.name), carried.name
    if carried.name in RANDOM:
        call = "{random}.getstate()" if carried.name == RANDOM[0] else "{np}.random.get_state()"
        value = call.format(**names.modules)
    return _SAVERS[carried.form].format(port=port, value=value, **names.modules)


def _source(cell: Cell, plan: FilePlan, roles: Roles, helpers: Sequence[str]) -> str:
    """A cell's text without what is written elsewhere, and with parameters for files."""
    if cell.kind != "code":
        return cell.source
    lines: list[str | None] = list(cell.source.split("\n"))
    for edit in sorted(plan.edits, key=lambda e: (e.line, e.start), reverse=True):
        if edit.cell == cell.index:
            lines[edit.line - 1] = _edited(lines[edit.line - 1] or "", edit)
    for statement in roles.moved(cell):
        name = roles.definition_of(statement)
        if not name or name in helpers:
            first = roles.first_line(statement)
            lines[first - 1 : statement.last] = [None] * (statement.last - first + 1)
    text = "\n".join(line for line in lines if line is not None)
    for script, parameter in plan.scripts.items():
        pattern = rf"(^\s*%run\s+(?:-\w+\s+)*){re.escape(script)}(?=\s|$)"
        text = re.sub(pattern, rf"\1${parameter}", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _edited(line: str, edit: Edit) -> str:
    raw = line.encode()
    return (raw[: edit.start] + edit.text.encode() + raw[edit.end :]).decode()


def _helper_module(conversion: Conversion, source: str) -> str:
    roles = conversion.roles
    placed = [roles.definitions[name] for name in conversion.helpers]
    modules = {n for item in placed for n in item.names.needs if n in roles.imports}
    modules |= {n for n, everything in roles.imports.items() if any(map(is_future, everything))}
    found: dict[int, Placed] = {id(p): p for name in modules for p in roles.imports[name][-1:]}
    imports = sorted(
        found.values(), key=lambda p: (not is_future(p), p.cell.index, p.statement.first)
    )
    head = [f'"""What several parts of {source} use."""', *(["", *(p.text for p in imports)])]
    bodies = "".join(f"\n\n\n{item.text}" for item in placed)
    return "\n".join(head).rstrip("\n") + bodies + "\n"


def _kept(cell: Cell, source: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    metadata = dict(cell.metadata)
    own = [tag for tag in metadata.get("tags", []) if tag not in ("parameters", *tags)]
    if own or tags:
        metadata["tags"] = [*own, *tags]
    else:
        metadata.pop("tags", None)
    made: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": f"cell-{cell.index}",
        "metadata": metadata,
        "source": source.splitlines(keepends=True),
    }
    if cell.kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def _written(document: Mapping[str, Any], name: Path, form: Mapping[str, Any]) -> str:
    """A notebook in the form of the one that it is made from."""
    if not is_text(name):
        return _dumped(document)
    whole = {
        **document,
        "metadata": {**document["metadata"], "jupytext": dict(form)},
        "cells": [{**cell, "source": "".join(cell["source"])} for cell in document["cells"]],
    }
    return written_text(whole, name)


def _dumped(document: Mapping[str, Any]) -> str:
    cells = [{key: cell[key] for key in sorted(cell)} for cell in document["cells"]]
    return json.dumps({**document, "cells": cells}, indent=1, ensure_ascii=False) + "\n"
