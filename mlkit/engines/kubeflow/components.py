"""The component of each stage: a short function that calls mlkit. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.logical_date import takes_logical_date
from mlkit.core.pipeline import Pipeline, Stage, StageOutput
from mlkit.engines.kubeflow.branches import is_patient, nodes_of
from mlkit.engines.kubeflow.layout import Fork, Layout
from mlkit.engines.kubeflow.lineage import artifact_type, made_arguments
from mlkit.engines.kubeflow.names import RUN_ARGUMENTS, argument
from mlkit.engines.python_text import (
    call,
    decorate,
    listing,
    literal,
    mapping,
    one_line,
    write,
)

__all__ = [
    "branch_argument",
    "first_image",
    "forks_before",
    "handed",
    "run_arguments",
    "speaker",
    "stage_component",
]

_PLAIN_IMAGE = "python:3.11.14-slim"
"""kfp wants an image of every component; its local runner does not use any.

It is one version, so that the same file means the same image tomorrow: of the Python that the
Dockerfile and the locks are made for."""


def handed(layout: Layout, stage: Stage) -> dict[str, StageOutput]:
    """The inputs whose paths kfp hands on: those of stages that a stage sees.

    A stage that runs although something failed is handed none: kfp has no value to hand on then.
    mlkit finds every input by itself.
    """
    if is_patient(stage):
        return {}
    return {
        name: source
        for name, source in stage.inputs.items()
        if isinstance(source, StageOutput)
        and layout.sees(stage.name, source.node.stage)
        and "[" not in name  # a part of a list, whose other parts may be elsewhere
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
    pipeline: Pipeline, function: str, stage: Stage, takes: Mapping[str, str]
) -> str:
    """The function of a stage's component, with its decorator.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    function : str
        The function's name.
    stage : Stage
        The stage.
    takes : mapping of str to str
        Its arguments and their types; one that is called `instance` says what mlkit shall run.
    """
    made = made_arguments(stage)
    kinds = {n: f"dsl.Output[dsl.{artifact_type(stage, output)}]" for output, n in made.items()}
    signature = call(function, *(f"{name}: {kind}" for name, kind in {**takes, **kinds}.items()))
    gives = listing(f"({literal(n)}, str)" for n in ["state", *map(argument, stage.outputs)])
    usual = stage.image is None or stage.image == first_image(pipeline)
    decorator = "component" if usual else call("component", base_image=literal(str(stage.image)))
    name = "instance" if "instance" in takes else literal(stage.name)
    told = [] if stage.critical else ["critical=False"]
    run = call("run_stage", name, mapping(made), *run_arguments(pipeline), *told)
    return "\n".join(
        [
            decorate(decorator),
            write(signature, before="def ", after=f' -> NamedTuple("Outputs", {gives}):'),
            f'    """Run the notebook {one_line(stage.notebook.name)}."""',
            write(run, before="return ", indent=1),
        ]
    )


def run_arguments(pipeline: Pipeline) -> dict[str, str]:
    """What every component takes, and what it is given.

    The time of the schedule is among it where stages want to know for which interval they run.
    """
    dated = pipeline.schedule is not None and takes_logical_date(pipeline)
    return {name: text for name, text in RUN_ARGUMENTS.items() if name != "scheduled_at" or dated}


def branch_argument(number: int) -> str:
    """The name under which a component takes the state of the branch that was taken."""
    return "branch" if number == 0 else f"branch_{number + 1}"


def first_image(pipeline: Pipeline) -> str:
    """The image of the components that belong to no stage, and of stages that name none."""
    return next((s.image for s in pipeline.stages.values() if s.image), _PLAIN_IMAGE)
