"""The whole way from a notebook to a pipeline that was run and held against it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import field
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlkit.api.local_run import run
from mlkit.converting.comparing import DIFFERS, NOT_COMPARED, Comparison, compare
from mlkit.converting.named_files import FilePlan, plan_files
from mlkit.converting.observing import Observation, observe
from mlkit.converting.parts import Cell, cut, slug
from mlkit.converting.planning import Conversion, failing, plan_stages
from mlkit.converting.stage_files import notebook_names, texts_of
from mlkit.core.record import RunRecord
from mlkit.errors import NotebookError, UsageError
from mlkit.frozen import dataclass
from mlkit.notebook.source import read_notebook

__all__ = ["Converted", "convert"]


_TEXT_MAGIC = re.compile(r"\s*%%(html|markdown|latex|svg|js|javascript|writefile)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What became of a notebook.

    Parameters
    ----------
    conversion : Conversion
        The stages.
    plans : mapping of str to FilePlan
        The files of each.
    notebooks : mapping of str to str
        The notebook's file of each.
    remarks : tuple of str
        What people should know.
    files : tuple of str
        What was written; empty for a dry run.
    record : RunRecord, optional
        The pipeline's first run.
    comparisons : tuple of Comparison
        Its values, files, figures and texts against the original's.
    """

    conversion: Conversion
    plans: Mapping[str, FilePlan]
    notebooks: Mapping[str, str]
    remarks: tuple[str, ...]
    files: tuple[str, ...] = ()
    record: RunRecord | None = None
    comparisons: tuple[Comparison, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the pipeline ran, and nothing came out other than in the original."""
        ran = self.record is None or self.record.ok
        return ran and not any(c.verdict in (DIFFERS, NOT_COMPARED) for c in self.comparisons)


def convert(
    notebook: Path,
    folder: Path,
    *,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Converted:
    """Convert a notebook into a pipeline.

    The original is run twice, on copies of its folder; the pipeline is written, run once and
    compared.

    Parameters
    ----------
    notebook : Path
        The notebook; it is not changed.
    folder : Path
        A new folder.
    dry_run : bool
        Only run the original and plan; nothing is written.
    say : callable
        Told what happens.

    Raises
    ------
    UsageError, NotebookError
        If it cannot be converted; then nothing was written.
    """
    notebook = notebook.absolute()
    cells = _cells_of(notebook)
    _check_free(folder)
    parts = cut(cells)
    if not any(part.code for part in parts):
        raise NotebookError("the notebook has no code", notebook, remedy="Choose another one")
    ends = [part.end for part in parts]
    with tempfile.TemporaryDirectory(prefix="mlkit-convert-") as name:
        observations = []
        for number, word in enumerate(("first", "second"), start=1):
            say(f"the original runs, {number} of 2")
            place = Path(name, word)
            observations.append(observe(notebook, cells, ends, place, lambda text: None))
        first, second = observations
        _check_asks_nothing(first, notebook)
        conversion = plan_stages(parts, first, second)
        _check_works_here(conversion, first, notebook)
        plans, remarks = plan_files(conversion, first, str(notebook.parent))
        raising = failing(observations, cells)
        told = [*conversion.remarks, *remarks]
        told += [
            f"cell {index + 1} fails in the original, too ({why}): it is tagged raises-exception"
            for index, why in raising.items()
        ]
        told += [
            f"cell {cell.index + 1} is no Python that can be read: it stays as it is, and what it "
            "needs is not known"
            for cell in cells
            if cell.is_opaque and not _TEXT_MAGIC.match(cell.source)
        ]
        done = Converted(
            conversion=conversion,
            plans=plans,
            notebooks=notebook_names(conversion),
            remarks=tuple(told),
        )
        if dry_run:
            return done
        texts = texts_of(
            conversion,
            plans,
            name=slug(notebook.stem) or "pipeline",
            source=notebook,
            target=folder.absolute(),
            raising=raising,
        )
        written = _write(folder, texts)
        say("the pipeline runs")
        record = run(folder)
        comparisons = compare(conversion, plans, record, first, second, folder)
    return Converted(
        conversion=conversion,
        plans=plans,
        notebooks=done.notebooks,
        remarks=done.remarks,
        files=written,
        record=record,
        comparisons=comparisons,
    )


def _check_asks_nothing(first: Observation, notebook: Path) -> None:
    """A stage runs without anybody who could answer."""
    for index, why in first.failed.items():
        if "StdinNotImplementedError" in why:
            raise NotebookError(
                f"cell {index + 1} asks for an input, and nobody answers while a pipeline runs",
                notebook,
                remedy="Give the answer a name at the top of the notebook: it becomes a parameter",
            )


def _check_works_here(conversion: Conversion, first: Observation, notebook: Path) -> None:
    """A stage begins in a folder of its own; settings at the top are repeated in each."""
    if any("chdir" in placed.text for placed in conversion.roles.settings):
        return
    for stage in conversion.stages[:-1]:
        look = first.looks[stage.part.end]
        if look.works_in != first.looks[-1].works_in:
            raise NotebookError(
                f"up to cell {stage.part.end + 1} the working folder has become "
                f"'{look.works_in}', and each stage begins in a folder of its own",
                notebook,
                remedy="Write paths from the notebook's own folder, and leave the change out",
            )


def _cells_of(notebook: Path) -> list[Cell]:
    source = read_notebook(notebook)
    language = source.document.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language.lower() not in ("python", "python3", "ipython"):
        raise NotebookError(
            f"the notebook is written in {language}",
            notebook,
            remedy="Only Python can be converted",
        )
    return [
        Cell(index=index, kind=str(cell["cell_type"]), source=_text(cell), metadata=_metadata(cell))
        for index, cell in enumerate(source.document["cells"])
    ]


def _text(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _metadata(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The cell's metadata without what an execution has left."""
    left = ("execution", "papermill", "ExecuteTime", "collapsed", "outputId")
    return {key: value for key, value in cell.get("metadata", {}).items() if key not in left}


def _check_free(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            "the folder is not empty", folder, remedy="Name a new one: --to DIR", code="E105"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            "this is no folder", folder, remedy="Name a new one: --to DIR", code="E105"
        )


def _write(folder: Path, texts: Mapping[str, str]) -> tuple[str, ...]:
    project = files("mlkit.beginning").joinpath("project")
    everything = {
        **texts,
        ".gitignore": project.joinpath("gitignore").read_text("utf-8"),
        "scratch/.gitignore": project.joinpath("scratch-gitignore").read_text("utf-8"),
    }
    try:
        for name, text in everything.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the folder cannot be written: {error.strerror or error}",
            folder,
            remedy="Name a folder that you may write in: --to DIR",
            code="E105",
        ) from None
    return tuple(everything)
