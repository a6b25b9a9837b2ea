"""How `mlkit run --on kubeflow` starts kfp: here, or by handing the pipeline to a cluster."""

from __future__ import annotations

from mlkit.engines.launching import Launch, Order

__all__ = ["launch"]

_QUIET = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}


def launch(order: Order) -> Launch:
    """Say what to start in the engine's environment.

    Parameters
    ----------
    order : Order
        The run; with a host, the pipeline is submitted to that address and waited for.
    """
    words = ("run",) if order.host is None else ("submit", order.host)
    entry = str(order.folder / order.entry)
    command = (str(order.python), entry, *words, "--run-id", order.run_id)
    return Launch(command=command, environment=_QUIET)
