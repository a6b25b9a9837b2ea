"""How Step Functions runs an exported pipeline: on a server of the run's own, or a given one."""

from __future__ import annotations

import os
import sys

from mlkit.engines.launching import Launch, Order

__all__ = ["launch"]

_SERVERS = ("AWS_ENDPOINT_URL_SFN", "AWS_ENDPOINT_URL")


def launch(order: Order) -> Launch:
    """Run the worker, which makes the state machine, starts it, works for it and takes it away.

    Without a server a LocalStack is started for the run and ended with it. With `--host URL`,
    `AWS_ENDPOINT_URL_SFN` or `AWS_ENDPOINT_URL`, that server is used, and
    `https://states.REGION.amazonaws.com` is AWS itself. Stages keep the environment that they have:
    the store whose address and keys stand there is not the server's.
    """
    file = order.folder / order.entry.replace(".asl.json", "_worker.py")
    words = [str(order.python), str(file), "run", "--run-id", order.run_id]
    if order.host is not None:
        return Launch(command=(*words, "--url", order.host))
    if any(os.environ.get(name) for name in _SERVERS):
        return Launch(command=tuple(words))
    served = (sys.executable, "-P", "-m", "mlkit.engines.stepfunctions.localstack")
    return Launch(command=(*served, str(order.folder / "localstack"), *words))
