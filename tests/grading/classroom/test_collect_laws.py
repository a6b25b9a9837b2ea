"""Whatever was handed in, by whatever names: every file is one person's, or is listed.

Layouts, rosters and contents are drawn at random; what went in is counted against the four lists.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.errors import GradingError
from mlkit.grading.classroom.collect import MANIFEST, Collecting, Which, collect
from mlkit.grading.classroom.roster import Roster, Student, safe_name
from mlkit.grading.exercise.source import Exercise, load_exercise

NAMES = ("Ann Lee", "Bob van Dyk", "Çid Ü.", "李 明", "O'Neil, Pat", "Ann", "x_1", "a.b")
FILES = (
    *("05-retries.ipynb", "Copy of 05-retries (1).ipynb", "work.ipynb", "05-retries.ipynb.txt"),
    *("notes.txt", ".hidden.ipynb", "data.csv", "b.rar", "näme mit\tTab.ipynb", "con.ipynb"),
)
WAYS = (
    "{name}/{file}",
    "{name}/deep/er/{file}",
    "{flat}_11{n}_9{n}_{file}",
    "{flat}_LATE_11{n}_9{n}_{file}",
    "{name}_5{n}_assignsubmission_file_/{file}",
    "{name}_5{n}_assignsubmission_file_{file}",
    "12-3{n} - {name} - Nov 3, 2026 1145 PM/{file}",
    "hw-{name}/{file}",
    "submitted/{name}/ps1/{file}",
    "{name}_{file}",
    "{file}",
)

file_names = st.sampled_from(FILES)
handed_in = st.tuples(
    st.integers(0, len(NAMES) - 1),
    st.sampled_from(WAYS),
    file_names,
    st.booleans(),
    st.integers(0, 3),
)


@functools.cache
def _few() -> Mapping[str, Exercise]:
    """Two exercises; not a fixture, whose every word would be printed with an example."""
    solutions = Path(__file__).resolve().parents[3] / "solutions"
    return {
        name: load_exercise(solutions / f"{name}.ipynb") for name in ("05-retries", "16-schedules")
    }


def _place(number: int, way: str, file: str) -> str:
    name = NAMES[number]
    flat = "".join(c for c in name.casefold() if c.isalnum())
    return way.format(name=name, flat=flat, n=number, file=file)


def _lay(folder: Path, drawn: Sequence[tuple[int, str, str, bool, int]]) -> dict[str, bytes]:
    """Write what was drawn; place → content, archives taken apart."""
    put: dict[str, bytes] = {}
    packs: dict[str, dict[str, bytes]] = {}
    for number, way, file, packed, version in drawn:
        place = _place(number, way, file)
        content = json.dumps({"cells": [], "v": version}).encode()
        head, _, rest = place.partition("/")
        if packed and rest:
            packs.setdefault(head, {})[rest] = content
            put[f"{head}.zip/{rest}"] = content
        else:
            put[place] = content
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(content)
    for head, files in packs.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for rest, content in files.items():
                archive.writestr(rest, content)
        (folder / f"{head}.zip").write_bytes(buffer.getvalue())
    return put


@given(
    drawn=st.lists(handed_in, max_size=12),
    on_roster=st.sets(st.integers(0, len(NAMES) - 1)),
    which=st.sampled_from(("last", "first", "on-time", "best")),
    groups=st.sampled_from(("", "G")),
)
@settings(max_examples=30, deadline=None)
def test_every_file_is_one_persons_or_is_listed(
    drawn: list[tuple[int, str, str, bool, int]],
    on_roster: set[int],
    which: Which,
    groups: str,
) -> None:
    """Each exactly once; what counts has its bytes; two people never share a folder."""
    few = _few()
    people = tuple(
        Student(
            id=f"s{n}",
            name=NAMES[n],
            group=groups and f"{groups}{n % 2}",
            keys={"canvas": f"11{n}"},
        )
        for n in sorted(on_roster)
    )
    base = Path(tempfile.mkdtemp())
    try:
        (base / "in").mkdir()
        put = _lay(base / "in", drawn)
        job = Collecting(
            paths=[base / "in"], out=base / "out", exercises=few, roster=Roster(people), which=which
        )
        try:
            document = collect(job)
        except GradingError as error:
            told = error.message
        else:
            told = ""
        if told:
            assert told.startswith("no notebook of anybody")
            assert not (base / "out" / MANIFEST).exists()
            return
        lists = ("submissions", "superseded", "not_understood", "passed_over")
        listed = Counter(row["source"] for name in lists for row in document[name])
        assert {place: listed[place] for place in put} == dict.fromkeys(put, 1)
        owners: dict[str, tuple[str, ...]] = {}
        for row in document["submissions"]:
            assert (base / "out" / row["file"]).read_bytes() == put[row["source"]]
            folder = row["file"].split("/")[0].casefold()
            assert owners.setdefault(folder, tuple(sorted(row["students"]))) == tuple(
                sorted(row["students"])
            )
            if people:
                assert set(row["students"]) <= {student.id for student in people}
        assert all(row["fact"] and row["remedy"] for row in document["not_understood"])
        files = {str(p.relative_to(base / "out")) for p in (base / "out").rglob("*") if p.is_file()}
        assert files == {MANIFEST, *(row["file"] for row in document["submissions"])}
        assert collect(job) == document
    finally:
        shutil.rmtree(base)


@given(names=st.lists(st.text(max_size=300), max_size=8))
def test_names_of_folders_are_safe_and_each_is_one(names: list[str]) -> None:
    """On any system: no separator, nothing hidden, no two that differ in case alone."""
    taken: list[str] = []
    for name in names:
        taken.append(safe_name(name, taken))
    assert len({name.casefold() for name in taken}) == len(taken)
    for name in taken:
        assert name.strip(".") == name
        assert not set(name) & set('/\\:*?"<>|\0')
        assert 0 < len(name.encode()) <= 100
