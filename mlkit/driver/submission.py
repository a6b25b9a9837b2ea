"""An instance on its way through its attempts, and what each of them is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.configuration import HIDDEN, Configuration
from mlkit.core.outputs import is_tree
from mlkit.core.pipeline import ExternalFile, Instance, Node, RunFile, RunOutput
from mlkit.core.record import ArtifactRecord
from mlkit.core.types import accepts
from mlkit.driver.context import Context
from mlkit.driver.surroundings import attempt_environment
from mlkit.notebook.imports import needs_of_notebook
from mlkit.notebook.injection import Assignment
from mlkit.notebook.notebook_runner import Brief
from mlkit.planner.checkout import Checkout
from mlkit.planner.deciding import Decision, Planner
from mlkit.planner.inputs import ResolvedInputs, resolve_inputs

if TYPE_CHECKING:
    from mlkit.core.kept_kernel import Keeping
    from mlkit.driver.attempt import Job

__all__ = [
    "MissingInputError",
    "Submission",
    "arrivals",
    "fitting",
    "make_job",
    "shown_parameters",
    "values_for",
]


@dataclass(kw_only=True)
class Submission:
    """What stays the same from one attempt of an instance to the next, and the last delay.

    Parameters
    ----------
    instance : Instance
        The stage, or one value of it.
    decision : Decision
        Why it runs, and the parts of its fingerprint.
    inputs : ResolvedInputs
        What it is handed.
    staging : Path
        Its staging folder.
    delay_s : float
        How long it waited before the coming attempt.
    waits_for : str, optional
        The run that computes the same, of which people were told.
    retries : int
        How often it was tried again.
    """

    instance: Instance
    decision: Decision
    inputs: ResolvedInputs
    staging: Path
    delay_s: float = 0.0
    waits_for: str | None = None
    retries: int = 0


class MissingInputError(ValueError):
    """An input is not there, and the notebook does not say that it can do without."""


def arrivals(context: Context, instance: Instance) -> ResolvedInputs:
    """Find the inputs of an instance.

    Raises
    ------
    MissingInputError
        If one is not there.
    """
    state, files = context.book.state, _files(context, instance)

    def made(node: Node, output: str) -> list[tuple[str, ArtifactRecord | None]]:
        return state.made(node, output, instance.labels)

    return fitting(instance, resolve_inputs(instance, made, state.gives_list, files))


def fitting(instance: Instance, inputs: ResolvedInputs) -> ResolvedInputs:
    """Give inputs as they are, if the notebook can do without those that were not made.

    Raises
    ------
    MissingInputError
        If it cannot.
    """
    declared = instance.stage.declared
    unfit = [
        f"'{name}' ({source})"
        for name, source in inputs.missing.items()
        if not accepts(declared[name].spec, None)
    ]
    if unfit:
        raise MissingInputError(
            f"the input {', '.join(unfit)} was not made, and what the notebook declares does "
            "not allow None; annotate it 'str | None' if the stage can do without"
        )
    return inputs


def _files(
    context: Context, instance: Instance
) -> Mapping[str, Sequence[tuple[str, ArtifactRecord]]]:
    found: dict[str, list[tuple[str, ArtifactRecord]]] = {}
    for name, source in instance.stage.inputs.items():
        if isinstance(source, ExternalFile):
            path = Path(context.order.configuration.files[f"{instance.stage.name}.{name}"])
            found[name] = [(name, _file(context.planner, name, path, is_folder=source.is_folder))]
        elif isinstance(source, RunOutput):
            found[name] = [
                (item.instance, _made_elsewhere(context.planner, name, source, item))
                for item in source.files or ()
            ]
    return found


def _made_elsewhere(
    planner: Planner, name: str, source: RunOutput, item: RunFile
) -> ArtifactRecord:
    """What another run has made, if it is still what that run has written."""
    path = Path(item.path)
    artifact = _file(planner, name, path, is_folder=is_tree(item.digest))
    if artifact.digest != item.digest:
        raise MissingInputError(
            f"the input '{name}' ({source}) is not what that run has written: {path} was changed "
            "since"
        )
    return artifact


def _file(planner: Planner, name: str, path: Path, *, is_folder: bool) -> ArtifactRecord:
    try:
        digest = planner.file_digest(path, is_folder=is_folder)
        size_bytes = path.stat().st_size if digest is not None and not is_folder else 0
    except OSError as error:
        raise MissingInputError(
            f"the input '{name}' ({path}) cannot be read: {error.strerror}"
        ) from None
    if digest is None:
        kind = "folder" if is_folder else "file"
        state = f"is not a {kind}" if path.exists() else "does not exist"
        raise MissingInputError(f"the input '{name}' ({path}) {state}")
    return ArtifactRecord(path=str(path), digest=digest, size_bytes=size_bytes)


def make_job(context: Context, submission: Submission, number: int) -> Job:
    """Gather everything that the next attempt of an instance needs."""
    # A run that reuses all makes no attempt, and starts the sooner for it.
    from mlkit.driver.attempt import Job

    instance = submission.instance
    notebook = context.planner.notebook(instance)
    assignments = values_for(context.order.configuration, instance, submission.inputs)
    facts = {
        "MLKIT_RUNS_DIR": str(context.stores.runs.path),
        "MLKIT_RUN_ID": context.book.record.run_id,
        "MLKIT_STAGE": instance.id,
        "MLKIT_ATTEMPT": str(number),
    }
    keeping = _keeping(context, submission, number)
    return Job(
        instance_id=instance.id,
        number=number,
        notebook=notebook,
        staging=submission.staging,
        pipeline=context.order.pipeline.name,
        checkout=_checkout(context, submission),
        trace_key=context.planner.circumstances.key,
        brief=Brief(
            env=attempt_environment(context.planner.environ(instance), facts, assignments),
            settings=context.order.configuration.settings(instance),
            assignments=assignments,
            metadata={
                "run_id": context.book.record.run_id,
                "stage": instance.id,
                "attempt": number,
            },
            timeout_s=instance.stage.timeout_s,
            imports=needs_of_notebook(notebook),
            kernel=instance.stage.kernel,
            scrubber=context.book.scrubber,
            keeping=keeping,
        ),
        outputs=instance.stage.outputs,
        inputs=submission.inputs.artifacts,
        declared=instance.stage.declared,
        live=context.book.folder.live(instance.id) if keeping is not None else None,
        verify=context.order.options.verify,
    )


def _keeping(context: Context, submission: Submission, number: int) -> Keeping | None:
    """That the kernel is kept if the attempt fails and is the last one, where that is asked for."""
    for_s, record = context.order.options.keep_failed_s, context.book.record
    if for_s is None:
        return None
    from mlkit.core.kept_kernel import Keeping  # for the few runs that keep any

    retry = submission.instance.stage.retry
    return Keeping(
        for_s=for_s,
        facts={
            "run_id": record.run_id,
            "runs_dir": str(context.stores.runs.path),
            "pipeline": record.pipeline,
            "file": str(context.order.pipeline.file),
            "stage": submission.instance.id,
        },
        attempt=number,
        retries_left=retry.max_retries - submission.retries,
        retry=retry,
    )


def _checkout(context: Context, submission: Submission) -> Checkout:
    """Where the project stands; declared inputs count by their digests alone."""
    checkout = context.planner.checkout(submission.instance)
    inputs = tuple(item.path for item in submission.inputs.files)
    return replace(checkout, never=(*checkout.never, str(context.book.folder.path), *inputs))


def values_for(
    configuration: Configuration, instance: Instance, inputs: ResolvedInputs
) -> tuple[Assignment, ...]:
    """The parameters and inputs of an instance, as its notebook is handed them."""
    declared = instance.stage.declared
    parameters = [
        Assignment(name=name, value=bound.value, hidden=bound.secret, declaration=declared[name])
        for name, bound in configuration.of(instance).items()
    ]
    handed = [
        Assignment(name=name, value=value, declaration=declared[name])
        for name, value in inputs.paths.items()
    ]
    return (*parameters, *handed)


def shown_parameters(context: Context, instance: Instance) -> dict[str, Any]:
    """What the notebook receives, for the record: every declared parameter, secrets hidden."""
    bound = context.order.configuration.of(instance)
    shown = {}
    for name, declaration in instance.stage.configurable.items():
        if name in bound:
            shown[name] = bound[name].public
        else:
            secret = declaration.spec.is_secret and declaration.default
            shown[name] = HIDDEN if secret else declaration.default
    return shown
