"""What tests, lessons and exercises call: fakes, shapes of pipelines, and mlkit's own decisions.

Nothing here starts a kernel or waits: `run_fake` runs a pipeline in this process, on a clock that
jumps. `flaky_server` is the one real thing: an HTTP server on loopback that misbehaves as told.
`edges`, `levels`, `judge`, `delay_before` and their like are what a run asks, to be asked without
one; `dag_problems` and `pipeline_problems` read the files of engines, and `ENGINES` tells which
there are. `as_facts` prints what an exercise's check has seen. See docs/testing.md.
"""

from __future__ import annotations

from mlkit.lazily import exports

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from mlkit.core.graph import edges as edges
    from mlkit.core.graph import levels as levels
    from mlkit.core.graph import topological_order as topological_order
    from mlkit.core.triggers import judge as judge
    from mlkit.driver.backoff import delay_before as delay_before
    from mlkit.engines.environments import core_executable as core_executable
    from mlkit.engines.environments import engine_python as engine_python
    from mlkit.engines.environments import engine_version as engine_version
    from mlkit.engines.environments import find_python as find_python
    from mlkit.engines.prefect.launch import prefect_settings as prefect_settings
    from mlkit.engines.prefect.server import server as server
    from mlkit.engines.registry import ENGINES as ENGINES
    from mlkit.engines.registry import engine_named as engine_named
    from mlkit.grading.listings.dag_file import read_dag as read_dag
    from mlkit.grading.listings.dag_rules import dag_problems as dag_problems
    from mlkit.grading.listings.kfp_file import pipeline_problems as pipeline_problems
    from mlkit.grading.listings.kfp_file import read_pipeline as read_pipeline
    from mlkit.grading.quiz.bank import question as question
    from mlkit.inside.facts import as_facts as as_facts
    from mlkit.inside.facts import error_name as error_name
    from mlkit.inside.facts import plain as plain
    from mlkit.testing.fake_clock import FakeClock as FakeClock
    from mlkit.testing.fake_clock import InlineExecutor as InlineExecutor
    from mlkit.testing.flakiness import Flakiness as Flakiness
    from mlkit.testing.flakiness import RateLimit as RateLimit
    from mlkit.testing.flaky import flaky_server as flaky_server
    from mlkit.testing.recording import RecordingNotifier as RecordingNotifier
    from mlkit.testing.recording import RecordingObserver as RecordingObserver
    from mlkit.testing.runner import FakeRunner as FakeRunner
    from mlkit.testing.runner import Raises as Raises
    from mlkit.testing.runner import Returns as Returns
    from mlkit.testing.runner import Skips as Skips
    from mlkit.testing.running import run_fake as run_fake
    from mlkit.testing.self_check import Reply as Reply
    from mlkit.testing.self_check import check_yourself as check_yourself
    from mlkit.testing.shapes import branching as branching
    from mlkit.testing.shapes import chain as chain
    from mlkit.testing.shapes import chained_map as chained_map
    from mlkit.testing.shapes import diamond as diamond
    from mlkit.testing.shapes import dynamic_map as dynamic_map
    from mlkit.testing.shapes import fan_out as fan_out
    from mlkit.testing.shapes import fan_out_fan_in as fan_out_fan_in
    from mlkit.testing.shapes import mapped as mapped
    from mlkit.testing.shapes import product as product
    from mlkit.testing.sketches import Sketch as Sketch
    from mlkit.testing.sketches import show_notebook as show_notebook
    from mlkit.testing.sketches import write_notebook as write_notebook
    from mlkit.testing.sketches import write_pipeline as write_pipeline

_HOMES = {
    "ENGINES": "mlkit.engines.registry",
    "FakeClock": "mlkit.testing.fake_clock",
    "FakeRunner": "mlkit.testing.runner",
    "Flakiness": "mlkit.testing.flakiness",
    "InlineExecutor": "mlkit.testing.fake_clock",
    "Raises": "mlkit.testing.runner",
    "RateLimit": "mlkit.testing.flakiness",
    "RecordingNotifier": "mlkit.testing.recording",
    "RecordingObserver": "mlkit.testing.recording",
    "Reply": "mlkit.testing.self_check",
    "Returns": "mlkit.testing.runner",
    "Sketch": "mlkit.testing.sketches",
    "Skips": "mlkit.testing.runner",
    "as_facts": "mlkit.inside.facts",
    "branching": "mlkit.testing.shapes",
    "chain": "mlkit.testing.shapes",
    "chained_map": "mlkit.testing.shapes",
    "check_yourself": "mlkit.testing.self_check",
    "core_executable": "mlkit.engines.environments",
    "dag_problems": "mlkit.grading.listings.dag_rules",
    "delay_before": "mlkit.driver.backoff",
    "diamond": "mlkit.testing.shapes",
    "dynamic_map": "mlkit.testing.shapes",
    "edges": "mlkit.core.graph",
    "engine_named": "mlkit.engines.registry",
    "engine_python": "mlkit.engines.environments",
    "engine_version": "mlkit.engines.environments",
    "error_name": "mlkit.inside.facts",
    "fan_out": "mlkit.testing.shapes",
    "fan_out_fan_in": "mlkit.testing.shapes",
    "find_python": "mlkit.engines.environments",
    "flaky_server": "mlkit.testing.flaky",
    "judge": "mlkit.core.triggers",
    "levels": "mlkit.core.graph",
    "mapped": "mlkit.testing.shapes",
    "pipeline_problems": "mlkit.grading.listings.kfp_file",
    "plain": "mlkit.inside.facts",
    "prefect_settings": "mlkit.engines.prefect.launch",
    "product": "mlkit.testing.shapes",
    "question": "mlkit.grading.quiz.bank",
    "read_dag": "mlkit.grading.listings.dag_file",
    "read_pipeline": "mlkit.grading.listings.kfp_file",
    "run_fake": "mlkit.testing.running",
    "server": "mlkit.engines.prefect.server",
    "show_notebook": "mlkit.testing.sketches",
    "topological_order": "mlkit.core.graph",
    "write_notebook": "mlkit.testing.sketches",
    "write_pipeline": "mlkit.testing.sketches",
}
"""Where each name stands; who wants the server need not load the driver."""

__all__ = [*sorted(_HOMES)]
__getattr__, __dir__ = exports(__name__, _HOMES)
