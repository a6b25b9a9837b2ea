"""The component of each stage: a short function that calls mlkit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.core.logical_date import takes_logical_date
from mlkit.core.pipeline import Pipeline, Stage, StageOutput
from mlkit.engines.kubeflow import embedded
from mlkit.engines.kubeflow.branches import is_patient, nodes_of
from mlkit.engines.kubeflow.layout import Fork, Layout
from mlkit.engines.kubeflow.names import Names, argument
from mlkit.engines.kubeflow.writing import (
    INDENT,
    Argument,
    call,
    expression,
    literal,
    quoted,
    signature,
)
from mlkit.engines.python_text import listing

__all__ = [
    "PLAIN_IMAGE",
    "branch_argument",
    "first_image",
    "forks_before",
    "handed",
    "is_dated",
    "small_components",
    "speaker",
    "stage_component",
]

PLAIN_IMAGE = "python:3.12"
_RUN = ("run_id: str", "parameters: list", "job_id: str", "task_id: str")


def handed(pipeline: Pipeline, layout: Layout, stage: Stage) -> dict[str, StageOutput]:
    """The inputs whose paths kfp hands on: those of stages that a stage sees.

    A stage that runs although something failed is handed none: kfp has no value to hand on then.
    mlkit finds every input by itself.
    """
    if is_patient(stage):
        return {}
    return {
        name: source
        for name, source in stage.inputs.items()
        if isinstance(source, StageOutput) and layout.sees(stage.name, source.node.stage)
    }


def forks_before(layout: Layout, stage: Stage) -> list[tuple[int, str]]:
    """The forks, seen from where a stage stands, in whose branches something upstream of it is.

    Returns
    -------
    list of tuple of (int, str)
        Depth and name of each fork, each once.
    """
    here = layout.paths[stage.name]
    found = []
    for node in nodes_of(stage):
        path = layout.paths[node.stage]
        depth = next((i for i, b in enumerate(path) if i >= len(here) or here[i] != b), len(path))
        if depth < len(path):
            found.append((depth, path[depth].fork))
    return list(dict.fromkeys(found))


def speaker(pipeline: Pipeline, fork: Fork) -> dict[str, str] | None:
    """For each branch the stage whose state stands for it; None if a branch has only loops."""
    chosen = {}
    for answer, blocks in fork.branches.items():
        plain = [b for b in blocks if isinstance(b, str) and not pipeline.stages[b].foreach]
        if not plain:
            return None
        chosen[answer] = plain[-1]
    return chosen


def stage_component(
    pipeline: Pipeline, names: Names, stage: Stage, inputs: dict[str, StageOutput], branches: int
) -> list[str]:
    """The function of a stage's component, with its decorator."""
    mapped = stage.foreach is not None
    parameters = ["instance: str"] if mapped else []
    parameters += _RUN
    parameters += ["scheduled_at: str"] if is_dated(pipeline) else []
    for name, source in inputs.items():
        many = pipeline.stages[source.node.stage].foreach is not None
        parameters.append(f"{argument(name)}: {'List[str]' if many else 'str'}")
    parameters += [f"{branch_argument(n)}: str" for n in range(branches)]
    fields = ["state", *map(argument, stage.outputs)]
    typed = listing(f"({quoted(name)}, str)" for name in fields)
    returns = expression("NamedTuple", ['"Outputs"', typed])
    lines = decorated(stage.image, pipeline)
    lines += signature(names.components[stage.name], parameters, returns)
    lines.append(f'{INDENT}"""Run the notebook {_plain(stage.notebook.name)}."""')
    arguments: list[Argument] = ["instance" if mapped else quoted(stage.name)]
    arguments += [literal(list(stage.outputs)), "run_id", "parameters", "job_id", "task_id"]
    if is_dated(pipeline):
        arguments.append("scheduled_at=scheduled_at")
    if not stage.critical:
        arguments.append("critical=False")
    return [*lines, *call(f"{INDENT}return run_stage", arguments)]


def is_dated(pipeline: Pipeline) -> bool:
    """Whether a schedule starts runs whose stages want to know for which interval."""
    return pipeline.schedule is not None and takes_logical_date(pipeline)


def branch_argument(number: int) -> str:
    """The name under which a component takes the state of the branch that was taken."""
    return "branch" if number == 0 else f"branch_{number + 1}"


def _plain(name: str) -> str:
    return name.replace("\\", "/").replace('"', "'")


def decorated(image: str | None, pipeline: Pipeline) -> list[str]:
    """The decorator of a stage's component; the image that most have stands in it already."""
    usual = image is None or image == first_image(pipeline)
    return ["@component" if usual else f"@component(base_image={quoted(str(image))})"]


def first_image(pipeline: Pipeline) -> str:
    """The image of the components that belong to no stage, and of stages that name none."""
    return next((s.image for s in pipeline.stages.values() if s.image), PLAIN_IMAGE)


def small_components(wanted: Sequence[str]) -> list[list[str]]:
    """The components that read values, wait and stand for branches, each as its lines."""
    texts = {
        **embedded.READ,
        "conditions_hold": embedded.CONDITIONS_HOLD,
        "wait_for_file": embedded.WAIT_FOR_FILE,
        "no_branch": embedded.NO_BRANCH,
    }
    return [
        ["@small_component", *text.rstrip().split("\n")]
        for name, text in texts.items()
        if name in wanted
    ]
