"""Prefect keeps the contract of engines, and shows a run in its own states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export, write_export
from mlkit.api.records import find_run
from mlkit.core.record import RunRecord
from mlkit.driver.options import RunOptions
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline
from tests.engines.flights import FLIGHTS, FlightsContract
from tests.engines.prefect_environment import asked, by_instance, in_prefect

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
WAITS = """\
import time
from pathlib import Path
limit = time.monotonic() + 60
while which == 'late' and not Path(mark).exists():
    assert time.monotonic() < limit, 'the other instance has not gone on'
    time.sleep(0.05)
Path(out).write_text(which)"""
MARKS = """\
from pathlib import Path
if which == 'early':
    Path(mark).touch()
Path(out).write_text(Path(mine).read_text())"""

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]


class TestPrefect(FlightsContract):
    """Every pipeline of the contract, and flights, with the server that a flow starts itself."""

    engine = "prefect"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Ask Prefect's API."""
        assert record.engine is not None
        home = Path(record.runs_dir) / record.run_id / "engine" / "prefect-home"
        return by_instance(asked(record.engine["run_id"], home=home)["tasks"])

    def test_prefect_itself_reads_the_flow(self, tmp_path: Path) -> None:
        """Its parameters are the pipeline's, with their types and defaults; it knows the tasks."""
        layers = Layers(environ={}, values={"rows": 2000})
        made = export(FLIGHTS, self.engine, layers=layers, runs_dir=tmp_path / "runs")
        write_export(made, tmp_path)
        code = (
            "import json, flights_flow as f; task = f.train; "
            "print(json.dumps([f.flights.parameters.model_dump(), f.flights.name, task.retries, "
            "task.retry_delay_seconds, task.retry_jitter_factor, sorted(task.tags)]))"
        )
        text = in_prefect("-c", code, folder=tmp_path, home=tmp_path / "home")
        schema, *rest = json.loads(text)
        found = {name: item.get("type") for name, item in schema["properties"].items()}
        defaults = {name: item["default"] for name, item in schema["properties"].items()}
        assert found == {
            "months": "array",
            "rows": "integer",
            "seed": "integer",
            "source": "string",
            "late_minutes": "integer",
            "hours_before": "integer",
            "run_id": None,
            "logical_date": None,
        }
        assert (defaults["rows"], defaults["months"]) == (2000, [1, 2, 3])
        assert rest == ["flights", 2, [1, 2], 0.5, ["flights"]]


def test_an_instance_begins_when_its_own_upstream_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`first[late]` ends only when `second[early]` has run; runs behind a URL are whole there."""
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "cache"))
    over = {"foreach": {"which": ["early", "late"]}}
    given = "which: str = 'early'\nmark: str = ''"
    file = write_pipeline(
        tmp_path / "pipeline",
        Sketch(name="first", declares=given, body=WAITS, keys=over),
        Sketch(
            name="second",
            declares=f"{given}\nmine: str = ''",
            body=MARKS,
            keys={**over, "inputs": {"mine": "first[which].out"}},
        ),
        parameters={"mark": str(tmp_path / "mark")},
    )
    url = f"file://{tmp_path}/shared"
    record = run_on(file, "prefect", runs_dir=url, options=RunOptions(workers=2))
    assert record.ok, record.warnings
    late, early = record.stages["first[late]"], record.stages["second[early]"]
    assert early.started is not None
    assert late.ended is not None
    assert early.started < late.ended
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "elsewhere"))
    there = find_run(record.run_id, url)
    assert {name: item.status for name, item in there.stages.items()} == {
        name: item.status for name, item in record.stages.items()
    }


def test_the_exercise_trains_its_models_on_prefect() -> None:
    """Exercise 4's last cell, switched on: the scores and the choice are those of this process."""
    source = SOLUTIONS / "04-parallel-models.ipynb"
    notebook = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call] # untyped
    cells = {cell.id: cell for cell in notebook.cells}
    assert cells["prefect-run"].source.startswith("on_prefect = False\n")
    cells["prefect-run"].source = cells["prefect-run"].source.replace("False", "True", 1)
    here = "here = train_all(list(scores), data, 2)\nmine = {n: [t.validation, t.score_on_test()]"
    code = f"import json\n{here} for n, t in here.items()}}\nprint(json.dumps([scores, mine]))"
    notebook.cells.append(nbformat.v4.new_code_cell(code))  # type: ignore[no-untyped-call] # untyped
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    printed = "".join(out.text for out in cells["prefect-run"].outputs)
    there, mine = json.loads(notebook.cells[-1].outputs[0].text)
    assert there == mine
    assert len(there) == 4
    assert printed.count("Finished in state Completed()") == 5, "four tasks, and their flow"
    best = max(mine, key=lambda name: mine[name][0])
    assert f"'name': '{best}'" in printed.splitlines()[-1]
