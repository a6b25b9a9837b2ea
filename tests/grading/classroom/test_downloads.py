"""Whatever stands in a download is met once, and nothing of it ends the walk."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.errors import GradingError
from mlkit.grading.classroom.downloads import Bounds, walk
from mlkit.grading.classroom.lateness import parse_late_rule, parse_time
from mlkit.grading.tables import read_table, table_text
from mlkit.testing.sample_class import write_sample
from tests.documents import check_document


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files.items():
            archive.writestr(place, content)
    return buffer.getvalue()


WHOLE = _zip({"ann/a.ipynb": b"{}" * 50, "b.zip": _zip({"c.ipynb": b"1"}), "ü.ipynb": b"2" * 3000})


@given(
    edits=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, len(WHOLE)),
)
@settings(deadline=None)
def test_a_damaged_archive_is_told_and_never_raises(edits: list[tuple[int, int]], cut: int) -> None:
    """Any bytes changed, any end cut off: each item is whole, or says what is wrong with it."""
    _walk_damaged(edits, cut)


@pytest.mark.parametrize("byte", [0, 255])
def test_no_byte_of_an_archive_is_relied_upon(byte: int) -> None:
    """Each one in its turn; so that a name may end before it has begun."""
    for place in range(len(WHOLE)):
        _walk_damaged([(place, byte)], 0)


def _walk_damaged(edits: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(WHOLE)
    for place, byte in edits:
        content[place] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.zip"
        path.write_bytes(bytes(content[: cut or None]))
        for item in walk(path):
            assert item.parts
            assert bool(item.content) + bool(item.trouble) + bool(item.noise) == 1
            assert bool(item.trouble) == bool(item.remedy)


def test_bounds_hold_for_an_archive_within_archives(tmp_path: Path) -> None:
    """Depth, names and bytes are counted over all of a path; the rest is still met."""
    deep = _zip({"x.ipynb": b"1"})
    for _ in range(6):
        deep = _zip({"in.zip": deep})
    (tmp_path / "deep.zip").write_bytes(deep)
    (tmp_path / "many.zip").write_bytes(_zip({f"{n}.ipynb": b"1" for n in range(30)}))
    (tmp_path / "wide.zip").write_bytes(_zip({f"{n}.ipynb": b"1" * 600 for n in range(9)}))
    (tmp_path / "z.ipynb").write_bytes(b"{}")
    items = list(walk(tmp_path, Bounds(files=20, total_bytes=6000)))
    troubles = [item.trouble for item in items if item.trouble]
    assert "an archive within too many others" in troubles
    assert "an archive of 30 files" in troubles
    assert "far larger than its archive lets on" in troubles
    assert [item.parts for item in items if item.content][-1] == ("z.ipynb",)
    assert sum(len(item.content) for item in items) < 6100


@pytest.mark.parametrize("inside", [False, True])
def test_an_archive_that_swells_costs_its_neighbours_nothing(
    inside: bool,  # noqa: FBT001 - a parameter of pytest
    tmp_path: Path,
) -> None:
    """Its own part of what may come out ends, and theirs is still there."""
    bomb = _zip({f"{n}.ipynb": b"0" * 9000 for n in range(90)})
    files = {"ann.zip": bomb, "bob.zip": _zip({"x.ipynb": os.urandom(9000)})}
    if inside:
        files = {"class.zip": _zip(files)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    bounds = Bounds(file_bytes=10_000, total_bytes=600_000, archive_bytes=400_000, times=20)
    items = [item for item in walk(tmp_path, bounds) if not item.noise]
    assert items[-1].place.endswith("bob.zip/x.ipynb")
    assert len(items[-1].content) == 9000
    assert {item.trouble for item in items} == {"", "far larger than its archive lets on"}


def _many_names(count: int, name: bytes) -> bytes:
    """An archive that has nothing but a long list of files, as packed as it can be handed in."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, *[0] * 4, 0, 0, 0, len(name),
                        *[0] * 4, 0, 0) + name  # fmt: skip
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 65536, count % 65536,
                      count * len(entry), 0, 0)  # fmt: skip
    return _zip({"in.zip": entry * count + end})


@pytest.mark.parametrize(
    ("count", "name", "trouble"),
    [
        (2_500_000, b"", "an archive whose list of files is too long to read"),
        (60_000, b"x.ipynb", "an archive of 60000 files"),
        (1_000, b"\xfc" * 60_000, "an archive of names that are too long"),
    ],
)
@pytest.mark.long
def test_a_list_of_files_that_is_far_too_long_is_not_read(
    count: int, name: bytes, trouble: str, tmp_path: Path
) -> None:
    """Some kilobytes can stand for millions of names, and gigabytes of memory."""
    path = tmp_path / "ann.zip"
    path.write_bytes(_many_names(count, name))
    assert path.stat().st_size < 600_000
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    assert [item.trouble for item in walk(path, Bounds(times=3_000))] == [trouble]
    assert psutil.Process().memory_info().rss - before < 400_000_000
    assert time.monotonic() - begun < 60


def test_what_is_no_file_is_listed_and_never_opened(tmp_path: Path) -> None:
    """A pipe would keep a reader waiting for ever."""
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.ipynb").write_text("{}", encoding="utf-8")
    told = {item.place: item.trouble or item.noise for item in walk(tmp_path)}
    assert told == {
        ".git": "hidden",
        "loop": "a link to a folder, which is not followed",
        "pipe.ipynb": "no regular file",
    }


def test_what_may_not_be_read_is_listed_and_the_rest_is_collected(tmp_path: Path) -> None:
    """A folder, a notebook and an archive without rights, as an ordinary user meets them."""
    write_sample(tmp_path)
    with zipfile.ZipFile(tmp_path / "download.zip") as archive:
        archive.extractall(tmp_path / "class")
    for name in ("zoe", "yan"):
        (tmp_path / "class" / name).mkdir()
        (tmp_path / "class" / name / "05-retries.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "class" / "zip.zip").write_bytes(b"PK")
    shut = [tmp_path / "class" / name for name in ("zoe", "yan/05-retries.ipynb", "zip.zip")]
    for path in shut:
        path.chmod(0)
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    line = [*(drop if os.geteuid() == 0 else []), sys.executable, "-m", "mlkit", "class", "collect"]
    done = subprocess.run(
        [*line, str(tmp_path / "class"), "--to", str(tmp_path / "out"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    for path in shut:
        path.chmod(0o700)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    check_document("class collect", document)
    assert len(document["submissions"]) == 4
    told = {row["source"]: row["fact"] for row in document["not_understood"]}
    for name in ("zoe", "yan/05-retries.ipynb", "zip.zip"):
        assert "cannot be read (Permission denied)" in told[name]


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_table_is_read_or_refused_with_a_remedy(content: bytes) -> None:
    """Never another exception; every row knows its line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(content)
        try:
            table = read_table(path)
        except GradingError as error:
            told = error.remedy
        else:
            told = "read"
            assert all(row.line > 0 for row in table.rows)
        assert told


texts = st.text(
    st.characters(exclude_characters="\r\n\t", exclude_categories=("Cs", "Cc", "Zs")), max_size=9
)


@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_is_written_is_read_again(rows: list[list[str]]) -> None:
    """But for the mark that disarms a formula; a line of nothing is no row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text(table_text(["a", "b", "c"], rows), encoding="utf-8")
        found = [[row.cells[name] for name in "abc"] for row in read_table(path).rows]
    armed = ("=", "+", "-", "@")
    expected = [[f"'{t}" if t.startswith(armed) else t for t in row] for row in rows if any(row)]
    assert found == expected


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Whatever platforms write; a time always knows its zone."""
    moment = parse_time(text)
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-02-02 14:58:23.948203 UTC", "2015-02-02T14:58:23.948203+00:00"),
        ("2026-10-01T23:59+02:00", "2026-10-01T23:59:00+02:00"),
        ("2026-10-01T23:59:00Z", "2026-10-01T23:59:00+00:00"),
        ("Nov 3, 2026 1145 PM", "2026-11-03T23:45:00+01:00"),
        ("Thursday, 1 October 2026, 8:05 PM", "2026-10-01T20:05:00+02:00"),
        ("2015-02-02 14:58:23 America/Los_Angeles", "2015-02-02T14:58:23-08:00"),
        ("Sept 3, 2026 905 AM", "2026-09-03T09:05:00+02:00"),
        ("soon", None),
        ("12", None),
    ],
)
def test_times_of_platforms_are_understood(text: str, expected: str | None) -> None:
    """With their own zone, or the teacher's, summer and winter."""
    from zoneinfo import ZoneInfo

    moment = parse_time(text, ZoneInfo("Europe/Berlin"))
    assert (moment.isoformat() if moment else None) == expected


@pytest.mark.parametrize(
    ("rule", "grace", "late_s", "off"),
    [
        ("none", "0s", 1e6, 0),
        ("zero", "0s", 1, 1),
        ("zero", "15m", 900, 0),
        ("10%", "0s", 1e6, 0.1),
        ("10% per day", "0s", 1, 0.1),
        ("10%/day", "0s", 86400, 0.1),
        ("10% per day", "0s", 86401, 0.2),
        ("10% per day up to 25%", "0s", 1e6, 0.25),
        ("2,5% an hour, at most 50%", "0s", 7200, 0.05),
        ("100% per week", "1d", 86401, 1),
    ],
)
def test_a_rule_takes_off_what_it_says(rule: str, grace: str, late_s: float, off: float) -> None:
    """For every unit that was begun, never more than its most, nothing within the grace."""
    assert parse_late_rule(rule, grace).off(late_s) == off


@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_later_is_never_cheaper(one: float, other: float) -> None:
    """And never costs more than there is."""
    rule = parse_late_rule("3% per hour up to 60%", "10m")
    first, last = sorted((one, other))
    assert 0 <= rule.off(first) <= rule.off(last) <= 0.6
