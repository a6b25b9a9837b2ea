"""Points and sentences for every check."""

from __future__ import annotations

from dataclasses import asdict, replace

from mlkit.grading.exercise.source import Exercise
from mlkit.grading.verdict.restore import Submission
from mlkit.grading.verdict.verdict import (
    ONLY_SHOWN,
    WITH_ANOTHER,
    CheckVerdict,
    Difference,
    Verdict,
    decide,
    verdict_from,
)
from mlkit.inside.checks.check_facts import CheckSpec, Judgement, Observation

SHOWN = CheckSpec(id="check-f", points=1, answers=("answer-f",), expected={"f": 1})
OTHER = CheckSpec(id="check-f-other", points=2, answers=("answer-f",), hidden=True)
EXERCISE = Exercise(
    name="00-f", title="F", notebook={}, answers={"answer-f": "stub"}, checks=(SHOWN, OTHER)
)
TRIED = Submission(answers={"answer-f": "f = 1"})
PASSED, FAILED = Judgement(status="passed"), Judgement(status="failed", message="no", wrong=("f",))


def _decide(shown: Judgement, other: Judgement) -> tuple[CheckVerdict, ...]:
    return decide(EXERCISE, TRIED, {}, {"check-f": shown, "check-f-other": other})


def test_a_visible_pass_counts_only_with_a_hidden_one() -> None:
    """Its expected output is there for all to see."""
    assert [check.points for check in _decide(PASSED, PASSED)] == [1, 2]
    alone = _decide(PASSED, FAILED)
    assert [check.points for check in alone] == [0, 0]
    assert (alone[0].status, alone[0].message) == ("failed", ONLY_SHOWN)


def test_a_right_answer_is_not_blamed_for_another() -> None:
    """Where both are tried together, and what is shown of the other one is wrong already."""
    own = CheckSpec(id="check-g", points=1, answers=("answer-g",), expected={"g": 1})
    both = CheckSpec(id="check-both", points=1, answers=("answer-f", "answer-g"), hidden=True)
    exercise = replace(
        EXERCISE, answers={"answer-f": "stub", "answer-g": "stub"}, checks=(SHOWN, own, both)
    )
    tried = Submission(answers={"answer-f": "f = 1", "answer-g": "g = 2"})

    def messages(shown: Judgement, other: Judgement) -> list[str]:
        judged = {"check-f": shown, "check-g": other, "check-both": FAILED}
        return [check.message for check in decide(exercise, tried, {}, judged)]

    assert messages(PASSED, FAILED) == [WITH_ANOTHER, "no", "no"]
    assert messages(PASSED, PASSED) == [ONLY_SHOWN, ONLY_SHOWN, "no"]


def test_a_hidden_pass_counts_by_itself() -> None:
    """Part of an answer may be right."""
    assert [check.points for check in _decide(FAILED, PASSED)] == [0, 2]


def test_an_untouched_or_missing_answer_is_not_attempted() -> None:
    """Whatever its checks would say."""
    for submission in (Submission(answers={"answer-f": "x"}, untouched=frozenset({"answer-f"})),):
        found = decide(EXERCISE, submission, {}, {"check-f": PASSED, "check-f-other": PASSED})
        assert {check.status for check in found} == {"not_attempted"}
    assert {c.status for c in decide(EXERCISE, Submission(answers={}), {}, {})} == {"not_attempted"}


def test_an_answer_cell_that_does_not_run_is_the_reason() -> None:
    """Rather than the NameError that follows from it."""
    seen = {"answer-f": Observation(error="SyntaxError", error_text="invalid syntax")}
    found = decide(EXERCISE, TRIED, seen, {"check-f": FAILED, "check-f-other": FAILED})
    text = "The cell 'answer-f' does not run: SyntaxError: invalid syntax"
    assert [check.message for check in found] == [text, text]


def test_what_an_answer_hides_is_told_beside_the_reason() -> None:
    """`list = []` in one cell keeps another from running."""
    aside = "Your notebook defines list again."
    seen = {"answer-f": Observation(error="TypeError", error_text="no", aside=aside)}
    found = decide(EXERCISE, TRIED, seen, {"check-f": FAILED, "check-f-other": FAILED})
    assert found[0].message == f"The cell 'answer-f' does not run: TypeError: no. {aside}"


def test_only_visible_checks_tell_differences() -> None:
    """Hidden ones would tell of their inputs."""
    seen = {name: Observation(text='{"f": 2}') for name in ("check-f", "check-f-other")}
    judged = {"check-f": FAILED, "check-f-other": FAILED}
    shown, other = decide(EXERCISE, TRIED, seen, judged)
    assert shown.differences == (Difference(fact="f", given="2", expected="1"),)
    assert other.differences == ()


def test_a_verdict_survives_being_written_down() -> None:
    """So a stopped batch can go on behind it."""
    seen = {"check-f": Observation(text='{"f": 2}')}
    checks = decide(EXERCISE, TRIED, seen, {"check-f": FAILED})
    verdict = Verdict(
        path="p", exercise="e", student="s", status="graded", score=0, max=3, checks=checks
    )
    assert verdict_from(asdict(verdict)) == verdict
