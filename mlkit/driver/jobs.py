"""From an instance and its inputs to the job that a worker performs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlkit.core.configuration import HIDDEN
from mlkit.core.pipeline import Instance
from mlkit.driver.attempt import Job
from mlkit.driver.context import Context
from mlkit.driver.submission import Submission
from mlkit.driver.surroundings import attempt_environment
from mlkit.notebook.injection import Assignment
from mlkit.planner.checkout import Checkout
from mlkit.planner.preload import needs_of_notebook

__all__ = ["make_job", "shown_parameters"]


def make_job(context: Context, submission: Submission, number: int) -> Job:
    """Gather everything that the next attempt of an instance needs."""
    instance = submission.instance
    notebook = context.planner.notebook(instance)
    assignments = _assignments(context, submission)
    facts = {
        "MLKIT_RUNS_DIR": str(context.stores.runs.path),
        "MLKIT_RUN_ID": context.book.record.run_id,
        "MLKIT_STAGE": instance.id,
        "MLKIT_ATTEMPT": str(number),
    }
    return Job(
        instance_id=instance.id,
        number=number,
        notebook=notebook,
        staging=submission.staging,
        pipeline=context.order.pipeline.name,
        checkout=_checkout(context, submission),
        trace_key=context.planner.circumstances.key,
        env=attempt_environment(context.planner.circumstances.environ, facts, assignments),
        assignments=assignments,
        outputs=instance.stage.outputs,
        inputs=submission.inputs.artifacts,
        metadata={
            "run_id": context.book.record.run_id,
            "stage": instance.id,
            "attempt": number,
        },
        declared=instance.stage.declared,
        timeout_s=instance.stage.timeout_s,
        imports=needs_of_notebook(notebook),
        scrubber=context.book.scrubber,
        verify=context.order.options.verify,
    )


def _checkout(context: Context, submission: Submission) -> Checkout:
    """Where the project stands; declared inputs count by their digests alone."""
    checkout = context.planner.checkout(submission.instance)
    inputs = tuple(item.path for item in submission.inputs.files)
    return replace(checkout, never=(*checkout.never, str(context.book.folder.path), *inputs))


def _assignments(context: Context, submission: Submission) -> tuple[Assignment, ...]:
    declared = submission.instance.stage.declared
    parameters = [
        Assignment(name=name, value=bound.value, hidden=bound.secret, declaration=declared[name])
        for name, bound in context.order.configuration.of(submission.instance).items()
    ]
    inputs = [
        Assignment(name=name, value=value, declaration=declared[name])
        for name, value in submission.inputs.paths.items()
    ]
    return (*parameters, *inputs)


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
