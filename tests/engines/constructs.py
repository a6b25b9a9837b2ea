"""One pipeline with every construct of pipeline.yaml that an engine has to express."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.engines.export import ExportSettings
from mlkit.engines.registry import ENGINES
from mlkit.testing import Sketch, write_pipeline

__all__ = ["SETTINGS", "constructs", "in_image", "placed"]

SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/constructs/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/runs"),
    parameters={"rows": 50, "text": 'say "{{ hello }}"', "join.n": 2},
    options=("--verify",),
    workers=3,
)


def constructs(folder: Path) -> Path:
    """Write it into a folder; it is compiled, never run."""
    return write_pipeline(
        folder,
        Sketch(name="get-data", declares="logical_date: str = ''", keys=_PLACED),
        _reader("wait", "wait.txt", **_SENSOR),
        _reader("decide", "decision.json", **_EXACT),
        Sketch(name="yes", upstream=("wait",), keys={"when": {"decide.out": [True, "yes"]}}),
        Sketch(name="no", keys={"when": {"decide.out": False}, "timeout": "90s"}),
        Sketch(
            name="both",
            keys={"when": {"decide.out": "both", "list.out": []}, "after": ["wait"]},
        ),
        _reader("list", "list.json"),
        Sketch(
            name="static",
            declares="model: str = 'a'\nrows: int = 1",
            keys={"foreach": {"model": ["a", "{{ b }}"]}, **_TOLD},
        ),
        Sketch(
            name="dynamic",
            declares="share: float = 0.5",
            keys={"foreach": {"share": "list.out"}, "when": {"decide.out": "yes"}},
        ),
        Sketch(
            name="join",
            upstream=("yes", "no"),
            declares="text: str = ''\nn: int = 1",
            keys={"trigger": "none_failed_min_one_success"},
        ),
        Sketch(name="any", upstream=("yes", "no"), keys={"trigger": "one_success"}),
        Sketch(name="last", upstream=("any",), keys={"trigger": "always", "critical": False}),
        Sketch(name="import", keys={"after": ["static", "dynamic"], "trigger": "all_done"}),
        description='Every construct, "quoted"',
        schedule="0 2 * * 0",
        parameters={"rows": 10, "text": "", "token": "${TOKEN}"},
        defaults={"timeout": "10m", "retry": {"max_retries": 2, "delay": "1s"}},
    )


def in_image(file: Path, engine: str = "argo") -> Path:
    """Give all stages of a pipeline without `defaults` what engines of pods ask for.

    That is an image, and a volume that holds the runs beside the pipeline.
    """
    if not ENGINES[engine].has_pods:
        return file
    text = file.read_text(encoding="utf-8")
    place = f'volumes: {{work: {{claim: data, path: "{file.parent.parent}"}}}}'
    head = f'defaults: {{image: "registry.example/mlkit:1", {place}}}'
    file.write_text(f"{head}\n{text}", encoding="utf-8")
    return file


def placed(pipeline: Pipeline, engine: str) -> Pipeline:
    """Give all stages of a pipeline an image, where the engine starts a pod for each.

    What they make is handed on by a URL then.
    """
    if not ENGINES[engine].has_pods:
        return pipeline
    image = "registry.example/mlkit:1"
    stages = {name: replace(stage, image=image) for name, stage in pipeline.stages.items()}
    return replace(pipeline, stages=stages)


def _reader(name: str, file: str, **keys: Any) -> Sketch:
    """A stage that reads `get-data`."""
    inputs = {"data": "get-data.out"}
    return Sketch(name=name, declares="data: str = ''", file=file, keys={"inputs": inputs, **keys})


_PLACED = {
    "image": "registry.example/mlkit:1",
    "resources": {"cpu": 2, "memory": "4Gi", "gpu": 1, "node_selector": {"disk": "ssd"}},
}
_SENSOR = {
    "wait_for": {"path": "/data/in/*.csv", "every": "30s", "timeout": "2h"},
    "timeout": "1h",
}
_EXACT = {"retry": {"max_retries": 3, "delay": "500ms", "backoff": 1, "max_delay": "1m"}}
_TOLD = {
    "notify": {"on_failure": ["json://${HOST}/fail"], "on_success": ["json://${HOST}/good"]},
    "retry": {"max_retries": 4, "backoff": 3, "max_delay": "1m"},
}
