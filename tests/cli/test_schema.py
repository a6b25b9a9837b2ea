"""`mlkit schema`."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit.core.schemas import SCHEMAS
from tests.cli.conftest import Call


def test_a_schema_is_printed_or_written(call: Call, tmp_path: Path) -> None:
    """The same document; a name that does not exist is answered with those that do."""
    printed = call("schema").json()
    assert printed["title"] == "pipeline.yaml of mlkit"
    file = tmp_path / "pipeline.schema.json"
    assert call("schema", "pipeline", "--to", file, "--json").json()["file"] == str(file)
    assert json.loads(file.read_text("utf-8")) == printed
    wrong = call("schema", "pipline")
    assert (wrong.code, "Did you mean 'pipeline'?" in wrong.err) == (2, True)
    assert call("schema", "pipeline", "--to", tmp_path).code == 1


def test_every_schema_is_named_in_the_help(call: Call) -> None:
    """One that is added is found by those who look for it."""
    told = call("schema", "--help").out
    assert [name for name in SCHEMAS if name not in told] == []
