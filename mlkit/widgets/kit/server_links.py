"""Links from a view to files, which JupyterLab opens beside the notebook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

from jupyter_core.paths import jupyter_runtime_dir

from mlkit.frozen import dataclass
from mlkit.reports.svg import text

__all__ = ["Server", "find_server", "link"]

_PARENT = "JPY_PARENT_PID"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The Jupyter server that this kernel belongs to: the folder it shows, and its address."""

    root: Path
    base_url: str


def find_server() -> Server | None:
    """Find the server that started this kernel; None where there is none, as in a batch."""
    pid = os.environ.get(_PARENT, "")
    if not pid:
        return None
    try:
        about = json.loads(
            (Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json").read_text("utf-8")
        )
        return Server(root=Path(about["root_dir"]).resolve(), base_url=str(about["base_url"]))
    except (OSError, ValueError, KeyError):
        return None


def link(path: Path, words: str, server: Server | None) -> str:
    """Write a link that opens a file in JupyterLab; where no server shows it, its path.

    Parameters
    ----------
    path : Path
        The file.
    words : str
        What the link says.
    server : Server or None
        From `find_server`.
    """
    place = path.resolve()
    if server is None or not place.is_relative_to(server.root):
        return f"{text(words)}: <code>{text(str(path))}</code>"
    inside = place.relative_to(server.root).as_posix()
    address = f"{server.base_url}lab/tree/{quote(inside)}"
    command = 'data-commandlinker-command="docmanager:open"'
    arguments = f'data-commandlinker-args="{text(json.dumps({"path": inside}))}"'
    return f'<a href="{text(address)}" {command} {arguments}>{text(words)}</a>'
