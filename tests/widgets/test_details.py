"""What stands beside a picked stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.widgets.artifact_preview import preview
from mlkit.widgets.server_links import Server, find_server, link


def test_a_file_below_the_server_is_opened_in_jupyterlab(tmp_path: Path) -> None:
    """By JupyterLab's own command, and by its address elsewhere."""
    file = tmp_path / "train[a b]" / "notebook.ipynb"
    server = Server(root=tmp_path.resolve(), base_url="/user/x/")
    made = link(file, "open <it>", server)
    assert 'href="/user/x/lab/tree/train%5Ba%20b%5D/notebook.ipynb"' in made
    assert 'data-commandlinker-command="docmanager:open"' in made
    assert "&quot;train[a b]/notebook.ipynb&quot;" in made
    assert "open &lt;it&gt;" in made


def test_a_file_elsewhere_is_named_by_its_path(tmp_path: Path) -> None:
    """A link to it would lead nowhere."""
    inside = Server(root=tmp_path / "root", base_url="/")
    assert link(tmp_path / "a.txt", "log", inside) == f"log: <code>{tmp_path / 'a.txt'}</code>"
    assert "<a" not in link(tmp_path / "a.txt", "log", None)


def test_the_server_is_found_by_what_it_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel knows the server's process; without a server there is none."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", "77")
    assert find_server() is None
    about = {"root_dir": str(tmp_path), "base_url": "/"}
    (tmp_path / "jpserver-77.json").write_text(json.dumps(about))
    assert find_server() == Server(root=tmp_path.resolve(), base_url="/")
    monkeypatch.delenv("JPY_PARENT_PID")
    assert find_server() is None


def test_json_is_shown_with_its_structure(tmp_path: Path) -> None:
    """Escaped, indented."""
    file = tmp_path / "m.json"
    file.write_text('{"a<b": [1, 2]}')
    assert "&quot;a&lt;b&quot;: [\n" in preview(file, "metrics")


def test_a_table_tells_its_rows_and_columns(tmp_path: Path) -> None:
    """Without reading the data."""
    import pandas as pd

    file = tmp_path / "t.parquet"
    pd.DataFrame({"x": [1, 2, 3], "<y>": list("abc")}).to_parquet(file)
    assert preview(file, "table") == "<p>3 rows, 2 columns: x, &lt;y&gt;</p>"


def test_a_picture_has_words_that_stand_for_it(tmp_path: Path) -> None:
    """The output's name."""
    from mlkit.widgets.raster import png_of

    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'
    (tmp_path / "p.png").write_bytes(png_of([svg]))
    assert 'alt="roc plot"' in preview(tmp_path / "p.png", "roc_plot")


@pytest.mark.parametrize("name", ["model.joblib", "missing.json", "broken.parquet"])
def test_what_cannot_be_shown_breaks_nothing(tmp_path: Path, name: str) -> None:
    """Unknown kinds show nothing; a missing or damaged file says so."""
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"no")
    shown = preview(tmp_path / name, "x")
    assert shown == "" if name == "model.joblib" else shown.startswith("<p>")
