"""References from one stage to another's outputs."""

from __future__ import annotations

from mlkit.core.pipeline import (
    Axis,
    Foreach,
    Node,
    StageOutput,
)
from tests.load.conftest import COLLECT, HEAD, MAPPED, TRAIN, Project


def test_references_to_one_instance(project: Project) -> None:
    """`train[boost].metrics` names one file, so the notebook may declare a single path."""
    project.notebook("one.ipynb", 'best = ""\n')
    pipeline = project.load(
        HEAD
        + COLLECT
        + MAPPED
        + "  one:\n    notebook: one.ipynb\n    inputs: {best: 'train[boost].metrics'}\n"
        + "    after: ['train[forest]']\n"
    )
    assert [str(node) for node in pipeline.stages["one"].upstream] == [
        "train[boost]",
        "train[forest]",
    ]


def test_values_of_foreach_stay_as_written(project: Project) -> None:
    """`foreach: {rate: [1, 2]}` over a float gives `train[1]`, as references say."""
    project.notebook("one.ipynb", 'best = ""\n')
    pipeline = project.load(
        HEAD
        + TRAIN
        + "    foreach: {rate: [1, 2]}\n    outputs: {metrics: m.json}\n"
        + "  one:\n    notebook: one.ipynb\n    inputs: {best: 'train[1].metrics'}\n"
    )
    foreach = pipeline.stages["train"].foreach
    assert foreach is not None
    assert [repr(value) for value in foreach.axes[0].values or ()] == ["1", "2"]


def test_foreach_from_an_artifact_and_of_length_0(project: Project) -> None:
    """The list may come from an artifact, or be empty."""
    lists = "  select:\n    notebook: select.ipynb\n    outputs: {decision: d.json}\n"
    dynamic = project.load(HEAD + lists + TRAIN + "    foreach: {model: select.decision}\n")
    empty = project.load(HEAD + TRAIN + "    foreach: {model: []}\n")
    assert dynamic.stages["train"].foreach == Foreach(
        axes=(
            Axis(
                parameter="model", source=StageOutput(node=Node(stage="select"), output="decision")
            ),
        )
    )
    assert [str(node) for node in dynamic.stages["train"].upstream] == ["select"]
    assert empty.stages["train"].foreach == Foreach(axes=(Axis(parameter="model", values=()),))


def test_a_secret_cannot_be_mapped_over(project: Project) -> None:
    """Its values would stand in the names of the instances."""
    project.notebook("s.ipynb", "import mlkit\ntoken: mlkit.Secret = ''\n")
    assert project.refused(HEAD + "  s:\n    notebook: s.ipynb\n    foreach: {token: [a]}\n") == (
        "pipeline.yaml:5: stage 's': 'foreach' cannot map over a secret. "
        "The values stand in names of folders; map over something that may be seen"
    )
