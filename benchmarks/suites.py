"""The peers' own test suites on stock and on forked kernels: `python -m benchmarks.suites [NAME…]`.

The source archives of the versions installed here bring their tests; what these need beside the
packages of this environment goes into one of its own, on top of it. Whatever passes once on stock
kernels has to pass on forked ones in every round; `ROUNDS` says how many there are. The last report
and log of each stand in `benchmarks/.suites`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["SUITES", "Outcome", "main", "outcomes"]

HOME = Path(__file__).with_name(".suites")
STAMP = ".installed"
ROUNDS = 3
SLOWEST_TEST_S = 180
LONGEST_SUITE_S = 3600
NEEDED = (
    *("coverage", "flaky", "pytest-asyncio", "pytest-cov", "pytest-jupyter", "testpath"),
    "xmltodict",
)
SUITES: Mapping[str, tuple[str, ...]] = {
    "jupyter_client": ("tests",),
    "nbclient": ("tests",),
    "ipykernel": (
        *("tests/test_kernel.py", "tests/test_async.py", "tests/test_start_kernel.py"),
        *("tests/test_embed_kernel.py", "tests/test_message_spec.py", "tests/test_subshells.py"),
        *("tests/test_connect.py", "tests/test_eventloop.py", "tests/test_debugger.py"),
    ),
    "papermill": tuple(
        f"papermill/tests/test_{name}.py"
        for name in ("execute", "engines", "clientwrap", "autosave")
    ),
    "nbval": ("tests", "--ignore=tests/test_nbdime_reporter.py"),  # it needs nbdime and its server
}
FORKED = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "mlkit-fork"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One suite, run once.

    Parameters
    ----------
    passed : frozenset of str
        The tests that passed.
    others : frozenset of str
        Those that failed, were skipped, or are expected to fail.
    seconds : float
        What it took.
    """

    passed: frozenset[str]
    others: frozenset[str]
    seconds: float


def environment() -> Path:
    """Make the environment of the suites, unless it is there; its interpreter."""
    place = HOME / "environment"
    python = place / "bin" / "python"
    stamp = place / STAMP
    needed = " ".join(NEEDED)
    if not stamp.exists() or stamp.read_text() != needed:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        ours = sysconfig.get_path("purelib")
        inner = next(place.glob("lib/python*/site-packages"))
        (inner / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*install, *NEEDED], check=True)
        stamp.write_text(needed)
    return python


def sources(name: str) -> Path:
    """Unpack the source archive of the version installed, once; its folder."""
    release = f"{name}-{version(name)}"
    folder = HOME / release
    if not folder.exists():
        archives = HOME / "archives"
        ask = ["pip", "download", "--quiet", "--no-deps", "--no-binary", name, "-d"]
        wanted = f"{name}=={version(name)}"
        subprocess.run([sys.executable, "-m", *ask, str(archives), wanted], check=True)
        with tarfile.open(next(archives.glob(f"{release}.tar.gz"))) as archive:
            archive.extractall(HOME, filter="data")
    return folder


def run(name: str, python: Path, extra: Mapping[str, str], report: Path) -> Outcome:
    """Run one suite in a process of its own."""
    folder = sources(name)
    command = [
        *(str(python), "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:nbval"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
        *("-p", "no:cacheprovider", "--timeout", str(SLOWEST_TEST_S), f"--junitxml={report}"),
        *(each for each in SUITES[name] if each.startswith("-") or (folder / each).exists()),
    ]
    if name == "nbval":
        command[command.index("no:nbval")] = "nbval"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    with (
        report.with_suffix(".log").open("wb") as log,
        contextlib.suppress(subprocess.TimeoutExpired),  # no report then, and all is lost
    ):
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **extra},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_SUITE_S,
            check=False,
        )
    return outcomes(report.read_text() if report.exists() else "", time.monotonic() - started)


def outcomes(report: str, seconds: float) -> Outcome:
    """Read what JUnit's XML says of each test; no report stands for a suite that did not end."""
    passed: set[str] = set()
    others: set[str] = set()
    for case in ET.fromstring(report).iter("testcase") if report else ():
        name = f"{case.get('classname')}::{case.get('name')}"
        (others if len(case.findall("./*[@message]")) else passed).add(name)
    return Outcome(passed=frozenset(passed), others=frozenset(others), seconds=seconds)


def main() -> None:
    """Run the suites that are named, or all; 1 if a test is lost on forked kernels."""
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    python = environment()
    rounds = int(os.environ.get("ROUNDS", ROUNDS))
    lost_any = False
    print("| suite | round | stock passed | forked passed | time | lost |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in sys.argv[1:] or SUITES:
        stock = run(name, python, {}, HOME / f"{name}-stock.xml")
        for number in range(1, rounds + 1):
            forked = run(name, python, FORKED, HOME / f"{name}-forked-{number}.xml")
            lost = sorted(stock.passed - forked.passed)
            lost_any = lost_any or bool(lost) or not stock.passed
            print(
                f"| {name} {version(name)} | {number} | {len(stock.passed)} | "
                f"{len(forked.passed)} | {forked.seconds / stock.seconds:.2f} × | "
                f"{', '.join(lost) or '–'} |",
                flush=True,
            )
    sys.exit(int(lost_any))


if __name__ == "__main__":
    main()
