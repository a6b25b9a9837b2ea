"""Asking a scoring server: what is sent, what is refused, and that it always ends."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlkit.ml.serving import ask, check_served, free_port, serving_rows
from mlkit.ml.stage_errors import ServingError
from tests.ml.conftest import Site

ROWS = pd.DataFrame({"wind": [1.5, np.nan], "carrier": ["UA", "AA"], "late": [0, 1]})


class Half:
    """A model that says 0.5 to everything."""

    feature_names_in_ = np.array(["wind", "carrier"])

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        """One row of two halves for each row."""
        return np.full((len(rows), 2), 0.5)


def test_missing_values_are_sent_as_null() -> None:
    """And only the model's columns are sent."""
    assert serving_rows(ROWS, ["wind", "carrier"]) == {
        "dataframe_split": {"columns": ["wind", "carrier"], "data": [[1.5, "UA"], [None, "AA"]]}
    }


def _answers(site: Site, predictions: list[list[float]]) -> dict[str, Any]:
    site.pages["/invocations"] = (200, json.dumps({"predictions": predictions}).encode())
    return check_served(site.address, Half(), ROWS)


def test_another_answer_than_the_models_is_found(site: Site) -> None:
    """By how much it differs."""
    check = _answers(site, [[0.5, 0.5], [0.4, 0.6]])
    assert (check["equal"], check["passed"]) == (False, False)
    assert check["max_difference"] == pytest.approx(0.1)


def test_a_server_that_accepts_anything_does_not_pass(site: Site) -> None:
    """Its answers are right, but a bad request was answered with 200."""
    check = _answers(site, [[0.5, 0.5], [0.5, 0.5]])
    assert check["equal"] is True
    assert check["status_of_bad_request"] == 200
    assert check["passed"] is False


def test_a_server_that_refuses_good_rows_is_an_error(site: Site) -> None:
    """With what it answered."""
    site.pages["/invocations"] = (500, b'{"message": "no model"}')
    with pytest.raises(ServingError, match=r"answered 500 to good rows: .*no model"):
        check_served(site.address, Half(), ROWS)


def test_a_status_comes_with_its_answer(site: Site) -> None:
    """Also a bad one."""
    site.pages["/invocations"] = (400, b'{"message": "bad"}')
    assert ask(site.address, {"inputs": []}) == (400, {"message": "bad"})
    assert json.loads(site.received[0]) == {"inputs": []}


def test_a_free_port_is_a_port() -> None:
    """Above the privileged ones."""
    assert 1024 < free_port() < 65536
