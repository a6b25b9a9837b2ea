"""A zygote that an earlier run has left forks only for what is like it in everything."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.notebook.kernels import end_kernel, open_kernels
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.notebook.kernels.met_zygote import meet
from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.own_zygote import OwnZygote
from mlkit.notebook.kernels.warm_terms import Terms, terms_of
from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes, warm_zygotes

from .conftest import (
    Lab,
    execute,
    leave_zygote,
    open_warm,
    wait_until,
    warm_environment,
)
from .test_leash import is_alive

pytestmark = pytest.mark.kernel

PARENT = "import os; print(os.getppid())"


@pytest.fixture
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment with a runtime folder of the test's own; what is left there ends."""
    runtime = tmp_path_factory.mktemp("r", numbered=True)
    assert len(str(runtime)) < 60
    env = warm_environment(str(runtime))
    yield env
    stop_warm_zygotes(env=env)


@pytest.fixture
def own(env: dict[str, str], tmp_path: Path) -> Iterator[Lab]:
    """Kernels from a zygote that was there before."""
    said: list[str] = []
    with open_warm(env, (), said.append) as kernels:
        yield Lab(kernels=kernels, folder=tmp_path, said=said, env=env)


def zygote_of(lab: Lab) -> int:
    """The zygote's process id."""
    assert isinstance(lab.kernels, ForkKernels)
    return lab.kernels._zygote.pid


def terms(env: Mapping[str, str], pid: int) -> Terms:
    """What this process has in common with a zygote that it left; as that zygote knows it."""
    now = terms_of(env, EXTRA, print)
    assert now is not None
    assert pid in {each.pid for each in warm_zygotes(env)}
    return now


# --- what is kept, and what is not ------------------------------------------------------------


def test_the_second_run_forks_from_the_firsts_zygote(env: dict[str, str], tmp_path: Path) -> None:
    """Which outlives both, and holds nothing of either: environment, folder, open files."""
    pid = leave_zygote(env)
    secret, folder = uuid.uuid4().hex, tmp_path / "run"
    folder.mkdir()
    (folder / "held").touch()
    own = {**env, "MY_TOKEN": secret, "DATABASE": secret, "OMP_TOKEN": secret}
    cell = f"import os; held = open({str(folder / 'held')!r}); os.chdir({str(folder)!r}); {PARENT}"
    cell += "; print(*sorted(n for n in os.environ if os.environ[n] == " + repr(secret) + "))"
    for _ in range(20):
        with open_kernels("fork", preload=(), env=own, warm=True) as kernels:
            lab = Lab(kernels=kernels, folder=tmp_path, env=own)
            parent, *names = lab.run(cell).split()
            assert names == ["DATABASE", "MY_TOKEN", "OMP_TOKEN"]
        if parent == str(pid):
            break
        pid = leave_zygote(env)  # another test has installed something meanwhile
    assert parent == str(pid)
    process = psutil.Process(pid)
    assert is_alive(process)
    assert secret not in Path(f"/proc/{pid}/environ").read_text()
    wait_until(lambda: not process.children())
    opened = {each.path for each in process.open_files()}
    assert all(each.startswith(env["XDG_RUNTIME_DIR"]) for each in opened)
    assert len(process.net_connections("unix")) == 1
    assert process.cwd().startswith(env["XDG_RUNTIME_DIR"])


@pytest.mark.parametrize("name", ["CI", "MLKIT_NO_WARM"])
def test_nothing_is_left_and_nothing_met_where_that_is_switched_off(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    """As before there were such zygotes; a zygote that waits is left alone."""
    pid = leave_zygote(env)
    off = {**env, name: "1"}
    with open_kernels("fork", env=off, warm=True) as kernels:
        assert isinstance(kernels, ForkKernels)
        mine = kernels._zygote.pid
        assert isinstance(kernels._zygote, OwnZygote)
        assert Lab(kernels=kernels, folder=tmp_path, env=off).run(PARENT) == str(mine) != str(pid)
    assert not psutil.pid_exists(mine)
    assert [each.pid for each in warm_zygotes(env)] == [pid]


def test_who_does_not_ask_for_it_leaves_nothing(env: dict[str, str]) -> None:
    """Only mlkit's own runs do; the provisioner, for instance, does not."""
    with open_kernels("fork", env=env) as kernels:
        assert isinstance(kernels, ForkKernels)
        pid = kernels._zygote.pid
    assert not psutil.pid_exists(pid)
    assert warm_zygotes(env) == ()


def test_what_waits_ends_by_idleness(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its folder, its lock and its socket."""
    monkeypatch.setattr("mlkit.notebook.kernels.warm_terms.Terms.orders", _soon_over)
    with open_kernels("fork", preload=(), env=env, warm=True) as kernels:
        assert isinstance(kernels, ForkKernels)
        process = psutil.Process(kernels._zygote.pid)
        wait_until(lambda: kernels.kind == "spawn" or kernels._zygote._serving)
    wait_until(lambda: not is_alive(process))
    wait_until(lambda: not list(Path(env["XDG_RUNTIME_DIR"], "mlkit-warm").iterdir()))


_orders = Terms.orders


def _soon_over(terms: Terms, names: Any) -> dict[str, Any]:
    return {**_orders(terms, names), "idle_s": 0.3}


def test_what_waits_ends_when_its_socket_is_gone(own: Lab, env: dict[str, str]) -> None:
    """A logout may remove the user's runtime folder: nobody could come in any more.

    It looks now and then; a driver that hangs up is such an occasion.
    """
    process = psutil.Process(zygote_of(own))
    for each in Path(env["XDG_RUNTIME_DIR"], "mlkit-warm").glob("*.sock"):
        each.unlink()
    own.kernels.close()
    wait_until(lambda: not is_alive(process))


def test_two_runs_at_once_share_one_that_waits(own: Lab, env: dict[str, str]) -> None:
    """The end of one ends its own kernels only, even by SIGKILL of what it has started."""
    shared = zygote_of(own)
    with open_kernels("fork", preload=(), env=env, warm=True) as other:
        assert isinstance(other, ForkKernels)
        lab = Lab(kernels=other, folder=own.folder, env=env)
        mine, theirs = own.manager(), lab.manager()
        first = asyncio.run(execute(mine, "import os; print(os.getpid())"))
        second = asyncio.run(execute(theirs, "import os; print(os.getpid())"))
    assert not psutil.pid_exists(int(second))
    assert is_alive(psutil.Process(int(first)))
    assert asyncio.run(own.run_in(mine, "print('still here')")) == "still here"
    asyncio.run(end_kernel(theirs))
    assert is_alive(psutil.Process(shared))


# --- every difference refuses ---------------------------------------------------------------------


def knock(terms: Terms, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Come in by the door and say something of oneself; the answer."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(20)
        link.connect(str(terms.door(())))
        messages.send(link, {"hello": True, "identity": identity, "others": []})
        answer = messages.receive(link)
    assert answer is not None
    return answer[0]


def test_a_zygote_refuses_what_differs_in_any_one_field(env: dict[str, str]) -> None:
    """It names the field, and goes on serving those who do not."""
    pid = leave_zygote(env)
    mine = terms(env, pid)
    if not mine.door(()).exists():  # another test has installed something since
        pid = leave_zygote(env)
        mine = terms(env, pid)
    assert "identity" in knock(mine, mine.identity)

    @settings(max_examples=150)
    @given(
        name=st.sampled_from(sorted(mine.identity)),
        value=st.text() | st.none() | st.integers() | st.just(...),
    )
    def check(name: str, value: Any) -> None:
        claimed = {k: v for k, v in mine.identity.items() if k != name or value is not ...}
        if value is not ...:
            claimed[name] = value
        answer = knock(mine, claimed)
        if claimed == mine.identity:
            assert "identity" in answer
        else:
            assert name in answer["refused"]

    check()
    assert "identity" in knock(mine, mine.identity)


EXTRA = ("mlkit.inside.in_kernel", "", "debugpy")


@dataclass(frozen=True, kw_only=True)
class Left:
    """A zygote that waits."""

    pid: int
    env: Mapping[str, str]
    identity: Mapping[str, str]


DRIVER = """
import json, os, resource, signal, sys
sys.path.insert(0, {root!r})
from dataclasses import replace
from mlkit.notebook.kernels.met_zygote import meet
from mlkit.notebook.kernels.warm_terms import terms_of
identity = json.load(sys.stdin)
env = {{**os.environ}}
{change}
terms = terms_of(env, ("mlkit.inside.in_kernel", "", "debugpy"), print)
honest = meet(terms, (), print)
lying = meet(replace(terms, identity=identity), (), print)
print([each is not None and each.pid for each in (honest, lying)])
"""
FEWER = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
OF_PROCESS = {
    "umask": "os.umask(0o027 if os.umask(0o077) != 0o027 else 0o022)",
    "rlimit": "resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(4)[1])); "
    "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))",
    "affinity": FEWER if len(os.sched_getaffinity(0)) > 1 else "os.nice(1)",
    "nice": "os.nice(1)",
    "ignored signal": "signal.signal(signal.SIGUSR2, signal.SIG_IGN)",
    "blocked signal": "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})",
    "oom score": "open('/proc/self/oom_score_adj', 'w').write('321')",
    "no new privileges": "import ctypes; assert not ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)",
}
OF_ROOT = {
    "groups": "os.setgroups([4711])",
    "group": "os.setegid(4711)",
    "namespace": "import ctypes; assert not ctypes.CDLL(None).unshare(0x04000000)",
}
OF_ENVIRONMENT = {
    "threads": "env['OMP_NUM_THREADS'] = '7'",
    "locale": "env['LC_ALL'] = 'C.UTF-8'",
    "loader": "env['LD_LIBRARY_PATH'] = '/nowhere'",
    "hash seed": "env['PYTHONHASHSEED'] = '5'",
    "search": "env['PYTHONPATH'] = '/nowhere'",
    "home": "env['HOME'] = '/nowhere'",
}


def second_driver(change: str, env: Mapping[str, str], identity: Mapping[str, str]) -> list[Any]:
    """What a process that has changed something finds: honestly, and saying that it has not."""
    program = DRIVER.format(root=str(Path(__file__).parents[3]), change=change)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(dict(identity)),
        env=dict(env),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout.lower())
    return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Left]]:
    """A zygote that others want to meet, and what they would have to say of themselves."""
    env = warm_environment(str(tmp_path_factory.mktemp("r")))
    made: list[Left] = []

    def get() -> Left:
        for _ in range(20):  # other tests install things meanwhile
            if made and second_driver("", env, made[-1].identity) == [made[-1].pid] * 2:
                return made[-1]
            pid = leave_zygote(env)
            made.append(Left(pid=pid, env=env, identity=terms(env, pid).identity))
        raise AssertionError("not met though nothing differs")

    yield get
    stop_warm_zygotes(env=env)


@pytest.mark.parametrize(
    "kind", [*OF_PROCESS, *OF_ENVIRONMENT, *(OF_ROOT if os.geteuid() == 0 else ())]
)
def test_what_runs_otherwise_is_not_met(kind: str, left: Callable[[], Left]) -> None:
    """What the system tells of a process counts, whatever the process says."""
    found = left()
    change = {**OF_PROCESS, **OF_ENVIRONMENT, **OF_ROOT}[kind]
    honest, lying = second_driver(change, found.env, found.identity)
    assert honest is False
    if kind in OF_PROCESS or kind in OF_ROOT:
        assert lying is False


def test_a_process_with_another_package_installed_is_not_met(left: Callable[[], Left]) -> None:
    """Also when it is only a hook of the interpreter's start that was touched."""
    hook = Path(sysconfig.get_path("purelib"), f"mlkit_test_{uuid.uuid4().hex}.pth")
    hook.write_text("")
    try:
        found = left()
        assert meet_again(found) == found.pid
        os.utime(hook)
        assert meet_again(found) is None
        found = left()
        record = hook.with_suffix(".dist-info")
        record.mkdir()
        try:
            assert meet_again(found) is None
        finally:
            record.rmdir()
    finally:
        hook.unlink()


def meet_again(found: Left) -> int | None:
    """Come with what is true of this process now; the zygote's process id if that is met."""
    now = terms_of(found.env, EXTRA, print)
    assert now is not None
    met = meet(now, (), print)
    if met is None:
        return None
    met.close()
    return met.pid


def test_a_zygote_whose_own_files_have_changed_lets_nobody_in(
    env: dict[str, str], tmp_path: Path
) -> None:
    """What it has loaded is no more what a fresh interpreter would load; it ends."""
    name = f"mlkit_test_{uuid.uuid4().hex}"
    module = Path(sysconfig.get_path("purelib"), f"{name}.py")
    module.write_text("ANSWER = 41")
    time.sleep(0.05)  # it is older than the zygote, also by a coarse clock
    try:
        process = psutil.Process(leave_zygote(env, [name]))
        module.write_text("ANSWER = 4200")  # another size: Python compiles by that and by seconds
        with open_kernels("fork", preload=[name], env=env, warm=True) as kernels:
            lab = Lab(kernels=kernels, folder=tmp_path, env=env)
            assert lab.run(f"import {name}; print({name}.ANSWER)") == "4200"
        wait_until(lambda: not is_alive(process))
    finally:
        module.unlink()


WAYS = {
    "opened": "(open(p).read() if exists(p) else None)",
    "read by pathlib": "(Path(p).read_text() if Path(p).exists() else None)",
    "read by its folder": "(c := ConfigParser(), c.read([p]), c.sections())[2]",
    "tried": "size(p)",
    "looked for": "exists(p)",
    "a link?": "os.path.islink(p)",
    "allowed": "os.access(p, os.R_OK)",
    "listed": "sorted(os.listdir(os.path.dirname(p)))",
    "found by a pattern": "sorted(glob.glob(os.path.dirname(p) + '/*'))",
}
"""How a library asks for a file, `p`, when it is imported."""

ODD = """
import glob, json, os
from configparser import ConfigParser
from os.path import exists
from pathlib import Path
def size(p):
    try:
        return os.stat(p).st_size
    except OSError:
        return None
SEEN = {{}}
{lines}
"""


def test_what_an_import_has_asked_for_is_asked_for_anew_once_it_has_changed(
    env: dict[str, str], tmp_path: Path
) -> None:
    """A file that comes, changes and goes, asked for in each way: as a fresh interpreter has it."""
    places = {way: tmp_path / str(n) / "settings" for n, way in enumerate(WAYS)}
    lines = [f"p = {str(places[way])!r}; SEEN[{way!r}] = {code}" for way, code in WAYS.items()]
    package = f"mlkit_test_{uuid.uuid4().hex}"
    module = Path(sysconfig.get_path("purelib"), f"{package}.py")
    module.write_text(ODD.format(lines="\n".join(lines)))
    for place in places.values():
        place.parent.mkdir()
    time.sleep(0.05)  # see above
    cell = f"import json, os, {package}; print(json.dumps([{package}.SEEN, os.getppid()]))"

    def run() -> tuple[Any, int]:
        with open_kernels("fork", preload=[package], env=env, warm=True) as kernels:
            seen, parent = json.loads(Lab(kernels=kernels, folder=tmp_path, env=env).run(cell))
        return seen, parent

    def fresh() -> Any:
        program = f"import json, {package}; print(json.dumps({package}.SEEN))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        return json.loads(done.stdout)

    try:
        leave_zygote(env, [package])
        for way, place in places.items():
            for edit in (
                lambda p: p.write_text("[one]"),
                lambda p: p.write_text("[three]"),
                unlink,
            ):
                edit(place)
                assert run()[0] == fresh(), (way, edit)
                time.sleep(0.05)  # the zygote is younger than the edit, also by a coarse clock
        for _ in range(20):  # other tests install things meanwhile
            pid = leave_zygote(env, [package])
            if run()[1] == pid:
                break
        else:
            raise AssertionError("not met though nothing has changed")
    finally:
        module.unlink()


def unlink(path: Path) -> None:
    """Remove a file."""
    path.unlink()


@pytest.mark.parametrize("name", ["MLKIT_ODD_SETTING", "MLKIT_ODD_TOKEN"])
def test_a_variable_that_an_import_has_read_and_the_zygote_has_not_is_seen(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    """A process that starts or comes later with such a variable gets a zygote of its own."""
    package = f"mlkit_test_{uuid.uuid4().hex}"
    module = Path(sysconfig.get_path("purelib"), f"{package}.py")
    module.write_text(f"import os\nSEEN = os.environ.get({name!r})\n")
    cell = f"import {package}; print({package}.SEEN); {PARENT}"
    time.sleep(0.05)  # see above
    try:
        pid = leave_zygote(env, [package])
        for own in ({**env, name: "mine"}, {**env, name: "yours"}):
            with open_kernels("fork", preload=[package], env=own, warm=True) as kernels:
                lab = Lab(kernels=kernels, folder=tmp_path, env=own)
                seen, parent = lab.run(cell).split()
                assert (seen, kernels.kind) == (own[name], "fork")
                assert int(parent) != pid
        stop_warm_zygotes(env=env)
        with open_kernels("fork", preload=[package], env=own, warm=True) as kernels:
            lab = Lab(kernels=kernels, folder=tmp_path, env=own)
            assert lab.run(cell).split()[0] == "yours"
            assert kernels.kind == "fork"
        assert warm_zygotes(env) == ()
    finally:
        module.unlink()


# --- its death costs nothing ----------------------------------------------------------------------


def test_the_death_of_a_shared_zygote_at_any_moment_costs_no_kernel(own: Lab) -> None:
    """One that is being made is made again, by another one; one that runs goes on."""
    chance = random.Random(7)
    assert isinstance(own.kernels, ForkKernels)
    own.kernels.prepare(1)
    for number in range(6):
        victim = zygote_of(own)
        killer = threading.Timer(chance.uniform(0, 0.15), os.kill, (victim, signal.SIGKILL))
        if number % 2 == 0:
            killer.start()
        assert own.run(f"print('done', {number})") == f"done {number}"
        killer.cancel()
    assert own.kernels.kind in ("fork", "spawn")


def test_another_zygote_takes_over_when_a_shared_one_has_died(own: Lab) -> None:
    """At once, and it forks."""
    shared = zygote_of(own)
    process = psutil.Process(shared)
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert int(own.run(PARENT)) == zygote_of(own) != shared
    assert own.kernels.kind == "fork"


def test_a_stopped_zygote_is_passed_over(env: dict[str, str], tmp_path: Path) -> None:
    """It does not answer, and an own one does."""
    pid = leave_zygote(env)
    os.kill(pid, signal.SIGSTOP)
    try:
        with open_kernels("fork", preload=(), env=env, warm=True) as kernels:
            assert int(Lab(kernels=kernels, folder=tmp_path, env=env).run(PARENT)) != pid
    finally:
        os.kill(pid, signal.SIGKILL)


RUN = """
import asyncio, sys
sys.path[:0] = [{root!r}]
from pathlib import Path
from mlkit.notebook.kernels import open_kernels
from tests.notebook.kernels.conftest import Lab, execute
import os
env = dict(os.environ)
kernels = open_kernels("fork", preload=(), env=env, warm=True)
kernels.prepare(1)
lab = Lab(kernels=kernels, folder=Path.cwd(), env=env)
print(kernels._zygote.pid, asyncio.run(execute(lab.manager(), {cell!r})), flush=True)
sys.stdin.read()
"""
CELL = """
import os, subprocess
apart = subprocess.Popen(["sleep", "300"], start_new_session=True)
print(os.getpid(), apart.pid)
"""


def test_a_killed_run_takes_its_kernels_along_and_nothing_else(own: Lab, tmp_path: Path) -> None:
    """Neither the zygote that it shares nor another run's kernels."""
    shared = zygote_of(own)
    mine = own.manager()
    kernel = asyncio.run(execute(mine, "import os; print(os.getpid())"))
    program = RUN.format(root=str(Path(__file__).parents[3]), cell=CELL)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=dict(own.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        zygote, *others = map(int, run.stdout.readline().split())
        theirs = [psutil.Process(pid) for pid in others]
        run.kill()
    wait_until(lambda: not any(map(is_alive, theirs)))
    assert is_alive(psutil.Process(int(kernel)))
    if zygote == shared:  # unless another test has installed something meanwhile
        assert is_alive(psutil.Process(shared))
        family = psutil.Process(shared).children(recursive=True)
        assert {each.pid for each in family if is_alive(each)} == {int(kernel)}
    asyncio.run(end_kernel(mine))
