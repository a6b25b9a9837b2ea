"""What Prefect cannot express. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mlkit.core.pipeline import Pipeline
from mlkit.core.policies import Volume
from mlkit.engines.prefect.tasks import MOST_DELAYS, delay_s
from mlkit.engines.refusals import Refusal

__all__ = ["refusals"]


def refusals(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name what Prefect cannot express: one job, in one image, on one node, runs the whole flow."""
    if "run_id" in pipeline.parameters:
        yield Refusal(
            stage=None,
            fact="the flow has a parameter 'run_id' of its own",
            remedy="Give the pipeline's parameter another name",
        )
    images: dict[str, str] = {}
    nodes: dict[str, tuple[str, str]] = {}
    volumes: dict[str, tuple[Volume, str]] = {}
    for stage in pipeline.stages.values():
        retry = stage.retry
        beyond = [delay_s(retry, place) for place in (MOST_DELAYS - 1, MOST_DELAYS)]
        if retry.max_retries > MOST_DELAYS and beyond[0] != beyond[1]:
            yield Refusal(
                stage=stage,
                fact=f"it takes at most {MOST_DELAYS} different delays between retries, not "
                f"{retry.max_retries}",
                remedy="Set 'max_delay', or fewer 'max_retries'",
            )
        if stage.is_chained and stage.wait_for is not None:
            yield Refusal(
                stage=stage,
                fact="each of its instances waits for its own upstream, and all for one file",
                remedy="Wait for the file in a stage of its own, and name that in 'after'",
            )
        if stage.image is not None:
            images.setdefault(stage.image, stage.name)
        if len(images) > 1:
            first = next(iter(images))
            yield Refusal(
                stage=stage,
                fact="one job runs the whole flow, in the image that stage "
                f"'{images[first]}' names ({first})",
                remedy="Give every stage the same image, or use an engine that has one for each "
                "task",
            )
        for key, volume in stage.volumes.items():
            mounted, name = volumes.setdefault(key, (volume, stage.name))
            if mounted != volume:
                yield Refusal(
                    stage=stage,
                    fact=f"one job runs the whole flow, and stage '{name}' has another volume "
                    f"'{key}'",
                    remedy="Call one of them otherwise",
                )
        for key, wanted in stage.resources.node_selector.items():
            other, name = nodes.setdefault(key, (wanted, stage.name))
            if other != wanted:
                yield Refusal(
                    stage=stage,
                    fact=f"one job runs the whole flow, and stage '{name}' wants a node whose "
                    f"'{key}' is {other}, not {wanted}",
                    remedy="Want one kind of node, or use an engine that places each task",
                )
