"""A check means what its author meant, whatever an answer has called its own."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mlkit.inside.checks.apart import Shadows, imports_in, run_apart, shadows_in, shadows_of

SET_UP = ["import json\nimport random\nfrom datetime import date as day"]


def test_imports_are_known_by_the_names_that_they_bind() -> None:
    """One that is bound otherwise, too, is no import alone; what is no Python has none."""
    found = imports_in([*SET_UP, "from os import path, sep\npath = 3", "from os import *", "if"])
    assert found == {
        "json": "import json",
        "random": "import random",
        "day": "from datetime import date as day",
        "sep": "from os import sep",
        "*": "from os import *",
    }


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("list = [1]\nsum = 0", ("list", "sum")),
        ("def max(a): ...", ("max",)),
        ("from math import pow", ("pow",)),
        ("from random import random", ("random",)),
        ("import random\nimport json.decoder", ()),
        ("def f():\n    list = [1]\n    return list", ()),
        ("listed = [1]", ()),
    ],
)
def test_names_that_hide_another_are_told_from_the_text(answer: str, names: tuple[str]) -> None:
    """Python's own, and what the exercise imported; local names hide nothing."""
    found = shadows_in([answer], SET_UP)
    assert (found.names, found.hidden) == (names, names)
    assert bool(found.sentence) is bool(names)


def test_what_an_exercise_asks_for_hides_nothing() -> None:
    """A stub may be called `filter`, and set-up may define `input`."""
    given = ["def filter(rows): raise NotImplementedError", "input = 'rows.csv'"]
    assert shadows_in(["def filter(rows): return rows", "input = 'a'"], given) == Shadows()
    assert shadows_of({"filter": print, "input": 3}, ["input = 3"], ["filter"]) == Shadows()


def test_behind_a_star_every_name_may_be_hidden() -> None:
    """Nobody knows which; the exercise's own imports are made again."""
    found = shadows_in(["from numpy import *"], SET_UP)
    assert {"max", "sum", "all", "json", "random", "day"} <= set(found.hidden)
    assert "import random" in found.imports
    assert "from numpy import *" in found.sentence


def test_names_that_hide_another_are_told_from_their_values() -> None:
    """In the notebook itself: what IPython puts there, and what is the same, hides nothing."""
    same = {"json": __import__("json"), "random": random, "len": len, "open": print, "mine": 1}
    assert shadows_of(same, SET_UP) == Shadows()
    found = shadows_of({**same, "random": random.random, "list": [1]}, SET_UP)
    assert found.names == ("list", "random")
    assert found.imports == "import random"
    assert "list, random" in found.sentence


def test_a_check_runs_among_the_names_that_hide_nothing() -> None:
    """Answers call what probes define, and later checks what this one defines."""
    names: dict[str, Any] = {"list": [1], "random": 4, "answer": lambda: probe_of(names)}
    probes = "def probe(value):\n    return isinstance(value, list)"
    check = "seen = [probe([1]), random.Random(1).random() < 1, answer()]"
    run_apart(names, check, probes, ("list", "random"), "import random")
    assert names["seen"] == [True, True, True]
    assert (names["list"], names["random"]) == ([1], 4)


def probe_of(names: dict[str, Any]) -> bool:
    """What an answer gets that calls a probe."""
    return bool(names["probe"]([2]))
