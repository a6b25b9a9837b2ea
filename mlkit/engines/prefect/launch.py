"""How Prefect runs an exported flow: by itself, or against a server."""

from __future__ import annotations

from pathlib import Path

from mlkit.engines.launching import Launch, Order

__all__ = ["launch", "prefect_settings"]

_PATIENCE_S = 120
"""Prefect's own 20 seconds are short for a busy machine, on which its server starts."""


def launch(order: Order) -> Launch:
    """Run the flow in a process of Prefect's environment.

    Without a server Prefect starts one for itself and ends it with the run; what that one kept
    stays in the run's folder. With `PREFECT_API_URL`, or a host, the flow is reported there.
    """
    settings = prefect_settings(order.folder / "prefect-home")
    if order.host is not None:
        settings["PREFECT_API_URL"] = order.host
    entry = str(order.folder / order.entry)
    return Launch(
        command=(str(order.python), entry, "--run-id", order.run_id), environment=settings
    )


def prefect_settings(home: Path) -> dict[str, str]:
    """The environment of a Prefect that is on its own and tells nobody of its use.

    Parameters
    ----------
    home : Path
        Where it keeps its settings and its database.
    """
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(_PATIENCE_S),
        "PREFECT_LOGGING_COLORS": "false",
    }
