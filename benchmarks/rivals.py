"""The pipelines of other tools, written from the same plan.

Each runs Papermill's command line for each notebook; Elyra executes notebooks by itself. Prefect
and Dagster are there twice: once so, once with the notebooks' code as functions of one process.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.baselines import plain
from benchmarks.baselines.papermill_cli import command
from benchmarks.measure import Contender
from benchmarks.peers import executable, installed

__all__ = ["rivals"]

Steps = Sequence[dict[str, Any]]
Writer = Callable[[Path, Steps], tuple[str, ...]]
PRISTINE = "pristine"
"""Notebooks as they were before they ran: Elyra writes outputs into its own."""
KERNELS = "jupyter"
QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
    "PLOOMBER_STATS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "PYTHONWARNINGS": "ignore",
}


def rivals(folder: Path, steps: Steps) -> list[Contender]:
    """The installed peers as contenders.

    Parameters
    ----------
    folder : Path
        Receives a folder for each peer.
    steps : sequence of dict
        See `benchmarks.stages.plan`.
    """
    return [
        _rival(folder / name.replace(", ", "-"), name, peer, writer, steps)
        for peer in installed()
        for name, writer in WRITERS[peer].items()
    ]


def _rival(place: Path, name: str, peer: str, writer: Writer, steps: Steps) -> Contender:
    place.mkdir()
    line = writer(place, steps)
    env = {**QUIET, "HOME": str(place), "PREFECT_HOME": str(place), "DAGSTER_HOME": str(place)}
    if peer == "elyra":
        env |= {"JUPYTER_PATH": str(place / KERNELS), "JUPYTER_PREFER_ENV_PATH": "0"}
    return Contender(
        name=name,
        command=line,
        cwd=place,
        env=env,
        reset=_forget(place, steps),
        once=True,
    )


def _forget(place: Path, steps: Steps) -> Callable[[], None]:
    """Remove what a run has made, and what the tool remembers of it."""

    def reset() -> None:
        for step in steps:
            shutil.rmtree(Path(step["executed"]).parent, ignore_errors=True)
            Path(step["executed"]).parent.mkdir(parents=True)
        for memory in (".dvc/cache", ".dvc/tmp", ".snakemake"):
            shutil.rmtree(place / memory, ignore_errors=True)
        (place / "dvc.lock").unlink(missing_ok=True)
        for notebook in (place / PRISTINE).glob("*.ipynb"):
            shutil.copy(notebook, place)

    return reset


def _ploomber(place: Path, steps: Steps) -> tuple[str, ...]:
    writer = {path: step["name"] for step in steps for path in step["writes"]}
    functions, tasks = ["import subprocess"], []
    for step in steps:
        name = step["name"]
        functions.append(
            f"def {name}(product, upstream=None):\n"
            f"    subprocess.run({command(step)!r}, check=True)"
        )
        upstream = sorted({writer[path] for path in step["reads"] if path in writer})
        task = {"source": f"steps.{name}", "name": name, "product": step["writes"][0]}
        tasks.append({**task, **({"upstream": upstream} if upstream else {})})
    (place / "steps.py").write_text("\n\n\n".join(functions) + "\n")
    meta = {"extract_upstream": False, "extract_product": False}
    executor = {"dotted_path": "ploomber.executors.Serial", "build_in_subprocess": False}
    spec = {"meta": meta, "executor": executor, "tasks": tasks}
    (place / "pipeline.yaml").write_text(json.dumps(spec))
    return (str(executable("ploomber", "ploomber")), "build")


def _dvc(place: Path, steps: Steps) -> tuple[str, ...]:
    program = str(executable("dvc", "dvc"))
    subprocess.run([program, "init", "--no-scm", "--quiet"], cwd=place, check=True)
    stages = {
        step["name"]: {
            "cmd": shlex.join(command(step)),
            "deps": [_beside(path, place) for path in (step["notebook"], *step["reads"])],
            "outs": [{_beside(path, place): {"cache": False}} for path in step["writes"]],
        }
        for step in steps
    }
    (place / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    return (program, "repro", "--quiet")


def _snakemake(place: Path, steps: Steps) -> tuple[str, ...]:
    rules = [f"rule all:\n    input: {[path for step in steps for path in step['writes']]!r}"]
    for step in steps:
        reads = [step["notebook"], *step["reads"]]
        rules.append(
            f"rule {step['name']}:\n    input: {reads!r}\n    output: {step['writes']!r}\n"
            f"    shell: {shlex.join(command(step))!r}"
        )
    (place / "Snakefile").write_text("\n\n".join(rules) + "\n")
    return (str(executable("snakemake", "snakemake")), "--cores", "1", "--quiet", "all")


_ONE_PROCESS = f"""import sys
sys.path.insert(0, {str(Path(plain.__file__).parent)!r})
from plain import execute
"""
_COMMAND = """import subprocess

def execute(line):
    subprocess.run(line, check=True)
"""


def _prefect(place: Path, steps: Steps) -> tuple[str, ...]:
    return _prefect_flow(place, _COMMAND, [command(step) for step in steps])


def _prefect_functions(place: Path, steps: Steps) -> tuple[str, ...]:
    return _prefect_flow(place, _ONE_PROCESS, steps)


def _prefect_flow(place: Path, execute: str, work: Sequence[Any]) -> tuple[str, ...]:
    program = (
        f"{execute}\nfrom prefect import flow, task\n\n"
        "@task\ndef run(step):\n    execute(step)\n\n"
        f"@flow\ndef pipeline():\n    for step in {work!r}:\n        run(step)\n\npipeline()\n"
    )
    (place / "pipeline.py").write_text(program)
    return (str(executable("prefect", "python")), str(place / "pipeline.py"))


def _dagster(place: Path, steps: Steps) -> tuple[str, ...]:
    return _dagster_job(place, _COMMAND, steps, [command(step) for step in steps])


def _dagster_functions(place: Path, steps: Steps) -> tuple[str, ...]:
    return _dagster_job(place, _ONE_PROCESS, steps, steps)


def _dagster_job(place: Path, execute: str, steps: Steps, work: Sequence[Any]) -> tuple[str, ...]:
    program, calls = f"{execute}\nfrom dagster import In, Nothing, job, op\n\n", []
    for number, (step, part) in enumerate(zip(steps, work, strict=True)):
        ins = "ins={'before': In(Nothing)}" if number else ""
        program += f"@op({ins})\ndef {step['name']}():\n    execute({part!r})\n\n"
        calls.append(f"    last = {step['name']}({'last' if number else ''})")
    program += "@job\ndef pipeline():\n" + "\n".join(calls) + "\n\npipeline.execute_in_process()\n"
    (place / "pipeline.py").write_text(program)
    return (str(executable("dagster", "python")), str(place / "pipeline.py"))


def _elyra(place: Path, steps: Steps) -> tuple[str, ...]:
    """Its local runs hand over no parameters, so that values stand in the notebooks, as there."""
    (place / PRISTINE).mkdir()
    writer = {path: step["name"] for step in steps for path in step["writes"]}
    nodes = []
    for step in steps:
        document = json.loads(Path(step["notebook"]).read_text())
        for cell in document["cells"]:
            if "parameters" in cell["metadata"].get("tags", []):
                given = step["parameters"].items()
                cell["source"] = "\n".join(f"{name} = {value!r}" for name, value in given)
        (place / PRISTINE / f"{step['name']}.ipynb").write_text(json.dumps(document))
        upstream = sorted({writer[path] for path in step["reads"] if path in writer})
        nodes.append(_elyra_node(step["name"], upstream))
    pipeline = {
        "id": "primary",
        "nodes": nodes,
        "app_data": {
            "version": 8,
            "runtime_type": "LOCAL",
            "properties": {"name": "pipeline", "runtime": "Local"},
            "ui_data": {"comments": []},
        },
        "runtime_ref": "",
    }
    document = {"doc_type": "pipeline", "version": "3.0", "id": "pipeline", "schemas": []}
    document |= {"primary_pipeline": "primary", "pipelines": [pipeline]}
    (place / "steps.pipeline").write_text(json.dumps(document))
    kernel = place / KERNELS / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return (str(executable("elyra", "elyra-pipeline")), "run", "steps.pipeline")


def _elyra_node(name: str, upstream: Sequence[str]) -> dict[str, Any]:
    links = [
        {"id": f"{before}-{name}", "node_id_ref": before, "port_id_ref": "outPort"}
        for before in upstream
    ]
    port = {"ui_data": {"label": "Port", "cardinality": {"min": 0, "max": -1}}}
    parameters = {
        **{"filename": f"{name}.ipynb", "runtime_image": "none/none:1"},
        **{"dependencies": [], "outputs": [], "env_vars": [], "include_subdirectories": False},
    }
    return {
        "id": name,
        "type": "execution_node",
        "op": "execute-notebook-node",
        "app_data": {
            "component_parameters": parameters,
            "label": name,
            "ui_data": {"label": name, "image": "", "x_pos": 0, "y_pos": 0, "description": ""},
        },
        "inputs": [{"id": "inPort", "links": links, "app_data": port}],
        "outputs": [{"id": "outPort", "app_data": port}],
    }


def _beside(path: str, place: Path) -> str:
    """A path as seen from a folder."""
    return os.path.relpath(path, place)


WRITERS: Mapping[str, Mapping[str, Writer]] = {
    "ploomber": {"ploomber": _ploomber},
    "dvc": {"dvc": _dvc},
    "snakemake": {"snakemake": _snakemake},
    "prefect": {"prefect": _prefect, "prefect, functions": _prefect_functions},
    "dagster": {"dagster": _dagster, "dagster, functions": _dagster_functions},
    "elyra": {"elyra": _elyra},
}
