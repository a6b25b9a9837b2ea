"""A folder with a pipeline.yaml and notebooks, written from texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.errors import ConfigurationError, MlkitError
from mlkit.load import Layers, configure, load_pipeline
from tests.other_user import place_for_everybody

HEAD = "name: p\nstages:\n"
COLLECT = "  collect:\n    notebook: collect.ipynb\n    outputs: {flights: f.parquet}\n"
TRAIN = "  train:\n    notebook: train.ipynb\n"
MAPPED = (
    TRAIN
    + "    inputs: {train_set: collect.flights}\n"
    + "    foreach: {model: [forest, boost]}\n"
    + "    outputs: {metrics: metrics.json}\n"
)


Configured = Callable[..., Configuration]
ROWS = {"a": "rows = 1", "b": "rows = 1\nother = ''"}
SECRET = {"a": "import mlkit\ntoken: mlkit.Secret = ''\nrows = 1"}


def values(configuration: Configuration, name: str) -> dict[str, Any]:
    """What each stage receives under a name."""
    return {
        stage: bound[name].value for stage, bound in configuration.stages.items() if name in bound
    }


def refusal(configured: Configured, *args: Any, **kwargs: Any) -> str:
    """The text with which a configuration is refused."""
    with pytest.raises(ConfigurationError) as caught:
        configured(*args, **kwargs)
    return str(caught.value)


def notebook_document(parameters: str | None, *cells: str) -> dict[str, Any]:
    """A notebook with a parameters cell, if a text is given, and further code cells."""
    tagged = [] if parameters is None else [(parameters, ["parameters"])]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{index}",
                "metadata": {"tags": tags},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, (source, tags) in enumerate([*tagged, *((cell, []) for cell in cells)])
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Project:
    """A pipeline's folder."""

    folder: Path

    @property
    def file(self) -> Path:
        """Its pipeline.yaml."""
        return self.folder / "pipeline.yaml"

    def notebook(self, name: str, parameters: str | None = None) -> Path:
        """Write a notebook."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = None if parameters is None else dedent(parameters).strip("\n")
        path.write_text(json.dumps(notebook_document(text)), encoding="utf-8")
        return path

    def write(self, text: str) -> Path:
        """Write pipeline.yaml; its first line is the text's first that is not blank."""
        self.file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return self.file

    def load(self, text: str) -> Pipeline:
        """Write pipeline.yaml and load it."""
        return load_pipeline(self.write(text))

    def refusal(self, text: str) -> MlkitError:
        """Write pipeline.yaml and give the error with which it is refused."""
        self.write(text)
        with pytest.raises(MlkitError) as caught:
            load_pipeline(self.file)
        return caught.value

    def refused(self, text: str) -> str:
        """The whole text of the refusal, the folder left out."""
        return str(self.refusal(text)).replace(f"{self.folder}/", "")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with a notebook for each usual stage."""
    made = Project(folder=tmp_path)
    made.notebook("collect.ipynb", 'rows = 10\nflights = "scratch/f.parquet"\nextra = ""\n')
    made.notebook(
        "train.ipynb",
        """
        model = "forest"
        rate = 0.5
        depth: int | None = None
        token = ""
        train_set = "runs/latest/collect/f.parquet"
        metrics = "scratch/metrics.json"
        """,
    )
    made.notebook("select.ipynb", 'candidates: list[str] = []\ndecision = "scratch/d.json"\n')
    made.notebook("end.ipynb")
    return made


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Configure a pipeline of one or several stages from their parameters cells."""

    def configure_stages(
        stages: dict[str, str], layers: Layers | None = None, *, top: str = "", more: str = ""
    ) -> Configuration:
        project = Project(folder=tmp_path)
        lines = ["name: p"]
        if top:
            lines += ["parameters:", *(f"  {line}" for line in dedent(top).strip().splitlines())]
        lines.append("stages:")
        for name, cell in stages.items():
            project.notebook(f"{name}.ipynb", cell)
            lines += [f"  {name}:", f"    notebook: {name}.ipynb"]
            lines += [f"    {line}" for line in dedent(more).strip().splitlines() if more]
        return configure(project.load("\n".join(lines)), layers)

    return configure_stages


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user of the machine may enter."""
    with place_for_everybody() as place:
        yield place
