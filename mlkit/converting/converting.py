"""The whole way from notebooks to a pipeline that was run and held against them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from importlib.resources import files
from pathlib import Path

from mlkit.api.local_run import run
from mlkit.converting.comparing import DIFFERS, NOT_COMPARED, Comparison, compare
from mlkit.converting.named_files import FilePlan, plan_files
from mlkit.converting.observing import Observation, observe
from mlkit.converting.originals import Originals, read_originals
from mlkit.converting.parts import cut, slug
from mlkit.converting.planning import Conversion, failing, plan_stages
from mlkit.converting.spelled_files import spelled_in
from mlkit.converting.stage_files import documents_of, notebook_names, texts_of
from mlkit.converting.whole_notebooks import (
    parts_of_notebooks,
    plan_whole_notebooks,
    remarks_on_order,
)
from mlkit.core.record import RunRecord
from mlkit.errors import NotebookError, UsageError
from mlkit.frozen import dataclass

__all__ = ["Converted", "convert"]


_TAKES_STORED = re.compile(r"^\s*%store\s+(-z\s+)?-r\b", re.MULTILINE)
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
    notebooks: Path | Sequence[Path],
    folder: Path,
    *,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Converted:
    """Convert a notebook, or several, into a pipeline.

    The originals are run twice, on copies of their folder; the pipeline is written, run once and
    compared.

    Parameters
    ----------
    notebooks : Path or sequence of Path
        One notebook, which is cut; or several, each of which becomes a stage; or their folder.
        They are not changed.
    folder : Path
        A new folder.
    dry_run : bool
        Only run the originals and plan; nothing is written.
    say : callable
        Told what happens.

    Raises
    ------
    UsageError, NotebookError
        If it cannot be converted; then nothing was written.
    """
    originals = read_originals([notebooks] if isinstance(notebooks, Path) else notebooks)
    _check_free(folder)
    _check_takes_nothing_stored(originals)
    _check_writes_in_the_copy(originals)
    parts = parts_of_notebooks(originals) if originals.are_several else cut(originals.cells)
    ends = [part.end for part in parts]
    with tempfile.TemporaryDirectory(prefix="mlkit-convert-") as name:
        first, second = _observe_twice(originals, ends, Path(name), say)
        _check_asks_nothing(first, originals)
        if originals.are_several:
            conversion = plan_whole_notebooks(parts, first)
        else:
            conversion = plan_stages(parts, first, second)
            _check_works_here(conversion, first, originals)
        plans, remarks = plan_files(conversion, first)
        if originals.are_several:
            remarks += remarks_on_order(conversion, plans, first)
        raising = failing((first, second), originals.cells)
        done = Converted(
            conversion=conversion,
            plans=plans,
            notebooks=notebook_names(conversion, originals),
            remarks=(
                *originals.remarks,
                *conversion.remarks,
                *remarks,
                *_about_cells(originals, raising),
            ),
        )
        if dry_run:
            return done
        documents = documents_of(
            conversion, plans, originals=originals, target=folder.absolute(), raising=raising
        )
        texts = texts_of(
            conversion,
            plans,
            documents,
            name=slug(
                folder.absolute().name
                if originals.are_several
                else originals.notebooks[0].file.stem
            )
            or "pipeline",
            originals=originals,
            target=folder.absolute(),
        )
        written = _write(folder, texts)
        say("the pipeline runs")
        record = run(folder)
        ids = {name: [cell["id"] for cell in made["cells"]] for name, made in documents.items()}
        comparisons = compare(conversion, plans, record, first, second, folder, ids=ids)
    return replace(done, files=written, record=record, comparisons=comparisons)


def _observe_twice(
    originals: Originals, ends: Collection[int], work: Path, say: Callable[[str], None]
) -> tuple[Observation, Observation]:
    def once(number: int) -> Observation:
        place = work / f"run-{number}"
        return observe(originals, ends, place, lambda file: say(f"{file} runs, {number} of 2"))

    return once(1), once(2)


def _about_cells(originals: Originals, raising: Mapping[int, str]) -> Iterator[str]:
    """What people should know of single cells."""
    for cell in originals.cells:
        if cell.index in raising:
            why = raising[cell.index]
            yield f"{cell.called} fails in the original, too ({why}): it is tagged raises-exception"
    for cell in originals.cells:
        if cell.kind == "code" and _TAKES_STORED.search(cell.source):
            yield f"{cell.called} takes values by %store: no stage notices when they change"
        if cell.is_opaque and not _TEXT_MAGIC.match(cell.source):
            yield (
                f"{cell.called} is no Python that can be read: it stays as it is, and what it "
                "needs is not known"
            )


def _check_takes_nothing_stored(originals: Originals) -> None:
    """What `%store` passes on is in a database of IPython's own, which no stage declares."""
    for original in originals.notebooks if originals.are_several else ():
        for cell in original.cells:
            if cell.kind == "code" and _TAKES_STORED.search(cell.source):
                raise NotebookError(
                    f"cell {cell.number} takes values by %store, and only files pass from stage to "
                    "stage",
                    original.file,
                    remedy="Write them into a file instead of %store, and read it here: "
                    "joblib.dump(x, 'x.joblib'), x = joblib.load('x.joblib')",
                )


def _check_writes_in_the_copy(originals: Originals) -> None:
    """An absolute path leads past the copy on which a notebook runs, and past its stage."""
    spelled = {original.file: spelled_in(original.cells) for original in originals.notebooks}
    for file, here in spelled.items():
        for path in sorted(here.fixed_writes):
            others = {other: spelled[other] for other in spelled if other != file}
            readers = [other.name for other, its in others.items() if path in its.fixed_reads]
            if Path(path).is_relative_to(originals.project):
                why = "into the folder that is converted: the original would change"
            elif readers:
                why = f"for {readers[0]}: only what is named from their folder becomes an output"
            else:
                continue
            raise NotebookError(
                f"it writes {path}, an absolute path, {why}",
                file,
                remedy="Write the path from the notebook's folder: "
                f"'{os.path.relpath(path, originals.folder)}'",
            )


def _check_asks_nothing(first: Observation, originals: Originals) -> None:
    """A stage runs without anybody who could answer."""
    for original in originals.notebooks:
        for cell in original.cells:
            if "StdinNotImplementedError" in first.failed.get(cell.index, ""):
                raise NotebookError(
                    f"cell {cell.number} asks for an input, and nobody answers while a pipeline "
                    "runs",
                    original.file,
                    remedy="Give the answer a name at the top of the notebook: "
                    "it becomes a parameter",
                )


def _check_works_here(conversion: Conversion, first: Observation, originals: Originals) -> None:
    """A stage begins in a folder of its own; settings at the top are repeated in each."""
    if any("chdir" in placed.text for placed in conversion.roles.settings):
        return
    for stage in conversion.stages[:-1]:
        look = first.looks[stage.part.end]
        if look.works_in != first.looks[-1].works_in:
            raise NotebookError(
                f"up to cell {stage.part.end + 1} the working folder has become "
                f"'{look.works_in}', and each stage begins in a folder of its own",
                originals.notebooks[0].file,
                remedy="Write paths from the notebook's own folder, and leave the change out",
            )


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
