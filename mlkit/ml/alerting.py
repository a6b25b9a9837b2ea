"""Tell people that a candidate did not pass the gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.frozen import dataclass
from mlkit.ml.stage_errors import AlertError

__all__ = ["Alert", "compose", "send"]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A message to people.

    Parameters
    ----------
    title : str
        One line.
    body : str
        The reasons, one a line.
    """

    title: str
    body: str


def compose(metrics: Mapping[str, Any], decision: Mapping[str, Any]) -> Alert:
    """Put a gate's decision into words.

    Parameters
    ----------
    metrics : mapping
        The candidate's test metrics, with `chosen_model` and `roc_auc`.
    decision : mapping
        What `mlkit.ml.gate.Decision.as_dict` returned.
    """
    failed = [verdict for verdict in decision["verdicts"] if not verdict["passed"]]
    lines = [f"- not met: {verdict['rule']} ({verdict['detail']})" for verdict in failed]
    return Alert(
        title=f"Not registered: {metrics['chosen_model']}, ROC AUC {metrics['roc_auc']:.4f}",
        body="\n".join(lines),
    )


def send(alert: Alert, url: str) -> bool:
    """Send an alert to an Apprise URL.

    Parameters
    ----------
    alert : Alert
        The message.
    url : str
        One or more Apprise URLs, with commas or spaces between them; empty: nobody is configured.

    Returns
    -------
    bool
        Whether it was sent; False if no URL is configured.

    Raises
    ------
    AlertError
        A URL is not understood or the message could not be delivered. The URL itself may hold a
        secret and is not named.
    """
    if not url.strip():
        return False
    import apprise  # 0.1 s, which a pipeline pays that has somebody to tell

    sender = apprise.Apprise()
    if not sender.add(url):
        raise AlertError("alert_url is not an address that Apprise understands")
    if not sender.notify(title=alert.title, body=alert.body):
        raise AlertError("the alert could not be delivered; check alert_url and the network")
    return True
