"""Name runs, and choose what `latest` is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.api.records import find_run, up_to_date
from mlkit.api.runs_place import runs_folder
from mlkit.core.latest_rule import is_plain, own_settings
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.suggesting import did_you_mean
from mlkit.core.values import shown
from mlkit.errors import UnknownRunError, UsageError
from mlkit.frozen import dataclass
from mlkit.store.folder import RunsFolder
from mlkit.store.latest import promote as point_to
from mlkit.store.looking import opened
from mlkit.store.remote.places import remotes_of

if TYPE_CHECKING:
    from mlkit.store.remote.files import Remote

__all__ = ["Labelled", "label", "latest_words", "promote", "unlabel"]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What became of a label.

    Parameters
    ----------
    label : str
        The label, in its one form.
    run_id : str
        The run that has it now, or had it.
    had : str, optional
        The run from which it was moved.
    """

    label: str
    run_id: str
    had: str | None = None


def label(
    run: str,
    name: str,
    pipeline: Pipeline | Path | str = ".",
    *,
    runs_dir: Path | str | None = None,
    moves: bool = False,
) -> Labelled:
    """Give a run a name, by which it is found wherever a run is named, and which keeps it.

    Parameters
    ----------
    run : str
        The run, as for `find_run`.
    name : str
        The name.
    pipeline : Pipeline, Path or str
        Whose runs folder is meant.
    runs_dir : Path or str, optional
        The runs folder, if it is not the pipeline's own.
    moves : bool
        Take the name from a run that has it.

    Raises
    ------
    UsageError
        If the name means something else, or another run has it.
    UnknownRunError
        If there is no such run.
    """
    with _writable(pipeline, runs_dir) as (folder, remote):
        chosen = folder.check_label(name)
        record = find_run(run, folder.path)
        if remote is not None:
            from mlkit.store.remote.label_files import send_label  # behind URLs only

            send_label(remote, chosen, record.run_id, moves=moves)
        had = folder.labels.give(chosen, record.run_id, moves=moves or remote is not None)
    return Labelled(label=chosen, run_id=record.run_id, had=None if had == record.run_id else had)


def unlabel(
    name: str,
    pipeline: Pipeline | Path | str = ".",
    *,
    run: str | None = None,
    runs_dir: Path | str | None = None,
) -> list[Labelled]:
    """Take a name from the run that has it, or those of a sweep from all of its runs.

    Parameters
    ----------
    name, pipeline, runs_dir
        As for `label`.
    run : str, optional
        The run that is to lose it, as for `find_run`: nothing is taken from another one.

    Raises
    ------
    UnknownRunError
        If no run has that name, or there is no such run.
    UsageError
        If another run has it.
    """
    with _writable(pipeline, runs_dir) as (folder, remote):
        labels = folder.labels.all()
        of_sweep = re.compile(rf"{re.escape(name)}-[0-9]+")
        taken = [name] if name in labels else []
        if name in folder.sweeps.names():
            taken = [label for label in labels if of_sweep.fullmatch(label)]
        if not taken:
            raise UnknownRunError(
                f"no run has the name '{name}'",
                folder.path,
                remedy=did_you_mean(name, labels) or "'mlkit runs' lists the names",
            )
        owner = None if run is None else find_run(run, folder.path).run_id
        if owner is not None and {labels[label] for label in taken} != {owner}:
            raise UsageError(
                f"run {owner} has not the name '{name}': run {labels[taken[0]]} has it",
                remedy=f"To take it from there: mlkit unlabel {name}",
                code="E503",
            )
        for label in taken:
            if remote is not None:
                from mlkit.store.remote.label_files import remove_label  # behind URLs only

                remove_label(remote, label)
            folder.labels.take(label)
    return [Labelled(label=label, run_id=labels[label]) for label in taken]


def promote(
    run: str, pipeline: Pipeline | Path | str = ".", *, runs_dir: Path | str | None = None
) -> RunRecord:
    """Make a run `latest`, until a later run of the pipeline as its file has it takes its place.

    Parameters
    ----------
    run : str
        The run, as for `find_run`.
    pipeline, runs_dir
        As for `label`.

    Raises
    ------
    UsageError
        If the run has not succeeded, or is not one of the whole pipeline.
    """
    with _writable(pipeline, runs_dir) as (folder, remote):
        record = find_run(run, folder.path, files=True)
        if not record.ok or not record.complete:
            lacks = "has not succeeded" if not record.ok else "is one of a part of the pipeline"
            raise UsageError(
                f"run {record.run_id} {lacks}, and notebooks opened by hand read every stage's "
                "files of latest",
                remedy=f"Finish it: mlkit resume {record.run_id}"
                if not record.ok
                else "Make a whole one, with the same values: mlkit run -p …",
                code="E504",
            )
        with opened(folder) as database:
            promotion = point_to(folder, database, record.run_id)
        if remote is not None:
            from mlkit.store.remote.label_files import send_promotion  # behind URLs only

            send_promotion(remote, promotion)
    return replace(record, labels=folder.labels.of(record.run_id))


@contextlib.contextmanager
def _writable(
    pipeline: Pipeline | Path | str, runs_dir: Path | str | None
) -> Iterator[tuple[RunsFolder, Remote | None]]:
    """Open a runs folder to change what its runs are called; and what it mirrors."""
    folder, _ = up_to_date(runs_dir or runs_folder(pipeline))
    remotes = remotes_of(folder.path)
    if not folder.path.is_dir():
        raise UnknownRunError(
            "there is no run yet", folder.path, remedy="Run 'mlkit run' first", code="E502"
        )
    with folder.in_use():
        if remotes.runs is None:
            yield folder, None
            return
        from mlkit.store.remote.files import Remote  # what is behind URLs costs 0.1 s

        yield folder, Remote(remotes.runs)


def latest_words(record: RunRecord) -> str | None:
    """Say what `latest` shows after a run that ended well, where people could be mistaken.

    Parameters
    ----------
    record : RunRecord
        The run, which has ended.

    Returns
    -------
    str, optional
        None where the run has become `latest` because it is one of the pipeline as it stands, or
        has not succeeded.
    """
    if not record.ok:
        return None
    latest = RunsFolder(Path(record.runs_dir)).latest_id()
    why = _why_apart(record)
    if latest == record.run_id:
        return None if why is None else f"this run, {why}; the next without them takes its place"
    if latest is None:
        return "still shows no run: this one was not of the whole pipeline"
    stays = f"stays at {latest}"
    if not record.complete:
        return f"{stays}: this run was not of the whole pipeline"
    if why is None:
        return f"{stays}, which began or was promoted later"
    return f"{stays}: this run is {why} (to change that: mlkit promote {record.run_id})"


def _why_apart(record: RunRecord) -> str | None:
    """What makes a run an experiment; None if nothing does."""
    if is_plain(record):
        return None
    own = own_settings(record)
    if record.group and not own:
        return "one of a sweep"
    words = [f"{name}={shown(value)}" for name, value in own.items() if name != "--profile"]
    said = [f"-p {' '.join(words[:3])}{' …' if len(words) > 3 else ''}"] if words else []
    said += [f"--profile {own['--profile']}"] if "--profile" in own else []
    return f"one with {' and '.join(said)}"
