"""Kernels to test with: one owner of each kind for the whole session, and a way to run cells."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlkit.notebook.kernels import KernelKind, KernelRequest, Kernels, end_kernel, open_kernels
from mlkit.notebook.kernels.manager import LeashedKernelManager

PRELOAD = (
    *("numpy", "pandas", "matplotlib.pyplot", "joblib", "sklearn.ensemble"),
    *("xgboost", "lightgbm", "no_such_module_anywhere"),
)
SECONDS = 60.0


def start_environment() -> dict[str, str]:
    """The environment that kernels of these tests get, as a driver would give it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    return {**kept, "PYTHONHASHSEED": "0"}


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
    """

    kernels: Kernels
    folder: Path
    said: list[str] = field(default_factory=list)

    def manager(self, env: Mapping[str, str] | None = None, **request: Any) -> LeashedKernelManager:
        """A manager, not yet started; `env` is added to the usual environment."""
        return self.kernels.manager(
            KernelRequest(
                **{
                    "cwd": self.folder,
                    "env": {**start_environment(), **(env or {})},
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


@pytest.fixture(scope="session")
def opened() -> Iterator[Callable[[KernelKind], tuple[Kernels, list[str]]]]:
    """Open kernels of a kind at the first request, and close them with the session."""
    open_now: dict[KernelKind, tuple[Kernels, list[str]]] = {}

    def get(kind: KernelKind) -> tuple[Kernels, list[str]]:
        if kind not in open_now:
            said: list[str] = []
            env = start_environment()
            kernels = open_kernels(kind, preload=PRELOAD, env=env, say=said.append)
            open_now[kind] = (kernels, said)
        return open_now[kind]

    yield get
    for kernels, _ in open_now.values():
        kernels.close()


@pytest.fixture(params=["fork", "spawn"])
def lab(
    request: pytest.FixtureRequest,
    opened: Callable[[KernelKind], tuple[Kernels, list[str]]],
    tmp_path: Path,
) -> Lab:
    """Kernels of each kind in turn: what holds for one has to hold for the other."""
    kernels, said = opened(request.param)
    return Lab(kernels=kernels, folder=tmp_path, said=said)


@pytest.fixture
def forked(opened: Callable[[KernelKind], tuple[Kernels, list[str]]], tmp_path: Path) -> Lab:
    """Forked kernels only."""
    kernels, said = opened("fork")
    return Lab(kernels=kernels, folder=tmp_path, said=said)
