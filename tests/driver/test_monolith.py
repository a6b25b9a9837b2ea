"""A data scientist's notebook as four stages: partitions, feature sets, models and seeds."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit import load_pipeline, run
from mlkit.core.states import Status
from mlkit.load.parameters import Layers
from mlkit.testing import run_fake
from mlkit.testing.running import fake_services

PIPELINE = """\
name: monolith
parameters:
  months: [1, 2]
  features: [plain, squared]
  models: [mean, median, last]
  seeds: [1, 2]
stages:
  load:
    notebook: load.py
    outputs:
      parts: parts/
  build:
    notebook: build.py
    foreach: {features: parameters.features}
    inputs: {parts: load.parts}
    outputs: {table: table.json}
  train:
    notebook: train.py
    foreach: {features: parameters.features, model: parameters.models, seed: parameters.seeds}
    inputs:
      table: build[features].table
    outputs: {metrics: metrics.json}
  choose:
    notebook: choose.py
    inputs: {tried: train.metrics}
    outputs: {best: best.json}
"""
NOTEBOOKS = {
    "load": (
        "months: list = [1]\nparts: str = 'scratch/parts'",
        "from pathlib import Path\n"
        "for month in months:\n    Path(parts, f'{month}.txt').write_text('1 2 3 10 ' * month)",
    ),
    "build": (
        "features: str = 'plain'\nparts: str = ''\ntable: str = 'scratch/table.json'",
        "import json\nfrom pathlib import Path\n"
        "read = [int(n) for p in sorted(Path(parts).iterdir()) for n in p.read_text().split()]\n"
        "power = {'plain': 1, 'squared': 2}[features]\n"
        "Path(table).write_text(json.dumps([n**power for n in read]))",
    ),
    "train": (
        "features: str = 'plain'\nmodel: str = 'mean'\nseed: int = 1\ntable: str = ''\n"
        "metrics: str = 'scratch/metrics.json'",
        "import json, random, statistics\nfrom pathlib import Path\n"
        "values = json.loads(Path(table).read_text())\n"
        "random.Random(seed).shuffle(values)\n"
        "guess = values[-1] if model == 'last' else getattr(statistics, model)(values)\n"
        "error = statistics.mean(abs(v - guess) for v in values) / max(values)\n"
        "told = {'of': [features, model, seed], 'error': error}\n"
        "Path(metrics).write_text(json.dumps(told))",
    ),
    "choose": (
        "tried: list[str] = []\nbest: str = 'scratch/best.json'",
        "import json\nfrom pathlib import Path\n"
        "found = [json.loads(Path(p).read_text()) for p in tried]\n"
        "chosen = min(found, key=lambda told: told['error'])\n"
        "Path(best).write_text(json.dumps({'among': len(found), **chosen}))",
    ),
}


def test_partitions_feature_sets_models_and_seeds_are_four_stages(tmp_path: Path) -> None:
    """Twelve models without a text that encodes them; one seed more trains six, and chooses."""
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    for name, (parameters, body) in NOTEBOOKS.items():
        tagged = '# %% tags=["parameters"]\n'
        (tmp_path / f"{name}.py").write_text(f"{tagged}{parameters}\n\n# %%\n{body}\n")
    record = run_fake(tmp_path)
    assert record.ok
    names = [name.partition("[")[0] for name in record.stages]
    assert [names.count(n) for n in ("load", "build", "train", "choose")] == [1, 2, 12, 1]
    best = json.loads(Path(record.stages["choose"].outputs["best"]).read_text())
    assert (best["among"], best["of"][1]) == (12, "median")
    more = run_fake(tmp_path, parameters={"seeds": [1, 2, 3]})
    ran = {name for name, stage in more.stages.items() if stage.status is Status.SUCCEEDED}
    assert len(ran) == 6 + 1
    assert all(name == "choose" or name.endswith(",3]") for name in ran)


def test_a_list_has_the_name_of_what_is_mapped_over_it(tmp_path: Path) -> None:
    """On a command line it is read as a list, though each instance takes a text."""
    (tmp_path / "pipeline.yaml").write_text(
        "name: named\nparameters: {word: [a, b]}\nstages:\n"
        "  say: {notebook: say.py, foreach: {word: parameters.word}}\n"
    )
    (tmp_path / "say.py").write_text('# %% tags=["parameters"]\nword: str = "x"\n\n# %%\nword\n')
    layers = Layers(assignments=["word=[b, c, d]"])
    record = run(load_pipeline(tmp_path), layers=layers, services=fake_services())
    assert list(record.stages) == ["say[b]", "say[c]", "say[d]"]
    assert [stage.parameters["word"] for stage in record.stages.values()] == ["b", "c", "d"]
