"""Collect what a class handed in: which of several counts, what is missing, and the folder of it.

Every file below the paths ends in exactly one of four lists: it counts, another one counts in its
place, it is not understood (with what to do about it), or nobody misses it (no notebook, hidden).
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from mlkit.errors import GradingError
from mlkit.grading.classroom.handed_in import Collecting, Piece, Tally, Which, read_path
from mlkit.grading.classroom.roster import Roster, Student, safe_name
from mlkit.grading.submissions import COLLECTION
from mlkit.grading.tables import write_whole

__all__ = ["MANIFEST", "WAYS", "Collecting", "Which", "collect", "read_collection"]

MANIFEST: Final = COLLECTION
VERSION: Final = 1
WAYS: Final = get_args(Which)


def collect(job: Collecting) -> dict[str, Any]:
    """Collect, and write the collection.

    Parameters
    ----------
    job : Collecting
        What to collect, and how.

    Returns
    -------
    dict
        `{"submissions", "superseded", "not_understood", "passed_over", "missing", "notes", …}`,
        which is what `collection.json` holds.

    Raises
    ------
    GradingError
        If a path is missing, nothing was handed in, or the folder holds something else; then
        nothing was written.
    """
    earlier = _earlier(job.out)
    if not len(job.roster) and earlier is not None and earlier["has_roster"]:
        job = replace(job, roster=_roster_in(earlier))
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="mlkit-") as folder:
        stage = Path(folder)
        for path in job.paths:
            if not path.exists():
                raise GradingError(
                    "there is no such file or folder",
                    path,
                    remedy="Name the folder or zip that the platform gave you.",
                )
            read_path(path, job, stage, tally)
        roots = {str(path.absolute()) for path in job.paths}
        if earlier is not None:
            _add_earlier(earlier, roots, job, stage, tally)
        if not tally.pieces:
            told = "; ".join(f"{o['source']}: {o['fact']}. {o['remedy']}" for o in tally.odd[:3])
            raise GradingError(
                f"no notebook of anybody is in {', '.join(map(str, job.paths))}",
                remedy=told or "Name the folder or zip that the platform gave you.",
            )
        document, files = _document(job, tally)
        _write(job.out, document, files, earlier)
    return document


def _earlier(out: Path) -> dict[str, Any] | None:
    """What an earlier collection left in the folder; None for a new one."""
    if out.exists() and not out.is_dir():
        raise GradingError("this is a file, and a folder is wanted", out, remedy="Give --to DIR.")
    if (out / MANIFEST).exists():
        return read_collection(out)
    if out.is_dir() and any(out.iterdir()):
        raise GradingError(
            "the folder holds something else than a collection",
            out,
            remedy="Give a new folder with --to DIR; nothing was written.",
            code="E806",
        )
    return None


def read_collection(folder: Path) -> dict[str, Any]:
    """Read a collection's `collection.json`.

    Raises
    ------
    GradingError
        If it is no such file.
    """
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        good = document["version"] == VERSION and all(
            isinstance(s["file"], str) and isinstance(s["students"], list)
            for s in document["submissions"]
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise GradingError(
            "this is not a collection that mlkit has written",
            path,
            remedy="Collect again into a new folder.",
        ) from error
    if not good:
        raise GradingError(
            "this collection is of another version of mlkit", path, remedy="Collect again."
        )
    return dict(document)


def _roster_in(document: Mapping[str, Any]) -> Roster:
    return Roster(tuple(Student(**student) for student in document["roster"]))


def _add_earlier(
    earlier: Mapping[str, Any], roots: set[str], job: Collecting, stage: Path, tally: Tally
) -> None:
    """What was collected before from other paths stays, as if it were read again now."""
    people = {student.id: student for student in _roster_in(earlier)}
    for known in earlier["submissions"]:
        if known["root"] in roots:
            continue
        place = job.out / known["file"]
        try:
            content = place.read_bytes()
        except OSError as error:
            tally.refuse(
                known["root"],
                known["source"],
                f"was collected into {known['file']}, which cannot be read ({error.strerror})",
                "Collect its path again.",
            )
            continue
        tally.people |= {name: people[name] for name in known["students"] if name in people}
        staged = stage / f"{known['digest']}.ipynb"
        staged.write_bytes(content)
        piece = Piece.from_public(known, staged)
        due = job.deadlines.due(piece.students, piece.exercise)
        tally.pieces.append(piece.timed(job.deadlines) if due else piece)
    for name, found in (("not_understood", tally.odd), ("passed_over", tally.noise)):
        found += [dict(row) for row in earlier[name] if row["root"] not in roots]


def _chosen(pieces: Sequence[Piece], which: Which) -> list[Piece]:
    """Which of several by one student or group for one exercise count."""
    if which == "best":
        return sorted(pieces, key=lambda piece: piece.rank)
    if which == "first":
        return [min(pieces, key=lambda piece: piece.rank)]
    if which == "on-time":
        timely = [piece for piece in pieces if not piece.off and not piece.late]
        if not timely:
            return [min(pieces, key=lambda piece: (piece.off, piece.rank))]
        pieces = timely
    return [max(pieces, key=lambda piece: piece.rank)]


def _document(job: Collecting, tally: Tally) -> tuple[dict[str, Any], dict[str, Path]]:
    """The whole collection, and file → what goes into it."""
    heaps: dict[tuple[str, str], list[Piece]] = {}
    for piece in tally.pieces:
        heaps.setdefault((piece.unit, piece.exercise or f"?{piece.stem}"), []).append(piece)
    counting: list[dict[str, Any]] = []
    beaten: list[dict[str, Any]] = []
    files: dict[str, Path] = {}
    folders = _folders(unit for unit, _ in heaps)
    for (unit, _), heap in sorted(heaps.items()):
        single, copies = _without_copies(heap)
        beaten += [{**copy.public(), "why": "the same file again"} for copy in copies]
        chosen = _chosen(single, job.which)
        if len(single) > len({piece.rank[:2] for piece in single}) and job.which != "best":
            tally.notes.append(
                f"{unit} handed in {chosen[0].exercise or chosen[0].stem} {len(single)} times, and "
                f"nothing says which came last: {chosen[0].source} counts. Give --times TABLE; "
                "if they are of different people, say by --student PATTERN where the name stands."
            )
        for piece in single:
            if piece not in chosen:
                why = f"another one counts ({job.which}): {chosen[0].source}"
                beaten.append({**piece.public(), "why": why})
        for piece in chosen:
            taken = (
                name.split("/")[1][:-6] for name in files if name.startswith(f"{folders[unit]}/")
            )
            stem = safe_name(piece.exercise or piece.stem, taken)
            file = f"{folders[unit]}/{stem}.ipynb"
            files[file] = piece.staged
            counting.append({**piece.public(), "file": file})
            if not piece.exercise:
                tally.notes.append(f"{file} answers no exercise that has a solution here.")
            if piece.told_late and piece.late_s is None:
                tally.notes.append(
                    f"{piece.source} is told late, and not how late: give --due and --times."
                )
    return _whole(job, tally, counting, beaten), files


def _folders(units: Iterable[str]) -> dict[str, str]:
    """Student or group → the name of its folder."""
    names: dict[str, str] = {}
    for unit in sorted(set(units)):
        names[unit] = safe_name(unit, names.values())
    return names


def _without_copies(heap: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """One of each content, the earliest: to hand in the same again is not to be late."""
    kept: dict[str, Piece] = {}
    copies: list[Piece] = []
    for piece in sorted(heap, key=lambda piece: piece.rank):
        if piece.digest in kept:
            copies.append(piece)
        else:
            kept[piece.digest] = piece
    return list(kept.values()), copies


def _whole(
    job: Collecting,
    tally: Tally,
    counting: list[dict[str, Any]],
    beaten: list[dict[str, Any]],
) -> dict[str, Any]:
    people = list(job.roster) or sorted(tally.people.values(), key=lambda student: student.id)
    there = {(student, s["exercise"]) for s in counting for student in s["students"]}
    asked = sorted(
        {s["exercise"] for s in counting if s["exercise"]} | set(job.deadlines.by_exercise) - {""}
    )
    missing = [
        {"student": student.id, "exercise": exercise}
        for student in people
        for exercise in asked
        if len(job.roster) and (student.id, exercise) not in there
    ]
    return {
        "version": VERSION,
        "which": job.which,
        "late": job.deadlines.rule.text,
        "has_roster": bool(len(job.roster)),
        "roster": [student.public() for student in people],
        "exercises": asked,
        "layouts": dict(Counter(s["layout"] for s in counting)),
        "submissions": counting,
        "superseded": beaten,
        "not_understood": tally.odd,
        "passed_over": tally.noise,
        "missing": missing,
        "same_files": _same_files(counting),
        "notes": list(dict.fromkeys(tally.notes)),
    }


def _same_files(counting: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files that several students or groups handed in byte for byte."""
    owners: dict[str, list[str]] = {}
    for submission in counting:
        owners.setdefault(submission["digest"], []).append(submission["file"])
    return [{"digest": d, "files": files} for d, files in owners.items() if len(files) > 1]


def _write(
    out: Path,
    document: Mapping[str, Any],
    files: Mapping[str, Path],
    earlier: Mapping[str, Any] | None,
) -> None:
    """Write the files, take away those that count no more, and last say what there is."""
    try:
        for file, staged in files.items():
            write_whole(out / file, staged.read_bytes())
        for known in earlier["submissions"] if earlier else ():
            if known["file"] not in files:
                (out / known["file"]).unlink(missing_ok=True)
        text = json.dumps(document, indent=1, ensure_ascii=True)
        write_whole(out / MANIFEST, text + "\n")
    except OSError as error:
        raise GradingError(
            f"the collection cannot be written: {error.strerror or error}", out
        ) from error
