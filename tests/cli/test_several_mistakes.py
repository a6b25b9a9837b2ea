"""A terminal tells every mistake of a pipeline that the panel in JupyterLab lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.errors import MlkitError
from mlkit.load import load_pipeline
from mlkit.panel.documents import error_document
from mlkit.panel.workspace import Workspace
from tests.cli.conftest import Call, write_notebook
from tests.load.test_several import RIGHT, WRONG

PARTS = ("message", "file", "line", "remedy", "code")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the notebook is that right stages name."""
    write_notebook(tmp_path / "end.ipynb", ["", "1 + 1"])
    return tmp_path


def _write(folder: Path, kinds: list[str]) -> Path:
    texts = {"right": RIGHT, **WRONG}
    parts = [texts[kind].format(name=f"s{number}") for number, kind in enumerate(kinds)]
    file = folder / "pipeline.yaml"
    file.write_text("name: p\nstages:\n" + "".join(parts))
    return file


def _in_the_panel(file: Path) -> list[dict[str, Any]]:
    """What panel.js lists: the problem that the server tells, and the others in it."""
    with pytest.raises(MlkitError) as caught:
        load_pipeline(file)
    problem = error_document(caught.value, Workspace(root=file.parent))
    listed = [problem, *problem["others"]]
    return [{part: each[part] for part in PARTS} for each in listed]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kinds=st.lists(st.sampled_from(["right", *WRONG]), min_size=1, max_size=6).filter(
        lambda kinds: set(kinds) != {"right"}
    ),
    command=st.sampled_from(["plan", "run", "graph"]),
)
def test_every_mistake_is_told_with_its_place_and_remedy(
    folder: Path, call: Call, kinds: list[str], command: str
) -> None:
    """In the panel's order; as text, and with --json as one document beside the first one."""
    file = _write(folder, kinds)
    listed = _in_the_panel(file)
    said = call(command, file, "--json")
    assert said.code == 2
    error = said.json()["error"]
    assert [{part: each[part] for part in PARTS} for each in (error, *error.get("others", ()))] == (
        listed
    )
    assert said.err.count("mlkit: ") == len(listed)
    left = said.err
    for each in listed:
        head = f"mlkit: {each['file']}:{each['line']}: {each['message']}"
        _, found, left = left.partition(head)
        assert found, (head, said.err)
        assert each["remedy"] in left.partition("mlkit: ")[0]
    assert call(command, file).err == said.err


def test_one_mistake_is_the_document_that_it_always_was(folder: Path, call: Call) -> None:
    """Programs that ask for five keys find five."""
    said = call("plan", _write(folder, ["right", "an unknown key"]), "--json")
    assert list(said.json()["error"]) == list(PARTS)


def test_python_tells_the_others_as_notes(folder: Path) -> None:
    """They stand below the error in a traceback, and in a cell of JupyterLab."""
    file = _write(folder, ["an unknown key", "right", "an unknown key"])
    with pytest.raises(MlkitError) as caught:
        load_pipeline(file)
    (note,) = caught.value.__notes__
    assert note == str(caught.value.others[0])
    assert f"{file}:10: " in note
