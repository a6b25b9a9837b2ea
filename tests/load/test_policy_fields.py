"""The policies of a stage, and those that it inherits."""

from __future__ import annotations

from mlkit.core.policies import Notify, Resources, Retry
from mlkit.core.triggers import TriggerRule
from tests.load.conftest import Project


def test_a_stage_merges_retry_with_the_defaults_key_by_key(project: Project) -> None:
    """The stage's keys win, the others are inherited; other policies are inherited whole."""
    pipeline = project.load("""
        name: p
        defaults:
          timeout: 10m
          cache: false
          critical: false
          trigger: all_done
          retry: {max_retries: 2, delay: 1s, on: [OSError]}
          notify: {on_failure: ["json://host/a"]}
          resources: {cpu: 2}
          image: img
        stages:
          collect:
            notebook: collect.ipynb
            outputs: {flights: f.parquet}
            retry: {max_retries: 5, jitter: false}
            notify: {on_success: ["json://host/b"]}
            resources: {memory: 1Gi}
          end: {notebook: end.ipynb, timeout: 3, cache: true, critical: true, trigger: always}
    """)
    collect, end = pipeline.stages.values()
    assert collect.retry == Retry(max_retries=5, delay_s=1.0, jitter=False, on=("OSError",))
    assert collect.notify == Notify(on_failure=("json://host/a",), on_success=("json://host/b",))
    assert collect.resources == Resources(cpu="2", memory="1Gi")
    assert (collect.timeout_s, collect.cache, collect.critical, collect.image) == (
        *(600.0, False, False),
        "img",
    )
    assert (end.timeout_s, end.cache, end.critical) == (3.0, True, True)
    assert (collect.trigger, end.trigger) == (TriggerRule.ALL_DONE, TriggerRule.ALWAYS)
    assert end.retry.max_retries == 2
