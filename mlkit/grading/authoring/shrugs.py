"""Answers that need no solution: no check may take one of them for a right answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mlkit.grading.exercise.source import Exercise
from mlkit.grading.exercise.words import Recorded
from mlkit.inside.checks.check_history import bound_names

__all__ = ["SHRUGS", "shrugs_at"]

SHRUGS: Final[Mapping[str, str]] = {
    "'return None'": "return None",
    "'return True'": "return True",
    "'return 0'": "return 0",
    "'return []'": "return []",
    "to give back what was given": "return args[0] if args else next(iter(kwargs.values()), None)",
    "'raise ValueError'": "raise ValueError",
}
"""What such an answer does, in words → the body of every function that is asked for."""


def shrugs_at(exercise: Exercise, bodies: Mapping[str, str] = SHRUGS) -> Iterator[Recorded]:
    """An answer of each kind, the same for every function that an exercise asks for.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    bodies : Mapping
        Name → the body of each function, whose arguments are `args` and `kwargs`.
    """
    for name, body in bodies.items():
        answers = {
            key: "\n".join(f"def {f}(*args, **kwargs):\n    {body}" for f in sorted(names))
            for key, stub in exercise.answers.items()
            if (names := bound_names(stub))
        }
        yield Recorded(name=name, kind="wrong", answers=answers)
