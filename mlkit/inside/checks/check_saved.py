"""What a grade would rest on, held against what a learner has just run, and said before."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mlkit.inside.checks.check_cells import (
    ROLES,
    all_names_bound,
    answer_in,
    free_names,
    sort_cells,
)
from mlkit.inside.checks.check_facts import CheckSpec
from mlkit.inside.checks.check_history import stub_digest
from mlkit.inside.checks.check_notebook import cell_text, known_id

__all__ = ["differences"]

NOT_SAVED = (
    "In the notebook as it is saved, your answer is not in the answer cell, nor in another one. "
    "The file is what is graded: save it."
)
ELSEWHERE = "Your answer is not in the answer cell: the grader takes it from the cell it is in."
HIDDEN = (
    "Your answer needs {name!r}, which no cell of the saved notebook defines. It is there only "
    "because you once ran a cell that is gone, and the grader will not have it."
)
EDITED = "The cell {name!r} is not as it was given: the grader uses the original."


def differences(
    notebook: Mapping[str, Any], spec: CheckSpec, history: Sequence[str], names: Collection[str]
) -> Iterator[str]:
    """Sentences about everything in which a grade could differ from what was just seen.

    Parameters
    ----------
    notebook : Mapping
        The notebook as it is saved.
    spec : CheckSpec
        The check that was run.
    history : sequence of str
        The cells that were run, in order, as they were written.
    names : collection of str
        The names that are defined now.
    """
    code = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    cells = [
        {"id": known_id(cell), "cell_type": "code", "source": cell_text(cell)} for cell in code
    ]
    given = {known_id(cell): cell_text(cell) for cell in code if _is_given(cell)}
    stubs = {known_id(cell): _about(cell).get("stub", "") for cell in code}
    found = sort_cells(cells, given)
    defined = set().union(*(all_names_bound(cell["source"]) for cell in cells))
    for name in spec.answers:
        function = name.removeprefix("answer-").replace("-", "_")
        is_stub = stub_digest(found.given.get(name, "")) == stubs.get(name)
        answer = answer_in(found, name, names=[function], is_stub=is_stub)
        texts = [text for text in (answer.source, *answer.before, *answer.after) if text]
        live = [source for source in history if function in all_names_bound(source)]
        if live and stub_digest(live[-1]) not in map(stub_digest, texts):
            yield NOT_SAVED
            continue
        if answer.place == "own":
            yield ELSEWHERE
        needed = set().union(*map(free_names, texts))
        for missing in sorted((needed & set(names)) - defined - set(dir(builtins))):
            if not missing.startswith("_") and missing not in SHELL_NAMES:
                yield HIDDEN.format(name=missing)
    for cell in code:
        digest = _about(cell).get("given")
        if digest and digest != stub_digest(cell_text(cell)) and _matters(known_id(cell), spec):
            yield EDITED.format(name=known_id(cell))


SHELL_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit", "display", "open"})


def _about(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    about = (cell.get("metadata") or {}).get("mlkit", {})
    return about if isinstance(about, dict) else {}


def _is_given(cell: Mapping[str, Any]) -> bool:
    return bool(_about(cell)) or known_id(cell).startswith(ROLES)


def _matters(name: str, spec: CheckSpec) -> bool:
    """Whether an edited cell bears on a check: itself, a probe, or set-up."""
    return name == spec.id or not name.startswith(("answer-", "check-", "feedback-"))
