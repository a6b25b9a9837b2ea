"""`mlkit.check`: feedback beside a check, in the learner's own notebook, at once and offline."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from mlkit.errors import GradingError
from mlkit.inside.checks.apart import OF_CHECKS, Shadows, run_apart, shadows_of
from mlkit.inside.checks.check_cells import all_names_bound
from mlkit.inside.checks.check_facts import (
    NOT_ATTEMPTED,
    CheckSpec,
    Judgement,
    Observation,
    judge,
)
from mlkit.inside.checks.check_history import is_untouched
from mlkit.inside.checks.check_notebook import cell_text, check_from_cell, find_notebook, known_id
from mlkit.inside.checks.check_roles import role_of
from mlkit.inside.checks.check_saved import differences
from mlkit.inside.facts import forget_said, said

__all__ = ["Feedback", "check", "in_colour"]

COLOURS = {"passed": "#0b7a4b", "not_attempted": "#5f6670", "unknown": "#5f6670"}
NO_REFERENCE = (
    "Nobody knows yet what this check should print: the exercise's author has to run its solution "
    "and save it."
)
MARKS = {"passed": "✓ passed", "not_attempted": "· not attempted", "unknown": "? not found"}


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a learner is told about one check; a notebook shows it as text, never as a traceback."""

    title: str
    status: str
    message: str = ""
    more: str = ""

    def __repr__(self) -> str:
        """The heading, the sentence, and what was asked for besides."""
        heading = f"{MARKS.get(self.status, '✗ not yet')}: {self.title}"
        return "\n".join(part for part in (heading, self.message, self.more) if part)

    def _repr_html_(self) -> str:
        """The same with a colour beside the glyph."""
        return in_colour(self.status, repr(self))


def in_colour(status: str, text: str) -> str:
    """What is said of an answer, as a box that is legible on light and dark.

    Parameters
    ----------
    status : str
        `passed`, `not_attempted`, `unknown`; anything else is not right yet.
    text : str
        The heading in the first line, and what is said besides.
    """
    colour = COLOURS.get(status, "#b3261e")
    lines = text.split("\n", 1)
    rest = f'<div style="white-space: pre-wrap">{escape(lines[1])}</div>' if lines[1:] else ""
    style = f"border-left: 5px solid {colour}; background-color: {colour}22; padding: 6px 12px"
    return f'<div style="{style}"><b>{escape(lines[0])}</b>{rest}</div>'


def check(check_id: str, *, hint: int = 0, solution: bool = False) -> Feedback:
    """Run a check of this notebook on the answers as they stand now, and say what it means.

    Parameters
    ----------
    check_id : str
        The check cell's id, `check-…`.
    hint : int
        Show the first `hint` hints too.
    solution : bool
        Show the model answer too; only after an attempt.

    Returns
    -------
    Feedback
        Not attempted, passed, or the misconception that the result looks like, in a sentence. It
        raises nothing: a learner should meet sentences, not tracebacks.
    """
    try:
        path, notebook = find_notebook(check_id, Path.cwd())
    except GradingError as error:
        return Feedback(title=check_id, status="unknown", message=str(error))
    cells = {known_id(cell): cell for cell in reversed(notebook["cells"])}
    for cell in notebook["cells"]:  # an author's notebook tells by tags and comments, too
        for name in role_of(cell).names:
            cells.setdefault(name, cell)
    spec = check_from_cell(cells[check_id])
    if not spec.expected:
        return Feedback(title=spec.title, status="unknown", message=NO_REFERENCE)
    names = _namespace()
    if _untouched(spec, cells, names.get("In", ())):
        found = Judgement(status="not_attempted", message=NOT_ATTEMPTED)
    else:
        hiding = _hiding(notebook, spec, names)
        found = judge(spec, _run(spec.source, _probes(notebook), names, hiding))
    more = [] if found.status == "passed" else _hints(spec, hint)
    if found.status != "not_attempted":
        more += dict.fromkeys(differences(notebook, spec, _history(), names))
    if solution:
        more.append(_solution(spec, found, path))
    text = "\n".join(more)
    return Feedback(title=spec.title, status=found.status, message=found.message, more=text)


def _namespace() -> dict[str, Any]:
    """The names of the notebook that calls; outside one, those of `__main__`."""
    shell = get_ipython()
    if shell is None:
        import __main__  # whichever it is now: runpy and kernels put another in its place

        return vars(__main__)
    names: dict[str, Any] = shell.user_ns
    return names


def _history() -> list[str]:
    """The cells that were run, as they were written."""
    shell = get_ipython()
    manager = getattr(shell, "history_manager", None)
    return [str(source) for source in getattr(manager, "input_hist_raw", ())]


def _untouched(
    spec: CheckSpec, cells: Mapping[str, Mapping[str, Any]], history: Sequence[str]
) -> bool:
    """Whether all answers that a check is about are still the stubs that were given."""
    held = [cells[name] for name in spec.answers if name in cells]
    digests = [(cell.get("metadata") or {}).get("mlkit", {}).get("stub", "") for cell in held]
    return bool(digests) and all(is_untouched(history, digest) for digest in digests)


def _probes(notebook: Mapping[str, Any]) -> str:
    """The cells that hold what checks call."""
    return "\n\n".join(
        cell_text(cell)
        for cell in notebook["cells"]
        if cell.get("cell_type") == "code"
        and any(name.startswith("probe-") for name in (known_id(cell), *role_of(cell).names))
    )


def _run(source: str, probes: str, names: dict[str, Any], hiding: Shadows) -> Observation:
    """Run a check as the grader does: the probes first, whatever has become of them since.

    Answers call what probes define, so these run among the learner's own names; afterwards all
    names are as they were.
    """
    printed = io.StringIO()
    theirs = all_names_bound(probes) | all_names_bound(source)
    before = {name: names[name] for name in theirs if name in names}
    forget_said()
    try:
        with contextlib.redirect_stdout(printed):
            if hiding.hidden:
                run_apart(names, source, probes, hiding.hidden, hiding.imports)
            else:
                exec(compile(probes, "<probes>", "exec"), names)
                exec(compile(source, "<check>", "exec"), dict(names))
    except KeyboardInterrupt:
        return Observation(ended="timeout")
    except BaseException as error:  # noqa: BLE001 - whatever an answer raises becomes a sentence
        seen = Observation(error=type(error).__name__, error_text=str(error))
        return replace(seen, aside=hiding.sentence)
    finally:
        for name in theirs - before.keys():
            names.pop(name, None)
        names.update(before)
    return Observation(text=printed.getvalue(), said=said(), aside=hiding.sentence)


def _hiding(notebook: Mapping[str, Any], spec: CheckSpec, names: Mapping[str, Any]) -> Shadows:
    """Which of the notebook's names hide something that the check may use."""
    code = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    set_up = [
        cell_text(cell)
        for cell in code
        if (cell.get("metadata") or {}).get("mlkit", {}).get("given")
        and not known_id(cell).startswith(OF_CHECKS)
    ]
    asked = [name.removeprefix("answer-").replace("-", "_") for name in spec.answers]
    return shadows_of(names, set_up, asked)


def _hints(spec: CheckSpec, wanted: int) -> list[str]:
    """The hints asked for, and how to ask for the next."""
    shown = spec.hints[:wanted]
    lines = [f"Hint {number}: {text}" for number, text in enumerate(shown, start=1)]
    if len(shown) < len(spec.hints):
        lines.append(f'For a hint: mlkit.check("{spec.id}", hint={len(shown) + 1})')
    return lines


def _solution(spec: CheckSpec, found: Judgement, path: Path) -> str:
    """The model answers, if the learner has tried and the solutions are in this copy."""
    if found.status == "not_attempted":
        return "The solution is shown after an attempt of your own."
    model = path.resolve().parent.parent / "solutions" / path.name
    if not model.is_file():
        return "The solutions are not in this copy: ask the person who gave you the exercise."
    notebook = json.loads(model.read_text(encoding="utf-8"))
    answers = [cell_text(cell) for cell in notebook["cells"] if known_id(cell) in spec.answers]
    lines = "\n\n".join(answers).splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("### "))
