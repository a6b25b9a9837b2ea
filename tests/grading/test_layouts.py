"""Right answers stay right, however the notebook that holds them is laid out or was saved."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.sandbox.limits import Limits
from tests.grading.recorded import NAMES, read_by_learners

Notebook = dict[str, Any]
Layout = Callable[[Notebook, Mapping[str, str]], None]


def _places(notebook: Notebook) -> list[int]:
    """Where the answer cells stand, the last one first."""
    cells = enumerate(notebook["cells"])
    return [n for n, cell in cells if cell.get("id", "").startswith("answer-")][::-1]


def _code(source: str, **more: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        **more,
    }


def below_the_stub(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """The stub is left as it is, and the answer stands in a new cell below."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        notebook["cells"].insert(place + 1, _code(cell["source"], id=f"mine{place}"))
        cell["source"] = stubs[cell["id"]]


def id_twice(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """The stub and the answer, copied, have one id."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        notebook["cells"].insert(place + 1, copy.deepcopy(cell))
        cell["source"] = stubs[cell["id"]]


def split(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """The answer cell holds the imports and constants, a new one the function."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        notebook["cells"].insert(place + 1, _code(cell["source"], id=f"second{place}"))
        cell["source"] = "import functools\nLIMIT = 10"


def helper_above(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """The work is done by a function in a cell of its own."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        name = cell["id"].removeprefix("answer-").replace("-", "_")
        source = re.sub(rf"\b{name}\b", f"{name}_at_work", cell["source"])
        cell["source"] = f"{name} = {name}_at_work"
        notebook["cells"].insert(place, _code(source))


def helper_at_the_end(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """The helper was written last, at the bottom."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        name = cell["id"].removeprefix("answer-").replace("-", "_")
        source = re.sub(rf"\b{name}\b", f"{name}_at_work", cell["source"])
        cell["source"] = f"def {name}(*given, **named):\n    return {name}_at_work(*given, **named)"
        notebook["cells"].append(_code(source))


def saved_by_colab(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """Ids are gone, metadata are Colab's own, sources are lists of lines."""
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}
    for cell in notebook["cells"]:
        del cell["id"]
        cell["metadata"] = {"id": "xYz12", "colab": {"base_uri": "https://example.org"}}
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


def saved_by_jupyterlab_3(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """Format 4.4 has no ids; metadata stay."""
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        del cell["id"]


def saved_by_vs_code(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """New ids, and another name for the kernel."""
    notebook["metadata"] = {"kernelspec": {"name": "ml-env", "display_name": "Python (ml-env)"}}
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"] = {"vscode": {"languageId": "python"}}


def noisy(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """Prints, a picture, a trial that fails, magics, and scratch cells around."""
    for place in _places(notebook):
        cell = notebook["cells"][place]
        cell["source"] = (
            f"%matplotlib inline\nimport matplotlib.pyplot as plt\n{cell['source']}\n"
            "plt.plot([1, 2])\nplt.show()\nprint('x' * 1_300_000)\n1 / 0"
        )
        notebook["cells"].insert(place, _code("!ls\nsum(range(10))", id=f"scratch{place}"))
    notebook["cells"].append(_code("while True: pass", id="endless"))


def imports_in_the_given_cell(notebook: Notebook, stubs: Mapping[str, str]) -> None:
    """People write their imports where the others stand."""
    given = next(cell for cell in notebook["cells"] if cell["id"] == "setup")
    given["source"] = "".join(given["source"]) + "\nimport functools as made_of_functions"
    for place in _places(notebook):
        cell = notebook["cells"][place]
        cell["source"] = f"{cell['source']}\n\nmade_of_functions.partial(print)"


LAYOUTS: tuple[Layout, ...] = (
    below_the_stub,
    id_twice,
    split,
    helper_above,
    helper_at_the_end,
    saved_by_colab,
    saved_by_jupyterlab_3,
    saved_by_vs_code,
    noisy,
    imports_in_the_given_cell,
)

NAMELESS = ("saved_by_colab", "saved_by_vs_code")
"""Where neither ids nor mlkit's own metadata are left."""


@pytest.mark.kernel
@pytest.mark.parametrize(
    "name",
    [
        "05-retries",
        *(
            pytest.param(name, marks=pytest.mark.answers if i % 3 == 1 else pytest.mark.slow)
            for i, name in enumerate(NAMES)
            if name != "05-retries"
        ),
    ],
)
def test_a_right_answer_has_full_marks_in_every_layout(
    name: str,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Callable[..., dict[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """Under another file name, too."""
    exercise = exercises[name]
    for layout in LAYOUTS:
        path = submit(
            tmp_path / layout.__name__,
            name,
            exercise.solution,
            lambda notebook, layout=layout: layout(notebook, exercise.answers),
        )
        path.rename(path.with_name(f"Copy of {name} (1).ipynb"))
    grades = grade(tmp_path, limits=Limits(cell_s=30, total_s=200))
    lost = {
        student: (g["exercise"], g["flags"], [c for c in g["checks"] if c["status"] != "passed"])
        for student, g in grades.items()
        if g["score"] != exercise.max_points
    }
    assert lost == {}
    assert len(grades) == len(LAYOUTS)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.answers if i % 9 == 2 else pytest.mark.slow)
        for i, n in enumerate(NAMES)
    ],
)
def test_the_learner_reads_in_every_layout_what_is_graded(
    name: str,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """Passed; and where the checks themselves have lost their names, that they are not found."""
    exercise = exercises[name]
    notebooks = {
        layout.__name__: submit(
            tmp_path / layout.__name__,
            name,
            exercise.solution,
            lambda notebook, layout=layout: layout(notebook, exercise.answers),
        )
        for layout in LAYOUTS
    }
    wrong = {
        layout: read
        for layout, readings in read_by_learners(notebooks, again=True).items()
        for read in readings.values()
        if read["status"] != ("unknown" if layout in NAMELESS else "passed")
        or "as it is saved" in read["more"]
        or "which no cell of the saved notebook defines" in read["more"]
    }
    assert wrong == {}


@pytest.mark.kernel
def test_a_file_is_told_by_what_it_defines_and_not_by_its_name(
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Callable[..., dict[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """An answer to one exercise under the name of another; an own notebook with the function."""
    retries, dags = exercises["05-retries"], exercises["01-dags"]
    path = submit(tmp_path / "ann", "05-retries", retries.solution)
    path.rename(path.with_name("01-dags.ipynb"))
    own = {"cells": [_code(text) for text in dags.solution.values()], "nbformat": 4}
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "homework.ipynb").write_text(json.dumps(own), encoding="utf-8")
    found = {s: (g["exercise"], g["score"]) for s, g in grade(tmp_path).items()}
    assert found == {
        "ann": ("05-retries", retries.max_points),
        "bob": ("01-dags", dags.max_points),
    }


@pytest.fixture
def learn(
    submit: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Any
) -> Callable[..., str]:
    """Run a notebook's cells from top to bottom, and give what `mlkit.check` says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    def ask(
        exercise: Exercise,
        check: str,
        layout: Layout | None = None,
        more: tuple[str, ...] = (),
        **answers: str,
    ) -> str:
        def edit(notebook: Notebook) -> None:
            if layout is not None:
                layout(notebook, exercise.answers)

        path = submit(tmp_path, exercise.name, {**exercise.solution, **answers}, edit)
        shell.reset(new_session=True)
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        roles = ("mlkit.check(", "print(as_facts(", "while True")
        for cell in cells:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and not any(role in source for role in roles):
                shell.run_cell(source, store_history=True)
        for source in more:
            shell.run_cell(source, store_history=True)
        return repr(mlkit.check(check))

    return ask


@pytest.mark.parametrize(
    "layout",
    [below_the_stub, id_twice, split, helper_above, helper_at_the_end, saved_by_jupyterlab_3],
)
def test_the_learner_is_told_what_the_grader_finds(
    layout: Layout, learn: Callable[..., str], exercises: Mapping[str, Exercise]
) -> None:
    """Passed in both; that an answer is not in the answer cell is no loss, and is said."""
    text = learn(exercises["01-dags"], "check-topological-order", layout)
    assert text.startswith("✓ passed")
    assert "as it is saved" not in text
    outside = layout in (below_the_stub, id_twice)
    assert ("Your answer is not in the answer cell: the grader takes it from" in text) == outside


def test_what_the_grader_will_not_find_is_told_first(
    learn: Callable[..., str], exercises: Mapping[str, Exercise]
) -> None:
    """An answer, or a helper, that no cell of the saved notebook holds any more."""
    exercise, name = exercises["01-dags"], "answer-topological-order"
    model = exercise.solution[name]
    text = learn(exercise, "check-topological-order", more=(model,), **{name: ""})
    assert "your answer is not in the answer cell, nor in another one" in text
    helped = "def topological_order(graph):\n    return helper(graph)"
    text = learn(
        exercise,
        "check-topological-order",
        more=(model.replace("def topological_order", "def helper"),),
        **{name: helped},
    )
    assert text.startswith("✓ passed")
    assert "Your answer needs 'helper', which no cell of the saved notebook defines" in text
