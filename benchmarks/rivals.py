"""The pipelines of other tools, written from the same plan; each runs Papermill's command line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.baselines.papermill_cli import command
from benchmarks.measure import Contender
from benchmarks.peers import executable, installed

__all__ = ["rivals"]

Steps = Sequence[dict[str, Any]]
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
    found = []
    for peer in installed():
        place = folder / peer
        place.mkdir()
        line = WRITERS[peer](place, steps)
        env = {**QUIET, "HOME": str(place), "PREFECT_HOME": str(place), "DAGSTER_HOME": str(place)}
        found.append(
            Contender(
                name=peer,
                command=line,
                cwd=place,
                env=env,
                reset=_forget(place, steps),
                once=True,
            )
        )
    return found


def _forget(place: Path, steps: Steps) -> Callable[[], None]:
    """Remove what a run has made, and what the tool remembers of it."""

    def reset() -> None:
        for step in steps:
            shutil.rmtree(Path(step["executed"]).parent, ignore_errors=True)
            Path(step["executed"]).parent.mkdir(parents=True)
        for memory in (".dvc/cache", ".dvc/tmp", ".snakemake"):
            shutil.rmtree(place / memory, ignore_errors=True)
        (place / "dvc.lock").unlink(missing_ok=True)

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


def _prefect(place: Path, steps: Steps) -> tuple[str, ...]:
    lines = [command(step) for step in steps]
    program = (
        "import subprocess\nfrom prefect import flow, task\n\n"
        "@task\ndef run(line):\n    subprocess.run(line, check=True)\n\n"
        f"@flow\ndef pipeline():\n    for line in {lines!r}:\n        run(line)\n\npipeline()\n"
    )
    (place / "pipeline.py").write_text(program)
    return (str(executable("prefect", "python")), str(place / "pipeline.py"))


def _dagster(place: Path, steps: Steps) -> tuple[str, ...]:
    program = "import subprocess\nfrom dagster import In, Nothing, job, op\n\n"
    calls = []
    for number, step in enumerate(steps):
        ins = "ins={'before': In(Nothing)}" if number else ""
        program += (
            f"@op({ins})\ndef {step['name']}():\n"
            f"    subprocess.run({command(step)!r}, check=True)\n\n"
        )
        calls.append(f"    last = {step['name']}({'last' if number else ''})")
    program += "@job\ndef pipeline():\n" + "\n".join(calls) + "\n\npipeline.execute_in_process()\n"
    (place / "pipeline.py").write_text(program)
    return (str(executable("dagster", "python")), str(place / "pipeline.py"))


def _beside(path: str, place: Path) -> str:
    """A path as seen from a folder."""
    return os.path.relpath(path, place)


WRITERS: dict[str, Callable[[Path, Steps], tuple[str, ...]]] = {
    "ploomber": _ploomber,
    "dvc": _dvc,
    "snakemake": _snakemake,
    "prefect": _prefect,
    "dagster": _dagster,
}
