"""A pipeline of fourteen stages, and records of runs of it, with their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest

from mlkit.core.pipeline import Axis, Condition, Foreach, Node, Pipeline, Stage, StageOutput
from mlkit.core.record import ArtifactRecord, AttemptRecord, ErrorRecord, RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import safe_name

MODELS = ("logistic_regression", "random_forest", "hist_gradient_boosting", "xgboost", "lightgbm")
SCORES = (0.671, 0.684, 0.692, 0.697, 0.695)
START = 1_700_000_000.0
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def reads(**inputs: str) -> dict[str, StageOutput]:
    """Make inputs from `STAGE.OUTPUT` texts."""
    made = {}
    for name, text in inputs.items():
        stage, output = text.split(".")
        made[name] = StageOutput(node=Node(stage=stage), output=output)
    return made


def when(reference: str, value: str) -> tuple[Condition, ...]:
    """Make the one condition that an output has a value."""
    stage, output = reference.split(".")
    return (Condition(source=StageOutput(node=Node(stage=stage), output=output), values=(value,)),)


def stage(name: str, **fields: Any) -> Stage:
    """Make a stage whose notebook bears its name."""
    return Stage(name=name, notebook=PurePath("/project") / f"{name}.ipynb", **fields)


@pytest.fixture
def flights() -> Pipeline:
    """The classic shape: a chain, a fan-out, a branch, a join."""
    stages = [
        stage("collect", outputs={"flights": "flights.parquet"}),
        stage("validate", inputs=reads(flights="collect.flights"), outputs={"report": "r.json"}),
        stage(
            "preprocess",
            inputs=reads(flights="collect.flights"),
            after=(Node(stage="validate"),),
            outputs={"clean": "clean.parquet"},
        ),
        stage("features", inputs=reads(clean="preprocess.clean"), outputs={"table": "t.parquet"}),
        stage("split", inputs=reads(table="features.table"), outputs={"train": "train.parquet"}),
        stage(
            "train",
            inputs=reads(train_set="split.train"),
            foreach=Foreach(axes=(Axis(parameter="model", values=MODELS),)),
            outputs={"model_file": "model.joblib", "metrics": "metrics.json"},
        ),
        stage("tune", inputs=reads(train_set="split.train"), outputs={"best": "model.joblib"}),
        stage(
            "evaluate",
            inputs=reads(a="train.metrics", b="tune.best", c="split.train"),
            outputs={"metrics": "metrics.json", "curve": "curve.png"},
        ),
        stage("champion", outputs={"champion": "champion.json"}),
        stage(
            "gate",
            inputs=reads(metrics="evaluate.metrics", champion="champion.champion"),
            outputs={"decision": "decision.json"},
        ),
        stage("register", when=when("gate.decision", "register"), outputs={"version": "v.json"}),
        stage("deploy", inputs=reads(version="register.version")),
        stage("alert", when=when("gate.decision", "alert")),
        stage(
            "finish",
            after=(Node(stage="deploy"), Node(stage="alert")),
            inputs=reads(metrics="evaluate.metrics"),
            trigger=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        ),
    ]
    return Pipeline(
        name="flights",
        file=PurePath("/project/pipeline.yaml"),
        stages={item.name: item for item in stages},
    )


def attempt(number: int, start: float, seconds: float, **fields: Any) -> AttemptRecord:
    """Make an attempt that starts some seconds after the run."""
    made: dict[str, Any] = {
        "status": Status.SUCCEEDED,
        "cpu_s": seconds * 0.9,
        "peak_memory_bytes": 180_000_000,
        **fields,
    }
    return AttemptRecord(
        number=number, started=START + start, ended=START + start + seconds, **made
    )


def done(name: str, *history: AttemptRecord, **fields: Any) -> StageRecord:
    """Make a stage's record from its attempts."""
    made: dict[str, Any] = {"status": history[-1].status if history else Status.SKIPPED, **fields}
    return StageRecord(
        id=name,
        stage=name.partition("[")[0],
        started=history[0].started if history else None,
        ended=history[-1].ended if history else None,
        history=history,
        error=history[-1].error if history else None,
        **made,
    )


def code(source: str, *outputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make a code cell."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "execution_count": 1,
        "outputs": list(outputs),
        **fields,
    }


def prose(source: str) -> dict[str, Any]:
    """Make a Markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """Make a notebook's JSON."""
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}


def shown(**data: Any) -> dict[str, Any]:
    """Make a display output; `text_html` stands for `text/html`."""
    bundle = {key.replace("_", "/", 1).replace("svg", "svg+xml"): v for key, v in data.items()}
    return {"output_type": "display_data", "data": bundle, "metadata": {}}


class RunFiles:
    """A run's folder that is filled as a driver would."""

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        self.folder = runs_dir / run_id

    def artifact(self, stage_id: str, name: str, content: bytes | str) -> ArtifactRecord:
        """Write one artifact and give its record."""
        path = self.folder / safe_name(stage_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(raw)
        from hashlib import sha256

        return ArtifactRecord(path=str(path), digest=sha256(raw).hexdigest(), size_bytes=len(raw))

    def notebook(self, stage_id: str, content: dict[str, Any], *attempts: int) -> None:
        """Write the executed notebook of a stage, or of some of its attempts."""
        folder = self.folder / safe_name(stage_id)
        targets = [folder / "attempts" / str(n) for n in attempts] or [folder]
        for target in targets:
            target.mkdir(parents=True, exist_ok=True)
            (target / "notebook.ipynb").write_text(json.dumps(content), encoding="utf-8")

    def log(self, stage_id: str, number: int, text: str) -> None:
        """Write an attempt's log."""
        folder = self.folder / safe_name(stage_id) / "attempts" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").write_text(text, encoding="utf-8")


def _trained(files: RunFiles, model: str, score: float, start: float) -> StageRecord:
    name = f"train[{model}]"
    metrics = {"roc_auc": score, "log_loss": round(0.9 - score / 2, 4), "fit_seconds": 1.5}
    files.notebook(
        name,
        notebook(
            prose(f"# Train one model\n\nThis one is **{model}**."),
            code(f"model = {model!r}", metadata={"tags": ["injected-parameters"]}),
            code("metrics", shown(text_plain=repr(metrics))),
        ),
    )
    files.log(name, 1, f"training {model}\n")
    return done(
        name,
        attempt(1, start, 3.0),
        reason="never run",
        parameters={"model": model, "seed": 42},
        artifacts={"metrics": files.artifact(name, "metrics.json", json.dumps(metrics))},
    )


@pytest.fixture
def green(tmp_path: Path, flights: Pipeline) -> RunRecord:
    """A run that succeeded: a cached stage, a retry, five models, a branch not taken."""
    files = RunFiles(tmp_path / "runs", "20260102-030405-abcd")
    flaky = attempt(
        1,
        0.0,
        1.0,
        status=Status.FAILED,
        error=ErrorRecord(type="ConnectionError", message="the server went away", cell=1),
    )
    files.notebook("collect", notebook(prose("# Collect"), code("rows = 20000")), 1)
    files.notebook(
        "collect",
        notebook(prose("# Collect\n\nAll departures."), code("print(20000)", stream("20000\n"))),
    )
    files.notebook(
        "evaluate",
        notebook(
            prose("# Evaluate"),
            code("plot()", shown(image_png=PNG, text_plain="<Figure size 640x480 with 1 Axes>")),
        ),
    )
    from base64 import b64decode

    from mlkit.core.graph import edges

    stages = [
        done(
            "collect",
            flaky,
            attempt(2, 2.0, 3.0, delay_s=1.0),
            reason="never run",
            parameters={"rows": 20000},
            artifacts={"flights": files.artifact("collect", "flights.parquet", b"PAR1" * 999)},
        ),
        done("validate", status=Status.CACHED, reason="unchanged", source_run="20260101-010101-aa"),
        done("preprocess", attempt(1, 5.0, 2.0)),
        done("features", attempt(1, 7.0, 2.0)),
        done("split", attempt(1, 9.0, 1.0)),
        *(
            _trained(files, model, score, 10.0 + 3 * (index // 2))
            for index, (model, score) in enumerate(zip(MODELS, SCORES, strict=True))
        ),
        done("tune", attempt(1, 10.0, 8.0)),
        done(
            "evaluate",
            attempt(1, 19.0, 4.0),
            artifacts={
                "metrics": files.artifact(
                    "evaluate", "metrics.json", json.dumps({"roc_auc": 0.69, "n": 4000, "ok": True})
                ),
                "curve": files.artifact("evaluate", "curve.png", b64decode(PNG)),
            },
        ),
        done("champion", attempt(1, 0.2, 0.5)),
        done("gate", attempt(1, 23.0, 1.0)),
        done("register", attempt(1, 24.0, 2.0)),
        done("deploy", attempt(1, 26.0, 5.0)),
        done("alert", reason="gate.decision is 'register', not 'alert'"),
        done("finish", attempt(1, 31.0, 1.0)),
    ]
    return RunRecord(
        run_id="20260102-030405-abcd",
        pipeline="flights",
        file="/project/pipeline.yaml",
        runs_dir=str(tmp_path / "runs"),
        status=RunStatus.SUCCEEDED,
        started=START,
        ended=START + 32.5,
        parameters={"months": [1, 2, 3], "rows": 20000, "seed": 42},
        options={"parameter_sources": {"rows": "-p"}},
        stages={item.id: item for item in stages},
        edges=edges(flights),
    )


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    """Make a stream output."""
    return {"output_type": "stream", "name": name, "text": text}


@pytest.fixture
def red(green: RunRecord) -> RunRecord:
    """A run that failed: one model raised twice, what follows was not run."""
    run_id = "20260103-030405-dcba"
    files = RunFiles(Path(green.runs_dir), run_id)
    error = ErrorRecord(
        type="ValueError",
        message="Input X contains NaN. <script>alert(1)</script>",
        bases=("builtins.ValueError", "builtins.Exception"),
        cell=2,
        traceback="Traceback (most recent call last):\nValueError: Input X contains NaN.",
    )
    name = "train[xgboost]"
    raised = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": error.message,
        "traceback": ["\x1b[0;31mValueError\x1b[0m: Input X contains NaN."],
    }
    content = notebook(
        prose("# Train one model"),
        code("table = load(train_set)", stream("4,000 rows\n")),
        code("model.fit(table, late)", raised),
        code("save(model)", execution_count=None),
    )
    files.notebook(name, content, 1, 2)
    files.log(name, 2, "".join(f"line {n}\n" for n in range(200)))
    failed = done(
        name,
        attempt(1, 13.0, 2.0, status=Status.FAILED, error=error),
        attempt(2, 16.0, 2.0, status=Status.FAILED, error=error, delay_s=1.0),
        reason="ValueError in cell 3",
    )
    blocked = {
        key: done(key, status=Status.UPSTREAM_FAILED, reason="train[xgboost] failed")
        for key in ("evaluate", "gate", "register", "deploy", "alert", "finish")
    }
    return replace(
        green,
        run_id=run_id,
        status=RunStatus.FAILED,
        ended=START + 21,
        parameters={**green.parameters, "rows": 500},
        stages={**green.stages, name: failed, **blocked},
    )


@pytest.fixture
def make_stage() -> Callable[..., Stage]:
    """The maker of stages, for graphs of other shapes."""
    return stage
