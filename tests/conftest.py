"""Suites by what a test needs, skips whose reasons are known, and what tests say when they pass."""

from __future__ import annotations

import gc
import importlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mlkit.engines.registry import ENGINES
from mlkit.notebook.importing import FORMAT_CHECKS, missing
from tests.mailbox import Mailbox
from tests.remote import S3, s3_server

SUMMARY = "summary"
"""The name of the property by which a test says a line, from whichever process it runs in."""
_SKIPS = Path(__file__).parents[1] / ".ci" / "skips"
UNTIL = "MLKIT_TESTS_UNTIL"
"""The variable with the time, in seconds since the epoch, after which no test begins."""
NO_TIME = "no time is left"
_NO_TIME_FILE = Path(__file__).parents[1] / ".pytest_cache" / "no-time"
_SUITES = ("sandbox", "browser")
"""Fixtures that stand for a Debian package; what uses one belongs to the suite of that name."""


# How long an example takes says how busy the machine is; what must not take long is counted.
settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")

# What tests start leaves nothing behind, and finds nothing that others have left; those of the warm
# start have a folder of their own, see `tests/notebook/kernels/conftest.py`.
os.environ["MLKIT_NO_WARM"] = "1"

# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that;
# what tests start, and then interrupt, is to hear it wherever the suite was started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer another order."""
    parser.addoption("--shuffle", type=int, metavar="SEED", help="Tests in random order.")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is imported here: it stays, and is a million objects.

    A shell that is ended, or reset, collects garbage; walking all this each time took a second.
    And have jsonschema do without checks of formats, as it does in a run: compiling their grammar
    takes as long as importing a fifth of the tests.
    """
    gc.disable()
    try:
        with missing(*FORMAT_CHECKS):
            importlib.import_module("jsonschema")
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses such a fixture, before markers select; and shuffle where that is asked for.

    Files come in another order, and so do the tests of a file; its fixtures are still made once.
    """
    for item in items:
        for name in set(_SUITES) & set(getattr(item, "fixturenames", ())):
            item.add_marker(name)
    seed = config.getoption("--shuffle")
    if seed is not None:
        chance = random.Random(seed)
        place = {path: chance.random() for path in dict.fromkeys(item.path for item in items)}
        items.sort(key=lambda item: (place[item.path], chance.random()))


@pytest.fixture(autouse=True)
def _engines_only_where_they_are_meant(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that is not marked `engine` finds none, whatever happens to be installed."""
    if request.node.get_closest_marker("engine") is None:
        for engine in ENGINES.values():
            monkeypatch.setenv(engine.python_variable, "/nonexistent/no-engine-in-this-suite")


@pytest.fixture(autouse=True)
def _main_stays() -> Iterator[None]:
    """A test that puts another `__main__` in its place would break those that start processes."""
    before = sys.modules["__main__"]
    yield
    assert sys.modules["__main__"] is before
    assert hasattr(before, "__spec__")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A server with the bucket `shared`."""
    with s3_server() as server:
        server.make_bucket("shared")
        yield server


@pytest.fixture
def bucket(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place in that bucket."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://shared/{tmp_path.name}/my {{runs}}"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """A mail server that listens, to all tests of a module."""
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin no test, nor what it needs, when the time is over."""
    if time.time() > float(os.environ.get(UNTIL, "inf")):
        pytest.skip(NO_TIME)


class UnknownSkips:
    """Fails the session if something was skipped that `.ci/skips` does not name.

    Parameters
    ----------
    known : str
        The text of that file.
    no_time : Path
        Receives the number of tests for which no time was left, if there are any.
    """

    def __init__(self, known: str, no_time: Path) -> None:
        self.no_time = no_time
        self.late = 0
        lines = map(str.strip, known.splitlines())
        self.known = {line for line in lines if line and not line.startswith("#")}
        self.found: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at a test."""
        self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at a whole file: it can be skipped while it is imported."""
        self._look(report)

    def _look(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if text.endswith(NO_TIME) and UNTIL in os.environ:
            self.late += 1
            return
        line = f"{report.nodeid.partition('::')[0]}: {text.removeprefix('Skipped: ')}"
        if line not in self.known:
            self.found[line] = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Turn success into failure."""
        if self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.late:
            self.no_time.parent.mkdir(exist_ok=True)
            self.no_time.write_text(str(self.late))
        yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say so."""
        if self.late:
            terminalreporter.write_line(f"no time was left for {self.late} tests ({UNTIL})")
        for line in self.found:
            terminalreporter.write_line(f"skipped, and not named in .ci/skips: {line}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Watch over skips in CI; workers hand their reports to the session that started them."""
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        known = _SKIPS.read_text(encoding="utf-8")
        config.pluginmanager.register(UnknownSkips(known, _NO_TIME_FILE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print those lines at the end."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == SUMMARY:
                        terminalreporter.write_line(str(value))
