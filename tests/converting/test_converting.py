"""Whole notebooks become pipelines that run and give what the original gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mlkit
from mlkit.cli.convert import _document, _told
from mlkit.cli.main import main
from mlkit.converting.converting import Converted, convert
from mlkit.errors import MlkitError
from tests.converting.originals import ORIGINALS, write_cells, write_original
from tests.documents import check_document

pytestmark = pytest.mark.kernel

QUICK = ("functions in the middle", "plots everywhere", "two names of one object")
"""These show most of what can be in the way."""


def converted(name: str, folder: Path) -> Converted:
    """Convert a notebook of that shape."""
    return convert(write_original(name, folder / "src"), folder / "out")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in ORIGINALS]
)
def test_a_notebook_becomes_a_pipeline_that_gives_the_same(name: str, tmp_path: Path) -> None:
    """It runs green, nothing differs, and a second run that can reuse everything does."""
    (tmp_path / "src").mkdir()
    done = converted(name, tmp_path)
    assert done.record is not None
    assert done.record.status == "succeeded"
    assert [c for c in done.comparisons if c.verdict == "differs"] == []
    assert any(c.verdict == "equal" for c in done.comparisons)
    assert len(done.conversion.stages) > 1
    again = mlkit.run(tmp_path / "out")
    statuses = {n: str(s.status) for n, s in again.stages.items()}
    giving = {s.part.name for s in done.conversion.stages if s.gives}
    assert {n: statuses[n] for n in giving} == dict.fromkeys(giving, "cached")


def test_what_cannot_be_handed_on_joins_the_stages(tmp_path: Path) -> None:
    """An object under two names, of which a later part changes one."""
    (tmp_path / "src").mkdir()
    done = converted("two names of one object", tmp_path)
    assert [stage.part.name for stage in done.conversion.stages] == ["make", "look", "end"]
    assert any("by another name" in remark for remark in done.remarks)


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("name = input('who? ')", "cell 4 asks for an input"),
        ("bronze = 1; __import__('os').chdir('texts')", "the working folder has become 'texts'"),
    ],
)
def test_what_no_stage_can_do_is_refused(line: str, fact: str, tmp_path: Path) -> None:
    """Before anything is written: nobody answers in a stage, and it has a folder of its own."""
    original = write_original("chains", tmp_path)
    document = json.loads(original.read_text())
    document["cells"][3]["source"] = [line]
    original.write_text(json.dumps(document))
    with pytest.raises(MlkitError, match=fact) as caught:
        convert(original, tmp_path / "out")
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the stages and what crosses; the original and its folder stay as they are."""
    original = write_original("chains", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(original), "--to", str(tmp_path / "out"), "--dry-run", "--json"])
    assert not ended.value.code
    document = json.loads(capsys.readouterr().out)
    check_document("convert", document)
    assert list(document["stages"]) == ["bronze", "silver", "gold"]
    assert document["stages"]["gold"]["inputs"] == {"silver_file": "silver.silver_file"}
    assert document["stages"]["gold"]["outputs"] == {"gold_file": "gold.csv"}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("case", ["a full folder", "no notebook", "no code", "another language"])
def test_what_cannot_be_converted_is_refused(case: str, tmp_path: Path) -> None:
    """With a remedy, before anything runs."""
    original, target = write_original("chains", tmp_path), tmp_path / "out"
    document = json.loads(original.read_text())
    if case == "a full folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    elif case == "no notebook":
        original = tmp_path / "other.ipynb"
    elif case == "no code":
        document["cells"] = document["cells"][:1]
    else:
        document["metadata"] = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    if case in ("no code", "another language"):
        original.write_text(json.dumps(document))
    with pytest.raises(MlkitError) as caught:
        convert(original, target)
    assert caught.value.remedy


def test_values_that_pass_by_store_are_refused(tmp_path: Path) -> None:
    """Of several notebooks, before any runs: no pipeline knows IPython's own database."""
    write_cells(["x = 1\n%store x"], tmp_path / "a.ipynb")
    write_cells(["1", "%store -r x\nprint(x)"], tmp_path / "b.ipynb")
    with pytest.raises(MlkitError, match="cell 2 takes values by %store") as caught:
        convert(tmp_path, tmp_path / "out")
    assert caught.value.file == str(tmp_path / "b.ipynb")
    assert "joblib.dump" in (caught.value.remedy or "")


@pytest.mark.parametrize("where", ["project", "elsewhere"])
def test_an_absolute_path_that_is_written_is_refused(where: str, tmp_path: Path) -> None:
    """Into the folder that is converted, or for another notebook: no copy would stand before it."""
    written = tmp_path / where / "x.txt"
    cells = [f"OUT = '{tmp_path / where}'", "open(OUT + '/x.txt', 'w').write('1')"]
    write_cells(cells, tmp_path / "project" / "a.ipynb")
    reads = "print(1)" if where == "project" else f"print(open('{written}').read())"
    write_cells([reads], tmp_path / "project" / "b.ipynb")
    with pytest.raises(MlkitError, match="an absolute path") as caught:
        convert(tmp_path / "project", tmp_path / "out")
    assert caught.value.file == str(tmp_path / "project" / "a.ipynb")
    assert ("x.txt'" if where == "project" else "'../elsewhere/x.txt'") in str(caught.value.remedy)
    assert not written.exists()


def test_a_text_is_cut_into_texts(tmp_path: Path) -> None:
    """Each stage is one, in the form of the original, and its cells are compared like others."""
    cells = ["#md ## A", "import os\nN = 2", "x = [N]\nprint(x)", "#md ## B", "!echo {x}", "1 / 0"]
    original = write_cells(cells, tmp_path / "book.py")
    done = convert(original, tmp_path / "out")
    assert done.ok
    assert list(done.notebooks.values()) == ["01-a.py", "02-b.py"]
    assert [(c.what, c.verdict) for c in done.comparisons] == [
        ("x", "equal"),
        ("what cell 3 shows", "equal"),
        ("what cell 5 shows", "equal"),
        ("what cell 6 shows", "equal"),
    ]
    assert '# %% tags=["raises-exception"]\n1 / 0' in (tmp_path / "out" / "02-b.py").read_text()
    assert mlkit.load_pipeline(tmp_path / "out").parameters == {"N": 2}


def test_a_stage_that_fails_is_told_with_its_error(tmp_path: Path) -> None:
    """Not only that something is missing: what it raised, and where to mend it; in both forms."""
    original = write_original("chains", tmp_path)
    document = json.loads(original.read_text())
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    code[0]["source"] = [
        "import builtins\n",
        "setattr(builtins, 'answer', 42)\n",
        *code[0]["source"],
    ]
    code[-1]["source"] = ["question = answer\n", *code[-1]["source"]]
    original.write_text(json.dumps(document))
    done = convert(original, tmp_path / "out")
    assert not done.ok
    told = "\n".join(_told(done, tmp_path / "out"))
    assert "failed: stage 'gold' (NameError: name 'answer' is not defined)" in told
    assert "03-gold.ipynb" in told
    printed = json.loads(json.dumps(_document(done, tmp_path / "out")))
    check_document("convert", printed)
    assert printed["failed"] == [
        {
            "stage": "gold",
            "notebook": str(tmp_path / "out" / "03-gold.ipynb"),
            "error": {"type": "NameError", "message": "name 'answer' is not defined"},
        }
    ]
