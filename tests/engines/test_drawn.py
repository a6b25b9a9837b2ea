"""Pipelines that nobody has thought of: on an engine they end as here, or are refused.

They are drawn from a seed, the variable `MLKIT_DRAWN_SEED`. `MLKIT_DRAWN` is how many are exported,
`MLKIT_DRAWN_RUNS` how many are run for real on each engine.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export
from mlkit.api.local_run import run
from mlkit.driver.options import RunOptions
from mlkit.engines.environments import engine_python
from mlkit.engines.export import Export
from mlkit.engines.registry import ENGINES
from mlkit.errors import MlkitError, UnsupportedByEngineError
from mlkit.load.parameters import Layers
from mlkit.testing.engines import digests, reasons, statuses
from tests.engines.drawn_pipelines import Drawn, draw

SEED = os.environ.get("MLKIT_DRAWN_SEED", "1")
COUNT = int(os.environ.get("MLKIT_DRAWN", "6"))
RUNS = int(os.environ.get("MLKIT_DRAWN_RUNS", "2"))
_LOAD = """
import json, sys
sys.path.insert(0, sys.argv[1])
answers = {}
for name, text in json.load(sys.stdin).items():
    try:
        exec(compile(text, name, "exec"), {"__name__": "made"})
    except Exception as error:
        answers[name] = f"{type(error).__name__}: {str(error)[:500]}"
print(json.dumps(answers))
"""


def _exported(drawn: Drawn, engine: str) -> Export | None:
    """What an engine is given; None if the pipeline does not load, or is refused with a reason."""
    layers = Layers(environ={}, assignments=drawn.assignments)
    try:
        return export(drawn.file, engine, layers=layers, runs_dir="s3://bucket/runs")
    except UnsupportedByEngineError as error:
        if not error.remedy:
            pytest.fail(f"refused without a remedy: {error}")
    except MlkitError:
        pass  # it does not load, such as behind a value that the list of `-p` lacks
    return None


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_what_is_drawn_is_exported_or_refused(engine: str, tmp_path: Path) -> None:
    """With a sentence, never a traceback; what is Python compiles."""
    for number in range(COUNT):
        made = _exported(draw(f"{SEED}/{number}", tmp_path / str(number)), engine)
        for name, text in ({} if made is None else made.files).items():
            if name.endswith(".py"):
                compile(text, f"{SEED}/{number}/{name}", "exec")


@pytest.mark.engine
@pytest.mark.timeout(600)
class TestDagsterLoads:
    """One process of Dagster for all of them."""

    engine: ClassVar[str] = "dagster"

    def test_dagster_loads_what_is_not_refused(self, tmp_path: Path) -> None:
        """Maps, joins and rules in any combination."""
        drawn = {str(n): draw(f"{SEED}/{n}", tmp_path / str(n)) for n in range(5 * COUNT)}
        made = {name: _exported(item, self.engine) for name, item in drawn.items()}
        texts = {}
        for name, item in made.items():
            if item is not None:
                texts[name] = item.files[item.entry]
                beside = item.files["mlkit_dagster.py"]
                (tmp_path / "mlkit_dagster.py").write_text(beside, encoding="utf-8")
        done = subprocess.run(
            [
                *(engine_python(ENGINES[self.engine], os.environ), "-W", "ignore"),
                *("-c", _LOAD, str(tmp_path)),
            ],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == {}
        assert len(texts) > len(made) / 2


class Drawing:
    """What is drawn ends on an engine as it ends here."""

    engine: ClassVar[str]

    @pytest.mark.parametrize("number", range(RUNS))
    def test_it_ends_as_here(self, number: int, tmp_path: Path) -> None:
        """The run, every stage and why, their attempts, and the bytes of their artifacts."""
        drawn = draw(f"{SEED}/{number}", tmp_path / "pipeline")
        layers = [
            Layers(environ={}, assignments=drawn.given(tmp_path / f"marks-{who}")) for who in "ab"
        ]
        options = RunOptions(workers=2)
        try:
            here = run(drawn.file, layers=layers[0], runs_dir=tmp_path / "here", options=options)
            there = run_on(
                drawn.file,
                self.engine,
                layers=layers[1],
                runs_dir=tmp_path / "there",
                options=options,
            )
        except MlkitError:
            return  # refused, or it does not load
        assert statuses(there) == statuses(here), there.warnings
        assert (there.status, digests(there)) == (here.status, digests(here))
        assert reasons(there) == reasons(here)
        tried = {key: item.attempts for key, item in here.stages.items()}
        assert {key: item.attempts for key, item in there.stages.items()} == tried


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.timeout(3600)
class TestDrawnOnPrefect(Drawing):
    """Prefect."""

    engine = "prefect"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.timeout(3600)
class TestDrawnOnDagster(Drawing):
    """Dagster."""

    engine = "dagster"
