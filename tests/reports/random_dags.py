"""Pictures of pipelines, drawn at random: long names, maps, states, and words on the arrows."""

from __future__ import annotations

from hypothesis import strategies as st

from mlkit.core.states import Status
from mlkit.reports.dag import Box, Dag, Link

__all__ = ["dags"]

_NAMES = st.text("amwilf_", min_size=1, max_size=24)
_STATES = st.none() | st.sampled_from(Status)
_WORDS = st.sampled_from(
    ["", "", "each its own month", "each its own month and region", "decision = register", "[a]"]
)


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Up to nine stages, each after some of those before it."""
    boxes = [_box(draw, number) for number in range(draw(st.integers(1, 9)))]
    links = [
        Link(source=source.name, target=target.name, label=draw(_WORDS))
        for place, target in enumerate(boxes)
        for source in boxes[:place]
        if draw(st.integers(0, 2)) == 0
    ]
    return Dag(title="Drawn", boxes=tuple(boxes), links=tuple(links))


def _box(draw: st.DrawFn, number: int) -> Box:
    values = draw(st.lists(st.tuples(_NAMES, _STATES), max_size=10))
    return Box(
        name=f"s{number}_{draw(_NAMES)}",
        note=draw(st.sampled_from(["", "for each month", "for each month and region of a land"])),
        seconds=draw(st.none() | st.floats(0, 1e5)),
        status=draw(_STATES),
        instances=tuple(values),
        mapped=bool(values),
    )
