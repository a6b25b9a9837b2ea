"""What notebooks that were handed out import: it is there in every later version."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mlkit.grading.exercise.source import Exercise

# Every name that an exercise imports, or has imported when it was handed out; none may go. Who has
# written an answer into such a notebook keeps it when the lessons are brought up to date.
HANDED_OUT = {
    "mlkit": {"Status", "TriggerRule"},
    "mlkit.core.graph": {"edges", "topological_order"},
    "mlkit.core.states": {"Status"},
    "mlkit.core.triggers": {"TriggerRule", "judge"},
    "mlkit.grading.dag_file": {"read_dag"},
    "mlkit.grading.dag_rules": {"dag_problems"},
    "mlkit.grading.kfp_file": {"pipeline_problems", "read_pipeline"},
    "mlkit.grading.listings.dag_file": {"read_dag"},
    "mlkit.grading.listings.dag_rules": {"dag_problems"},
    "mlkit.grading.listings.kfp_file": {"pipeline_problems", "read_pipeline"},
    "mlkit.inside.facts": {"as_facts", "error_name", "plain"},
    "mlkit.testing": {
        *("FakeClock", "FakeRunner", "Raises", "Returns", "run_fake", "write_notebook"),
        *("as_facts", "error_name", "plain", "edges", "judge", "topological_order"),
        *("dag_problems", "read_dag", "pipeline_problems", "read_pipeline"),
        *("ENGINES", "find_python", "prefect_settings"),
    },
}
DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
with DAG("a", schedule=None, catchup=False):
    BashOperator(task_id="b", bash_command="true")
"""


@pytest.mark.parametrize("module", sorted(HANDED_OUT))
def test_what_a_handed_out_notebook_imports_is_there(module: str) -> None:
    """Under its name of then."""
    there = importlib.import_module(module)
    assert [name for name in HANDED_OUT[module] if not hasattr(there, name)] == []


def test_readers_by_their_old_names_read_the_same() -> None:
    """They are given texts, and give texts."""
    then = importlib.import_module("mlkit.grading.dag_rules")
    now = importlib.import_module("mlkit.grading.listings.dag_rules")
    for text in (DAG, DAG.replace("schedule=", "schedule_interval=")):
        told = [[str(problem) for problem in by.dag_problems(text)] for by in (then, now)]
        assert told[0] == told[1]


def test_what_exercises_import_is_written_down_here(exercises: Mapping[str, Exercise]) -> None:
    """So that moving it is seen to be a change for those who have the notebooks."""
    new = {
        (module, name)
        for exercise in exercises.values()
        for source in exercise.given_code.values()
        for module, name in _imported(source)
        if name not in HANDED_OUT.get(module, ())
    }
    assert new == set()


def _imported(source: str) -> Iterator[tuple[str, Any]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "mlkit":
            yield from ((str(node.module), alias.name) for alias in node.names)
