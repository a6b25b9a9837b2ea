"""`mlkit convert`: a long notebook, or several, become a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption
from mlkit.converting.converting import Converted
from mlkit.converting.converting import convert as convert_notebook
from mlkit.converting.planning import Carried, StagePlan
from mlkit.core.record import ErrorRecord
from mlkit.observe.layout import counted

__all__ = ["convert"]


def convert(
    notebooks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NOTEBOOK...",
            help="A notebook in Python; or several in the order of their work, or their folder.",
        ),
    ],
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="A new folder.", show_default=False)
    ],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Run the original, show the cuts and what crosses them; write nothing.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Convert notebooks into a pipeline: cut or taken whole, run and compared.

    One notebook is cut into stages. Of several, each becomes a stage and stays as it is written;
    what one writes and another reads connects them. A notebook may be a text of Jupytext (.py,
    .md). Those of a folder are run in the order of their names, unless one reads what another
    writes; those that are named, in the order in which they are named.

    Cuts are made at the headings of the level that divides the notebook, or at comments of the form
    '# mlkit: stage NAME'. What crosses a cut becomes an artifact: a table Parquet, an array npy, a
    model joblib, a plain value JSON. Values at the top become parameters, functions that several
    stages use go into helpers.py, files that the text names become inputs and outputs.

    The originals are run twice, on copies of their folder, or of the one around it to which their
    texts lead by '../' (it must be small). Then the pipeline runs once, and every value, file,
    figure and text is compared with the original's. What differs between the original's own two
    runs is called not comparable. The exit code is 1 if the pipeline failed or anything differs;
    the original is never changed.

    \b
    Examples
      mlkit convert analysis.ipynb --to analysis --dry-run
      mlkit convert analysis.ipynb --to analysis
      mlkit convert 1-load.ipynb 2-train.ipynb --to pipeline   each is a stage
      mlkit convert notebooks/ --to pipeline                   all of a folder
    """
    done = convert_notebook(notebooks, to, dry_run=dry_run, say=say)
    if as_json:
        print_json(_document(done, to))
    else:
        for line in [*_picture(done), *_told(done, to)]:
            typer.echo(line)
    raise typer.Exit(0 if done.ok else 1)


def _picture(done: Converted) -> list[str]:
    """The cuts, and what crosses each."""
    lines = []
    for number, stage in enumerate(done.conversion.stages):
        is_cut = number and not stage.part.cells[0].notebook
        lines += [f"  │ {line}" for line in _crossing(stage)] if is_cut else []
        first, last = stage.part.cells[0], stage.part.cells[-1]
        of = f" of {first.notebook}" if first.notebook else ""
        lines.append(f"▣ {stage.part.name}   cells {first.number} to {last.number}{of}")
        plan = done.plans[stage.part.name]
        files = {*plan.inputs, *plan.outputs}
        lines += [f"    parameter {name}" for name in stage.parameters if name not in files]
        lines += [f"    reads {text.removeprefix('file:')}" for text in plan.inputs.values()]
        lines += [f"    writes {file}" for file in plan.outputs.values()]
    return lines


def _crossing(stage: StagePlan) -> list[str]:
    return [_shown(carried) for carried in stage.takes] or ["(nothing is handed on)"]


def _shown(carried: Carried) -> str:
    about = " ".join(filter(None, [carried.kind, carried.shape]))
    return f"{carried.name}: {about}, as {carried.file}, from {carried.by}"


def _told(done: Converted, folder: Path) -> list[str]:
    lines = ["", *(f"Note: {remark}." for remark in done.remarks)]
    if done.record is None:
        return [*lines, "Nothing was written; without --dry-run the pipeline is."]
    for name, where, error in _failed(done, folder):
        lines.append(
            f"failed: stage '{name}' ({error.type}: {error.message}); correct it in {where}"
        )
    for comparison in done.comparisons:
        if comparison.verdict != "equal":
            lines.append(
                f"{comparison.verdict}: {comparison.what} of stage '{comparison.stage}' "
                f"({comparison.why})"
            )
    equal = sum(comparison.verdict == "equal" for comparison in done.comparisons)
    of = f"{equal} of {len(done.comparisons)} values, files, figures and texts"
    lines.append(f"{of} equal the original's.")
    stages = counted(len(done.notebooks), "stage")
    lines.append(f"Written to {folder}: {stages}; go on with: mlkit plan {folder}")
    return lines


def _failed(done: Converted, folder: Path) -> list[tuple[str, Path, ErrorRecord]]:
    """The stages that failed in the pipeline's first run: their notebooks, and what they raised."""
    stages = {} if done.record is None else done.record.stages
    return [
        (name, folder / done.notebooks.get(stage.stage, name), stage.error)
        for name, stage in stages.items()
        if stage.error is not None
    ]


def _document(done: Converted, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "written": done.files,
        "stages": {
            stage.part.name: {
                "notebook": done.notebooks[stage.part.name],
                "cells": [cell.number for cell in stage.part.cells],
                "parameters": stage.parameters,
                "takes": {carried.name: carried.by for carried in stage.takes},
                "gives": {carried.name: carried.file for carried in stage.gives},
                "inputs": dict(done.plans[stage.part.name].inputs),
                "outputs": dict(done.plans[stage.part.name].outputs),
            }
            for stage in done.conversion.stages
        },
        "remarks": done.remarks,
        "status": None if done.record is None else str(done.record.status),
        "run_id": None if done.record is None else done.record.run_id,
        "failed": [
            {
                "stage": name,
                "notebook": str(where),
                "error": {"type": error.type, "message": error.message},
            }
            for name, where, error in _failed(done, folder)
        ],
        "compared": [
            {"stage": c.stage, "what": c.what, "verdict": c.verdict, "why": c.why}
            for c in done.comparisons
        ],
    }
