"""Stages whose notebooks are text: run, reused, failed, opened again."""

from __future__ import annotations

import json
from pathlib import Path

import jupytext
import pytest

from mlkit.api.debug_copy import debug_notebook
from mlkit.api.local_run import run
from mlkit.core.states import Status
from mlkit.load import Layers, load_pipeline
from mlkit.notebook.declarations import declarations
from mlkit.notebook.source import read_notebook
from mlkit.observe.run_summary import summary
from mlkit.planner.fingerprint import parts_of
from mlkit.reports.html import write_report
from mlkit.testing import run_fake
from mlkit.testing.sketches import write_notebook

FLIGHTS = Path(__file__).parents[2] / "notebooks" / "flights"
FORMS = {"py:percent": ".py", "md:myst": ".md", "md:markdown": ".md"}

PERCENT = """\
# %% [markdown]
# # One

# %% tags=["parameters"]
rows: int = 2
out: str = "scratch/out.txt"

# %%
# %config InlineBackend.figure_format = "retina"
text = "x" * rows

# %%
open(out, "w").write(text)
"""
PLAIN = PERCENT.replace('# %config InlineBackend.figure_format = "retina"\n', "")
FAILING = PERCENT.replace(
    'open(out, "w").write(text)', 'def fail():\n    raise ValueError("no")\n\nfail()'
)


def _project(folder: Path, notebook: str, text: str | None = None) -> Path:
    if text is not None:
        (folder / notebook).write_text(text)
    file = folder / "pipeline.yaml"
    file.write_text(
        f"name: p\nstages:\n  one:\n    notebook: {notebook}\n    outputs: {{out: out.txt}}\n"
    )
    return file


def _as_text(notebook: Path, form: str) -> Path:
    """Write a notebook in another form, as `jupytext --to` does."""
    target = notebook.with_suffix(FORMS[form])
    jupytext.write(jupytext.read(notebook), target, fmt=form)
    return target


@pytest.mark.parametrize("form", FORMS)
def test_a_notebook_that_becomes_text_keeps_its_results(form: str, tmp_path: Path) -> None:
    """And one that is edited there runs, with the cell as the reason."""
    code = ("text = 'x' * rows", 'open(out, "w").write(text)')
    notebook = write_notebook(
        tmp_path / "one.ipynb", "#%% md\n# Prose", *code, parameters='rows: int = 2\nout: str = ""'
    )
    run_fake(_project(tmp_path, notebook.name))
    text = _as_text(notebook, form)
    notebook.unlink()
    file = _project(tmp_path, text.name)
    assert run_fake(file).stages["one"].status is Status.CACHED
    text.write_text(text.read_text().replace("'x' * rows", "'y' * rows"))
    changed = run_fake(file).stages["one"]
    assert changed.status is Status.SUCCEEDED
    assert "code changed: cell" in changed.reason
    assert "text = 'y' * rows" in changed.reason


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(path.name for path in FLIGHTS.glob("*.ipynb")))
def test_the_twins_of_the_flights_stages_are_the_same_stages(
    name: str, form: str, tmp_path: Path
) -> None:
    """Every cell, tag and declaration of a real pipeline survives, so all results are kept."""
    stages = load_pipeline(FLIGHTS).stages.values()
    stage = next(item for item in stages if Path(item.notebook).name == name)
    own = read_notebook(FLIGHTS / name)
    copy = tmp_path / name
    copy.write_bytes((FLIGHTS / name).read_bytes())
    twin = read_notebook(_as_text(copy, form))
    assert parts_of(stage, twin, {}, {}).key == parts_of(stage, own, {}, {}).key
    assert all(cell.line is not None for cell in twin.code_cells)
    found, expected = declarations(twin), declarations(own)
    assert {key: (item.spec, item.default) for key, item in found.items()} == {
        key: (item.spec, item.default) for key, item in expected.items()
    }


def test_a_notebook_in_two_forms_is_told_when_they_differ(tmp_path: Path) -> None:
    """The run warns, and runs what pipeline.yaml names."""
    file = _project(tmp_path, "one.py", PLAIN)
    assert run_fake(file).warnings == ()
    jupytext.write(jupytext.reads(PLAIN, fmt="py:percent"), tmp_path / "one.ipynb")
    assert run_fake(file).warnings == ()
    (tmp_path / "one.py").write_text(PLAIN.replace('"x"', '"y"'))
    record = run_fake(file)
    assert "one.ipynb stands beside one.py, which runs, and differs in cell 3" in record.warnings[0]
    assert Path(record.stages["one"].outputs["out"]).read_text() == "yy"


@pytest.mark.kernel
def test_a_text_runs_on_a_real_kernel_and_leaves_an_executed_notebook(tmp_path: Path) -> None:
    """With parameters injected, magics executed, and outputs in a `.ipynb`."""
    file = _project(tmp_path, "one.py", PERCENT)
    record = run(file, parameters={"rows": 3}, layers=Layers(environ={}))
    assert record.ok, record.stages["one"].error
    assert Path(record.stages["one"].outputs["out"]).read_text() == "xxx"
    folder = Path(record.runs_dir) / record.run_id / "one"
    executed = json.loads((folder / "notebook.ipynb").read_text())
    assert [cell["cell_type"] for cell in executed["cells"]] == ["markdown", *["code"] * 4]
    assert executed["cells"][-1]["outputs"]
    assert run(file, parameters={"rows": 3}).stages["one"].status is Status.CACHED


@pytest.mark.kernel
def test_a_failing_cell_is_told_with_the_line_of_the_text(tmp_path: Path) -> None:
    """In the record, in what the command says, and in the report; `debug` opens a notebook."""
    file = _project(tmp_path, "one.py", FAILING)
    record = run(file, layers=Layers(environ={}))
    error = record.stages["one"].error
    assert error is not None
    line = FAILING.splitlines().index("fail()") + 1
    assert error.place == f"cell 4, line {line} of one.py"
    assert error.place in summary(record, folder=tmp_path)
    page = tmp_path / "report.html"
    write_report(record, page, pipeline=load_pipeline(file))
    assert error.place in page.read_text()
    copy = debug_notebook(record.run_id, "one", file)
    assert copy.suffix == ".ipynb"
    cells = json.loads(copy.read_text())["cells"]
    assert "out = " in cells[2]["source"]
    assert "fail()" in cells[-1]["source"]
