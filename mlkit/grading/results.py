"""Write what a batch gave: grades.csv, grades.json, feedback pages, and verdicts to resume from."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlkit.errors import DISTRIBUTION
from mlkit.grading.feedback import page
from mlkit.grading.sandbox import Isolation
from mlkit.grading.verdict import Verdict, verdict_from

__all__ = ["Results", "document"]

COLUMNS = ("student", "exercise", "status", "score", "max", "flags", "path")


def document(isolation: Isolation, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The one JSON document of a batch."""
    return {"isolation": isolation, "submissions": [verdict.public() for verdict in verdicts]}


class Results:
    """The folder that a batch writes into.

    Parameters
    ----------
    folder : Path
        It is made when the first verdict comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, path: Path, solution: Path, isolation: Isolation) -> str:
        """The identity of a grading: submission, exercise, grader and isolation."""
        digest = hashlib.sha256()
        parts = (str(path), _content(path), _content(solution), isolation, version(DISTRIBUTION))
        for part in parts:
            digest.update(hashlib.sha256(part.encode(errors="surrogateescape")).digest())
        return digest.hexdigest()

    def remembered(self, key: str) -> Verdict | None:
        """The verdict of an earlier batch on the same submission, if there is one."""
        try:
            record = json.loads(self._verdict_file(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return verdict_from(record)

    def remember(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict, so that a stopped batch can go on behind it."""
        _replace(self._verdict_file(key), json.dumps(asdict(verdict)))

    def _verdict_file(self, key: str) -> Path:
        return self.folder / "verdicts" / f"{key}.json"

    def write(self, isolation: Isolation, verdicts: Sequence[Verdict]) -> None:
        """Write the tables and a feedback page for each submission."""
        table = json.dumps(document(isolation, verdicts), indent=1, ensure_ascii=False)
        _replace(self.folder / "grades.json", table + "\n")
        _replace(self.folder / "grades.csv", _csv(verdicts))
        for verdict in verdicts:
            _replace(self.feedback_file(verdict), page(verdict, isolation))

    def feedback_file(self, verdict: Verdict) -> Path:
        """Where a submission's feedback goes: by student and exercise, made safe for file names."""
        student, stem = _safe(verdict.student), _safe(Path(verdict.path).stem)
        mark = hashlib.sha256(verdict.path.encode(errors="surrogateescape")).hexdigest()[:8]
        return self.folder / "feedback" / student / f"{stem}-{mark}.html"


def _content(path: Path) -> str:
    """The digest of a regular file; other things have none."""
    if path.is_symlink() or not path.is_file():
        return "-"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".")[:80] or "_"


def _csv(verdicts: Sequence[Verdict]) -> str:
    """One row a submission; a text that a spreadsheet would take for a formula is disarmed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for verdict in verdicts:
        record = {**asdict(verdict), "flags": "; ".join(verdict.flags)}
        writer.writerow(_disarmed(record[column]) for column in COLUMNS)
    return text.getvalue()


def _disarmed(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8", errors="backslashreplace")
    aside.replace(path)
