"""Open JupyterLab on a notebook, and end it with Ctrl-C: the one way in which mlkit does so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from jupyterlab.commands import get_app_dir
from jupyterlab.labapp import LabApp

from mlkit.frozen import dataclass
from mlkit.lab.at_cell import page_at_cell
from mlkit.lab.contents import contents_for
from mlkit.lab.desk import Desk
from mlkit.lab.kernels import RESTARTS, KernelActions
from mlkit.notebook.source import is_text

__all__ = ["LiveKernel", "open_in_lab"]

_OF_PORTS = frozenset({"_find_http_port", "_bind_http_server"})
"""What says critically why the server does not begin; announcements are of the same level."""


class _Server(ServerApp):
    """A server that ends at the first Ctrl-C, and says when it can be asked."""

    on_ready: Callable[[], None] | None = None

    def init_signal(self) -> None:
        """Take Ctrl-C for what it is; Jupyter's own asks whether it was meant."""
        super().init_signal()
        signal.signal(signal.SIGINT, self._signal_stop)

    def start_app(self) -> None:
        """Begin to answer."""
        super().start_app()
        if self.on_ready is not None:  # the port is bound by what the loop was given before
            self.io_loop.add_callback(self.on_ready)


class _Lab(LabApp):  # type: ignore[misc] # JupyterLab is untyped
    """JupyterLab on that server."""

    serverapp_class = _Server
    load_other_extensions = True


@dataclass(frozen=True, kw_only=True)
class LiveKernel:
    """A kernel that somebody else holds, for a notebook to be attached to.

    Parameters
    ----------
    connection : Path
        Its connection file, alone in its folder.
    pid : int
        Its process, which leads a group.
    cell : str, optional
        The id of the cell at which the notebook opens.
    """

    connection: Path
    pid: int
    cell: str | None = None

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and to what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def open_in_lab(
    notebook: Path,
    root: Path,
    *,
    desk: Desk | None = None,
    live: LiveKernel | None = None,
    browser: bool = True,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve JupyterLab with a notebook open, until Ctrl-C, SIGTERM or SIGHUP.

    Parameters
    ----------
    notebook : Path
        The notebook.
    root : Path
        The folder that JupyterLab shows, above it.
    desk : Desk, optional
        The stage that the notebook is the source of, to be worked on with its real inputs.
    live : LiveKernel, optional
        The kernel that the notebook is attached to.
    browser : bool
        Open the browser.
    ready : callable
        Told the address, with its token, when the server answers.
    """
    path = notebook.relative_to(root).as_posix()
    page = f"/lab/tree/{quote(path)}"
    words = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={page}",
        f"--ServerApp.open_browser={browser}",
        *("--ServerApp.log_level=ERROR", "--LabApp.log_level=ERROR"),
        "--ServerApp.kernel_manager_class=mlkit.lab.kernels.StageKernels",
        "--ServerApp.kernel_spec_manager_class=mlkit.lab.kernels.OwnKernelSpecs",
        "--ServerApp.contents_manager_class="
        "jupyter_server.services.contents.largefilemanager.AsyncLargeFileManager",
        # A run may be started by root, in a container say; so may a stage be worked on.
        *(["--ServerApp.allow_root=True"] if os.geteuid() == 0 else []),
    ]
    if desk is not None and is_text(notebook):
        words.append(f"--LabApp.app_settings_dir={_settings(desk.cwd.parent / 'settings')}")
    if live is not None:
        words += [
            "--ServerApp.allow_external_kernels=True",
            "--OwnKernelSpecs.can_debug=False",
            f"--ServerApp.external_connection_dir={live.connection.parent}",
        ]
    if live is not None and live.cell is not None:
        templates = page_at_cell(notebook.parent / ".page", live.cell)
        words += [
            f"--LabApp.templates_dir={templates}",
            "--LabApp.expose_app_in_browser=True",
        ]
    server: Any = _Lab.initialize_server(argv=words)
    server.log.addFilter(_is_no_announcement)
    if desk is not None:
        _work_on(server, desk, path)
    if live is not None:
        restarts = (url_path_join(server.base_url, RESTARTS), KernelActions)
        server.web_app.add_handlers(".*$", [restarts])
        server.io_loop.add_callback(_attach, server, live, path)
    server.on_ready = lambda: ready(_address(server, page))
    server.start()
    with _undisturbed():
        _end(server.io_loop.asyncio_loop)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Pass over another Ctrl-C, SIGTERM or SIGHUP: what they ask for goes on already."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(loop: asyncio.AbstractEventLoop, *, finish_s: float = 2.0) -> None:
    """End what the server was still doing as it stopped.

    A worker thread of anyio ends with the request that it works for, and Python with the last
    thread: a request that nobody ends any more, such as a save, would keep the process for ever.
    """
    if begun := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(begun, timeout=finish_s))
    for task in (left := asyncio.all_tasks(loop)):
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=finish_s))


async def _attach(server: Any, live: LiveKernel, path: str) -> None:
    """Give the notebook a session on the kernel, which JupyterLab finds when it opens it."""
    adopted = server.kernel_manager.adopt(live.connection, live.signal)
    await server.session_manager.create_session(
        path=path, name=Path(path).name, type="notebook", kernel_id=adopted
    )


def _work_on(server: Any, desk: Desk, path: str) -> None:
    """Put the stage's own contents in the place of what extensions have put there."""
    kind = contents_for(type(server.contents_manager))
    contents = kind(parent=server, log=server.log)
    contents.work_on(desk, path)
    server.contents_manager_class = kind
    server.contents_manager = server.session_manager.contents_manager = contents
    server.web_app.settings["contents_manager"] = contents
    server.kernel_manager.work_on(desk, path)


def _address(server: Any, page: str) -> str:
    token = server.identity_provider.token
    address: str = url_path_join(server.connection_url, page)
    if not token:
        return address
    return f"{address}?{urlencode({'token': token})}"


def _settings(folder: Path) -> Path:
    """The installation's settings, but that a text opens as the notebook that it is."""
    theirs = Path(get_app_dir()) / "settings"
    if theirs.is_dir():
        shutil.copytree(theirs, folder)
    folder.mkdir(exist_ok=True)
    file = folder / "overrides.json"
    settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    documents = settings.setdefault("@jupyterlab/docmanager-extension:plugin", {})
    viewers = documents.setdefault("defaultViewers", {})
    # Jupytext brings it, which mlkit needs anyway; the plain one is for .ipynb alone.
    viewers |= dict.fromkeys(("python", "markdown"), "Jupytext Notebook")
    file.write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _is_no_announcement(record: logging.LogRecord) -> bool:
    """Whether a line of the server's log is more than the address or 'received signal'."""
    return record.levelno < logging.CRITICAL or record.funcName in _OF_PORTS
