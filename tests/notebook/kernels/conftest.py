"""Kernels to test with: one owner of each kind for the whole session, and a way to run cells."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlkit.notebook.kernels import KernelKind, KernelRequest, Kernels, end_kernel, open_kernels
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.notebook.kernels.manager import LeashedKernelManager
from mlkit.notebook.kernels.met_zygote import MetZygote
from mlkit.notebook.kernels.warm_terms import is_carried
from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes, warm_zygotes

PRELOAD = (
    *("numpy", "pandas", "matplotlib.pyplot", "joblib", "sklearn.ensemble"),
    *("xgboost", "lightgbm", "no_such_module_anywhere"),
)
SECONDS = 60.0


def start_environment() -> dict[str, str]:
    """The environment that kernels of these tests get, as a driver would give it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    return {**kept, "PYTHONHASHSEED": "0"}


def warm_environment(runtime: str) -> dict[str, str]:
    """The same for kernels that may come from a zygote of an earlier run, with its own folder.

    What else this machine sets, some package may read when it is imported.
    """
    kept = {name: text for name, text in start_environment().items() if is_carried(name)}
    return {**kept, "XDG_RUNTIME_DIR": runtime}


@pytest.fixture(scope="session")
def warm_env() -> Iterator[dict[str, str]]:
    """The environment of this session's warm kernels; at its end nothing is left."""
    runtime = tempfile.mkdtemp(prefix="mlkit-test-", dir="/tmp")
    env = warm_environment(runtime)
    yield env
    stop_warm_zygotes(env=env)
    assert warm_zygotes(env) == ()
    shutil.rmtree(runtime)


def wait_until(holds: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def leave_zygote(env: Mapping[str, str], preload: Sequence[str] = ()) -> int:
    """Have an earlier run leave a zygote; its process id.

    What other tests install meanwhile is a change of what is installed: then another one is left.
    """
    for _ in range(20):
        said: list[str] = []
        with open_kernels("fork", preload=preload, env=env, say=said.append, warm=True) as kernels:
            assert isinstance(kernels, ForkKernels)
            pid = kernels._zygote.pid
            wait_until(lambda: kernels.kind == "spawn" or kernels._zygote._serving, 300)
            assert kernels._zygote.pid == pid, [each.refusal for each in kernels._former]
        if pid in {each.pid for each in warm_zygotes(env)}:
            return pid
    raise AssertionError(f"no zygote stays: {said}")


def open_warm(
    env: Mapping[str, str], preload: Sequence[str], say: Callable[[str], None]
) -> ForkKernels:
    """Open kernels that come from a zygote that an earlier run has left."""
    for _ in range(20):
        leave_zygote(env, preload)
        kernels = open_kernels("fork", preload=preload, env=env, say=say, warm=True)
        assert isinstance(kernels, ForkKernels)
        if isinstance(kernels._zygote, MetZygote):
            return kernels
        kernels.close()
    raise AssertionError("no zygote is met")


@dataclass(frozen=True, kw_only=True)
class Lab:
    """Runs cells in fresh kernels.

    Parameters
    ----------
    kernels : Kernels
        Who gives the kernels out.
    folder : Path
        Working directory and log of the kernels.
    said : list of str
        What the kernels' owner has said to people.
    env : mapping of str to str
        The usual environment of its kernels.
    """

    kernels: Kernels
    folder: Path
    said: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=start_environment)

    def manager(self, env: Mapping[str, str] | None = None, **request: Any) -> LeashedKernelManager:
        """A manager, not yet started; `env` is added to the usual environment."""
        return self.kernels.manager(
            KernelRequest(
                **{
                    "cwd": self.folder,
                    "env": {**self.env, **(env or {})},
                    "log": self.folder / "log.txt",
                    **request,
                }
            )
        )

    def run(self, *cells: str, env: Mapping[str, str] | None = None, **request: Any) -> str:
        """Run cells in a fresh kernel of their own; return all they have printed."""
        return asyncio.run(self.run_in(self.manager(env, **request), *cells))

    async def run_in(self, manager: LeashedKernelManager, *cells: str) -> str:
        """Start a manager's kernel, run cells, end the kernel; return what was printed."""
        try:
            return await asyncio.wait_for(execute(manager, *cells), timeout=SECONDS)
        finally:
            await end_kernel(manager)


async def execute(manager: LeashedKernelManager, *cells: str) -> str:
    """Start the kernel, unless it runs, and execute cells; their output as text."""
    if not manager.has_kernel:
        await manager.start_kernel(extra_arguments=["--HistoryManager.hist_file=:memory:"])
    client = manager.client()
    client.start_channels()
    printed: list[str] = []
    try:
        await client.wait_for_ready(timeout=SECONDS)
        for cell in cells:
            asked = client.execute(cell)
            while True:
                message = await client.get_iopub_msg()
                content = message["content"]
                if message["parent_header"].get("msg_id") != asked:
                    continue
                if content.get("execution_state") == "idle":
                    break
                if message["msg_type"] == "error":
                    printed.append(f"{content['ename']}: {content['evalue']}")
                printed.append(content.get("text", ""))
                printed.extend(content.get("data", {}))
    finally:
        client.stop_channels()
    return "".join(printed).strip()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Kernels of one kind, what they have said, and their environment."""

    kernels: Kernels
    said: list[str]
    env: Mapping[str, str]


@pytest.fixture(scope="session")
def opened(warm_env: dict[str, str]) -> Iterator[Callable[[str], Opened]]:
    """Open kernels of a kind at the first request, and close them with the session.

    Beside `fork` and `spawn` there is `warm`: forked from a zygote that was there before.
    """
    open_now: dict[str, Opened] = {}

    def get(kind: str) -> Opened:
        if kind not in open_now:
            said: list[str] = []
            env = warm_env if kind == "warm" else start_environment()
            if kind == "warm":
                kernels: Kernels = open_warm(env, PRELOAD, said.append)
            else:
                started: KernelKind = "fork" if kind == "fork" else "spawn"
                kernels = open_kernels(started, preload=PRELOAD, env=env, say=said.append)
            open_now[kind] = Opened(kernels=kernels, said=said, env=env)
        return open_now[kind]

    yield get
    for each in open_now.values():
        each.kernels.close()


@pytest.fixture(params=["fork", "spawn", "warm"])
def lab(request: pytest.FixtureRequest, opened: Callable[[str], Opened], tmp_path: Path) -> Lab:
    """Kernels of each kind in turn: what holds for one has to hold for the others."""
    found = opened(request.param)
    return Lab(kernels=found.kernels, folder=tmp_path, said=found.said, env=found.env)


@pytest.fixture(params=["fork", "warm"])
def forked(request: pytest.FixtureRequest, opened: Callable[[str], Opened], tmp_path: Path) -> Lab:
    """Forked kernels only."""
    found = opened(request.param)
    return Lab(kernels=found.kernels, folder=tmp_path, said=found.said, env=found.env)
