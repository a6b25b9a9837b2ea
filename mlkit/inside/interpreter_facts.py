"""What an interpreter says of itself and of what is installed for it.

It is imported by mlkit, and run by its path under another environment's Python, which prints what
is asked here: so it needs the standard library only.
"""

from __future__ import annotations

import json
import os
import platform
import site
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

__all__ = ["facts"]


def facts() -> dict[str, Any]:
    """Give the version, where installed modules stand, and which modules need no file."""
    paths = sysconfig.get_paths()
    sites = [*site.getsitepackages(), site.getusersitepackages()]
    folders = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [os.path.dirname(os.__file__), *sites]
    folders += [sys.prefix] if sys.prefix != sys.base_prefix else []
    return {
        "version": platform.python_version(),
        "folders": list(
            dict.fromkeys(f for each in folders for f in (each, os.path.realpath(each)))
        ),
        "sites": sites,
        "path": [entry for entry in sys.path if entry],
        "builtin": sorted(sys.builtin_module_names),
        "stdlib": sorted(getattr(sys, "stdlib_module_names", sys.builtin_module_names)),
        "suffixes": list(EXTENSION_SUFFIXES),
    }


if __name__ == "__main__":
    print(json.dumps(facts()))  # noqa: T201 - the answer to who runs it
