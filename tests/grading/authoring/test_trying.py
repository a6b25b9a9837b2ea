"""`mlkit exercise check`: an exercise that would fail a class is found before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.authoring.starting import begin
from mlkit.grading.authoring.trying import report, shadowed, try_exercises
from mlkit.grading.exercise.source import load_exercise
from tests.grading.conftest import Edit, cell

Change = Callable[[str, str], None]


def _tried(solutions: Path, *names: str, update: bool = False) -> dict[str, Any]:
    return try_exercises(solutions, names, update=update, say=lambda text: None)


def _problems(document: dict[str, Any]) -> list[str]:
    """What was found, each with its place."""
    return [
        f"{Path(str(p['file'])).name}:{p['line']}: {p['message']}"
        for one in document["exercises"]
        for p in one["problems"]
    ]


@pytest.mark.kernel
def test_a_new_exercise_holds(solutions: Path) -> None:
    """The model, the stub, and every recorded answer; nothing is written."""
    before = {path: path.read_bytes() for path in solutions.iterdir()}
    document = _tried(solutions)
    assert _problems(document) == []
    assert document["ok"]
    (one,) = document["exercises"]
    kinds = [case["kind"] for case in one["answers"]]
    assert sorted(kinds) == ["model", "right", "stub", "wrong", "wrong", "wrong"]
    assert one["notes"] == []
    assert report(document).splitlines()[0] == (
        "✓ mean  3 points, right answers 1 of 1, wrong answers 3 of 3"
    )
    assert {path: path.read_bytes() for path in solutions.iterdir()} == before


@pytest.mark.kernel
def test_what_needs_no_solution_passes_no_check(solutions: Path, notebook: Edit) -> None:
    """A hidden check that a constant, an echo or a failure passes is told with its line."""

    def change(document: dict[str, Any]) -> None:
        hidden = cell(document, "check-mean-other")
        hidden["source"] = [
            'print(as_facts({"of one number": mean([0]), "of zeros": mean([0, 0])}))'
        ]

    notebook(change)
    document = _tried(solutions, update=True)
    words = (solutions / "mean.yaml").read_text(encoding="utf-8").splitlines()
    line = 1 + [text.startswith("  check-mean-other:") for text in words].index(True)
    told = "an answer that does nothing but 'return 0' passes 'check-mean-other'"
    assert f"mean.yaml:{line}: {told}" in _problems(document)
    assert not [problem for problem in _problems(document) if "'return None'" in problem]


@pytest.mark.kernel
def test_answers_that_do_not_get_what_they_should_are_told(solutions: Path, words: Change) -> None:
    """A wrong one that passes or reads another sentence, and a right one that loses points."""
    words("return sum(numbers) // len(numbers) if numbers else None",
          "return sum(numbers) * 1 / len(numbers) if numbers else None")  # fmt: skip
    words("says: This is the sum", "says: This is the product")
    words("return fmean(numbers) if numbers else None", "return fmean(numbers or [0])")
    found = _problems(_tried(solutions))
    lines = (solutions / "mean.yaml").read_text(encoding="utf-8").splitlines()
    for number, (name, told) in enumerate(
        [
            ("with the standard library", "does not pass 'check-mean'"),
            ("gives the sum", "should read 'This is the product', and reads: This is the sum"),
            ("rounds down", "passes 'check-mean-other'"),
        ]
    ):
        line = lines.index(f"  - name: {name}") + 1
        assert found[number].startswith(f"mean.yaml:{line}: ")
        assert name in found[number]
        assert told in found[number]
    assert len(found) == 3


ANSWERS = """
right:
  - name: with a helper above
    above: {answer-mean: "def total(numbers): return sum(numbers)"}
    answers:
      answer-mean: |
        def mean(numbers):
            return total(numbers) / len(numbers) if numbers else None
wrong:
  - name: one more at the end
    below: {answer-mean: "old = mean\\ndef mean(numbers): return old([*numbers, 0])"}
    caught_by: check-mean
    says: is not what it should be
  - name: half of it
    edits: {answer-mean: [{old: "sum(numbers)", new: "sum(numbers) / 2"}]}
    caught_by: check-mean-other
    says: This sentence is nowhere
"""


@pytest.mark.kernel
@pytest.mark.long
def test_answers_of_the_folder_are_tried_like_those_of_the_words(solutions: Path) -> None:
    """As changes of the model, or with cells of the learner's own; each told with its file."""
    folder = solutions / "mean.answers"
    folder.mkdir()
    (folder / "slips.yaml").write_text(ANSWERS, encoding="utf-8")
    document = _tried(solutions)
    tried = [case["name"] for case in document["exercises"][0]["answers"] if case["ok"]]
    assert {"with a helper above", "one more at the end", "gives the sum"} <= {*tried}
    (told,) = _problems(document)
    line = ANSWERS.splitlines().index("  - name: half of it") + 1
    assert told.startswith(f"slips.yaml:{line}: the wrong answer 'half of it' should read")


@pytest.mark.kernel
@pytest.mark.long
def test_a_changed_check_is_told_and_then_stored(solutions: Path, notebook: Edit) -> None:
    """What it should print is what the solution prints, once its author has said so."""

    def change(document: dict[str, Any]) -> None:
        source = cell(document, "check-mean-other")["source"]
        cell(document, "check-mean-other")["source"] = [s.replace("7.25", "9.25") for s in source]

    notebook(change)
    (told,) = _problems(_tried(solutions))
    assert "'check-mean-other' prints another result than is stored" in told
    document = _tried(solutions, "mean", update=True)
    assert document["exercises"][0]["updated"]
    # The sentence about rounding is told by a value, which is another one now.
    assert [p for p in _problems(document) if "rounds down" not in p] == []
    kept = json.loads((solutions / "mean.ipynb").read_text(encoding="utf-8"))
    assert "2.1875" in json.dumps(cell(kept, "check-mean-other")["outputs"])
    assert cell(kept, "answer-mean")["metadata"]["tags"] == ["answer-mean"]


@pytest.mark.kernel
def test_a_solution_that_does_not_run_elsewhere_is_told_with_its_line(
    solutions: Path, notebook: Edit
) -> None:
    """A file beside it that is not declared is not there for learners."""
    (solutions / "rows.csv").write_text("1\n", encoding="utf-8")

    def change(document: dict[str, Any]) -> None:
        cell(document, "setup")["source"].append("\nrows = open('rows.csv').read()")

    notebook(change)
    document = _tried(solutions)
    found = _problems(document)
    assert "the solution does not run (FileNotFoundError" in found[0]
    assert "reads 'rows.csv', which is not named under 'data'" in found[1]
    assert document["exercises"][0]["problems"][1]["remedy"].endswith("data: [rows.csv]")


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("kinds: {empty: error}\n        when: {three: 9}", "the second can never be read"),
        ("when: {three: 9}\n        wrong: [empty]", "the second can never be read"),
        ("when: {three: 9}", "equal conditions"),
        ("kinds: {empty: eror}", "a kind 'eror'"),
    ],
)
def test_sentences_that_nobody_could_read_are_refused_before_anything_runs(
    new: str, told: str, solutions: Path, words: Change
) -> None:
    """An entry that another one hides, or that is spelled wrong."""
    words("kinds: {empty: error}", new)
    document = _tried(solutions)
    (problem,) = _problems(document)
    assert told in problem
    assert not document["exercises"][0]["tried"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"wrong": ["a"]}, {"wrong": ["a"], "when": {"a": []}}),  # of another kind than expected
        ({"wrong": ["a", "b"]}, {"wrong": ["a"]}),
        ({"when": {"a": 1}}, {"when": {"a": 2}}),
        ({"right": ["b"]}, {"wrong": ["a"]}),
        ({"timeout": True}, {"wrong": ["a"]}),
        ({"kinds": {"a": "list"}}, {"kinds": {"b": "list"}}),
    ],
)
def test_sentences_that_can_both_be_read_are_no_fault(
    first: dict[str, Any], second: dict[str, Any], solutions: Path
) -> None:
    """Whatever their order looks like."""
    exercise = load_exercise(solutions / "mean.ipynb")
    entries = ({"say": "one", **first}, {"say": "two", **second})
    check = replace(exercise.checks[0], misconceptions=entries)
    assert list(shadowed(check)) == []


def test_a_hidden_check_that_tells_what_it_expects_is_refused(
    solutions: Path, words: Change, notebook: Edit
) -> None:
    """Learners read its sentences; short values stand in any sentence."""

    def change(document: dict[str, Any]) -> None:
        outputs = cell(document, "check-mean-other")["outputs"]
        outputs[0]["text"] = ['{"four": "one and a half"}\n']

    notebook(change)
    words("need not be whole, do not round it", 'is "one and a half" here')
    (told, *_) = _problems(_tried(solutions))
    assert "a sentence of the hidden check 'check-mean-other' tells what 'four' is" in told


def test_an_answer_without_a_hidden_check_is_refused(solutions: Path, notebook: Edit) -> None:
    """What a visible check expects is there to be copied."""

    def change(document: dict[str, Any]) -> None:
        cell(document, "check-mean-other")["metadata"]["tags"].remove("hidden")

    notebook(change)
    assert any("no hidden check is about 'answer-mean'" in p for p in _problems(_tried(solutions)))


def test_one_broken_exercise_is_told_beside_the_others(solutions: Path) -> None:
    """And two that share a check's name."""
    (solutions / "broken.ipynb").write_text("{", encoding="utf-8")
    begin("other", solutions)
    path = solutions / "other.ipynb"
    path.write_text(
        path.read_text(encoding="utf-8").replace("check-other", "check-mean"), encoding="utf-8"
    )
    words = solutions / "other.yaml"
    words.write_text(
        words.read_text(encoding="utf-8").replace("check-other", "check-mean"), encoding="utf-8"
    )
    document = try_exercises(solutions, ["broken"], say=lambda text: None)
    assert "the file is not JSON" in _problems(document)[0]
    assert not document["exercises"][0]["tried"]
    with pytest.raises(GradingError, match="no exercise 'brokn'"):
        _tried(solutions, "brokn")


def test_a_folder_without_solutions_is_refused_with_the_way_to_begin(tmp_path: Path) -> None:
    """Absent or empty."""
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(GradingError, match="no solution notebooks") as caught:
            _tried(folder)
        assert "mlkit exercise new" in str(caught.value.remedy)
