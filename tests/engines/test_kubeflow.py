"""Kubeflow Pipelines: the contract of engines, run for real by kfp's local runner."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlkit.core.record import RunRecord
from mlkit.testing.engines import EngineContract

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]

_ENDED = re.compile(r"Task '([^']+)' finished with status (SUCCESS|FAILURE)")
_COLOUR = re.compile(r"\x1b\[\d+m")
_WORDS = {"SUCCESS": "success", "FAILURE": "failed"}


class TestKubeflow(EngineContract):
    """Every construct, on kfp."""

    engine = "kubeflow"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """What kfp's runner says of each task; of a retried one, the last."""
        log = Path(record.runs_dir, record.run_id, "engine", "kubeflow.log").read_text()
        ended = dict(_ENDED.findall(_COLOUR.sub("", log)))
        return {
            name: _WORDS[ended[name.replace("_", "-")]]
            for name in {item.stage for item in record.stages.values()}
            if name.replace("_", "-") in ended
        }
