"""The benchmark page says where others are ahead, whoever they are."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure import Summary
from benchmarks.report import section
from benchmarks.workload import FORK, WARM, Workload

NAMES = ("dvc", "snakemake", "one plain Python process", "prefect, functions")
TIMES = st.integers(1, 40).map(lambda tenths: tenths / 10)


def _summary(name: str, wall_s: float, cpu_s: float) -> Summary:
    return Summary(
        name=name, wall_s=wall_s, cpu_s=cpu_s, peak_bytes=1 << 20, written_bytes=0, rounds=3
    )


@given(st.lists(st.tuples(TIMES, TIMES), min_size=len(NAMES) + 2, max_size=len(NAMES) + 2))
def test_who_is_ahead_is_said(times: list[tuple[float, float]]) -> None:
    """All who are, in time or in CPU, and nobody else; mlkit itself is not another."""
    names = (FORK, WARM, *NAMES)
    found = [_summary(name, *each) for name, each in zip(names, times, strict=True)]
    text, good = section(Workload(name="w", about="About", contenders=(), goals=()), found)
    assert good
    said = re.search(rf"^Ahead of {re.escape(FORK)}, (.*)\.$", text, re.MULTILINE)
    parts = dict(part.split(": ") for part in said[1].split("; ")) if said else {}
    first, others = found[0], found[2:]
    sooner = [each.name for each in others if each.wall_s < first.wall_s]
    cheaper = [each.name for each in others if each.cpu_s < first.cpu_s]
    assert parts.get("sooner", "") == ", ".join(sooner)
    assert parts.get("with less CPU", "") == ", ".join(cheaper)
