"""What an engine cannot express is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit import load_pipeline
from mlkit.api.exports import export
from mlkit.engines.refusals import Refusal, refuse
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, mapped, product, write_pipeline

AIRFLOW = ENGINES["airflow"]


def test_a_refusal_names_the_stage_its_line_and_the_remedy(tmp_path: Path) -> None:
    """One sentence that can be acted on; the first of several."""
    pipeline = load_pipeline(mapped(tmp_path))
    stage = pipeline.stages["all"]
    odd = Refusal(stage=stage, fact="it is too odd", remedy="Write it otherwise")
    whole = Refusal(stage=None, fact="it is too large", remedy="Write less")
    with pytest.raises(UnsupportedByEngineError) as caught:
        refuse(AIRFLOW, pipeline, [odd, whole])
    error = caught.value
    assert (error.line, error.remedy, error.exit_code) == (stage.line, "Write it otherwise", 2)
    assert error.message == "Airflow cannot express stage 'all': it is too odd"
    with pytest.raises(UnsupportedByEngineError, match="this pipeline: it is too large"):
        refuse(AIRFLOW, pipeline, [whole])


def test_nothing_to_refuse_is_no_error(tmp_path: Path) -> None:
    """The usual case."""
    refuse(AIRFLOW, load_pipeline(mapped(tmp_path)), [])


@pytest.mark.parametrize("engine", ENGINES)
def test_maps_that_no_export_expresses_are_refused(tmp_path: Path, engine: str) -> None:
    """With the stage's line and the remedy, before a file is written."""
    lists = {"foreach": {"a": [1, 2], "b": "top.out"}}
    grid = write_pipeline(
        tmp_path / "grid",
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1\nb = 1", keys=lists),
    )
    one = {"foreach": {"a": "top.out"}}
    chained = write_pipeline(
        tmp_path / "chained",
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1", keys=one),
        Sketch(name="h", declares="a = 1", keys={**one, "after": ["g[a]"]}),
    )
    with pytest.raises(UnsupportedByEngineError) as caught:
        export(grid, engine)
    assert caught.value.line == 7
    assert "stage 'g': it maps over a and b, and one of the lists stands in an" in str(caught.value)
    with pytest.raises(UnsupportedByEngineError) as caught:
        export(chained, engine)
    assert "stage 'h': each instance waits for its own 'g[a]'" in caught.value.message
    assert caught.value.remedy == "Write the list down, or run it without the engine"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_product_is_one_task_for_each_combination(tmp_path: Path, engine: str) -> None:
    """With both values in its brackets."""
    made = export(product(tmp_path), engine)
    text = made.files[made.entry]
    for label in ("a,1", "a,2", "b,c"):
        assert label in text
