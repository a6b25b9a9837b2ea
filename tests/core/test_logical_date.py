"""The parameter `logical_date`, as notebooks declare it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.logical_date import takes_logical_date
from mlkit.errors import ConfigurationError
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import Sketch, chain, write_pipeline

MOMENT = "2013-03-01T02:00:00+01:00"


def _received(folder: Path, declares: str, value: str = MOMENT) -> Any:
    file = write_pipeline(folder, Sketch(name="s", declares=declares))
    layers = Layers(assignments=[f"logical_date={value}"])
    return configure(load_pipeline(file), layers).stages["s"]["logical_date"].value


@pytest.mark.parametrize(
    ("declares", "expected"),
    [
        ("import datetime\nlogical_date: datetime.date | None = None", dt.date(2013, 3, 1)),
        ("import datetime\nlogical_date = datetime.date(2020, 1, 1)", dt.date(2013, 3, 1)),
        (
            "from datetime import datetime\nlogical_date: datetime | None = None",
            dt.datetime.fromisoformat(MOMENT),
        ),
        ('logical_date: str = ""', MOMENT),
        ("logical_date: str | None = None", MOMENT),
        ("logical_date = None", MOMENT),
    ],
)
def test_the_moment_comes_in_the_declared_type(
    tmp_path: Path, declares: str, expected: object
) -> None:
    """A date is that of the schedule's own clock, a text is ISO 8601."""
    assert _received(tmp_path, declares) == expected


def test_a_date_given_by_hand_fits_too(tmp_path: Path) -> None:
    """`-p logical_date=2013-03-01`."""
    declares = "import datetime\nlogical_date: datetime.date | None = None"
    assert _received(tmp_path, declares, "2013-03-01") == dt.date(2013, 3, 1)


def test_what_is_no_date_is_refused(tmp_path: Path) -> None:
    """Naming the type that the notebook declares."""
    declares = "import datetime\nlogical_date: datetime.date | None = None"
    with pytest.raises(ConfigurationError, match=r"'yesterday' is not date \| None"):
        _received(tmp_path, declares, "yesterday")


def test_a_pipeline_takes_it_if_a_notebook_declares_it(tmp_path: Path) -> None:
    """Any stage is enough."""
    assert not takes_logical_date(load_pipeline(chain(tmp_path / "a", 2)))
    sketches = Sketch(name="a"), Sketch(name="b", declares="logical_date = None")
    assert takes_logical_date(load_pipeline(write_pipeline(tmp_path / "b", *sketches)))
