"""Instances of known lists as stages of their own."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import load_pipeline
from mlkit.core.graph import edges
from mlkit.core.pipeline import Axis, Foreach, Node, Pick, Pipeline, Stage
from mlkit.engines.unrolling import unrolled
from mlkit.testing import Sketch, mapped, write_pipeline
from mlkit.testing.engine_pipelines import chains


def test_without_chains_nothing_is_unrolled(tmp_path: Path) -> None:
    """An engine's own map is shorter, and shows what it is."""
    pipeline = load_pipeline(mapped(tmp_path))
    assert unrolled(pipeline).pipeline is pipeline


def test_each_instance_refers_to_its_own(tmp_path: Path) -> None:
    """To one, to the list of those that match, or to all."""
    whole = unrolled(load_pipeline(chains(tmp_path)))
    graph = edges(whole.pipeline)
    months, models = ("1", "2", "3"), ('"tree, small"', "linear")
    for month in months:
        trained = tuple(f"train[{month},{model}]" for model in models)
        assert {graph[name] for name in trained} == {(f"collect[{month}]", "decide")}
        assert graph[f"best[{month}]"] == trained
        assert graph[f"tidy[{month}]"] == (f"best[{month}]",)
    assert graph["second"] == tuple(f"train[2,{model}]" for model in models)
    assert graph["every"] == tuple(f"best[{month}]" for month in months)
    assert "[" not in "".join(whole.pipeline.stages["train[1,linear]"].inputs)
    assert list(whole.pipeline.stages["best[1]"].inputs) == [
        *('of[train[1,"tree, small"]]', "of[train[1,linear]]")
    ]
    assert (whole.stage_of("best[1]"), whole.stage_of("every")) == ("best", "every")


def test_a_list_without_values_leaves_its_stage(tmp_path: Path) -> None:
    """One entry, which mlkit skips, and to which everything refers that would to an instance."""
    over = {"foreach": {"a": "parameters.items"}}
    file = write_pipeline(
        tmp_path,
        Sketch(name="g", declares="a = 1", keys=over),
        Sketch(name="h", declares="a = 1", keys={**over, "after": ["g[a]"]}),
        Sketch(name="last", keys={"after": ["h"], "trigger": "none_failed"}),
        parameters={"items": []},
    )
    pipeline = load_pipeline(file)
    axis = Axis(parameter="a", values=(), listed="items")
    empty = {
        name: stage if stage.foreach is None else _mapped(stage, axis)
        for name, stage in pipeline.stages.items()
    }
    whole = unrolled(_with(pipeline, empty))
    assert edges(whole.pipeline) == {"g": (), "h": ("g",), "last": ("h",)}
    assert not whole.origins


def _mapped(stage: Stage, *axes: Axis) -> Stage:
    return replace(stage, foreach=Foreach(axes=axes))


def _with(pipeline: Pipeline, stages: dict[str, Stage]) -> Pipeline:
    return replace(pipeline, stages=stages)


LISTS: dict[str, tuple[object, ...]] = {"a": (1, 2), "b": ("x", "y,z"), "c": (True,)}


@st.composite
def references(draw: st.DrawFn) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Pick, ...]]:
    """What two stages map over, and what the second says of the first."""
    names = st.lists(st.sampled_from(sorted(LISTS)), min_size=1, unique=True)
    first, second = draw(names), draw(names)
    picks = []
    for name in first:
        said = draw(st.sampled_from(["all", "mine", "one"]))
        if said == "mine" and name in second:
            picks.append(Pick(parameter=name))
        elif said == "one":
            picks.append(Pick(parameter=name, value=_label(draw(st.sampled_from(LISTS[name])))))
    return tuple(first), tuple(second), tuple(picks)


@settings(max_examples=60, deadline=None)
@given(case=references())
def test_a_reference_means_what_it_says(
    case: tuple[tuple[str, ...], tuple[str, ...], tuple[Pick, ...]],
) -> None:
    """Compared with going through all pairs of instances."""
    first, second, picks = case

    def stage(name: str, over: tuple[str, ...], *after: Node) -> Stage:
        axes = tuple(Axis(parameter=item, values=LISTS[item]) for item in over)
        return Stage(name=name, notebook=Path("n.ipynb"), foreach=Foreach(axes=axes), after=after)

    stages = {"g": stage("g", first), "h": stage("h", second, Node(stage="g", picks=picks))}
    whole = unrolled(Pipeline(name="p", file=Path("/p/pipeline.yaml"), stages=stages))
    chained = any(pick.value is None for pick in picks)
    if not picks:
        assert not whole.origins
        return
    said = {pick.parameter: pick.value for pick in picks}
    for own in itertools.product(*(LISTS[item] for item in second)):
        mine = dict(zip(second, own, strict=True))
        wanted = [
            values
            for values in itertools.product(*(LISTS[item] for item in first))
            if all(
                _label(value) == (said[item] or _label(mine[item]))
                for item, value in zip(first, values, strict=True)
                if item in said
            )
        ]
        ids = [f"g[{','.join(map(_label, values))}]" for values in wanted]
        name = f"h[{','.join(map(_label, own))}]" if chained else "h"
        assert [node.stage for node in whole.pipeline.stages[name].after] == ids


def _label(value: object) -> str:
    if value is True:
        return "true"
    return f'"{value}"' if "," in str(value) else str(value)
