"""The policies of a stage, and those that it inherits."""

from __future__ import annotations

import pytest

from mlkit.core.policies import Notify, Resources, Retry, Volume
from mlkit.core.triggers import TriggerRule
from mlkit.errors import PipelineError
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


def test_volumes_are_merged_name_by_name(project: Project) -> None:
    """What the stage names wins; the rest is inherited."""
    pipeline = project.load("""
        name: p
        defaults: {volumes: {work: {claim: data, path: /data/}, keys: {secret: k, path: /k}}}
        stages:
          collect:
            notebook: collect.ipynb
            outputs: {flights: f.parquet}
            volumes: {work: {config_map: app, path: /etc/app}}
          end: {notebook: end.ipynb}
    """)
    collect, end = pipeline.stages.values()
    assert end.volumes["work"] == Volume(kind="claim", source="data", path="/data")
    assert collect.volumes["work"] == Volume(kind="config_map", source="app", path="/etc/app")
    assert collect.volumes["keys"] == end.volumes["keys"]


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("{Work: {claim: d, path: /d}}", "'Work' is no name of a volume"),
        ("{work: {path: /d}}", "it names nothing to mount"),
        ("{work: {claim: d, secret: e, path: /d}}", "it names claim and secret"),
        ("{work: {claim: d}}", "'path' is missing"),
        ("{work: {claim: d, path: d}}", "'path' is 'd', no folder in a container"),
        ("{work: {claim: d, path: /}}", "'path' is '/', no folder in a container"),
        ("{work: {clain: d, path: /d}}", "clain"),
        ("{work: }", "the volume 'work' is empty"),
    ],
)
def test_a_wrong_volume_is_refused_with_its_line(project: Project, said: str, fact: str) -> None:
    """And with what to write."""
    with pytest.raises(PipelineError, match=fact) as caught:
        project.load(f"""
            name: p
            stages:
              end:
                notebook: end.ipynb
                volumes: {said}
        """)
    assert caught.value.line
    assert caught.value.remedy
