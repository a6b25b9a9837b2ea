"""The history of runs, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit.api.records import list_runs
from mlkit.core.record import RunRecord
from mlkit.errors import UsageError
from mlkit.testing import FakeRunner, Raises, chain, run_fake
from mlkit.testing.sketches import Sketch, write_pipeline
from mlkit.widgets.views.run_browser import RunBrowser, matches


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, list[RunRecord]]:
    """A pipeline with a run that succeeded, one that failed, and one with other values."""
    file = chain(tmp_path / "p", 2, name="chained", parameters={"rows": 1})
    notebook = tmp_path / "p" / "s1.ipynb"
    notebook.write_text(notebook.read_text().replace("out: str", "rows: int = 0\\nout: str"))
    body = notebook.read_text().replace('f\\"s1(', 'f\\"{rows} s1(')
    notebook.write_text(body)
    failing = FakeRunner({"s2": [Raises(type="ValueError", message="too <few> rows")]})
    made = [
        run_fake(file),
        run_fake(file, runner=failing, parameters={"rows": 2}),
        run_fake(file, parameters={"rows": 3}),
    ]
    return file, made


def test_the_newest_run_is_shown_first(runs: tuple[Path, list[RunRecord]]) -> None:
    """The list names all three, the picture is the newest one's."""
    file, made = runs
    browser = RunBrowser(file)
    assert [r.run_id for r in browser.runs] == [r.run_id for r in reversed(made)]
    assert "3 of 3 runs" in browser.list.markup
    assert browser.pane.record is not None
    assert browser.pane.record.run_id == made[2].run_id


def test_the_filter_knows_states_parameters_and_errors(
    runs: tuple[Path, list[RunRecord]],
) -> None:
    """Each word has to occur."""
    file, made = runs
    browser = RunBrowser(file)
    browser.state.value = "failed"
    assert [r.run_id for r in browser.runs] == [made[1].run_id]
    browser.state.value = "every state"
    browser.words.value = "ROWS=3"
    assert [r.run_id for r in browser.runs] == [made[2].run_id]
    browser.words.value = "s2 valueerror rows=3"
    assert browser.runs == []
    assert "No run passes" in browser.list.markup
    assert matches(made[1], "few s2", "failed")


def test_two_runs_are_compared(runs: tuple[Path, list[RunRecord]]) -> None:
    """Parameters, artifacts and seconds, the older one as A."""
    file, made = runs
    browser = RunBrowser(file)
    browser.compare_with(made[0].run_id)
    shown = browser.compared.markup
    assert "<td><code>rows</code></td><td><code>1</code></td><td><code>3</code></td>" in shown
    assert "s1.out" in shown
    assert "in run A and" in shown
    assert shown.index("<caption>Parameters") < shown.index("s1.out") < shown.index("in run A and")
    assert "No difference: settings, code, metrics." in shown
    assert len(browser.pictures()) == 3
    browser.show(made[0].run_id)
    assert browser.compared.markup == ""


def test_a_picked_run_shows_why_it_failed(runs: tuple[Path, list[RunRecord]]) -> None:
    """Picked in the list, then its stage in the picture."""
    file, made = runs
    browser = RunBrowser(file)
    browser.list.pick(made[1].run_id)
    browser.pane.dag.pick("s2")
    assert "ValueError: too &lt;few&gt; rows" in browser.pane.detail.markup


def test_a_new_run_appears_when_it_is_read_again(runs: tuple[Path, list[RunRecord]]) -> None:
    """What is shown stays shown."""
    file, made = runs
    browser = RunBrowser(runs_dir=file.parent / "runs")
    browser.show(made[0].run_id)
    run_fake(file)
    browser.refresh()
    assert len(browser.runs) == 4
    assert browser.pane.record is not None
    assert browser.pane.record.run_id == made[0].run_id


def test_what_a_run_logs_is_shown_while_it_goes_on(tmp_path: Path) -> None:
    """The curve in the table and in the stage's detail; at its end the view tells of itself."""
    gate = tmp_path / "gate"
    body = (
        "import mlkit, time\nfrom pathlib import Path\nfor step in range(5):\n"
        "    mlkit.log_metric('loss', 1 / (step + 1), step=step)\n"
        f"while not Path({str(gate)!r}).exists():\n    time.sleep(0.01)\n"
        "open(out, 'w').write('x')"
    )
    file = write_pipeline(tmp_path, Sketch(name="train", body=body))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_fake, file)
        try:
            _wait(lambda: bool(list_runs(file)))
            browser = RunBrowser(file)
            _wait(lambda: "train.loss from 1 at step 0" in browser.list.markup)
            assert "to 0.2 at step 4" in browser.list.markup
            assert "state-running" in browser.list.markup
            browser.pane.dag.pick("train")
            assert "loss of train: 1 at step 0, 0.2 at step 4" in browser.pane.detail.markup
        finally:
            gate.touch()
        record = run.result()
    _wait(lambda: browser.pane.record is not None and browser.pane.record.ok)
    assert record.ok
    assert "state-succeeded" in browser.list.markup
    assert "to 0.2 at step 4" in browser.list.markup


def _wait(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    """And how to make one."""
    assert "No run yet" in RunBrowser(runs_dir=tmp_path / "runs").list.markup
    with pytest.raises(UsageError, match="needs a pipeline or a runs folder"):
        RunBrowser()


def test_the_list_is_the_table_of_runs(tmp_path: Path) -> None:
    """Metrics have columns and spark lines; a title orders by it: the greatest first, then last."""
    body = "import mlkit\nmlkit.log_metric('auc', 1 / rows)\nopen(out, 'w').write('x')"
    sketch = Sketch(name="train", body=body, declares="rows: int = 1")
    file = write_pipeline(tmp_path, sketch, parameters={"rows": 1})
    made = [run_fake(file, parameters={"rows": rows}).run_id for rows in (2, 1, 4)]
    browser = RunBrowser(file)
    shown = browser.list.markup
    assert shown.count("<polyline") == 1
    assert shown.index("sort:status") < shown.index("sort:train.auc") < shown.index("sort:rows")
    assert 'data-pick="sort:train.auc">auc</button>' in shown
    assert '<td class="number">0.25</td>' in shown
    browser.list.pick("sort:train.auc")
    assert [run.run_id for run in browser.runs] == [made[1], made[0], made[2]]
    assert "auc ▼" in browser.list.markup
    browser.list.pick("sort:train.auc")
    assert [run.run_id for run in browser.runs] == [made[2], made[0], made[1]]
    browser.list.pick("sort:train.auc")
    assert [run.run_id for run in browser.runs] == made[::-1]


def test_the_filter_takes_conditions(runs: tuple[Path, list[RunRecord]]) -> None:
    """As the command does; a slip is told in the list's place."""
    file, made = runs
    browser = RunBrowser(file)
    browser.words.value = "rows > 1 and status == succeeded"
    assert [r.run_id for r in browser.runs] == [made[2].run_id]
    assert "1 of 3 runs" in browser.list.markup
    browser.words.value = "rosw > 1"
    assert "there is no column &#x27;rosw&#x27;" in browser.list.markup
    assert "Did you mean &#x27;rows&#x27;?" in browser.list.markup
