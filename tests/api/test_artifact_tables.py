"""What one output holds, over instances and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlkit
from mlkit.errors import UsageError
from mlkit.testing import run_fake
from mlkit.testing.sketches import Sketch, write_pipeline

BODY = """\
import json
from pathlib import Path
Path(out).write_text(json.dumps({"auc": rows / 10, "by": {"day": len(model)}, "rows": rows + 1}))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mapped stage, run twice."""
    sketch = Sketch(
        name="train",
        body=BODY,
        declares='rows: int = 1\nmodel: str = ""',
        file="m.json",
        keys={"foreach": {"model": ["tree", "forest"]}},
    )
    made = write_pipeline(tmp_path, sketch, parameters={"rows": 1})
    run_fake(made)
    run_fake(made, parameters={"rows": 2})
    return made


def test_every_instance_of_every_run_is_a_row(file: Path) -> None:
    """With its parameters; a name that both have is told apart."""
    table = mlkit.artifacts_table("train.out", file)
    assert table["instance"].tolist() == ["train[tree]", "train[forest]"] * 2
    assert table["model"].tolist() == ["tree", "forest"] * 2
    assert table["rows"].tolist() == [2, 2, 1, 1]
    assert table["out.rows"].tolist() == [3, 3, 2, 2]
    assert table["auc"].tolist() == [0.2, 0.2, 0.1, 0.1]
    assert table["by.day"].tolist() == [4, 6, 4, 6]
    assert all(Path(path).is_file() for path in table["path"])
    assert next(iter(table.columns)) == "run"


def test_runs_and_instances_can_be_chosen(file: Path) -> None:
    """By a filter, and by the instance's id."""
    table = mlkit.artifacts_table("train[tree].out", file, filter="rows == 2")
    assert table[["instance", "auc"]].to_dict("records") == [
        {"instance": "train[tree]", "auc": 0.2}
    ]


def test_a_reader_of_ones_own_gives_the_rows(file: Path) -> None:
    """A frame or a list gives several."""
    import pandas as pd

    framed = mlkit.artifacts_table(
        "train.out", file, read=lambda path: pd.DataFrame({"x": [1, 2], "y": path.stat().st_size})
    )
    assert framed["x"].tolist() == [1, 2] * 4
    listed = mlkit.artifacts_table("train.out", file, read=lambda path: [1, {"x": 2}])
    assert listed["value"].dropna().tolist() == [1] * 4


def test_an_output_that_nobody_has_is_named(file: Path) -> None:
    """With the nearest one that there is."""
    with pytest.raises(UsageError, match=r"no run has an artifact 'train\.outt'") as caught:
        mlkit.artifacts_table("train.outt", file)
    assert caught.value.remedy == "Did you mean 'train.out'?"
    with pytest.raises(UsageError, match="'metrics' names no output"):
        mlkit.artifacts_table("metrics", file)
