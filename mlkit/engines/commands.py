"""Parameters as the words of a task's call of mlkit."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

__all__ = ["assignments", "parameter_words", "value_text"]


def assignments(parameters: Mapping[str, Any]) -> list[str]:
    """Write parameters as `NAME:=VALUE`, which is YAML also where a text is declared."""
    return [f"{name}:={value_text(value)}" for name, value in parameters.items()]


def parameter_words(parameters: Mapping[str, Any]) -> list[str]:
    """Write parameters as `-p NAME:=VALUE …`."""
    return [word for text in assignments(parameters) for word in ("-p", text)]


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
