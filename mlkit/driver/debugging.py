"""Write a stage's notebook as an attempt would receive it, for a person to open."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from mlkit.core.configuration import Configuration
from mlkit.core.instances import is_named, labels_of
from mlkit.core.pipeline import Instance, Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.values import safe_name
from mlkit.driver.written_outputs import make_room
from mlkit.errors import UsageError
from mlkit.load.section import did_you_mean
from mlkit.notebook.foreign import source_to_inject
from mlkit.notebook.injection import (
    INJECTED_TAG,
    Assignment,
    injected_cell,
    place_to_inject,
)
from mlkit.notebook.kernelspecs import named_in_metadata
from mlkit.notebook.source import read_notebook
from mlkit.planner.mapping import instances_of
from mlkit.store.folder import RunsFolder, readable_os_errors

__all__ = ["entry_of", "write_debug_notebook"]

_ENVIRON = '__import__("os").environ'


def write_debug_notebook(
    pipeline: Pipeline, configuration: Configuration, record: RunRecord, stage_id: str
) -> Path:
    """Write a copy of a stage's notebook with the parameters and inputs of a run.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline as it stands today.
    configuration : Configuration
        The run's parameters.
    record : RunRecord
        The run.
    stage_id : str
        `STAGE` or `STAGE[VALUE]`.

    Returns
    -------
    Path
        The copy, in the runs folder under `debug/`; outputs go to a folder beside it.

    Raises
    ------
    UsageError
        If the run has no such stage.
    """
    entry = entry_of(record, stage_id)
    instance = _instance(pipeline, entry)
    folder = RunsFolder(Path(record.runs_dir)).debug / f"{record.run_id}-{safe_name(entry.id)}"
    outputs = folder / "outputs"
    source = read_notebook(Path(instance.stage.notebook))
    document = copy.deepcopy(dict(source.document))
    name = INJECTED_TAG if document.get("nbformat_minor", 0) >= 5 else None
    cell = injected_cell(_source(instance, configuration, entry, outputs), name)
    document["cells"].insert(place_to_inject(document["cells"]), cell)
    if instance.stage.kernel is not None:
        document["metadata"] = {
            **document.get("metadata", {}),
            "kernelspec": named_in_metadata(instance.stage.kernel),
        }
    written = folder / Path(instance.stage.notebook).with_suffix(".ipynb").name
    with readable_os_errors(folder):
        outputs.mkdir(parents=True, exist_ok=True)
        make_room(instance.stage.outputs, outputs)
        written.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return written


def entry_of(record: RunRecord, stage_id: str) -> StageRecord:
    """Give what a run has of a stage: of its instances one that failed, else the first.

    Raises
    ------
    UsageError
        If the run has no such stage.
    """
    found = record.stages.get(stage_id)
    if found is not None:
        return found
    alike = [item for item in record.stages.values() if is_named(stage_id, item.id)]
    failed = [item for item in alike if item.error is not None]
    if alike:
        return (failed or alike)[0]
    raise UsageError(
        f"run {record.run_id} has no stage '{stage_id}'",
        remedy=did_you_mean(stage_id, record.stages),
        code="E101",
    )


def _instance(pipeline: Pipeline, entry: StageRecord) -> Instance:
    stage = pipeline.stages.get(entry.stage)
    if stage is None:
        raise UsageError(f"the pipeline has no stage '{entry.stage}' any more", code="E101")
    if stage.foreach is None or not labels_of(entry.id):
        return Instance(stage=stage)
    named = zip(stage.foreach.parameters, labels_of(entry.id), strict=True)
    values = tuple(entry.parameters.get(name, label) for name, label in named)
    known = [] if stage.foreach.size is None else instances_of(stage, lambda *_: None)
    return next((i for i in known if i.id == entry.id), Instance(stage=stage, values=values))


def _asked(name: str) -> str:
    """What asks for a secret when the cell runs."""
    return f'__import__("getpass").getpass("{name}: ")'


def _source(
    instance: Instance, configuration: Configuration, entry: StageRecord, outputs: Path
) -> str:
    """The injected cell; a secret is asked for when the cell runs."""
    declared = instance.stage.declared
    bound = configuration.of(instance)
    assignments = [
        Assignment(name=name, value=item.value, declaration=declared[name])
        for name, item in bound.items()
        if not item.secret
    ]
    assignments += [
        Assignment(name=name, value=value, declaration=declared.get(name))
        for name, value in entry.inputs.items()
        if name in declared
    ]
    assignments += [
        Assignment(name=name, value=str(outputs / output.path), declaration=declared[name])
        for name, output in instance.stage.outputs.items()
        if name in declared
    ]
    title = f"Injected by mlkit: stage '{entry.id}' as in its run"
    lines = [source_to_inject(tuple(assignments), title, instance.stage.kernel)]
    if instance.stage.kernel is not None and instance.stage.kernel.language != "python":
        return "\n".join(lines)
    lines += [
        f"{_ENVIRON}[{name!r}] = {_asked(name) if item.secret else repr(str(item.value))}"
        for name, item in configuration.env.get(instance.stage.name, {}).items()
    ]
    lines += [f"{name} = {_asked(name)}" for name, item in bound.items() if item.secret]
    folder = str(Path(instance.stage.notebook).parent)
    lines.append(f'__import__("sys").path.insert(0, {folder!r})')
    return "\n".join(lines)
