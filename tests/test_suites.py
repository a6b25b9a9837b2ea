"""Which suite a test belongs to, what each suite installs, and which skips CI accepts."""

from __future__ import annotations

import gc
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = {
    "long": "test-long",
    "answers": "test-answers",
    "sandbox": "test-sandbox",
    "browser": "test-browser",
    "engine": "test-engines",
    "r": "test-r",
    "site": "test-site",
    "slow": "test-slow",
}


def _recipe(target: str) -> str:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found is not None, target
    return found[0]


def test_what_needs_more_than_python_is_left_to_a_suite_of_its_own() -> None:
    """Plain `pytest`, and `make test` with it, pass over these markers; no other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    words = settings["addopts"]
    usual = words[words.index("-m") + 1]
    assert sorted(usual.split(" and ")) == sorted(f"not {name}" for name in TARGETS)
    known = {line.partition(":")[0] for line in settings["markers"]}
    assert known == {*TARGETS, "kernel"}


@pytest.mark.parametrize(("marker", "target"), TARGETS.items())
def test_every_such_suite_has_a_target_that_make_test_names(marker: str, target: str) -> None:
    """The target selects by the marker; the last line of `make test` says how it is called."""
    assert re.search(rf'-m "?{marker}\b', _recipe(target))
    assert f"make {target}" in _recipe("test").splitlines()[-1]


def test_every_test_is_in_a_suite_whatever_its_markers() -> None:
    """All sets of markers are tried: a test that two suites leave to each other is run by none."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    words = [settings["addopts"][settings["addopts"].index("-m") + 1]]
    for target in TARGETS.values():
        found = re.search(r'-m (?:"([^"]*)"|(\w+))', _recipe(target))
        assert found is not None
        words.append(found[1] or found[2])
    suites = [Expression.compile(text) for text in words]
    for count in range(len(TARGETS) + 1):
        for markers in combinations(TARGETS, count):
            assert any(
                suite.evaluate(lambda name, /, **_: name in markers)  # noqa: B023 - called at once
                for suite in suites
            ), markers


def test_make_test_installs_no_engine() -> None:
    """Nor does anything that it depends on."""
    assert _recipe("test").splitlines()[0].startswith("test: check ")
    checked = re.search(r"^check: (.*)$", MAKEFILE, re.MULTILINE)
    assert checked is not None
    assert checked[1].split() == ["install-dev"]
    assert "engines" not in _recipe(r"\$\(DEV_STAMP\)")


def test_ci_runs_every_suite_but_the_slow_one() -> None:
    """Under the names that the Makefile gives them."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    named = re.search(r"declare -A target=\((.*)\)", script)
    assert named is not None
    targets = {word.partition("=")[2] for word in shlex.split(named[1])}
    assert targets == {"test", "test-site", "test-model", *TARGETS.values()} - {"test-slow"}


def test_garbage_is_looked_for_in_what_tests_make_alone() -> None:
    """And it is looked for: what was imported to collect them is set aside, no more."""
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of programs: a shell, and an apt-get that says what it is asked for."""
    for name in ("bash", "env"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    _program(tmp_path, "apt-get", 'echo "apt-get $*" >&2')
    return tmp_path


def _program(folder: Path, name: str, line: str) -> None:
    file = folder / name
    file.write_text(f"#!{shutil.which('bash')}\n{line}\n")
    file.chmod(0o755)


def _need(place: Path, *packages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / ".ci" / "need"), *packages],
        env={**os.environ, "PATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_debian_packages_are_installed_where_that_is_allowed(place: Path) -> None:
    """Only those that are missing, and nothing at all where none is."""
    _program(place, "id", "echo 0")
    done = _need(place, "bubblewrap", "chromium")
    assert done.returncode == 0
    assert "install -y -qq --no-install-recommends bubblewrap chromium" in done.stderr
    _program(place, "bwrap", "")
    assert "--no-install-recommends chromium" in _need(place, "bubblewrap", "chromium").stderr
    _program(place, "chromium", "")
    assert _need(place, "bubblewrap", "chromium").stderr == ""


def test_who_may_not_install_is_told_what_to_ask_for(place: Path) -> None:
    """An ordinary user, and a system that is not Debian."""
    _program(place, "id", "echo 1000")
    done = _need(place, "chromium")
    assert done.returncode == 1
    assert (
        "Ask an administrator for: apt-get install --no-install-recommends chromium" in done.stderr
    )
    (place / "apt-get").unlink()
    done = _need(place, "chromium")
    assert (done.returncode, "Not there: chromium" in done.stderr) == (1, True)


@pytest.fixture
def ci(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """CI's script in a folder of its own, where the programs that it needs are at hand."""
    for name in ("dirname", "timeout"):
        (place / name).symlink_to(str(shutil.which(name)))
    for name in ("bwrap", "chromium", "R"):
        _program(place, name, "")
    (place / "IRkernel").mkdir()
    shutil.copytree(ROOT / ".ci", place / "checkout" / ".ci")
    (place / "checkout" / ".venv" / "bin").mkdir(parents=True)
    (place / "checkout" / ".venv" / "bin" / "python").symlink_to(sys.executable)
    environ = {**os.environ, "PATH": str(place), "R_LIBS_SITE": str(place)}
    for name in ("MLKIT_NEVER_STALE_STEPS", "MLKIT_TESTS_UNTIL", "MLKIT_CI_MINUTES"):
        environ.pop(name, None)  # CI itself, in which this may run, sets them

    def run(*parts: str, **more: str) -> subprocess.CompletedProcess[str]:
        script = [str(place / "checkout" / ".ci" / "run"), *parts]
        env = {**environ, **more}
        return subprocess.run(script, env=env, capture_output=True, text=True, check=False)

    return run


def test_ci_runs_what_is_left_after_a_failure_and_tells_the_minutes(
    place: Path, ci: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Each part with its verdict and its goal; the exit code says whether all passed."""
    _program(place, "make", 'echo "$1 steps=$MLKIT_NEVER_STALE_STEPS"; [ "$1" != test-browser ]')
    done = ci()
    assert (done.returncode, done.stderr) == (1, "")
    assert "test-engines steps=20" in done.stdout
    said = [line.split()[:3] for line in done.stdout.splitlines() if " of " in line]
    verdicts = {part: (verdict, minutes) for part, verdict, minutes in said}
    assert verdicts == {
        **dict.fromkeys(
            ("test", "sandbox", "r", "site", "engines", "model", "answers", "long"),
            ("passed", "0.0"),
        ),
        **dict.fromkeys(("browser", "all"), ("FAILED", "0.0")),
    }
    assert ci("site", "test").returncode == 0
    wrong = ci("lint")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_ci_says_how_many_tests_had_no_time_and_what_is_asked_for_has_all_it_needs(
    place: Path, ci: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The minutes count from the beginning, the set-up among them."""
    (place / "mkdir").symlink_to(str(shutil.which("mkdir")))
    _program(
        place,
        "make",
        'echo "$1 until=${MLKIT_TESTS_UNTIL:-}"\n'
        '[ "$1" = test-long ] || exit 0\n'
        "mkdir -p .pytest_cache; printf 12 >.pytest_cache/no-time",
    )
    before = time.time()
    done = ci(MLKIT_CI_MINUTES="5")
    assert done.returncode == 0
    until = {line.partition(" until=")[2] for line in done.stdout.splitlines() if "until=" in line}
    (each,) = until
    assert before + 295 < float(each) < time.time() + 305
    told = [line.strip() for line in done.stdout.splitlines() if "no time" in line]
    assert told == ["no time on this machine for 12 tests: make test-long"]
    assert "test until=\n" in ci("test").stdout


@pytest.mark.parametrize(
    ("failed", "second_try", "exit_code", "tries"),
    [(1, 0, 0, 2), (3, 0, 0, 2), (1, 1, 1, 2), (4, 0, 1, 1), (0, 0, 1, 1)],
)
def test_in_ci_a_few_failures_have_a_second_try_and_are_named(
    place: Path,
    ci: Callable[..., subprocess.CompletedProcess[str]],
    failed: int,
    second_try: int,
    exit_code: int,
    tries: int,
) -> None:
    """A fault shows again; many at once, or one that is no test's, need no second look."""
    kept = "{" + ", ".join(f'"tests/test_a.py::test_{n}": true' for n in range(failed)) + "}"
    (place / "mkdir").symlink_to(str(shutil.which("mkdir")))
    _program(
        place,
        "make",
        '[ "$1" = test ] || exit 0\n'
        'echo "tried $* until=${MLKIT_TESTS_UNTIL:-}"\n'
        f'case "$*" in *--last-failed*) exit {second_try};; esac\n'
        "mkdir -p .pytest_cache/v/cache\n"
        f"echo '{kept}' >.pytest_cache/v/cache/lastfailed\n"
        "exit 1",
    )
    done = ci("test", "answers", MLKIT_TESTS_UNTIL="1")
    lines = done.stdout.splitlines()
    assert done.returncode == exit_code
    until = [line.partition(" until=")[2] for line in lines if line.startswith("tried test")]
    assert until == ["1", ""][:tries]
    named = [line.split()[-1] for line in lines if "failed at first" in line]
    assert named == ([f"tests/test_a.py::test_{n}" for n in range(failed)] if tries == 2 else [])


@pytest.mark.parametrize(
    ("known", "exit_code"),
    [("", 1), ("# why\ntest_a.py: no disk", 0), ("test_a.py: something else", 1)],
)
def test_a_skip_that_is_not_named_fails_ci(
    pytester: pytest.Pytester, known: str, exit_code: int
) -> None:
    """With its file and its reason; a test that is expected to fail is no skip."""
    pytester.makeconftest(
        f"from tests.conftest import UnknownSkips\n"
        f"def pytest_configure(config):\n"
        f"    config.pluginmanager.register(UnknownSkips({known!r}, config.rootpath / 'x'))\n"
    )
    pytester.makepyfile(
        test_a="import pytest\n"
        "def test_fine(): pass\n"
        "def test_passed_over(): pytest.skip('no disk')\n"
        "@pytest.mark.xfail\n"
        "def test_expected(): assert 0\n"
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--rootdir={pytester.path}")
    done.assert_outcomes(passed=1, skipped=1, xfailed=1)
    assert done.ret == exit_code
    named = "skipped, and not named in .ci/skips: test_a.py: no disk"
    assert (named in done.stdout.str()) is bool(exit_code)


@pytest.mark.parametrize("seconds", [-1, 60])
def test_no_test_begins_when_the_time_is_over(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Nor does anything that it needs; CI is told how many there were, and does not fail."""
    monkeypatch.setenv("MLKIT_TESTS_UNTIL", str(time.time() + seconds))
    pytester.makeconftest(
        "from tests.conftest import UnknownSkips, pytest_runtest_setup\n"
        "def pytest_configure(config):\n"
        "    plugin = UnknownSkips('', config.rootpath / 'kept' / 'no-time')\n"
        "    config.pluginmanager.register(plugin)\n"
    )
    pytester.makepyfile(
        test_a="import pathlib, pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def dear(): pathlib.Path('made').touch()\n"
        "def test_one(dear): pass\n"
        "def test_two(): pass\n"
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--rootdir={pytester.path}")
    late = seconds < 0
    done.assert_outcomes(passed=0 if late else 2, skipped=2 if late else 0)
    assert done.ret == 0
    assert (pytester.path / "made").exists() is not late
    kept = pytester.path / "kept" / "no-time"
    assert (kept.read_text() if late else kept.exists()) == ("2" if late else False)


def test_a_file_that_skips_itself_is_seen(pytester: pytest.Pytester) -> None:
    """Nothing of it is ever collected."""
    pytester.makeconftest(
        "from tests.conftest import UnknownSkips\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(UnknownSkips('', config.rootpath / 'x'))\n"
    )
    pytester.makepyfile(
        test_a="import pytest\npytest.importorskip('no_such_module')\ndef test_x(): pass",
        test_b="def test_fine(): pass",
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert done.ret == 1
    assert (
        "not named in .ci/skips: test_a.py: could not import 'no_such_module'" in done.stdout.str()
    )
