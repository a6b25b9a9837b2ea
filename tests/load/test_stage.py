"""One entry under `stages`: what it may say, and every mistake with its line."""

from __future__ import annotations

import pytest

from mlkit.core.outputs import Output
from mlkit.core.pipeline import (
    Axis,
    Condition,
    Foreach,
    Node,
    StageOutput,
)
from mlkit.core.policies import Notify, Resources, Retry, WaitFor
from mlkit.core.triggers import TriggerRule
from tests.load.conftest import COLLECT, HEAD, MAPPED, TRAIN, Project


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
            depends_on_past: true
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
    assert train.outputs == {"metrics": Output.of("deep/metrics.json")}
    assert train.retry == Retry(
        max_retries=3,
        delay_s=0.5,
        backoff=3.0,
        max_delay_s=60.0,
        jitter=False,
        on=("OSError", "TimeoutError"),
    )
    assert (train.timeout_s, train.cache, train.critical) == (600.0, False, False)
    assert (train.depends_on_past, pipeline.stages["end"].depends_on_past) == (True, False)
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


def test_two_stages_can_share_a_notebook(project: Project) -> None:
    """Each has its own values."""
    pipeline = project.load(
        HEAD
        + "  a: {notebook: train.ipynb, parameters: {rate: 1}}\n"
        + "  b: {notebook: train.ipynb, parameters: {rate: 2}}\n"
    )
    values = [stage.parameters["rate"] for stage in pipeline.stages.values()]
    assert [(value, type(value)) for value in values] == [(1.0, float), (2.0, float)]


STAGE_REFUSALS: dict[str, tuple[str, str]] = {
    "unknown key": (
        TRAIN + "    ouputs: {metrics: m.json}\n",
        "pipeline.yaml:5: stage 'train': unknown key 'ouputs'. Did you mean 'outputs'?",
    ),
    "unknown key before a block": (
        TRAIN + "    ouputs:\n\n      metrics: m.json\n",
        "pipeline.yaml:5: stage 'train': unknown key 'ouputs'. Did you mean 'outputs'?",
    ),
    "a key of the pipeline": (
        TRAIN + "    schedule: every 6h\n",
        "pipeline.yaml:5: stage 'train': unknown key 'schedule'. "
        "It belongs to the pipeline, beside 'stages'",
    ),
    "no notebook": (
        "  train:\n    cache: true\n",
        "pipeline.yaml:3: stage 'train': 'notebook' is missing. "
        "Name the stage's notebook, relative to this file",
    ),
    "not a mapping": (
        "  train:\n",
        "pipeline.yaml:3: stage 'train' must be a mapping of names to values. "
        "Write train: {notebook: train.ipynb}",
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
        "'inputs'). Declare it with a default in a cell tagged 'parameters'; JupyterLab shows a "
        "cell's tags in the Property Inspector (the gears on the right), Common Tools, Cell Tags",
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
        "Write STAGE.OUTPUT, file:PATH for a file from outside, or run:NAME/STAGE.OUTPUT for what "
        "another run has made",
    ),
    "a number as a reference": (
        TRAIN + "    inputs: {train_set: 3}\n",
        "pipeline.yaml:5: stage 'train': 3 is not a reference to an output. "
        "Write STAGE.OUTPUT, file:PATH for a file from outside, or run:NAME/STAGE.OUTPUT for what "
        "another run has made",
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
        "pipeline.yaml:5: stage 'train', foreach: 'model' is 3, and a list is needed. "
        "Write model: [VALUE, …], STAGE.OUTPUT of a JSON list, or parameters.NAME",
    ),
    "foreach of a word": (
        TRAIN + "    foreach: {model: forest}\n",
        "pipeline.yaml:5: stage 'train', foreach: 'forest' is not a reference to an output. "
        "Write model: [VALUE, …], STAGE.OUTPUT of a JSON list, or parameters.NAME",
    ),
    "when of a stage without its output": (
        COLLECT + "  end:\n    notebook: end.ipynb\n    when: {collect: a}\n",
        "pipeline.yaml:8: stage 'end': 'collect' is not a reference to an output. "
        "Write STAGE.OUTPUT: VALUE",
    ),
    "foreach of duplicates": (
        TRAIN + "    foreach:\n      model:\n        - a\n        - b\n        - a\n",
        "pipeline.yaml:9: stage 'train', foreach: the value 'a' stands twice. "
        "Write each value once: instances are told apart by them",
    ),
    "foreach of values that read the same": (
        TRAIN + "    foreach: {model: [a, 1, '1']}\n",
        "pipeline.yaml:5: stage 'train', foreach: the values 1 and '1' would have one name, [1]. "
        "Write each value once: instances are told apart by them",
    ),
    "foreach of equals": (
        TRAIN + "    foreach: {rate: [1, 1.0]}\n",
        "pipeline.yaml:5: stage 'train': 'foreach': the value 1.0 stands twice. "
        "Write each value once: instances are told apart by them",
    ),
    "foreach of lists": (
        TRAIN + "    foreach: {model: [a, [b]]}\n",
        "pipeline.yaml:5: stage 'train', foreach: the value ['b'] is not a scalar. "
        "A value is a text, a number, a date, true, false or null; for combinations map over "
        "several parameters",
    ),
    "foreach of another type": (
        TRAIN + "    foreach: {rate: [a]}\n",
        "pipeline.yaml:5: stage 'train': 'foreach': 'a' is not a float (as train.ipynb declares). "
        "Change the value, or the annotation in the notebook",
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
        "The executed notebook is '@notebook.ipynb'; otherwise choose another name",
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
        "pipeline.yaml:7: stage 'train': output 'token' shares the file 'm' with another output, "
        "'metrics'",
    ),
    "a file below a file": (
        TRAIN + "    outputs:\n      metrics: m\n      token: m/n\n",
        "pipeline.yaml:7: stage 'train': output 'token' ('m/n') lies in output 'metrics' ('m'). "
        "Give each a place of its own: a folder is handed on as a whole",
    ),
    "an output in a folder that is another one": (
        TRAIN + "    outputs:\n      metrics: m/\n      token: m/n.json\n",
        "pipeline.yaml:7: stage 'train': output 'token' ('m/n.json') lies in output 'metrics' "
        "('m/'). Give each a place of its own: a folder is handed on as a whole",
    ),
    "a folder around another output": (
        TRAIN + "    outputs:\n      metrics: m/n.json?\n      token: m/?\n",
        "pipeline.yaml:7: stage 'train': output 'metrics' ('m/n.json?') lies in output 'token' "
        "('m/?'). Give each a place of its own: a folder is handed on as a whole",
    ),
    "a mark before the slash": (
        TRAIN + "    outputs: {metrics: 'm?/'}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' is 'm?/': the '?' of a folder that may "
        "be missing comes last. Write 'm/?'",
    ),
    "an executed notebook of another kind": (
        TRAIN + "    outputs: {metrics: '@notebook.pdf'}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' is '@notebook.pdf', and what begins with "
        "'@' is the executed notebook, which is always there. Write '@notebook.ipynb' or "
        "'@notebook.html'",
    ),
    "an executed notebook that may be missing": (
        TRAIN + "    outputs: {metrics: '@notebook.html?'}\n",
        "pipeline.yaml:5: stage 'train': output 'metrics' is '@notebook.html?', and what begins "
        "with '@' is the executed notebook, which is always there. Write '@notebook.ipynb' or "
        "'@notebook.html'",
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
    "a duration that is a list": (
        TRAIN + "    timeout: [10m, {a: 1}]\n",
        "pipeline.yaml:5: stage 'train': 'timeout': ['10m', {'a': 1}] is not a duration. "
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


def test_a_name_too_long_for_a_file_system_is_refused(project: Project) -> None:
    """Before the stage has computed what nobody could write."""
    text = project.refused(HEAD + TRAIN + f"    outputs: {{metrics: a/{'ü' * 150}}}\n")
    assert text.startswith("pipeline.yaml:5: stage 'train': output 'metrics' cannot be called 'a/ü")
