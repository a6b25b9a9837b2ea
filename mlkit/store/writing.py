"""Write a small document in one piece."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mlkit.store.folder import readable_os_errors

__all__ = ["json_text", "write_json"]


def json_text(document: Any) -> str:
    """The text of a JSON document as mlkit writes it."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def write_json(document: Any, path: Path) -> None:
    """Write a JSON document in one piece: aside, then renamed."""
    aside = path.with_name(f".{path.name}-{os.urandom(4).hex()}.part")
    with readable_os_errors(path.parent):
        try:
            aside.write_text(json_text(document), encoding="utf-8", errors="backslashreplace")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
