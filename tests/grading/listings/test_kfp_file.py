"""The reader of kfp pipelines: each rule by itself."""

from __future__ import annotations

import pytest

from mlkit.grading.listings.kfp_file import (
    KFP_ADVICE,
    KFP_REFUSED,
    pipeline_problems,
    read_pipeline,
)
from mlkit.grading.verdict.acceptance import pipeline_file
from mlkit.testing.kfp_listings import GOOD, WRONG, pipeline


@pytest.mark.parametrize("name", GOOD)
def test_a_right_file_has_no_problems(name: str) -> None:
    """Whichever way it is written."""
    assert pipeline_problems(GOOD[name]) == []


@pytest.mark.parametrize("rule", [*KFP_REFUSED, *KFP_ADVICE])
def test_each_rule_finds_its_mistake_and_no_other(rule: str) -> None:
    """A file with one mistake breaks one rule."""
    assert {problem.rule for problem in pipeline_problems(WRONG[rule])} == {rule}


def test_tasks_edges_and_settings_are_read() -> None:
    """Chains of methods, loops, conditions, the same component twice."""
    found = read_pipeline(GOOD["groups"])
    assert set(found.tasks) == {"make", "use", "use-2"}
    assert found.edges == {("make", "use"), ("make", "use-2"), ("use", "use-2")}
    assert found.tasks["use"]["inside"] == ["If", "ParallelFor"]
    assert found.settings == {"name": "p"}
    settings = read_pipeline(GOOD["settings"]).tasks["make"]
    assert (settings["retry"], settings["accelerator_limit"], settings["node_selector"]) == (
        {"num_retries": 2, "backoff_duration": "1s"},
        1,
        {"disk": "ssd"},
    )


def test_what_is_hostile_is_told_and_harms_nothing() -> None:
    """Too long, nested too deeply, too many tasks."""
    assert [p.rule for p in pipeline_problems("#" * 30_000)] == ["unreadable"]
    assert [p.rule for p in pipeline_problems("(" * 5_000)] in (["syntax"], ["unreadable"])
    many = pipeline("    make()\n" * 300)
    assert {p.rule for p in pipeline_problems(many)} == {"unreadable"}


@pytest.mark.parametrize("compared", ["one > 1.0", "1.0 < one", "one.output > one"])
def test_a_condition_compares_what_a_task_gave_and_not_the_task(compared: str) -> None:
    """Kfp's tasks have no order, so such a file does not compile."""
    body = "    one = make(rows=3)\n    with dsl.If({}):\n        use(value=one.output, text='a')\n"
    assert pipeline_problems(pipeline(body.format("one.output > 1.0"))) == []
    (problem,) = pipeline_problems(pipeline(body.format(compared)))
    assert (problem.rule, "compare one.output" in problem.text) == ("output", True)


def test_a_pipeline_is_graded_by_its_text() -> None:
    """Tasks, edges, settings and kinds as wanted; anything else is wrong."""
    rule = {
        "free_of": ["import"],
        "tasks": ["make"],
        "edges": [],
        "settings": {"name": "p"},
        "kinds": {"make": "component", "use": "component"},
        "task_settings": {"make": {"inside": []}},
    }
    assert pipeline_file(GOOD["plain"], rule)
    assert not pipeline_file(GOOD["groups"], rule)
    assert not pipeline_file(GOOD["plain"], {**rule, "kinds": {"make": "container_component"}})
    assert not pipeline_file(WRONG["import"], {"free_of": ["import"]})
    assert not pipeline_file(7, rule)
