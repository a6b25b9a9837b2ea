"""Exercises are made from solutions, and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.exercise.generate import drifted, main, with_reference_outputs
from mlkit.grading.exercise.source import (
    Exercise,
    exercise_notebook,
    load_exercise,
    notebook_text,
    read_exercise,
    stub_of,
)
from mlkit.grading.submissions import load_exercises

ROOT = Path(__file__).resolve().parents[3]
ANSWER = '''def f(x: int) -> int:
    """Say."""
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION'''
MENDED = """### BEGIN SOLUTION
a = 2
### END SOLUTION
### BEGIN STUB
# a = 1
# if a:
#     a
### END STUB
b = 1"""


def _write(path: Path, **changes: Any) -> Path:
    """A small solution, with some cells changed or, as None, left out."""
    check = {"answers": ["answer-f"], "points": 1, "otherwise": "no"}
    cells: dict[str, Any] = {
        "title": {"cell_type": "markdown", "source": "# A title"},
        "answer-f": {"source": ANSWER},
        "check-f": {"source": "print(1)", "metadata": {"mlkit": check}},
        "check-g": {"source": "hidden", "metadata": {"mlkit": check, "tags": ["hidden"]}},
    }
    cells |= changes
    empty: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = {
        "cells": [{**empty, "id": name, **c} for name, c in cells.items() if c is not None],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_no_exercise_has_drifted_from_its_solution() -> None:
    """`make exercises` would change nothing."""
    assert drifted(ROOT / "solutions", ROOT / "exercises") == []


def test_a_solution_region_becomes_a_stub_with_signature_and_docstring() -> None:
    """At the region's indentation."""
    stub = 'def f(x: int) -> int:\n    """Say."""\n    raise NotImplementedError'
    assert stub_of(ANSWER) == stub


def test_a_stub_may_be_code_to_be_mended() -> None:
    """It stands in the solution as comments."""
    assert stub_of(MENDED) == "a = 1\nif a:\n    a\nb = 1"


def test_blank_lines_of_a_docstring_stay_and_those_of_a_formatter_go() -> None:
    """A numpy docstring keeps its form; a stub begins where its author began it."""
    docstring = 'def f(x):\n    """Say.\n\n    Parameters\n    """'
    answer = (
        f"import os\n\n\n{docstring}\n    ### BEGIN SOLUTION\n\n    return x\n    ### END SOLUTION"
    )
    assert stub_of(answer) == f"import os\n\n\n{docstring}\n    raise NotImplementedError"
    stub = '### BEGIN STUB\n    # return """\n\n\n# a: 1\n#\n# b: 2\n# """\n### END STUB'
    assert stub_of(f"def f():\n{stub}") == 'def f():\n    return """\na: 1\n\nb: 2\n"""'


def test_the_model_answer_has_no_marks_and_no_stub(tmp_path: Path) -> None:
    """It is what one would write."""
    exercise = load_exercise(_write(tmp_path / "x.ipynb", **{"answer-f": {"source": MENDED}}))
    assert exercise.solution == {"answer-f": "a = 2\nb = 1"}


def test_a_learner_gets_no_hidden_check_and_no_solution(exercises: Mapping[str, Exercise]) -> None:
    """Nor an output anywhere but at a check."""
    for exercise in exercises.values():
        notebook = exercise_notebook(exercise)
        text = notebook_text(notebook)
        assert "SOLUTION" not in text
        assert not [check.id for check in exercise.checks if check.hidden and check.id in text]
        printed = {cell["id"] for cell in notebook["cells"] if cell.get("outputs")}
        assert printed == {check.id for check in exercise.checks if not check.hidden}


def test_what_only_a_check_needs_is_folded_away(exercises: Mapping[str, Exercise]) -> None:
    """In JupyterLab and on the site; the answers, and what leads to them, are not."""
    for exercise in exercises.values():
        for cell in exercise_notebook(exercise)["cells"]:
            folded = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
            assert folded == cell["id"].startswith("probe-")
            assert folded == ("hide-input" in cell["metadata"].get("tags", []))


def test_an_exercise_keeps_what_a_check_should_print_beside_its_output(
    exercises: Mapping[str, Exercise],
) -> None:
    """A learner who runs the notebook overwrites the output."""
    for exercise in exercises.values():
        cells = {cell["id"]: cell for cell in exercise_notebook(exercise)["cells"]}
        for check in exercise.checks:
            if not check.hidden:
                assert cells[check.id]["metadata"]["mlkit"]["expected"] == check.expected


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"answer-f": None}, "no cell has an id that starts with 'answer-'"),
        ({"answer-f": {"source": "def f(): return 1"}}, "'answer-f' has no region"),
        (
            {"answer-f": {"source": ANSWER.replace("### BEGIN SOLUTION", "### BEGIN")}},
            "'answer-f' has '### END SOLUTION' with no '### BEGIN SOLUTION' before it",
        ),
        ({"model": {"source": ANSWER}}, "'model' is no answer, and has '### BEGIN SOLUTION'"),
        (
            {"model": {"cell_type": "markdown", "source": "Why?\n\n### END SOLUTION"}},
            "'model' is no answer, and has '### END SOLUTION'",
        ),
        (
            {"check-f": {"metadata": {"mlkit": {"answers": ["answer-x"], "otherwise": "no"}}}},
            "names the answer 'answer-x'",
        ),
        ({"check-f": {"metadata": {"mlkit": {"otherwise": "no"}}}}, "names no answer"),
        (
            {"check-f": {"metadata": {"mlkit": {"answers": ["answer-f"]}}}},
            "no sentence 'otherwise'",
        ),
        *(
            (
                {
                    "check-f": {
                        "metadata": {
                            "mlkit": {
                                "answers": ["answer-f"],
                                "otherwise": "no",
                                "points": points,
                            }
                        }
                    }
                },
                f"'check-f' is worth {points!r} points",
            )
            for points in (-1, float("nan"), float("inf"), True, "2")
        ),
        ({"more": {"id": "answer-f", "source": ANSWER}}, "two cells have the id 'answer-f'"),
        (
            {"more": {"id": "feedback-g", "source": "mlkit.check('check-g')"}},
            r"mlkit.check\('check-g'\) asks for a check that learners do not have",
        ),
    ],
)
def test_a_broken_solution_is_refused_with_the_cell_that_breaks_it(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    """And with the file."""
    path = _write(tmp_path / "x.ipynb", **changes)
    with pytest.raises(GradingError, match=fault) as caught:
        load_exercise(path)
    assert caught.value.file == str(path)


def test_a_check_without_any_words_is_about_the_answer_above_it(tmp_path: Path) -> None:
    """So an author who has written none yet reads what is missing: a sentence, and no answer."""
    path = _write(tmp_path / "x.ipynb", **{"check-f": {"metadata": {}}})
    exercise, faults = read_exercise(path)
    assert exercise.checks[0].answers == ("answer-f",)
    assert [f.message for f in faults] == ["the check 'check-f' has no sentence 'otherwise'"]


def test_drift_ends_with_1_and_a_broken_folder_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit codes of every command."""
    folders = ["--solutions", str(tmp_path), "--exercises", str(tmp_path / "exercises"), "--check"]
    assert main(folders) == 0
    _write(tmp_path / "x.ipynb")
    assert main(folders) == 1
    assert "run make exercises" in capsys.readouterr().err
    (tmp_path / "y.ipynb").write_text("no json", encoding="utf-8")
    assert main(folders) == 2


@pytest.mark.kernel
def test_generating_runs_the_solution_and_stores_what_its_checks_print(tmp_path: Path) -> None:
    """And an exercise made from it does not drift."""
    source = "print('{\"f\": ' + str(f(3)) + '}')"
    check = {"answers": ["answer-f"], "points": 1, "otherwise": "no"}
    path = _write(
        tmp_path / "x.ipynb",
        **{"check-f": {"source": source, "metadata": {"mlkit": check}}, "check-g": None},
    )
    folders = ["--solutions", str(tmp_path), "--exercises", str(tmp_path / "exercises")]
    assert main(folders) == 0
    assert load_exercise(path).checks[0].expected == {"f": 3}
    assert main([*folders, "--check"]) == 0


@pytest.mark.kernel
def test_what_arrives_in_pieces_is_one_reference_output(tmp_path: Path) -> None:
    """However the kernel happens to deliver what a check prints."""
    pieces = (
        "import time\n"
        "for n in range(3):\n    print(n, end=' ', flush=True)\n    time.sleep(0.3)\nprint()"
    )
    path = _write(tmp_path / "x.ipynb", **{"check-g": {"source": pieces}})
    checks = {cell["id"]: cell for cell in with_reference_outputs(path)["cells"]}
    outputs = checks["check-g"]["outputs"]
    assert [(o["name"], "".join(o["text"])) for o in outputs] == [("stdout", "0 1 2 \n")]


def test_two_misconceptions_with_equal_conditions_are_a_fault(tmp_path: Path) -> None:
    """The second one could never be read; so is a condition that nobody knows."""

    def write(*entries: dict[str, Any]) -> Path:
        about = {"answers": ["answer-f"], "points": 1, "otherwise": "no"}
        metadata = {"mlkit": {**about, "misconceptions": list(entries)}}
        check = {"source": "print(1)", "metadata": metadata}
        return _write(tmp_path / "x.ipynb", **{"check-f": check})

    one, other = {"when": {"a": 1}, "say": "one"}, {"say": "other", "when": {"a": 1}, "wrong": []}
    with pytest.raises(GradingError, match="equal conditions: 'one' and 'other'"):
        load_exercise(write(one, other))
    with pytest.raises(GradingError, match="unknown key 'wen'"):
        load_exercise(write({"wen": {"a": 1}, "say": "one"}))
    with pytest.raises(GradingError, match="names a kind 'lst'"):
        load_exercise(write({"kinds": {"a": "lst"}, "say": "one"}))
    load_exercise(write(one, {**other, "wrong": ["b"]}))


def test_a_misconception_has_one_sentence_and_a_witness_all_that_it_needs(tmp_path: Path) -> None:
    """What is asked wants to be told where."""

    def write(*, hidden: bool = True, **more: Any) -> Path:
        about = {"answers": ["answer-f"], "points": 1, "otherwise": "no", **more}
        tags = ["hidden"] if hidden else []
        check = {"source": "print(1)", "metadata": {"mlkit": about, "tags": tags}}
        return _write(tmp_path / "x.ipynb", **{"check-f": check})

    for entry in (
        {"when": {"a": 1}},
        {"when": {"a": 1}, "asks": "so"},
        {"wrong": ["a"], "asks": "so", "say": "this"},
    ):
        with pytest.raises(GradingError, match="without its one sentence"):
            load_exercise(write(misconceptions=[entry]))
    load_exercise(write(misconceptions=[{"wrong": ["a"], "asks": "so"}]))
    witness = {"files": {"a": ""}, "replaced": "a", "table": [], "asks": "so"}
    load_exercise(write(witness=witness))
    with pytest.raises(GradingError, match="belongs to a hidden check"):
        load_exercise(write(witness=witness, hidden=False))
    with pytest.raises(GradingError, match="has asks, files, replaced, table"):
        load_exercise(write(witness={"files": {}}))


def test_an_exercise_without_reference_outputs_grades_nobody(tmp_path: Path) -> None:
    """Everybody would get 0 for it."""
    _write(tmp_path / "x.ipynb")
    with pytest.raises(GradingError, match="'check-f' has no reference output") as caught:
        load_exercises(tmp_path)
    assert "mlkit exercise check x --update" in str(caught.value.remedy)


def test_a_name_that_no_solution_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the nearest one."""
    _write(tmp_path / "01-median.ipynb")
    folders = ["--solutions", str(tmp_path), "--exercises", str(tmp_path / "out")]
    assert main([*folders, "01-medan"]) == 2
    assert "Did you mean '01-median'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
