"""`python -m mlkit.engines.airflow.celery FOLDER`: an Airflow whose tasks run on Celery workers.

Redis, PostgreSQL, scheduler, DAG processor, triggerer, web server and two workers, all on this
machine and each a process group of its own, with the DAG files of `FOLDER/dags`. What they say and
their settings stay in the folder. Ctrl-C ends them all.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlkit.engines.airflow.launch import airflow_environment
from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import Served, end_group, free_port, until_interrupted
from mlkit.engines.registry import ENGINES
from mlkit.errors import EngineError
from mlkit.frozen import dataclass

__all__ = ["Cluster", "celery_cluster", "main"]

_POSTGRESQL = Path("/usr/lib/postgresql")
"""Debian puts each version's server into a folder of its own there."""

_START_WITHIN_S = 300.0
_ANSWER_WITHIN_S = "120"
"""The first answer of a web server that has just begun takes long, on a busy machine longer."""

_LOST_AFTER_S = "30"
_LOOKS_EVERY_S = "5"
"""How soon the scheduler misses a task whose worker is gone; Airflow's own 300 s suit many
machines, where a network may be slow."""

_PACKAGES = "redis-server and postgresql"


@dataclass(frozen=True, kw_only=True)
class Cluster(Served):
    """An Airflow with its workers; its first process is the web server.

    Parameters
    ----------
    workers : mapping of str to subprocess.Popen
        The workers by their names; each leads the group of what it runs.
    """

    workers: Mapping[str, subprocess.Popen[bytes]]


@contextlib.contextmanager
def celery_cluster(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """Start everything on free ports, and end it with all that it has started.

    Parameters
    ----------
    folder : Path
        Its home; DAG files stand in `dags/`, what each process says in `logs-of/`.
    workers : int
        How many workers; each runs one task at a time.

    Raises
    ------
    EngineError
        If Redis or PostgreSQL is not there, or something does not start.
    """
    folder = folder.absolute()
    (folder / "dags").mkdir(parents=True, exist_ok=True)
    python = engine_python(ENGINES["airflow"], os.environ)
    with contextlib.ExitStack() as ends:
        services = _Services(folder, ends)
        keys = _keys(folder)
        broker = _redis(services, keys)
        database = _postgresql(services, keys)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environ = {
            **os.environ,
            **airflow_environment(python, home=folder, dags=folder / "dags"),
            **_settings(url, port, broker, database, keys),
        }
        airflow = [str(python), "-P", "-m", "airflow"]
        services.finish("migrate", [*airflow, "db", "migrate"], environ)
        process = services.start("api-server", [*airflow, "api-server"], environ)
        _wait_until_it_answers(url, process, services.log("api-server"))
        for name in ("scheduler", "dag-processor", "triggerer"):
            services.start(name, [*airflow, name], environ)
        hands = {}
        for number in range(1, workers + 1):
            name = f"worker{number}"
            own = [*airflow, "celery", "worker", "--celery-hostname", f"{name}@%h"]
            own += ["--concurrency", "1", "--skip-serve-logs", "--without-mingle"]
            hands[name] = services.start(name, own, environ)
        yield Cluster(url=url, process=process, log=services.log("scheduler"), workers=hands)


class _Services:
    """Processes that belong together: each leads a group, all end together, the last one first."""

    def __init__(self, folder: Path, ends: contextlib.ExitStack) -> None:
        self.logs = folder / "logs-of"
        self.logs.mkdir(exist_ok=True)
        self._ends = ends

    def log(self, name: str) -> Path:
        """What a process says."""
        return self.logs / f"{name}.log"

    def start(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        politely: signal.Signals = signal.SIGTERM,
        user: str | None = None,
        said: bytes = b"",
    ) -> subprocess.Popen[bytes]:
        """Start a process, and have it ended at the end.

        Parameters
        ----------
        name : str
            Names its log.
        command : sequence of str
            The command.
        environ : mapping of str to str
            Its whole environment.
        politely : signal.Signals
            What asks it to end.
        user : str, optional
            The user that it runs as, if not the one who starts it.
        said : bytes
            What it reads from its standard input: what nobody shall see in its command line.
        """
        with self.log(name).open("ab") as stream:
            process = subprocess.Popen(
                command,
                cwd="/" if user is not None else self.logs,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                user=user,
            )
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        self._ends.callback(end_group, process, politely)
        return process

    def finish(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        user: str | None = None,
    ) -> None:
        """Run a command to its end.

        Raises
        ------
        EngineError
            If it fails.
        """
        code = self.start(name, command, environ, user=user).wait()
        if code:
            raise EngineError(
                f"'{name}' ended with exit code {code}",
                remedy=f"What it said is in {self.log(name)}",
            )


def _keys(folder: Path) -> dict[str, str]:
    """The passwords of this folder's servers, made on first use; nobody else can read them."""
    file = folder / "keys.json"
    if not file.exists():
        keys = {name: secrets.token_hex(32) for name in ("redis", "postgresql", "jwt", "session")}
        keys["fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        file.touch(mode=0o600)
        file.write_text(json.dumps(keys), encoding="utf-8")
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _settings(
    url: str, port: int, broker: str, database: str, keys: Mapping[str, str]
) -> dict[str, str]:
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",  # one person looks at it; each further one takes 300 MB
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": keys["session"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],  # one for all who talk to the web server
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # nobody else reaches 127.0.0.1
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": _LOST_AFTER_S,
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": _LOOKS_EVERY_S,
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": _ANSWER_WITHIN_S,
    }


def _redis(services: _Services, keys: Mapping[str, str]) -> str:
    """Start the broker; gives its URL."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        raise _missing()
    settings = f"bind 127.0.0.1\nport {port}\nrequirepass {keys['redis']}\nsave ''\n"
    services.start("redis", [program, "-"], os.environ, said=settings.encode())
    return f"redis://:{keys['redis']}@127.0.0.1:{port}/0"


def _postgresql(services: _Services, keys: Mapping[str, str]) -> str:
    """Start the database server; gives where the database is, without the scheme."""
    found = sorted(_POSTGRESQL.glob("*/bin/postgres"))
    if not found:
        raise _missing()
    programs, port = found[-1].parent, free_port()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    data = _data_folder(services.logs.parent / "postgresql", user)
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    if not (data / "PG_VERSION").exists():
        password = data.with_suffix(".password")
        password.touch(mode=0o600)
        password.write_text(keys["postgresql"], encoding="utf-8")
        _give(password, user)
        made = [str(programs / "initdb"), "-D", str(data), "-U", "airflow", "-E", "UTF8"]
        made += ["--auth=scram-sha-256", f"--pwfile={password}"]
        try:
            services.finish("initdb", made, environ, user=user)
        finally:
            password.unlink()
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    process = services.start(  # SIGTERM would wait until everybody has gone
        "postgresql", command, environ, user=user, politely=signal.SIGINT
    )
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + _START_WITHIN_S
    while subprocess.run(ready, check=False).returncode:
        _see_that_it_runs(process, "PostgreSQL", services.log("postgresql"), deadline)
        time.sleep(0.2)
    return f"airflow:{keys['postgresql']}@127.0.0.1:{port}/postgres"


def _data_folder(place: Path, user: str | None) -> Path:
    """Where the database server keeps its files: in the folder, if its user can get there.

    Another user often cannot; then they lie in /var/tmp, and a link leads to them.
    """
    if user is None:
        place.mkdir(mode=0o700, exist_ok=True)
        return place
    if not (place.is_symlink() and place.is_dir()):
        place.unlink(missing_ok=True)
        outside = Path(tempfile.mkdtemp(prefix="mlkit-postgresql-", dir="/var/tmp"))
        (outside / "data").mkdir(mode=0o700)
        for folder in (outside, outside / "data"):
            _give(folder, user)
        place.symlink_to(outside / "data")
    return place.resolve()


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        known = pwd.getpwnam(user)
        os.chown(path, known.pw_uid, known.pw_gid)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Have the web server answer once: a worker's first question would wait too long for it."""
    deadline = time.monotonic() + _START_WITHIN_S
    for path in ("/api/v2/monitor/health", "/execution/health/ping"):
        while True:
            _see_that_it_runs(process, "Airflow's web server", log, deadline)
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(url + path, timeout=60) as answer,
            ):
                answer.read()
                break
            time.sleep(0.5)


def _see_that_it_runs(
    process: subprocess.Popen[bytes], name: str, log: Path, deadline: float
) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise EngineError(f"{name} does not start", remedy=f"What it said is in {log}")


def _missing() -> EngineError:
    return EngineError(
        f"Airflow with Celery needs {_PACKAGES}",
        remedy="Run '.ci/need redis-server postgresql' as root, or install them otherwise",
    )


def main(folder: Path) -> int:
    """Run it until Ctrl-C; gives the exit code."""
    return until_interrupted(
        celery_cluster(folder),
        lambda airflow: (
            f"Airflow is at {airflow.url}, with {len(airflow.workers)} Celery workers\n"
            f"DAG files: {folder / 'dags'}; what each process says: {folder / 'logs-of'}"
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
