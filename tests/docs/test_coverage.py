"""Every topic of a course on pipelines has its cell in a lesson, and the page says which."""

from __future__ import annotations

from tests.docs.coverage import (
    EXERCISES,
    PAGE,
    ROOT,
    TOPICS,
    Place,
    Topic,
    places,
    problems,
    with_table,
)

RUN = Place(lesson=1, cell="a", how="run")
TOLD = Place(lesson=1, cell="b", how="told")
OPEN, CLOSED = (
    Topic(group="g", key="k", title="t"),
    Topic(group="g", key="k", title="t", told_because="it needs an account"),
)


def test_every_topic_has_its_cell() -> None:
    """Run, or told with the reason why it cannot be."""
    assert list(problems(TOPICS, places())) == []
    assert len({topic.key for topic in TOPICS}) == len(TOPICS)


def test_what_is_amiss_is_found() -> None:
    """No cell, told without a reason, a reason that does not hold, a key that is no topic."""
    assert list(problems([OPEN], {"k": [TOLD, RUN]})) == []
    assert list(problems([CLOSED], {"k": [TOLD]})) == []
    assert "no cell" in next(problems([OPEN], {}))
    assert "without a reason" in next(problems([OPEN], {"k": [TOLD]}))
    assert "yet has a reason" in next(problems([CLOSED], {"k": [RUN]}))
    assert "no topic" in next(problems([], {"k": [RUN]}))
    assert "neither" in next(problems([OPEN], {"k": [Place(lesson=1, cell="c", how="")]}))


def test_exercises_are_there() -> None:
    """Each file that the page names."""
    names = [name for name in EXERCISES if not (ROOT / "exercises" / f"{name}.ipynb").is_file()]
    assert names == []


def test_the_page_is_that_of_the_lessons() -> None:
    """It is written by a command, never by hand."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "Write the tables anew: make docs-tables"
