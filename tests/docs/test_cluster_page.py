"""The listings of the page about clusters, tried as far as one machine can."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlkit.api.exports import export
from mlkit.testing import chain
from tests.engines.argo_workflow import objects_of, problems

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(heading: str) -> dict[str, str]:
    """The listings below a heading, by their language."""
    (section,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    return dict(_BLOCK.findall(section))


@pytest.mark.kernel
@pytest.mark.parametrize("place", ["NFS", "S3"])
def test_two_machines(place: str, tmp_path: Path, bucket: str) -> None:
    """The second reuses all that the first has made, and sees both runs."""
    made: list[dict[str, Any]] = []
    data = tmp_path / "data"
    chain(data / "flights")
    for line in _blocks(f"Two machines with {place}")["text"].splitlines():
        machine, _, command = line.partition("#")[0].strip().partition("$ ")
        home = tmp_path / machine
        if place == "S3" and not (home / "flights").exists():
            shutil.copytree(data / "flights", home / "flights")
        home.mkdir(exist_ok=True)
        text = command.replace("s3://team-bucket/flights", "URL").replace("/data/", f"{data}/")
        words = [bucket if word == "URL" else word for word in text.split()]
        assert words[0] == "mlkit"
        done = subprocess.run(
            [Path(sys.executable).with_name("mlkit"), *words[1:], "--json"],
            cwd=home,
            env={**os.environ, "MLKIT_CACHE_DIR": str(home / "cache")},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        made.append(json.loads(done.stdout))
    first, second, runs = made
    assert {item["status"] for item in first["stages"].values()} == {"succeeded"}
    assert {item["status"] for item in second["stages"].values()} == {"cached"}
    assert {item["run_id"] for item in runs["runs"]} == {first["run_id"], second["run_id"]}


def test_the_cluster_on_slurm_is_python() -> None:
    """Its arguments were tried with dask-jobqueue, which is not among what tests install."""
    calls = [n for n in ast.walk(ast.parse(_blocks("SLURM")["python"])) if isinstance(n, ast.Call)]
    (made,) = [call for call in calls if ast.unparse(call.func) == "SLURMCluster"]
    port = {word.arg: ast.literal_eval(word.value) for word in made.keywords}["scheduler_options"]
    assert f":{port['port']} " in _blocks("SLURM")["text"]


def test_the_defaults_for_kubernetes_are_exported(tmp_path: Path) -> None:
    """By what the page says: image, volume, and the runs within it."""
    blocks = _blocks("Kubernetes")
    file = chain(tmp_path)
    file.write_text(blocks["yaml"] + file.read_text("utf-8"), encoding="utf-8")
    words = blocks["console"].splitlines()[0].split()
    made = export(file, words[3], runs_dir=words[words.index("--runs-dir") + 1])
    assert list(problems(made.files[made.entry])) == []
    facts = json.loads(objects_of(made.files[made.entry])["ConfigMap"]["data"]["facts.json"])
    assert facts["runs_dir"] == "file:///data/runs"
