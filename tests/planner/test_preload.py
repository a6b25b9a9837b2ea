"""What notebooks import is read from their source, through the project's own modules."""

from __future__ import annotations

from pathlib import Path

from mlkit.load.pipeline import load_pipeline
from mlkit.notebook.source import read_notebook
from mlkit.planner.preload import modules_to_preload, needs_of_notebook, needs_of_stages
from mlkit.testing import Sketch, write_notebook, write_pipeline


def test_project_modules_are_followed_and_not_listed(tmp_path: Path) -> None:
    """They are read, not imported; what is not installed is left out."""
    (tmp_path / "outer.py").write_text("import inner, json\nraise SystemExit\n")
    (tmp_path / "inner.py").write_text("def f():\n    import numpy.linalg, not_to_be_had\n")
    notebook = read_notebook(write_notebook(tmp_path / "n.ipynb", "import outer, yaml, os"))
    assert needs_of_notebook(notebook) == {"numpy", "yaml"}


def test_what_the_next_stages_need_is_told_in_the_order_in_which_they_run(tmp_path: Path) -> None:
    """From a stage on, and for so many."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="last", body="import joblib", upstream=("middle",)),
        Sketch(name="first", body="import numpy"),
        Sketch(name="middle", body="import yaml", upstream=("first",)),
    )
    pipeline = load_pipeline(file)
    assert needs_of_stages(pipeline, "first", 2) == (
        frozenset({"numpy"}),
        frozenset({"yaml"}),
    )
    assert needs_of_stages(pipeline, "middle", 9) == (
        frozenset({"yaml"}),
        frozenset({"joblib"}),
    )
    assert {"joblib", "numpy", "yaml"} <= set(modules_to_preload(pipeline))
