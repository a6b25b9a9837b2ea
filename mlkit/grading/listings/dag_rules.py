"""What Airflow accepts and is wrong all the same, and a rule that grades a DAG file by its text.

`REFUSED` names what keeps a file from loading in Airflow 3; a test holds those rules against a real
Airflow where one is installed. The others are advice: the file loads, and then does something else
than meant.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.grading.listings.airflow_names import BRANCHING
from mlkit.grading.listings.dag_file import DagFile, read_dag
from mlkit.grading.listings.dag_values import LONGEST_TEXT
from mlkit.grading.listings.listing import Problem, fits

__all__ = ["ADVICE", "REFUSED", "dag_file", "dag_problems"]

REFUSED = ("syntax", "import", "name", "argument", "task_id", "trigger_rule", "edge", "cycle")
ADVICE = ("dag", "moved", "unreadable", "join", "start_date", "catchup", "path")

WAITS_FOR_ALL = ("all_success", "none_skipped")
DATA_FILE = re.compile(r"\S+\.(?:csv|json|parquet|joblib|feather|txt|db)\b")


def dag_problems(source: str) -> list[Problem]:
    """Everything that is wrong with the text of a DAG file, by line.

    Parameters
    ----------
    source : str
        Python.

    Returns
    -------
    list of Problem
        Empty if the reader finds nothing.
    """
    return _problems(read_dag(source))


def dag_file(value: Any, rule: Mapping[str, Any]) -> bool:
    """The text of a DAG file that is as `rule` wants it.

    Beside what `fits` looks at, `branches` are tasks that must choose between ways.
    """
    if not isinstance(value, str):
        return False
    found = read_dag(value)
    return fits(found, _problems(found), rule) and all(
        found.tasks.get(task, {}).get("operator") in BRANCHING for task in rule.get("branches", ())
    )


def _problems(found: DagFile) -> list[Problem]:
    more = (*_cycles(found), *_joins(found), *_times(found), *_paths(found))
    return sorted([*found.problems, *more], key=lambda p: (p.line, p.rule, p.text))


def _cycles(found: DagFile) -> Iterator[Problem]:
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for up, down in sorted(found.edges):
        sorter.add(down, up)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        tasks = " → ".join(error.args[1])
        yield Problem(rule="cycle", line=1, text=f"the tasks go in a circle: {tasks}")


def _joins(found: DagFile) -> Iterator[Problem]:
    """A task behind a branch's ways that waits for all of them is always skipped."""
    branches = [task for task, about in found.tasks.items() if about["operator"] in BRANCHING]
    for branch in branches:
        ways = [_reached(found, way) for up, way in sorted(found.edges) if up == branch]
        for task, about in found.tasks.items():
            on_ways = sum(task in way for way in ways)
            rule = about.get("trigger_rule", "all_success")
            if on_ways > 1 and rule in WAITS_FOR_ALL and _joins_here(found, task, ways):
                text = f"{task!r} joins the ways of {branch!r}, one of which is always skipped"
                yield Problem(rule="join", line=1, text=f"{text}: {rule} skips it too")


def _joins_here(found: DagFile, task: str, ways: list[set[str]]) -> bool:
    """Whether a task's own upstream tasks lie on different ways."""
    upstream = [up for up, down in found.edges if down == task]
    return len({tuple(up in way for way in ways) for up in upstream}) > 1


def _reached(found: DagFile, start: str) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        task = waiting.pop()
        following = {down for up, down in found.edges if up == task} - seen
        seen |= following
        waiting += sorted(following)
    return seen


def _times(found: DagFile) -> Iterator[Problem]:
    start = found.settings.get("start_date")
    if isinstance(start, dict) and re.search(r"now|today|utcnow|days_ago", start.get("code", "")):
        text = "start_date moves on with the clock: give a fixed day"
        yield Problem(rule="start_date", line=1, text=text)
    if found.settings.get("catchup") is True:
        text = "catchup=True starts a run for every interval since start_date"
        yield Problem(rule="catchup", line=1, text=text)


def _paths(found: DagFile) -> Iterator[Problem]:
    """A file of a task must have something of the run in its path, or two runs share it."""
    for task, about in found.tasks.items():
        command = about.get("bash_command", "")
        for path in DATA_FILE.findall(re.sub(r"\{\{.*?\}\}", "{{}}", str(command)[:LONGEST_TEXT])):
            if "{{" not in path:
                text = f"{task!r} uses {path}, which every run shares"
                yield Problem(rule="path", line=1, text=text)
