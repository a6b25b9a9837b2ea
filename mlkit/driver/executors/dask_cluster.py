"""Connect to a Dask cluster, and see before anything runs that its workers can do the work."""

from __future__ import annotations

import logging
import platform
import secrets
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from mlkit.driver.executors import Site
from mlkit.driver.executors.dask_task import Sight, look_around
from mlkit.errors import DISTRIBUTION, MissingExtraError, UsageError, install_extra
from mlkit.store.folder import readable_os_errors

__all__ = ["connected", "inspected", "verdict"]

ANSWER_WITHIN_S = 10


def connected(address: str) -> Any:
    """Connect to a scheduler.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    UsageError
        If no scheduler answers there.
    """
    try:
        from distributed import Client  # optional: the extra `dask` has it
    except ImportError as error:
        raise MissingExtraError(
            f"--executor dask:// needs Dask ({error})", remedy=install_extra("dask")
        ) from error
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said once, below
    try:
        return Client(  # type: ignore[no-untyped-call] # Dask is partly untyped
            f"tcp://{address}", timeout=ANSWER_WITHIN_S, name="mlkit", set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at '{address}'",
            remedy="Start one with 'dask scheduler', workers with 'dask worker HOST:PORT', and "
            "write --executor dask://HOST:PORT",
            code="E107",
        ) from error


def inspected(client: Any, site: Site) -> bool:
    """Ask all workers what they see; whether they share the runs folder.

    Raises
    ------
    UsageError
        If the cluster has no workers, or not all of them can do the work.
    """
    token = secrets.token_hex(16)
    probe = site.runs_dir / f".probe-{token}"
    with readable_os_errors(site.runs_dir):
        probe.write_text(token, encoding="utf-8")
    try:
        arguments = (str(probe), token, str(site.pipeline_folder))
        sights: Mapping[str, Any] = client.run(look_around, *arguments, on_error="return")
    finally:
        probe.unlink(missing_ok=True)
    return verdict(sights, site)


def verdict(sights: Mapping[str, Any], site: Site) -> bool:
    """Say whether the workers share the runs folder, from what each of them sees. Pure.

    Parameters
    ----------
    sights : mapping of str to Sight or Exception
        By the worker's address.
    site : Site
        Where the run works.

    Raises
    ------
    UsageError
        If one of them cannot do the work.
    """
    if not sights:
        raise UsageError(
            "the Dask cluster has no worker",
            remedy="Start some: dask worker HOST:PORT",
            code="E107",
        )
    for worker, sight in sights.items():
        if not isinstance(sight, Sight):
            raise UsageError(
                f"worker {worker} cannot work for mlkit: {type(sight).__name__}: {sight}",
                remedy="Install the same mlkit in the workers' environment",
                code="E107",
            )
        here = f"mlkit {metadata.version(DISTRIBUTION)} on Python {platform.python_version()}"
        there = f"mlkit {sight.mlkit} on Python {sight.python}"
        if here != there:
            raise UsageError(
                f"worker {worker} has {there}, here is {here}: results would not be the same",
                remedy="Give the workers the same environment",
                code="E107",
            )
        if not sight.sees_pipeline:
            raise UsageError(
                f"worker {worker} does not see the pipeline's folder {site.pipeline_folder}",
                remedy="Have it on the workers under the same path",
                code="E107",
            )
        if not sight.sees_runs and site.store_url is None:
            raise UsageError(
                f"worker {worker} does not see the runs folder {site.runs_dir}",
                remedy="Put it on a disk that the workers share (--runs-dir), or give a store "
                "that they can reach (--store s3://BUCKET/STORE)",
                code="E107",
            )
    return all(sight.sees_runs for sight in sights.values())
