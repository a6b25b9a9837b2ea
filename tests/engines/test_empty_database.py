"""An engine's empty database is made once, however many ask, and copied for each run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit.engines.empty_database import empty_database
from mlkit.engines.prefect.launch import prepare_home
from mlkit.errors import EngineError

MAKES = """#!/bin/sh
echo "$@" >> "{calls}"
sleep 0.1
echo tables > "${{PREFECT_HOME:-$HOME_OF_IT}}/{database}"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Where the engine's Python notes what it was called with."""
    return tmp_path / "calls"


def _python(tmp_path: Path, script: str) -> Path:
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(script, encoding="utf-8")
    python.chmod(0o755)
    return python


def test_many_at_once_make_one_database(tmp_path: Path, calls: Path) -> None:
    """The engine is called once; all get the same file, whole."""
    python = _python(tmp_path, MAKES.format(calls=calls, database="x.db"))

    def made(_: int) -> Path:
        return empty_database(
            python, "engine", ("make",), lambda home: {"HOME_OF_IT": str(home)}, "x.db"
        )

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(made, range(24)))
    assert [path.read_text("utf-8") for path in found] == ["tables\n"]
    assert calls.read_text("utf-8") == "-P -m engine make\n"


def test_an_engine_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    """The next one asks it again."""
    python = _python(tmp_path, "#!/bin/sh\necho disk is full >&2\nexit 1\n")
    with pytest.raises(EngineError, match=r"Engine cannot make its database; .*: disk is full"):
        empty_database(python, "engine", ("make",), lambda _: {}, "x.db")
    assert list((tmp_path / "environment").glob("*.db")) == []


def test_prefect_finds_its_tables_in_each_new_home(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a home has already stays; a database that somebody names is never touched."""
    python = _python(tmp_path, MAKES.format(calls=calls, database="prefect.db"))
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    for name in ("one", "two"):
        prepare_home(python, tmp_path / name)
        assert (tmp_path / name / "prefect.db").read_text("utf-8") == "tables\n"
    (tmp_path / "one" / "prefect.db").write_text("runs", encoding="utf-8")
    prepare_home(python, tmp_path / "one")
    assert (tmp_path / "one" / "prefect.db").read_text("utf-8") == "runs"
    assert calls.read_text("utf-8") == "-P -m prefect server database upgrade --yes\n"
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql://somebody/prefect")
    prepare_home(python, tmp_path / "three")
    assert list((tmp_path / "three").iterdir()) == []
