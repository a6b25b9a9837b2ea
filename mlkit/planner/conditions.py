"""`when`: hold the JSON value in an artifact against the values that let a stage run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Node, Stage
from mlkit.core.values import canonical

__all__ = ["ConditionError", "unmet_condition"]

_LONGEST = 60


class ConditionError(ValueError):
    """An artifact that a `when` looks at holds no JSON value."""


def unmet_condition(stage: Stage, find: Callable[[Node, str], Path | None]) -> str | None:
    """Say which condition of a stage does not hold; None if all hold.

    Parameters
    ----------
    stage : Stage
        The stage.
    find : callable
        Gives the file of a node's output; None where it was not made.

    Raises
    ------
    ConditionError
        If an artifact cannot be read as JSON.
    """
    for condition in stage.when:
        path = find(condition.source.node, condition.source.output)
        if path is None or not path.is_file():
            return f"{condition.source} was not made"
        value = _read(path, str(condition.source))
        wanted = [canonical(choice) for choice in condition.values]
        if canonical(value) not in wanted:
            shown = json.dumps(value, ensure_ascii=False)
            shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
            choices = " or ".join(
                json.dumps(choice, ensure_ascii=False) for choice in condition.values
            )
            return f"{condition.source} is {shown}, not {choices or 'one of no values'}"
    return None


def _read(path: Path, source: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConditionError(
            f"'when' looks at {source}, which holds no JSON value ({error})"
        ) from None
