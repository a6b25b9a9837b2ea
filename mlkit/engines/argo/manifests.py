"""Kubernetes' objects as YAML that each of its readers takes the same way."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

__all__ = ["manifests"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_SPOKEN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML 1.1, which Kubernetes reads, does not take as text."""


def manifests(head: str, objects: list[dict[str, Any]]) -> str:
    """Write objects into one file.

    Parameters
    ----------
    head : str
        The comment at its beginning.
    objects : list of dict
        The objects.
    """
    yaml = YAML()
    yaml.width = 2**20  # no line is folded
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump_all([_safe(item) for item in objects], stream)
    return f"{head}\n{stream.getvalue()}"


def _safe(item: Any) -> Any:
    """Quote what could be read as anything but text."""
    if isinstance(item, dict):
        return {_safe(key): _safe(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_safe(value) for value in item]
    if not isinstance(item, str):
        return item
    if "\n" in item:
        return LiteralScalarString(item)
    is_plain = _PLAIN.fullmatch(item) and item.lower() not in _SPOKEN
    return item if is_plain else DoubleQuotedScalarString(item)
