"""What every compiler asks of a pipeline."""

from __future__ import annotations

from pathlib import Path

from mlkit import load_pipeline
from mlkit.engines.questions import listed_labels, shown_parameters, told_stages
from mlkit.testing import Sketch, dynamic_map, mapped, write_pipeline


def test_labels_are_known_where_the_list_is(tmp_path: Path) -> None:
    """As they stand between the brackets."""
    stage = load_pipeline(mapped(tmp_path / "a", (1.0, 2.5))).stages["each"]
    assert listed_labels(stage) == ["1.0", "2.5"]
    assert listed_labels(load_pipeline(dynamic_map(tmp_path / "b")).stages["each"]) is None


def test_an_engine_is_shown_no_secret_and_nothing_of_the_environment(tmp_path: Path) -> None:
    """Also where a value was given."""
    declares = 'import mlkit\ntoken: mlkit.Secret = ""\nplace: str = ""\nrows: int = 1'
    parameters = {"token": "${TOKEN}", "place": "${PLACE}/x", "rows": 1}
    file = write_pipeline(tmp_path, Sketch(name="s", declares=declares), parameters=parameters)
    pipeline = load_pipeline(file)
    assert shown_parameters(pipeline, {}) == {"rows": 1}
    assert shown_parameters(pipeline, {"place": "/x", "s.rows": 2}) == {
        "place": "/x",
        "rows": 1,
        "s.rows": 2,
    }


def test_people_are_told_of_some_stages(tmp_path: Path) -> None:
    """Of their failure, or of their success."""
    told = {"notify": {"on_success": ["json://localhost/x"]}}
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", keys=told))
    assert told_stages(load_pipeline(file)) == ["b"]
