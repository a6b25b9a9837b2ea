"""Facts are compared one by one, and a wrong one becomes the sentence that its author wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.inside.checks.check_facts import (
    ENDED,
    NOT_ATTEMPTED,
    SILENT,
    UNKNOWN_NAME,
    CheckSpec,
    Observation,
    judge,
    read_facts,
    same,
)
from mlkit.inside.facts import as_facts

SPEC = CheckSpec(
    id="check-x",
    expected={"once": [1, 2], "twice": 0.3},
    misconceptions=(
        {"error": "KeyError", "say": "a key is missing"},
        {"timeout": True, "say": "it never ends"},
        {"when": {"once": [2, 1]}, "say": "the wrong way round"},
        {"wrong": ["twice"], "when": {"once": [1, 2]}, "say": "only the second run is wrong"},
    ),
    otherwise="something else",
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_is_the_same_as_itself_through_json(value: Any) -> None:
    """NaN and infinity too."""
    assert same(json.loads(json.dumps(value)), value)


@pytest.mark.parametrize(
    ("actual", "expected", "equal"),
    [
        (0.1 + 0.2, 0.3, True),
        (1, 1.0, True),
        (True, 1, False),
        (0, False, False),
        ("1", 1, False),
        ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (10**400, 1.0, False),
        (float("nan"), float("nan"), True),
        (None, 0, False),
    ],
)
def test_numbers_are_near_and_types_are_kept(actual: Any, expected: Any, *, equal: bool) -> None:
    """A bool is no number, a text is no number, order counts."""
    assert same(actual, expected) is equal


def _nested(kind: Any) -> Any:
    """As deep as a check prints it."""
    value = kind()
    for _ in range(120):
        value = kind([value])
    return value


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ('{"a": 1}\n', {"a": 1}),
        ('debugging\n{"a": 1}\n', {"a": 1}),
        ('{"a": 1}\ndebugging\n', {"a": 1}),  # a thread of the answer's
        ('{"b": 2}\ntick{"a": {"c": 1}}tick\n\ntick\n', {"a": {"c": 1}}),
        ('no end of line{"a": 1}\n{tick}\n', {"a": 1}),
        ("debugging\n", None),
        ("", None),
        ("[1]", None),
        ("[" * 100_000, None),
        ('{"a": ' + "[" * 400 + "]" * 400 + "}", None),  # read, it could not be written again
        ('{"a": [{"b": [[]]}]}', {"a": [{"b": [[]]}]}),
        (as_facts({"a": _nested(frozenset)}), json.loads(as_facts({"a": _nested(frozenset)}))),
    ],
)
def test_facts_are_the_object_in_the_last_line(text: str, facts: Any) -> None:
    """What an answer prints along the way does no harm; anything else is no facts."""
    assert read_facts(text) == facts


@pytest.mark.parametrize(
    ("seen", "status", "message"),
    [
        (Observation(text='{"once": [1, 2], "twice": 0.3}'), "passed", ""),
        (Observation(text='{"once": [2, 1], "twice": 0.3}'), "failed", "the wrong way round"),
        (
            Observation(text='{"once": [1, 2], "twice": 1}'),
            "failed",
            "only the second run is wrong",
        ),
        (
            Observation(text='{"once": 1, "twice": 1}'),
            "failed",
            "something else A list was expected, and a number came.",
        ),
        (Observation(text='{"once": [1, 2]}'), "failed", "only the second run is wrong"),
        (Observation(text='{"once": [1, 2], "twice": 0.3, "x": 1}'), "failed", "something else"),
        (Observation(text="no facts"), "failed", SILENT),
        (Observation(error="NotImplementedError"), "not_attempted", NOT_ATTEMPTED),
        (
            Observation(text='{"once": [1, {"error": "NotImplementedError"}], "twice": 0.3}'),
            "not_attempted",
            NOT_ATTEMPTED,
        ),
        (Observation(error="KeyError"), "failed", "a key is missing"),
        (Observation(error="NameError"), "failed", UNKNOWN_NAME),
        (Observation(ended="timeout"), "timeout", "it never ends"),
        (Observation(ended="died"), "error", ENDED["died"]),
        (Observation(ended="memory"), "error", ENDED["memory"]),
    ],
)
def test_an_observation_gets_its_status_and_sentence(
    seen: Observation, status: str, message: str
) -> None:
    """The first misconception that fits, else the check's general sentence."""
    judgement = judge(SPEC, seen)
    assert (judgement.status, judgement.message) == (status, message)


def test_of_hidden_checks_only_python_s_own_exceptions_are_named() -> None:
    """The name of another one could carry a hidden input out."""
    hidden = replace(SPEC, hidden=True)
    own = Observation(error="ZeroDivisionError", error_text="7 3 1")
    assert "ended in ZeroDivisionError: your" in judge(hidden, own).message
    for name in ("Told_7_3_1", "print", "__name__"):
        assert "ended in an exception: your" in judge(hidden, Observation(error=name)).message
    assert "ended in ZeroDivisionError (7 3 1): your" in judge(SPEC, own).message


def test_a_rule_accepts_in_place_of_equality() -> None:
    """It is named in the check, and decides outside the kernel."""
    spec = CheckSpec(id="c", expected={"order": ["a", "b"]}, accept={"order": {"rule": "any"}})
    seen = Observation(text='{"order": ["b", "a"]}')
    accepts = {"any": lambda value, rule: sorted(value) == ["a", "b"]}
    assert judge(spec, seen, rules=accepts).status == "passed"


def _told(facts: dict[str, Any], **spec: Any) -> str:
    about = {"expected": {"size": 3, "names": ["a"]}, "otherwise": "Not as asked.", **spec}
    check = CheckSpec(id="check-x", answers=("answer-make-it",), **about)
    return judge(check, Observation(text=json.dumps(facts))).message


def test_a_guess_speaks_of_wrong_values_of_the_right_kind() -> None:
    """Of an exception, or of a text for a list, it knows nothing."""
    guess = ({"wrong": ["names"], "say": "A name is missing."},)
    assert _told({"size": 3, "names": []}, misconceptions=guess) == (
        "Not as asked. At 'names' [\"a\"] was expected, and [] came. "
        "It may be this: A name is missing."
    )
    for value, kind in (
        ("a", "a text"),
        ({"error": "KeyError"}, "an exception"),
        (None, "nothing"),
    ):
        told = _told({"size": 3, "names": value}, misconceptions=guess)
        assert told.startswith(f"Not as asked. A list was expected, and {kind}")
    told = _told({"size": 3, "names": {"set": ["a"]}}, misconceptions=guess)
    assert told == "Not as asked. A list was expected, and a set came."


@pytest.mark.parametrize("hidden", [True, False])
def test_a_check_claims_no_cause_that_any_deviation_fits(*, hidden: bool) -> None:
    """That a list is wrong has many causes; a truth value, or an empty list, has one other side."""
    guess = ({"wrong": ["names"], "say": "A name is missing."},)
    told = _told({"size": 3, "names": []}, misconceptions=guess, hidden=hidden)
    assert told.startswith("Not as asked.")
    assert told.endswith("It may be this: A name is missing.")
    both = {"expected": {"good": True, "left": []}, "hidden": hidden, "otherwise": "Not as asked."}
    for facts, wrong in (
        ({"good": False, "left": []}, "good"),
        ({"good": True, "left": [1]}, "left"),
    ):
        entry = {"wrong": [wrong], "say": f"{wrong} is wrong"}
        assert _told(facts, misconceptions=(entry,), **both) == f"{wrong} is wrong"
    another_kind = ({"wrong": ["names"], "kinds": {"names": "none"}, "say": "Nothing came."},)
    assert _told({"size": 3, "names": None}, misconceptions=another_kind, hidden=hidden) == (
        "Nothing came."
    )
    same_kind = ({"wrong": ["names"], "kinds": {"names": "list"}, "say": "Too many."},)
    assert "It may be this" in _told(
        {"size": 3, "names": []}, misconceptions=same_kind, hidden=hidden
    )


def test_what_is_asked_can_be_said_of_any_deviation() -> None:
    """With the kind of thing that came, if it is another one."""
    asks = ({"wrong": ["names"], "asks": "Every name stands there once."},)
    for hidden in (True, False):
        told = _told({"size": 3, "names": None}, misconceptions=asks, hidden=hidden)
        assert told == (
            "Every name stands there once. A list was expected, and nothing (None) came."
        )
    told = _told({"size": 3, "names": []}, misconceptions=asks, hidden=True)
    assert told == "Every name stands there once."


def test_conditions_single_a_mistake_out() -> None:
    """By what is right besides, and by the kind of what came."""
    entries = (
        {"wrong": ["names"], "right": ["size"], "say": "only the names"},
        {"kinds": {"names": "none"}, "say": "no names at all"},
    )
    assert _told({"size": 3, "names": []}, misconceptions=entries).endswith(": only the names")
    assert _told({"size": 4, "names": None}, misconceptions=entries) == "no names at all"
    assert _told({"size": 4, "names": []}, misconceptions=entries).startswith("Not as asked.")


def test_the_general_sentence_says_what_came_and_what_should_have_come() -> None:
    """Of a hidden check the kinds only."""
    assert _told({"size": 4, "names": ["a"]}).endswith("At 'size' 3 was expected, and 4 came.")
    assert _told({"size": 4, "names": ["a"]}, hidden=True) == "Not as asked."
    hidden = _told({"size": "3", "names": ["a"]}, hidden=True)
    assert hidden == "Not as asked. A number was expected, and a text came."


def test_a_comparison_is_the_same_in_whatever_order_the_keys_are_kept() -> None:
    """An exercise keeps them sorted, its solution as they were printed."""
    told = {
        judge(
            CheckSpec(id="check-x", expected={"f": dict(expected)}),
            Observation(text=json.dumps({"f": {"b": 1, "a": 3}})),
        ).message
        for expected in ([("b", 1), ("a", 2)], [("a", 2), ("b", 1)])
    }
    (sentence,) = told
    assert 'At \'f\' {"a": 2, "b": 1} was expected, and {"a": 3, "b": 1} came.' in sentence


def test_the_fact_that_was_printed_first_is_named_first() -> None:
    """By the grader, and by a learner's copy, in which what is expected is sorted by name."""
    printed = Observation(text='{"later": 5, "early": 6}')
    spec = CheckSpec(id="check-x", expected={"later": 1, "early": 2}, otherwise="no.")
    copied = replace(spec, expected=dict(sorted(spec.expected.items())))
    said = judge(spec, printed).message
    assert said == judge(copied, printed).message
    assert "At 'later' 1 was expected" in said


def test_a_name_that_is_not_defined_has_its_own_sentence() -> None:
    """The answer's own name, and others; wherever among the facts the exception stands."""
    spec = CheckSpec(id="check-x", answers=("answer-make-it",), otherwise="Not as asked.")
    own = Observation(error="NameError", error_text="name 'make_it' is not defined")
    assert judge(spec, own).message.startswith("No cell defines 'make_it'")
    other = Observation(error="NameError", error_text="name 'helper' is not defined")
    assert judge(spec, other).message == UNKNOWN_NAME
    says = {"error": "NameError", "says": "name 'make_it' is not defined"}
    assert _told({"size": [3, says], "names": ["a"]}).startswith("No cell defines 'make_it'")
    assert _told({"size": {"error": "NameError"}, "names": ["a"]}) == UNKNOWN_NAME


@pytest.mark.parametrize("fact", [{}, {"says": "'int' object has no attribute 'x'"}])
@pytest.mark.parametrize("hidden", [True, False])
def test_of_an_answer_that_broke_off_nothing_else_is_claimed(
    fact: dict[str, str], *, hidden: bool
) -> None:
    """What else is wrong follows from that, unless the check asks for such an exception."""
    claims = ({"when": {"names": []}, "say": "It never asks."}, {"wrong": ["size"], "asks": "Ask."})
    broken = {"size": {"error": "AttributeError", **fact}, "names": []}
    told = _told(broken, misconceptions=claims, hidden=hidden)
    named = f" ({fact['says']})" if fact and not hidden else ""
    assert told == (
        f"AttributeError{named} came, which is not asked for: your answer raised it, or gave "
        "something other than what was asked for. Not as asked."
    )
    another = {"size": {"error": "ValueError"}, "names": []}
    assert _told(another, misconceptions=claims, hidden=hidden) == "It never asks."
    foreseen = ({"when": {"size": broken["size"]}, "say": "None has no x."}, *claims)
    assert _told(broken, misconceptions=foreseen, hidden=hidden) == "None has no x."
    kinds = ({"kinds": {"size": "error"}, "say": "It raised something."}, *claims)
    assert _told(broken, misconceptions=kinds, hidden=hidden) == "It raised something."
    asked = {"size": 3, "names": {"error": "AttributeError"}}
    told = _told(broken, misconceptions=claims, hidden=hidden, expected=asked)
    assert told == "It never asks."


@pytest.mark.parametrize("error", ["TypeError", "KeyError", "IndexError", "ZeroDivisionError"])
def test_beside_an_exception_that_broke_an_answer_off_only_what_is_asked_is_said(
    error: str,
) -> None:
    """A sentence that claims nothing may stand beside it, and one that speaks of the exception."""
    claim = {"when": {"names": []}, "say": "It never asks."}
    broken = {"size": {"error": error}, "names": []}
    came = f"A number was expected, and an exception came: {error}."
    assert _told(broken, misconceptions=(claim,)) == f"Not as asked. {came}"
    asks = {"wrong": ["size"], "asks": "Ask."}
    assert _told(broken, misconceptions=(claim, asks)) == f"Ask. {came}"
    foreseen = {"when": {"size": {"error": error}}, "say": "Look for None."}
    assert _told(broken, misconceptions=(claim, foreseen)) == "Look for None."
    inside = {"size": 3, "names": [{"error": error}]}
    assert _told(inside, misconceptions=(claim,)).endswith(f" {error} came.")
    asked = {"size": 3, "names": [f"{error} where there is nothing"]}
    assert _told(broken, misconceptions=(claim,), expected=asked) == "It never asks."


def test_what_an_exception_says_is_told_where_it_is_known() -> None:
    """By `mlkit.check`, beside the check; the facts hold the name alone."""
    spec = CheckSpec(id="check-x", expected={"size": 3}, otherwise="Not as asked.")
    facts = json.dumps({"size": {"error": "TypeError"}})
    told = judge(spec, Observation(text=facts, said={"size": {"TypeError": "no len()"}}))
    assert told.message.endswith("and an exception came: TypeError (no len()).")
    slip = json.dumps({"size": {"error": "NameError"}})
    undefined = CheckSpec(id="check-x", expected={"size": 3}, answers=("answer-make-it",))
    says = {"size": {"NameError": "name 'make_it' is not defined"}}
    assert (
        "No cell defines 'make_it'" in judge(undefined, Observation(text=slip, said=says)).message
    )


def test_a_mapping_in_which_an_answer_wrote_an_error_is_no_exception() -> None:
    """`{"status": "failed", "error": "no rows"}` is what came back, and nothing was raised."""
    expected = {"size": {"status": "failed", "error": ["ValueError", "no rows"]}, "names": []}
    came = {"size": {"status": "failed", "error": "no rows"}, "names": []}
    assert "an exception came" not in _told(came, expected=expected)


def test_a_sentence_about_a_wrong_value_is_not_said_of_an_exception() -> None:
    """Unless it speaks of that fact itself."""
    claim = {"when": {"size": 3}, "wrong": ["names"], "say": "The second run adds to the first."}
    raised = {"size": 3, "names": {"error": "ValueError"}}
    assert "adds" not in _told(raised, misconceptions=(claim,))
    assert "adds" in _told({"size": 3, "names": ["c"]}, misconceptions=(claim,))
    kinds = {**claim, "kinds": {"names": "error"}}
    assert "adds" in _told(raised, misconceptions=(kinds,))


def test_what_is_said_aside_stands_behind_the_sentence_of_what_is_not_passed() -> None:
    """And of nothing else."""
    spec = CheckSpec(id="check-x", expected={"size": 3}, otherwise="Not as asked.")
    wrong = Observation(text='{"size": 4}', aside="Max is yours.")
    assert judge(spec, wrong).message.endswith("came. Max is yours.")
    assert judge(spec, Observation(text='{"size": 3}', aside="Max is yours.")).message == ""
    stub = Observation(error="NotImplementedError", aside="Max is yours.")
    assert "Max" not in judge(spec, stub).message


def test_a_visible_check_names_the_exception_that_came() -> None:
    """And a hidden one does not: its name may be what the check keeps to itself."""
    facts = {"size": 3, "names": {"error": "KeyError", "says": "'a'"}}
    assert _told(facts).endswith("and an exception came: KeyError ('a').")
    assert _told(facts, hidden=True).endswith("and an exception came.")


def test_an_answer_that_was_asleep_at_its_end_is_told_so() -> None:
    """And not that it loops."""
    spec = CheckSpec(id="check-x", misconceptions=({"timeout": True, "say": "it never ends"},))
    assert judge(spec, Observation(ended="timeout", asleep=True)).message.startswith(
        "When the time"
    )
    waiting = judge(spec, Observation(ended="timeout", waiting=True)).message
    assert "your answer computed nothing" in waiting
    assert judge(spec, Observation(ended="timeout")).message == "it never ends"
