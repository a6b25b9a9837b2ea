"""Stage notebooks that are text, read by Jupytext."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat.v4
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.errors import NotebookError
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.declarations import declarations
from mlkit.notebook.source import beside, failing_place, read_notebook

nb4: Any = nbformat.v4  # untyped

PERCENT = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train
#
# x = 1

# %% tags=["parameters"]
rows: int = 5
out: str = "scratch/out.json"

# %%
# %matplotlib inline
x = 1

# %% tags=["raises-exception"]
1 / 0
"""

MYST = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Train

x = 1

```{code-cell} ipython3
:tags: [parameters]

rows: int = 5
out: str = "scratch/out.json"
```

```{code-cell} ipython3
%matplotlib inline
x = 1
```

```{code-cell} ipython3
:tags: [raises-exception]

1 / 0
```
"""

MARKDOWN = """\
---
jupyter:
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---

# Train

x = 1

```python tags=["parameters"]
rows: int = 5
out: str = "scratch/out.json"
```

```python
%matplotlib inline
x = 1
```

```python tags=["raises-exception"]
1 / 0
```
"""

TEXTS = {"train.py": PERCENT, "myst.md": MYST, "plain.md": MARKDOWN}


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _ipynb(folder: Path, cells: list[Any], name: str = "train.ipynb") -> Path:
    return _written(folder, name, json.dumps(nb4.new_notebook(cells=cells)))


def _code(source: str, *tags: str) -> Any:
    return nb4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def _twin(folder: Path) -> Path:
    return _ipynb(
        folder,
        [
            nb4.new_markdown_cell("# Train"),
            _code('rows: int = 5\nout: str = "scratch/out.json"', "parameters"),
            _code("%matplotlib inline\nx = 1"),
            _code("1 / 0", "raises-exception"),
        ],
    )


def _fingerprint(source: NotebookSource) -> list[tuple[str, frozenset[str]]]:
    return [(cell.digest, cell.tags) for cell in source.code_cells]


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_holds_the_cells_and_tags_of_its_ipynb(name: str, tmp_path: Path) -> None:
    """So the fingerprint of a stage is the same in every form of its notebook."""
    text = read_notebook(_written(tmp_path, name, TEXTS[name]))
    assert _fingerprint(text) == _fingerprint(read_notebook(_twin(tmp_path)))
    assert list(declarations(text)) == ["rows", "out"]


@pytest.mark.parametrize("name", TEXTS)
def test_each_code_cell_of_a_text_knows_the_line_on_which_it_begins(
    name: str, tmp_path: Path
) -> None:
    """Prose that reads like code before it does not mislead."""
    lines = TEXTS[name].splitlines()
    source = read_notebook(_written(tmp_path, name, TEXTS[name]))
    found = [cell.line for cell in source.code_cells]
    expected = [
        1 + next(i for i, line in enumerate(lines) if line.startswith(start))
        for start in ("rows", ("# %matplotlib", "%matplotlib"), "1 / 0")
    ]
    assert found == expected


def test_a_text_is_read_the_same_every_time(tmp_path: Path) -> None:
    """Jupytext draws ids at random, and names the pair, which is no part of what is executed."""
    path = _written(tmp_path, "train.py", PERCENT)
    assert read_notebook(path).document == read_notebook(path).document
    assert "jupytext" not in read_notebook(path).document["metadata"]


def test_a_cell_of_another_language_knows_its_line(tmp_path: Path) -> None:
    """Its first line, a magic, stands in the marker."""
    text = '# %%\nx = 1\n\n# %% language="bash"\n# ls\n# pwd\n\n# %%\ny = 2\n'
    cells = read_notebook(_written(tmp_path, "a.py", text)).code_cells
    assert [cell.source for cell in cells] == ["x = 1", "%%bash\nls\npwd", "y = 2"]
    assert [cell.line for cell in cells] == [2, 4, 9]


_LINE = st.text(st.characters(codec="ascii", categories=("L", "N", "Zs", "P", "S")), max_size=12)
_SOURCE = st.lists(_LINE, min_size=1, max_size=4).map("\n".join).map(str.strip)


@given(cells=st.lists(st.tuples(st.sampled_from(["code", "markdown"]), _SOURCE), max_size=6))
@settings(max_examples=60, deadline=None)
def test_where_a_cell_is_said_to_begin_its_first_line_stands(
    cells: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the cells hold, in each form that Jupytext writes: a line, or none, never a lie."""
    made = [
        nb4.new_code_cell(source) if kind == "code" else nb4.new_markdown_cell(source)
        for kind, source in cells
    ]
    folder = tmp_path_factory.mktemp("texts")
    for number, form in enumerate(["py:percent", "md:myst", "md"]):
        text = jupytext.writes(nb4.new_notebook(cells=made), fmt=form)
        name = f"n{number}.{form.partition(':')[0]}"
        try:
            source = read_notebook(_written(folder, name, text))
        except NotebookError as error:
            assert "no cell of code" in str(error) or "Jupytext cannot" in str(error)  # noqa: PT017
            continue
        lines = text.splitlines()
        for cell in source.code_cells:
            if cell.line is not None and not cell.source.startswith("%%"):
                first = cell.source.split("\n")[0]
                written = lines[cell.line - 1]
                assert written.lstrip("# ").strip() == first.lstrip("# ").strip()


_STATEMENT = st.sampled_from(
    [
        "x = 1",
        "if x:\n    y = 2",
        "%matplotlib inline",
        "# a comment",
        'z = "# %% no marker"',
        "!ls",
    ]
)
_CODE = st.lists(_STATEMENT, min_size=1, max_size=3).flatmap(
    lambda lines: st.sampled_from(["\n", "\n\n", "\n\n\n"]).map(lambda gap: gap.join(lines))
)


@given(cells=st.lists(st.tuples(_CODE, st.sampled_from(["", "\n", "\n\n"])), max_size=5))
@settings(max_examples=40, deadline=None)
def test_code_keeps_its_fingerprint_in_every_form(
    cells: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With magics, comments, blank lines between statements and at the end of a cell."""
    folder = tmp_path_factory.mktemp("forms")
    made = [_code(source + end) for source, end in [*cells, ("last = 1", "")]]
    own = read_notebook(_ipynb(folder, made))
    for number, form in enumerate(["py:percent", "md:myst", "md:markdown"]):
        text = jupytext.writes(jupytext.read(own.path), fmt=form)
        name = f"n{number}.{form.partition(':')[0]}"
        assert _fingerprint(read_notebook(_written(folder, name, text))) == _fingerprint(own)


@pytest.mark.parametrize(
    ("name", "text", "line", "fact"),
    [
        ("a.py", '# %% tags=["parameters"]\nrows: int = 5\nx = len("a")\n', 3, "no literal"),
        ("a.py", '# %%\ny = 1\n\n# %% tags=["parameters"]\nrows = (\n', 5, "not plain Python"),
        ("a.md", "# T\n\n```{code-cell}\n:tags: [parameters]\n\nrows: int = 'a'\n```\n", 6, "fit"),
        ("a.md", "text\n\n```{code-cell}\n:tags: [a\n\nx = 1\n```\n", 3, "Jupytext cannot read"),
    ],
)
def test_a_mistake_in_a_text_is_told_with_its_line(
    name: str, text: str, line: int, fact: str, tmp_path: Path
) -> None:
    """The line of the file, which an editor goes to."""
    with pytest.raises(NotebookError, match=fact) as caught:
        declarations(read_notebook(_written(tmp_path, name, text)))
    assert caught.value.line == line
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["module.py", "page.md"])
def test_a_text_without_cells_is_no_notebook(name: str, tmp_path: Path) -> None:
    """A module or a page is refused with how cells are written, never run as one long cell."""
    with pytest.raises(NotebookError, match="holds no cell of code") as caught:
        read_notebook(_written(tmp_path, name, "import os\n\nprint(os.getcwd())\n"))
    assert "%%" in str(caught.value.remedy) or "code-cell" in str(caught.value.remedy)


def test_a_header_that_jupyter_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    """What a library says of somebody's text is no traceback."""
    text = "# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n\n# %%\nx = 1\n"
    with pytest.raises(NotebookError, match="'display_name' is a required property"):
        read_notebook(_written(tmp_path, "a.py", text))


def test_a_failing_cell_is_named_with_its_line_in_the_text(tmp_path: Path) -> None:
    """The outermost frame is the cell's; without one it is the cell's first line."""
    source = read_notebook(_written(tmp_path, "train.py", PERCENT))
    place = next(cell.index for cell in source.cells if cell.source.startswith("%mat"))
    line = PERCENT.splitlines().index("x = 1") + 1
    shown = "Cell In[7], line 2\n      1 f()\n----> 2 x = 1\n\nCell In[3], line 9, in f()\n"
    assert failing_place(source, place, shown) == f"cell {place + 1}, line {line} of train.py"
    assert failing_place(source, place, "") == f"cell {place + 1}, line {line - 1} of train.py"
    assert failing_place(source, None, "") == ""
    assert failing_place(read_notebook(_twin(tmp_path)), 1, shown) == ""


def test_two_forms_of_a_notebook_are_told_where_they_differ(tmp_path: Path) -> None:
    """Which one runs, which one is newer, and what to do."""
    path, twin = _written(tmp_path, "train.py", PERCENT), _twin(tmp_path)
    assert beside(path) is None
    twin.write_text(twin.read_text().replace("x = 1", "x = 2"))
    said = beside(path)
    assert said is not None
    assert "train.ipynb stands beside train.py, which runs, and differs in cell 3" in said
    assert "jupytext" in said


def test_a_module_or_a_page_beside_a_notebook_is_no_second_form_of_it(tmp_path: Path) -> None:
    """`train.py` may hold the functions of `train.ipynb`, and `train.md` tell about it."""
    twin = _twin(tmp_path)
    _written(tmp_path, "train.py", "def f():\n    return 1\n")
    _written(tmp_path, "train.md", "# About\n\n```python\nimport train\n```\n")
    assert beside(twin) is None


def test_a_file_is_read_once_as_long_as_it_looks_the_same(tmp_path: Path) -> None:
    """Anew where it changed, and where it is so new that a change might not show."""
    file = tmp_path / "a.ipynb"
    cells = (nb4.new_code_cell("x = 1"), nb4.new_code_cell("x = 2"))
    first, other = (json.dumps(nb4.new_notebook(cells=[cell])) for cell in cells)
    file.write_text(first)
    read = read_notebook(file)
    assert read_notebook(file) is not read  # it is new
    _settle(file)
    settled = read_notebook(file)
    assert read_notebook(file) is settled
    before = file.stat()
    file.write_text(other)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [cell.source for cell in read_notebook(file).cells] == ["x = 2"]


def _settle(file: Path) -> None:
    """Wait until a change of the file would show in its times."""
    until = time.monotonic() + 30
    while time.time() - file.stat().st_ctime < 2.1 and time.monotonic() < until:
        time.sleep(0.1)
