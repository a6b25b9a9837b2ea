"""Results as Markdown: ratios first, for seconds differ from machine to machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from benchmarks.measure import Summary
from benchmarks.workload import Workload

__all__ = ["page", "section"]

INTRODUCTION = """# Benchmarks

`make bench` measures everything on this page and writes it. Contenders take turns in interleaved
rounds of one session; each figure is the median of the rounds, as a multiple of the first line of
its table. Those who take many times as long are measured in the first round only. Wall is the whole
command from start to end. CPU counts the command and everything that it has started. Memory is the
peak of the whole family of processes, with shared pages counted in shares, sampled in the first
round. `make bench BENCH='--rounds 5'` measures more rounds than three. `make bench-peers` installs
other tools, each into an environment of its own; they join where they are installed.

Ploomber, DVC and Snakemake, and the tasks of Prefect and Dagster, call Papermill's command line for
each notebook, as their users do. Elyra's local processor runs Papermill within its own process; it
hands over no parameters, so the values stand in its notebooks. *Functions* are the notebooks' code
as functions of one process: no notebook is executed, and none is kept. Prefect starts a server of
its own for each run, and Dagster runs in process, without one.

*ipykernel forked, nothing else* is what forked kernels cost by themselves: a process imports
ipykernel, and the packages that the notebooks need by a list made by hand; it forks a kernel for
each notebook, one ahead, and the cells go to it by jupyter_client. Nothing is checked, captured,
reused or kept. What mlkit takes beyond it is its own.
"""


def section(workload: Workload, summaries: Sequence[Summary]) -> tuple[str, bool]:
    """One workload's table and goals.

    Returns
    -------
    text : str
        Markdown.
    reached : bool
        Whether all its goals were.
    """
    first = summaries[0]
    lines = [
        f"## {workload.name}",
        "",
        f"{workload.about}. {first.name}: {first.wall_s:.2f} s, CPU {first.cpu_s:.2f} s, "
        f"{first.peak_bytes / 2**20:.0f} MiB; medians of {first.rounds}.",
        "",
        "| | wall | CPU | memory |",
        "|---|---|---|---|",
    ]
    for each in summaries:
        cells = " | ".join(
            ratio(getattr(each, quantity), getattr(first, quantity))
            for quantity in ("wall_s", "cpu_s", "peak_bytes")
        )
        rounds = " (1 round)" if each.rounds == 1 < first.rounds else ""
        lines.append(f"| {each.name}{rounds} | {cells} |")
    lines += _ahead(summaries)
    results = {each.name: each for each in summaries}
    verdicts = [goal.reached(results) for goal in workload.goals]
    if verdicts:
        lines += ["", "| goal | measured | |", "|---|---|---|"]
    for goal, good in zip(workload.goals, verdicts, strict=True):
        lines.append(f"| {goal.text} | {goal.value(results):.2f} | {'yes' if good else 'no'} |")
    return "\n".join(lines) + "\n", all(verdicts)


def _ahead(summaries: Sequence[Summary]) -> list[str]:
    """Who of those without mlkit needs less than the first, in words."""
    first, others = summaries[0], [each for each in summaries if "mlkit" not in each.name]
    found = []
    for words, quantity in (("sooner", "wall_s"), ("with less CPU", "cpu_s")):
        names = [e.name for e in others if getattr(e, quantity) < getattr(first, quantity)]
        found += [f"{words}: {', '.join(names)}"] if names else []
    return ["", f"Ahead of {first.name}, {'; '.join(found)}."] if found else []


def ratio(value: float, reference: float) -> str:
    """How many times the reference; a dash where one of them was too short to be sampled."""
    return f"{value / reference:.2f} ×" if value and reference else "–"


def page(sections: Sequence[str]) -> str:
    """The whole page."""
    machine = (
        f"Measured with Python {platform.python_version()} on {platform.system()} with "
        f"{os.cpu_count()} processors.\n"
    )
    return "\n".join([INTRODUCTION, machine, *sections])
