"""What Argo Workflows cannot keep. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlkit.core.pipeline import Stage
from mlkit.engines.argo.names import MOST_NAME, MOST_STAGE, Names
from mlkit.engines.kubeflow.branches import is_patient
from mlkit.engines.questions import picked_label
from mlkit.engines.refusals import Refusal, long_name
from mlkit.engines.unrolling import Unrolled

__all__ = ["refusals"]

_QUANTITY = re.compile(r"\d+(\.\d+)?(m|[EPTGMk]i?|Ki)?")


def refusals(whole: Unrolled, names: Names) -> Iterator[Refusal]:
    """Name what Argo cannot do."""
    yield from long_name(None, names.pipeline, MOST_NAME)
    for name, stage in whole.pipeline.stages.items():
        told = whole.origins[name].stage if name in whole.origins else stage
        yield from long_name(told, names.tasks[name], MOST_STAGE)
        for fact, remedy in _refused(stage):
            yield Refusal(stage=told, fact=fact, remedy=remedy)


def _refused(stage: Stage) -> Iterator[tuple[str, str]]:
    """Each fact with its remedy."""
    if stage.image is None:
        remedy = "Name one that holds mlkit, for all stages at once by defaults: {image: …}"
        yield "each of its tasks is a pod, and this one has no image", remedy
    if "mlkit-task" in stage.volumes:
        yield "a volume called 'mlkit-task', as one of mlkit's own", "Call it otherwise"
    retry = stage.retry
    if retry.max_retries and not float(retry.backoff).is_integer():
        fact = f"'backoff: {retry.backoff:g}': it takes whole factors"
        yield fact, "Write a whole number, such as backoff: 2"
    for key, asked in (("cpu", stage.resources.cpu), ("memory", stage.resources.memory)):
        if asked is not None and not _QUANTITY.fullmatch(asked):
            yield f"'{key}: {asked}', which is no quantity of Kubernetes", "Write 500m, 2 or 4Gi"
    source = None if stage.foreach is None else stage.foreach.source
    if source is None:
        return
    over = f"'foreach' over {source}"  # it is handed on by one task, before the loop
    if picked_label(source.node) is not None:
        yield f"{over}, one instance's artifact", "Let a stage without 'foreach' write the list"
    if is_patient(stage):
        fact = f"{over} in a stage that may run although something failed"
        yield fact, "Use the trigger all_success, none_failed or none_failed_min_one_success"
