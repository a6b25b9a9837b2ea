"""Read `env`: variables that a kernel finds set when it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlkit.core.pipeline import Setting
from mlkit.core.scrubbing import names_a_secret
from mlkit.load.section import Section

__all__ = ["read_settings"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("MLKIT_", "JPY_")
"""mlkit's own, and Jupyter's for its kernels."""


def read_settings(section: Section | None) -> dict[str, Setting]:
    """Read the variables of one `env`; each value is a text, exactly as it is written."""
    found: dict[str, Setting] = {}
    for name, entry in ({} if section is None else section.entries).items():
        assert section is not None
        if not _NAME.fullmatch(name):
            section.fail(
                f"'{name}' cannot be the name of an environment variable",
                entry.line,
                "Use letters, digits and '_', no digit first",
                code="E214",
            )
        if name.startswith(_RESERVED):
            section.fail(
                f"'{name}' is one of the variables that mlkit and Jupyter set themselves",
                entry.line,
                "Choose another name; parameters are given under 'parameters' or by -p",
                code="E214",
            )
        if isinstance(entry.value, Mapping | tuple) or entry.value is None:
            section.fail(
                f"the variable '{name}' must be one text",
                entry.line,
                "Write its value behind the name; an empty one is ''",
                code="E214",
            )
        _refuse_written_secret(section, name, entry.written, entry.line)
        if "\0" in entry.written:
            section.fail(f"'{name}' holds a NUL character", entry.line, "Take it away", code="E214")
        found[name] = Setting(text=entry.written, line=entry.line)
    return found


def _refuse_written_secret(section: Section, name: str, text: str, line: int) -> None:
    """What is called a secret does not stand in a file that everybody reads."""
    if text and names_a_secret(name) and "${" not in text:
        section.fail(
            f"'{name}' is a secret by its name, and its value stands in this file",
            line,
            f"Write {name}: ${{{name}}}, and set it in the environment or by --env-file",
            code="E214",
        )
