"""`mlkit.check`: what a learner reads beside a check, and whether an answer was touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.grading.exercise.source import Exercise
from mlkit.inside.checks.check_history import is_untouched, stub_digest
from mlkit.inside.checks.checking import Feedback

NAME = "03-idempotency"
CHECK = "check-process-data"
APPENDS = """
def process_data(input_file, output_file):
    with open(input_file) as source, open(output_file, "a") as target:
        header, *rows = csv.reader(source)
        csv.writer(target).writerows([header, *([float(c) * 2 for c in row] for row in rows)])
"""


@pytest.fixture
def learn(
    submit: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Any
) -> Callable[..., str]:
    """Run the exercise's cells with some answers in an IPython shell, then ask `mlkit.check`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    def ask(answers: Mapping[str, str], check: str = CHECK, **asked: Any) -> str:
        path = submit(tmp_path / "exercises", NAME, answers)
        shell.reset(new_session=True)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and not cell["id"].startswith(("check-", "feedback-")):
                assert shell.run_cell(source, store_history=True).success
        return repr(mlkit.check(check, **asked))

    return ask


def test_the_stub_reads_as_not_attempted_with_a_first_hint_on_offer(
    learn: Callable[..., str],
) -> None:
    """And the solution is not shown before an attempt."""
    text = learn({}, solution=True)
    assert text.startswith("· not attempted: process_data may be run twice")
    assert f'mlkit.check("{CHECK}", hint=1)' in text
    assert "after an attempt" in text
    assert "writerows" not in text


def test_a_wrong_answer_reads_its_misconception(learn: Callable[..., str]) -> None:
    """In a sentence, without a traceback."""
    text = learn({"answer-process-data": APPENDS})
    assert text.splitlines()[1].startswith("The second run has appended")
    assert "Traceback" not in text


def test_hints_come_one_by_one_and_the_solution_after_an_attempt(
    learn: Callable[..., str], tmp_path: Path, exercises: Mapping[str, Exercise]
) -> None:
    """The solution is read from the checkout that the exercise stands in."""
    solutions = tmp_path / "solutions"
    solutions.mkdir()
    notebook = json.dumps(exercises[NAME].notebook)
    (solutions / f"{NAME}.ipynb").write_text(notebook, encoding="utf-8")
    text = learn({"answer-process-data": APPENDS}, hint=2, solution=True)
    assert "Hint 1: " in text
    assert "Hint 2: " in text
    assert "Hint 3: " not in text
    assert 'open(output_file, "w"' in text
    assert "### BEGIN SOLUTION" not in text


def test_a_solved_check_passes_and_says_no_more(
    learn: Callable[..., str], exercises: Mapping[str, Exercise]
) -> None:
    """No hints for who needs none."""
    assert learn(exercises[NAME].solution, hint=3) == "✓ passed: process_data may be run twice"


def test_a_right_answer_passes_whatever_it_calls_its_own(
    learn: Callable[..., str], exercises: Mapping[str, Exercise]
) -> None:
    """Checks mean Python's own names, and the exercise's imports."""
    answers = {
        name: f"list, sorted, json = [1], 2, 3\nfrom os import path as Path\n{source}"
        for name, source in exercises[NAME].solution.items()
    }
    assert learn(answers).startswith("✓ passed")
    wrong = learn({"answer-process-data": f"list = [1]\n{APPENDS}"})
    assert "The second run has appended" in wrong
    assert "defines list again" in wrong


def test_an_exception_says_its_words(learn: Callable[..., str]) -> None:
    """A name alone, such as TypeError, does not lead to the mistake."""
    text = learn({"answer-process-data": "def process_data(source):\n    return source"})
    assert "takes 1 positional argument but 2 were given" in text


def test_an_exception_becomes_a_sentence(learn: Callable[..., str]) -> None:
    """Even one that would end the process."""
    answer = "def process_data(input_file, output_file):\n    raise SystemExit"
    assert "The check ended in SystemExit" in learn({"answer-process-data": answer})


def test_a_check_that_is_nowhere_is_said_so(learn: Callable[..., str]) -> None:
    """Not raised: a learner should meet sentences."""
    assert "has a check 'check-nothing'" in learn({}, "check-nothing")


def test_an_answer_run_after_the_stub_counts_as_touched() -> None:
    """It binds the stub's name; another cell does not."""
    stub = "def f():\n    raise NotImplementedError"
    assert is_untouched([stub, "x = 1"], stub_digest(stub + " \n"))
    assert not is_untouched([stub, "def f():\n    return 1"], stub_digest(stub))
    assert not is_untouched(["f = max", stub.replace("f", "g")], stub_digest(stub))
    assert not is_untouched([stub, "(f", "f: int = 3"], stub_digest(stub))


def test_feedback_turns_green_in_a_notebook_and_keeps_its_words() -> None:
    """The colour comes beside the glyph; what an answer raised is escaped."""
    passed = Feedback(title="order", status="passed")
    assert "✓ passed: order" in passed._repr_html_()
    assert "#0b7a4b" in passed._repr_html_()
    wrong = Feedback(title="order", status="failed", message="a <b>")
    assert "✗ not yet: order" in wrong._repr_html_()
    assert "a &lt;b&gt;" in wrong._repr_html_()
    assert "#0b7a4b" not in wrong._repr_html_()


def test_a_check_brings_its_probes_along_and_takes_them_away_again(
    learn: Callable[..., str], exercises: Mapping[str, Exercise], shell: Any
) -> None:
    """Whatever the learner has made of their names since; which stays as it is."""
    model = exercises[NAME].solution
    text = learn({**model, "answer-upsert": f"{model['answer-upsert']}\nthree_runs = table = 7"})
    assert text.startswith("✓ passed")
    shell.user_ns["three_runs"] = 7
    del shell.user_ns["outcome"]
    assert repr(mlkit.check(CHECK)).startswith("✓ passed")
    assert shell.user_ns["three_runs"] == 7
    assert "outcome" not in shell.user_ns
