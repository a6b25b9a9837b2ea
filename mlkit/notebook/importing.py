"""Import big libraries without the parts of them that take long and are not needed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

__all__ = ["FORMAT_CHECKS", "missing"]

FORMAT_CHECKS = ("rfc3987_syntax", "rfc3986_validator", "isoduration")
"""What jsonschema, and with it nbformat, imports to check formats that no notebook uses (`iri`,
`uri`, `duration`); it takes a second."""


@contextlib.contextmanager
def missing(*names: str) -> Iterator[None]:
    """Have modules look as if they were not installed, unless they are imported already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: not to be had
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
