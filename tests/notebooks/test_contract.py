"""The stage notebooks keep the notebook's contract and the style of the kit."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ruamel.yaml import YAML

from tests.notebooks.conftest import NOTEBOOKS

FLIGHTS = NOTEBOOKS / "flights"
STAGES: dict[str, Any] = YAML(typ="safe").load((FLIGHTS / "pipeline.yaml").read_text())["stages"]
FILES = sorted(FLIGHTS.glob("*.ipynb"))
ALL_FILES = [NOTEBOOKS / "00-start-here.ipynb", *FILES]

every_stage = pytest.mark.parametrize("name", STAGES)
every_notebook = pytest.mark.parametrize("file", ALL_FILES, ids=lambda file: file.stem)


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _code(file: Path) -> list[dict[str, Any]]:
    return [cell for cell in _read(file)["cells"] if cell["cell_type"] == "code"]


def _is_parameters(cell: dict[str, Any]) -> bool:
    return "parameters" in cell["metadata"].get("tags", [])


def _declared(name: str) -> dict[str, Any]:
    """The parameters of a stage's notebook with their defaults; literals only, or this fails."""
    (cell,) = filter(_is_parameters, _code(FLIGHTS / STAGES[name]["notebook"]))
    declared = {}
    for statement in ast.parse(_source(cell)).body:
        assert isinstance(statement, ast.AnnAssign), f"not annotated: {ast.unparse(statement)}"
        assert isinstance(statement.target, ast.Name)
        assert statement.value is not None
        declared[statement.target.id] = ast.literal_eval(statement.value)
    return declared


def _by_hand(reference: str) -> str | list[str]:
    """Where an input lies after a run, relative to the notebook."""
    stage, output = reference.split(".")
    filename = STAGES[stage]["outputs"][output]
    instances = [f"{stage}[{v}]" for v in STAGES[stage].get("foreach", {}).get("model", [])]
    paths = [f"runs/latest/{instance}/{filename}" for instance in instances or [stage]]
    return paths if instances else paths[0]


def test_stages_and_notebooks_stand_in_the_same_order() -> None:
    """01-collect.ipynb is the first stage's, and so on; no notebook is left over."""
    expected = [f"{n:02d}-{stage}.ipynb" for n, stage in enumerate(STAGES, start=1)]
    assert [stage["notebook"] for stage in STAGES.values()] == expected
    assert [file.name for file in FILES] == expected


@every_stage
def test_defaults_of_inputs_are_the_files_of_the_latest_run(name: str) -> None:
    """As pipeline.yaml names them; a mapped stage's are a list."""
    declared = _declared(name)
    inputs = STAGES[name].get("inputs", {})
    expected = {key: _by_hand(reference) for key, reference in inputs.items()}
    assert {key: declared[key] for key in inputs} == expected


@every_stage
def test_defaults_of_outputs_lie_in_scratch_under_the_same_names(name: str) -> None:
    """As pipeline.yaml names them."""
    declared = _declared(name)
    outputs = STAGES[name]["outputs"]
    expected = {key: f"scratch/{filename}" for key, filename in outputs.items()}
    assert {key: declared[key] for key in outputs} == expected


@every_stage
def test_every_input_that_a_skipped_stage_may_not_make_allows_none(name: str) -> None:
    """Only finish has such inputs, since only its trigger starts it all the same."""
    source = _source(next(filter(_is_parameters, _code(FLIGHTS / STAGES[name]["notebook"]))))
    optional = re.findall(r"^(\w+): str \| None", source, flags=re.MULTILINE)
    assert optional == (["registered", "check"] if name == "finish" else [])


@every_notebook
def test_a_notebook_is_valid_clean_and_quiet(file: Path) -> None:
    """Nbformat 4.5, unique cell ids, the stock kernel, and no outputs."""
    notebook = _read(file)
    nbformat.validate(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = _code(file)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@every_notebook
def test_a_notebook_has_one_title_first_and_a_recap_last(file: Path) -> None:
    """Headings are in order: one of the first level, the others below it."""
    cells = _read(file)["cells"]
    prose = [_source(cell) for cell in cells if cell["cell_type"] == "markdown"]
    levels = [len(h) for text in prose for h in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]
    assert prose[0].startswith("# ")
    assert prose[-1].startswith("## Recap\n")
    assert cells[-1]["cell_type"] == "markdown"
    assert levels[0] == 1
    assert set(levels[1:]) == {2}


@every_notebook
def test_a_notebook_is_short(file: Path) -> None:
    """8 to 20 cells (the first page: 26); code cells of 20 lines at most, up to 5 in the middle."""
    assert 8 <= len(_read(file)["cells"]) <= (26 if file.name == "00-start-here.ipynb" else 20)
    lines = sorted(len(cell["source"]) for cell in _code(file) if not _is_parameters(cell))
    assert lines[-1] <= 20
    assert lines[len(lines) // 2] <= 5


@every_notebook
def test_imports_stand_in_the_first_code_cell_after_the_parameters(file: Path) -> None:
    """Nothing is imported later, and nothing by a star; `mlkit.Secret` is needed before them."""
    cells = _code(file)
    position = next(n for n, cell in enumerate(cells) if _is_parameters(cell))
    importing = []
    for number, cell in enumerate(cells):
        source = re.sub(r";$", "", _source(cell))
        nodes = [
            n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        assert not any(alias.name == "*" for node in nodes for alias in node.names)
        importing += [number] if nodes else []
    early = ["import mlkit"] if "mlkit.Secret" in _source(cells[position]) else []
    assert [_source(cell) for cell in cells[:position]] == early
    assert importing == [*range(len(early)), position + 1]


@every_notebook
def test_links_between_notebooks_lead_somewhere(file: Path) -> None:
    """Every relative link names a file of the repository."""
    prose = " ".join(_source(c) for c in _read(file)["cells"] if c["cell_type"] == "markdown")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", prose) if "://" not in link]
    assert [link for link in links if not (file.parent / link).is_file()] == []
