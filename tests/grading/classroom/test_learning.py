"""Learning from a class: how many, how hard, how telling, what is alike, what a regrade changed."""

from __future__ import annotations

import ast
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.grading.classroom.alike import alike, answers_in, excerpt_of, shape_of
from mlkit.grading.classroom.gradebook import read_gradebook
from mlkit.grading.classroom.item_analysis import correlation, upper_end
from mlkit.grading.classroom.learning import learn_from, learning_text
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.results import Results
from mlkit.grading.verdict.verdict import CheckVerdict, Verdict
from mlkit.inside.checks.check_facts import PERHAPS, sentence_of
from mlkit.reports.class_page import finding, render_class_page

Lay = Callable[..., Path]
Notebook = Callable[..., bytes]
R, S = "05-retries", "16-schedules"
SOLUTIONS = Path(__file__).resolve().parents[3] / "solutions"
FIRST = """
def retry_with_backoff(retries, delay, sleep):
    '''Call again and again.'''
    def wrapped(function):
        for attempt in range(retries):  # one after the other
            sleep(delay * 2 ** attempt)
            function(attempt, retries=retries)
    return wrapped
"""
DISGUISED = """
def other_name(tries: int, pause: float, nap) -> object:
    def inner(f):

        for n in range(tries):
            nap(pause * 2 ** n)
            f(n, retries=tries)
    return inner
"""


def _verdict(path: Path, exercise: Exercise, passed: Sequence[bool], say: str = "") -> Verdict:
    checks = tuple(
        CheckVerdict(
            id=spec.id,
            title=spec.title,
            hidden=spec.hidden,
            points=spec.points if good else 0,
            max=spec.points,
            status="passed" if good else "failed",
            message="" if good else say or spec.otherwise,
        )
        for spec, good in zip(exercise.checks, passed, strict=True)
    )
    return Verdict(
        path=str(path),
        exercise=exercise.name,
        student=path.parent.name,
        status="graded",
        score=sum(check.points for check in checks),
        max=exercise.max_points,
        checks=checks,
    )


def _learned(tmp_path: Path, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    results = Results(tmp_path / "grades")
    results.prepare()
    results.write("limited", SOLUTIONS, verdicts)
    return learn_from(read_gradebook(tmp_path / "grades"))


def test_checks_tell_how_many_and_what_was_said(
    tmp_path: Path, exercises: Mapping[str, Exercise]
) -> None:
    """A misconception that nobody has stands there as well; exceptions lose what is one's own."""
    exercise = exercises[R]
    number, spec = next((n, c) for n, c in enumerate(exercise.checks) if c.misconceptions)
    says = [sentence_of(entry) for entry in spec.misconceptions]
    own = "The cell 'answer-x' does not run: ValueError: secret of mine"
    verdicts = []
    other = f"{spec.otherwise} A list came."
    told = [says[0], f"{says[0]} A list came.", own, other, f"{other} {PERHAPS} {says[0]}", ""]
    for student, say in enumerate(told):
        passed = [bool(not say) or n != number for n in range(len(exercise.checks))]
        verdicts.append(_verdict(tmp_path / f"s{student}" / "x.ipynb", exercise, passed, say))
    (found,) = _learned(tmp_path, verdicts)["exercises"]
    check = found["checks"][number]
    assert (check["submissions"], check["passed"], check["failed"]) == (6, 1, 5)
    assert check["difficulty"] == pytest.approx(1 / 6, abs=1e-3)
    counts = {(s["kind"], s["says"]): s["count"] for s in check["sentences"]}
    assert counts.pop(("other", " ValueError in the answer's cell".strip())) == 1
    assert counts.pop(("otherwise", spec.otherwise)) == 1
    assert counts.pop(("perhaps", says[0])) == 1
    assert counts == {("misconception", say): 2 * (say == says[0]) for say in says}
    assert found["full"] == 1
    assert "hard" in check["says"]


def test_an_exercise_that_tells_nothing_apart_is_named(
    tmp_path: Path, exercises: Mapping[str, Exercise]
) -> None:
    """All alike, the wrong way round, or in step with everything else."""
    count = len(exercises[R].checks)
    verdicts = []
    for n in range(12):
        good = n >= 6
        # The last check is passed by those who fail the others.
        passed = [good] * (count - 2) + [True, not good]
        verdicts.append(_verdict(tmp_path / f"s{n:02}" / "r.ipynb", exercises[R], passed))
        whole = [good] * len(exercises[S].checks)
        verdicts.append(_verdict(tmp_path / f"s{n:02}" / "s.ipynb", exercises[S], whole))
    retries, schedules = _learned(tmp_path, verdicts)["exercises"]
    says = [check["says"] for check in retries["checks"]]
    assert says[-1] == "who has the rest fails here: look at its text and key"
    assert says[-2] == "tells nothing apart: all have the same"
    assert set(says[:-2]) == {""}
    assert retries["checks"][0]["discrimination"] > 0.5
    assert schedules["discrimination"] == pytest.approx(1.0)
    assert schedules["pairs"] == 12


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=30))
def test_the_correlation_is_pearsons(pairs: list[tuple[int, int]]) -> None:
    """As the standard library has it, and nothing where nothing varies."""
    found = correlation([(float(x), float(y)) for x, y in pairs])
    if len({x for x, _ in pairs}) == 1 or len({y for _, y in pairs}) == 1:
        assert found is None
    else:
        expected = statistics.correlation([x for x, _ in pairs], [y for _, y in pairs])
        assert found is not None
        assert math.isclose(found, expected, abs_tol=1e-9)


def test_a_small_class_proves_little() -> None:
    """The same correlation says something of many, and nothing of few."""
    assert upper_end(-0.5, 3) == 1.0
    assert upper_end(-0.5, 12) > 0 > upper_end(-0.5, 30)
    assert upper_end(0.1, 12) > 0.4 > upper_end(0.1, 60)


def test_disguises_are_undone_and_other_code_stays_other() -> None:
    """Names, comments, docstrings, annotations, blanks; a number or an operator counts."""
    assert shape_of(FIRST).digest == shape_of(DISGUISED).digest
    assert shape_of(FIRST).letters != shape_of(DISGUISED).letters
    assert shape_of(FIRST).digest != shape_of(FIRST.replace("2 **", "3 **")).digest
    assert shape_of(FIRST).digest != shape_of(FIRST.replace("range", "list")).digest
    own = "def f(a):\n    return f(a=1)"
    assert shape_of(own).digest == shape_of(own.replace("a", "b")).digest
    assert shape_of("g(a=1)").digest != shape_of("g(b=1)").digest
    assert shape_of("import numpy as np\nnp.a").digest == shape_of("import numpy\nnumpy.a").digest
    assert shape_of("def f(:").digest == shape_of("def f(:  \n").digest


def test_what_is_shown_of_equal_answers_is_code_and_no_docstring() -> None:
    """A numpy docstring was given, and would fill all that is shown."""
    source = 'def f(x):\n    """Say.\n\n    x : int\n    """\n\n    return x + 1\n\n\nz = f(1)'
    assert excerpt_of(source) == "def f(x):\n    return x + 1\nz = f(1)"
    assert excerpt_of('def f(x): "say"; return x') == 'def f(x): "say"; return x'
    assert excerpt_of('def f(x):\n    "say"; return x') == 'def f(x):\n    "say"; return x'
    assert excerpt_of('def f(x):\n    "say"') == 'def f(x):\n    "say"'
    assert excerpt_of("def f(:\n") == "def f(:"
    assert excerpt_of("a = 1\n" * 40).count("\n") == 11


@given(st.permutations(["alpha", "beta", "gamma", "delta"]))
def test_any_renaming_gives_the_same(names: list[str]) -> None:
    """One for one."""
    code = "def alpha(beta):\n    gamma = [beta]\n    for delta in gamma:\n        alpha(delta)\n"
    fresh = dict(zip(["alpha", "beta", "gamma", "delta"], names, strict=True))

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.Name(id=fresh.get(node.id, node.id), ctx=node.ctx)

        def visit_arg(self, node: ast.arg) -> ast.AST:
            return ast.arg(arg=fresh.get(node.arg, node.arg))

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.name = fresh[node.name]
            self.generic_visit(node)
            return node

    other = ast.unparse(ast.fix_missing_locations(Rename().visit(ast.parse(code))))
    assert shape_of(other).digest == shape_of(code).digest


def test_equal_answers_are_shown_and_the_models_are_not(
    lay: Lay, notebook: Notebook, exercises: Mapping[str, Exercise]
) -> None:
    """Few have it, it is no stub, not the model's, not short; hostile files cost nothing."""
    exercise = exercises[R]
    (name, model), *_ = exercise.solution.items()
    answers = {
        "ann": FIRST,
        "bob": DISGUISED,
        "cid": model,
        "dot": model,
        "eve": "x = 1",
        "fay": "x = 1",
        "gil": "(" * 100_000,
        "hal": FIRST.replace("2 **", "5 **"),
    }
    found = []
    for owner, source in answers.items():
        path = lay({f"{owner}/{R}.ipynb": notebook(R, {name: source})}) / owner / f"{R}.ipynb"
        found += answers_in(path, owner, exercise)
    found += answers_in(lay({"ian/x.ipynb": b"broken"}) / "ian" / "x.ipynb", "ian", exercise)
    document = alike(found, {R: exercise})
    assert [(a["students"], a["to_the_letter"]) for a in document["answers"]] == [
        (["ann", "bob"], False)
    ]
    assert document["pairs"] == [{"students": ["ann", "bob"], "answers": [f"{R}/{name}"]}]


def test_what_most_have_is_the_usual_answer(
    exercises: Mapping[str, Exercise], lay: Lay, notebook: Notebook
) -> None:
    """Up to three may be chance or not; more than a third of a class is how one writes it."""
    (name, *_) = exercises[R].solution
    path = lay({"x.ipynb": notebook(R, {name: FIRST})}) / "x.ipynb"
    (answer,) = (a for a in answers_in(path, "s", exercises[R]) if a.name == name)
    for count, shown in [(2, 1), (3, 1), (4, 0)]:
        several = [replace(answer, owner=f"s{n}") for n in range(count)]
        assert len(alike(several, {R: exercises[R]})["answers"]) == shown


def test_one_student_is_no_plural(tmp_path: Path, exercises: Mapping[str, Exercise]) -> None:
    """And what the columns mean is prose, which wraps where the table below it scrolls."""
    whole = _verdict(tmp_path / "s1" / "r.ipynb", exercises[R], [True] * len(exercises[R].checks))
    document = _learned(tmp_path, [whole])
    page = render_class_page(document)
    assert "1 student," in page
    assert '<p id="columns">Mean' in page
    assert finding(document["exercises"][0]) == f"{R}: the only one passed every check"


def test_text_and_page_hold_it_all(tmp_path: Path, exercises: Mapping[str, Exercise]) -> None:
    """80 columns, everything escaped, a picture with its finding; a regrade is told."""
    count = len(exercises[R].checks)
    verdicts = [
        _verdict(
            tmp_path / f"<b>s{n}\x1b[2J" / "r.ipynb",
            exercises[R],
            [True] * (count - 1) + [n % 2 == 0],
            "<script>x</script>",
        )
        for n in range(4)
    ]
    _learned(tmp_path, verdicts)
    better = [_verdict(tmp_path / "<b>s1\x1b[2J" / "r.ipynb", exercises[R], [True] * count)]
    document = _learned(tmp_path, better)
    last = exercises[R].checks[-1]
    (change,) = document["regrades"]
    assert (change["student"], change["checks"]) == ("<b>s1\x1b[2J", {last.id: [0, last.points]})
    shown = learning_text(document, 80)
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert "Regrading changed 1 grade: 1 up, 0 down" in shown
    assert last.title.split()[0] in shown
    page = render_class_page(document)
    assert "<script" not in page
    assert "<b>s1" not in page
    assert f"hardest is “{last.title}”, passed by 3 of 4" in finding(document["exercises"][0])
    assert page.count("<svg") == 1
    assert "<title>" in page
    with (tmp_path / "grades" / "regrades.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"cut')
    assert learn_from(read_gradebook(tmp_path / "grades"))["regrades"] == document["regrades"]
    assert json.loads(json.dumps(document)) == document
