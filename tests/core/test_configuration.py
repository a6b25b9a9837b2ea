"""The values of a run, and what of them may be seen."""

from __future__ import annotations

import datetime as dt
from pathlib import PurePath

from mlkit.core.configuration import Bound, Configuration
from mlkit.core.policies import Notify

HIDDEN_VALUE = "hunter22"


def test_a_secret_is_shown_by_asterisks() -> None:
    """Anything else by its value."""
    assert Bound(value=1, origin="x").public == 1
    assert Bound(value=HIDDEN_VALUE, origin="x", secret=True).public == "***"


def test_no_secret_stands_in_repr_or_shown() -> None:
    """A configuration may be printed."""
    configuration = Configuration(
        pipeline={
            "token": Bound(value=HIDDEN_VALUE, origin="x", secret=True),
            "day": Bound(value=dt.date(2013, 1, 1), origin="pipeline.yaml"),
        },
        stages={"s": {"token": Bound(value=HIDDEN_VALUE, origin="x", secret=True)}},
        files={"s.a": PurePath(f"/{HIDDEN_VALUE}")},
        notify={"s": Notify(on_failure=(f"json://{HIDDEN_VALUE}@h",))},
        secrets=(HIDDEN_VALUE,),
    )
    assert configuration.shown() == {"token": "***", "day": dt.date(2013, 1, 1)}
    assert HIDDEN_VALUE not in repr(configuration)
    assert "origin='pipeline.yaml'" in repr(configuration)
