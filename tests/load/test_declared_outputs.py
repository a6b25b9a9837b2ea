"""What may be read as what: folders, and outputs that may be missing."""

from __future__ import annotations

import pytest

from mlkit.core.outputs import Output
from mlkit.core.pipeline import ExternalFile
from tests.load.conftest import HEAD, Project

WRITER = "  w:\n    notebook: w.ipynb\n    outputs:\n      {outputs}\n"
READER = "  r:\n    notebook: r.ipynb\n    {keys}\n"


def _written(project: Project, outputs: str, keys: str, declares: str = 'x = ""\nk = 1\n') -> str:
    project.notebook("w.ipynb", 'o = ""\np = ""\n')
    project.notebook("r.ipynb", declares)
    return HEAD + WRITER.format(outputs=outputs) + READER.format(keys=keys)


SPELLINGS = {
    "a.json": Output(path="a.json"),
    "a.json?": Output(path="a.json", optional=True),
    "a/": Output(path="a", is_folder=True),
    "a//b/": Output(path="a/b", is_folder=True),
    "a/?": Output(path="a", is_folder=True, optional=True),
    "a?b": Output(path="a?b"),
    "@notebook.html": Output(path="notebook.html", is_notebook=True),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_each_spelling_is_one_kind(project: Project, text: str) -> None:
    """And is written back as it was read."""
    pipeline = project.load(_written(project, f"o: '{text}'", "after: [w]"))
    output = pipeline.stages["w"].outputs["o"]
    assert output == SPELLINGS[text]
    assert str(output) == text.replace("//", "/")


REFUSALS = {
    "a folder as a condition": (
        ("o: parts/", "when: {w.o: yes}", ""),
        "stage 'r': 'when' reads 'w.o', which is a folder and no JSON value. Have that stage",
    ),
    "a page as a condition": (
        ("o: '@notebook.html'", "when: {w.o: yes}", ""),
        "stage 'r': 'when' reads 'w.o', which is an executed notebook and no JSON value. Have that",
    ),
    "a folder as a list": (
        ("o: parts/", "foreach: {k: w.o}", ""),
        "stage 'r': 'foreach' reads 'w.o', which is a folder and no JSON value. Have that stage",
    ),
    "a list that may be missing": (
        ("o: list.json?", "foreach: {k: w.o}", ""),
        "stage 'r': 'foreach' reads 'w.o', which may be missing ('list.json?'). Have that stage",
    ),
    "a file that may be missing": (
        ("o: e.json?", "inputs: {x: w.o}", "x: str = ''"),
        "stage 'r': input 'x' reads 'w.o', which may be missing ('e.json?') and then arrives as "
        "None, but r.ipynb declares str. Declare it 'x: str | None'",
    ),
    "a folder that may be missing": (
        ("o: e/?", "inputs: {x: w.o}", "x = ''"),
        "stage 'r': input 'x' reads 'w.o', which may be missing ('e/?') and then arrives as None",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_read_so_is_refused_with_its_line(project: Project, case: str) -> None:
    """Before a kernel starts."""
    (outputs, keys, declares), text = REFUSALS[case]
    refused = project.refused(_written(project, outputs, keys, declares or 'x = ""\nk = 1\n'))
    assert refused.startswith(f"pipeline.yaml:9: {text}")


@pytest.mark.parametrize("flow", [True, False])
def test_an_executed_notebook_without_quotes_is_told_with_them(
    project: Project, *, flow: bool
) -> None:
    """YAML keeps `@` for itself."""
    outputs = "{o: @notebook.html}" if flow else "\n      o: @notebook.html"
    error = project.refusal(HEAD + f"  w:\n    notebook: w.ipynb\n    outputs: {outputs}\n")
    line = 'outputs: {o: "@notebook.html"}' if flow else 'o: "@notebook.html"'
    assert str(error).endswith(f"It needs quotes. Write: {line}")


@pytest.mark.parametrize("declares", ["x: str | None = None", "x = None"])
def test_who_allows_none_may_read_what_may_be_missing(project: Project, declares: str) -> None:
    """An annotation, or a default that says nothing."""
    project.load(_written(project, "o: e.json?", "inputs: {x: w.o}", declares))


def test_a_condition_may_look_at_what_may_be_missing(project: Project) -> None:
    """An artifact that does not exist skips."""
    project.load(_written(project, "o: e.json?", "when: {w.o: yes}"))


def test_a_folder_from_outside_ends_with_a_slash(project: Project) -> None:
    """In a path with a variable too."""
    (project.folder / "data").mkdir()
    project.notebook("r.ipynb", 'x = ""\ny = ""\n')
    inputs = "inputs:\n      x: file:data/\n      y: file:${DATA}/sub/"
    pipeline = project.load(HEAD + READER.format(keys=inputs))
    found = pipeline.stages["r"].inputs
    assert found["x"] == ExternalFile(path=project.folder / "data", is_folder=True)
    assert isinstance(found["y"], ExternalFile)
    assert found["y"].is_folder
    assert str(found["x"]) == f"file:{project.folder}/data/"
