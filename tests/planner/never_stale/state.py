"""The state of a small world: everything that the results of its pipeline may depend on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from tests.planner.never_stale.ways import PREAMBLE, WAYS, Way

__all__ = [
    "FOLDERS", "MODULES", "NOTEBOOK_FOLDERS", "PACKAGES", "VARIABLES", "Package", "Project", "Read",
    "Stage", "State", "package_text", "with_token",
]  # fmt: skip

MODULES = ("alpha", "beta")
NOTEBOOK_FOLDERS = ("pipe/v1", "pipe/v2")
FOLDERS = (*NOTEBOOK_FOLDERS, "lib", "more")
"""Where modules may stand: beside notebooks, and in two folders that `sys.path` may name."""

VARIABLES = ("SETTING_A", "SETTING_B")
PACKAGES = ("fakeone", "faketwo")

_TOKEN = re.compile(r"\d{5}")


def with_token(text: str, token: str) -> str:
    """Give a text with another value in it, as long as before."""
    return _TOKEN.sub(token, text)


@dataclass(frozen=True, kw_only=True)
class Read:
    """One cell that reads something.

    Parameters
    ----------
    key : str
        The value's name in the stage's output.
    way : str
        How it is read; a name in `WAYS`.
    target : str
        What is read: a module, a path from the project's root, a variable, a package.
    tags : tuple of str
        The cell's tags.
    prose : str
        The text of a cell above it.
    """

    key: str
    way: str
    target: str
    tags: tuple[str, ...] = ()
    prose: str = ""

    @property
    def how(self) -> Way:
        """The way."""
        return WAYS[self.way]

    @property
    def code(self) -> str:
        """The cell."""
        return self.how.code.replace("KEY", self.key).replace("TARGET", self.target)

    @property
    def words(self) -> str:
        """The cell in words."""
        return f"{self.how.kind} {self.target}: the cell {self.how.words}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One notebook, which writes what it has read.

    Parameters
    ----------
    name : str
        The stage's name.
    folder : str
        The folder of its notebook.
    reads : tuple of Read
        Its cells.
    upstream : tuple of str
        The stages whose output it reads.
    parameters : mapping
        Its parameters in pipeline.yaml: `options` and `month` at the most.
    values : tuple of str
        The values over which it is mapped, if it is.
    """

    name: str
    folder: str
    reads: tuple[Read, ...]
    upstream: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[str, ...] = ()

    @property
    def notebook(self) -> str:
        """The notebook's path in the project."""
        return f"{self.folder}/{self.name}.ipynb"

    def entry(self, mapped: frozenset[str]) -> dict[str, Any]:
        """The stage in pipeline.yaml."""
        inputs = {"many" if up in mapped else up: f"{up}.out" for up in self.upstream}
        keys = {
            "inputs": inputs,
            "parameters": dict(self.parameters),
            "foreach": {"x": list(self.values)} if self.values else {},
        }
        return {
            "notebook": self.notebook.removeprefix("pipe/"),
            "outputs": {"out": f"{self.name}.json"},
            **{key: value for key, value in keys.items() if value},
        }

    def document(self, mapped: frozenset[str]) -> str:
        """The notebook."""
        one = [up for up in self.upstream if up not in mapped]
        many = [up for up in self.upstream if up in mapped]
        declared = ['out: str = "scratch/out.json"', *(f'{up}: str = "scratch/{up}"' for up in one)]
        declared += ["many: list[str] = []"] if many else []
        declared += ['x: str = "none"'] if self.values else []
        declared += ["options: dict = {}"] if "options" in self.parameters else []
        declared += ['month: str = "none"'] if "month" in self.parameters else []
        inputs = ", ".join([*one, *(["*many"] if many else [])])
        end = (
            f"given = [Path(path).read_text() for path in [{inputs}]]\n"
            'Path(out).write_text(json.dumps({"values": values, "given": given}))'
        )
        cells = [_code("\n".join(declared), ("parameters",)), _code(PREAMBLE)]
        for read in self.reads:
            cells += [_prose(read.prose)] if read.prose else []
            cells.append(_code(read.code, read.tags))
        cells.append(_code(end))
        named = [{"id": f"cell-{index}", **cell} for index, cell in enumerate(cells)]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        frame = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}}
        return json.dumps({**frame, "cells": named}, indent=1)


def _code(source: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    kind: dict[str, Any] = {"cell_type": "code", "outputs": [], "execution_count": None}
    return {**kind, "metadata": metadata, "source": source}


def _prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A checkout: files by path, and stages."""

    files: Mapping[str, str]
    stages: tuple[Stage, ...]

    @property
    def rendered(self) -> dict[str, str]:
        """All files, with the pipeline's own."""
        mapped = frozenset(stage.name for stage in self.stages if stage.values)
        stages = {stage.name: stage.entry(mapped) for stage in self.stages}
        own = {stage.notebook: stage.document(mapped) for stage in self.stages}
        own["pipe/pipeline.yaml"] = json.dumps({"name": "small", "stages": stages}, indent=1)
        return {**self.files, **own}


@dataclass(frozen=True, kw_only=True)
class Package:
    """An installed package.

    Parameters
    ----------
    version : str
        Its version.
    text : str
        Its source.
    metadata : bool
        Whether it was installed properly, or only copied.
    """

    version: str
    text: str
    metadata: bool = True


def package_text(name: str, token: str) -> str:
    """The source of a package, which differs from version to version."""
    return (
        f'V = "{name} {token}"\n\n\n'
        "def another(name):\n    import importlib\n\n"
        "    return importlib.import_module(name).V\n\n\n"
        'def setting(name):\n    import os\n\n    return os.environ.get(name, "none")\n'
    )


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything at one moment.

    Parameters
    ----------
    projects : mapping of str to Project
        The checkouts by the names of their folders.
    here : str
        The one that is run.
    variables : mapping of str to str
        Environment variables.
    search : tuple of str
        The folders of the project on PYTHONPATH, in order.
    packages : mapping of str to Package
        What is installed beside the packages that mlkit needs.
    start_up : str, optional
        IPython's start-up file.
    """

    projects: Mapping[str, Project]
    here: str = "one"
    variables: Mapping[str, str] = field(default_factory=dict)
    search: tuple[str, ...] = ("lib",)
    packages: Mapping[str, Package] = field(default_factory=dict)
    start_up: str | None = None

    @property
    def project(self) -> Project:
        """The checkout that is run."""
        return self.projects[self.here]

    @property
    def files(self) -> Mapping[str, str]:
        """Its files, without the pipeline's own."""
        return self.project.files

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Its stages."""
        return self.project.stages

    @property
    def key(self) -> str:
        """A digest of everything that a run from nothing could depend on."""
        packages = {name: vars(package) for name, package in self.packages.items()}
        rest = [dict(self.variables), self.search, packages, self.start_up]
        text = json.dumps([self.project.rendered, *rest], sort_keys=True)
        orders = json.dumps([dict(stage.parameters) for stage in self.stages])
        return sha256(f"{text}{orders}".encode()).hexdigest()

    def with_files(self, files: Mapping[str, str]) -> State:
        """The state with other files in the present checkout."""
        return self.with_project(replace(self.project, files=files))

    def with_project(self, project: Project) -> State:
        """The state with another content of the present checkout."""
        return replace(self, projects={**self.projects, self.here: project})

    def with_stage(self, stage: Stage) -> State:
        """The state with another form of one stage."""
        stages = tuple(stage if old.name == stage.name else old for old in self.stages)
        return self.with_project(replace(self.project, stages=stages))
