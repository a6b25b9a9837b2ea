"""pipeline.yaml: each key, each default, each refusal with its text."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

from mlkit.core.pipeline import (
    Axis,
    Condition,
    ExternalFile,
    Foreach,
    Node,
    Pipeline,
    StageOutput,
)
from mlkit.core.policies import Notify, Resources, Retry, WaitFor
from mlkit.core.triggers import TriggerRule
from mlkit.errors import MlkitError, NotebookError, PipelineError
from mlkit.load import load_pipeline


class Project(Protocol):
    """What the fixture `project` gives."""

    folder: Path
    file: Path

    def notebook(self, name: str, parameters: str | None = None) -> Path:
        """Write a notebook."""
        ...

    def write(self, text: str) -> Path:
        """Write pipeline.yaml."""
        ...

    def load(self, text: str) -> Pipeline:
        """Load it."""
        ...

    def refusal(self, text: str) -> MlkitError:
        """The error."""
        ...

    def refused(self, text: str) -> str:
        """Its text."""
        ...


HEAD = "name: p\nstages:\n"
COLLECT = "  collect:\n    notebook: collect.ipynb\n    outputs: {flights: f.parquet}\n"
TRAIN = "  train:\n    notebook: train.ipynb\n"
MAPPED = (
    TRAIN
    + "    inputs: {train_set: collect.flights}\n"
    + "    foreach: {model: [forest, boost]}\n"
    + "    outputs: {metrics: metrics.json}\n"
)


def test_every_key_is_read(project: Project) -> None:
    """A file with every key becomes the values that it says."""
    pipeline = project.load("""
        name: flights
        description: Late?
        schedule: "0 2 * * *"
        parameters: {rows: 20, rate: 1}
        stages:
          collect:
            notebook: collect.ipynb
            outputs: {flights: f.parquet}
          train:
            notebook: train.ipynb
            after: [collect]
            inputs: {train_set: collect.flights}
            foreach: {model: [forest, boost]}
            parameters: {depth: 3}
            outputs: {metrics: deep/metrics.json}
            retry: {max_retries: 3, delay: 500ms, backoff: 3, max_delay: 1m, jitter: false,
                    on: [builtins.OSError, TimeoutError]}
            timeout: 10m
            cache: false
            critical: false
            trigger: all_done
            wait_for: {path: "in/*.csv", every: 2s, timeout: 1h}
            notify: {on_failure: ["json://host/a"], on_success: "json://host/b"}
            resources: {cpu: 500m, memory: 2Gi, gpu: 1, node_selector: {zone: a}}
            image: python:3.12
          select:
            notebook: select.ipynb
            inputs: {candidates: train.metrics}
            outputs: {decision: d.json}
          end:
            notebook: end.ipynb
            when: {select.decision: [register, 1]}
    """)
    train = pipeline.stages["train"]
    assert (pipeline.name, pipeline.description, pipeline.schedule) == (
        *("flights", "Late?"),
        "0 2 * * *",
    )
    assert pipeline.parameters == {"rows": 20, "rate": 1}
    assert list(pipeline.stages) == ["collect", "train", "select", "end"]
    assert train.notebook == project.folder / "train.ipynb"
    assert train.after == (Node(stage="collect"),)
    assert train.inputs == {"train_set": StageOutput(node=Node(stage="collect"), output="flights")}
    assert train.foreach == Foreach(axes=(Axis(parameter="model", values=("forest", "boost")),))
    assert train.parameters == {"depth": 3}
    assert train.outputs == {"metrics": "deep/metrics.json"}
    assert train.retry == Retry(
        max_retries=3,
        delay_s=0.5,
        backoff=3.0,
        max_delay_s=60.0,
        jitter=False,
        on=("OSError", "TimeoutError"),
    )
    assert (train.timeout_s, train.cache, train.critical) == (600.0, False, False)
    assert train.trigger is TriggerRule.ALL_DONE
    assert train.wait_for == WaitFor(
        path=project.folder / "in/*.csv", every_s=2.0, timeout_s=3600.0
    )
    assert train.notify == Notify(on_failure=("json://host/a",), on_success=("json://host/b",))
    assert train.resources == Resources(
        cpu="500m", memory="2Gi", gpu=1, node_selector={"zone": "a"}
    )
    assert train.image == "python:3.12"
    assert pipeline.stages["end"].when == (
        Condition(
            source=StageOutput(node=Node(stage="select"), output="decision"),
            values=("register", 1),
        ),
    )
    assert [str(node) for node in pipeline.stages["end"].upstream] == ["select"]


def test_defaults_of_a_bare_stage(project: Project) -> None:
    """What a stage leaves out has DESIGN's default; without outputs it is not cached."""
    pipeline = project.load(HEAD + COLLECT + "  end: {notebook: end.ipynb}\n")
    collect, end = pipeline.stages.values()
    assert (pipeline.description, pipeline.schedule, dict(pipeline.parameters)) == ("", None, {})
    assert (collect.cache, end.cache) == (True, False)
    assert end.trigger is TriggerRule.ALL_SUCCESS
    assert end.retry == Retry(max_retries=0, jitter=True, on=None)
    assert (end.timeout_s, end.critical, end.wait_for, end.image) == (None, True, None, None)
    assert (end.notify, end.resources, end.when, end.foreach) == (Notify(), Resources(), (), None)


def test_a_stage_merges_retry_with_the_defaults_key_by_key(project: Project) -> None:
    """The stage's keys win, the others are inherited; other policies are inherited whole."""
    pipeline = project.load("""
        name: p
        defaults:
          timeout: 10m
          cache: false
          critical: false
          trigger: all_done
          retry: {max_retries: 2, delay: 1s, on: [OSError]}
          notify: {on_failure: ["json://host/a"]}
          resources: {cpu: 2}
          image: img
        stages:
          collect:
            notebook: collect.ipynb
            outputs: {flights: f.parquet}
            retry: {max_retries: 5, jitter: false}
            notify: {on_success: ["json://host/b"]}
            resources: {memory: 1Gi}
          end: {notebook: end.ipynb, timeout: 3, cache: true, critical: true, trigger: always}
    """)
    collect, end = pipeline.stages.values()
    assert collect.retry == Retry(max_retries=5, delay_s=1.0, jitter=False, on=("OSError",))
    assert collect.notify == Notify(on_failure=("json://host/a",), on_success=("json://host/b",))
    assert collect.resources == Resources(cpu="2", memory="1Gi")
    assert (collect.timeout_s, collect.cache, collect.critical, collect.image) == (
        *(600.0, False, False),
        "img",
    )
    assert (end.timeout_s, end.cache, end.critical) == (3.0, True, True)
    assert (collect.trigger, end.trigger) == (TriggerRule.ALL_DONE, TriggerRule.ALWAYS)
    assert end.retry.max_retries == 2


def test_a_folder_names_its_pipeline(project: Project) -> None:
    """PIPELINE is the file or its folder; paths come out absolute."""
    project.write(HEAD + COLLECT)
    here = Path(os.path.relpath(project.folder))
    assert load_pipeline(here) == load_pipeline(project.file)
    assert load_pipeline(here).folder.is_absolute()


def test_paths_with_braces_blanks_and_foreign_letters(tmp_path: Path, project: Project) -> None:
    """A folder's name may hold what a template would trip over."""
    folder = tmp_path / "a {b} ü 漢"
    folder.mkdir()
    (folder / "n {x}.ipynb").write_text((project.folder / "end.ipynb").read_text())
    (folder / "pipeline.yaml").write_text(
        "name: p\nstages: {end: {notebook: 'n {x}.ipynb'}}\n", encoding="utf-8"
    )
    assert load_pipeline(folder).stages["end"].notebook == folder / "n {x}.ipynb"


def test_files_from_outside(project: Project) -> None:
    """`file:` is relative to pipeline.yaml, absolute, or begins with a variable."""
    project.notebook("in.ipynb", 'a = ""\nb = ""\nc = ""\n')
    for name in ("data/a.csv", "b [1].csv"):
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).touch()
    there = project.folder / "b [1].csv"
    pipeline = project.load(
        HEAD
        + "  s:\n    notebook: in.ipynb\n    inputs:\n"
        + f"      a: file:data/a.csv\n      b: 'file:{there}'\n      c: file:${{DATA}}/c.csv\n"
    )
    assert pipeline.stages["s"].inputs == {
        "a": ExternalFile(path=project.folder / "data/a.csv"),
        "b": ExternalFile(path=there),
        "c": ExternalFile(path=Path("${DATA}/c.csv")),
    }
    assert pipeline.stages["s"].upstream == ()


def test_yaml_is_1_2(project: Project) -> None:
    """`on:` is a key, `1e-3` a number, `no` a text, `012` twelve."""
    project.notebook("y.ipynb", "a = 1.0\nb = ''\nc = 1\nd = 1\ne = ''\nf = 1.0\n")
    pipeline = project.load(
        HEAD
        + "  s:\n    notebook: y.ipynb\n    retry: {on: [OSError]}\n    parameters:\n"
        + "      a: 1e-3\n      b: no\n      c: 012\n      d: 0o14\n      e: 1:30\n      f: .inf\n"
    )
    stage = pipeline.stages["s"]
    assert stage.retry.on == ("OSError",)
    assert stage.parameters == {
        **{"a": 0.001, "b": "no", "c": 12, "d": 12},
        **{"e": "1:30", "f": float("inf")},
    }


def test_references_to_one_instance(project: Project) -> None:
    """`train[boost].metrics` names one file, so the notebook may declare a single path."""
    project.notebook("one.ipynb", 'best = ""\n')
    pipeline = project.load(
        HEAD
        + COLLECT
        + MAPPED
        + "  one:\n    notebook: one.ipynb\n    inputs: {best: 'train[boost].metrics'}\n"
        + "    after: ['train[forest]']\n"
    )
    assert [str(node) for node in pipeline.stages["one"].upstream] == [
        "train[boost]",
        "train[forest]",
    ]


def test_values_of_foreach_stay_as_written(project: Project) -> None:
    """`foreach: {rate: [1, 2]}` over a float gives `train[1]`, as references say."""
    project.notebook("one.ipynb", 'best = ""\n')
    pipeline = project.load(
        HEAD
        + TRAIN
        + "    foreach: {rate: [1, 2]}\n    outputs: {metrics: m.json}\n"
        + "  one:\n    notebook: one.ipynb\n    inputs: {best: 'train[1].metrics'}\n"
    )
    foreach = pipeline.stages["train"].foreach
    assert foreach is not None
    assert foreach.values is not None
    assert [repr(value) for value in foreach.values] == ["1", "2"]


def test_foreach_from_an_artifact_and_of_length_0(project: Project) -> None:
    """The list may come from an artifact, or be empty."""
    lists = "  select:\n    notebook: select.ipynb\n    outputs: {decision: d.json}\n"
    dynamic = project.load(HEAD + lists + TRAIN + "    foreach: {model: select.decision}\n")
    empty = project.load(HEAD + TRAIN + "    foreach: {model: []}\n")
    assert dynamic.stages["train"].foreach == Foreach(
        axes=(
            Axis(
                parameter="model", source=StageOutput(node=Node(stage="select"), output="decision")
            ),
        )
    )
    assert [str(node) for node in dynamic.stages["train"].upstream] == ["select"]
    assert empty.stages["train"].foreach == Foreach(axes=(Axis(parameter="model", values=()),))


def test_two_stages_can_share_a_notebook(project: Project) -> None:
    """Each has its own values."""
    pipeline = project.load(
        HEAD
        + "  a: {notebook: train.ipynb, parameters: {rate: 1}}\n"
        + "  b: {notebook: train.ipynb, parameters: {rate: 2}}\n"
    )
    values = [stage.parameters["rate"] for stage in pipeline.stages.values()]
    assert [(value, type(value)) for value in values] == [(1.0, float), (2.0, float)]


def test_anchors_are_understood(project: Project) -> None:
    """An alias stands for its anchor."""
    pipeline = project.load(
        HEAD
        + "  a: {notebook: collect.ipynb, retry: &r {max_retries: 4}}\n"
        + "  b: {notebook: collect.ipynb, retry: *r}\n"
    )
    assert pipeline.stages["b"].retry.max_retries == 4


def test_a_byte_order_mark_is_passed_over(project: Project) -> None:
    """Windows editors write one."""
    project.file.write_bytes(b"\xef\xbb\xbf" + (HEAD + COLLECT).encode())
    assert load_pipeline(project.file).name == "p"


STAGE_REFUSALS: dict[str, tuple[str, str]] = {
    "unknown key": (
        TRAIN + "    ouputs: {metrics: m.json}\n",
        "pipeline.yaml:5: stage 'train': unknown key 'ouputs'. Did you mean 'outputs'?",
    ),
    "unknown key before a block": (
        TRAIN + "    ouputs:\n\n      metrics: m.json\n",
        "pipeline.yaml:5: stage 'train': unknown key 'ouputs'. Did you mean 'outputs'?",
    ),
    "no notebook": (
        "  train:\n    cache: true\n",
        "pipeline.yaml:3: stage 'train': 'notebook' is missing. "
        "Name the stage's notebook, relative to this file",
    ),
    "not a mapping": (
        "  train:\n",
        "pipeline.yaml:3: stage 'train' must be a mapping of names to values",
    ),
    "name of a stage": (
        "  tr.ain: {notebook: train.ipynb}\n",
        "pipeline.yaml:3: stage 'tr.ain': a stage's name holds letters, digits, '_' and '-' only, "
        "no digit first",
    ),
    "missing notebook": (
        "  train:\n    cache: true\n    notebook: trian.ipynb\n",
        "pipeline.yaml:5: stage 'train': the notebook 'trian.ipynb' does not exist. "
        "Did you mean 'train.ipynb'?",
    ),
    "missing folder": (
        "  train: {notebook: nowhere/train.ipynb}\n",
        "pipeline.yaml:3: stage 'train': the notebook 'train.ipynb' does not exist. "
        "There is no folder 'nowhere'",
    ),
    "undeclared parameter": (
        TRAIN + "    parameters:\n      rate: 0.1\n      dephth: 3\n",
        "pipeline.yaml:7: stage 'train': the notebook train.ipynb declares no 'dephth' (which "
        "stands under 'parameters'). Did you mean 'depth'?",
    ),
    "undeclared input": (
        "  collect: {notebook: collect.ipynb, outputs: {flights: f}}\n"
        "  end: {notebook: end.ipynb, inputs: {a: collect.flights}}\n",
        "pipeline.yaml:4: stage 'end': the notebook end.ipynb declares no 'a' (which stands under "
        "'inputs'). Declare it with a default in the cell tagged 'parameters'",
    ),
    "wrong type": (
        TRAIN + "    parameters:\n      depth: deep\n",
        "pipeline.yaml:6: stage 'train': parameter 'depth': 'deep' is not int | None (as "
        "train.ipynb declares). Change the value, or the annotation in the notebook",
    ),
    "bool for an int": (
        TRAIN + "    parameters: {depth: true}\n",
        "pipeline.yaml:5: stage 'train': parameter 'depth': True is not int | None (as "
        "train.ipynb declares). Change the value, or the annotation in the notebook",
    ),
    "name used twice": (
        TRAIN + "    parameters: {model: a}\n    foreach: {model: [a]}\n",
        "pipeline.yaml:6: stage 'train': 'model' stands under 'parameters' and under 'foreach'. "
        "Give each a name of its own",
    ),
    "unknown stage": (
        COLLECT + TRAIN + "    inputs:\n      train_set: colect.flights\n",
        "pipeline.yaml:9: stage 'train': input 'train_set' names the stage 'colect', which does "
        "not exist. Did you mean 'collect'?",
    ),
    "unknown output": (
        COLLECT + TRAIN + "    inputs:\n      train_set: collect.flihgts\n",
        "pipeline.yaml:9: stage 'train': input 'train_set' reads 'flihgts', which stage 'collect' "
        "does not write. Did you mean 'flights'?",
    ),
    "unknown stage in after": (
        COLLECT + TRAIN + "    after: [kollect]\n",
        "pipeline.yaml:8: stage 'train': 'after' names the stage 'kollect', which does not exist. "
        "Did you mean 'collect'?",
    ),
    "an output where a stage is due": (
        COLLECT + TRAIN + "    after: [collect.flights]\n",
        "pipeline.yaml:8: stage 'train': 'collect.flights' is not the name of a stage",
    ),
    "no reference": (
        TRAIN + "    inputs: {train_set: flights.csv.gz.x}\n",
        "pipeline.yaml:5: stage 'train': 'flights.csv.gz.x' is not a reference to an output. "
        "Write STAGE.OUTPUT, or file:PATH for a file from outside",
    ),
    "a number as a reference": (
        TRAIN + "    inputs: {train_set: 3}\n",
        "pipeline.yaml:5: stage 'train': 3 is not a reference to an output. "
        "Write STAGE.OUTPUT, or file:PATH for a file from outside",
    ),
    "an empty file": (
        TRAIN + "    inputs: {train_set: 'file:'}\n",
        "pipeline.yaml:5: stage 'train': 'file:' names no file",
    ),
    "an instance of an unmapped stage": (
        COLLECT + TRAIN + "    inputs: {train_set: 'collect[a].flights'}\n",
        "pipeline.yaml:8: stage 'train': input 'train_set' names 'collect[a]', but stage "
        "'collect' is not mapped. Write 'collect'",
    ),
    "an instance that is not there": (
        COLLECT + MAPPED + "  end:\n    notebook: end.ipynb\n    after: ['train[boots]']\n",
        "pipeline.yaml:13: stage 'end': 'after' names 'train[boots]', but 'boots' is not among the "
        "stage's values. Did you mean 'boost'?",
    ),
    "when on a mapped output": (
        COLLECT + MAPPED + "  end:\n    notebook: end.ipynb\n    when: {train.metrics: a}\n",
        "pipeline.yaml:13: stage 'end': 'when' reads 'train.metrics', an output of a mapped stage, "
        "which is a list of files. Gather the list in a stage of its own and read that stage's "
        "output",
    ),
    "foreach on a mapped output": (
        COLLECT
        + MAPPED
        + "  t2:\n    notebook: train.ipynb\n    foreach:\n      model: train.metrics\n",
        "pipeline.yaml:14: stage 't2': 'foreach' reads 'train.metrics', an output of a mapped "
        "stage, which is a list of files. Gather the list in a stage of its own and read that "
        "stage's output",
    ),
    "foreach of nothing": (
        TRAIN + "    foreach: {}\n",
        "pipeline.yaml:5: stage 'train', foreach: it names no parameter. "
        "Write foreach: {NAME: [VALUE, …]}",
    ),
    "foreach of a number": (
        TRAIN + "    foreach: {model: 3}\n",
        "pipeline.yaml:5: stage 'train', foreach: give a list of values, STAGE.OUTPUT of a "
        "JSON list, or parameters.NAME",
    ),
    "foreach of duplicates": (
        TRAIN + "    foreach:\n      model:\n        - a\n        - b\n        - a\n",
        "pipeline.yaml:9: stage 'train', foreach: the value 'a' stands twice",
    ),
    "foreach of equals": (
        TRAIN + "    foreach: {rate: [1, 1.0]}\n",
        "pipeline.yaml:5: stage 'train': 'foreach': the value 1.0 stands twice",
    ),
    "foreach of lists": (
        TRAIN + "    foreach: {model: [a, [b]]}\n",
        "pipeline.yaml:5: stage 'train', foreach: the value ['b'] is not a scalar",
    ),
    "foreach of another type": (
        TRAIN + "    foreach: {rate: [a]}\n",
        "pipeline.yaml:5: stage 'train': 'foreach': 'a' is not a float (as train.ipynb declares)",
    ),
    "foreach of an undeclared name": (
        TRAIN + "    foreach: {modle: [a]}\n",
        "pipeline.yaml:5: stage 'train': 'foreach' maps over 'modle', which train.ipynb does not "
        "declare. Did you mean 'model'?",
    ),
    "a list for a text": (
        COLLECT
        + MAPPED
        + "  one:\n    notebook: train.ipynb\n    inputs: {train_set: train.metrics}\n",
        "pipeline.yaml:13: stage 'one': input 'train_set' comes from the mapped stage "
        "'train.metrics' as a list of paths, but train.ipynb declares str. "
        "Declare it 'train_set: list[str]'",
    ),
    "a path for a list": (
        COLLECT + "  s:\n    notebook: select.ipynb\n    inputs: {candidates: collect.flights}\n",
        "pipeline.yaml:8: stage 's': 'candidates' (under 'inputs') is a path, but select.ipynb "
        "declares list[str]. Declare it 'candidates: str'",
    ),
    "an output that is no path": (
        TRAIN + "    outputs: {rate: r.json}\n",
        "pipeline.yaml:5: stage 'train': 'rate' (under 'outputs') is a path, but train.ipynb "
        "declares float. Declare it 'rate: str'",
    ),
    "an output above the folder": (
        TRAIN + "    outputs: {metrics: ../m.json}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' leaves the stage's folder: '../m.json'. "
        "Name a file inside the stage's own folder",
    ),
    "an absolute output": (
        TRAIN + "    outputs: {metrics: /m.json}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' leaves the stage's folder: '/m.json'. "
        "Name a file inside the stage's own folder",
    ),
    "an output with a backslash": (
        TRAIN + "    outputs: {metrics: '..\\m.json'}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' leaves the stage's folder: '..\\m.json'. "
        "Name a file inside the stage's own folder",
    ),
    "a reserved output": (
        TRAIN + "    outputs: {metrics: ./notebook.ipynb}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' cannot be called './notebook.ipynb'. "
        "Choose another name",
    ),
    "an output below a reserved folder": (
        TRAIN + "    outputs: {metrics: attempts/1}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' cannot be called 'attempts/1'. "
        "Choose another name",
    ),
    "an output that is its folder": (
        TRAIN + "    outputs: {metrics: .}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' cannot be called '.'. "
        "Choose another name",
    ),
    "a shared file": (
        TRAIN + "    outputs:\n      metrics: m\n      token: ./m\n",
        "pipeline.yaml:7: stage 'train': output 'token' shares the file './m' with another output",
    ),
    "a file below a file": (
        TRAIN + "    outputs:\n      metrics: m\n      token: m/n\n",
        "pipeline.yaml:7: stage 'train': output 'token' shares the file 'm/n' with another output",
    ),
    "an output without a name": (
        TRAIN + "    outputs: {metrics: }\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' must name a file",
    ),
    "a duration": (
        TRAIN + "    timeout: 10 minutes\n",
        "pipeline.yaml:5: stage 'train': 'timeout': '10 minutes' is not a duration. "
        "Write 500ms, 30s, 10m, 1h, or a number of seconds",
    ),
    "a duration without end": (
        TRAIN + "    timeout: .inf\n",
        "pipeline.yaml:5: stage 'train': 'timeout': inf is not a duration. "
        "Write 500ms, 30s, 10m, 1h, or a number of seconds",
    ),
    "a deadline of 0": (
        TRAIN + "    timeout: 0\n",
        "pipeline.yaml:5: stage 'train': 'timeout' must be longer than 0",
    ),
    "an unknown trigger": (
        TRAIN + "    trigger: all_sucess\n",
        "pipeline.yaml:5: stage 'train': unknown trigger 'all_sucess'. Did you mean 'all_success'?",
    ),
    "no for a bool": (
        TRAIN + "    cache: no\n",
        "pipeline.yaml:5: stage 'train': 'cache' must be true or false, not 'no'",
    ),
    "an unknown key of retry": (
        TRAIN + "    retry:\n      max_retires: 2\n",
        "pipeline.yaml:6: stage 'train', retry: unknown key 'max_retires'. "
        "Did you mean 'max_retries'?",
    ),
    "a bool as a count": (
        TRAIN + "    retry: {max_retries: true}\n",
        "pipeline.yaml:5: stage 'train', retry: 'max_retries' must be a whole number, 0 or more",
    ),
    "a count below 0": (
        TRAIN + "    retry: {max_retries: -1}\n",
        "pipeline.yaml:5: stage 'train', retry: 'max_retries' must be a whole number, 0 or more",
    ),
    "a factor below 1": (
        TRAIN + "    retry: {backoff: 0.5}\n",
        "pipeline.yaml:5: stage 'train', retry: 'backoff' must be 1 or more",
    ),
    "a factor without measure": (
        TRAIN + f"    retry: {{backoff: 1{'0' * 400}}}\n",
        "pipeline.yaml:5: stage 'train', retry: 'backoff' must be a number, 0 or more",
    ),
    "a class with a blank": (
        TRAIN + "    retry: {on: [Connection Error]}\n",
        "pipeline.yaml:5: stage 'train', retry: 'Connection Error' is not the name of an exception "
        "class. Write bare class names: on: [ConnectionError, TimeoutError]",
    ),
    "a class that is no text": (
        TRAIN + "    retry: {on: [3]}\n",
        "pipeline.yaml:5: stage 'train', retry: 'on' must be a list of texts",
    ),
    "a sensor without a path": (
        TRAIN + "    wait_for: {every: 3s}\n",
        "pipeline.yaml:5: stage 'train', wait_for: 'path' is missing. "
        "Name the file to wait for: wait_for: {path: GLOB}",
    ),
    "a sensor without a pause": (
        TRAIN + "    wait_for: {path: a, every: 0}\n",
        "pipeline.yaml:5: stage 'train', wait_for: 'every' must be longer than 0",
    ),
    "an address": (
        TRAIN + "    notify: {on_failure: [me@here]}\n",
        "pipeline.yaml:5: stage 'train', notify: 'on_failure': 'me@here' is not an address. "
        "Write an Apprise URL such as json://localhost:8080/hook",
    ),
    "a quantity": (
        TRAIN + "    resources: {memory: 4 GB}\n",
        "pipeline.yaml:5: stage 'train', resources: 'memory': '4 GB' is not a quantity. "
        "Write 500m, 2 or 4Gi",
    ),
    "an image that is no text": (
        TRAIN + "    image: [a]\n",
        "pipeline.yaml:5: stage 'train': 'image' must be a text, not ['a']",
    ),
}


@pytest.mark.parametrize("case", STAGE_REFUSALS)
def test_a_stage_is_refused(project: Project, case: str) -> None:
    """Each mistake in a stage is named with file:line, the fact and the remedy."""
    text, expected = STAGE_REFUSALS[case]
    assert project.refused(HEAD + text) == expected


FILE_REFUSALS: dict[str, tuple[str, str]] = {
    "empty": ("", "pipeline.yaml:1: the pipeline must be a mapping of names to values"),
    "a list": ("- a\n", "pipeline.yaml:1: the pipeline must be a mapping of names to values"),
    "no name": (
        "stages: {}\n",
        "pipeline.yaml:1: the pipeline: 'name' is missing. Give the pipeline a name: name: flights",
    ),
    "name is a number": (
        "name: 3\n",
        "pipeline.yaml:1: the pipeline: 'name' must be a text, not 3",
    ),
    "no stages": (
        "name: p\nstages: {}\n",
        "pipeline.yaml:2: the pipeline: there are no stages. Add a stage with its notebook",
    ),
    "stages is a list": (
        "name: p\nstages: [a]\n",
        "pipeline.yaml:2: stages must be a mapping of names to values",
    ),
    "unknown key": (
        "name: p\nstage: {}\n",
        "pipeline.yaml:2: the pipeline: unknown key 'stage'. Did you mean 'stages'?",
    ),
    "duplicate key": (
        "name: p\nstages: {}\nname: q\n",
        "pipeline.yaml:3: the key 'name' stands twice (first in line 1)",
    ),
    "duplicate stage": (
        HEAD + COLLECT + COLLECT,
        "pipeline.yaml:6: the key 'collect' stands twice (first in line 3)",
    ),
    "a default that is no policy": (
        "name: p\ndefaults: {notebook: a.ipynb}\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: defaults: unknown key 'notebook'. "
        "Known: retry, timeout, trigger, cache, critical, notify, resources, image",
    ),
    "a cron of four fields": (
        'name: p\nschedule: "0 2 * *"\n' + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline: 'schedule': '0 2 * *' has 4 fields, a cron expression has "
        '5. Write a cron expression of five fields, such as "0 2 * * *"',
    ),
    "a cron of month 13": (
        'name: p\nschedule: "0 2 * 13 *"\n' + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline: 'schedule': '13' is no month (1 to 12) in '0 2 * 13 *'. "
        'Write a cron expression of five fields, such as "0 2 * * *"',
    ),
    "a parameter that is no variable": (
        "name: p\nparameters:\n  max-rows: 3\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:3: the pipeline's parameters: 'max-rows' cannot be the name of a variable",
    ),
    "a parameter that is a keyword": (
        "name: p\nparameters: {class: 3}\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline's parameters: 'class' cannot be the name of a variable",
    ),
    "a parameter of another type": (
        "name: p\nparameters:\n  other: 1\n  rows: many\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:4: the pipeline's parameters: 'rows': 'many' is not an int (as "
        "collect.ipynb of stage 'collect' declares). "
        "Change the value, or the annotation in the notebook",
    ),
    "a cycle": (
        HEAD
        + "  a: {notebook: end.ipynb}\n"
        + "  b: {notebook: end.ipynb, after: [d, a]}\n"
        + "  c: {notebook: end.ipynb, after: [b]}\n"
        + "  d: {notebook: end.ipynb, after: [c]}\n",
        "pipeline.yaml:4: the stages form a cycle: b → c → d → b. "
        "Take one of these references away",
    ),
    "a stage after itself": (
        HEAD + "  a: {notebook: end.ipynb, after: [a]}\n",
        "pipeline.yaml:3: the stages form a cycle: a → a. Take one of these references away",
    ),
    "a tab": (
        "name: p\nstages:\n\tcollect: {}\n",
        "pipeline.yaml:3: this is not valid YAML: while scanning for the next token found "
        "character that cannot start any token",
    ),
    "a colon in braces": (
        HEAD + "  a: {notebook: end.ipynb, inputs: {x: file:data.csv}}\n",
        "pipeline.yaml:3: this is not valid YAML: while scanning a plain scalar found unexpected "
        "':'. Within {} and [] it needs quotes. "
        'Write: a: {notebook: end.ipynb, inputs: {x: "file:data.csv"}}',
    ),
    "two documents": (
        "name: p\n---\nname: q\n",
        "pipeline.yaml:2: this is not valid YAML: expected a single document in the stream but "
        "found another document",
    ),
    "an unknown alias": (
        "name: *p\n",
        "pipeline.yaml:1: this is not valid YAML: found undefined alias",
    ),
    "a recursive alias": (
        "name: p\nparameters:\n  a: &a [1, *a, *a]\n",
        "pipeline.yaml:3: an alias stands in its own anchor. Take it away",
    ),
    "a tag": ("name: !secret p\n", "pipeline.yaml:1: the tag !secret is not understood"),
    "a list as a key": ("[a]: b\n", "pipeline.yaml:1: a key must be a plain name"),
    "a control character": (
        "name: p\x01\n",
        "pipeline.yaml: this is not valid YAML: unacceptable character #x0001: control characters "
        "are not allowed",
    ),
}


@pytest.mark.parametrize("case", FILE_REFUSALS)
def test_a_file_is_refused(project: Project, case: str) -> None:
    """Each mistake in the file as a whole is named with file:line, the fact and the remedy."""
    text, expected = FILE_REFUSALS[case]
    project.file.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError) as caught:
        load_pipeline(project.file)
    assert expected == str(caught.value).replace(f"{project.folder}/", "")


def test_a_secret_cannot_be_mapped_over(project: Project) -> None:
    """Its values would stand in the names of the instances."""
    project.notebook("s.ipynb", "import mlkit\ntoken: mlkit.Secret = ''\n")
    assert project.refused(HEAD + "  s:\n    notebook: s.ipynb\n    foreach: {token: [a]}\n") == (
        "pipeline.yaml:5: stage 's': 'foreach' cannot map over a secret"
    )


def test_a_name_too_long_for_a_file_system_is_refused(project: Project) -> None:
    """Before the stage has computed what nobody could write."""
    text = project.refused(HEAD + TRAIN + f"    outputs: {{metrics: a/{'ü' * 150}}}\n")
    assert text.startswith("pipeline.yaml:5: stage 'train': output 'metrics' cannot be called 'a/ü")


def test_a_missing_pipeline_is_refused(tmp_path: Path) -> None:
    """Both the folder and the file are looked for."""
    with pytest.raises(PipelineError, match=r"pipeline\.yaml: there is no such pipeline"):
        load_pipeline(tmp_path)
    with pytest.raises(PipelineError, match=r"Name a pipeline\.yaml or the folder that holds one"):
        load_pipeline(tmp_path / "no.yaml")


def test_a_file_that_is_not_utf_8_is_refused(project: Project) -> None:
    """The reason is told, without a traceback."""
    project.file.write_bytes("name: ü".encode("utf-16"))
    with pytest.raises(PipelineError, match="the file cannot be read"):
        load_pipeline(project.file)


NOTEBOOKS: dict[str, tuple[str, str]] = {
    "empty": ("", "end.ipynb: the notebook is an empty file. Make a notebook in JupyterLab"),
    "not JSON": (
        '{\n"cells": [,]}',
        "end.ipynb:2: the notebook is not valid JSON (Expecting value: line 2 column 11 (char 12))",
    ),
    "format 3": (
        '{"nbformat": 3, "worksheets": []}',
        "end.ipynb: this is not a notebook of format 4. Open it in JupyterLab and save it, or use "
        "'jupyter nbconvert --to notebook'",
    ),
    "a list": (
        "[]",
        "end.ipynb: this is not a notebook of format 4. Open it in JupyterLab and save it, or use "
        "'jupyter nbconvert --to notebook'",
    ),
    "no cells": ('{"nbformat": 4}', "end.ipynb: the notebook has no list of cells"),
    "a broken cell": (
        '{"nbformat": 4, "cells": [3]}',
        "end.ipynb: cell 1 of the notebook is broken",
    ),
    "a cell of an unknown kind": (
        '{"nbformat": 4, "cells": [{"cell_type": "heading", "source": ""}]}',
        "end.ipynb: cell 1 of the notebook is of the unknown kind 'heading'",
    ),
    "a cell with broken metadata": (
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": 3}]}',
        "end.ipynb: cell 1 of the notebook has broken metadata",
    ),
    "broken metadata": (
        '{"nbformat": 4, "cells": [], "metadata": []}',
        "end.ipynb: the notebook's metadata are broken",
    ),
    "another language": (
        '{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
        "end.ipynb: the notebook is written in R, not in Python. "
        "Choose a Python kernel for it in JupyterLab and save it",
    ),
    "nested without end": ("[" * 100_000, "end.ipynb: the notebook is nested too deeply"),
}


@pytest.mark.parametrize("case", NOTEBOOKS)
def test_a_broken_notebook_is_refused(project: Project, case: str) -> None:
    """Before anything runs, with the notebook's own name."""
    text, expected = NOTEBOOKS[case]
    (project.folder / "end.ipynb").write_text(text)
    error = project.refusal(HEAD + "  end: {notebook: end.ipynb}\n")
    assert isinstance(error, NotebookError)
    assert str(error).replace(f"{project.folder}/", "") == expected


def test_a_folder_is_no_notebook(project: Project) -> None:
    """A folder called like a notebook is told apart from a missing one."""
    (project.folder / "dir.ipynb").mkdir()
    assert project.refused(HEAD + "  end: {notebook: dir.ipynb}\n") == (
        "dir.ipynb: this is a folder, not a notebook"
    )


def test_aliases_that_unfold_without_end_are_refused_at_once(project: Project) -> None:
    """Nine lines that stand for a billion values."""
    lines = ["name: p", "parameters:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    started = time.monotonic()
    assert "this unfolds into more than 500,000 values" in project.refused("\n".join(lines))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("text", ["[" * 300_000, "- " * 300_000, "{a: " * 100_000, "[" * 5_000])
def test_what_is_nested_without_end_is_refused(project: Project, text: str) -> None:
    """The parser in C would end the process."""
    project.file.write_text(f"a:\n {text}")
    with pytest.raises(PipelineError, match=r"nested too deeply|not valid YAML"):
        load_pipeline(project.file)


def test_loading_is_linear_in_the_number_of_stages(project: Project) -> None:
    """1,000 stages in a chain load fast, and ten times the stages cost about ten times as much."""

    def seconds(count: int) -> float:
        text = HEAD + "".join(
            f"  s{n}: {{notebook: end.ipynb, after: [{f's{n - 1}' if n else ''}]}}\n"
            for n in range(count)
        )
        project.file.write_text(text)
        started = time.process_time()
        assert len(load_pipeline(project.file).stages) == count
        return time.process_time() - started

    small = min(seconds(200) for _ in range(2))
    large = seconds(2_000)
    assert large < 5
    assert large < 40 * max(small, 0.01)


def _is_plain(value: Any) -> bool:
    return json.dumps(value) != ""


def test_a_pipeline_is_a_plain_value(project: Project) -> None:
    """Loading twice gives equal values, and parameters are plain JSON."""
    project.write("name: p\nparameters: {a: [1, {b: null}]}\n" + HEAD[8:] + COLLECT)
    first, second = load_pipeline(project.file), load_pipeline(project.file)
    assert first == second
    assert _is_plain(first.parameters)
