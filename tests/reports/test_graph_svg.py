"""What is set off, what leads back, what is folded; and that nothing in a picture overlaps."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

from hypothesis import given

from mlkit.core.states import Status
from mlkit.reports.dag import Box, Dag, EdgeKind, Link
from mlkit.reports.graph_svg import draw_dag
from tests.reports.random_dags import dags

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


@given(dags())
def test_boxes_and_the_words_above_them_stand_apart(dag: Dag) -> None:
    """However many arrows with words reach one box, and whole within the picture."""
    picture = ElementTree.fromstring(draw_dag(dag))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    groups = [[_corners(r) for r in g.iterfind("{*}rect")] for g in picture.iterfind("{*}g")]
    for rects in groups:
        for left, top, right, bottom in rects:
            assert left >= 0
            assert top >= 0
            assert right <= width
            assert bottom <= height
    for one, other in itertools.combinations(groups, 2):
        for first, second in itertools.product(one, other):
            assert not _overlap(first, second), (first, second)


@given(dags())
def test_a_word_stands_once_above_a_box(dag: Dag) -> None:
    """Where several of its arrows bear the same; each arrow has it in its hint."""
    drawing = draw_dag(dag)
    wanted = {(link.target, link.label) for link in dag.links if link.label}
    assert drawing.count('class="plate"') == len(wanted)
    for link in dag.links:
        assert f"{link.source} → {link.target}: {link.label}" in drawing


def _corners(rect: ElementTree.Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
