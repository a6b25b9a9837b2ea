"""Run the solutions, and write the exercises made from them (`make exercises`).

Running a solution refreshes the reference outputs of its check cells. `--check` runs nothing: it
says which exercises are not what their solutions give, and ends with 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError, MlkitError
from mlkit.grading.exercise.kit import kit_folder
from mlkit.grading.exercise.roles import line_of_cell, read_notebook_file, role_ids
from mlkit.grading.exercise.source import exercise_notebook, load_exercise, notebook_text
from mlkit.grading.exercise.words import data_files, read_words
from mlkit.inside.checks.check_roles import AUTHOR

__all__ = ["copy_data", "drifted", "generate", "main", "with_reference_outputs"]


def with_reference_outputs(path: Path) -> dict[str, Any]:
    """Run a solution and keep what its check cells print as their reference outputs.

    It runs in a folder of its own, beside nothing but the data that learners get.

    Raises
    ------
    GradingError
        If a cell of the solution raises.
    """
    # `--check` runs nothing, and need not wait a second for what runs notebooks.
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    raw = read_notebook_file(path)
    ids = role_ids(raw, path)
    notebook = nbformat.reads(notebook_text(raw), as_version=4)  # type: ignore[no-untyped-call]  # untyped library
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        copy_data(data_files(path.parent, read_words(path).data), work)
        client = NotebookClient(
            notebook,
            timeout=120,
            coalesce_streams=True,  # a loaded machine may deliver what a cell prints in pieces
            skip_cells_with_tag=AUTHOR,
            resources={"metadata": {"path": str(work)}},
        )
        client.km = AsyncKernelManager(
            kernel_name="python3", transport="ipc", connection_file=f"{folder}/.kernel.json"
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise GradingError(
                f"the solution does not run ({error.ename}: {error.evalue})",
                path,
                line_of_cell(path, _failed_cell(notebook)),
            ) from error
    for cell, name in zip(notebook.cells, ids, strict=True):
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and not name.startswith("check-"):
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("language_info", None)
    plain: dict[str, Any] = json.loads(
        nbformat.writes(notebook)  # type: ignore[no-untyped-call]  # untyped library
    )
    return plain


def _failed_cell(notebook: Any) -> int:
    """The number of the first cell that shows an error."""
    outputs = (cell.get("outputs", ()) for cell in notebook.cells)
    failed = [any(o.output_type == "error" for o in shown) for shown in outputs]
    return failed.index(True) if True in failed else 0


def copy_data(files: Mapping[str, Path], folder: Path) -> None:
    """Put an exercise's data into a folder, under the names that the notebook reads them by."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def generate(solution: Path, folder: Path) -> Path:
    """Run one solution, refresh its outputs, and write its exercise into a folder."""
    solution.write_text(notebook_text(with_reference_outputs(solution)), encoding="utf-8")
    target = folder / solution.name
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(notebook_text(exercise_notebook(load_exercise(solution))), encoding="utf-8")
    return target


def drifted(solutions: Path, exercises: Path) -> list[str]:
    """Names of the notebooks in which an exercise is not what its solution gives."""
    wanted = {
        path.name: notebook_text(exercise_notebook(load_exercise(path)))
        for path in sorted(solutions.glob("*.ipynb"))
    }
    found = {path.name: path.read_text(encoding="utf-8") for path in exercises.glob("*.ipynb")}
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, and generate or compare."""
    parser = argparse.ArgumentParser(
        prog="python -m mlkit.grading.exercise.generate", description=__doc__
    )
    parser.add_argument("names", nargs="*", help="stems such as 03-idempotency (default: all)")
    parser.add_argument("--solutions", type=Path, default=kit_folder() / "solutions")
    parser.add_argument("--exercises", type=Path, default=kit_folder() / "exercises")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    options = parser.parse_args(arguments)
    try:
        return _check(options) if options.check else _write(options)
    except MlkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _check(options: argparse.Namespace) -> int:
    names = drifted(options.solutions, options.exercises)
    for name in names:
        sys.stderr.write(
            f"exercises/{name} is not what solutions/{name} gives: run make exercises\n"
        )
    return 1 if names else 0


def _write(options: argparse.Namespace) -> int:
    paths = {path.stem: path for path in sorted(options.solutions.glob("*.ipynb"))}
    unknown = [name for name in options.names if name not in paths]
    if unknown or not paths:
        near = get_close_matches(unknown[0], paths, n=1) if unknown else []
        raise GradingError(
            f"there is no solution {unknown[0]!r}" if unknown else "there are no solutions",
            options.solutions,
            remedy=f"Did you mean {near[0]!r}?" if near else "Names are stems: 03-idempotency.",
        )
    for name in options.names or paths:
        sys.stderr.write(f"{generate(paths[name], options.exercises)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
