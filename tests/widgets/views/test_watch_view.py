"""The view that watches a pipeline, without a browser and without kernels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlkit.driver.services import Services
from mlkit.testing import FakeRunner, chain
from mlkit.widgets import WatchView

Made = Callable[[], WatchView]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Made]:
    """Make views of one pipeline; they are stopped at the end."""
    made: list[WatchView] = []
    file = chain(tmp_path, 2)

    def view() -> WatchView:
        made.append(WatchView(file, services=Services(runner=FakeRunner(), environ={})))
        return made[-1]

    yield view
    for each in made:
        each.stop(wait=True)
        assert not each.is_watching


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _edit(notebook: Path, line: str) -> None:
    document = json.loads(notebook.read_text())
    document["cells"][-1]["source"] += f"\n{line}"
    notebook.write_text(json.dumps(document))


def test_a_save_shows_reason_and_states(make: Made, tmp_path: Path) -> None:
    """Start, an edit, a failing one, a broken file; stop."""
    view = make()
    assert "Nothing is watched" in view.status.markup
    assert not view.start_button.disabled
    view.start()
    _until(lambda: "Waiting for a change of 3 files." in view.status.markup)
    assert view.start_button.disabled
    assert not view.stop_button.disabled
    assert view.table.markup.count("✓ succeeded") == 2
    _edit(tmp_path / "s2.ipynb", "# <edited>")
    _until(lambda: "s2: code changed: cell 2" in view.why.markup)
    _until(lambda: "≡ cached" in view.table.markup and "✓ succeeded" in view.table.markup)
    assert view.pane.dag.markup.count("✓ succeeded") == 1
    _edit(tmp_path / "s1.ipynb", "raise ValueError('no <rows>')")
    _until(lambda: "ValueError: no &lt;rows&gt;" in view.table.markup)
    _until(lambda: "mlkit-problem" in view.status.markup)
    (tmp_path / "pipeline.yaml").write_text("name: [")
    _until(lambda: "pipeline.yaml" in view.status.markup and "✗" in view.status.markup)
    view.stop(wait=True)
    _until(lambda: "Nothing is watched" in view.status.markup)
    assert not view.start_button.disabled
    assert view.pictures()


def test_another_view_takes_the_place_of_the_first(make: Made) -> None:
    """The cell that shows a watch may be run again."""
    first, second = make(), make()
    first.start()
    _until(lambda: "Waiting" in first.status.markup)
    second.start()
    assert not first.is_watching
    _until(lambda: "Waiting" in second.status.markup)
    _until(lambda: "Nothing is watched" in first.status.markup)


def test_what_is_wrong_before_the_first_round_stands_in_the_view(
    make: Made, tmp_path: Path
) -> None:
    """As a sentence; mended, the button starts it."""
    view = make()
    good = (tmp_path / "pipeline.yaml").read_text()
    (tmp_path / "pipeline.yaml").write_text(f"{good}what: 1")
    view.start()
    _until(lambda: "Nothing is watched" in view.status.markup and "what" in view.status.markup)
    _until(lambda: not view.start_button.disabled)
    (tmp_path / "pipeline.yaml").write_text(good)
    view.start()
    _until(lambda: "Waiting" in view.status.markup)
