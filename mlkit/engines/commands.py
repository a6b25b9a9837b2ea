"""The call of mlkit that every task of an engine makes."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mlkit.engines.export import ExportSettings

__all__ = [
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_MISSING",
    "EXIT_SKIPPED",
    "parameter_words",
    "task_command",
    "value_text",
]

EXIT_DONE, EXIT_FAILED, EXIT_MISSING, EXIT_SKIPPED = 0, 1, 2, 99


def task_command(
    settings: ExportSettings,
    *,
    stage: str,
    run_id: str,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write the command of a task.

    Parameters
    ----------
    settings : ExportSettings
        What the export depends on.
    stage : str
        `STAGE` or `STAGE[VALUE]`, or what the engine replaces by it.
    run_id : str
        The run's id, or what the engine replaces by it.
    parameters : mapping of str to object, optional
        By default those of the settings.
    """
    given = settings.parameters if parameters is None else parameters
    return (
        str(settings.mlkit),
        "run",
        str(settings.pipeline_file),
        "--only",
        stage,
        "--run-id",
        run_id,
        "--runs-dir",
        str(settings.runs_dir),
        *parameter_words(given),
        *settings.options,
        "--json",
    )


def parameter_words(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Write parameters as `-p NAME:=VALUE …`, which is YAML also where a text is declared."""
    return tuple(
        word
        for name, value in parameters.items()
        for word in ("-p", f"{name}:={value_text(value)}")
    )


def value_text(value: Any) -> str:
    """Write a parameter's value as the YAML from which `-p NAME:=` reads the same value again."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str | PurePath):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{value_text(key)}: {value_text(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value)
