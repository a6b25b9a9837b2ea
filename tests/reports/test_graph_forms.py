"""The DAG as text, Mermaid and SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from xml.etree import ElementTree

import pytest

from mlkit.core.pipeline import Axis, Foreach, Node, Pick, Pipeline, Stage
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.observe.layout import cell_width
from mlkit.reports.dag import EdgeKind, combined, dag_of_pipeline, dag_of_record
from mlkit.reports.graph_forms import to_mermaid, to_svg, to_text

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """All words that a drawing shows."""
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def pipeline_of(*stages: Stage) -> Pipeline:
    """Pipeline of."""
    return Pipeline(
        name="p", file=PurePath("/p/pipeline.yaml"), stages={stage.name: stage for stage in stages}
    )


def test_every_stage_and_condition_is_in_every_form(flights: Pipeline) -> None:
    """Every stage and condition is in every form."""
    for draw in (to_text, to_mermaid, to_svg):
        shown = draw(flights)
        assert all(name in shown for name in flights.stages), draw
        assert "decision = register" in shown, draw
        assert "decision = alert" in shown, draw


def test_a_run_shows_each_state_as_a_word_and_a_glyph(flights: Pipeline, red: RunRecord) -> None:
    """A run shows each state as a word and a glyph."""
    for draw in (to_text, to_mermaid, to_svg):
        shown = draw(flights, red)
        for word in ("succeeded", "cached", "failed", "upstream failed"):
            assert word in shown, (draw, word)
        for glyph in "✓≡✗△":
            assert glyph in shown, (draw, glyph)


def test_a_record_alone_can_be_drawn(green: RunRecord) -> None:
    """A record alone can be drawn."""
    dag = dag_of_record(green)
    assert next(box.name for box in dag.boxes) == "collect"
    train = next(box for box in dag.boxes if box.name == "train")
    assert [value for value, _ in train.instances][3] == "xgboost"
    assert "train" in to_svg(green)


def test_an_edge_says_whether_it_hands_on_data_or_only_orders(flights: Pipeline) -> None:
    """An edge says whether it hands on data or only orders."""
    kinds = {(e.source, e.target): e.kind for e in dag_of_pipeline(flights).links}
    assert kinds["collect", "preprocess"] is EdgeKind.DATA
    assert kinds["validate", "preprocess"] is EdgeKind.ORDER
    assert kinds["gate", "register"] is EdgeKind.CONDITION
    assert "-.->" in to_mermaid(flights)


def test_one_instance_of_a_mapped_stage_is_named_on_its_edge(
    make_stage: Callable[..., Stage],
) -> None:
    """One instance of a mapped stage is named on its edge."""
    train = make_stage("train", foreach=Foreach(axes=(Axis(parameter="m", values=("a", "b")),)))
    use = make_stage("use", after=(Node(stage="train", value="b"),))
    (link,) = dag_of_pipeline(pipeline_of(train, use)).links
    assert link.label == "[b]"


def test_the_svg_names_and_describes_itself(flights: Pipeline) -> None:
    """The svg names and describes itself."""
    root = ElementTree.fromstring(to_svg(flights))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Pipeline flights"
    assert "register after gate (decision = register)." in (root.findtext(f"{SVG}desc") or "")


def test_the_svg_carries_its_style_only_if_it_stands_alone(flights: Pipeline) -> None:
    """The svg carries its style only if it stands alone."""
    assert "prefers-color-scheme: dark" in to_svg(flights)
    assert "<style>" not in to_svg(flights, styled=False)


def test_names_are_escaped_everywhere(make_stage: Callable[..., Stage]) -> None:
    """Names are escaped everywhere."""
    odd = '<b onclick="x">&"\x00'
    pipeline = pipeline_of(
        make_stage("one", foreach=Foreach(axes=(Axis(parameter="p", values=(odd,)),))),
        make_stage("two", after=(Node(stage="one", value=odd),)),
    )
    assert any('<b onclick="x">&"' in words for words in texts(to_svg(pipeline)))
    assert "<b onclick" not in to_mermaid(pipeline)
    assert "\x00" not in to_mermaid(pipeline)


def test_boxes_do_not_overlap(flights: Pipeline, red: RunRecord) -> None:
    """Boxes do not overlap."""
    boxes = []
    for group in ElementTree.fromstring(to_svg(flights, red)).iter(f"{SVG}g"):
        if "box" in (group.get("class") or ""):
            face = group.findall(f"{SVG}rect")[-1]
            x, y, w, h = (float(face.get(key, "0")) for key in ("x", "y", "width", "height"))
            boxes.append((x, y, x + w, y + h))
    assert len(boxes) == len(flights.stages)
    for index, (left, top, right, bottom) in enumerate(boxes):
        for x1, y1, x2, y2 in boxes[index + 1 :]:
            assert right < x1 or x2 < left or bottom < y1 or y2 < top


def test_the_rails_of_a_diamond(make_stage: Callable[..., Stage]) -> None:
    """The rails of a diamond."""
    a, b, c, d = (Node(stage=name) for name in "abcd")
    pipeline = pipeline_of(
        make_stage("a"),
        make_stage("b", after=(a,)),
        make_stage("c", after=(a,)),
        make_stage("d", after=(b, c)),
    )
    expected = [
        "○    a",
        "├─╮",
        "○ │  b  ← a (order only)",
        "│ ○  c  ← a (order only)",
        "├─╯",
        "○    d  ← b (order only), c (order only)",
    ]
    assert to_text(pipeline).splitlines() == expected
    assert d.stage == "d"


def test_of_many_instances_the_failed_ones_are_shown(make_stage: Callable[..., Stage]) -> None:
    """And how many are not."""
    many = pipeline_of(
        make_stage("many", foreach=Foreach(axes=(Axis(parameter="n", values=tuple(range(30))),)))
    )
    assert "… and 22 more" in to_svg(many)
    assert "… and 22 more" in to_mermaid(many)
    (box,) = dag_of_pipeline(many).boxes
    ended = [(v, Status.FAILED if v == "29" else Status.SUCCEEDED) for v, _ in box.instances]
    assert replace(box, instances=tuple(ended)).shown(2) == (
        ("29", Status.FAILED),
        ("0", Status.SUCCEEDED),
    )


def test_no_stage_is_no_error() -> None:
    """No stage is no error."""
    assert to_text(pipeline_of()) == ""
    assert "no stages" in to_svg(pipeline_of())


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], None),
        ([Status.CACHED, Status.CACHED], Status.CACHED),
        ([Status.CACHED, Status.SUCCEEDED], Status.SUCCEEDED),
        ([Status.SKIPPED, Status.SUCCEEDED], Status.SUCCEEDED),
        ([Status.SKIPPED], Status.SKIPPED),
        ([Status.SUCCEEDED, Status.FAILED, Status.RUNNING], Status.FAILED),
        ([Status.SUCCEEDED, Status.WAITING], Status.RUNNING),
        ([Status.WAITING, Status.WAITING], Status.WAITING),
    ],
)
def test_the_state_of_a_mapped_stage_is_its_worst(
    statuses: list[Status], expected: Status | None
) -> None:
    """The state of a mapped stage is its worst."""
    assert combined(statuses) is expected


@pytest.mark.parametrize("width", [30, 50, 80])
def test_captions_wrap_beside_the_rails(make_stage: Callable[..., Stage], width: int) -> None:
    """No line is wider than the terminal; rails go on beside a caption that wraps."""
    names = [f"stage_{index}" for index in range(12)]
    stages = [make_stage(name) for name in names]
    waits = tuple(Node(stage=name) for name in names)
    last = make_stage("a_stage_with_a_long_name", after=waits)
    text = to_text(pipeline_of(*stages, last), width=width)
    assert max(map(cell_width, text.splitlines())) <= width
    assert all(name in text for name in names)


def test_chained_maps_are_one_lane_of_stacks(make_stage: Callable[..., Stage]) -> None:
    """One box for a stage, and between two of them one arrow of several strands."""
    over = Foreach(axes=(Axis(parameter="month", values=tuple(range(12))),))
    own = Node(stage="collect", value="month", picks=(Pick(parameter="month"),))
    pipeline = pipeline_of(
        make_stage("collect", foreach=over),
        make_stage("clean", foreach=over, after=(own,)),
        make_stage("join", after=(Node(stage="clean"),)),
    )
    chained, joined = dag_of_pipeline(pipeline).links
    assert (chained.chain, chained.label) == (("month",), "each its own month")
    assert joined.chain == ()
    arrows = [
        path.get("class", "")
        for path in ElementTree.fromstring(to_svg(pipeline)).iter(f"{SVG}path")
        if "arrow" in path.get("class", "")
    ]
    assert sum("strand" in kind for kind in arrows) == 2
    assert len(arrows) == 4
    assert "clean  × 12" in to_text(pipeline)
    assert "← collect[month] (order only)" in to_text(pipeline, width=200)
    assert "each its own month" in to_mermaid(pipeline)


def test_a_product_names_both_parameters(make_stage: Callable[..., Stage]) -> None:
    """And its instances by both values."""
    axes = (Axis(parameter="m", values=("a", "b,c")), Axis(parameter="n", values=(1,)))
    (box,) = dag_of_pipeline(pipeline_of(make_stage("s", foreach=Foreach(axes=axes)))).boxes
    assert box.note == "for each m and n"
    assert [value for value, _ in box.instances] == ["a,1", '"b,c",1']
