"""One execution of one notebook on one kernel: deadline, cancellation, death, outputs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_client.client import KernelClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from mlkit.core.kept_kernel import KeptKernel
from mlkit.core.progress import News, first_line
from mlkit.core.record import ErrorRecord
from mlkit.core.states import Status
from mlkit.inside.measuring import METRICS_VARIABLE
from mlkit.notebook import failures
from mlkit.notebook.cell_client import SKIPPED, CellClient, ask
from mlkit.notebook.hand_over import in_kernel, with_hand_over
from mlkit.notebook.injection import source_place
from mlkit.notebook.kernels import (
    KernelRequest,
    Kernels,
    interrupt,
    kill,
    wait_dead,
)
from mlkit.notebook.kernels.keeping import NotKeptError
from mlkit.notebook.lease import KernelLease
from mlkit.notebook.log import AttemptLog
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult, OnCell
from mlkit.notebook.progress_watch import LOOK_EVERY_S, ProgressWatch
from mlkit.notebook.stock import code_digest

__all__ = ["Session"]

GRACE_S = 2.0
"""Seconds between an interrupt and the kill that follows it."""

SAVE_EVERY_S = 5.0

BASH_RESTARTED = "Restarting Bash"
"""What bash_kernel 0.10 prints when its bash has ended, as if all were well."""


class Session:
    """Executes one notebook; `run` is called once, by Papermill's engine.

    Parameters
    ----------
    request : ExecutionRequest
        What to execute.
    kernels : Kernels
        Where the kernel comes from.
    on_cell : callable
        Told of each code cell that starts.
    cancellation : Cancellation
        Stops the execution when it is asked for.
    log : AttemptLog
        Receives what the notebook prints.
    """

    def __init__(
        self,
        request: ExecutionRequest,
        kernels: Kernels,
        on_cell: OnCell,
        cancellation: Cancellation,
        log: AttemptLog,
    ) -> None:
        self.request = request
        self.kernels = kernels
        self.on_cell = on_cell
        self.cancellation = cancellation
        self.log = log
        self.kernel_log = request.log.with_name("kernel.txt")
        self.nb: Any = None
        self.lease: KernelLease
        self.cell: int | None = None
        self._number = (0, 0)
        self.watch = ProgressWatch(
            Path(request.env.get(METRICS_VARIABLE, os.devnull)), request.scrubber, time.monotonic
        )
        self.stopped: str | None = None
        self.status = Status.CANCELLED
        self.reason = ""
        self.error: ErrorRecord | None = None
        self.facts: dict[str, Any] = {}
        self.unstable: tuple[str, ...] = ()
        self.kept: KeptKernel | None = None
        self.not_kept = ""
        self._why_gone = ""

    def run(self, nb: Any) -> None:
        """Execute the notebook, in an event loop of this thread's own."""
        self.nb = nb
        if not self.cancellation.requested:
            asyncio.run(self._supervise())

    def result(self) -> ExecutionResult:
        """Say how it ended."""
        facts = self.facts
        return ExecutionResult(
            status=self.status,
            reason=self.reason,
            error=self.error,
            modules=facts.get("modules", {}),
            imported=tuple(facts.get("imported", ())),
            records=self._records(),
            cpu_s=facts.get("cpu_s"),
            peak_memory_bytes=facts.get("peak_memory_bytes"),
            told="modules" in facts or not self._asks,
            unstable=self.unstable,
            kept=self.kept,
            not_kept=self.not_kept,
        )

    def _recorder_settings(self) -> str:
        """Write down for the recorder what it needs to know; gives the file."""
        request = self.request
        settings = request.facts.with_name("trace.json")
        document = {
            "record": str(request.facts.with_name("trace.jsonl")),
            "roots": request.roots or [str(request.folder)],
            "never": [*request.never, str(request.cwd), str(settings), str(request.facts)],
        }
        settings.write_text(json.dumps(document), encoding="utf-8")
        return str(settings)

    def _records(self) -> tuple[list[Any], ...]:
        """What was read; a line that somebody tore says that not all of it is known."""
        if not self._asks:  # a kernel that tells nothing is like any program that tells nothing
            assert self.request.kernel is not None
            return (["program", self.request.kernel.language],)
        path = self.request.facts.with_name("trace.jsonl")
        records: list[list[Any]] = []
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        for scratch in (path, path.with_suffix(".json")):
            scratch.unlink(missing_ok=True)
        for line in lines:
            try:
                records.append(json.loads(line))
            except ValueError:
                records.append(["fault", "record", "a line of the record is torn"])
        if "modules" in self.facts and not any(record[0] == "begin" for record in records):
            records.append(["fault", "begin", "nothing was recorded"])
        return tuple(records)

    @property
    def _asks(self) -> str:
        """The expression for what is asked of the kernel; empty where it is no Python."""
        return in_kernel(self.request.kernel)

    @property
    def place(self) -> int | None:
        """The index of the present cell in the source notebook; None for the injected one."""
        if self.cell is None:
            return None
        return source_place(self.request.document["cells"], self.nb.cells, self.cell)

    async def _supervise(self) -> None:
        """Run the cells against the deadline and the cancellation."""
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[str] = loop.create_future()

        def request(why: str) -> None:
            if not stop.done():
                stop.set_result(why)

        unsubscribe = self.cancellation.subscribe(
            lambda: _soon(loop, lambda: request("cancelled")),
        )
        timer = None
        if self.request.timeout_s is not None:
            timer = loop.call_later(self.request.timeout_s, request, "timeout")
        saver = asyncio.ensure_future(self._save_now_and_then())
        teller = asyncio.ensure_future(self._tell_now_and_then())
        main = asyncio.ensure_future(self._drive(stop))
        try:
            await main
        finally:
            saver.cancel()
            teller.cancel()
            unsubscribe()
            if timer is not None:
                timer.cancel()

    async def _drive(self, stop: asyncio.Future[str]) -> None:
        """Start a kernel, run the cells on it, end it, and settle how all that went."""
        self.lease = KernelLease(self.kernels, self.nb, self.log)
        work = asyncio.ensure_future(self._work())
        try:
            waiting: set[asyncio.Future[Any]] = {work, stop}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await self._stop(stop.result(), work)
            await self._settle(work)
            await self._keep()
        finally:
            if self.kept is None:
                await self.lease.end(grace_s=GRACE_S if self.stopped is None else 0)

    def _kernel_request(self) -> KernelRequest:
        stock = self.request.stock
        reason = "" if stock is None else stock.reason_for(code_digest(self.request.document))
        if reason:
            self.log.write(f"mlkit: a stock kernel from the start, as found before: {reason}\n")
        return KernelRequest(
            cwd=self.request.cwd,
            env=with_hand_over(self.request.env, self.request.kernel),
            settings=frozenset(self.request.settings),
            log=self.kernel_log,
            preload_ok=not reason,
            may_begin_again=True,
            may_outlive=self.request.keeping is not None,
            imports=self.request.imports,
            kernel=self.request.kernel,
        )

    async def _stop(self, why: str, work: asyncio.Future[None]) -> None:
        """Interrupt, then kill."""
        self.stopped = why
        if self.lease.manager is not None and self.lease.manager.has_kernel:
            interrupt(self.lease.manager)
            await asyncio.wait({work}, timeout=GRACE_S)
            if not work.done():
                self._why_gone = "it did not heed the interrupt, and was killed"
                kill(self.lease.manager)
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=GRACE_S)

    async def _keep(self) -> None:
        """Keep the kernel of an attempt that has failed for good, if that was asked for."""
        keeping, error, client = self.request.keeping, self.error, self.lease.client
        if keeping is not None and self.status is Status.SUCCEEDED:
            error = self.request.lacking() if self.request.lacking is not None else None
        if keeping is None or error is None or not keeping.is_last(error):
            return
        if error.type == "DeadKernel":
            self._why_gone = "it has died, and its variables with it"
        if self._why_gone or client is None or client.kc is None:
            self.not_kept = self._why_gone or "it never answered"
            return
        try:
            if self._asks:
                await ask(client, client.kc, f"{self._asks}.stay({self._elsewhere()!r})")
            self.kept = await self.lease.keep(keeping, error, self.request.facts.parent)
        except NotKeptError as problem:
            self.not_kept = str(problem)

    def _elsewhere(self) -> dict[str, str]:
        """Where a kept kernel writes what would else be told of its run."""
        folder = self.request.facts.parent
        runs = folder / "runs"
        runs.mkdir(exist_ok=True)
        own = {"MLKIT_RUNS_DIR": str(runs), METRICS_VARIABLE: str(folder / "metrics.jsonl")}
        given = self.request.env.get("MLFLOW_TRACKING_URI", "")
        told = self.request.env.get("MLKIT_RUNS_DIR")
        if told and given.startswith(f"sqlite:///{told}/"):
            own["MLFLOW_TRACKING_URI"] = f"sqlite:///{runs / Path(given).name}"
            own["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (runs / "mlartifacts").as_uri()
        return own

    async def _settle(self, work: asyncio.Future[None]) -> None:
        """Turn the end of the work into a status and an error."""
        if self.stopped == "cancelled":
            self.status, self.error = Status.CANCELLED, None
            self._mark("cancelled")
            return
        if self.stopped == "timeout":
            timeout_s = self.request.timeout_s or 0.0
            self._fail(failures.stage_timeout(timeout_s, self.place))
            return
        try:
            await work
        except DeadKernelError:
            status = None
            with contextlib.suppress(asyncio.TimeoutError):
                status = await asyncio.wait_for(wait_dead(self.lease.manager), timeout=GRACE_S)
            self._fail(failures.dead_kernel(status, self.place))
        except RuntimeError as error:
            self._fail(
                ErrorRecord(
                    type="DeadKernel",
                    message=f"the kernel could not be started: {error}",
                    bases=("mlkit.DeadKernel", "builtins.Exception"),
                )
            )

    async def _work(self) -> None:
        """Everything that needs the kernel; once more on a stock one if the first asks for it."""
        request = self._kernel_request()
        try:
            await self._work_on(request)
        except DeadKernelError:
            if not await self._wants_stock():
                raise
            await self._begin_again()
            await self._work_on(replace(request, preload_ok=False))

    async def _work_on(self, request: KernelRequest) -> None:
        """Start a kernel and run the cells on it, until it dies."""
        opening = ""
        if self._asks:
            folder, settings = str(self.request.folder), self._recorder_settings()
            opening = f"{self._asks}.begin({folder!r}, {settings!r})"
        client, kernel = await self.lease.start(request, opening)
        client.heard = self.watch.heard
        death = asyncio.ensure_future(wait_dead(self.lease.manager))
        cells = asyncio.ensure_future(self._cells(client, kernel))
        try:
            racing: set[asyncio.Future[Any]] = {cells, death}
            await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
            if not cells.done():
                await asyncio.wait({cells}, timeout=0.1)
            if not cells.done():
                raise DeadKernelError("Kernel died")
            await cells
        finally:
            death.cancel()
            cells.cancel()
            await asyncio.gather(death, cells, return_exceptions=True)

    async def _wants_stock(self) -> bool:
        """Whether the kernel has ended in order to be replaced; it says so before its end."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(wait_dead(self.lease.manager), timeout=GRACE_S)
        return bool(self.lease.again) and self.stopped is None

    async def _begin_again(self) -> None:
        """Put everything back as it was before the first cell; nothing outside was touched."""
        reason = self.lease.again
        self.log.write(f"mlkit: begun again in a stock kernel: {reason}\n")
        if self.request.stock is not None:
            self.request.stock.add(code_digest(self.request.document), reason)
        await self.lease.end(grace_s=0)
        for entry in self.request.cwd.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.request.facts.with_name("trace.jsonl").unlink(missing_ok=True)
        self.cell, self.facts = None, {}
        for cell in self.nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            for added in ("mlkit", "execution"):
                cell.metadata.pop(added, None)

    async def _cells(self, client: CellClient, kernel: KernelClient) -> None:
        """Run the cells in order, until one fails."""
        code = [
            i for i, c in enumerate(self.nb.cells) if c.cell_type == "code" and c.source.strip()
        ]
        client.reset_execution_trackers()
        for number, index in enumerate(code, start=1):
            if self.stopped is not None:
                return
            self.cell = index
            self._number = (number, len(code))
            self.watch.begin_cell()
            line = first_line(self.request.scrubber.text(self.nb.cells[index].source))
            self.on_cell(News(cell=number, cells=len(code), line=line))
            self._mark("running")
            try:
                await client.async_execute_cell(self.nb.cells[index], index)
            except CellExecutionError:
                await self._failed(client, kernel)
                return
            if client.wants_exit or self._has_restarted(self.nb.cells[index]):
                self._why_gone = "the notebook has ended it"
                self._fail(failures.system_exit(self.place))
                return
            self._mark("completed")
        await self._learn(client, kernel)
        self._take_warnings()
        client.set_widgets_metadata()
        if self.stopped is None:
            self.status = Status.SUCCEEDED

    def _has_restarted(self, cell: Any) -> bool:
        """Whether a cell has ended its bash, by `exit` or under `set -e`."""
        if self.request.kernel is None or self.request.kernel.language != "bash":
            return False
        shown = [item.text for item in cell.outputs if item.output_type == "stream"]
        return bool(shown) and shown[-1].rstrip().endswith(BASH_RESTARTED)

    async def _failed(self, client: CellClient, kernel: KernelClient) -> None:
        """Record the error of a cell; `mlkit.skip` is none."""
        await self._learn(client, kernel)
        output = client.failure
        if output.get("ename") == SKIPPED:
            self.status = Status.SKIPPED
            self.reason = str(output.get("evalue", ""))
            self._mark("skipped")
            return
        self._fail(failures.notebook_error(output, self.facts.get("bases", ()), self.place))

    def _fail(self, error: ErrorRecord) -> None:
        self.status = Status.FAILED
        self.error = error
        self._mark("failed")

    def _mark(self, state: str) -> None:
        """Say in the notebook how the present cell stands; those after it say nothing."""
        if self.cell is not None:
            self.nb.cells[self.cell].metadata["mlkit"] = {"status": state}

    async def _learn(self, client: CellClient, kernel: KernelClient) -> None:
        """Ask the kernel what was imported and raised."""
        path = self.request.facts
        if not self._asks:
            return
        await ask(client, kernel, f"{self._asks}.end({str(path)!r})")
        if path.is_file():
            # What a full disk or a limit tore says nothing, and is no error of the notebook's.
            with contextlib.suppress(ValueError):
                self.facts = json.loads(path.read_text(encoding="utf-8"))
            path.unlink()

    def _take_warnings(self) -> None:
        """Say in the log what a forked kernel could not make good, and how to have it right."""
        self.unstable = self.lease.unstable
        for reason in self.unstable:
            self.log.write(
                f"mlkit: warning: {reason}. This result will not be reused. Set the variable under "
                "env: in pipeline.yaml, or use --start spawn\n"
            )

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            self.save()

    async def _tell_now_and_then(self) -> None:
        """Tell how far the present cell has come; it looks by itself, so no output costs more."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            number, cells = self._number
            client = self.lease.client
            found = self.watch.look({} if client is None else client.widget_state)
            if found is not None and number:
                bar, points = found
                if bar is not None:
                    bar = replace(bar, label=self.request.scrubber.text(bar.label))
                self.on_cell(News(cell=number, cells=cells, bar=bar, points=points))

    def save(self) -> None:
        """Write the notebook as it stands, in one piece: aside, then renamed."""
        write_notebook(self.request.scrubber.notebook(self.nb), self.request.notebook)


def write_notebook(document: Mapping[str, Any], path: Path) -> None:
    """Write a notebook in one piece: aside, then renamed."""
    aside = path.with_name(f".{path.name}.part")
    text = json.dumps(document, ensure_ascii=False, indent=1)
    aside.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    aside.replace(path)


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call back in a loop that may have been closed in the meantime."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
