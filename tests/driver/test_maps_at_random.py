"""Maps of random shapes: who reads whom is what a search through all instances finds."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.api.forecasting import plan
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.testing import Raises, run_fake
from mlkit.testing.runner import FakeRunner
from mlkit.testing.sketches import Sketch, write_pipeline

VALUES: Mapping[str, Sequence[Any]] = {"a": ["x", "y,z", "*"], "b": [1, 2], "c": [True, None]}
BODY = """import json
from pathlib import Path
told = {{name: path for name, path in {inputs}.items()}}
own = {own}
Path(out).write_text(json.dumps([told, own]))"""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An input: a stage of smaller number, and what its brackets say of some of its parameters."""

    stage: int
    picks: Mapping[str, str | None]
    """By parameter: the value as it stands in an id, or None for the reader's own."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A stage: what it maps over, and what it reads."""

    parameters: tuple[str, ...]
    inputs: tuple[Reference, ...]
    silent: frozenset[str]
    """The parameters that its notebook does not declare: an input of its own tells them apart."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An instance, spelled out."""

    stage: int
    values: Mapping[str, str]

    @property
    def id(self) -> str:
        """As in a record."""
        inside = f"[{','.join(self.values.values())}]" if self.values else ""
        return f"s{self.stage}{inside}"


def spelled(value: Any) -> str:
    """A value as it stands in an id: this test's own way."""
    if value in ("y,z", "*"):
        return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value)


@st.composite
def shapes(draw: st.DrawFn) -> list[Shape]:
    """Some stages, each of which may refer to those before it."""
    made: list[Shape] = []
    for number in range(draw(st.integers(2, 4))):
        parameters = tuple(draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3)))
        inputs = []
        for other in draw(st.lists(st.integers(0, number - 1), unique=True)) if number else ():
            picks: dict[str, str | None] = {}
            for name in made[other].parameters:
                ways = ["all", "value", *(["mine"] if name in parameters else [])]
                way = draw(st.sampled_from(ways))
                if way == "value":
                    picks[name] = spelled(draw(st.sampled_from(VALUES[name])))
                elif way == "mine":
                    picks[name] = None
            inputs.append(Reference(stage=other, picks=picks))
        followed = sorted(
            {n for item in inputs for n, value in item.picks.items() if value is None}
        )
        silent = frozenset(draw(st.lists(st.sampled_from(followed)))) if followed else frozenset()
        made.append(Shape(parameters=parameters, inputs=tuple(inputs), silent=silent))
    return made


def brackets(shape: Shape, picks: Mapping[str, str | None]) -> str:
    """A reference's brackets: each parameter at its own place."""
    words = [(picks[n] or n) if n in picks else "*" for n in shape.parameters]
    return f"[{','.join(words)}]" if picks else ""


def write(folder: Path, stages: Sequence[Shape]) -> Path:
    """The stages as a pipeline; each writes down what it was handed."""
    sketches = []
    for number, shape in enumerate(stages):
        declares = [f"{name}: {'bool | None' if name == 'c' else type(VALUES[name][0]).__name__} = "
                    f"{VALUES[name][0]!r}" for name in shape.parameters
                    if name not in shape.silent]  # fmt: skip
        names = [f"i{reference.stage}" for reference in shape.inputs]
        inputs = "{" + ", ".join(f"{name!r}: {name}" for name in names) + "}"
        sketches.append(
            Sketch(
                name=f"s{number}",
                body=BODY.format(
                    inputs=inputs,
                    own=f"[{', '.join(n for n in shape.parameters if n not in shape.silent)}]",
                ),
                declares="\n".join([*declares, *(f"{n}: str | list[str] = ''" for n in names)]),
                keys={
                    **(
                        {"foreach": {n: list(VALUES[n]) for n in shape.parameters}}
                        if shape.parameters
                        else {}
                    ),
                    "inputs": {
                        f"i{r.stage}": f"s{r.stage}{brackets(stages[r.stage], r.picks)}.out"
                        for r in shape.inputs
                    },
                },
            )
        )
    return write_pipeline(folder, *sketches)


def entries(stages: Sequence[Shape], number: int) -> Iterator[Entry]:
    """All instances of a stage: the first parameter is the slowest."""
    lists = [[spelled(value) for value in VALUES[name]] for name in stages[number].parameters]
    for values in itertools.product(*lists):
        yield Entry(stage=number, values=dict(zip(stages[number].parameters, values, strict=True)))


def read(stages: Sequence[Shape], entry: Entry, reference: Reference) -> list[Entry]:
    """The instances that one reads by an input: all are looked at."""
    return [
        other
        for other in entries(stages, reference.stage)
        if all(
            other.values[name] == (entry.values[name] if value is None else value)
            for name, value in reference.picks.items()
        )
    ]


def above(stages: Sequence[Shape], entry: Entry) -> dict[str, Entry]:
    """An instance and everything that it needs."""
    found = {entry.id: entry}
    for reference in stages[entry.stage].inputs:
        for other in read(stages, entry, reference):
            found |= above(stages, other)
    return found


def everything(stages: Sequence[Shape]) -> dict[str, Entry]:
    """Every instance, in the order of a record."""
    return {e.id: e for number in range(len(stages)) for e in entries(stages, number)}


def handed(record: Any, entry: Entry) -> dict[str, Any]:
    """What an instance was handed, by the ids of those that wrote it."""
    told, _ = json.loads(Path(record.stages[entry.id].outputs["out"]).read_text())
    owner = {item.outputs["out"]: key for key, item in record.stages.items()}
    return {
        name: [owner[path] for path in paths] if isinstance(paths, list) else owner[paths]
        for name, paths in told.items()
    }


def expected_of(stages: Sequence[Shape], entry: Entry) -> dict[str, Any]:
    """What it should have been handed."""
    told: dict[str, Any] = {}
    for reference in stages[entry.stage].inputs:
        ids = [other.id for other in read(stages, entry, reference)]
        is_one = len(reference.picks) == len(stages[reference.stage].parameters)
        told[f"i{reference.stage}"] = ids[0] if is_one else ids
    return told


SOME = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@SOME
@given(shapes())
def test_every_instance_is_handed_its_own(stages: list[Shape]) -> None:
    """And a second run reuses all of them, as its plan has said."""
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), stages)
        record = run_fake(file)
        assert record.ok
        assert list(record.stages) == list(everything(stages))
        for entry in everything(stages).values():
            assert expected_of(stages, entry) == handed(record, entry)
        assert {item.action for item in plan(file).values()} == {"reuse"}
        assert {item.status for item in run_fake(file).stages.values()} == {Status.CACHED}


@SOME
@given(shapes(), st.data())
def test_until_an_instance_runs_what_it_needs(stages: list[Shape], data: st.DataObject) -> None:
    """Exactly; and `--only` the instance then finds its inputs."""
    entry = data.draw(st.sampled_from(list(everything(stages).values())))
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), stages)
        record = run_fake(file, until=entry.id)
        assert record.ok
        assert set(record.stages) == set(above(stages, entry))
        again = run_fake(file, only=entry.id, force=True)
        assert {key: item.status for key, item in again.stages.items()} == {
            entry.id: Status.SUCCEEDED
        }


@SOME
@given(shapes(), st.data())
def test_a_failure_stops_those_that_need_it(stages: list[Shape], data: st.DataObject) -> None:
    """And nobody else."""
    entry = data.draw(st.sampled_from(list(everything(stages).values())))
    runner = FakeRunner({entry.id: [Raises()]})
    with tempfile.TemporaryDirectory() as folder:
        record = run_fake(write(Path(folder), stages), runner=runner)
    for other in everything(stages).values():
        status = record.stages[other.id].status
        if other.id == entry.id:
            assert status is Status.FAILED
        elif entry.id in above(stages, other):
            assert status is Status.UPSTREAM_FAILED
        else:
            assert status in SUCCESSFUL
