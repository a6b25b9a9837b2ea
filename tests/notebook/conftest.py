"""Real kernels of both kinds, and a way to execute a notebook on them."""

from __future__ import annotations

import copy
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.progress import News
from mlkit.core.scrubbing import Scrubber
from mlkit.notebook.execute import PapermillRunner
from mlkit.notebook.kernels import KernelKind, Kernels, open_kernels
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an execution ended, and the files that it left."""

    result: ExecutionResult
    folder: Path
    cells_told: list[tuple[int, int]]
    news: list[News]
    seconds: float

    @property
    def log(self) -> str:
        """The attempt's log, less what ZeroMQ prints when a stock kernel closes it in a race."""
        text = (self.folder / "log.txt").read_text(encoding="utf-8")
        return re.sub(
            r"^Assertion failed: .* \(src/\w+\.cpp:\d+\)\n?", "", text, flags=re.MULTILINE
        )

    @property
    def notebook(self) -> dict[str, Any]:
        """The executed notebook."""
        document: dict[str, Any] = json.loads((self.folder / "notebook.ipynb").read_text("utf-8"))
        return document

    @property
    def states(self) -> list[str | None]:
        """What the executed notebook says of each code cell."""
        return [
            cell["metadata"].get("mlkit", {}).get("status")
            for cell in self.notebook["cells"]
            if cell["cell_type"] == "code"
        ]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Executes notebooks in fresh kernels of one kind."""

    kernels: Kernels
    folder: Path
    cancellation: Cancellation = field(default_factory=Cancellation)

    def run(
        self,
        *cells: str | dict[str, Any],
        minor: int = 5,
        secrets: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        **request: Any,
    ) -> Outcome:
        """Execute cells (sources, or whole cells)."""
        document = {
            **{"nbformat": 4, "nbformat_minor": minor},
            "metadata": request.pop("notebook_metadata", {}),
            "cells": [_cell(index, cell, minor) for index, cell in enumerate(cells)],
        }
        before = copy.deepcopy(document)
        cwd = self.folder / "cwd"
        cwd.mkdir(exist_ok=True)
        news: list[News] = []
        asked = ExecutionRequest(
            **{
                "document": document,
                "cwd": cwd,
                "folder": self.folder,
                "env": {**os.environ, "PYTHONHASHSEED": "0", **(env or {})},
                "notebook": self.folder / "notebook.ipynb",
                "log": self.folder / "log.txt",
                "facts": self.folder / "facts.json",
                "scrubber": Scrubber(secrets),
                **request,
            }
        )
        started = time.monotonic()
        result = PapermillRunner(self.kernels).execute(asked, news.append, self.cancellation)
        told = [(one.cell, one.cells) for one in news if one.is_start]
        seconds = time.monotonic() - started
        assert document == before
        return Outcome(
            result=result, folder=self.folder, cells_told=told, news=news, seconds=seconds
        )

    def cancel_after(self, seconds: float) -> None:
        """Ask for the end from another thread."""
        threading.Timer(seconds, self.cancellation.request).start()


def _cell(index: int, cell: str | dict[str, Any], minor: int) -> dict[str, Any]:
    whole = cell if isinstance(cell, dict) else {"source": cell}
    made = {"cell_type": "code", "metadata": {}, **whole}
    if made["cell_type"] == "code":
        made |= {"outputs": [], "execution_count": None}
    return {"id": f"c{index}", **made} if minor >= 5 else made


@pytest.fixture(scope="session")
def kernels_of_kind() -> Iterator[Callable[[KernelKind], Kernels]]:
    """Open kernels of a kind at the first request, and close them with the session."""
    opened: dict[KernelKind, Kernels] = {}

    def get(kind: KernelKind) -> Kernels:
        if kind not in opened:
            env = {**os.environ, "PYTHONHASHSEED": "0"}
            opened[kind] = open_kernels(kind, preload=("numpy",), env=env)
        return opened[kind]

    yield get
    for kernels in opened.values():
        kernels.close()


@pytest.fixture(params=["fork", "spawn"])
def bench(
    request: pytest.FixtureRequest,
    kernels_of_kind: Callable[[KernelKind], Kernels],
    tmp_path: Path,
) -> Bench:
    """Each kind in turn: what holds for one has to hold for the other."""
    return Bench(kernels=kernels_of_kind(request.param), folder=tmp_path)


@pytest.fixture
def forked(kernels_of_kind: Callable[[KernelKind], Kernels], tmp_path: Path) -> Bench:
    """Forked kernels only, which are fast."""
    return Bench(kernels=kernels_of_kind("fork"), folder=tmp_path)
