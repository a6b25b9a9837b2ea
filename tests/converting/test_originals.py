"""Which notebooks are converted, in which order, and what of their surroundings belongs to them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mlkit.converting.observing import _copy, _first_trouble
from mlkit.converting.originals import read_originals
from mlkit.errors import MlkitError
from tests.converting.originals import write_cells


def test_a_folder_stands_for_its_notebooks_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Numbers in names count as numbers; each cell knows its place in its own notebook."""
    for name in ("10 c.ipynb", "2 b.ipynb", "1 a.ipynb"):
        write_cells(["#md # T", f"print('{name}')"], tmp_path / name)
    originals = read_originals([tmp_path])
    assert [one.file.name for one in originals.notebooks] == [
        "1 a.ipynb",
        "2 b.ipynb",
        "10 c.ipynb",
    ]
    assert [cell.index for cell in originals.cells] == list(range(6))
    assert [cell.called for cell in originals.cells][-2:] == [
        "cell 1 of 10 c.ipynb",
        "cell 2 of 10 c.ipynb",
    ]


def test_a_folder_stands_for_all_that_is_clearly_a_notebook(tmp_path: Path) -> None:
    """Texts with cells, too; no module, no page that shows code, and nothing that tools keep."""
    for name in ("a.ipynb", "b.py", "c.md", "pair.ipynb", "pair.py", "text.md", "text.py"):
        write_cells([f"print('{name[:4]}')"], tmp_path / name)
    write_cells(["import utils, marked"], tmp_path / "d.ipynb")
    write_cells(["X = 1"], tmp_path / "marked.py")  # cells of an editor, in a module
    write_cells(["#md only words"], tmp_path / "notes.ipynb")
    write_cells(["print(1)"], tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb")
    write_cells(["print(1)"], tmp_path / "._a.ipynb")
    write_cells(["print(1)"], tmp_path / "folder.ipynb" / "e.ipynb")
    (tmp_path / "utils.py").write_text("Y = 1\n")
    (tmp_path / "old.py").write_bytes(b"# \xe9 # %%\n")
    (tmp_path / "README.md").write_text("# How\n\n```python\nimport mine\n```\n")
    originals = read_originals([tmp_path])
    assert [one.file.name for one in originals.notebooks] == [
        *("a.ipynb", "b.py", "c.md", "d.ipynb", "pair.ipynb", "text.md"),
    ]
    assert [remark.partition(",")[0] for remark in originals.remarks] == [
        "notebooks in folder.ipynb/ are not converted: each folder is a pipeline of its own",
        "notes.ipynb has no code",
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}},
        {"kernelspec": {"name": "ir", "display_name": "R"}, "language_info": {"name": "R"}},
    ],
)
def test_a_notebook_in_another_language_is_named(
    metadata: dict[str, object], tmp_path: Path
) -> None:
    """Wherever it says so; one that names a Python of somebody's is converted in this one."""
    write_cells(["print(1)"], tmp_path / "a.ipynb")
    document = json.loads((tmp_path / "a.ipynb").read_text())
    (tmp_path / "b.ipynb").write_text(json.dumps({**document, "metadata": metadata}))
    with pytest.raises(MlkitError, match="is written in R") as caught:
        read_originals([tmp_path])
    assert caught.value.file == str(tmp_path / "b.ipynb")
    named = {"kernelspec": {"name": "conda-env-mine", "display_name": "mine"}}
    (tmp_path / "b.ipynb").write_text(json.dumps({**document, "metadata": named}))
    assert len(read_originals([tmp_path]).notebooks) == 2


def test_a_folder_of_folders_says_which_hold_notebooks(tmp_path: Path) -> None:
    """Paths in notebooks start where they stand, so that one folder is one pipeline."""
    for folder in ("one", "two", ".hidden"):
        write_cells(["print(1)"], tmp_path / folder / "a.ipynb")
    with pytest.raises(MlkitError) as caught:
        read_originals([tmp_path])
    assert caught.value.remedy == "Name one folder of notebooks: one/, two/"


def test_a_notebook_that_runs_another_is_told(tmp_path: Path) -> None:
    """Both are stages, and one does the other's work once more."""
    write_cells(["%run a.ipynb"], tmp_path / "all.ipynb")
    write_cells(["print(1)"], tmp_path / "a.ipynb")
    assert "all.ipynb runs a.ipynb itself" in read_originals([tmp_path]).remarks[0]


def test_two_forms_of_a_notebook_that_differ_are_told(tmp_path: Path) -> None:
    """One of them is converted, and it may be the older one."""
    write_cells(["print(1)"], tmp_path / "a.ipynb")
    write_cells(["print(2)"], tmp_path / "a.py")
    originals = read_originals([tmp_path])
    assert [one.file.name for one in originals.notebooks] == ["a.ipynb"]
    assert "a.py stands beside a.ipynb, which runs, and differs" in originals.remarks[0]


def test_only_a_folder_leaves_the_order_to_the_files(tmp_path: Path) -> None:
    """Notebooks that are named are run in that order."""
    reader = write_cells(["print(open('x.txt').read())"], tmp_path / "a.ipynb")
    writer = write_cells(["open('x.txt', 'w').write('x')", "1"], tmp_path / "b.py")
    originals = read_originals([tmp_path])
    assert [one.file for one in originals.notebooks] == [writer, reader]
    assert [(cell.index, cell.begins, cell.number) for cell in originals.cells] == [
        (0, 0, 1),
        (1, 0, 2),
        (2, 2, 1),
    ]
    assert "b.py runs before a.ipynb" in originals.remarks[0]
    named = read_originals([reader, writer])
    assert [one.file for one in named.notebooks] == [reader, writer]
    assert named.remarks == ()


@pytest.mark.parametrize(
    ("cell", "project"),
    [
        ("read('x.csv')", "a/b/c"),
        ("read('../x.csv')", "a/b"),
        ("read(f'../../data/{n}.csv')", "a"),
        ("!cat ../x.csv", "a/b"),
        ("%run ../tools.py", "a/b"),
        ("print('.. and so on')", "a/b/c"),
        ("x = Path('..') / 'data'", "a/b"),
    ],
)
def test_the_project_is_the_folder_to_which_texts_lead(
    cell: str, project: str, tmp_path: Path
) -> None:
    """All that a notebook names by `../` belongs to it."""
    write_cells([cell], tmp_path / "a" / "b" / "c" / "n.ipynb")
    originals = read_originals([tmp_path / "a" / "b" / "c" / "n.ipynb"])
    assert originals.project == tmp_path / project


def test_a_home_folder_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be copied whole."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_cells(["read('../../x.csv')"], tmp_path / "a" / "n.ipynb")
    assert read_originals([tmp_path / "a" / "n.ipynb"]).project == tmp_path / "a"


@pytest.mark.parametrize(
    "case", ["twice", "two folders", "an empty folder", "no code in one", "no code"]
)
def test_what_cannot_be_one_pipeline_is_refused(case: str, tmp_path: Path) -> None:
    """With the file and a remedy."""
    first, other = tmp_path / "a" / "n.ipynb", tmp_path / "b" / "m.ipynb"
    write_cells(["print(1)"], first)
    write_cells(["#md only text"] if case.startswith("no code") else ["print(2)"], other)
    (tmp_path / "empty").mkdir()
    asked = {
        "twice": [first, first.parent],
        "two folders": [first, other],
        "an empty folder": [tmp_path / "empty"],
        "no code in one": [other],
        "no code": [other.parent],
    }[case]
    with pytest.raises(MlkitError) as caught:
        read_originals(asked)
    assert caught.value.remedy
    assert caught.value.file is not None


def test_what_is_no_plain_file_is_not_copied(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A pipe would be waited for, and a link to a folder around would never end."""
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "around").symlink_to(tmp_path)
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "n.ipynb")
    write_cells(["print(open('data/linked').read()[:1])"], tmp_path / "n.ipynb")
    copied = tmp_path_factory.mktemp("copies") / "copy"
    _copy(tmp_path, copied)
    assert sorted(str(p.relative_to(copied)) for p in copied.rglob("*")) == [
        "data",
        "data/linked",
        "n.ipynb",
    ]


@pytest.mark.parametrize(
    "error",
    [
        shutil.Error([("a/x.csv", "b/x.csv", "[Errno 13] Permission denied: 'a/x.csv'")]),
        PermissionError(13, "Permission denied", "a/x.csv"),
    ],
)
def test_a_file_that_cannot_be_copied_is_named(error: OSError) -> None:
    """With the system's words, whether copying stopped there or went on."""
    assert _first_trouble(error, Path("a")) == (Path("a/x.csv"), "Permission denied")
