"""Which notebooks were found to need a stock kernel, remembered between runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["StockList", "code_digest"]

FILE = ".stock-kernels"


def code_digest(document: Mapping[str, Any]) -> str:
    """Identify a notebook by its code cells, as they stand in their source."""
    code = [
        "".join(cell.get("source", ""))
        for cell in document["cells"]
        if cell.get("cell_type") == "code"
    ]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class StockList:
    """A small file in the runs folder: the digest of a notebook and a reason on each line.

    It saves time and decides nothing: a file that cannot be read or written costs a second start.

    Parameters
    ----------
    folder : Path
        The runs folder.
    """

    folder: Path

    def reason_for(self, digest: str) -> str:
        """Why a notebook needs a stock kernel; an empty text if it is not known to."""
        for line in reversed(list(self._lines())):
            known, _, reason = line.partition(" ")
            if known == digest:
                return reason
        return ""

    def add(self, digest: str, reason: str) -> None:
        """Remember that a notebook needs one."""
        with contextlib.suppress(OSError), (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(f"{digest} {' '.join(reason.split())}\n")

    def _lines(self) -> Iterable[str]:
        try:
            return (self.folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ()
