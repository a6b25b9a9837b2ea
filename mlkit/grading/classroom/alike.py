"""Equal answers of different students: worth a look, and never a verdict.

Answers are compared after normalising: comments, blank lines, docstrings and annotations are gone,
and names that an answer makes up are numbered in the order in which they come. That undoes the
usual disguises (as S. Schleimer, D. Wilkerson and A. Aiken ask of any such comparison: "Winnowing:
local algorithms for document fingerprinting", SIGMOD 2003), and nothing beyond: two answers that
are equal so may still have come about apart, the more easily the shorter they are and the more
people have them.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.notebook_cells import read_cells
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.grading.verdict.restore import take_answers

__all__ = ["Answer", "Shape", "alike", "answers_in", "excerpt_of", "shape_of"]

LEAST_PARTS = 25
"""An answer of fewer parts (nodes of its syntax tree) is what anybody would write."""
MOST_SHARE = 0.3
"""What more of a class have is the usual answer, once more than a few have it."""
FEW = 3
EXCERPT_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is left of an answer after normalising.

    Parameters
    ----------
    digest : str
        The identity of the normalised code.
    letters : str
        The identity of the text as it stands, but for blanks at its ends.
    parts : int
        Of how many nodes the code consists.
    """

    digest: str
    letters: str
    parts: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One student's or group's answer."""

    owner: str
    exercise: str
    name: str
    shape: Shape
    excerpt: str


class _Numbered(ast.NodeTransformer):
    """Names that the code makes up are numbered; builtins and attributes keep theirs."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, str] = {}
        self.own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    def _of(self, name: str) -> str:
        if hasattr(builtins, name):
            return name
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(id=self._of(node.id), ctx=node.ctx), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.copy_location(ast.arg(arg=self._of(node.arg), annotation=None), node)

    def _definition(self, node: Any) -> ast.AST:
        node.name = self._of(node.name)
        node.returns = None
        node.body = _without_docstring(node.body)
        self.generic_visit(node)
        return node  # type: ignore[no-any-return]  # any definition

    visit_FunctionDef = visit_AsyncFunctionDef = _definition  # noqa: N815 - ast calls it so

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return None
        plain = ast.Assign(targets=[node.target], value=node.value)
        return self.generic_visit(ast.copy_location(plain, node))

    def visit_alias(self, node: ast.alias) -> ast.AST:
        bound = node.asname or node.name.partition(".")[0]
        self.names.setdefault(bound, f"v{len(self.names)}")
        return ast.alias(name=node.name, asname=None)

    def visit_Call(self, node: ast.Call) -> Any:
        """Keywords are the called function's names: of one's own function they are made up, too."""
        own = isinstance(node.func, ast.Name) and node.func.id in self.own
        self.generic_visit(node)
        if own:
            for keyword in node.keywords:
                keyword.arg = keyword.arg and self._of(keyword.arg)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        if node.name:
            node.name = self._of(node.name)
        return self.generic_visit(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return (body[1:] or [ast.Pass()]) if is_text else body


def shape_of(source: str) -> Shape:
    """Normalise an answer. Pure; call it within `bounded` on what nobody trusts.

    Parameters
    ----------
    source : str
        The answer. What is no Python is compared by its letters.
    """
    lines = [line.rstrip() for line in source.strip().splitlines()]
    letters = _digest("\n".join(lines))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Shape(digest=letters, letters=letters, parts=len(source.split()))
    parts = sum(1 for _ in ast.walk(tree))
    tree.body = _without_docstring(tree.body)
    _Numbered(tree).visit(tree)
    return Shape(digest=_digest(ast.dump(tree)), letters=letters, parts=parts)


def excerpt_of(source: str) -> str:
    """The first lines of an answer, without its docstrings: these were given, and fill a page.

    Parameters
    ----------
    source : str
        The answer. What is no Python is shown as it is.
    """
    lines = source.splitlines()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        tree = ast.Module(body=[], type_ignores=[])
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and _without_docstring(body) is not body:
            before, last = getattr(node, "lineno", 0), body[0].end_lineno or 0
            if before < body[0].lineno and last < body[1].lineno:  # on lines of its own
                lines[body[0].lineno - 1 : last] = [""] * (last - body[0].lineno + 1)
    shown = "\n".join(line.rstrip() for line in lines if line.strip())
    return "\n".join(shown.splitlines()[:EXCERPT_LINES])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def answers_in(path: Path, owner: str, exercise: Exercise) -> list[Answer]:
    """The answers of a submission, but for stubs; none of a file that cannot be read.

    Parameters
    ----------
    path : Path
        The file; it is read with limits, in a process of its own.
    owner : str
        Whose it is.
    exercise : Exercise
        What it answers.
    """

    def read() -> list[Answer]:
        submission = take_answers(read_cells(path), exercise)
        found = []
        for name, source in submission.answers.items():
            if name not in submission.untouched:
                own = (*submission.before.get(name, ()), source, *submission.after.get(name, ()))
                text = "\n\n".join(own)
                excerpt = excerpt_of(text)
                shape = shape_of(text)
                found.append(
                    Answer(
                        owner=owner,
                        exercise=exercise.name,
                        name=name,
                        shape=shape,
                        excerpt=excerpt,
                    )
                )
        return found

    try:
        return bounded(read)
    except (GradingError, TooCostlyError):
        return []


def alike(answers: Sequence[Answer], exercises: Mapping[str, Exercise]) -> dict[str, Any]:
    """Which answers of different students are equal, but for the model's and the usual one.

    Parameters
    ----------
    answers : sequence of Answer
        Everybody's.
    exercises : Mapping
        The exercises by name; their model answers are nobody's secret.

    Returns
    -------
    dict
        `{"answers", "pairs"}`: answers that several share, the rarest first, and pairs of students
        with the answers that they share, most first.
    """
    usual = {
        (name, shape_of(source).digest)
        for exercise in exercises.values()
        for name, source in exercise.solution.items()
    }
    heaps: dict[tuple[str, str, str], dict[str, Answer]] = {}
    class_size: dict[tuple[str, str], set[str]] = {}
    for answer in answers:
        class_size.setdefault((answer.exercise, answer.name), set()).add(answer.owner)
        if answer.shape.parts >= LEAST_PARTS and (answer.name, answer.shape.digest) not in usual:
            key = (answer.exercise, answer.name, answer.shape.digest)
            heaps.setdefault(key, {})[answer.owner] = answer
    shared: list[dict[str, Any]] = []
    pairs: dict[tuple[str, str], list[str]] = {}
    for (exercise, name, _), owners in sorted(heaps.items()):
        size = len(class_size[exercise, name])
        if len(owners) < 2 or len(owners) > max(FEW, MOST_SHARE * size):
            continue
        first = next(iter(owners.values()))
        letters = len({answer.shape.letters for answer in owners.values()}) == 1
        shared.append(
            {
                "exercise": exercise,
                "answer": name,
                "students": sorted(owners),
                "of": size,
                "to_the_letter": letters,
                "parts": first.shape.parts,
                "excerpt": first.excerpt,
            }
        )
        for pair in combinations(sorted(owners), 2):
            pairs.setdefault(pair, []).append(f"{exercise}/{name}")
    shared.sort(key=lambda s: (len(s["students"]), -s["parts"], s["exercise"], s["answer"]))
    ranked = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "answers": shared,
        "pairs": [{"students": list(pair), "answers": names} for pair, names in ranked],
    }
