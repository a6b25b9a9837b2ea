"""Connect to a Dask cluster, and see before anything runs that its workers can do the work."""

from __future__ import annotations

import logging
import platform
import secrets
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from importlib import metadata
from typing import Any

from mlkit.driver.executors import Site
from mlkit.driver.executors.dask_task import Sight, look_around
from mlkit.errors import DISTRIBUTION, MissingExtraError, MlkitError, UsageError, install_extra
from mlkit.store.folder import readable_os_errors

__all__ = ["TCP", "TLS", "Crew", "connected", "silent", "threads_of_workers", "verdict"]

ANSWER_WITHIN_S = 10
LOOK_WITHIN_S = 60
"""How long the workers that are there may take to say what they see: they import mlkit for it."""
TCP = "tcp"
TLS = "tls"
"""How messages travel. Certificates are Dask's own settings: `DASK_DISTRIBUTED__COMM__TLS__…` in
the environment, or `distributed.comm.tls` in its configuration."""


def connected(address: str, link: str = TCP) -> Any:
    """Connect to a scheduler.

    Parameters
    ----------
    address : str
        `HOST:PORT` of the scheduler.
    link : {"tcp", "tls"}
        How messages travel.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    UsageError
        If no scheduler answers there, or not as it was addressed.
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
            f"{link}://{address}", timeout=ANSWER_WITHIN_S, name="mlkit", set_as_default=False
        )
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        if link == TLS:
            raise UsageError(
                f"no Dask scheduler answers over TLS at '{address}': "
                + " ".join(str(error).split()),
                remedy="Name the certificates as Dask wants them: "
                "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, "
                "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY; the scheduler has some, too",
                code="E107",
            ) from error
        raise UsageError(
            f"no Dask scheduler answers at '{address}'",
            remedy="Start one with 'dask scheduler', workers with 'dask worker HOST:PORT', and "
            "write --executor dask://HOST:PORT; one that speaks TLS is dask+tls://HOST:PORT",
            code="E107",
        ) from error


def silent(address: str) -> UsageError:
    """Say that a scheduler took the connection, and answers no more."""
    return UsageError(
        f"the Dask scheduler at '{address}' does not answer any more",
        remedy="See that it lives and the network is there, and start again, or use --executor "
        "threads",
        code="E107",
    )


def threads_of_workers(client: Any) -> dict[str, int]:
    """The workers of a cluster, with their threads.

    The scheduler is asked itself: `Client.scheduler_info` gives what it keeps, which the client's
    own look every two seconds may have emptied of workers between its asking and its answer.

    Raises
    ------
    OSError
        If it has gone, or does not answer: one that was stopped, or that a broken network hides,
        keeps the connection open.
    """
    identity = client.scheduler.identity
    found = client.sync(identity, n_workers=-1, callback_timeout=ANSWER_WITHIN_S)["workers"]
    return {worker: int(known["nthreads"]) for worker, known in found.items()}


class Crew:
    """The workers of a cluster that were looked at: those that can do the work, and others.

    Parameters
    ----------
    client : Client
        The connection.
    site : Site
        Where the run works.

    Raises
    ------
    UsageError
        If the cluster has no workers, or not all of them can do the work.
    """

    def __init__(self, client: Any, site: Site) -> None:
        self._client = client
        self._site = site
        self._asked: dict[str, Future[Mapping[str, Any]]] = {}
        """Those that came later and have yet to answer."""
        sights = self._answer_of_all()
        self.is_shared = verdict(sights, site)
        """Whether the workers see the runs folder; those that join later must do so as well."""
        self.fit = self._threads_of(sights)
        """Those that can do the work, with their threads."""
        self.refused: dict[str, str] = {}
        """Those that cannot, and why."""

    @property
    def threads(self) -> int:
        """How many attempts they can work on at once."""
        return sum(self.fit.values())

    def look(self) -> list[str]:
        """Take in who has come and gone; sentences about those that came and cannot work.

        Nobody waits for one that came: it is used, or refused, at the first look after its answer.
        """
        there = threads_of_workers(self._client)
        self.fit = {worker: count for worker, count in self.fit.items() if worker in there}
        self.refused = {worker: why for worker, why in self.refused.items() if worker in there}
        self._asked = {worker: answer for worker, answer in self._asked.items() if worker in there}
        for worker in there.keys() - self.fit.keys() - self.refused.keys() - self._asked.keys():
            self._asked[worker] = self._ask([worker])
        told = []
        for worker in [worker for worker, answer in self._asked.items() if answer.done()]:
            try:
                sights = self._asked.pop(worker).result()
                shares = bool(sights) and verdict(sights, self._site)
                if sights and self.is_shared and not shares:
                    raise UsageError(f"worker {worker} does not see the runs folder, as others do")
            except MlkitError as error:
                self.refused[worker] = error.message
                told.append(f"{error.message}; it joined later and is not used")
            else:
                self.fit |= {worker: there[worker] for worker in sights}
        return told

    def _answer_of_all(self) -> Mapping[str, Any]:
        try:
            return self._ask(None).result(LOOK_WITHIN_S)
        except TimeoutError:
            raise UsageError(
                f"not all workers of the Dask cluster answer within {LOOK_WITHIN_S} s",
                remedy="The scheduler's dashboard shows which of them is stuck: end it",
                code="E107",
            ) from None

    def _ask(self, workers: list[str] | None) -> Future[Mapping[str, Any]]:
        """Ask workers, or all of them, in a thread of its own: a question has no deadline in Dask.

        A daemon, for a worker that was stopped may answer never, and the run has an end.
        """
        answer: Future[Mapping[str, Any]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._sights(workers))
            except Exception as error:  # noqa: BLE001 - whoever reads the answer raises it
                answer.set_exception(error)

        threading.Thread(target=ask, name="mlkit-dask-ask", daemon=True).start()
        return answer

    def _threads_of(self, workers: Iterable[str]) -> dict[str, int]:
        there = threads_of_workers(self._client)
        return {worker: there[worker] for worker in workers if worker in there}

    def _sights(self, workers: list[str] | None) -> Mapping[str, Any]:
        """Ask workers, or all of them, what they see."""
        token = secrets.token_hex(16)
        probe = self._site.runs_dir / f".probe-{token}"
        try:
            with readable_os_errors(self._site.runs_dir):
                probe.write_text(token, encoding="utf-8")
            arguments = (str(probe), token, str(self._site.pipeline_folder))
            sights: Mapping[str, Any] = self._client.run(
                look_around, *arguments, workers=workers, on_error="return"
            )
        finally:
            probe.unlink(missing_ok=True)
        return {worker: sight for worker, sight in sights.items() if not _has_gone(sight)}


def _has_gone(sight: object) -> bool:
    """Whether a worker died over the question: that says nothing of what it could do. Pure."""
    return type(sight).__name__ == "CommClosedError"


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
