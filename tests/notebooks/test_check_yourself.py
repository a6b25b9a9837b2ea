"""What lessons ask: every answer begins empty, and the lesson folds its model answer away.

That wrong answers are rejected and right ones accepted is tried in each lesson's own kernel, by
`test_a_lesson_runs_and_judges_answers`.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlkit.rendering.page_execution import Execution, execute_pages
from mlkit.rendering.site_pages import find_pages
from tests.notebooks.lessons import LESSONS, Lesson
from tests.notebooks.questions import CALL, Question, questions_of, wrong_answers

ROOT = Path(__file__).parents[2]
EVERY = [*map(Lesson, LESSONS)]
every_lesson = pytest.mark.parametrize("lesson", EVERY, ids=lambda lesson: lesson.file.stem)
every_question = pytest.mark.parametrize(
    "question",
    [
        pytest.param(question, id=f"{lesson.number:02d}-{question.name}")
        for lesson in EVERY
        for question in questions_of(lesson)
    ],
)


@every_lesson
def test_a_lesson_asks_twice_and_checks_at_its_end(lesson: Lesson) -> None:
    """At least two cells to fill, one of them under the heading that says so."""
    questions = questions_of(lesson)
    assert len(questions) >= 2
    assert any(question.section == "Check yourself" for question in questions)


@pytest.mark.parametrize(
    "lesson",
    [lesson for lesson in EVERY if lesson.number > 1],
    ids=lambda lesson: lesson.file.stem,
)
def test_a_lesson_comes_back_to_an_earlier_one(lesson: Lesson) -> None:
    """By a folded question that names it, or by a cell to fill."""
    named = re.findall(r"<summary>From lesson (\d+): ", lesson.prose)
    assert [number for number in map(int, named) if number < lesson.number] == [*map(int, named)]
    assert named or any(question.name == "earlier" for question in questions_of(lesson))


@every_lesson
def test_a_lesson_praises_nobody_by_itself(lesson: Lesson) -> None:
    """Only `check_yourself` says that an answer is right."""
    checks = "".join(lesson.prose.partition("\n## Check yourself")[2])
    assert checks
    code = [s for s in lesson.sources("code") if CALL in s or re.search(r"\bmine\b|\banswer\b", s)]
    assert [source for source in code if "✓" in source] == []


@every_question
def test_a_question_begins_empty_and_has_a_model_answer(question: Question) -> None:
    """A `...` in the learner's part, none in the model's; the check looks at a name of both."""
    assert _gaps(question.given) or "..." in question.given
    assert question.model, "no folded model answer"
    assert not _gaps(question.model)
    assert "..." not in question.model
    (statement,) = ast.parse(question.call).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    first = statement.value.args[0]
    looked_at = {node.id for node in ast.walk(first) if isinstance(node, ast.Name)}
    assert looked_at & _assigned(question.given) & _assigned(question.model)


@every_question
def test_a_question_is_tried_on_wrong_answers(question: Question) -> None:
    """Made from the model answer, or recorded with the sentence that they must read."""
    assert question.slips or list(wrong_answers(question))
    for slip in question.slips:
        assert set(slip) == {"answer", "says"}
        assert slip["says"]
        assert not _gaps(slip["answer"])


def _gaps(source: str) -> int:
    tree = ast.parse(source)
    return sum(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(tree))


def _assigned(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return names


@pytest.fixture(scope="module")
def executed() -> dict[int, list[dict[str, Any]]]:
    """The cells of each lesson's page on the site; what is not there is executed."""
    known = find_pages(ROOT)
    pages = [known[f"notebooks/lessons/{lesson.file.stem}"] for lesson in EVERY]
    done = execute_pages(pages, Execution(root=ROOT, cache=ROOT / ".rendered"), print)
    return {int(page.path.stem[:2]): done[page.name]["cells"] for page in pages}


@pytest.mark.site
@pytest.mark.kernel
def test_an_untouched_lesson_says_that_nothing_is_answered_yet(
    executed: dict[int, list[dict[str, Any]]],
) -> None:
    """Beside every question, on the pages of the site."""
    told = {
        (number, cell["id"]): _told(cell)
        for number, cells in executed.items()
        for cell in cells
        if cell["id"].startswith("yours-")
    }
    asked = [(lesson.number, q) for lesson in EVERY for q in questions_of(lesson)]
    assert set(told) == {(number, f"yours-{question.name}") for number, question in asked}
    assert {
        text for text in told.values() if "· not answered yet" not in text or "✓" in text
    } == set()


@pytest.mark.site
@pytest.mark.kernel
def test_every_prediction_meets_its_answer(executed: dict[int, list[dict[str, Any]]]) -> None:
    """Before the prose goes on, a cell shows something, or a question has its model answer."""
    asked = [
        (number, cell["id"], answers)
        for number, cells in executed.items()
        for cell, answers in predictions(cells)
    ]
    assert len(asked) > 100
    assert [(number, name) for number, name, answers in asked if not answers] == []


def test_a_prediction_without_an_answer_is_found() -> None:
    """One before silent code, one at the end; a question counts, if its model answer follows."""
    silent: dict[str, Any] = {"cell_type": "code", "id": "set", "source": "", "outputs": []}
    loud = {**silent, "id": "shown", "outputs": [{"output_type": "stream", "text": "1"}]}
    yours = {**silent, "id": "yours-x", "outputs": [{"output_type": "execute_result"}]}
    model = {"cell_type": "markdown", "id": "model-x", "source": "<details>"}
    asks: dict[str, Any] = {
        "cell_type": "markdown",
        "id": "asks",
        "source": ["**Predict:** how many?"],
    }
    prose = {"cell_type": "markdown", "id": "prose", "source": "So it is."}
    stories: list[tuple[list[dict[str, Any]], list[bool]]] = [
        ([asks, silent, loud, prose], [True]),
        ([asks, silent, prose, loud], [False]),
        ([asks, silent, yours, model], [True]),
        ([asks, yours, prose], [False]),
        ([asks], [False]),
        ([asks, asks, loud], [False, True]),
    ]
    for cells, answered in stories:
        assert [answers for _, answers in predictions(cells)] == answered


def predictions(cells: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each cell that asks for a prediction, and whether what comes next answers it."""
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "markdown" and "**Predict" in "".join(cell["source"]):
            code = list(
                itertools.takewhile(lambda c: c["cell_type"] == "code", cells[number + 1 :])
            )
            after = {c["id"] for c in cells[number + len(code) + 1 :][:1]}
            asks = {c["id"].replace("yours-", "model-") for c in code if "yours-" in c["id"]}
            shows = any(c["outputs"] and "yours-" not in c["id"] for c in code)
            yield cell, shows or bool(asks & after)


def _told(cell: dict[str, Any]) -> str:
    return "".join("".join(out.get("data", {}).get("text/plain", "")) for out in cell["outputs"])
