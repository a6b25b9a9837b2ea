"""`python -m mlkit.engines.extras NAME`: print what an extra requires, to compile its lock from."""

from __future__ import annotations

import sys
from importlib import metadata

from mlkit.errors import DISTRIBUTION

__all__ = ["requirements_of"]


def requirements_of(extra: str) -> list[str]:
    """Give the requirements of one extra of mlkit alone, without those of mlkit itself."""
    marker = f"extra == '{extra}'"
    lines = (line.replace('"', "'") for line in metadata.requires(DISTRIBUTION) or ())
    return [line.partition(";")[0].strip() for line in lines if line.endswith(marker)]


if __name__ == "__main__":
    print("\n".join(requirements_of(sys.argv[1])))  # noqa: T201 - it is a command
