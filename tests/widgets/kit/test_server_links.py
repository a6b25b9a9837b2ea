"""Links to files beside a view."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.widgets.kit.server_links import Server, find_server, link


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
