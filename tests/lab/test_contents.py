"""What JupyterLab is sent of a stage's source, and what of it comes into files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class
from tornado.web import HTTPError

from mlkit.core.scrubbing import Scrubber
from mlkit.lab.contents import StageContents, contents_for
from mlkit.lab.desk import Desk

SECRET = "s3cret-value"
CELL = "# Injected by mlkit edit\nrows = 5\ntoken = fetch('token')"
PERCENT = """# %% [markdown]
# # Count

# %% tags=["parameters"]
rows: int = 1   # how many

# %%
print( rows )   # black would write it otherwise
"""
MYST = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# Count

```{code-cell} ipython3
:tags: [parameters]

rows: int = 1   # how many
```

```{code-cell} ipython3
print( rows )   # black would write it otherwise
```
"""


def _ipynb(**top: Any) -> str:
    def code(name: str, source: list[str], **metadata: Any) -> dict[str, Any]:
        return {"cell_type": "code", "execution_count": None, "id": name, "metadata": metadata,
                "outputs": [], "source": source}  # fmt: skip

    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Count"]},
        code("given", ["rows: int = 1   # how many"], tags=["parameters"]),
        code("show", ["print( rows )   # black would write it otherwise"]),
    ]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **top}
    return json.dumps(document, indent=1) + "\n"


FORMS = {"count.ipynb": _ipynb(), "count.py": PERCENT, "count.md": MYST}


class Tab:
    """A notebook in a browser, and the server behind it."""

    def __init__(self, contents: StageContents, name: str) -> None:
        self.contents = contents
        self.name = name
        self.document: Any = None
        self.open()

    def open(self) -> None:
        """Load it, or load it again."""
        model = asyncio.run(self.contents.get(self.name, type="notebook"))
        self.document = json.loads(json.dumps(model["content"]))

    def cell(self, beginning: str) -> Any:
        """The cell whose text begins so."""
        return next(c for c in self.document["cells"] if c["source"].startswith(beginning))

    def save(self, path: str | None = None) -> Any:
        """Save it, at this path or its own."""
        model = {"type": "notebook", "format": "json", "content": self.document}
        return asyncio.run(self.contents.save(model, path or self.name))


Serve = Callable[[str], Tab]


@pytest.fixture(params=["plain", "jupytext"])
def serve(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Work on a notebook of this name, with Jupytext's manager of contents and without."""
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / f".{name}"))

    def start(name: str) -> Tab:
        (tmp_path / name).write_text(FORMS[name], encoding="utf-8")
        desk = Desk(
            stage_id="count",
            notebook=tmp_path / name,
            cell=CELL,
            cwd=tmp_path / "cwd",
            outputs=tmp_path / "out",
            env={"TOKEN": SECRET},
            scrubber=Scrubber([SECRET]),
            tidy=lambda: None,
        )
        base: Any = AsyncLargeFileManager
        if request.param == "jupytext":
            base = build_async_jupytext_contents_manager_class(base)
        contents = contents_for(base)(root_dir=str(tmp_path))
        contents.work_on(desk, name)
        return Tab(contents, name)

    return start


def everything(folder: Path) -> str:
    """What stands in all files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(path.read_text("utf-8", "replace") for path in files)


@pytest.mark.parametrize("name", FORMS)
def test_the_injected_cell_is_sent_and_never_written(serve: Serve, name: str) -> None:
    """Behind the parameters; protected; in no file, copy, checkpoint or save under another name."""
    tab = serve(name)
    folder = Path(tab.contents.root_dir)
    sources = [cell["source"] for cell in tab.document["cells"]]
    assert sources[2] == CELL
    assert sources[1].startswith("rows: int")
    injected = tab.document["cells"][2]
    assert (injected["metadata"]["editable"], injected["metadata"]["deletable"]) == (False, False)
    tab.cell("print")["source"] += "\nprint(2)"
    tab.document["cells"].append({**injected, "id": "pasted"})
    tab.save()
    contents: Any = tab.contents
    asyncio.run(contents.create_checkpoint(name))
    asyncio.run(tab.contents.copy(name))
    tab.save("elsewhere.ipynb")
    copies = [path.name for path in folder.rglob("*count*") if path.is_file()]
    assert len(copies) == 3, copies
    assert everything(folder).count("print(2)") == 5  # "elsewhere" has a checkpoint, too
    assert "Injected" not in everything(folder)
    assert SECRET not in everything(folder) + json.dumps(tab.document)
    assert "mlkit_edit" not in everything(folder)


@pytest.mark.parametrize("name", FORMS)
def test_one_edited_line_is_one_changed_line(serve: Serve, name: str) -> None:
    """In each form; the manner in which somebody wrote the rest stays."""
    tab = serve(name)
    file = Path(tab.contents.root_dir) / name
    tab.save()
    assert file.read_text("utf-8") == FORMS[name]
    tab.cell("print")["source"] = "print( rows + 1 )"
    tab.save()
    old, new = FORMS[name].splitlines(), file.read_text("utf-8").splitlines()
    assert len(old) == len(new)
    changed = [there for here, there in zip(old, new, strict=True) if here != there]
    assert [line.strip().strip('"') for line in changed] == ["print( rows + 1 )"]


@pytest.mark.parametrize("name", FORMS)
def test_cells_and_tags_are_kept_in_each_form(serve: Serve, name: str) -> None:
    """What was added, moved, retyped and tagged is there when the file is opened again."""
    tab = serve(name)
    new: dict[str, Any] = {"cell_type": "code", "id": "new", "source": "x = 1"}
    new |= {"metadata": {"tags": ["slow"]}, "outputs": [], "execution_count": None}
    title, given, injected, show = tab.document["cells"]
    tab.document["cells"] = [given, injected, new, show, title]
    tab.save()
    tab.open()
    found = [
        (c["cell_type"], c["source"], c["metadata"].get("tags")) for c in tab.document["cells"]
    ]
    assert [item[:2] for item in found] == [
        ("code", given["source"]),
        ("code", CELL),
        ("code", "x = 1"),
        ("code", show["source"]),
        ("markdown", "# Count"),
    ]
    assert found[2][2] == ["slow"]


@pytest.mark.parametrize("name", FORMS)
def test_a_save_is_refused_if_the_file_changed_meanwhile(serve: Serve, name: str) -> None:
    """The other's change stands; after a reload the save succeeds."""
    tab = serve(name)
    file = Path(tab.contents.root_dir) / name
    theirs = FORMS[name].replace("how many", "how many rows")
    file.write_text(theirs, encoding="utf-8")
    tab.cell("print")["source"] = "mine"
    with pytest.raises(HTTPError, match="has changed on disk since it was opened here") as caught:
        tab.save()
    assert caught.value.status_code == 409
    assert file.read_text("utf-8") == theirs
    tab.open()
    tab.cell("print")["source"] = "mine"
    tab.save()
    assert "mine" in file.read_text("utf-8")
    assert "how many rows" in file.read_text("utf-8")


def test_another_tab_that_is_behind_cannot_overwrite(serve: Serve) -> None:
    """What one tab has saved is a change on disk to the other, and no change to itself."""
    first = serve("count.ipynb")
    second = Tab(first.contents, first.name)
    for text in ("one", "two"):
        first.cell("# Count")["source"] = f"# Count {text}"
        first.save()
    with pytest.raises(HTTPError, match="has changed on disk"):
        second.save()


@pytest.mark.parametrize("mark", [None, "from-an-earlier-server"])
def test_a_page_of_an_earlier_server_is_not_saved(serve: Serve, mark: str | None) -> None:
    """Nobody knows what it had seen."""
    tab = serve("count.ipynb")
    tab.document["metadata"]["mlkit_edit"] = mark
    with pytest.raises(HTTPError, match="opened by an earlier 'mlkit edit'"):
        tab.save()


def test_a_file_that_is_gone_or_broken_is_told(serve: Serve) -> None:
    """In a sentence, not by a traceback."""
    tab = serve("count.ipynb")
    file = Path(tab.contents.root_dir) / tab.name
    file.write_text("{", encoding="utf-8")
    with pytest.raises(HTTPError, match="not valid JSON"):
        tab.save()
    file.unlink()
    with pytest.raises(HTTPError, match="the file is gone"):
        tab.save()
    with pytest.raises(HTTPError, match="is gone") as told:
        tab.open()
    assert told.value.status_code == 404


@pytest.mark.parametrize(
    "broken",
    [
        {"cells": None},
        {"cells": ["x"]},
        {"cells": [{"cell_type": "heading", "source": ""}]},
        {"cells": [{"cell_type": "code", "source": "1", "outputs": None}]},
        {"metadata": None},
        {"nbformat": 3},
    ],
    ids=str,
)
def test_what_is_no_notebook_is_refused_before_it_is_written(
    serve: Serve, broken: dict[str, Any]
) -> None:
    """By a sentence; the file stays."""
    tab = serve("count.ipynb")
    mark = tab.document["metadata"]["mlkit_edit"]
    tab.document |= broken
    if isinstance(tab.document["metadata"], dict):
        tab.document["metadata"]["mlkit_edit"] = mark
    with pytest.raises(HTTPError, match="no notebook of format 4") as told:
        tab.save()
    assert told.value.status_code == 400
    assert (Path(tab.contents.root_dir) / tab.name).read_text("utf-8") == FORMS["count.ipynb"]


@pytest.mark.parametrize("change", [{"metadata": None}, {"source": "'\ud83d'"}], ids=str)
def test_what_a_program_leaves_out_or_cuts_in_half_is_saved(
    serve: Serve, change: dict[str, Any]
) -> None:
    """A cell without metadata, or with half a character in it: no half a save."""
    tab = serve("count.ipynb")
    cell = tab.cell("print")
    cell["source"] += "\nprint(2)"
    cell |= change
    if cell["metadata"] is None:
        del cell["metadata"]
    tab.save()
    kept = json.loads((Path(tab.contents.root_dir) / tab.name).read_text("utf-8"))
    assert "".join(kept["cells"][2]["source"]) == cell["source"]


def test_the_notebook_of_a_stage_is_not_renamed(serve: Serve) -> None:
    """pipeline.yaml names it; anything else may be renamed."""
    tab = serve("count.ipynb")
    with pytest.raises(HTTPError, match=r"stage 'count' in pipeline\.yaml"):
        asyncio.run(tab.contents.rename_file("count.ipynb", "other.ipynb"))
    (Path(tab.contents.root_dir) / "a.txt").touch()
    asyncio.run(tab.contents.rename_file("a.txt", "b.txt"))
    listed = asyncio.run(tab.contents.get("", content=True))["content"]
    assert {"b.txt", "count.ipynb"} <= {item["name"] for item in listed}


def test_outputs_are_kept_where_the_file_has_some_and_hold_no_secret(serve: Serve) -> None:
    """A source without outputs stays without."""
    tab = serve("count.ipynb")
    file = Path(tab.contents.root_dir) / tab.name
    said = {"output_type": "stream", "name": "stdout", "text": f"{SECRET}\n2"}
    tab.cell("print")["outputs"] = [said]
    tab.save()
    assert file.read_text("utf-8") == FORMS["count.ipynb"]
    document = json.loads(FORMS["count.ipynb"])
    document["cells"][2]["outputs"] = [{**said, "text": ["1"]}]
    file.write_text(json.dumps(document), encoding="utf-8")
    tab.open()
    tab.cell("print")["outputs"] = [said]
    tab.save()
    saved = json.loads(file.read_text("utf-8"))["cells"][2]["outputs"]
    assert saved == [{**said, "text": ["***\n", "2"]}]
    tab.document["metadata"]["widgets"] = {"state": {"value": SECRET}}
    tab.save("elsewhere.ipynb")
    assert SECRET not in everything(file.parent)


def test_what_the_browser_asks_for_is_answered_as_it_expects(serve: Serve) -> None:
    """The hash is the file's, so that JupyterLab itself sees a change; as text it is the file."""
    tab = serve("count.ipynb")
    with_content = asyncio.run(tab.contents.get(tab.name, require_hash=True))
    without = asyncio.run(tab.contents.get(tab.name, content=False, require_hash=True))
    assert with_content["hash"] == without["hash"] is not None
    raw = asyncio.run(tab.contents.get(tab.name, type="file", format="text"))
    assert raw["content"] == FORMS["count.ipynb"]
