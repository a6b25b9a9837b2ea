"""The lessons keep one frame, and each runs from top to bottom in a fresh kernel.

They run where the site is made (`make test-site`), and here one by one: `pytest -m slow -k 06-`.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.conftest import NOTEBOOKS
from tests.notebooks.lessons import LESSONS, Lesson, items
from tests.notebooks.questions import Question, questions_of, wrong_answers

MAX_CODE_LINES = 20
USUAL_CODE_LINES = 8  # a question holds its check, too
FEW_CELLS, MANY_CELLS = 20, 70  # a question takes three or four
DEADLINE_S = 240

NEED_ENGINES = (12, 13, 14, 15)
every_lesson = pytest.mark.parametrize(
    "lesson", [Lesson(file) for file in LESSONS], ids=lambda lesson: lesson.file.stem
)


def test_there_are_eighteen_lessons() -> None:
    """Numbered from 1 on, none left out."""
    assert [Lesson(file).number for file in LESSONS] == list(range(1, 19))


@every_lesson
def test_a_lesson_is_valid_clean_and_quiet(lesson: Lesson) -> None:
    """Nbformat 4.5, unique speaking cell ids, the stock kernel, and no outputs."""
    nbformat.validate(lesson.content)
    assert (lesson.content["nbformat"], lesson.content["nbformat_minor"]) == (4, 5)
    assert lesson.content["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in lesson.cells]
    assert len(set(ids)) == len(ids)
    assert [i for i in ids if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", i)] == []
    code = [cell for cell in lesson.cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@every_lesson
def test_a_lesson_opens_with_its_frame(lesson: Lesson) -> None:
    """One title that names the number, then objectives, what is needed, and minutes."""
    titles = [text for level, text in lesson.headings if level == 1]
    assert len(titles) == 1
    assert titles[0].startswith(f"Lesson {lesson.number}: ")
    first = lesson.sources("markdown")[0]
    assert first.startswith("# ")
    assert 3 <= len(lesson.objectives) <= 5
    assert "**You need**" in first
    assert re.search(r"\*\*Time:\*\* about \d+ minutes", first)


@every_lesson
def test_headings_skip_no_level(lesson: Lesson) -> None:
    """A heading is at most one level below the one before."""
    levels = [level for level, _ in lesson.headings]
    assert [b for a, b in itertools.pairwise(levels) if b > a + 1] == []


@every_lesson
def test_a_lesson_has_its_sections_in_order(lesson: Lesson) -> None:
    """What common material gets wrong, a self-check, a recap, the exercise."""
    wanted = ["Common material gets this wrong", "Check yourself", "Recap", "Exercise"]
    sections = [text for level, text in lesson.headings if level == 2]
    assert [text for text in sections if text in wanted] == wanted
    assert sections[-3:] == wanted[-3:]


@every_lesson
def test_a_lesson_asks_for_predictions(lesson: Lesson) -> None:
    """At least three times, before the answer is seen."""
    assert len(re.findall(r"\*\*Predict", lesson.prose)) >= 3


@every_lesson
def test_the_recap_answers_the_objectives_one_by_one(lesson: Lesson) -> None:
    """As many items as there are objectives."""
    assert len(items(lesson.section("Recap"))) == len(lesson.objectives)


@every_lesson
def test_a_lesson_leads_to_its_exercise_and_on(lesson: Lesson) -> None:
    """The links of the last section name files that are there."""
    section = lesson.section("Exercise")
    links = re.findall(r"\]\(([^)#\s]+)\)", section)
    assert any(link.startswith("../../exercises/") for link in links)
    following = [link for link in links if re.fullmatch(r"\d\d-[a-z-]+\.ipynb", link)]
    assert [link[:2] for link in following] == (
        [f"{lesson.number + 1:02d}"] if lesson.number < 18 else []
    )


@every_lesson
def test_every_link_of_a_lesson_leads_somewhere(lesson: Lesson) -> None:
    """Relative links name files of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", lesson.prose)
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (lesson.file.parent / link).exists()] == []


@every_lesson
def test_cells_are_small(lesson: Lesson) -> None:
    """20 to 70 cells; code of a few lines; prose of some 60 words."""
    assert FEW_CELLS <= len(lesson.cells) <= MANY_CELLS
    files = [source for source in lesson.sources("code") if source.startswith("%%writefile ")]
    lines = [len(source.splitlines()) for source in lesson.sources("code") if source not in files]
    assert max(lines) <= MAX_CODE_LINES
    assert max((len(source.splitlines()) - 1 for source in files), default=0) <= MAX_CODE_LINES
    assert median(lines) <= USUAL_CODE_LINES


@every_lesson
def test_parameters_are_literals_with_annotations(lesson: Lesson) -> None:
    """One cell tagged `parameters`, before any other code."""
    code = [cell for cell in lesson.cells if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == code[:1]
    for statement in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(statement, ast.AnnAssign | ast.Assign), ast.unparse(statement)
        assert statement.value is not None
        ast.literal_eval(statement.value)


@every_lesson
def test_no_star_import_and_no_run_magic(lesson: Lesson) -> None:
    """Names come from where they are said to come from."""
    code = "\n".join(lesson.sources("code"))
    assert not re.search(r"^\s*(from \S+ import \*|%run\b)", code, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the lessons read, without anybody's runs."""
    root = tmp_path_factory.mktemp("kit")
    clean = shutil.ignore_patterns("runs", "scratch", ".ipynb_checkpoints", "__pycache__")
    for name in ("notebooks", "exercises", "solutions"):
        shutil.copytree(NOTEBOOKS.parent / name, root / name, ignore=clean)
    return root


every_lesson_where_it_can_run = pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(lesson, marks=[pytest.mark.engine] if lesson.number in NEED_ENGINES else [])
        for lesson in map(Lesson, LESSONS)
    ],
    ids=lambda lesson: lesson.file.stem,
)


@pytest.mark.kernel
@pytest.mark.slow
@every_lesson_where_it_can_run
def test_a_lesson_runs_and_judges_answers(
    lesson: Lesson, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a fresh kernel every cell without an error, and every question unanswered.

    Then in that kernel: the model answer is right, answers changed at random and recorded slips
    are not, and slips read their sentence.
    """
    _runs(lesson, kit, monkeypatch)


@pytest.mark.kernel
@pytest.mark.slow
def test_lesson_12_runs_without_airflow(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what Airflow would have shown, and judges answers all the same."""
    monkeypatch.setenv("MLKIT_AIRFLOW_PYTHON", "/not/there")
    _runs(Lesson(LESSONS[11]), kit, monkeypatch)


def _runs(lesson: Lesson, kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLKIT_RUNS")]:
        monkeypatch.delenv(name)
    folder = kit / "notebooks" / "lessons"
    notebook = nbformat.read(folder / lesson.file.name, as_version=4)  # type: ignore[no-untyped-call] # untyped
    client = NotebookClient(
        notebook,
        timeout=DEADLINE_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        ran = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
        assert ran == sorted(ran)
        assert None not in ran
        problems = [p for q in questions_of(lesson) for p in _judged_wrongly(client, q)]
    assert problems == [], "\n".join(problems)


def _judged_wrongly(client: NotebookClient, question: Question) -> Iterator[str]:
    """What an answer should have read and has not."""
    tried = [
        ("· not answered yet", question.given),
        ("✓ right", question.model),
        *(("✗ not yet", part) for part in wrong_answers(question)),
        *((slip["says"], slip["answer"]) for slip in question.slips),
    ]
    for wanted, part in tried:
        cell = nbformat.v4.new_code_cell(question.answered(part))  # type: ignore[no-untyped-call] # untyped
        client.nb.cells.append(cell)
        client.execute_cell(cell, len(client.nb.cells) - 1)
        told = "".join(out["data"]["text/plain"] for out in cell.outputs if "data" in out)
        if wanted not in told or ("✓" in told) != wanted.startswith("✓"):
            yield f"{question.name}: {part!r} reads {told!r}, and not {wanted!r}"
