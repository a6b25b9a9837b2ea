"""Drawn folders of notebooks that hand on files, converted: nothing is lost, no original changes.

The notebooks are `.ipynb` or texts, and their names are mostly not in the order of their work: what
one reads by a name that is spelled out puts it behind the one that writes it.

`MLKIT_PROJECTS=20` draws so many, `MLKIT_PROJECTS_SEED` others. The conversion itself compares the
pipeline with the notebooks; here every part of them that can be compared has to be equal.
"""

from __future__ import annotations

import os
import random
from pathlib import Path, PurePosixPath

import pytest

import mlkit
from mlkit.converting.converting import convert
from tests.converting.originals import write_cells

pytestmark = [pytest.mark.kernel, pytest.mark.long]

COUNT = int(os.environ.get("MLKIT_PROJECTS", "2"))
SEED = int(os.environ.get("MLKIT_PROJECTS_SEED", "1"))

READS = (
    "print(open({path!r}).read())",
    "from pathlib import Path\nprint(Path({path!r}).read_text())",
    "import os\nprint(open(os.path.join({folder!r}, {name!r})).read())",
    "from pathlib import Path\nd = Path({folder!r})\nprint((d / {name!r}).read_text())",
    "import glob\nfor f in sorted(glob.glob({folder!r} + '/*{end}')):\n"
    "    print(f, open(f).read())",
    "import os\nfor f in sorted(os.listdir({folder!r})):\n    if f.endswith({end!r}):\n"
    "        print(f, open(os.path.join({folder!r}, f)).read())",
    "name = {stem!r}\nprint(open(f'{folder}/{{name}}{end}').read())",
    "!cat '{path}'",
    "import csv\nwith open({path!r}) as f:\n    print(list(csv.reader(f)))",
    "SRC = {path!r}\nprint(open(SRC).read(), SRC)",
    "import shutil\nshutil.copy({path!r}, 'copied{n}{end}')\nprint(open('copied{n}{end}').read())",
    "def get(path={path!r}):\n    return open(path).read()\nget()",
    "import os\nif os.path.exists({path!r}):\n    print(len(open({path!r}).read()))",
)
"""Ways to read a file: its name written out, computed, listed, or given to the shell."""

LISTING = ("import glob", "import os\nfor f in sorted(os.listdir")
"""How ways begin that name the folder only: they say nothing of the order."""

WRITES = (
    "open({path!r}, 'w').write('v{n}');",
    "from pathlib import Path\nPath({path!r}).write_text('v{n}')",
    "import os\nwith open(os.path.join({folder!r}, {name!r}), 'w') as f:\n    f.write('v{n}')",
    "name = {stem!r}\nopen(f'{folder}/{{name}}{end}', 'w').write('v{n}')",
    "!echo v{n} > '{path}'",
    "OUT = {path!r}\nopen(OUT, 'w').write('v{n}')",
    "import json\njson.dump([{n}], open({path!r}, 'w'))",
    "import os\nos.makedirs({folder!r}, exist_ok=True)\nopen({path!r}, 'a').write('v{n}')",
)

NAMES = ("1-n", "2-n", "10 n", "b", "A", "load_it", "x[1]")

FOLDERS = (".", "data", "../data", "../out", "sub dir/x", "../../top")


class Project:
    """A folder of notebooks, drawn: each reads files that are there by then, and writes others."""

    def __init__(self, seed: str, root: Path) -> None:
        self.random = random.Random(seed)
        self.notebooks = root / "work" / "notebooks"
        for folder in FOLDERS:
            (self.notebooks / folder).mkdir(parents=True, exist_ok=True)
        self.files: list[str] = []
        self.spelled: set[tuple[str, str]] = set()
        self._writers: dict[str, str] = {}
        for number in range(3):
            self._left_before(self._new_file(number))
        for number, name in enumerate(self.random.sample(NAMES, 2)):
            file = name + self.random.choice([".ipynb", ".ipynb", ".py", ".md"])
            write_cells(self._cells(10 * number + 10, file), self.notebooks / file)

    def _cells(self, number: int, file: str) -> list[str]:
        cells = []
        for _ in range(self.random.randint(1, 3)):
            number += 1
            path, way = self.random.choice(self.files), self.random.choice(READS)
            cells.append(_filled(way, path, number))
            if path in self._writers and not way.startswith(LISTING):
                self.spelled.add((self._writers[path], file))
        written = []
        for _ in range(self.random.randint(1, 2)):
            number += 1
            path = self._new_file(number)
            written.append(path)
            cells.append(_filled(self.random.choice(WRITES), path, number))
            if self.random.random() < 0.3:
                self._left_before(path)
        self._writers |= dict.fromkeys(written, file)
        return cells

    def _new_file(self, number: int) -> str:
        name = f"f{number}.{self.random.choice(['txt', 'csv'])}"
        self.files.append(os.path.normpath(f"{self.random.choice(FOLDERS)}/{name}"))
        return self.files[-1]

    def _left_before(self, path: str) -> None:
        """What was there from the beginning, or is left by an earlier run of the notebooks."""
        (self.notebooks / path).write_text("there before")


def _filled(code: str, path: str, number: int) -> str:
    plain = PurePosixPath(path)
    return code.format(
        path=path,
        folder=str(plain.parent),
        name=plain.name,
        stem=plain.stem,
        end=plain.suffix,
        n=number,
    )


def files_in(folder: Path) -> dict[str, bytes]:
    """All files with their contents."""
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("number", range(COUNT))
def test_a_drawn_project_gives_the_same_as_a_pipeline(number: int, tmp_path: Path) -> None:
    """All is equal, in the order of what is read; the project stays, and all can be reused."""
    project = Project(f"{SEED}/{number}", tmp_path / "project")
    before = files_in(tmp_path / "project")
    done = convert(project.notebooks, tmp_path / "pipeline")
    assert [c for c in done.comparisons if c.verdict != "equal"] == []
    assert done.ok
    order = list(done.notebooks.values())
    for writer, reader in project.spelled:
        assert order.index(writer) < order.index(reader)
    assert files_in(tmp_path / "project") == before
    again = mlkit.run(tmp_path / "pipeline")
    assert {str(stage.status) for stage in again.stages.values()} == {"cached"}
