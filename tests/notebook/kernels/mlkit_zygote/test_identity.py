"""What two processes have to have in common, and that any difference is seen."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.notebook.kernels.mlkit_zygote.identity import (
    differences,
    digest,
    install_facts,
    names_at_start,
    process_facts,
    search_path,
)

MINE = {**process_facts(), **install_facts("/one:/two"), "variable.LANG": "C.UTF-8"}


def test_what_is_compared_is_there() -> None:
    """Of the process, the interpreter, its search, and what is installed; twice the same."""
    for name in (
        *("Uid", "Gid", "Groups", "Umask", "SigBlk", "SigIgn", "CapEff", "NoNewPrivs", "nice"),
        *("Seccomp", "Cpus_allowed_list", "limits", "cgroup", "oom_score_adj", "root"),
        *(f"ns.{each}" for each in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")),
    ):
        assert f"process.{name}" in MINE
    assert all(MINE[f"process.{name}"] for name in ("Uid", "Umask", "limits", "nice", "ns.mnt"))
    purelib = sysconfig.get_path("purelib")
    assert {f"installed.{each}" for each in (purelib, "/one", "/two")} <= MINE.keys()
    again = {**process_facts(os.getpid()), **install_facts("/one:/two")}
    # Other tests install things meanwhile.
    different = differences(MINE, {**again, "variable.LANG": "C.UTF-8"})
    assert [each for each in different if not each.startswith("installed.")] == []
    assert digest(MINE) == digest(dict(reversed(MINE.items())))


def test_who_started_a_process_is_no_difference(tmp_path: Path) -> None:
    """`posix_spawn` has it ignore the C library's own signals; a shell, which forks, does not."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from mlkit_zygote import identity; "
    code += "print(identity.process_facts()['process.SigIgn'])"
    line = [sys.executable, "-c", code, str(Path(process_facts.__code__.co_filename).parents[1])]
    place = tmp_path / "spawned"
    to_file = (os.POSIX_SPAWN_OPEN, 1, str(place), os.O_WRONLY | os.O_CREAT, 0o600)
    pid = os.posix_spawn(sys.executable, line, os.environ, file_actions=[to_file])
    assert os.waitpid(pid, 0)[1] == 0
    shell = ["sh", "-c", f"{shlex.join(line)}; true"]
    assert place.read_text() == subprocess.check_output(shell, text=True) != ""


@given(name=st.sampled_from(sorted(MINE)), text=st.text() | st.none())
def test_any_field_that_differs_is_a_difference(name: str, text: str | None) -> None:
    """Another text, or none at all, from either side; and another name to be found under."""
    other = {key: value for key, value in MINE.items() if key != name}
    if text is not None:
        other[name] = text
    expected = [] if text == MINE[name] else [name]
    assert differences(MINE, other) == differences(other, MINE) == expected
    assert (digest(MINE) == digest(other)) == (not expected)


@given(name=st.text(min_size=1), text=st.text())
def test_a_field_that_one_side_alone_has_is_a_difference(name: str, text: str) -> None:
    """An older mlkit compares less: then the two are not alike."""
    other = {**MINE, f"more.{name}": text}
    assert differences(MINE, other) == differences(other, MINE) == [f"more.{name}"]


def test_the_search_is_that_of_a_fresh_interpreter() -> None:
    """What this process has put on its own path does not count; its kernels do not inherit it."""
    found = list(search_path("/one:/two"))
    assert found[:2] == ["/one", "/two"]
    program = "import json, sys; print(json.dumps(sys.path))"
    started = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": "/one:/two"},
        check=True,
        capture_output=True,
        timeout=60,
    )
    fresh = [entry for entry in json.loads(started.stdout) if not entry.endswith(".zip")]
    assert [entry for entry in fresh if entry not in found] == []
    assert [entry for entry in found if entry in fresh] == fresh
    sys.path.insert(0, "/three")
    try:
        assert list(search_path("/one:/two")) == found
    finally:
        sys.path.remove("/three")


@pytest.fixture
def name() -> Iterator[str]:
    """A name that nothing installed has; what the test installs under it goes again."""
    name = f"mlkit_test_{uuid.uuid4().hex}"
    yield name
    for path in Path(sysconfig.get_path("purelib")).glob(f"{name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_whatever_is_installed_changed_or_taken_away_shows(name: str) -> None:
    """Also where the times were set back, as `pip install` of the same version does not."""
    place = Path(sysconfig.get_path("purelib"))
    record, hook = place / f"{name}-1.0.dist-info", place / f"{name}.pth"

    def installed() -> str:
        return install_facts("")[f"installed.{place}"]

    seen = [installed()]
    record.mkdir()
    seen.append(installed())
    (record / "METADATA").write_text("Name: x\nVersion: 1.0\n")
    seen.append(installed())
    times = (record / "METADATA").stat().st_mtime_ns
    (record / "METADATA").write_text("Name: x\nVersion: 2.0\n")
    os.utime(record / "METADATA", ns=(times, times))
    seen.append(installed())
    (place / f"{name}.py").write_text("")
    seen.append(installed())
    hook.write_text("")
    seen.append(installed())
    os.utime(hook)
    seen.append(installed())
    shutil.rmtree(record)
    seen.append(installed())
    assert all(one != other for one, other in pairwise(seen))


def test_an_entry_that_a_hook_adds_is_searched_and_its_names_are_told(
    name: str, tmp_path: Path
) -> None:
    """As an editable installation does it; a variable that a hook reads is named."""
    hook = Path(sysconfig.get_path("purelib"), f"{name}.pth")
    hook.write_text(f"# a remark\n{tmp_path}\nimport os; os.environ.get('{name.upper()}')\n")
    assert str(tmp_path) in search_path("")
    assert name.upper() in names_at_start("")
    before = install_facts("")
    (tmp_path / "numexpr.py").write_text("")
    assert f"installed.{tmp_path}" in differences(before, install_facts(""))
    before = install_facts("")
    (tmp_path / "notes.txt").write_text("")
    assert f"installed.{tmp_path}" not in differences(before, install_facts(""))
