"""What notebooks import is read from their source, through the project's own modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.load.pipeline_file import load_pipeline
from mlkit.notebook.imports import (
    Import,
    imports_in,
    modules_to_preload,
    needs_of_notebook,
    needs_of_stages,
    top_level_names,
)
from mlkit.notebook.source import read_notebook
from mlkit.testing import Sketch, write_notebook, write_pipeline


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import json, pandas as pd", {"json", "pandas"}),
        ("from sklearn.ensemble import RandomForestClassifier", {"sklearn"}),
        ("def plot():\n    import matplotlib.pyplot as plt", {"matplotlib"}),
        ("from . import neighbour", set()),
        ("from __future__ import annotations", set()),
        ("%load_ext autoreload\n!ls\nimport numpy", {"numpy"}),
        ("frame.to_parquet(path)", {"pyarrow"}),
        ("this is no Python", set()),
        ("1 + 1", set()),
    ],
)
def test_imports_are_named_by_their_top_wherever_they_stand(source: str, names: set[str]) -> None:
    """Magics and what is no Python are passed over."""
    assert top_level_names(source) == names


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from . import a", Import("rooms.small", ("a",))),
        ("from .a import b", Import("rooms.small.a", ("b",))),
        ("from ..a import b", Import("rooms.a", ("b",))),
        ("from .. import a", Import("rooms", ("a",))),
    ],
)
def test_a_relative_import_is_told_from_where_it_stands(source: str, found: Import) -> None:
    """A dot is the package itself, two are the one around it."""
    assert imports_in(source, "rooms.small") == {found}


def test_project_modules_are_followed_and_not_listed(tmp_path: Path) -> None:
    """They are read, not imported; what is not installed is left out."""
    (tmp_path / "outer.py").write_text("import inner, json\nraise SystemExit\n")
    (tmp_path / "inner.py").write_text("def f():\n    import numpy.linalg, not_to_be_had\n")
    notebook = read_notebook(write_notebook(tmp_path / "n.ipynb", "import outer, yaml, os"))
    assert needs_of_notebook(notebook) == {"numpy", "yaml"}


@pytest.mark.parametrize("start", ["from rooms import small", "import rooms.small"])
def test_a_module_taken_out_of_a_package_is_followed(tmp_path: Path, start: str) -> None:
    """Also where the package has no file of its own, and its modules import each other."""
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "small.py").write_text("from .large import f\n")
    (tmp_path / "rooms" / "large.py").write_text("import joblib\nfrom . import small\n")
    notebook = read_notebook(write_notebook(tmp_path / "n.ipynb", start))
    assert needs_of_notebook(notebook) == {"joblib"}


def test_the_notebooks_helpers_are_followed_and_the_rest_of_mlkit_is_not(tmp_path: Path) -> None:
    """Every kernel has that already."""
    plain = read_notebook(write_notebook(tmp_path / "a.ipynb", "from mlkit import Secret, skip"))
    assert needs_of_notebook(plain) == frozenset()
    helped = read_notebook(write_notebook(tmp_path / "b.ipynb", "from mlkit.ml import features"))
    assert "pandas" in needs_of_notebook(helped)


def test_what_mlflow_imports_for_a_database_is_imported_ahead_for_flights() -> None:
    """It takes each of the stages that ask the registry as long as MLflow itself."""
    flights = Path(__file__).parents[2] / "notebooks" / "flights" / "pipeline.yaml"
    assert {
        "mlflow",
        "mlflow.store.model_registry.sqlalchemy_store",
        "mlflow.store.tracking.sqlalchemy_store",
    } <= set(modules_to_preload(load_pipeline(flights)))


def test_what_the_next_stages_need_is_told_in_the_order_in_which_they_run(tmp_path: Path) -> None:
    """From a stage on, and for so many; the standard library is not imported ahead."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="last", body="import joblib, statistics", upstream=("middle",)),
        Sketch(name="first", body="import numpy"),
        Sketch(name="middle", body="import yaml", upstream=("first",)),
    )
    pipeline = load_pipeline(file)
    numpy, yaml, joblib = (frozenset({name}) for name in ("numpy", "yaml", "joblib"))
    assert needs_of_stages(pipeline, "first", 2, pipeline.stages) == (numpy, yaml)
    assert needs_of_stages(pipeline, "middle", 9, pipeline.stages) == (yaml, joblib)
    assert needs_of_stages(pipeline, "first", 9, {"first", "last"}) == (numpy, joblib)
    assert modules_to_preload(pipeline) == ("joblib", "numpy", "yaml")
    assert modules_to_preload(pipeline, {"first", "last"}) == ("joblib", "numpy")
