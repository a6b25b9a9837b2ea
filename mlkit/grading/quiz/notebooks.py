"""Questions as notebooks that check themselves: a letter in place of `...`, and a reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlkit.grading.quiz.bank import Question, Quiz

__all__ = ["quiz_notebook"]

HOW = """# Questions on {title}

Write the letter of your answer in place of `...`, in quotes, and run the cell: `answer = "a"`.
Where several answers are right, write a set: `answer = {{"a", "c"}}`.
The reply says why a wrong answer is wrong."""
IMPORTS = "from mlkit.testing import check_yourself, question"


def quiz_notebook(quiz: Quiz) -> str:
    """Give the notebook of one lesson's questions, as JSON. Pure.

    Parameters
    ----------
    quiz : Quiz
        The questions, which must be those of the kit: cells ask for them by name.
    """
    cells = [
        _cell("markdown", "title", HOW.format(title=quiz.title[0].lower() + quiz.title[1:])),
        _cell("code", "imports", IMPORTS),
        *(cell for number, one in enumerate(quiz.questions, 1) for cell in _asked(number, one)),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _asked(number: int, one: Question) -> Iterator[dict[str, Any]]:
    """A question, the cell for its answer, and the answer with all reasons, folded."""
    letters = "\n".join(f"- **{key}** {choice.text}" for key, choice in one.lettered.items())
    yield _cell("markdown", f"ask-{number}", f"## {number}. {one.title}\n\n{one.ask}\n\n{letters}")
    name = f"q{number}"
    code = (
        f'answer = ...\n\n{name} = question("{one.name}")\n'
        f"check_yourself(answer, {name}.right, hint={name}.explain(answer))"
    )
    yield _cell("code", f"answer-{number}", code)
    reasons = "\n".join(
        f"- {'✓' if choice.is_right else '✗'} **{key}** {choice.why}"
        for key, choice in one.lettered.items()
    )
    folded = f"<details><summary>The answer, with reasons</summary>\n\n{reasons}\n\n</details>"
    yield _cell("markdown", f"reasons-{number}", folded)


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    base: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return {**base, **({"outputs": [], "execution_count": None} if kind == "code" else {})}
