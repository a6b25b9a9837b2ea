"""Many runs side by side: what differs is told, what is the same is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlkit import api
from mlkit.core.record import RunRecord
from mlkit.observe.layout import cell_width
from mlkit.reports.many_runs import Interval, ManyRuns, letters
from mlkit.reports.many_runs_page import many_runs_page
from mlkit.testing import FakeRunner, Raises, Returns, run_fake
from mlkit.testing.sketches import Sketch, write_pipeline

BODY = """\
import json, pathlib
auc = 0.6 + rows / 10000
pathlib.Path(out).write_text(json.dumps({"auc": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1}))
pathlib.Path(plot).write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><title>{rows}</title></svg>')
"""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, list[RunRecord]]:
    """Three runs: other rows, then another cell and another helper file."""
    numbers = {name: f"out.{name}" for name in ("auc", "auc_low", "auc_high")}
    file = write_pipeline(
        tmp_path / "p",
        Sketch(name="load"),
        Sketch(
            name="evaluate",
            upstream=("load",),
            body=BODY,
            declares="rows: int = 1",
            file="m.json",
            keys={"outputs": {"out": "m.json", "plot": "p.svg"}, "metrics": numbers},
        ),
        parameters={"rows": 100, "seed": 1},
    )
    helper = file.parent / "helper.py"
    helper.write_text("one")
    runner = FakeRunner({"load": [Returns(modules={"helper": str(helper)})]})
    made = [run_fake(file, runner=runner), run_fake(file, runner=runner, parameters={"rows": 200})]
    notebook = file.parent / "evaluate.ipynb"
    notebook.write_text(
        notebook.read_text().replace("import json, pathlib", "import pathlib, json")
    )
    helper.write_text("two")
    made.append(run_fake(file, runner=runner, parameters={"rows": 300}))
    return file, made


def several(runs: tuple[Path, list[RunRecord]]) -> ManyRuns:
    """The comparison of all of them."""
    file, made = runs
    folder = file.parent / "runs"
    records = api.find_several([record.run_id for record in made], folder)
    return api.compare_several(records, folder)


def test_what_differs_is_told_and_what_is_the_same_is_counted(
    runs: tuple[Path, list[RunRecord]],
) -> None:
    """Parameters, cells, files and metrics; the interval's ends are no metrics of their own."""
    found = several(runs)
    assert {(d.kind, d.name) for d in found.differences} == {
        ("parameter", "rows"),
        ("file", "helper.py"),
        ("metric", "evaluate.auc"),
    }
    assert found.of("parameter")[0].values == ("100", "200", "300")
    assert len(set(found.of("file")[0].values)) == 2
    first = found.of("metric")[0].values[0]
    assert (first.low, first.value, first.high) == pytest.approx((0.51, 0.61, 0.71))
    (code,) = found.code
    assert (code.stage, code.runs) == ("evaluate", ((0, 1), (2,)))
    assert found.equal["parameter"] == 1


def test_the_text_begins_with_what_differs(runs: tuple[Path, list[RunRecord]]) -> None:
    """Runs by letters, causes before metrics, nothing wider than the terminal."""
    text = several(runs).to_text(80)
    places = [text.index(title) for title in ("Parameters", "Code", "Files", "Metrics")]
    assert places == sorted(places)
    assert "seed" not in text
    assert re.search(r"rows +100 +200 +300", text)
    assert "evaluate, version 1: A B" in text
    assert "+import pathlib, json" in text
    assert "0.61 [0.51, 0.71]" in text
    assert "The same in all: 1 parameter" in text
    assert all(cell_width(line) <= 80 for line in text.splitlines())


def test_a_run_that_failed_before_a_stage_differs_in_nothing_of_it(tmp_path: Path) -> None:
    """It uses none of the stage's packages, files and kernels, and no other ones either."""
    file = write_pipeline(
        tmp_path / "p", Sketch(name="load"), Sketch(name="fit", upstream=("load",))
    )
    helper = file.parent / "helper.py"
    helper.write_text("one")
    uses = Returns(modules={"helper": str(helper)}, imported=("yaml",))
    whole = run_fake(file, runner=FakeRunner({"fit": [uses]}))
    broken = run_fake(file, runner=FakeRunner({"load": [Raises()]}), force=("load",))
    assert not broken.ok
    folder = file.parent / "runs"
    records = api.find_several([whole.run_id, broken.run_id], folder)
    assert api.compare_several(records, folder).differences == ()


def test_equal_runs_have_no_difference(runs: tuple[Path, list[RunRecord]]) -> None:
    """A run beside one that reused it."""
    file, made = runs
    folder = file.parent / "runs"
    again = run_fake(file, runner=FakeRunner({}), parameters={"rows": 300})
    records = api.find_several([made[2].run_id, again.run_id], folder)
    assert "No difference." in api.compare_several(records, folder).to_text(80)


def test_the_page_has_pictures_of_metrics_and_of_artifacts(
    runs: tuple[Path, list[RunRecord]],
) -> None:
    """The metric over the parameter, and the plots side by side; no script, nothing loaded."""
    _, made = runs
    page = many_runs_page(several(runs), made)
    assert "evaluate.auc over rows, 3 runs" in page
    assert page.count('<img src="data:image/svg+xml') == 3
    assert "evaluate.plot of run C" in page
    assert "<script" not in page


def test_the_document_is_plain(runs: tuple[Path, list[RunRecord]]) -> None:
    """An interval is an object, a missing value is null."""
    document: dict[str, Any] = several(runs).to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    (metric,) = [d for d in document["differences"] if d["kind"] == "metric"]
    assert set(metric["values"][0]) == {"value", "low", "high"}
    assert document["code"] == [{"stage": "evaluate", "versions": [[0, 1], [2]]}]


def test_runs_have_letters_and_intervals_words() -> None:
    """Beyond Z they go on with numbers."""
    assert letters(28)[25:] == ["Z", "A2", "B2"]
    assert str(Interval(value=0.5)) == "0.5"
    assert str(Interval(value=0.5, low=0.4, high=0.75)) == "0.5 [0.4, 0.75]"
