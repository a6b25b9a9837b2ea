"""What a pipeline may say and hardly means: `plan` and every run warn of it."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import NEVER_RETRIED
from mlkit.core.slips import is_slip
from mlkit.load.environment import VARIABLE
from mlkit.notebook.source import differing_pairs

__all__ = ["likely_slips"]

_KNOWN_ERRORS = (
    *(n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, Exception)),
    "StageTimeout",
    "DeadKernel",
)


def likely_slips(pipeline: Pipeline) -> list[str]:
    """Say what has no effect, or another one than it seems to have.

    None of it can be refused: a class of the user's own may have any name, a text may hold `${`.

    Returns
    -------
    list of str
        A sentence each.
    """
    stages: dict[str, list[str]] = {}
    for stage in pipeline.stages.values():
        for sentence in _of_retry(stage):
            stages.setdefault(sentence, []).append(stage.name)
    return [
        *_idle_parameters(pipeline),
        *(f"retry of {', '.join(names)}: {sentence}" for sentence, names in stages.items()),
        *_unread_variables(pipeline),
        *differing_pairs(pipeline.stages.values()),
    ]


def _idle_parameters(pipeline: Pipeline) -> Iterator[str]:
    declared = {name for stage in pipeline.stages.values() for name in stage.declared}
    for stage in pipeline.stages.values():
        axes = () if stage.foreach is None else stage.foreach.axes
        declared |= {axis.listed for axis in axes if axis.listed is not None}
    for name in pipeline.parameters:
        if name not in declared:
            yield f"no stage declares the parameter '{name}', so it changes nothing"


def _of_retry(stage: Stage) -> Iterator[str]:
    for name in stage.retry.on or ():
        if name in NEVER_RETRIED:
            yield f"'{name}' stands under 'on', and is never retried"
        elif name not in _KNOWN_ERRORS:
            for known in _KNOWN_ERRORS:
                if is_slip(name, known):
                    yield f"no exception of Python is called '{name}'. Did you mean '{known}'?"


def _unread_variables(pipeline: Pipeline) -> Iterator[str]:
    """Places where `${` begins no `${NAME}`; the values are not told, they may be secret."""
    places: dict[str, Any] = {f"parameter '{k}'": v for k, v in pipeline.parameters.items()}
    for name, stage in pipeline.stages.items():
        places |= {f"parameter '{k}' of stage '{name}'": v for k, v in stage.parameters.items()}
        places |= {f"env {k} (pipeline.yaml:{v.line})": v.text for k, v in stage.env.items()}
        places.setdefault("notify", []).extend(stage.notify.on_failure + stage.notify.on_success)
    for place, value in places.items():
        if any("${" in VARIABLE.sub("", text) for text in _texts(value)):
            yield f"{place}: '${{' begins no ${{NAME}} there, and is taken as it stands"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
