"""What a DAG file carries with it beside its tasks.

The compiler copies from here the functions that a DAG calls, and those that they call, so that a
DAG is one file that needs Airflow and the standard library only. Not the constants: each DAG file
has those of its own pipeline.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from airflow.sdk import Context, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from kubernetes.client import models as k8s

MLKIT = "mlkit"
PIPELINE = "pipeline.yaml"
RUNS = "runs"
PARAMETERS: dict[str, Any] = {}
OPTIONS: list[str] = []
DATED = False


def run_id_of(context: Context) -> str:
    """Give the id of mlkit's run: the one handed over, else one made from Airflow's."""
    dag_run = context["dag_run"]
    given = (dag_run.conf or {}).get("run_id")
    own = re.sub(r"[^\w.+-]", "-", dag_run.run_id)
    return given or f"{dag_run.run_after:%Y%m%d-%H%M%S}-{own}"


def first_try_of(context: Context) -> int:
    """Give the first try since the task was cleared: mlkit then does anew what has succeeded."""
    retries = getattr(context.get("task"), "retries", None) or 0
    return getattr(context["ti"], "max_tries", retries) - retries + 1


def call_mlkit(context: Context, *words: str, interval: str = "") -> tuple[int, dict[str, Any]]:
    """Call mlkit, perhaps for an interval, and give its exit code and what it printed."""
    ti = context["ti"]
    task_id = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
    ids = {
        "MLKIT_ENGINE": "airflow",
        "MLKIT_ENGINE_RUN_ID": ti.run_id,
        "MLKIT_ENGINE_TASK_ID": task_id,
        "MLKIT_ENGINE_NOTIFIES": "1",  # by callbacks
        "MLKIT_ENGINE_WAITED": "1",  # by sensors
        "MLKIT_ENGINE_ROUND": str(first_try_of(context)),
        "MLKIT_ENGINE_INTERVAL": interval,
    }
    command = [MLKIT, *words, "--runs-dir", RUNS, "--json"]
    environ = {**os.environ, **ids}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            process.terminate()  # mlkit then ends the notebook, and writes that down
            raise
    return process.returncode, json.loads(printed or b"{}")


def call_for_stage(context: Context, stage: str) -> tuple[int, dict[str, Any]]:
    """Let mlkit run a stage with the parameters of this file, and what was changed in Airflow."""
    words = ["run", PIPELINE, "--only", stage, "--run-id", run_id_of(context), *OPTIONS]
    for name, item in context["params"].items():
        if name in PARAMETERS and not is_one_of(item, [PARAMETERS[name]]):
            words += ["-p", f"{name}:={json.dumps(item)}"]
    interval = ""
    if DATED and context["dag_run"].run_type in ("scheduled", "backfill"):
        interval = context["data_interval_start"].isoformat()
    return call_mlkit(context, *words, interval=interval)


def run_stage(stage: str) -> None:
    """Let mlkit run one stage, or one instance of it, in the run of this DAG run."""
    context = get_current_context()
    stage = stage.removesuffix("[\n]")  # there is no list of values
    code, document = call_for_stage(context, stage)
    for item in document.get("stages", {}).values():
        for kind in ("notebook", "log"):
            if item.get(kind):
                context["ti"].xcom_push(key=kind, value=item[kind])  # the way back, in the UI
        context["ti"].xcom_push(key="report", value=report_of(context))
    if code == 0:
        return
    if code == 99:
        raise AirflowSkipException(f"{stage} was skipped")
    ended = [document, *document.get("stages", {}).values()]
    error: dict[str, Any] = next((item["error"] for item in ended if item.get("error")), {})
    message = f"{stage}: {error.get('type', 'mlkit')}: {error.get('message', code)}"
    if error.get("retryable"):
        raise RuntimeError(message)
    raise AirflowFailException(message)


def report_of(context: Context) -> str:
    """Say where the run's report is; as long as there is none, the command that makes it."""
    run = run_id_of(context)
    page = Path(RUNS, run, "report.html")
    words = [MLKIT, "report", run, PIPELINE, "--runs-dir", RUNS]
    return str(page) if page.exists() else shlex.join(words)


def read_artifact(*path: str) -> Any:
    """Read a JSON artifact of this run; None if it was not made."""
    file = Path(RUNS, run_id_of(get_current_context()), *path)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def fetch_value(artifact: str) -> Any:
    """Have mlkit read a JSON artifact of this run, wherever that is; None if it was not made."""
    context = get_current_context()
    code, document = call_mlkit(context, "show", run_id_of(context), artifact, PIPELINE, "--value")
    if code:
        message = document.get("error", {}).get("message", f"mlkit ended with {code}")
        raise RuntimeError(f"{artifact}: {message}")
    return document["value"]


def is_one_of(found: Any, wanted: list[Any]) -> bool:
    """Compare JSON values strictly: 1 is neither true nor 1.0."""
    texts = [json.dumps(item, sort_keys=True) for item in wanted]
    return json.dumps(found, sort_keys=True) in texts


def label(item: Any) -> str:
    """Write a value as it stands in STAGE[VALUE]."""
    text = item if isinstance(item, str) else json.dumps(item)
    # what means something between the brackets is quoted, and what cannot be seen is escaped
    if re.search(r'[,\[\]*]|^["\s]|\s$', text) or not text.isprintable():
        text = json.dumps(text, ensure_ascii=not text.isprintable())
    return text


def labels(found: Any, kind: type | None = None) -> list[str]:
    """Write the values over which a stage is mapped.

    What is no list of values, or was not made, gives one line break, as which no value is written:
    the stage is called as a whole once all upstream has ended, and mlkit says what is wrong.
    """
    is_list = isinstance(found, list) and not any(isinstance(item, list | dict) for item in found)
    try:
        return [label(kind(item) if kind else item) for item in found] if is_list else ["\n"]
    except (TypeError, ValueError):  # no number
        return ["\n"]


def literally(text: str) -> str:
    """Keep Airflow's templates from reading a value over which a task is mapped."""
    return re.sub(r"{(?=[{%#])", "{{ '{' }}", text)


def tell(stage: str, context: Context) -> None:
    """Tell the people whom the stage's `notify` names how it, or one of its instances, ended."""
    item = getattr(context["task"], "op_kwargs", {}).get("item")
    name = stage if item in (None, "\n") else f"{stage}[{item}]"
    call_mlkit(context, "notify", run_id_of(context), name, PIPELINE)


def record_timeout(stage: str, context: Context) -> None:
    """Have mlkit write down that a sensor found nothing in time."""
    call_for_stage(context, stage)


def ask_for_verdict() -> None:
    """Fail the DAG run if mlkit's run has failed: its last tasks alone do not tell."""
    context = get_current_context()
    code, document = call_mlkit(context, "show", run_id_of(context), PIPELINE)
    context["ti"].xcom_push(key="report", value=report_of(context))
    if document.get("status") != "succeeded":
        raise AirflowFailException(f"the run is {document.get('status', code)}")


def mounted(name: str, kind: str, source: str, _: str) -> Any:
    """A volume of a pod."""
    if kind == "claim":
        claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=source)
        return k8s.V1Volume(name=name, persistent_volume_claim=claim)
    if kind == "config_map":
        return k8s.V1Volume(name=name, config_map=k8s.V1ConfigMapVolumeSource(name=source))
    return k8s.V1Volume(name=name, secret=k8s.V1SecretVolumeSource(secret_name=source))


def pod(
    *,
    image: str | None = None,
    cpu: str | None = None,
    memory: str | None = None,
    gpu: int | None = None,
    node_selector: dict[str, str] | None = None,
    volumes: dict[str, tuple[str, str, str]] | None = None,
) -> dict[str, Any]:
    """Say what a task needs, for executors that start a pod for each task.

    A volume is a claim, a config map or a secret; its name; and where the task finds it.
    """
    asked = {name: item for name, item in (("cpu", cpu), ("memory", memory)) if item}
    container = k8s.V1Container(
        name="base",
        image=image,
        resources=k8s.V1ResourceRequirements(
            requests=asked,
            limits={**asked, **({"nvidia.com/gpu": str(gpu)} if gpu else {})},
        ),
        volume_mounts=[
            k8s.V1VolumeMount(name=name, mount_path=path)
            for name, (_, _, path) in (volumes or {}).items()
        ]
        or None,
    )
    spec = k8s.V1PodSpec(
        containers=[container],
        node_selector=node_selector,
        volumes=[mounted(name, *what) for name, what in (volumes or {}).items()] or None,
    )
    return {"pod_override": k8s.V1Pod(spec=spec)}
