"""The reader of kfp pipelines says of a file what kfp itself says."""

from __future__ import annotations

import json
import os
import subprocess
from typing import ClassVar

import pytest

from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.grading.listings.kfp_file import KFP_ADVICE, KFP_REFUSED
from mlkit.grading.listings.kfp_names import DSL, METHODS, OLD_METHODS
from mlkit.testing.kfp_listings import GOOD, WRONG

pytestmark = pytest.mark.engine

_COMPILE = """
import json, sys
from kfp import compiler, dsl
files, answers = json.load(sys.stdin), {}
for name, text in files.items():
    path = f"{sys.argv[1]}/{abs(hash(name))}.py"
    open(path, "w").write(text)
    names = {"__name__": "made"}
    try:
        exec(compile(text, path, "exec"), names)
        compiler.Compiler().compile(names["p"], path + ".yaml")
        answers[name] = ""
    except Exception as error:
        answers[name] = f"{type(error).__name__}: {error}"
methods = [name for name in dir(dsl.PipelineTask) if not name.startswith("_")]
print(json.dumps({"answers": answers, "dsl": dir(dsl), "methods": methods}))
"""


class TestReader:
    """One process of kfp for all files."""

    engine: ClassVar[str] = "kubeflow"

    def test_kfp_agrees(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """It compiles the right files and the merely unwise, refuses the others, has the names."""
        python = engine_python(ENGINES["kubeflow"], os.environ)
        files = {**{f"good {name}": text for name, text in GOOD.items()}, **WRONG}
        done = subprocess.run(
            [python, "-W", "ignore", "-c", _COMPILE, str(tmp_path_factory.mktemp("files"))],
            input=json.dumps(files),
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
        refused = {name for name, answer in told["answers"].items() if answer}
        assert refused == set(KFP_REFUSED), told["answers"]
        assert set(KFP_ADVICE) <= told["answers"].keys() - refused
        assert set(told["dsl"]) >= DSL
        assert set(told["methods"]) >= METHODS.keys() | OLD_METHODS.keys()
