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
    if order.host is None:
        words: tuple[str, ...] = (str(order.folder / "run_locally.py"), order.run_id)
    else:
        words = (str(order.folder / "submit.py"), order.host, "--run-id", order.run_id)
    return Launch(command=(str(order.python), *words), environment=_QUIET)
