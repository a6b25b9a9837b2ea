"""What a compiled pipeline carries with it beside its components.

The compiler copies from here the functions that a pipeline uses, and those that they call. A
lightweight component is sent to the cluster as the source of one function with those that are named
beside it, so each imports within itself what it needs: kfp and the standard library, nothing of
mlkit. Not `facts`: each pipeline has those of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from kfp import Client, compiler, dsl, local


def facts() -> dict[str, Any]:
    """Where the tasks find what, and how they call mlkit."""
    return {
        "mlkit": "mlkit",
        "pipeline": "pipeline.yaml",
        "runs_dir": "runs",
        "options": [],
        "notifies": False,
    }


def mlkit_words(verb: str, *words: str) -> list[str]:
    """Write a call of mlkit for this pipeline."""
    import os
    import shutil

    known = facts()
    mlkit = known["mlkit"]
    if not os.access(mlkit, os.X_OK):  # in an image, its own
        mlkit = shutil.which("mlkit") or mlkit
    return [mlkit, verb, *words, known["pipeline"], "--runs-dir", known["runs_dir"]]


def run_stage(
    stage: str,
    outputs: dict[str, Any],
    run_id: str,
    parameters: list[str],
    job_id: str,
    task_id: str,
    scheduled_at: str = "",
    critical: bool = True,
) -> tuple[str, ...]:
    """Run a stage through mlkit: its state, and the paths of its outputs.

    `outputs` holds by name what stands for each in kfp's console, to be told of it. A failed stage
    fails the task; a skipped one does not, and what follows is told.
    """
    import json
    import os
    import subprocess
    import sys

    run = run_id or f"kubeflow-{job_id}"
    command = mlkit_words("run", "--only", stage, "--run-id", run)
    command += ["--json", *facts()["options"]]
    for parameter in parameters:
        command += ["-p", parameter]
    engine = {
        "MLKIT_ENGINE": "kubeflow",
        "MLKIT_ENGINE_RUN_ID": job_id,
        "MLKIT_ENGINE_TASK_ID": task_id,
        "MLKIT_ENGINE_RETRIES_ALL": "1",  # kfp repeats whatever has failed
        "MLKIT_ENGINE_WAITED": "1",  # by a component of its own
        "MLKIT_ENGINE_NOTIFIES": "1" if facts()["notifies"] else "",
        # a run that was started under an id of its own is not the schedule's
        "MLKIT_ENGINE_SCHEDULED": "" if run_id else scheduled_at,
    }
    done = subprocess.run(
        command, env={**os.environ, **engine}, stdout=subprocess.PIPE, encoding="utf-8"
    )
    print(done.stdout)
    if done.returncode not in (0, 1, 99):  # nothing ran, so there is no record
        sys.exit(done.returncode)
    found = json.loads(done.stdout)["stages"]
    instance = stage if stage in found else next(iter(found))
    record = found[instance]
    if record["status"] == "cancelled" or (record["status"] == "failed" and critical):
        sys.exit(1)
    describe(outputs, run, instance)
    paths = record["outputs"]
    return (record["status"], *(paths.get(name) or "" for name in outputs))


def describe(artifacts: dict[str, Any], run: str, instance: str) -> None:
    """Write into kfp's artifacts what mlkit knows of them, and what a stage measured.

    Nothing is copied to kfp's store, and kfp's own address stays: of one in another bucket a
    cluster makes an error. An output that was not made names its run and stage only.
    """
    import math

    known = recorded(run, instance) if artifacts else {}
    for name, artifact in artifacts.items():
        artifact.metadata.update(run=run, stage=instance)
        made = known.get("artifacts", {}).get(name)
        if made is None:
            continue
        artifact.metadata.update(digest=made["digest"], path=made["path"], bytes=made["size_bytes"])
        if hasattr(artifact, "log_metric"):
            for metric, number in (known.get("metrics") or {}).items():
                if math.isfinite(number):  # kfp's JSON knows no other
                    artifact.log_metric(metric, number)


def recorded(run: str, instance: str) -> dict[str, Any]:
    """What mlkit has recorded of an instance: as its file here says, or, behind a URL, mlkit."""
    import json
    import subprocess
    from pathlib import Path

    runs_dir = facts()["runs_dir"]
    file = Path(runs_dir, run, "run.json")
    if "://" not in runs_dir and file.exists():
        known = json.loads(file.read_text("utf-8"))["stages"]
        if instance in known:
            return dict(known[instance])
    command = [*mlkit_words("show", run), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
    # it is for the console alone: what is not known here fails no task
    return dict(json.loads(done.stdout or "{}").get("stages", {}).get(instance, {}))


def tell_people(
    status: dsl.PipelineTaskFinalStatus,
    stages: list[str],
    run_id: str,
    parameters: list[str],
    job_id: str,
) -> None:
    """Tell the addresses in `notify` how these stages ended, once all is over."""
    import json
    import subprocess

    run = run_id or f"kubeflow-{job_id}"
    shown = subprocess.run(
        [*mlkit_words("show", run), "--json"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    given = [word for parameter in parameters for word in ("-p", parameter)]
    for instance, record in json.loads(shown.stdout).get("stages", {}).items():
        if record["stage"] in stages:
            subprocess.run([*mlkit_words("notify", run, instance), *given])


def read_value(path: str) -> str:
    """The word that a JSON artifact holds; nothing if it was not made or holds no word."""
    import json
    from pathlib import Path

    value = json.loads(Path(path).read_text("utf-8")) if path else ""
    is_word = isinstance(value, str) and value.replace("-", "_").isidentifier()
    return value if is_word else ""


def read_instances(stage: str, path: str, as_float: bool) -> list[str]:
    """The instances of a mapped stage, by the JSON list in an artifact.

    Of an empty list, the stage itself: mlkit then notes that it was skipped.
    """
    import json
    import re
    from pathlib import Path

    values = json.loads(Path(path).read_text("utf-8")) if path else []
    if as_float:
        values = [float(value) for value in values]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    # what means something between the brackets is quoted, and what cannot be seen is escaped
    special = re.compile(r'[,\[\]*]|^["\s]|\s$')
    for place, text in enumerate(texts):
        if special.search(text) or not text.isprintable():
            texts[place] = json.dumps(text, ensure_ascii=not text.isprintable())
    return [f"{stage}[{text}]" for text in texts] or [stage]


def conditions_hold(paths: str, wanted: list[list[str]]) -> str:
    """Whether each JSON artifact, one path a line, holds one of the values wanted of it."""
    import json
    from pathlib import Path

    for path, values in zip(paths.split("\n"), wanted, strict=True):
        value = json.loads(Path(path).read_text("utf-8")) if path else None
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        if not path or text not in values:
            return "no"
    return "yes"


def fetched(artifact: str, run_id: str, job_id: str) -> str:
    """Have mlkit read a JSON artifact of the run, wherever that is: the path of a copy here.

    Nothing if it was not made.
    """
    import json
    import subprocess
    import tempfile
    from pathlib import Path

    words = mlkit_words("show", run_id or f"kubeflow-{job_id}", artifact)
    command = [*words, "--value", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    told = json.loads(done.stdout)
    if not told["made"]:
        return ""
    file = Path(tempfile.mkdtemp()) / "value.json"
    file.write_text(json.dumps(told["value"]), encoding="utf-8")
    return str(file)


def fetch_value(artifact: str, path: str, run_id: str, job_id: str) -> str:
    """As `read_value`, wherever the artifact is."""
    return read_value(fetched(artifact, run_id, job_id) if path else "")


def fetch_instances(
    stage: str, artifact: str, path: str, as_float: bool, run_id: str, job_id: str
) -> list[str]:
    """As `read_instances`, wherever the artifact is."""
    return read_instances(stage, fetched(artifact, run_id, job_id) if path else "", as_float)


def fetched_hold(
    artifacts: list[str], paths: str, wanted: list[list[str]], run_id: str, job_id: str
) -> str:
    """As `conditions_hold`, wherever the artifacts are."""
    return conditions_hold("\n".join(fetched(a, run_id, job_id) for a in artifacts), wanted)


def wait_for_file(pattern: str, every_s: float, timeout_s: float, upstream: str) -> str:
    """Wait until a file matches, or the time is over: mlkit looks once more then.

    For a stage that is skipped with its upstream there is nothing to wait for.
    """
    import glob
    import os
    import time

    deadline = time.monotonic() + timeout_s
    while "skipped" not in upstream.split():
        # a link that leads nowhere matches a pattern, and is no file
        if any(map(os.path.exists, glob.iglob(pattern, recursive=True))):
            return "found"
        if time.monotonic() >= deadline:
            return "not found"
        time.sleep(max(0.0, min(every_s, deadline - time.monotonic())))
    return "skipped"


def no_branch() -> str:
    """Stands for the branches that were not taken."""
    return "skipped"


def main(pipeline: Any, file: str) -> int:
    """Compile the pipeline, or have it run, as the command line says; gives the exit code."""
    parser = argparse.ArgumentParser(description=f"The pipeline '{pipeline.name}'.")
    parser.add_argument(
        "action", nargs="?", default="compile", choices=["compile", "run", "submit"]
    )
    parser.add_argument("url", nargs="?", help="where Kubeflow Pipelines answers")
    parser.add_argument("--run-id", default="", help="the id of mlkit's run")
    parser.add_argument("--recurring", action="store_true", help="on the pipeline's schedule")
    given = parser.parse_args()
    if given.action == "run":
        with tempfile.TemporaryDirectory() as root:
            local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
            pipeline(run_id=given.run_id)  # kfp raises an error if a task has failed
        return 0
    package = Path(file).with_suffix(".yaml")
    compiler.Compiler().compile(pipeline, str(package))
    if given.action == "compile":
        return 0
    if given.url is None:
        parser.error("submit: which URL?")
    client = Client(host=given.url)
    experiment = client.create_experiment(pipeline.name).experiment_id
    if given.recurring:
        settings = json.loads(package.with_name("recurring-run.json").read_text("utf-8"))
        settings["pipeline_package_path"] = str(package)
        made = client.create_recurring_run(experiment, **settings)
        print(made.recurring_run_id)
        return 0
    run = client.run_pipeline(
        experiment_id=experiment,
        job_name=f"{pipeline.name} {given.run_id or 'by hand'}",
        pipeline_package_path=str(package),
        params={"run_id": given.run_id},
        enable_caching=False,
    )
    try:
        # kfp wants a time limit; the stages have theirs
        ended = client.wait_for_run_completion(run.run_id, 10**9, sleep_duration=2)
    except KeyboardInterrupt:
        client.terminate_run(run.run_id)
        raise
    print(f"{run.run_id} {ended.state}")
    return 0 if ended.state == "SUCCEEDED" else 1
