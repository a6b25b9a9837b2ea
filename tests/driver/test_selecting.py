"""`--only` and `--until`: parts of a run, and what they take from earlier ones."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlkit.core.instances import is_named
from mlkit.core.pipeline import Pipeline
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import select
from mlkit.errors import UsageError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import (
    FakeRunner,
    Sketch,
    diamond,
    run_fake,
    write_pipeline,
)


def test_until_runs_a_stage_and_its_upstream(tmp_path: Path) -> None:
    """Stages that were not selected are absent."""
    assert list(run_fake(diamond(tmp_path), until="left").stages) == ["top", "left"]


def test_only_runs_one_stage_on_the_latest_artifacts(tmp_path: Path) -> None:
    """What is upstream is taken from results that can be reused."""
    file = diamond(tmp_path)
    run_fake(file)
    runner = FakeRunner()
    record = run_fake(file, only="bottom", force=True, runner=runner)
    assert (list(record.stages), runner.stages) == (["bottom"], ["bottom"])
    text = Path(record.stages["bottom"].outputs["out"]).read_text()
    assert text == "bottom(left(top()),right(top()))"


def test_only_without_upstream_artifacts_is_refused(tmp_path: Path) -> None:
    """Also if there are some, but not of today's code."""
    file = diamond(tmp_path)
    with pytest.raises(UsageError, match=r"stage 'top' has no result that can be reused \(never"):
        run_fake(file, only="bottom")
    run_fake(file)
    path = tmp_path / "top.ipynb"
    path.write_text(path.read_text().replace("top(", "TOP("))
    with pytest.raises(UsageError) as caught:
        run_fake(file, only="bottom")
    assert "code changed: cell 2" in str(caught.value)
    assert str(caught.value).endswith("Run 'mlkit run --until bottom' first")


def test_what_is_to_be_run_first_has_the_values_of_the_call(tmp_path: Path) -> None:
    """Without them it would make other artifacts, and the call be refused again."""
    first = Sketch(name="a", declares="n: list = []")
    file = write_pipeline(tmp_path, first, Sketch(name="b", upstream=("a",)))
    with pytest.raises(UsageError) as caught:
        run_fake(file, only="b", parameters={"n": [1, "x"]})
    assert caught.value.remedy == """Run "mlkit run --until b -p 'n:=[1, \"x\"]'" first"""


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet='grid[]",* x1.\\\n', max_size=12) | st.text(max_size=8))
@example(text="grid[1,")
@example(text="grid]")
@example(text="[x]")
@example(text='grid["x"')
def test_a_part_of_any_text_is_taken_or_refused_in_a_sentence(crossed: Pipeline, text: str) -> None:
    """Never another error, and the refusal says what to write, or what is wrong in the brackets."""
    for options in (
        RunOptions(only=text),
        RunOptions(until=text),
        RunOptions(force=frozenset({text})),
    ):
        refusal = _refusal(crossed, options)
        if refusal is None:
            assert text.partition("[")[0] in crossed.stages
        else:
            assert text.partition("[")[0] in refusal.message
            assert refusal.remedy


PARTS = ("grid", "grid[x,*]", "grid[*,1]", 'grid["d,",2]', "grid[x,1]", "i")


@pytest.mark.parametrize("way", ["only", "until"])
def test_what_is_forced_must_be_run(crossed: Pipeline, way: str) -> None:
    """Of every two parts: a stage that nobody runs would be believed to have run again."""
    grid = [f"grid[{x},{y}]" for x in ("x", '"d,"', '"*"') for y in (1, 2)]
    for asked, forced in product(PARTS, PARTS):
        part: dict[str, Any] = {way: asked}
        options = RunOptions(**part, force=frozenset({forced}))
        meets = any(is_named(asked, one) and is_named(forced, one) for one in [*grid, "i"])
        refusal = _refusal(crossed, options)
        assert (refusal is None) == meets, (asked, forced)
        if refusal is not None:
            assert refusal.message == (
                f"--force {forced}: '{forced}' is not among what --{way} {asked} runs"
            )


def test_a_task_of_an_engine_is_handed_what_the_whole_run_forces(crossed: Pipeline) -> None:
    """`mlkit export --force grid` gives every task the same words."""
    assert _refusal(crossed, RunOptions(only="i", run_id="r", force=frozenset({"grid"}))) is None


def _refusal(pipeline: Pipeline, options: RunOptions) -> UsageError | None:
    try:
        select(pipeline, options)
    except UsageError as error:
        return error
    return None


@pytest.fixture(name="crossed", scope="module")
def _crossed(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A stage of two parameters, and one that is not mapped."""
    grid = Sketch(
        name="grid",
        declares="x: str = ''\ny = 1",
        keys={"foreach": {"x": ["x", "d,", "*"], "y": [1, 2]}},
    )
    return load_pipeline(write_pipeline(tmp_path_factory.mktemp("p"), grid, Sketch(name="i")))


def test_only_takes_results_of_stages_that_are_never_reused(tmp_path: Path) -> None:
    """`cache: false` does not stand in the way."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"cache": False}), Sketch(name="b", upstream=("a",))
    )
    run_fake(file)
    runner = FakeRunner()
    assert run_fake(file, only="b", force=True, runner=runner).status == "succeeded"
    assert runner.stages == ["b"]


def test_mere_order_is_no_missing_artifact(tmp_path: Path) -> None:
    """A stage that comes `after` another needs nothing of it."""
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", keys={"after": ["a"]}))
    assert list(run_fake(file, only="b").stages) == ["b"]


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"only": "nope"}, "there is no stage 'nope'"),
        ({"until": "lef"}, "Did you mean 'left'"),
        ({"only": "top", "until": "top"}, "exclude each other"),
        ({"run_id": "x"}, "--run-id goes with --only"),
        ({"only": "top[x]"}, "stage 'top' is not mapped"),
        ({"force": frozenset({"rigth"})}, "Did you mean 'right'"),
        ({"before": "bottom", "force": frozenset({"bottom"})}, "'bottom' is not among what --be"),
        ({"workers": 0}, "0 workers can do no work"),
        ({"only": "top", "run_id": "../x"}, "cannot be the id of a run"),
        ({"only": "top", "run_id": "latest"}, "cannot be the id of a run"),
        ({"only": "top", "run_id": ".hidden"}, "cannot be the id of a run"),
        ({"only": "top", "run_id": ""}, "cannot be the id of a run"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, options: dict[str, Any], fact: str) -> None:
    """Before anything runs, with the fact and the remedy."""
    with pytest.raises(UsageError) as caught:
        run_fake(diamond(tmp_path), **options)
    assert fact in str(caught.value)
