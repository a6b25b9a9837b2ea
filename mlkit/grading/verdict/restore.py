"""Take the answers out of a submission, and put them into the pristine notebook.

Beside the answers themselves, cells of the learner's own are used if an answer needs what they
define. Nothing else of a submission is: its outputs, tags, metadata, edited checks and other cells
are dropped, so that whatever was done to them has no effect. That is flagged all the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Literal

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import Exercise, exercise_notebook
from mlkit.grading.notebook_cells import Cell
from mlkit.inside.checks.apart import OF_CHECKS, Shadows, shadows_in
from mlkit.inside.checks.check_cells import (
    Answer,
    Sorted,
    all_names_bound,
    answer_in,
    sort_cells,
    words_in,
)
from mlkit.inside.checks.check_facts import CheckSpec
from mlkit.inside.checks.check_history import bound_names, stub_digest
from mlkit.inside.checks.check_notebook import cell_text
from mlkit.observe.layout import counted

__all__ = ["Step", "Submission", "restored", "shadows", "shown_as_text", "take_answers"]

INSPECTION = frozenset(
    {
        *("gc.get_objects", "gc.get_referrers", "sys._getframe", "sys.addaudithook"),
        *("inspect.currentframe", "inspect.stack", "sys.settrace", "sys.setprofile"),
    }
)
"""By what a program looks into itself."""
LARGEST_ANSWER = 200_000
TEXTS = {"markdown": "Markdown", "raw": "a raw cell"}
FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a submission amounts to.

    Parameters
    ----------
    answers : Mapping
        Answer cell id → its source, for the answers that were found.
    before, after : Mapping
        Answer cell id → the sources of cells of the learner's own that belong to it: those that
        define what it needs, and those that define the same again.
    untouched : frozenset of str
        Answers that are still the stub, or empty.
    flags : tuple of str
        What was edited, missing or duplicated, a sentence each.
    """

    answers: Mapping[str, str]
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untouched: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One cell that is executed: set-up, an answer, or a check with its probes before it.

    Parameters
    ----------
    id : str
        The cell's id; a learner's own cell has its answer's, with a number.
    kind : str
        `setup`, `answer`, `own` (a learner's own cell that belongs to an answer), or `check`.
    source : str
        What is executed.
    spec : CheckSpec, optional
        The check.
    """

    id: str
    kind: Literal["setup", "answer", "own", "check"]
    source: str
    spec: CheckSpec | None = None


def take_answers(cells: Sequence[Cell], exercise: Exercise) -> Submission:
    """Take the source of the answer cells, and say what else was changed. Pure."""
    found = sort_cells(cells, exercise.given_code)
    answers: dict[str, Answer] = {}
    taken: set[str] = set()
    for name, stub in exercise.answers.items():
        names, is_stub = bound_names(stub), _is_stub(found.given.get(name, ""), stub)
        answer = answer_in(found, name, names=names, is_stub=is_stub, taken=taken)
        taken |= {*answer.before, *answer.after}
        if answer.source is not None:
            answers[name] = answer
    sources = {name: str(answer.source) for name, answer in answers.items()}
    for name, answer in answers.items():
        texts = [str(answer.source), *answer.before, *answer.after]
        if sum(map(len, texts)) > LARGEST_ANSWER:
            raise GradingError(f"the answer {name!r} is longer than {LARGEST_ANSWER} characters")
    return Submission(
        answers=sources,
        before={name: answer.before for name, answer in answers.items() if answer.before},
        after={name: answer.after for name, answer in answers.items() if answer.after},
        untouched=frozenset(
            name
            for name, source in sources.items()
            if _is_stub(source, exercise.answers[name]) and not answers[name].after
        ),
        flags=tuple(_flags(cells, exercise, found, answers)),
    )


def _is_stub(source: str, stub: str) -> bool:
    return not source.strip() or stub_digest(source) == stub_digest(stub)


def _flags(
    cells: Sequence[Cell],
    exercise: Exercise,
    found: Sorted,
    answers: Mapping[str, Answer],
) -> Iterator[str]:
    given = {cell["id"]: cell for cell in exercise_notebook(exercise)["cells"]}
    first = {cell["id"]: cell for cell in reversed(cells)}
    for name, times in Counter(cell["id"] for cell in cells if cell["id"] in given).items():
        if times > 1:
            used = (
                "each was used" if name in answers and answers[name].after else "the first was used"
            )
            yield f"the cell {name!r} stands there {times} times: {used}"
    for name in exercise.answers:
        if name in answers:
            yield from _flags_of_answer(name, found, answers[name])
        else:
            shown = shown_as_text(cells, name, exercise.answers[name])
            yield f"the answer cell {name!r} is missing{shown}"
    yield from _flags_of_reach(exercise, answers)
    for name, cell in given.items():
        if name.startswith(("check-", "probe-")) and cell["cell_type"] == "code":
            text = found.given.get(name)
            tags = first[name]["tags"] if name in first else None
            yield from _flags_of_check(name, cell, text, tags)
    if found.edited:
        edited = len(found.edited)
        yield f"{counted(edited, 'given cell')} {_was(edited)} edited: the originals were used, too"
    used_cells = {text for a in answers.values() for text in (a.source, *a.before, *a.after)}
    twice = Counter(cell["id"] for cell in cells if cell["cell_type"] == "code")
    doubles = sum(times - 1 for name, times in twice.items() if name in given and times > 1)
    further = sum(text not in used_cells for text in found.own) - doubles
    if further > 0:
        cells_of_own = counted(further, "further code cell")
        yield f"{cells_of_own} {_was(further)} ignored: no answer needs {_them(further)}"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def shown_as_text(cells: Sequence[Cell], name: str, stub: str) -> str:
    """What to add where an answer is missing that stands in a cell of text, which nothing runs."""
    names = bound_names(stub)
    for cell in cells:
        kind = TEXTS.get(str(cell["cell_type"]))
        if kind is None:
            continue
        text = FENCE.sub("", cell["source"])
        if name in (cell["id"], cell["mark"]) or (names and names <= all_names_bound(text)):
            return f": it is there as {kind}; make it a code cell again"
    return ""


def _flags_of_answer(name: str, found: Sorted, answer: Answer) -> Iterator[str]:
    if answer.place == "own" and name in found.given:
        yield f"the answer cell {name!r} is still the stub: a cell that defines the same was used"
    elif answer.place == "own" or name in found.by_content:
        yield f"the answer cell {name!r} has lost its id: one that defines the same was used"
    more = len(answer.before) + len(answer.after)
    if more:
        yield f"{counted(more, 'further code cell')} that {name!r} needs {_was(more)} used"


def _flags_of_reach(exercise: Exercise, answers: Mapping[str, Answer]) -> Iterator[str]:
    """Where an answer takes hold of what checks it; an honest one has no reason to."""
    model = [*exercise.solution.values(), *exercise.answers.values()]
    allowed = frozenset().union(*map(words_in, model))
    probes = [text for name, text in exercise.given_code.items() if name.startswith("probe-")]
    theirs = frozenset().union(*map(all_names_bound, probes)) - allowed
    for name, answer in answers.items():
        texts = [str(answer.source), *answer.before, *answer.after]
        own = frozenset().union(*map(all_names_bound, texts))
        reached = frozenset().union(*map(words_in, texts)) & ((theirs - own) | INSPECTION)
        if reached:
            yield (
                f"the answer {name!r} reaches for what checks it ({', '.join(sorted(reached))}): "
                "this changes no grade, and somebody should look at it"
            )


def _flags_of_check(
    name: str, given: Cell, text: str | None, tags: Sequence[str] | None
) -> Iterator[str]:
    if text is None and tags is None:
        yield f"the cell {name!r} is missing: the original was used"
        return
    if text is None or stub_digest(text) != stub_digest(cell_text(given)):
        yield f"the cell {name!r} was edited: the original was used"
    if tags is not None and list(tags) != given["metadata"].get("tags", []):
        yield f"the tags of the cell {name!r} were edited: they were ignored"


def restored(exercise: Exercise, submission: Submission) -> list[Step]:
    """The cells to execute: the pristine notebook with the submission's answers. Pure.

    Visible checks run at their places and hidden ones after everything else, so that no output of a
    visible check can tell of a hidden one. Probes run again right before every check.
    """
    code = [cell for cell in exercise.notebook["cells"] if cell["cell_type"] == "code"]
    specs = {spec.id: spec for spec in exercise.checks}
    probes = [cell_text(cell) for cell in code if cell["id"].startswith("probe-")]
    hiding = shadows(exercise, submission)
    visible: list[Step] = []
    hidden: list[Step] = []
    for cell in code:
        name = cell["id"]
        if name in specs:
            source = _check_source(specs[name].source, probes, hiding)
            step = Step(id=name, kind="check", source=source, spec=specs[name])
            (hidden if specs[name].hidden else visible).append(step)
        elif name in exercise.answers:
            source = submission.answers.get(name, exercise.answers[name])
            visible += _own_steps(f"{name}/before", submission.before.get(name, ()))
            visible.append(Step(id=name, kind="answer", source=source))
            visible += _own_steps(f"{name}/after", submission.after.get(name, ()))
        elif not name.startswith(("probe-", "feedback-")):
            visible.append(Step(id=name, kind="setup", source=cell_text(cell)))
    return [*visible, *hidden]


def shadows(exercise: Exercise, submission: Submission) -> Shadows:
    """What of the answers' names hides something that checks may use. Pure."""
    own = (submission.before.values(), submission.after.values())
    answers = [text for part in own for texts in part for text in texts]
    answers += [t for name, t in submission.answers.items() if name not in submission.untouched]
    given = exercise.given_code.items()
    return shadows_in(answers, [text for name, text in given if not name.startswith(OF_CHECKS)])


def _check_source(check: str, probes: Sequence[str], hiding: Shadows) -> str:
    """A check after its probes; among names of its own where an answer hides what it may use."""
    if not hiding.hidden:
        return "\n\n".join([*probes, check])
    given = (check, "\n\n".join(probes), hiding.hidden, hiding.imports)
    texts = ", ".join(map(repr, given))
    return f"from mlkit.inside.checks import apart as _apart\n_apart.run_apart(globals(), {texts})"


def _own_steps(name: str, sources: Sequence[str]) -> list[Step]:
    return [
        Step(id=f"{name}-{number}", kind="own", source=source)
        for number, source in enumerate(sources, start=1)
    ]
