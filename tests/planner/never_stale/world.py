"""A state on the disk: folders, packages and processes that run the pipeline in them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.planner.never_stale import driver_process
from tests.planner.never_stale.environment import Environment
from tests.planner.never_stale.state import PACKAGES, State

__all__ = ["Driver", "Manner", "Outcome", "StageOutcome", "World"]

Manner = Literal["anew", "old date", "in place", "future date"]
"""How a changed file comes to its place: written anew; moved in from elsewhere with an old date, as
archives and `mv` do; written into the same file, whose size and date are as before; with a date
that lies ahead."""

_OLD_NS = 1_500_000_000 * 10**9
_AHEAD_NS = 4_000_000_000 * 10**9
_LONGEST_RUN_S = 300


@dataclass(frozen=True, kw_only=True)
class StageOutcome:
    """How one stage or instance ended."""

    status: str
    text: str | None
    reason: str
    error: str | None

    @property
    def result(self) -> str | None:
        """What it is worth: the text of its output, or that there is none."""
        return self.text if self.status in ("succeeded", "cached") else "no result"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended: by instance, in the order of the record; or why it was refused."""

    stages: Mapping[str, StageOutcome]
    refused: str | None = None


_numbers = itertools.count()
"""Of the processes: every other one meets what earlier runs have left, and leaves it."""


class Driver:
    """A process with mlkit in it, which is started at once and told what to run later."""

    def __init__(self, environment: Environment) -> None:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "MLKIT_", "PYTHON", "HYPOTHESIS", "COV_"))
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.environ = {**plain, "PYTHONDONTWRITEBYTECODE": "1"}
        self.environ["XDG_RUNTIME_DIR"] = str(environment.runtime)
        self.environ.pop("CI", None)
        if next(_numbers) % 2:
            self.environ["MLKIT_NO_WARM"] = "1"
        self._process = subprocess.Popen(
            [environment.python, "-P", driver_process.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self.environ,
            cwd=environment.folder,
            text=True,
        )

    def ask(self, question: Mapping[str, Any]) -> Outcome:
        """Have something run, and wait for the outcome."""
        environ = {**self.environ, **question["environ"]}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**question, "environ": environ}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"the driver died:\n{self._log.read().decode()}")
        answer = json.loads(line)
        stages = {key: StageOutcome(**item) for key, item in answer["stages"].items()}
        return Outcome(stages=stages, refused=answer["refused"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


class World:
    """Folders that follow a state.

    Parameters
    ----------
    environment : Environment
        The private environment; one world at a time uses it.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.folder = Path(tempfile.mkdtemp(prefix="world-", dir=environment.folder))
        self.runs = self.folder / "runs"
        self._files: dict[Path, str] = {}
        self._packages: dict[str, object] = {}
        self._aside = self.folder / "aside"
        self._aside.mkdir()
        (self.folder / "ipython" / "profile_default" / "startup").mkdir(parents=True)
        for name in PACKAGES:
            self._uninstall(name)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the folders."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def follow(self, state: State, manner: Manner = "anew") -> None:
        """Change the disk until it holds the state."""
        for move in self.prepared(state, manner):
            Path(move[0]).replace(move[1])
        self._packages_follow(state)

    def rename(self, source: str, target: str, state: State) -> None:
        """Rename a file of the present checkout."""
        old, new = (self.folder / state.here / path for path in (source, target))
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        self._files[new] = self._files.pop(old)
        self._drop_empty(old.parent)

    def touch(self, path: str, state: State) -> None:
        """Give a file of the present checkout another date, and nothing else."""
        (self.folder / state.here / path).touch()

    def prepared(self, state: State, manner: Manner = "anew") -> list[list[str]]:
        """Do all that is needed for a state but for the files that can be moved into place."""
        wanted = self._wanted(state)
        for path in sorted(self._files.keys() - wanted.keys(), reverse=True):
            path.unlink()
            self._drop_empty(path.parent)
        moves = []
        for path, text in wanted.items():
            if self._files.get(path) != text:
                moves += self._write(path, text, manner)
        self._files = wanted
        return moves

    def _wanted(self, state: State) -> dict[Path, str]:
        files = {
            self.folder / name / path: text
            for name, project in state.projects.items()
            for path, text in project.rendered.items()
        }
        for name in state.projects:
            git = self.folder / name / ".git"
            files |= {git / "HEAD": "ref: refs/heads/main\n"}
            files |= {git / part / "kept": "" for part in ("objects", "refs")}
        if state.start_up is not None:
            files[self.folder / "ipython/profile_default/startup/00-first.py"] = state.start_up
        return files

    def _write(self, path: Path, text: str, manner: Manner) -> list[list[str]]:
        path.parent.mkdir(parents=True, exist_ok=True)
        present = path.stat() if path.exists() else None
        if manner == "in place" and present is not None and present.st_size == len(text):
            with path.open("r+") as file:
                file.write(text)
            os.utime(path, ns=(present.st_atime_ns, present.st_mtime_ns))
            return []
        number, name = tempfile.mkstemp(dir=self._aside)
        with os.fdopen(number, "w") as file:
            file.write(text)
        stamps = {"old date": _OLD_NS, "future date": _AHEAD_NS}
        if manner in stamps:
            os.utime(name, ns=(stamps[manner], stamps[manner]))
        return [[name, str(path)]]

    def _drop_empty(self, folder: Path) -> None:
        """Remove a folder that only held what is gone; a package's folder is found by Python."""
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        while folder != self.folder and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def _packages_follow(self, state: State) -> None:
        for name in {*self._packages, *state.packages}:
            package = state.packages.get(name)
            if self._packages.get(name) == package:
                continue
            self._uninstall(name)
            if package is not None:
                self._install(name, package.version, package.text, metadata=package.metadata)
        self._packages = dict(state.packages)

    def _uninstall(self, name: str) -> None:
        for path in self.environment.site.glob(f"{name}*"):
            shutil.rmtree(path)

    def _install(self, name: str, version: str, text: str, *, metadata: bool) -> None:
        """Leave what pip leaves."""
        folder = self.environment.site / name
        folder.mkdir()
        (folder / "__init__.py").write_text(text)
        if not metadata:
            return
        info = self.environment.site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "top_level.txt").write_text(f"{name}\n")
        listed = [f"{name}/__init__.py", *(f"{info.name}/{n}" for n in ("METADATA", "RECORD"))]
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in listed))

    def question(
        self,
        state: State,
        *,
        runs: Path | None = None,
        force: bool = False,
        reference: bool = False,
        meanwhile: list[list[str]] | None = None,
    ) -> dict[str, Any]:
        """What to ask a driver in order to run the pipeline."""
        root = self.folder / state.here
        search = [str(root / name) for name in state.search]
        environ = {**state.variables, "IPYTHONDIR": str(self.folder / "ipython")}
        if search:
            environ["PYTHONPATH"] = os.pathsep.join(search)
        return {
            "pipeline": str(root / "pipe/pipeline.yaml"),
            "runs": str(runs or self.runs),
            "force": force,
            "reference": reference,
            "environ": environ,
            "search": search,
            "meanwhile": meanwhile or [],
        }
