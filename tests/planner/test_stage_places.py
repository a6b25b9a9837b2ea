"""The places of a stage: what it was seen to read, and what its text names."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit.load.parameters import configure
from mlkit.load.pipeline_file import load_pipeline
from mlkit.planner.checkout import Checkout
from mlkit.planner.stage_places import sources_of
from mlkit.planner.trace import TRACE_VERSION, kept_names
from mlkit.testing import Sketch, write_pipeline


def test_every_kind_of_place_is_named(tmp_path: Path) -> None:
    """Notebook, inputs, modules and theirs, files, absences, listings; a trace of old is none."""
    (tmp_path / "one.py").write_text("from two import x")
    (tmp_path / "two.py").write_text("x = 1")
    (tmp_path / "in.csv").write_text("")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a").touch()
    inputs = {"table": "file:in.csv", "parts": "file:parts/"}
    declares = 'table: str = ""\nparts: str = ""'
    sketch = Sketch(name="a", body="import one", declares=declares, keys={"inputs": inputs})
    pipeline = load_pipeline(write_pipeline(tmp_path, sketch))
    checkout = Checkout(str(tmp_path), str(tmp_path))
    trace = {
        "version": TRACE_VERSION,
        "files": {"notebook:data.json": {"marks": [1, 2, 3, 4], "digest": "", "module": None}},
        "absent": ["notebook:maybe.py"],
        "present": ["pipeline:there"],
        "lists": {"notebook:listed": kept_names([])},
        "globs": [{"base": "notebook:globbed", "pattern": "*", "recursive": False, "found": {}}],
    }
    traces = [json.loads(json.dumps(trace)), {"version": 1}, {"version": TRACE_VERSION}]
    found = sources_of(pipeline.stages["a"], configure(pipeline), traces, checkout, {})
    names = ("a.ipynb", "one.py", "two.py", "in.csv", "data.json", "maybe.py", "there")
    assert found.files == {str(tmp_path / name) for name in names}
    assert found.folders == {str(tmp_path / name) for name in ("parts", "listed", "globbed")}
    assert found.marks == {str(tmp_path / "data.json"): (1, 2, 3, 4)}
    assert found.touched([str(tmp_path / "parts" / "b")])
    assert found.touched([str(tmp_path / "two.py")])
    assert not found.touched([str(tmp_path / "three.py")])
