"""How Dagster runs exported definitions: in one process, with a home of the run's own."""

from __future__ import annotations

from pathlib import Path

from mlkit.engines.launching import Launch, Order
from mlkit.errors import EngineError

__all__ = ["dagster_settings", "launch"]

HOME = "dagster-home"


def launch(order: Order) -> Launch:
    """Run the job in a process of Dagster's environment, one op after the other.

    What Dagster keeps of the run, its events and logs, stays in the run's folder.
    """
    if order.host is not None:
        raise EngineError(
            "Dagster runs here: there is no --host for it",
            remedy="Load the files of 'mlkit export dagster' as a code location there",
        )
    entry = str(order.folder / order.entry)
    return Launch(
        command=(str(order.python), entry, "--run-id", order.run_id),
        environment=dagster_settings(order.folder / HOME),
    )


def dagster_settings(home: Path) -> dict[str, str]:
    """Make a home for a Dagster that tells nobody of its use; gives its environment.

    Parameters
    ----------
    home : Path
        Where it keeps its settings and its databases.
    """
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(
            "telemetry: {enabled: false}\nnux: {enabled: false}\n", encoding="utf-8"
        )
    return {"DAGSTER_HOME": str(home), "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
