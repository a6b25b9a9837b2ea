"""Stages and instances as values."""

from __future__ import annotations

from pathlib import PurePath

from mlkit.core.outputs import Output
from mlkit.core.pipeline import (
    Axis,
    Condition,
    Declaration,
    ExternalFile,
    Foreach,
    Instance,
    Node,
    Stage,
    StageOutput,
)
from mlkit.core.types import ANY


def output(stage: str, name: str = "x") -> StageOutput:
    """A reference to a stage's output."""
    return StageOutput(node=Node(stage=stage), output=name)


def test_upstream_are_inputs_when_foreach_and_after_each_once() -> None:
    """In that order; files from outside are nobody's."""
    stage = Stage(
        name="s",
        notebook=PurePath("s.ipynb"),
        inputs={"a": output("one"), "b": ExternalFile(path=PurePath("/f"))},
        when=(Condition(source=output("two"), values=(1,)),),
        foreach=Foreach(axes=(Axis(parameter="m", source=output("three")),)),
        after=(Node(stage="four"), Node(stage="one")),
    )
    assert [str(node) for node in stage.data_upstream] == ["one", "two", "three"]
    assert [str(node) for node in stage.upstream] == ["one", "two", "three", "four"]


def test_configurable_is_what_is_neither_input_nor_output() -> None:
    """The rest of the parameters cell."""
    declared = {name: Declaration(name=name, spec=ANY, default=None) for name in "abc"}
    stage = Stage(
        name="s",
        notebook=PurePath("s.ipynb"),
        inputs={"a": output("one")},
        outputs={"b": Output.of("b.txt")},
        declared=declared,
    )
    assert list(stage.configurable) == ["c"]


def test_references_read_as_they_stand_in_the_file() -> None:
    """`STAGE`, `STAGE[VALUE]`, `STAGE[VALUE].OUTPUT`, `file:PATH`."""
    node = Node(stage="train", value="a.b")
    assert str(Node(stage="train")) == "train"
    assert str(node) == "train[a.b]"
    assert str(StageOutput(node=node, output="m")) == "train[a.b].m"
    assert str(ExternalFile(path=PurePath("/a"))) == "file:/a"


def test_an_instance_is_called_by_its_value() -> None:
    """A stage that is not mapped, by its name."""
    plain = Stage(name="s", notebook=PurePath("s.ipynb"))
    mapped = Stage(
        name="s", notebook=PurePath("s.ipynb"), foreach=Foreach(axes=(Axis(parameter="m"),))
    )
    assert Instance(stage=plain).id == "s"
    assert [Instance(stage=mapped, values=(value,)).id for value in ("x", 1, 1.0, True, None)] == [
        *("s[x]", "s[1]", "s[1.0]", "s[true]", "s[null]")
    ]
