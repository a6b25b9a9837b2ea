"""Ways to be wrong in pipeline.yaml: each has its sentence, its line, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from mlkit.errors import MlkitError
from mlkit.load import load_pipeline

if TYPE_CHECKING:
    from tests.load.conftest import Project


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One way to be wrong; the line that is marked with `# here` is the one to be named."""

    text: str
    fact: str
    remedy: str
    profile: str | None = None


COLLECT = """
stages:
  collect:
    notebook: collect.ipynb
    outputs: {flights: f.parquet}
"""
END = """
stages:
  end: {notebook: end.ipynb}
"""


def _top(line: str) -> str:
    return f"name: p\n{line}  # here\n{END}"


def _profile(line: str) -> str:
    """A pipeline with one profile."""
    return f"name: p\nprofiles:\n  prod:\n    {line}  # here\n{COLLECT}"


def _stage(*lines: str, notebook: str = "train.ipynb") -> str:
    """A pipeline whose stage `train` has some keys."""
    keys = "\n".join(f"    {line}" for line in lines)
    return f"name: p\n{COLLECT}  train:\n    notebook: {notebook}\n{keys}\n"


MISTAKES = {
    # the file
    "a name that is missing": Mistake(
        text="stages:  # here\n  end: {notebook: end.ipynb}\n",
        fact="'name' is missing",
        remedy="name: flights",
    ),
    "no stages": Mistake(
        text="name: p\nstages: {}  # here\n", fact="there are no stages", remedy="Add a stage"
    ),
    "an unknown key": Mistake(
        text=_top("paramters: {rows: 1}"), fact="unknown key 'paramters'", remedy="'parameters'"
    ),
    "a key that stands twice": Mistake(
        text=f"name: p\nname: q  # here\n{END}", fact="stands twice", remedy="README"
    ),
    "a text with a colon": Mistake(
        text=_stage("inputs: {train_set: file:data/b.csv}  # here"),
        fact="not valid YAML",
        remedy='{train_set: "file:data/b.csv"}',
    ),
    "a merge of no mapping": Mistake(
        text=f"name: p\nx-a: &a [1]\ndefaults:\n  <<: *a  # here\n{END}",
        fact="'<<' takes in a mapping",
        remedy="anchor",
    ),
    "a parameter that is no name": Mistake(
        text=_top("parameters: {my-rows: 1}"),
        fact="'my-rows' cannot be the name of a variable",
        remedy="README",
    ),
    "a parameter of another type": Mistake(
        text=f"name: p\nparameters: {{rows: many}}  # here\n{COLLECT}",
        fact="as collect.ipynb of stage 'collect' declares",
        remedy="annotation in the notebook",
    ),
    # schedule, timezone, overlap
    "a schedule of four fields": Mistake(
        text=_top('schedule: "0 2 * *"'),
        fact="has 4 fields",
        remedy="of five fields",
    ),
    "a schedule that never comes": Mistake(
        text=_top('schedule: "0 0 30 2 *"'),
        fact="never comes",
        remedy="of five fields",
    ),
    "a span that is none": Mistake(
        text=_top("schedule: every morning"), fact="is not a duration", remedy="every 6h"
    ),
    "a span that is too short": Mistake(
        text=_top("schedule: every 5s"), fact="from a minute to a year", remedy="every 6h"
    ),
    "an unknown time zone": Mistake(
        text=_top("timezone: Europe/Berlim"),
        fact="there is no time zone 'Europe/Berlim'",
        remedy="'Europe/Berlin'",
    ),
    "an overlap that is no bool": Mistake(
        text=_top("overlap: 3"), fact="'overlap' must be true or false", remedy="README"
    ),
    # env
    "a variable that is no name": Mistake(
        text=_top("env: {MY-MODE: a}"),
        fact="'MY-MODE' cannot be the name of an environment variable",
        remedy="letters",
    ),
    "a reserved variable": Mistake(
        text=_top("env: {MLKIT_RUNS_DIR: /tmp}"),
        fact="'MLKIT_RUNS_DIR' is one of the variables that mlkit",
        remedy="another name",
    ),
    "a variable that is a list": Mistake(
        text=_top("env: {MODE: [a, b]}"), fact="'MODE' must be one text", remedy="behind the name"
    ),
    "a variable without a value": Mistake(
        text=_top("env: {MODE: }"), fact="'MODE' must be one text", remedy="''"
    ),
    "a secret that stands in the file": Mistake(
        text=_top("env: {API_TOKEN: abcdefgh}"),
        fact="'API_TOKEN' is a secret by its name",
        remedy="API_TOKEN: ${API_TOKEN}",
    ),
    "a stage's env that is a list": Mistake(
        text=_stage("env: [MODE]  # here"), fact="must be a mapping", remedy="README"
    ),
    # profiles
    "an unknown profile": Mistake(
        text=f"name: p\nprofiles: {{prod: {{}}, test: {{}}}}  # here\n{END}",
        fact="there is no profile 'prd'",
        remedy="'prod'",
        profile="prd",
    ),
    "a profile where there are none": Mistake(
        text=f"name: p  # here\n{END}",
        fact="there is no profile 'prod'",
        remedy="MLKIT_PROFILE",
        profile="prod",
    ),
    "an unknown key of a profile": Mistake(
        text=_top("profiles: {prod: {param: {rows: 1}}}"),
        fact="unknown key 'param'",
        remedy="'parameters'",
    ),
    "an unknown parameter of a profile": Mistake(
        text=_profile("parameters:\n      rwos: 1"),
        fact="no parameter is called 'rwos'",
        remedy="'rows'",
    ),
    "a profile's parameter of an unknown stage": Mistake(
        text=_profile("parameters:\n      colect.rows: 1"),
        fact="names the stage 'colect'",
        remedy="'collect'",
    ),
    "a profile's parameter that its stage does not declare": Mistake(
        text=_profile("parameters:\n      collect.row: 1"),
        fact="declares no parameter 'row'",
        remedy="'rows'",
    ),
    "a profile's parameter of another type": Mistake(
        text=_profile("parameters:\n      rows: many"),
        fact="parameter 'rows' of stage 'collect'",
        remedy="of that type",
    ),
    "a profile's default that is none": Mistake(
        text=_profile("defaults: {retries: 3}"),
        fact="unknown key 'retries'",
        remedy="'retry'",
    ),
    "a profile's duration": Mistake(
        text=_profile("defaults: {timeout: soon}"),
        fact="'timeout': 'soon' is not a duration",
        remedy="30s",
    ),
    "a profile's variable": Mistake(
        text=_profile("env: {MLKIT_X: 1}"),
        fact="'MLKIT_X' is one of the variables that mlkit",
        remedy="another name",
    ),
    "a profile's schedule": Mistake(
        text=_profile("schedule: daily"),
        fact="has 1 fields",
        remedy="of five fields",
    ),
    # stages
    "a stage's name": Mistake(
        text="name: p\nstages:\n  2nd: {notebook: end.ipynb}  # here\n",
        fact="no digit first",
        remedy="README",
    ),
    "no notebook": Mistake(
        text="name: p\nstages:\n  end: {after: []}  # here\n",
        fact="'notebook' is missing",
        remedy="relative to this file",
    ),
    "a notebook that does not exist": Mistake(
        text="name: p\nstages:\n  end:\n    notebook: ende.ipynb  # here\n",
        fact="'ende.ipynb' does not exist",
        remedy="'end.ipynb'",
    ),
    "an unknown key of a stage": Mistake(
        text=_stage("output: {metrics: m.json}  # here"),
        fact="unknown key 'output'",
        remedy="'outputs'",
    ),
    "an input that no stage writes": Mistake(
        text=_stage("inputs: {train_set: collect.flihgts}  # here"),
        fact="'flihgts'",
        remedy="'flights'",
    ),
    "an input of an unknown stage": Mistake(
        text=_stage("inputs: {train_set: colect.flights}  # here"),
        fact="'colect'",
        remedy="'collect'",
    ),
    "an input that the notebook does not declare": Mistake(
        text=_stage("inputs: {trainset: collect.flights}  # here"),
        fact="declares no 'trainset'",
        remedy="'train_set'",
    ),
    "an output that leaves the folder": Mistake(
        text=_stage("outputs: {metrics: ../m.json}  # here"),
        fact="leaves the stage's folder",
        remedy="inside the stage's own folder",
    ),
    "a stage's parameter of another type": Mistake(
        text=_stage("parameters: {rate: fast}  # here"),
        fact="as train.ipynb declares",
        remedy="annotation in the notebook",
    ),
    "an unknown trigger": Mistake(
        text=_stage("trigger: all_sucess  # here"),
        fact="unknown trigger 'all_sucess'",
        remedy="'all_success'",
    ),
    "a retry that is no number": Mistake(
        text=_stage("retry: {max_retries: -1}  # here"),
        fact="must be a whole number",
        remedy="README",
    ),
    "an exception that is no class": Mistake(
        text=_stage('retry: {on: ["Connection Error"]}  # here'),
        fact="is not the name of an exception class",
        remedy="bare class names",
    ),
    "an address that is none": Mistake(
        text=_stage("notify: {on_failure: me}  # here"),
        fact="'me' is not an address",
        remedy="Apprise URL",
    ),
    "a quantity that is none": Mistake(
        text=_stage("resources: {memory: lots}  # here"),
        fact="is not a quantity",
        remedy="4Gi",
    ),
    "a sensor without a path": Mistake(
        text=_stage("wait_for: {every: 1s}  # here"), fact="'path' is missing", remedy="GLOB"
    ),
    "a stage after itself": Mistake(
        text=f"name: p\n{COLLECT.rstrip()}  # here\n    after: [collect]\n".replace(
            "  # here", ""
        ).replace("  collect:", "  collect:  # here"),
        fact="form a cycle: collect",
        remedy="Take one",
    ),
    # metrics
    "a metric without a key": Mistake(
        text=_stage("outputs: {metrics: m.json}", "metrics: {accuracy: metrics}  # here"),
        fact="'accuracy' does not say where the number stands",
        remedy="accuracy: OUTPUT.KEY",
    ),
    "a metric of an unknown output": Mistake(
        text=_stage("outputs: {metrics: m.json}", "metrics: {accuracy: metrix.a}  # here"),
        fact="names the output 'metrix', which the stage does not have",
        remedy="'metrics'",
    ),
    "a metric of a file that is no JSON": Mistake(
        text=_stage("outputs: {metrics: m.csv}", "metrics: {accuracy: metrics.a}  # here"),
        fact="which is no JSON file",
        remedy=".json",
    ),
    "a metric that is a number": Mistake(
        text=_stage("outputs: {metrics: m.json}", "metrics: {accuracy: 1}  # here"),
        fact="does not say where the number stands",
        remedy="OUTPUT.KEY",
    ),
    # text notebooks
    "a text without cells": Mistake(
        text="name: p\nstages:\n  end: {notebook: module.py}\n",
        fact="the text holds no cell of code",
        remedy="'# %%'",
    ),
    "a text whose parameters cell is broken": Mistake(
        text="name: p\nstages:\n  end: {notebook: broken.py}\n",
        fact="cell 2: parameter 'rows' has no literal default",
        remedy="Write the value itself",
    ),
}

TEXTS = {
    "module.py": "import os\n",
    "broken.py": '# %% [markdown]\n# T\n\n# %% tags=["parameters"]\nrows = int("3")  # here\n',
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_do(name: str, project: Project) -> None:
    """Before anything runs, in one sentence, at the line of the file in which it stands."""
    mistake = MISTAKES[name]
    for file, text in TEXTS.items():
        (project.folder / file).write_text(text)
    project.write(dedent(mistake.text))
    with pytest.raises(MlkitError, match=r".") as caught:
        load_pipeline(project.file, profile=mistake.profile)
    error = caught.value
    assert mistake.fact in error.message
    assert mistake.remedy in str(error.remedy)
    assert error.exit_code == 2
    assert error.file is not None
    lines = Path(error.file).read_text(encoding="utf-8").splitlines()
    marked: list[int | None] = [n for n, line in enumerate(lines, start=1) if "# here" in line]
    assert [error.line] == (marked or [None])


def test_there_are_many_of_them() -> None:
    """What has no row of its own is told in other words."""
    assert len(MISTAKES) >= 40
    assert len({mistake.text for mistake in MISTAKES.values()}) == len(MISTAKES)
