"""What only graphs that learners build have: arrows that lead back, and boxes set off."""

from __future__ import annotations

import re

from mlkit.core.states import Status
from mlkit.reports.dag import Box, Dag, EdgeKind, Link
from mlkit.reports.graph_svg import draw_dag

BACK = Link(source="b", target="a", kind=EdgeKind.BACK, tone="cycle")


def _dag(*links: Link) -> Dag:
    boxes = (Box(name="a", note="1 s · in the cycle", tone="cycle"), Box(name="b"))
    return Dag(title="Two", boxes=boxes, links=(Link(source="a", target="b"), *links))


def test_an_arrow_that_leads_back_runs_right_of_all_boxes() -> None:
    """In the width that the picture has more."""
    without, with_it = draw_dag(_dag()), draw_dag(_dag(BACK))
    widths = [float(re.findall(r'viewBox="0 0 (\d+)', svg)[0]) for svg in (without, with_it)]
    assert widths[1] > widths[0]
    assert "b → a: closes a cycle" in with_it
    assert with_it.count('class="arrow back tone-cycle"') == 1


def test_the_rest_is_laid_out_as_without_it() -> None:
    """A box stands where it would stand without the arrow that leads back."""
    boxes = [re.findall(r"<rect [^>]*>", draw_dag(dag)) for dag in (_dag(), _dag(BACK))]
    assert boxes[0] == boxes[1]


def test_a_folded_map_counts_its_values() -> None:
    """By state, as far as one is known; what is no map stays as it is."""
    states = (Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED)
    ran = tuple((f"v{n}", status) for n, status in enumerate(states))
    boxes = (
        Box(name="a", note="for each v", instances=ran, mapped=True),
        Box(name="b", instances=(("x", None), ("y", None)), mapped=True),
        Box(name="c", note="plain"),
    )
    dag = Dag(title="Maps", boxes=boxes, links=()).folded()
    assert [box.note for box in dag.boxes] == ["for each v: ✓ 2 · ✗ 1", "2 values", "plain"]
    assert all(box.instances == () for box in dag.boxes)


def test_a_tone_is_a_class() -> None:
    """Beside the state's."""
    assert draw_dag(_dag()).count('class="box state-none tone-cycle"') == 1
