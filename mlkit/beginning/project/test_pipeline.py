"""The pipeline's logic, tested in a second: cells run in this process, without kernels."""

import json
from pathlib import Path

from mlkit.testing import FakeRunner, Raises, run_fake

PIPELINE = Path(__file__).parents[1]


def test_the_line_is_found_again(tmp_path: Path) -> None:
    """The measurements are drawn around a line of 1.5 cm per kg."""
    record = run_fake(PIPELINE, parameters={"rows": 500}, runs_dir=tmp_path)
    assert record.status == "succeeded"
    metrics = json.loads(Path(record.stages["fit"].outputs["metrics"]).read_text("utf-8"))
    assert 1.4 < metrics["slope_cm_per_kg"] < 1.6


def test_no_line_is_fitted_without_measurements(tmp_path: Path) -> None:
    """A stage that fails keeps those behind it from running."""
    runner = FakeRunner({"measure": [Raises(type="ConnectionError")]})
    record = run_fake(PIPELINE, runner=runner, runs_dir=tmp_path)
    assert record.stages["fit"].status == "upstream_failed"
