"""The functions that a compiled pipeline carries with it.

A lightweight component is sent to the cluster as the source of one function, so what it needs is
written into the file: kfp and the standard library, nothing of mlkit.
"""

from __future__ import annotations

__all__ = ["CONDITIONS_HOLD", "NO_BRANCH", "READ", "RUN_STAGE", "TELL_PEOPLE", "WAIT_FOR_FILE"]

RUN_STAGE = '''\
def run_stage(
    stage: str,
    outputs: list,
    run_id: str,
    parameters: list,
    job_id: str,
    task_id: str,
    critical: bool = True,
@SCHEDULED_ARGUMENT@) -> tuple:
    """Run a stage through mlkit: its state, and the paths of its outputs.

    A failed stage fails the task; a skipped one does not, and what follows is told.
    """
    import json
    import os
    import shutil
    import subprocess
    import sys

    mlkit = @MLKIT@
    if not os.access(mlkit, os.X_OK):  # in an image, its own
        mlkit = shutil.which("mlkit") or mlkit
    command = [mlkit, "run", @PIPELINE@]
    command += ["--only", stage, "--run-id", run_id or f"kubeflow-{job_id}"]
    command += ["--runs-dir", @RUNS_DIR@, "--json"]
@OPTIONS@    for parameter in parameters:
        command += ["-p", parameter]
    engine = {
        "MLKIT_ENGINE": "kubeflow",
        "MLKIT_ENGINE_RUN_ID": job_id,
        "MLKIT_ENGINE_TASK_ID": task_id,
        "MLKIT_ENGINE_RETRIES_ALL": "1",
        "MLKIT_ENGINE_WAITED": "1",
@NOTIFIES@@SCHEDULED@    }
    done = subprocess.run(
        command, env={**os.environ, **engine}, stdout=subprocess.PIPE, encoding="utf-8"
    )
    print(done.stdout)
    if done.returncode not in (0, 1, 99):  # nothing ran, so there is no record
        sys.exit(done.returncode)
    found = json.loads(done.stdout)["stages"]
    record = found.get(stage) or next(iter(found.values()))
    if record["status"] == "cancelled" or (record["status"] == "failed" and critical):
        sys.exit(1)
    paths = record["outputs"]
    return (record["status"], *(paths.get(name, "") for name in outputs))
'''

READ = {
    "read_value": '''\
def read_value(path: str) -> str:
    """The word that a JSON artifact holds; nothing if it was not made or holds no word."""
    import json
    from pathlib import Path

    value = json.loads(Path(path).read_text("utf-8")) if path else ""
    is_word = isinstance(value, str) and value.replace("-", "_").isidentifier()
    return value if is_word else ""
''',
    "read_instances": '''\
def read_instances(stage: str, path: str, as_float: bool) -> list:
    """The instances of a mapped stage, by the JSON list in an artifact.

    Of an empty list, the stage itself: mlkit then notes that it was skipped.
    """
    import json
    from pathlib import Path

    values = json.loads(Path(path).read_text("utf-8")) if path else []
    if as_float:
        values = [float(value) for value in values]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    return [f"{stage}[{text}]" for text in texts] or [stage]
''',
}

CONDITIONS_HOLD = '''\
def conditions_hold(paths: str, wanted: list) -> str:
    """Whether each JSON artifact, one path a line, holds one of the values wanted of it."""
    import json
    from pathlib import Path

    for path, values in zip(paths.split("\\n"), wanted, strict=True):
        value = json.loads(Path(path).read_text("utf-8")) if path else None
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        if not path or text not in values:
            return "no"
    return "yes"
'''

WAIT_FOR_FILE = '''\
def wait_for_file(pattern: str, every_s: float, timeout_s: float, upstream: str) -> str:
    """Wait until a file matches, or the time is over: mlkit looks once more then.

    For a stage that is skipped with its upstream there is nothing to wait for.
    """
    import glob
    import os
    import time

    deadline = time.monotonic() + timeout_s
    while "skipped" not in upstream.split():
        if any(map(os.path.exists, glob.iglob(pattern, recursive=True))):
            return "found"
        if time.monotonic() >= deadline:
            return "not found"
        time.sleep(max(0.0, min(every_s, deadline - time.monotonic())))
    return "skipped"
'''

NO_BRANCH = '''\
def no_branch() -> str:
    """Stands for the branches that were not taken."""
    return "skipped"
'''

TELL_PEOPLE = '''\
def tell_people(
    status: dsl.PipelineTaskFinalStatus,
    stages: list,
    run_id: str,
    parameters: list,
    job_id: str,
):
    """Tell the addresses in `notify` how these stages ended, once all is over."""
    import json
    import os
    import shutil
    import subprocess

    mlkit = @MLKIT@
    if not os.access(mlkit, os.X_OK):  # in an image, its own
        mlkit = shutil.which("mlkit") or mlkit
    run = run_id or f"kubeflow-{job_id}"
    where = [@PIPELINE@, "--runs-dir", @RUNS_DIR@]
    shown = subprocess.run(
        [mlkit, "show", run, *where, "--json"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    given = [word for parameter in parameters for word in ("-p", parameter)]
    for instance, record in json.loads(shown.stdout).get("stages", {}).items():
        if record["stage"] in stages:
            subprocess.run([mlkit, "notify", run, instance, *where, *given])
'''
