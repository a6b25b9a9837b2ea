"""Whatever graph is compiled, kfp accepts it, or mlkit refuses it with a sentence."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlkit.api.exports import export
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

TRIGGERS = ("all_done", "none_failed", "none_failed_min_one_success", "one_success", "always")
_COMPILE = """
import json, sys
answers = {}
for name, text in json.load(sys.stdin).items():
    path = f"{sys.argv[1]}/{name}.py"
    open(path, "w").write(text)
    try:
        exec(compile(text, path, "exec"), {"__name__": "made"})
    except Exception as error:
        answers[name] = f"{type(error).__name__}: {str(error)[:500]}"
print(json.dumps(answers))
"""


def random_sketch(chance: random.Random, name: str, before: list[Sketch]) -> Sketch:
    """A stage that depends on some earlier ones in some way."""
    mapped = {sketch.name for sketch in before if "foreach" in sketch.keys}
    plain = [sketch.name for sketch in before if sketch.name not in mapped]
    upstream = chance.sample([s.name for s in before], min(len(before), chance.choice([0, 1, 2])))
    read = [other for other in upstream if chance.random() < 0.7]
    keys: dict[str, Any] = {"inputs": {other: f"{other}.out" for other in read}}
    keys["after"] = [other for other in upstream if other not in read]
    declares = [
        f"{other}: {'list[str] | None' if other in mapped else 'str | None'} = None"
        for other in read
    ]
    if plain and chance.random() < 0.5:
        answers = chance.choice(["yes", "no", ["yes", "no"], "it's"])
        keys["when"] = {f"{chance.choice(plain)}.out": answers}
    if chance.random() < 0.3:
        keys["trigger"] = chance.choice(TRIGGERS)
    if chance.random() < 0.3:
        listed = bool(plain) and chance.random() < 0.5
        keys["foreach"] = {"value": f"{chance.choice(plain)}.out" if listed else ["a", "b"]}
        declares.append('value: str = "a"')
    return Sketch(name=name, declares="\n".join(declares), keys=keys, file=f"{name}.json")


class TestRandomPipelines:
    """One process of kfp for all of them."""

    engine: ClassVar[str] = "kubeflow"

    def test_kfp_accepts_what_is_not_refused(self, tmp_path: Path) -> None:
        """Branches, loops, triggers and joins in any combination."""
        texts, refused = {}, 0
        for seed in range(60):
            chance, sketches = random.Random(seed), list[Sketch]()
            for number in range(chance.randint(4, 9)):
                sketches.append(random_sketch(chance, f"s{number}", sketches))
            try:
                file = write_pipeline(tmp_path / str(seed), *sketches)
                made = export(file, "kubeflow", layers=Layers(environ={}))
                texts[str(seed)] = made.files[made.entry]
            except UnsupportedByEngineError:
                refused += 1
        done = subprocess.run(
            [
                *(engine_python(ENGINES["kubeflow"], os.environ), "-W", "ignore"),
                *("-c", _COMPILE, str(tmp_path)),
            ],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == {}
        assert len(texts) > refused
