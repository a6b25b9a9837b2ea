"""What to type to get what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.engines.registry import ENGINES
from mlkit.engines.remedies import engine_remedy, install_remedy, make_command

MAKEFILE = """\
BIN := .venv/bin
install: $(STAMP)  ## everything
airflow: install
\t$(BIN)/mlkit run
prefect := no target
"""


@pytest.mark.parametrize(
    ("target", "said"),
    [("install", "make install"), ("airflow", "make airflow"), ("prefect", None), ("air", None)],
)
def test_make_is_named_where_there_is_the_target(
    tmp_path: Path, target: str, said: str | None
) -> None:
    """A variable of that name is none, and neither is a folder without a Makefile."""
    assert make_command(target, tmp_path) is None
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    assert make_command(target, tmp_path) == said


@pytest.mark.parametrize("engine", ENGINES.values(), ids=str)
def test_an_engine_is_got_without_make_elsewhere(tmp_path: Path, engine: object) -> None:
    """What is to be typed names packages, not mlkit's own extras, and no make."""
    chosen = next(item for item in ENGINES.values() if item is engine)
    said = engine_remedy(chosen, tmp_path)
    assert "make " not in said
    assert chosen.package in said
    assert chosen.python_variable in said
    (tmp_path / "Makefile").write_text(f"{chosen.name}:\n", encoding="utf-8")
    assert f"'make {chosen.name}'" in engine_remedy(chosen, tmp_path)
    (tmp_path / "Makefile").write_text("engines: x\n")
    assert f"'make engines ENGINES={chosen.name}'" in engine_remedy(chosen, tmp_path)


def test_what_is_missing_is_named_as_it_is_installed(tmp_path: Path) -> None:
    """By its own name, quoted for a shell."""
    assert install_remedy(tmp_path, ["rich>=14.2"]) == "pip install 'rich>=14.2'"
    (tmp_path / "requirements.lock").touch()
    assert install_remedy(tmp_path) == "Install again: pip install -r requirements.lock"
    (tmp_path / "Makefile").write_text("install:\n", encoding="utf-8")
    assert install_remedy(tmp_path) == "Install again: make install"
