"""Pictures: equal data give equal files, and the finding stands in the title."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mlkit.ml import plots
from mlkit.ml.evaluation import calibration, threshold_scores
from mlkit.ml.features import DAY, TARGET
from mlkit.ml.splitting import Parts

LATE = [0, 0, 1, 0, 1, 0]
PROBABILITY = [0.1, 0.4, 0.35, 0.2, 0.8, 0.3]
TRIALS = pd.DataFrame({"round": [0, 0, 1], "rows": [10, 10, 30], "roc_auc": [0.5, 0.6, 0.7]})


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def _axes() -> Axes:
    return plots.new_axes("late flights are found, 6 flights", "false alarms, share", "found")


DRAWINGS: dict[str, Callable[[], Figure]] = {
    "bars": lambda: plots.bars(_axes(), pd.Series([1, 2], index=["a", "b"])),
    "dots": lambda: plots.dots(_axes(), pd.Series({"a": 0.6, "b": 0.7}), "b"),
    "roc": lambda: plots.roc_curves(_axes(), {"a": (LATE, PROBABILITY)}),
    "calibration": lambda: plots.calibration_curve(_axes(), calibration(LATE, PROBABILITY, 3)),
    "confusion": lambda: plots.confusion(
        _axes(), threshold_scores(LATE, PROBABILITY, 0.3)["confusion"]
    ),
    "trials": lambda: plots.trials(_axes(), TRIALS),
}


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_equal_data_give_equal_files(name: str, tmp_path: Path) -> None:
    """No date and no version in the picture."""
    for run in ("one", "two"):
        plots.save(DRAWINGS[name](), tmp_path / run / "plot.png")
    one = (tmp_path / "one" / "plot.png").read_bytes()
    assert one == (tmp_path / "two" / "plot.png").read_bytes()
    assert one.startswith(b"\x89PNG")
    assert b"Software" not in one


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_every_picture_has_title_and_labels(name: str) -> None:
    """The finding, and what the axes show."""
    (axes,) = DRAWINGS[name]().axes[:1]
    assert axes.get_title(loc="left") == "late flights are found, 6 flights"
    assert axes.get_xlabel() == "false alarms, share"
    assert axes.get_ylabel() == "found"


def test_intervals_are_drawn_behind_what_they_belong_to() -> None:
    """From the low end to the high one."""
    values = pd.Series({"a": 0.6, "b": 0.7})
    ends = pd.DataFrame({"low": [0.5, 0.65], "high": [0.66, 0.8]}, index=["a", "b"])
    (axes,) = plots.dots(_axes(), values, "b", ends).axes
    drawn = [line for line in axes.collections if isinstance(line, LineCollection)]
    lines = [[float(point[0]) for point in line.get_segments()[0]] for line in drawn]
    assert lines == [[0.65, 0.8], [0.5, 0.66]]
    bins = calibration(LATE, PROBABILITY, 3, day=[1, 1, 2, 2, 3, 3])
    (axes,) = plots.calibration_curve(_axes(), bins).axes
    assert len(axes.collections) == sum(entry["observed_low"] is not None for entry in bins) > 0


def test_parts_are_told_apart_by_mark_and_label(parts: Parts) -> None:
    """Not by colour alone."""
    (axes,) = plots.split_days(_axes(), parts.named(), DAY, TARGET).axes
    assert len({line.get_marker() for line in axes.lines}) == 3
    assert [text.get_text().split("\n")[0] for text in axes.texts] == [
        "train",
        "validation",
        "test",
    ]


def test_the_chosen_one_is_told_apart_by_its_mark() -> None:
    """Not by colour alone."""
    (axes,) = DRAWINGS["dots"]().axes
    assert [line.get_marker() for line in axes.lines] == ["D", "o"]
