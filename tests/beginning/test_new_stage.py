"""A further stage: its notebook, and its lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.beginning.new_stage import NewStage, add_stage
from mlkit.beginning.project import begin
from mlkit.errors import MlkitError
from mlkit.testing import run_fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A first pipeline."""
    begin(tmp_path / "p")
    return tmp_path / "p"


def texts(folder: Path) -> dict[str, bytes]:
    """All files of a project."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_stage_is_wired_and_numbered(project: Path) -> None:
    """Its notebook's name goes on from the others'; the lines are the ones that were added."""
    before = (project / "pipeline.yaml").read_text()
    new = NewStage(name="sum_up", inputs=["fit.metrics"], outputs=["told=summary.md"])
    added = add_stage(project, new)
    assert (added.notebook.name, added.notebook_is_new) == ("03-sum-up.ipynb", True)
    assert (project / "pipeline.yaml").read_text() == before + "".join(
        line + "\n" for line in added.lines
    )
    stage = mlkit.load_pipeline(project).stages["sum_up"]
    assert [str(source) for source in stage.inputs.values()] == ["fit.metrics"]
    assert {name: str(output) for name, output in stage.outputs.items()} == {"told": "summary.md"}


KINDS = ["t.csv", "t.parquet", "t.json", "t.joblib", "t.npy", "t.txt", "t.md", "t.png", "t.bin"]
KINDS += ["t/", "t.csv?", "t/?", "@notebook.html", "@notebook.ipynb"]


@pytest.mark.parametrize("file", KINDS)
@pytest.mark.parametrize("source", ["measure.readings", "fit.metrics"])
def test_a_new_stage_runs_at_once(project: Path, tmp_path: Path, file: str, source: str) -> None:
    """Whatever it reads and writes; and another one reads what it has written."""
    add_stage(project, NewStage(name="one", inputs=[f"given={source}"], outputs=[f"made={file}"]))
    add_stage(project, NewStage(name="two", inputs=["one.made"], outputs=["end.txt"]))
    record = run_fake(project, runs_dir=tmp_path / "runs")
    assert {name: str(s.status) for name, s in record.stages.items()} == dict.fromkeys(
        ["measure", "fit", "one", "two"], "succeeded"
    )


def test_parameters_and_order_are_declared(project: Path, tmp_path: Path) -> None:
    """`-p` and `--after`; a stage without outputs, too."""
    new = NewStage(name="tell", after=["fit"], parameters={"to": "me", "times": 2, "all": True})
    add_stage(project, new)
    stage = mlkit.load_pipeline(project).stages["tell"]
    assert {n: d.default for n, d in stage.declared.items()} == {
        "to": "me",
        "times": 2,
        "all": True,
    }
    assert [str(node) for node in stage.after] == ["fit"]
    assert run_fake(project, runs_dir=tmp_path / "runs").status == "succeeded"


def test_a_mapped_stage_hands_on_a_list(project: Path, tmp_path: Path) -> None:
    """The notebook declares a list of paths, and reads them all."""
    text = (project / "pipeline.yaml").read_text()
    (project / "pipeline.yaml").write_text(
        text.replace(
            "    outputs: {readings", "    foreach: {seed: [1, 2]}\n    outputs: {readings"
        ).replace(
            "    inputs: {readings: measure.readings}",
            '    inputs:\n      readings: "measure[1].readings"',
        )
    )
    add_stage(project, NewStage(name="all", inputs=["measure.readings"], outputs=["all.json"]))
    record = run_fake(project, runs_dir=tmp_path / "runs")
    assert record.stages["all"].status == "succeeded"


def test_a_notebook_that_is_there_is_only_wired(project: Path) -> None:
    """Its text stays; what it does not declare is refused, and nothing has changed."""
    own = project / "own.ipynb"
    own.write_bytes((project / "02-fit.ipynb").read_bytes())
    before = texts(project)
    wrong = NewStage(name="again", inputs=["nothing=fit.metrics"], notebook="own.ipynb")
    with pytest.raises(MlkitError):
        add_stage(project, wrong)
    assert texts(project) == before
    right = NewStage(
        name="again", inputs=["measure.readings"], outputs=["metrics=m.json"], notebook="own.ipynb"
    )
    assert add_stage(project, right).notebook_is_new is False
    assert own.read_bytes() == before["own.ipynb"]


@pytest.mark.parametrize("file", ["three.py", "three.md"])
def test_a_stage_may_be_text(project: Path, tmp_path: Path, file: str) -> None:
    """Written by Jupytext, with the same cells."""
    pytest.importorskip("jupytext")
    new = NewStage(name="three", inputs=["fit.metrics"], outputs=["t.json"], notebook=file)
    add_stage(project, new)
    assert run_fake(project, runs_dir=tmp_path / "runs").stages["three"].status == "succeeded"


REFUSED = {
    "a name that is taken": {"name": "fit"},
    "a stage that is not there": {"after": ["fot"]},
    "an input of no stage": {"inputs": ["fot.metrics"]},
    "an output that nobody writes": {"inputs": ["fit.metriks"]},
    "an input that is none": {"inputs": ["x=fit"]},
    "a name that is no variable": {"outputs": ["a b=x.csv"]},
    "a keyword": {"outputs": ["class=x.csv"]},
    "a file name that is no variable": {"outputs": ["1.csv"]},
    "a file outside": {"outputs": ["a=../a.csv"]},
    "a file that is not there": {"inputs": ["file:nowhere.csv"]},
    "a name that is no stage": {"name": "9x"},
    "no notebook": {"notebook": "x.doc"},
    "one name twice": {"inputs": ["a=fit.metrics"], "outputs": ["a=a.csv"]},
    "one name for an input and an output": {"inputs": ["fit.metrics"], "outputs": ["metrics.md"]},
    "one name for two inputs": {"inputs": ["fit.metrics", "metrics=fit.picture"]},
    "one name for two outputs": {"outputs": ["report.md", "report.html"]},
    "one name for a parameter and an output": {"parameters": {"a": 1}, "outputs": ["a.md"]},
    "a name with a blank": {"name": "my stage"},
    "a name with a folder": {"name": "../x/y"},
    "no name": {"name": ""},
    "the name of the parameters": {"name": "parameters"},
    "a name that no file can have": {"name": "x" * 300},
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_and_nothing_changes(
    project: Path, given: dict[str, Any]
) -> None:
    """The error has a remedy; every file is as it was."""
    before, folders = texts(project), sorted(project.rglob("*"))
    with pytest.raises(MlkitError) as caught:
        add_stage(project, NewStage(**{"name": "new", **given}))
    assert caught.value.remedy
    assert texts(project) == before
    assert sorted(project.rglob("*")) == folders


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_added_to_a_file_of_any_line_ends(project: Path, mark: str, end: str) -> None:
    """Of a file from Windows, too, no other line changes; and all that came are told."""
    file = project / "pipeline.yaml"
    text = mark + file.read_text().replace("\n", end)
    file.write_bytes(text.encode())
    own = NewStage(name="one", inputs=["fit.metrics"], outputs=["a.md"], notebook="same.ipynb")
    twin = NewStage(name="two", inputs=["fit.metrics"], outputs=["a.md"], notebook="same.ipynb")
    added = [*add_stage(project, own).lines, *add_stage(project, twin).lines]
    assert file.read_bytes().decode() == text + "".join(line + end for line in added)


def test_a_file_name_of_several_words_gives_a_variable(project: Path) -> None:
    """It is called what the file is called, as far as a variable can be."""
    added = add_stage(project, NewStage(name="new", outputs=["my report-2.final.md"]))
    assert list(mlkit.load_pipeline(added.pipeline).stages["new"].outputs) == ["my_report_2"]


def test_a_pipeline_in_braces_is_told_so(project: Path) -> None:
    """The remedy says how it is written instead."""
    (project / "pipeline.yaml").write_text(
        "name: x\nstages: {measure: {notebook: 01-measure.ipynb, outputs: {readings: r.csv}}}\n"
    )
    with pytest.raises(MlkitError, match="braces"):
        add_stage(project, NewStage(name="new"))


@pytest.mark.parametrize("text", ["name: p\n", "name: p\nstages:\n", "name: p\nstages: {}\n"])
def test_the_first_stage_of_a_pipeline_is_added(tmp_path: Path, text: str) -> None:
    """A file with a name alone is how some begin."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MlkitError, match=r"there is no stage 'b' in p\. There are none yet"):
        add_stage(file, NewStage(name="a", after=("b",)))
    assert file.read_text(encoding="utf-8") == text
    add_stage(file, NewStage(name="a", outputs=("a.json",)))
    assert list(mlkit.load_pipeline(file).stages) == ["a"]


def test_the_notebook_is_as_jupyterlab_writes_it(project: Path) -> None:
    """Its form is nbformat's, so that saving it changes nothing."""
    import nbformat

    add_stage(project, NewStage(name="new", inputs=["fit.metrics"], outputs=["a.csv"]))
    text = (project / "03-new.ipynb").read_text()
    read = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    nbformat.validate(read)
    assert nbformat.writes(read) + "\n" == text  # type: ignore[no-untyped-call]  # it has no types
    assert json.loads(text)["nbformat_minor"] == 5
