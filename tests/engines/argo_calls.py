"""What stands for the pods of an exported workflow: real processes, or runs without kernels."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mlkit.api.local_run import run
from mlkit.api.records import find_run
from mlkit.cli.run_display import exit_code
from mlkit.driver.joined import may_retry
from mlkit.driver.options import RunOptions
from mlkit.errors import MlkitError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import FakeRunner
from mlkit.testing.running import fake_services
from tests.engines.argo_workflow import Call, Container

__all__ = ["in_a_process", "without_kernels"]


def in_a_process(container: Container) -> int:
    """Run what the container would, with this Python."""
    done = subprocess.run(
        [sys.executable, *container.words[1:]],
        env={**os.environ, **container.env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    (container.out / "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode


def without_kernels(file: Path, runs_dir: Path, runner: FakeRunner) -> Call:
    """Run it in this process: mlkit judges and records as ever, notebooks do as they are told."""
    pipeline = load_pipeline(file)

    def answer(verb: str, words: list[str]) -> tuple[int, dict[str, Any]]:
        if verb == "show":
            shown = find_run(words[0], runs_dir)
            stages = {key: {"stage": item.stage} for key, item in shown.stages.items()}
            return 0, {"status": shown.status.value, "stages": stages}
        only, run_id = words[words.index("--only") + 1], words[words.index("--run-id") + 1]
        given = [words[n + 1] for n, word in enumerate(words) if word == "-p"]
        try:
            record = run(
                pipeline,
                runs_dir=runs_dir,
                layers=Layers(environ={}, assignments=tuple(given)),
                options=RunOptions(only=only, run_id=run_id),
                services=fake_services(runner=runner),
            )
        except MlkitError as error:
            return error.exit_code, {}
        document, told = record.to_json(), dict[str, Any]()
        for key, item in record.stages.items():
            if only in (key, item.stage):
                told[key] = document["stages"][key]
            if only in (key, item.stage) and item.error is not None:
                again = may_retry(item, pipeline.stages[item.stage].retry)
                told[key]["error"]["retryable"] = again
        return exit_code(record, only), {**document, "stages": told}

    def call(container: Container) -> int:
        return _main(Path(container.words[1]), container.words[2:], answer)

    return call


def _main(
    program: Path, words: list[str], answer: Callable[[str, list[str]], tuple[int, dict[str, Any]]]
) -> int:
    """Do what the carried program does, whose calls of mlkit are answered."""
    spec = importlib.util.spec_from_file_location("mlkit_task_of_a_pod", program)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def called(_: Any, verb: str, *rest: str) -> tuple[int, dict[str, Any]]:
        code, document = answer(verb, list(rest))
        return code, json.loads(json.dumps(document))

    module.Task.call = called
    code: int = module.perform(module.Task(module.read(words)))
    return code
