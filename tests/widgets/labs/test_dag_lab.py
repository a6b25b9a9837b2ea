"""A learner builds a graph with the controls, and sees what it means."""

from __future__ import annotations

import pytest

from mlkit.widgets import DagLab
from mlkit.widgets.labs.dag_picture import draw_sketch, explain
from mlkit.widgets.labs.dag_sketch import DagSketch, example
from tests.widgets.controls import control, press


def _say(lab: DagLab) -> str:
    return str(lab._said.markup)


def test_it_opens_with_order_levels_and_critical_path() -> None:
    """Of the example."""
    said = _say(DagLab())
    assert "✓ A DAG." in said
    assert "level 4: <code>train</code>, <code>tune</code>" in said
    assert "18 s. No number of workers" in said


def test_a_cycle_is_named_edge_by_edge_as_it_closes() -> None:
    """The edge that closed it comes last, and taking it away heals the graph."""
    lab = DagLab()
    control(lab, "edge from").value, control(lab, "to").value = "evaluate", "features"
    press(lab, "Add edge")
    said = _say(lab)
    edges = ["features → train", "train → evaluate", "evaluate → features"]
    places = [said.index(f"<li>{edge}:") for edge in edges]
    assert places == sorted(places)
    assert "evaluate → features closed the cycle" in said
    assert "Not a DAG: the cycle features → train → evaluate → features" in lab._shown.markup
    assert 'class="arrow back tone-cycle"' in lab._shown.markup
    press(lab, "Remove edge")
    assert "✓ A DAG." in _say(lab)


def test_stages_are_added_changed_and_removed() -> None:
    """Durations can be edited, and the critical path follows."""
    lab = DagLab()
    control(lab, "stage").value, control(lab, "seconds").value = "tune", 30
    press(lab, "Add or change stage")
    assert "<code>tune</code> → <code>evaluate</code>, 40 s" in _say(lab)
    press(lab, "Remove stage")
    assert "tune" not in lab.sketch.durations_s
    assert control(lab, "to").options == ("collect", "clean", "features", "train", "evaluate")
    press(lab, "Undo")
    press(lab, "Undo")
    assert lab.sketch == example()


def test_a_mistake_is_said_and_changes_nothing() -> None:
    """With the remedy, and with what was typed escaped."""
    lab = DagLab()
    control(lab, "stage").value = "<b>"
    press(lab, "Remove stage")
    assert "there is no stage &#x27;&lt;b&gt;&#x27;" in _say(lab)
    assert lab.sketch == example()


def test_it_can_be_emptied_and_started_again() -> None:
    """An empty lab says what to do."""
    lab = DagLab()
    press(lab, "Empty")
    assert "no stage yet" in _say(lab)
    press(lab, "Add edge")
    assert "there is no stage ''" in _say(lab).replace("&#x27;", "'")
    press(lab, "Start again")
    assert lab.sketch == example()


def test_colour_is_never_the_only_sign() -> None:
    """Boxes on the critical path and in a cycle say so in words."""
    assert draw_sketch(example()).count("· critical") == 5
    assert draw_sketch(example().with_edge("evaluate", "clean")).count("· in the cycle") == 4


@pytest.mark.parametrize("loop", ["train", "collect"])
def test_a_stage_that_waits_for_itself_is_drawn(loop: str) -> None:
    """Its arrow leaves and enters the same box."""
    sketch = example().with_edge(loop, loop)
    assert f"{loop} → {loop}: closes a cycle" in draw_sketch(sketch)
    assert f"{loop} waits for {loop}" in explain(sketch)


def test_names_are_escaped_everywhere() -> None:
    """A stage may be called as one likes."""
    sketch = DagSketch().with_stage("<i>").with_edge("<i>", "<i>")
    assert "<i>" not in explain(sketch) + draw_sketch(sketch)


def test_without_a_kernel_the_picture_and_the_words_stay() -> None:
    """The static form holds both."""
    bundle, _ = DagLab()._repr_mimebundle_()
    assert "image/png" in bundle
    assert "Critical path:" in bundle["text/html"]
