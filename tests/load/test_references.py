"""References from one stage to another's outputs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlkit.core.pipeline import (
    Axis,
    Foreach,
    Node,
    StageOutput,
)
from mlkit.errors import PipelineError
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


@pytest.mark.parametrize("path", ["flights.csv", "data/flights", "./flights.v2.csv"])
def test_a_file_that_is_there_is_taken_for_what_was_meant(project: Project, path: str) -> None:
    """Without `file:` its name reads as STAGE.OUTPUT, or as nothing."""
    project.notebook("one.ipynb", 'raw = ""\n')
    text = HEAD + f"  one: {{notebook: one.ipynb, inputs: {{raw: {path}}}}}\n"
    with pytest.raises(PipelineError, match=r"Known: one|Write STAGE\.OUTPUT"):
        project.load(text)
    (project.folder / path).parent.mkdir(exist_ok=True)
    (project.folder / path).touch()
    with pytest.raises(PipelineError, match=f"A file from outside is written 'file:{path}'"):
        project.load(text)


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


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(alphabet='train.mecs[]",* x1\\', max_size=14),
    key=st.sampled_from(("after", "inputs")),
)
@example(text="train[boost.metrics", key="inputs")
@example(text="train]boost[.metrics", key="inputs")
@example(text="train[boost", key="after")
def test_a_reference_of_any_text_is_taken_or_refused_with_its_line(
    project: Project, text: str, key: str
) -> None:
    """Never another error."""
    project.notebook("one.ipynb", 'best: str | list[str] = ""\n')
    said = f"['{text}']" if key == "after" else f"{{best: '{text}'}}"
    one = f"  one:\n    notebook: one.ipynb\n    {key}: {said}\n"
    refusal = _refusal(project, HEAD + COLLECT + MAPPED + one)
    assert refusal is None or refusal.line is not None
    assert refusal is None or "stage 'one'" in refusal.message


def _refusal(project: Project, text: str) -> PipelineError | None:
    try:
        project.load(text)
    except PipelineError as error:
        return error
    return None


def test_a_bracket_that_is_not_closed_is_told(project: Project) -> None:
    """As that."""
    project.notebook("one.ipynb", 'best = ""\n')
    one = "  one:\n    notebook: one.ipynb\n    inputs: {best: 'train[boost.metrics'}\n"
    with pytest.raises(PipelineError, match="an output: the bracket is not closed"):
        project.load(HEAD + COLLECT + MAPPED + one)
