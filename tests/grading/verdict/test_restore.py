"""What of a submission is used, and what is flagged."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.exercise.source import Exercise, exercise_notebook
from mlkit.grading.notebook_cells import LARGEST_BYTES, read_cells
from mlkit.grading.verdict.restore import restored, shadows, take_answers

NAME = "05-retries"
ANSWER = "answer-retry-with-backoff"
CHECK = "check-retries-waits"
Notebook = dict[str, Any]
Edit = Callable[[Notebook], None]


def _cell(notebook: Notebook, name: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def _edit_check(notebook: Notebook) -> None:
    _cell(notebook, CHECK)["source"] = "print('{}')"


def _delete_check(notebook: Notebook) -> None:
    notebook["cells"].remove(_cell(notebook, CHECK))


def _duplicate_check(notebook: Notebook) -> None:
    notebook["cells"].append(copy.deepcopy(_cell(notebook, CHECK)))


def _duplicate_answer(notebook: Notebook) -> None:
    notebook["cells"].append({**_cell(notebook, ANSWER), "source": "other = 1"})


def _skip_check(notebook: Notebook) -> None:
    _cell(notebook, CHECK)["metadata"]["tags"] = ["nbval-skip", "raises-exception"]


def _check_as_prose(notebook: Notebook) -> None:
    _cell(notebook, CHECK)["cell_type"] = "markdown"


def _add_cell(notebook: Notebook) -> None:
    notebook["cells"].insert(0, {"cell_type": "code", "id": "mine", "source": "json = None"})


def _forge_output(notebook: Notebook) -> None:
    _cell(notebook, CHECK)["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "{}"}]
    _cell(notebook, CHECK)["execution_count"] = None


def _taken(exercise: Exercise, edit: Edit, tmp_path: Path) -> Any:
    notebook = exercise_notebook(exercise)
    _cell(notebook, ANSWER)["source"] = exercise.solution[ANSWER]
    edit(notebook)
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return take_answers(read_cells(path), exercise)


@pytest.mark.parametrize(
    ("edit", "flag"),
    [
        (_edit_check, f"the cell '{CHECK}' was edited"),
        (_delete_check, f"the cell '{CHECK}' is missing"),
        (_duplicate_check, f"the cell '{CHECK}' stands there 2 times"),
        (_duplicate_answer, f"the cell '{ANSWER}' stands there 2 times"),
        (_skip_check, f"the tags of the cell '{CHECK}' were edited"),
        (_check_as_prose, f"the cell '{CHECK}' was edited"),
        (_add_cell, "1 further code cell was ignored: no answer needs it"),
    ],
)
def test_what_was_done_to_the_notebook_is_flagged_and_has_no_effect(
    edit: Edit, flag: str, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """The cells to execute are the same as those of an unedited submission."""
    exercise = exercises[NAME]
    plain = _taken(exercise, lambda notebook: None, tmp_path)
    edited = _taken(exercise, edit, tmp_path)
    assert plain.flags == ()
    assert [text for text in edited.flags if text.startswith(flag)] == list(edited.flags)
    assert edited.flags
    assert restored(exercise, edited) == restored(exercise, plain)


def _paste_answer(notebook: Notebook) -> None:
    _cell(notebook, ANSWER)["id"] = "f00dfeed"


@pytest.mark.parametrize(
    ("kind", "source", "shown"),
    [
        ("markdown", None, "Markdown"),
        ("raw", None, "a raw cell"),
        ("markdown", "```python\ndef retry_with_backoff(f):\n    return f\n```", "Markdown"),
        ("markdown", "See `retry_with_backoff` in the script.", ""),
    ],
)
@pytest.mark.parametrize("ids", ["kept", "new"])
def test_an_answer_that_is_no_code_cell_is_said_to_be_there(
    kind: str,
    source: str | None,
    shown: str,
    ids: str,
    exercises: Mapping[str, Exercise],
    tmp_path: Path,
) -> None:
    """As what, and what to do; text that only speaks of it, under another id, is none."""
    exercise = exercises[NAME]

    def edit(notebook: Notebook) -> None:
        cell = _cell(notebook, ANSWER)
        cell["source"] = exercise.solution[ANSWER] if source is None else source
        cell |= {"cell_type": kind, "metadata": {}}
        cell["id"] = ANSWER if ids == "kept" else "f00dfeed"

    if ids == "kept":
        shown = shown or "Markdown"
    (flag,) = [f for f in _taken(exercise, edit, tmp_path).flags if ANSWER in f]
    assert flag == f"the answer cell {ANSWER!r} is missing" + (
        f": it is there as {shown}; make it a code cell again" if shown else ""
    )


def test_an_answer_that_was_cut_and_pasted_is_found_by_what_it_defines(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """Jupyter gives a pasted cell another id; some programs drop all ids."""

    def drop_ids(notebook: Notebook) -> None:
        for cell in notebook["cells"]:
            del cell["id"]

    exercise = exercises[NAME]
    plain = _taken(exercise, lambda notebook: None, tmp_path)
    for edit in (_paste_answer, drop_ids):
        found = _taken(exercise, edit, tmp_path)
        assert found.answers == plain.answers
        assert f"the answer cell '{ANSWER}' has lost its id" in " ".join(found.flags)


def test_stored_outputs_are_not_looked_at(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """Everybody who runs a notebook has other outputs in it: no effect, no flag."""
    exercise = exercises[NAME]
    plain = _taken(exercise, lambda notebook: None, tmp_path)
    assert _taken(exercise, _forge_output, tmp_path) == plain


def test_an_untouched_answer_is_known_by_its_text_or_emptiness(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """The stub, also with blanks at its lines' ends, and an empty cell."""
    exercise = exercises[NAME]
    for source in (exercise.answers[ANSWER], exercise.answers[ANSWER] + "  \n", "\n"):

        def edit(notebook: Notebook, source: str = source) -> None:
            _cell(notebook, ANSWER)["source"] = source

        assert _taken(exercise, edit, tmp_path).untouched == {ANSWER}


def test_a_check_runs_apart_where_an_answer_hides_what_it_may_use(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """And in the notebook itself otherwise, or where only the stub is there."""
    exercise = exercises[NAME]
    for source, apart in ((exercise.solution[ANSWER], False), ("time = 3\nsum = 4", True)):

        def edit(notebook: Notebook, source: str = source) -> None:
            _cell(notebook, ANSWER)["source"] = source

        submission = _taken(exercise, edit, tmp_path)
        checks = [step for step in restored(exercise, submission) if step.kind == "check"]
        assert {"run_apart" in step.source for step in checks} == {apart}
        assert shadows(exercise, submission).names == (("sum", "time") if apart else ())


def test_hidden_checks_run_last_and_probes_before_every_check(
    exercises: Mapping[str, Exercise],
) -> None:
    """So a visible output cannot tell of a hidden check, nor an answer replace a probe."""
    exercise = exercises[NAME]
    steps = restored(exercise, take_answers([], exercise))
    checks = [step.spec for step in steps if step.spec is not None]
    assert [spec.hidden for spec in checks] == sorted(spec.hidden for spec in checks)
    assert steps[-1].kind == "check"
    assert all("def trial(" in step.source for step in steps if step.kind == "check")
    assert not any(step.id.startswith("feedback-") for step in steps)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not json", "not valid JSON"),
        (b'{\n<<<<<<< HEAD\n "cells": []\n', "a merge was not finished"),
        (b"[]", "not a notebook"),
        (b'{"cells": 3}', "not a notebook"),
        (b'{"cells": ' + b"[" * 200_000, "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b'<<<<<<< HEAD\r\n{"cells": []}\r\n=======\r\n', "a merge was not finished"),
        ('{"cells": ["Übung"]}'.encode("latin-1"), "not valid JSON in UTF-8"),
        (b'{"cells": [{"source": "x = ', "ends in the middle"),
        (b'{"cells": [{"source": "x"},\n', "ends in the middle"),
        (b'{"cells": [],}', "not valid JSON .line 1: "),
        (b'{"cells": []}\n}\n', "not valid JSON .line 2: "),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"%PDF-1.7\n\xe2\xe3", "a PDF"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<title>Sign in</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "git lfs pull"),
        (bytes(5000), "zeros: the upload has failed"),
        (b"import time\n\ndef f(x):\n    return x\n", "text: save it as a notebook"),
        (b" " * (LARGEST_BYTES + 1), "larger than 16 MiB"),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    """Whatever the bytes are."""
    path = tmp_path / "05-retries.ipynb"
    path.write_bytes(content)
    with pytest.raises(GradingError, match=reason):
        read_cells(path)


def test_links_and_folders_are_no_notebooks(tmp_path: Path) -> None:
    """A link could lead to the solution."""
    target = tmp_path / "target.ipynb"
    target.write_text('{"cells": []}', encoding="utf-8")
    link = tmp_path / "link.ipynb"
    link.symlink_to(target)
    for path in (link, tmp_path, tmp_path / "absent.ipynb"):
        with pytest.raises(GradingError):
            read_cells(path)


def test_odd_cells_do_no_harm(tmp_path: Path) -> None:
    """Sources, tags and ids of wrong types are read as far as they make sense."""
    cells = [
        {"cell_type": "code", "id": 7, "source": ["a", 3, "b"], "metadata": {"tags": 5}},
        {"source": None, "metadata": []},
        "no cell",
        {"id": "x", "source": "\ud800", "metadata": {"tags": ["a", 1]}},
    ]
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    read = read_cells(path)
    assert [cell["source"] for cell in read] == ["ab", "", "?"]
    assert [cell["tags"] for cell in read] == [[], [], ["a"]]
