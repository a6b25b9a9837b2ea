"""What a shell's Tab key offers: runs, stages, artifacts, parameters, and words of mlkit's own.

A shell asks while somebody still types. Where nothing can be read, nothing is offered: the command
itself says what is wrong when it is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final

import typer

from mlkit import api
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.pipeline import Instance, Pipeline
from mlkit.core.record import RunRecord
from mlkit.engines.registry import ENGINES
from mlkit.errors import MlkitError

__all__ = [
    "Complete",
    "artifacts",
    "codes",
    "engines",
    "engines_that_run",
    "exercises",
    "labels",
    "parameters",
    "profiles",
    "runs",
    "schemas",
    "stages",
]

Complete = Callable[[typer.Context, str], list[tuple[str, str]]]
"""What is offered for the beginning of a word: words, each with what stands beside it."""
Typed = Mapping[str, Any]
"""The parameters of a command, as far as they are typed."""

MOST_RUNS: Final = 50
MOST_INSTANCES: Final = 50
PLAIN: Final = re.compile(r"[\w@%+=:,./\[\]-]+")
"""Words that every shell takes as they are."""


def _complete(find: Callable[[Typed], Iterator[tuple[str, str]]]) -> Complete:
    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        try:
            found = dict(find(ctx.params))
        except (MlkitError, OSError):
            return []
        return [
            (word, says)
            for word, says in found.items()
            if word.startswith(incomplete) and PLAIN.fullmatch(word)
        ]

    return complete


def _place(typed: Typed) -> Path | str:
    """The pipeline that is typed already, or the one that a command takes without it."""
    named = typed.get("pipeline") or typed.get("second")
    return pipeline_path(Path(named) if named else None)


def _pipeline(typed: Typed) -> Pipeline:
    return api.load_pipeline(_place(typed))


def _records(typed: Typed) -> list[RunRecord]:
    """The newest runs first; those behind a URL are asked for there, as `mlkit runs` does."""
    folder = api.runs_folder(_place(typed), typed.get("runs_dir"))
    return list(reversed(api.list_runs(runs_dir=folder)))


def _runs(typed: Typed) -> Iterator[tuple[str, str]]:
    found = _records(typed)
    if found:
        yield "latest", "the latest run that succeeded, or the one promoted"
    for record in found:
        for name in (*record.labels, *filter(None, (record.group,))):
            yield name, f"{record.run_id}, {record.status.value}"
    for record in found[:MOST_RUNS]:
        yield record.run_id, record.status.value


def _labels(typed: Typed) -> Iterator[tuple[str, str]]:
    for record in _records(typed):
        yield from ((name, record.run_id) for name in record.labels)


def _stages(typed: Typed) -> Iterator[tuple[str, str]]:
    """Those of the run that is typed already, else of the pipeline; a map's few instances, too."""
    if typed.get("run"):
        folder = api.runs_folder(_place(typed), typed.get("runs_dir"))
        for record in api.find_run(typed["run"], folder).stages.values():
            yield record.id, record.status.value
        return
    for stage in _pipeline(typed).stages.values():
        yield stage.name, stage.notebook.name
        size = stage.foreach.size if stage.foreach is not None else None
        if stage.foreach is not None and size is not None and size <= MOST_INSTANCES:
            for values in product(*(axis.values or () for axis in stage.foreach.axes)):
                yield Instance(stage=stage, values=values).id, stage.notebook.name


def _artifacts(typed: Typed) -> Iterator[tuple[str, str]]:
    for stage in _pipeline(typed).stages.values():
        for name, output in stage.outputs.items():
            yield f"{stage.name}.{name}", str(output.path)


def _parameters(typed: Typed) -> Iterator[tuple[str, str]]:
    """Each with the value that it has, for that is what gets edited."""
    pipeline = _pipeline(typed)
    secret = {
        declared.name
        for stage in pipeline.stages.values()
        for declared in stage.configurable.values()
        if declared.spec.is_secret
    }
    for name, value in pipeline.parameters.items():
        yield _assignment(name, None if name in secret else value), "of the pipeline"
    for stage in pipeline.stages.values():
        for name, declared in stage.configurable.items():
            if name not in pipeline.parameters and not stage.maps_over(name):
                value = stage.parameters.get(name, declared.default)
                whole = _assignment(f"{stage.name}.{name}", None if name in secret else value)
                yield whole, f"of stage {stage.name}"


def _assignment(name: str, value: Any) -> str:
    """`NAME=VALUE`; without the value where it would have to be quoted, or may not be shown."""
    whole = f"{name}={str(value).lower() if isinstance(value, bool) else value}"
    return whole if isinstance(value, int | float | str) and PLAIN.fullmatch(whole) else f"{name}="


def _profiles(typed: Typed) -> Iterator[tuple[str, str]]:
    # who does not press Tab need not wait for it
    from mlkit.load.pipeline_file import profile_names

    yield from ((name, "a profile") for name in profile_names(_place(typed)))


def _exercises(typed: Typed) -> Iterator[tuple[str, str]]:
    folder = Path(typed.get("solutions") or "exercises")
    yield from ((path.stem, path.name) for path in sorted(folder.glob("*.ipynb")))


def _codes(_: Typed) -> Iterator[tuple[str, str]]:
    from mlkit.core.error_kinds import ERROR_KINDS  # as above

    for kind in ERROR_KINDS.values():
        yield kind.code, kind.title


def _schemas(_: Typed) -> Iterator[tuple[str, str]]:
    from mlkit.core.schemas import SCHEMAS  # as above

    yield from ((name, "a document") for name in SCHEMAS)


def _engines(_: Typed) -> Iterator[tuple[str, str]]:
    yield from ((engine.name, engine.title) for engine in ENGINES.values())


def _engines_that_run(_: Typed) -> Iterator[tuple[str, str]]:
    yield from ((e.name, e.title) for e in ENGINES.values() if not e.written_only)


runs, labels, stages = map(_complete, (_runs, _labels, _stages))
artifacts, parameters, profiles = map(_complete, (_artifacts, _parameters, _profiles))
exercises, codes, schemas = map(_complete, (_exercises, _codes, _schemas))
engines, engines_that_run = map(_complete, (_engines, _engines_that_run))
