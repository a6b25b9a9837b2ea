"""Alerts: they name what was not met, and one that cannot be delivered is an error."""

from __future__ import annotations

import json

import pytest

from mlkit.ml.alerting import Alert, compose, send
from mlkit.ml.serving import free_port
from mlkit.ml.stage_errors import AlertError
from tests.ml.conftest import Site

MESSAGE = Alert(title="Not registered", body="- not met: roc_auc")
DECISION = {
    "decision": "alert",
    "verdicts": [
        {"rule": "roc_auc is at least 0.6", "passed": False, "detail": "0.5500"},
        {"rule": "pr_auc is above base_rate", "passed": True, "detail": "0.4 against 0.2"},
    ],
}


def test_an_alert_names_what_was_not_met_and_nothing_else() -> None:
    """With the numbers."""
    alert = compose({"chosen_model": "xgboost", "roc_auc": 0.55}, DECISION)
    assert alert.title == "Not registered: xgboost, ROC AUC 0.5500"
    assert alert.body == "- not met: roc_auc is at least 0.6 (0.5500)"


@pytest.mark.parametrize("url", ["", "  "])
def test_without_an_address_nothing_is_sent(url: str) -> None:
    """And that is no error."""
    assert send(MESSAGE, url) is False


def test_an_alert_arrives(site: Site) -> None:
    """At a real web hook."""
    site.pages["/hook"] = (200, b"")
    assert send(MESSAGE, site.address.replace("http://", "json://") + "/hook") is True
    (received,) = site.received
    assert json.loads(received)["title"] == "Not registered"
    assert json.loads(received)["message"] == "- not met: roc_auc"


def test_an_alert_that_cannot_be_delivered_is_an_error() -> None:
    """And its address, which may hold a secret, is not shown."""
    url = f"json://me:s3cret@127.0.0.1:{free_port()}/hook"
    with pytest.raises(AlertError, match="could not be delivered") as caught:
        send(MESSAGE, url)
    assert "s3cret" not in str(caught.value)


def test_an_address_that_is_none_is_an_error() -> None:
    """It is not shown either."""
    with pytest.raises(AlertError, match="not an address that Apprise understands") as caught:
        send(MESSAGE, "nonsense-s3cret")
    assert "s3cret" not in str(caught.value)
