"""What people are told of a stage's end, and the telling of it after the fact."""

from __future__ import annotations

from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.events import EventKind
from mlkit.core.policies import Notify
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.core.suggesting import did_you_mean
from mlkit.driver.notifying import AppriseNotifier, Notifications, Notifier
from mlkit.errors import UsageError

__all__ = ["message_of", "tell_end"]


def message_of(
    run: RunRecord, stage: StageRecord, urls: Notify
) -> tuple[tuple[str, ...], str, str] | None:
    """Give the addresses, the title and the text; None if nobody is to be told. Pure."""
    name = f"{run.pipeline} {run.run_id}"
    if stage.status is Status.FAILED and urls.on_failure:
        error = stage.error
        body = f"Run {name}: {error.type}: {error.message}" if error else f"Run {name}"
        return urls.on_failure, f"Stage '{stage.id}' failed", body
    if stage.status in SUCCESSFUL and urls.on_success:
        return urls.on_success, f"Stage '{stage.id}' {stage.status.value}", f"Run {name}"
    return None


def tell_end(
    run: RunRecord,
    instance_id: str,
    configuration: Configuration,
    notifier: Notifier | None = None,
) -> list[dict[str, Any]]:
    """Tell people of a stage's end, wait for the messages, and say how each went.

    Parameters
    ----------
    run : RunRecord
        The run.
    instance_id : str
        The stage or instance.
    configuration : Configuration
        Knows the addresses.
    notifier : Notifier, optional
        Sends; by default Apprise.

    Returns
    -------
    list of dict
        For each message its address's `scheme`, `ok` and `message`; addresses may hold secrets.

    Raises
    ------
    UsageError
        If the run has no such stage.
    """
    stage = run.stages.get(instance_id)
    if stage is None:
        raise UsageError(
            f"run {run.run_id} has no stage '{instance_id}'",
            remedy=did_you_mean(instance_id, run.stages),
            code="E101",
        )
    told: list[dict[str, Any]] = []

    def emit(kind: EventKind, stage: str, **data: Any) -> None:
        told.append({"scheme": data["url_scheme"], "ok": data["ok"], "message": data["message"]})

    message = message_of(run, stage, configuration.notify[stage.stage])
    if message is not None:
        notifications = Notifications(notifier or AppriseNotifier(), emit, lambda *_: None)
        notifications.send(instance_id, *message)
        notifications.finish()
    return told
