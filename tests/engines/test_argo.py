"""What is exported for Argo, read by hera and by Kubernetes' schema, and run as Argo would run it.

No cluster is at hand: `argo_workflow.Controller` stands for Argo's controller, and processes of
this machine for its pods; what they call, and what comes of it, is real.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest

from mlkit.api.exports import export
from mlkit.api.local_run import run
from mlkit.api.records import find_run
from mlkit.core.pipeline import Pipeline
from mlkit.engines.argo.compiler import compile_pipeline
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing.engine_pipelines import everything
from mlkit.testing.engines import digests, statuses
from tests.engines.argo_calls import in_a_process
from tests.engines.argo_workflow import Controller, problems
from tests.engines.constructs import SETTINGS, constructs, in_image

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def _of_constructs(folder: Path) -> Pipeline:
    file = constructs(folder)
    text = file.read_text("utf-8")
    file.write_text(text.replace("defaults:", 'defaults:\n  image: "registry.example/mlkit:1"'))
    return load_pipeline(file)


class TestArgo:
    """Needs the environment of hera."""

    engine: ClassVar[str] = "argo"

    def test_no_key_is_lost_or_unknown(self, tmp_path: Path) -> None:
        """Hera's models, made from Argo's schema, give back what they read; pods are valid."""
        made = compile_pipeline(_of_constructs(tmp_path), SETTINGS)
        text = made.files[made.entry]
        for name, broken in (("right", False), ("wrong", True)):
            odd = text.replace("failFast", "failfast").replace("readOnly", "readonly")
            (tmp_path / name).write_text(odd if broken else text, encoding="utf-8")
            words = [Path(__file__).with_name("hera_reads.py"), tmp_path / name]
            done = subprocess.run(
                [engine_python(ENGINES["argo"], os.environ), *words],
                capture_output=True,
                encoding="utf-8",
                check=True,
            )
            facts = json.loads(done.stdout)
            assert bool(facts) is broken, facts
        assert "WorkflowTemplate.spec.templates[0].dag.failfast is unknown" in facts
        assert any("readonly" in fact and fact.startswith("Pod") for fact in facts)

    @pytest.mark.kernel
    def test_everything_at_once(self, tmp_path: Path) -> None:
        """The calls of the containers give the states and the artifacts of a run of mlkit's own."""
        file = in_image(everything(tmp_path / "pipeline"))
        (tmp_path / "ready.txt").touch()
        runs = tmp_path / "there"
        layers = Layers(environ={}, values={"marker": str(tmp_path / "marker")})
        made = export(file, "argo", layers=layers, runs_dir=f"file://{runs}")
        text = made.files[made.entry]
        assert list(problems(text)) == []
        controller = Controller(text, tmp_path / "pods", in_a_process)
        assert controller.run() == "Succeeded"
        there = find_run("20130201-020000-sketched-x7k2p", runs)
        (tmp_path / "marker").unlink()
        local = run(file, layers=layers, runs_dir=tmp_path / "here")
        assert (there.status, statuses(there)) == (local.status, statuses(local))
        assert digests(there) == digests(local)
        assert there.stages["flaky"].attempts == 2
        assert there.engine == {"name": "argo", "run_id": "sketched-x7k2p"}
