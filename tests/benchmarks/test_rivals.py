"""The peers are given the same work: every step, after all that it reads from."""

from __future__ import annotations

import json
import re
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import rivals
from benchmarks.stages import Stage, plan, write_pipeline

Edges = dict[str, set[str]]


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[Stage, ...]:
    """Stages in an order that works, each reading from some of those before it."""
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 6))):
        upstream = draw(st.sets(st.sampled_from([each.name for each in stages]))) if stages else ()
        stages.append(
            Stage(
                name=f"step{number}",
                cells=("print(1)",),
                inputs={f"from_{name}": f"{name}.out" for name in sorted(upstream)},
                outputs={"out": "out.txt"},
            )
        )
    return tuple(stages)


def _in_order(names: list[str], edges: Edges) -> bool:
    return all(names.index(each) < names.index(name) for name in edges for each in edges[name])


def _of_ploomber(place: Path) -> Edges:
    tasks = json.loads((place / "pipeline.yaml").read_text())["tasks"]
    return {task["name"]: set(task.get("upstream", ())) for task in tasks}


def _of_dvc(place: Path) -> Edges:
    stages = json.loads((place / "dvc.yaml").read_text())["stages"]
    made = {path: name for name, stage in stages.items() for out in stage["outs"] for path in out}
    return {
        n: {made[path] for path in stage["deps"] if path in made} for n, stage in stages.items()
    }


def _of_snakemake(place: Path) -> Edges:
    rules = re.findall(
        r"^rule (step\d+):\n +input: (.*)\n +output: (.*)\n",
        (place / "Snakefile").read_text(),
        re.MULTILINE,
    )
    made = {path: name for name, _, outs in rules for path in json.loads(outs.replace("'", '"'))}
    return {
        name: {made[path] for path in json.loads(ins.replace("'", '"')) if path in made}
        for name, ins, _ in rules
    }


def _of_elyra(place: Path) -> Edges:
    nodes = json.loads((place / "steps.pipeline").read_text())["pipelines"][0]["nodes"]
    return {
        node["id"]: {link["node_id_ref"] for link in node["inputs"][0]["links"]} for node in nodes
    }


READERS = {
    "ploomber": _of_ploomber,
    "dvc": _of_dvc,
    "snakemake": _of_snakemake,
    "elyra": _of_elyra,
}


@pytest.fixture(autouse=True)
def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their programs need not be installed for their pipelines to be written."""
    monkeypatch.setattr(rivals, "executable", lambda _, name: Path(name))
    monkeypatch.setattr(rivals, "subprocess", types.SimpleNamespace(run=_nothing))


def _nothing(*_: Any, **__: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.CompletedProcess((), 0)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pipelines())
def test_each_peer_has_every_step_after_what_it_reads(
    tmp_path_factory: pytest.TempPathFactory, stages: tuple[Stage, ...]
) -> None:
    """As edges where it is told of them, and otherwise by the order of its steps."""
    folder = tmp_path_factory.mktemp("plan")
    write_pipeline(folder, "plan", stages)
    steps = plan(folder, stages)
    edges = {
        each.name: {source.partition(".")[0] for source in each.inputs.values()} for each in stages
    }
    for peer, writers in rivals.WRITERS.items():
        for name, writer in writers.items():
            place = folder / name.replace(", ", "-")
            place.mkdir()
            assert writer(place, steps)
            if peer in READERS:
                assert READERS[peer](place) == edges
                continue
            program = (place / "pipeline.py").read_text()
            compile(program, name, "exec")
            told = [re.search(rf"\b{step['name']}\b", program) for step in steps]
            assert all(told)
            order = sorted(edges, key=lambda each: program.index(f"/{each}.ipynb"))
            assert _in_order(order, edges)
