"""Several notebooks become one pipeline, each as it stands, and files connect them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mlkit
from mlkit.cli.convert import _document, _told
from mlkit.converting.converting import Converted, convert
from tests.converting.originals import write_cells
from tests.documents import check_document

RAW = "x,y\n" + "".join(f"{n},{2 * n}\n" for n in range(20))

PROJECT: dict[str, list[str]] = {
    "1. Load.ipynb": [
        "#md # Load",
        "import sys\nsys.path.append('../src')\nfrom tidying import tidy\nimport pandas as pd",
        "#tagged\nrows = 12\nseed = 7  # for all",
        "df = tidy(pd.read_csv('../data/raw.csv')).head(rows)",
        "df.to_csv('../data/clean.csv', index=False)\nopen('log.txt', 'a').write('loaded')",
    ],
    "2. Train.ipynb": [
        "rows = 10\nseed = 7",
        "import json, os, pickle\nfrom pathlib import Path\nimport pandas as pd",
        "data = Path('..') / 'data'",
        "df = pd.read_csv(data / 'clean.csv').head(rows)",
        "pickle.dump({'mean': df.y.mean()}, open('model.pkl', 'wb'))\n"
        "print(open('model.pkl', 'rb').name)",
        "os.makedirs('../figures', exist_ok=True)\n"
        "for n in range(2):\n    Path(f'../figures/{n}.txt').write_text(str(n + seed))",
    ],
    "10. Report.ipynb": [
        "import glob, pickle",
        "model = pickle.load(open('model.pkl', 'rb'))\nprint(model)",
        "print(sorted(glob.glob('../figures/*.txt')))",
        "!cat ../data/clean.csv",
        "open('report.md', 'w').write(f'# {model}')\nprint('model.pkl')",
    ],
}
"""As people lay them out: beside the folders with data and code, run before, in numbered order."""


def project(folder: Path, notebooks: dict[str, list[str]]) -> Path:
    """Write a project, with what an earlier run of its notebooks has left."""
    for name, text in {
        "data/raw.csv": RAW,
        "data/clean.csv": "left by an earlier run",
        "src/tidying.py": "def tidy(table):\n    return table[table.x > 1]\n",
        "notebooks/model.pkl": "old",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name, cells in notebooks.items():
        write_cells(cells, folder / "notebooks" / name)
    return folder / "notebooks"


def files_below(folder: Path) -> dict[str, bytes]:
    """All files with their contents."""
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.kernel
def test_notebooks_that_hand_on_files_become_a_pipeline(tmp_path: Path) -> None:
    """In the order of their numbers, with data and code from folders around them."""
    notebooks = project(tmp_path / "my project", PROJECT)
    before = files_below(tmp_path)
    done = convert(notebooks, tmp_path / "pipeline")
    assert [c for c in done.comparisons if c.verdict != "equal"] == []
    assert done.ok
    assert {p: t for p, t in files_below(tmp_path).items() if p in before} == before
    check_document("convert", json.loads(json.dumps(_document(done, tmp_path / "pipeline"))))
    assert list(done.notebooks.values()) == list(PROJECT)
    inputs = {name: set(plan.inputs.values()) for name, plan in done.plans.items()}
    assert inputs == {
        "load": {"file:../data/raw.csv", "file:../src/"},
        "train": {"load.clean_file"},
        "report": {"train.model_file", "train.figures_folder", "load.clean_file"},
    }
    again = mlkit.run(tmp_path / "pipeline")
    assert {str(stage.status) for stage in again.stages.values()} == {"cached"}
    pipeline = mlkit.load_pipeline(tmp_path / "pipeline")
    assert pipeline.parameters == {"seed": 7}
    own = {name: dict(stage.parameters) for name, stage in pipeline.stages.items()}
    assert own == {"load": {"rows": 12}, "train": {"rows": 10}, "report": {}}


def converted(tmp_path: Path, *names: str) -> Converted:
    """Two small notebooks in an order; `use.ipynb` reads what `make.ipynb` writes."""
    cells = {
        "make.ipynb": ["open('b.txt', 'w').write('new'); open('c.txt', 'w').write('c');"],
        "use.ipynb": ["print(open('b.txt').read())", "u = open('c.txt').read()"],
    }
    for name, sources in cells.items():
        write_cells(sources, tmp_path / name)
    (tmp_path / "b.txt").write_text("left by an earlier run")
    return convert([tmp_path / name for name in names], tmp_path / "out", dry_run=True)


@pytest.mark.kernel
@pytest.mark.parametrize("first", ["make.ipynb", "use.ipynb"])
def test_an_order_in_which_a_file_comes_too_late_is_told(tmp_path: Path, first: str) -> None:
    """Whether an older one is there or not."""
    second = {"make.ipynb": "use.ipynb", "use.ipynb": "make.ipynb"}[first]
    told = "\n".join(_told(converted(tmp_path, first, second), tmp_path / "out"))
    is_wrong = first == "use.ipynb"
    for file in ("b.txt", "c.txt"):
        sentence = f"use.ipynb reads {file}, which make.ipynb writes later"
        assert (sentence in told) is is_wrong
    assert ("cell 2 of use.ipynb fails" in told) is is_wrong
