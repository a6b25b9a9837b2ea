"""Write what a batch gave: grades.csv, grades.json, feedback pages, and verdicts to resume from."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.batch_text import printable
from mlkit.grading.exercise.source import exercise_identity
from mlkit.grading.feedback import page
from mlkit.grading.sandbox.walls import Isolation
from mlkit.grading.tables import disarmed, held_alone, write_whole
from mlkit.grading.teachers_own import TeachersOwn, read_teachers_own
from mlkit.grading.verdict.verdict import Verdict, verdict_from

__all__ = ["REGRADES", "Results", "document", "feedback_place"]

WRITE_EVERY_S = 2.0
"""How often the tables are written while a batch runs."""
REGRADES = "regrades.jsonl"
TABLE = "grades.csv"
COLUMNS = ("student", "exercise", "status", "score", "max", "flags", "path")


def document(isolation: Isolation, solutions: Path, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The one JSON document of a batch: how code was run, by what it was judged, and the grades."""
    return {
        "isolation": isolation,
        "solutions": str(solutions),
        "submissions": [verdict.public() for verdict in verdicts],
    }


class Results:
    """The folder that a batch writes into.

    Parameters
    ----------
    folder : Path
        It is made when the first verdict comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before: dict[str, dict[str, Any]] = {}
        self._so_far: list[Verdict] = []
        self._written_s = time.monotonic()
        self._changes: list[dict[str, Any]] = []

    def prepare(self) -> None:
        """See that the folder can be written, and that what is in it can be added to.

        Raises
        ------
        GradingError
            If it cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / ".mlkit", "")
            (self.folder / ".mlkit").unlink(missing_ok=True)  # another batch may try it, too
        except OSError as error:
            reason = error.strerror or str(error)
            raise GradingError(f"grades cannot be written there: {reason}", self.folder) from error
        self._before = {row["path"]: row for row in self._earlier()}
        read_teachers_own(self.folder / TABLE, COLUMNS)

    def key(self, path: Path, isolation: Isolation) -> str:
        """The identity of a grading: submission, isolation, and the grader to the last line."""
        digest = hashlib.sha256()
        for part in (str(path), _content(path), isolation, _grader()):
            digest.update(hashlib.sha256(part.encode(errors="surrogateescape")).digest())
        return digest.hexdigest()

    def remembered(self, key: str, solutions: Path) -> Verdict | None:
        """The verdict of an earlier batch on the same submission, by the same solution."""
        try:
            record = json.loads(self._verdict_file(key).read_text(encoding="utf-8"))
            verdict = verdict_from(record["verdict"])
            solution = exercise_identity(solutions / f"{verdict.exercise}.ipynb")
            return verdict if record["solution"] == solution else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None  # of another version, or of somebody else: it is graded again

    def remember(self, key: str, verdict: Verdict, solutions: Path) -> None:
        """Keep a verdict, so that a stopped batch can go on behind it."""
        solution = exercise_identity(solutions / f"{verdict.exercise}.ipynb")
        record = {"solution": solution, "verdict": asdict(verdict)}
        write_whole(self._verdict_file(key), json.dumps(record))

    def _verdict_file(self, key: str) -> Path:
        return self.folder / "verdicts" / f"{key}.json"

    def tell(self, isolation: Isolation, solutions: Path, verdict: Verdict) -> None:
        """Make a verdict readable while others are still to come."""
        write_whole(self.feedback_file(verdict), page(verdict, isolation))
        self._so_far.append(verdict)
        self._note_change(verdict)
        if time.monotonic() - self._written_s >= WRITE_EVERY_S:
            self._tables(isolation, solutions, self._so_far, complete=False)

    def write(self, isolation: Isolation, solutions: Path, verdicts: Sequence[Verdict]) -> None:
        """Write the tables and a feedback page for each submission.

        Rows of an earlier batch that this one says nothing of stay, and so do columns that somebody
        has added to grades.csv.
        """
        self._tables(isolation, solutions, verdicts, complete=True)
        told = {verdict.path for verdict in self._so_far}
        for verdict in verdicts:
            if verdict.path not in told:
                self._note_change(verdict)
            write_whole(self.feedback_file(verdict), page(verdict, isolation))

    def changes_text(self) -> list[str]:
        """What this batch graded otherwise than an earlier one, a line each."""
        return [
            printable(
                f"changed: {c['student']}/{c['exercise']}: {c['before']['score']:g} → "
                f"{c['after']['score']:g}"
            )
            for c in self._changes
        ]

    def _note_change(self, verdict: Verdict) -> None:
        """Keep what a regrade changed in regrades.jsonl, a line a change."""
        after = verdict.public()
        before = self._before.get(after["path"])
        if before is None or before.get("checks") is None or _marks(before) == _marks(after):
            return
        change = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **{name: after[name] for name in ("path", "student", "exercise")},
            "before": _marks(before),
            "after": _marks(after),
        }
        self._changes.append(change)
        with (self.folder / REGRADES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(change) + "\n")

    def _tables(
        self, isolation: Isolation, solutions: Path, verdicts: Sequence[Verdict], *, complete: bool
    ) -> None:
        whole = document(isolation, solutions, verdicts)
        if not complete:
            whole["complete"] = False
        with held_alone(self.folder):
            whole["submissions"] = _merged(self._earlier(), whole["submissions"])
            text = json.dumps(whole, indent=1, ensure_ascii=False)
            own = read_teachers_own(self.folder / TABLE, COLUMNS)
            write_whole(self.folder / TABLE, _csv(whole["submissions"], own))
            write_whole(self.folder / "grades.json", text + "\n")
        self._written_s = time.monotonic()

    def _earlier(self) -> list[dict[str, Any]]:
        """The rows that stand in grades.json.

        Raises
        ------
        GradingError
            If it is no such file.
        """
        path = self.folder / "grades.json"
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))["submissions"]
            if all(isinstance(row[name], str) for row in rows for name in ("path", "student")):
                return [{**dict.fromkeys((*COLUMNS, "checks")), **row} for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass  # told below
        raise GradingError(
            "this file is not one that mlkit has written, and grades would be added to it",
            path,
            remedy="Move it away, or give another --out DIR.",
            code="E806",
        )

    def feedback_file(self, verdict: Verdict) -> Path:
        """Where a submission's feedback goes: by student and exercise, made safe for file names."""
        return self.folder / feedback_place(verdict.student, verdict.path)


def feedback_place(student: str, path: str) -> str:
    """Where below the grades' folder the feedback on a submission stands."""
    mark = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"feedback/{_safe(student)}/{_safe(Path(path).stem)}-{mark}.html"


def _marks(row: Mapping[str, Any]) -> dict[str, Any]:
    """What counts when two gradings of one submission are compared."""
    checks = {check["id"]: check["points"] for check in row.get("checks") or ()}
    return {"status": row["status"], "score": row["score"], "checks": checks}


def _content(path: Path) -> str:
    """The digest of a regular file; other things, and what cannot be read, have none."""
    try:
        if path.is_symlink() or not path.is_file():
            return "-"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "-"


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".")[:80] or "_"


def _merged(
    earlier: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """All rows, the new ones in place of earlier ones, by path: whatever was graded when."""
    rows = {row["path"]: row for row in (*earlier, *new)}
    return [rows[path] for path in sorted(rows)]


@functools.cache
def _grader() -> str:
    """The identity of the grader: its own source, and what it runs answers with.

    What is done with grades (`classroom`) gives none, and may change without another grading.
    """
    here = Path(__file__).parent
    mine = [p for p in sorted(here.rglob("*.py")) if here / "classroom" not in p.parents]
    files = [*mine, *sorted(here.parent.glob("inside/checks/*.py"))]
    return " ".join([*map(_content, files), sys.version, version("ipykernel"), version("nbval")])


def _csv(rows: Sequence[Mapping[str, Any]], own: TeachersOwn) -> str:
    """One row a submission. What somebody has added to the table is theirs, and stays as it is."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *own.titles])
    for row in rows:
        record = {**row, "flags": "; ".join(row["flags"] or ())}
        mine = [disarmed(record[column]) for column in COLUMNS]
        theirs = own.cells.get(str(disarmed(row["path"])), {})
        writer.writerow([*mine, *(theirs.get(title, "") for title in own.titles)])
    writer.writerows([line[title] for title in (*COLUMNS, *own.titles)] for line in own.lines)
    return text.getvalue()
