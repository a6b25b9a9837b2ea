"""What the panel's server extension answers below `/mlkit/api/`.

Every answer needs who asks to be known to the server (a cookie or a token), and one that changes
something the token against forged requests, as Jupyter's own do. Whatever takes long happens in a
thread or in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from mlkit.errors import MlkitError
from mlkit.panel.jobs import Jobs

if TYPE_CHECKING:
    from mlkit.panel.desks import Desks
    from mlkit.panel.drawing import Drawings
    from mlkit.panel.following import Following
    from mlkit.panel.workspace import Workspace

__all__ = ["PLACE", "handlers"]

_T = TypeVar("_T")

PLACE = "mlkit/api"
_WAIT_S = 25.0
"""So long a page waits for news before it asks again; proxies end what is silent for a minute."""

_LOOK_S, _MOST_PAUSE_S = 0.12, 0.4
"""The pause between two looks, and the longest one, where a look takes long."""

_MOST_FOLLOWED = 16


class Desk:
    """What all requests of one server share."""

    def __init__(self, kernels: Any) -> None:
        self.epoch = secrets.token_hex(4)
        self.jobs = Jobs()
        self.desks: Desks | None = None
        self.drawings: Drawings | None = None
        self.kernels = kernels
        self.threads = ThreadPoolExecutor(8, thread_name_prefix="mlkit-panel")
        self._followed: OrderedDict[object, Following] = OrderedDict()

    async def in_thread(self, work: Callable[..., _T], *given: Any) -> _T:
        """Do something that takes its time."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *given)

    def following(self, key: object, make: Callable[[], Following]) -> Following:
        """What is followed for a form; those that nobody asked for longest are forgotten."""
        found = self._followed.pop(key, None) or make()
        self._followed[key] = found
        while len(self._followed) > _MOST_FOLLOWED:
            self._followed.popitem(last=False)
        return found


class _Answer(APIHandler):
    """An answer in JSON; a user's mistake is told with its place and its remedy.

    It has the status 200, too: browsers report every other one as an error of the page.
    """

    auth_resource = "mlkit"

    def initialize(self, desk: Desk) -> None:
        """Take what all requests share."""
        self.desk = desk

    @property
    def workspace(self) -> Workspace:
        """The folder that JupyterLab shows."""
        from mlkit.panel.workspace import Workspace  # with the first question, not as servers start

        root = Path(str(self.settings["server_root_dir"])).expanduser()
        return Workspace(root=root.absolute())

    async def answer(self, asked: dict[str, Any]) -> None:
        """Send what is found for a question."""
        try:
            found = await self.found(asked)
        except MlkitError as error:
            from mlkit.panel.documents import error_document  # as above

            found = {"error": error_document(error, self.workspace)}
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(found, allow_nan=False))

    async def found(self, asked: dict[str, Any]) -> Any:
        """Find the answer."""
        raise NotImplementedError


class _Told(_Answer):
    """An answer that changes nothing; what is asked for stands in the address."""

    @web.authenticated
    @authorized
    async def get(self, *_: str) -> None:
        """Answer."""
        await self.answer({})


class _Done(_Answer):
    """An answer to what a page has sent: an object with the path of a pipeline."""

    @web.authenticated
    @authorized
    async def post(self, *_: str) -> None:
        """Do what is asked, and answer."""
        asked = self.get_json_body()
        if not isinstance(asked, dict) or not isinstance(asked.get("path"), str):
            raise web.HTTPError(400, "an object with the path of a pipeline is needed")
        await self.answer(asked)


class _Pipelines(_Told):
    """The pipelines of the workspace."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"pipelines": await self.desk.in_thread(self.workspace.pipelines)}


class _Style(_Told):
    """The style sheet that the panel shares with the views."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        from mlkit.panel.answers import style  # as in `workspace`

        return {"css": await self.desk.in_thread(style)}


class _Follow(_Done):
    """What is new about a pipeline and its run since the page was told last; waits for it."""

    _has_left = False

    def on_connection_close(self) -> None:
        """Nobody waits for this answer any more."""
        self._has_left = True
        super().on_connection_close()

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        # with the first question, not as servers start
        from mlkit.panel.following import Following
        from mlkit.panel.form import Form

        workspace, desk = self.workspace, self.desk
        form = Form.read(workspace.file(asked["path"]), asked)
        run_id = asked.get("run") if isinstance(asked.get("run"), str) else None
        make = partial(Following, form, workspace, run_id)
        following = desk.following((workspace, form, run_id), make)
        is_same = asked.get("epoch") == desk.epoch and following.tag == asked.get("tag")
        number = int(asked.get("number") or 0) if is_same else 0
        until = time.monotonic() + min(_WAIT_S, float(asked.get("wait", _WAIT_S)))
        while True:
            job = _located_job(desk.jobs.told(form.file), workspace)
            pause = await desk.in_thread(following.look, job)
            news = following.news(number)
            if news is not None or time.monotonic() >= until or self._has_left:
                told = {"epoch": desk.epoch, "tag": following.tag}
                return {**told, **(news or {"number": number})}
            await asyncio.sleep(min(max(pause, _LOOK_S), _MOST_PAUSE_S))


class _Start(_Done):
    """Run a pipeline, or resume a run of it."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        from mlkit.panel.form import Form  # as in `workspace`

        form = Form.read(self.workspace.file(asked["path"]), asked)
        if asked.get("resume"):
            words = [str(asked["resume"]), str(form.file)]
            kind = "resume"
        else:
            kind, words = "run", [str(form.file), *form.words]
            for name in ("until", "only"):
                words += [f"--{name}", str(asked[name])] if asked.get(name) else []
            words += ["--force", "*"] if asked.get("force") else []
        words += ["--keep-failed", "30m"] if asked.get("keep_failed") else []
        await self.desk.jobs.start(form.file, kind, words)
        return {"started": kind}


class _Cancel(_Done):
    """Stop what a panel has started on a pipeline, or a run that somebody else has."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        from mlkit.panel.answers import cancel  # as in `workspace`

        file, run = self.workspace.file(asked["path"]), asked.get("run")
        if not self.desk.jobs.cancel(file):
            await self.desk.in_thread(cancel, file, run)
        return {"cancelled": True}


class _Work(_Done):
    """Give a stage its kernel in this JupyterLab: a new one, or the one that was kept."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        # as in `workspace`
        from mlkit.panel.desks import Desks
        from mlkit.panel.form import Form

        if self.desk.desks is None:
            self.desk.desks = Desks(self.desk.kernels, self.desk.in_thread)
        what, desks, workspace = self.path_args[0], self.desk.desks, self.workspace
        form, stage = Form.read(workspace.file(asked["path"]), asked), str(asked.get("stage"))
        if what == "edit":
            return await desks.open(form, stage, workspace)
        if what == "attach":
            return await desks.attach(form, str(asked.get("run")), stage, workspace)
        return await desks.take_over(form, str(asked.get("run")), stage)


class _Draw(_Done):
    """Change pipeline.yaml as somebody has drawn it, or undo that."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        from mlkit.panel.drawing import Drawings  # as in `workspace`

        if self.desk.drawings is None:
            self.desk.drawings = Drawings()
        file = self.workspace.file(asked["path"])
        found: dict[str, Any] = await self.desk.in_thread(self.desk.drawings.draw, file, asked)
        return found


class _Make(_Done):
    """Make a pipeline: a first one, or one of a notebook; `path` is the folder to be made."""

    async def found(self, asked: dict[str, Any]) -> dict[str, Any]:
        workspace = self.workspace
        folder = workspace.file(asked["path"])
        if asked.get("notebook"):
            notebook = workspace.file(str(asked["notebook"]))
            made = await self.desk.jobs.wait("convert", [str(notebook), "--to", str(folder)])
        else:
            made = await self.desk.jobs.wait("init", [str(folder)])
        if "error" in made:
            return {"error": _located(made["error"], workspace)}
        path = workspace.path(folder / "pipeline.yaml")
        return {"path": path, "said": _compared(made) if asked.get("notebook") else ""}


def _compared(made: dict[str, Any]) -> str:
    """What came of a conversion, in a sentence."""
    failed = [f"{item['stage']} ({item['error']['type']})" for item in made["failed"]]
    if failed:
        return f"✗ It is written, and in its first run {', '.join(failed)} failed."
    verdicts = [item["verdict"] for item in made["compared"]]
    equal = f"{verdicts.count('equal')} of {len(verdicts)} values, files, figures and texts"
    return f"{equal} equal the original's."


class _Question(_Told):
    """A table of runs, a comparison, a stage in a run, what is wrong, a notebook's stage."""

    async def found(self, asked: dict[str, Any]) -> Any:
        from mlkit.panel import answers  # as in `workspace`

        path, workspace, ask = self.get_query_argument("path"), self.workspace, self.desk.in_thread
        file = workspace.file(path)
        match self.path_args[0]:
            case "runs":
                return await ask(answers.table_of_runs, file)
            case "compare":
                names = self.get_query_arguments("run")
                return {"html": await ask(answers.compared, file, names)}
            case "report":
                return {"html": await ask(answers.reported, file, self.get_query_argument("run"))}
            case "problem":
                return {"problem": await ask(answers.problem_of, file, workspace)}
            case "notebook":
                return {"stage": await ask(answers.stage_of_notebook, path, workspace)}
        run, stage = self.get_query_argument("run"), self.get_query_argument("stage")
        return await ask(answers.stage_detail, file, run, stage, workspace, self.base_url)


def _located(error: dict[str, Any], workspace: Workspace) -> dict[str, Any]:
    """An error that a command has told, with its file as the page may open it."""
    file = error.get("file")
    return {**error, "path": None if file is None else workspace.path(file)}


def _located_job(job: dict[str, Any] | None, workspace: Workspace) -> dict[str, Any] | None:
    if job is None or job["error"] is None:
        return job
    return {**job, "error": _located(job["error"], workspace)}


def handlers(base_url: str, kernels: Any) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The addresses and what answers them.

    Parameters
    ----------
    base_url : str
        Where the server's own addresses begin.
    kernels : MappingKernelManager
        What starts its kernels.
    """
    shared = {"desk": Desk(kernels)}

    def at(name: str) -> str:
        return url_path_join(base_url, PLACE, name)

    return [
        (at("pipelines"), _Pipelines, shared),
        (at("style"), _Style, shared),
        (at("follow"), _Follow, shared),
        (at("start"), _Start, shared),
        (at("cancel"), _Cancel, shared),
        (at("(edit|attach|take-over)"), _Work, shared),
        (at("make"), _Make, shared),
        (at("draw"), _Draw, shared),
        (at("(runs|compare|report|stage|notebook|problem)"), _Question, shared),
    ]
