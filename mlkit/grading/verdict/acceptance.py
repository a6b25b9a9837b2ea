"""Rules by which a fact with several right values is accepted. Pure; run outside the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from mlkit.grading.listings import dag_rules
from mlkit.grading.listings.kfp_file import read_pipeline
from mlkit.grading.listings.listing import fits, has_settings
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.inside.checks.check_facts import same

__all__ = ["RULES"]

Rule = Mapping[str, Any]
Graph = dict[str, set[str]]


def _among(value: Any, values: Iterable[Any]) -> bool:
    return any(same(value, other) for other in values)


def any_of(value: Any, rule: Rule) -> bool:
    """Any of `values`."""
    return _among(value, rule["values"])


def all_among(value: Any, rule: Rule) -> bool:
    """A list, not an empty one, whose every element is one of `values`."""
    return (
        isinstance(value, list)
        and value != []
        and all(_among(element, rule["values"]) for element in value)
    )


def unordered(value: Any, rule: Rule) -> bool:
    """The elements of `values`, each once, in any order."""
    left = list(rule["values"])
    if not isinstance(value, list) or len(value) != len(left):
        return False
    for element in value:
        place = next((n for n, other in enumerate(left) if same(element, other)), None)
        if place is None:
            return False
        del left[place]
    return True


def between(value: Any, rule: Rule) -> bool:
    """A number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return bool(rule["low"] <= value <= rule["high"])


def _graph(rule: Rule) -> Graph:
    """Task → upstream tasks, those too that stand only as somebody's upstream."""
    graph = {task: set(upstream) for task, upstream in rule["graph"].items()}
    return {task: set() for upstream in graph.values() for task in upstream} | graph


def _tasks(value: Any) -> list[str] | None:
    if not isinstance(value, list) or not all(isinstance(task, str) for task in value):
        return None
    return value


def topological_order(value: Any, rule: Rule) -> bool:
    """Every task of `graph` once, and upstream before downstream."""
    order, graph = _tasks(value), _graph(rule)
    if order is None or sorted(order) != sorted(graph):
        return False
    place = {task: n for n, task in enumerate(order)}
    return all(place[up] < place[task] for task, upstream in graph.items() for up in upstream)


def cycle(value: Any, rule: Rule) -> bool:
    """The tasks of one cycle of `graph`, upstream before downstream, starting anywhere."""
    tasks, graph = _tasks(value), _graph(rule)
    if not tasks or len(set(tasks)) != len(tasks):
        return False
    before = [tasks[-1], *tasks[:-1]]
    return all(up in graph.get(task, set()) for up, task in zip(before, tasks, strict=True))


def critical_path(value: Any, rule: Rule) -> bool:
    """`[tasks, total]`: a path of `graph` that no other is longer than, by `seconds`."""
    graph, seconds = _graph(rule), rule["seconds"]
    if not isinstance(value, list) or len(value) != 2:
        return False
    tasks, total = _tasks(value[0]), value[1]
    if tasks is None or any(task not in graph for task in tasks):
        return False
    linked = all(up in graph[task] for up, task in pairwise(tasks))
    longest = _longest(graph, seconds)
    return linked and same(sum(seconds[task] for task in tasks), longest) and same(total, longest)


def _longest(graph: Graph, seconds: Mapping[str, float]) -> float:
    done: dict[str, float] = {}

    def finish(task: str) -> float:
        if task not in done:
            done[task] = seconds[task] + max(map(finish, graph[task]), default=0)
        return done[task]

    return max(map(finish, graph), default=0)


def pipeline_file(value: Any, rule: Rule) -> bool:
    """The text of a kfp pipeline that is as `rule` wants it.

    Beside what `fits` looks at, `kinds` says of components how they are made.
    """
    return isinstance(value, str) and _within_bounds(lambda: _pipeline_fits(value, rule))


def _within_bounds(reading: Callable[[], bool]) -> bool:
    """A text that costs more to read than any honest one is not accepted."""
    try:
        return bounded(reading)
    except TooCostlyError:
        return False


def dag_file(value: Any, rule: Rule) -> bool:
    """The text of an Airflow DAG file that is as `rule` wants it (`dag_rules.dag_file`)."""
    return isinstance(value, str) and _within_bounds(lambda: dag_rules.dag_file(value, rule))


def _pipeline_fits(text: str, rule: Rule) -> bool:
    found = read_pipeline(text)
    kinds = {name: component.kind for name, component in found.components.items()}
    return fits(found, found.problems, rule) and has_settings(kinds, rule.get("kinds", {}))


RULES: Mapping[str, Callable[[Any, Rule], bool]] = {
    rule.__name__: rule
    for rule in (
        any_of,
        all_among,
        unordered,
        between,
        topological_order,
        cycle,
        critical_path,
        dag_file,
        pipeline_file,
    )
}
