"""What every compiler asks of a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit import load_pipeline
from mlkit.core.instances import written
from mlkit.engines.questions import listed_labels, shown_parameters
from mlkit.testing import Sketch, dynamic_map, mapped, write_pipeline
from tests.engines.carried import loaded


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


@pytest.mark.parametrize(
    "value",
    ["a b", "ä'\"$x", "c,d", "*", "[x]", '"q"', " spaced ", "tab\t", "line\n", True, 1, 2.5, None],
)
def test_values_stand_in_ids_on_every_engine_as_here(tmp_path: Path, value: Any) -> None:
    """Also those that mean something between the brackets."""
    file = tmp_path / "list.json"
    file.write_text(json.dumps([value]))
    expected = written(value)
    assert loaded("airflow", "mlkit_dag").label(value) == expected
    components = loaded("kubeflow", "mlkit_components")
    assert components.read_instances("s", str(file), as_float=False) == [f"s[{expected}]"]
    assert loaded("prefect", "mlkit_upstream")._label(value) == expected
