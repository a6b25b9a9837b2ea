"""What holds for every kernel, forked or stock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import threading
import time
from collections.abc import Awaitable
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import AsyncKernelManager

from mlkit.notebook.kernels import end_kernel, interrupt, kill, wait_dead
from mlkit.notebook.kernels.manager import LeashedKernelManager

from .conftest import SECONDS, Lab, execute

pytestmark = pytest.mark.kernel


def within(seconds: float, wait: Awaitable[int]) -> Awaitable[int]:
    """A deadline for a wait."""
    return asyncio.wait_for(wait, timeout=seconds)


def gone(pid: int) -> bool:
    """Whether a process has ended, leaving no zombie of ours."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE and os.getpid() not in {
            parent.pid for parent in psutil.Process(pid).parents()[:1]
        }
    except psutil.NoSuchProcess:
        return True


def until(true: object, seconds: float = 10.0) -> None:
    """Wait for a condition that another process brings about."""
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def test_a_kernel_has_the_environment_and_directory_of_its_request(lab: Lab) -> None:
    """Both are the request's, whatever the driver's are."""
    place = lab.folder / "a place"
    place.mkdir()
    printed = lab.run(
        "import os; print(os.getcwd(), os.environ['COLOUR'], os.environ.get('SHELL_ONLY'))",
        env={"COLOUR": "green"},
        cwd=place,
    )
    assert printed == f"{place} green None"


def test_variables_of_one_kernel_do_not_reach_the_next(lab: Lab) -> None:
    """Neither through the environment nor through the namespace."""
    lab.run("import os; os.environ['LEFT_BEHIND'] = '1'; left_behind = 1")
    probe = "import os; print('LEFT_BEHIND' in os.environ, 'left_behind' in globals())"
    assert lab.run(probe) == "False False"


def test_pythonpath_of_the_request_is_first_on_the_search_path(lab: Lab) -> None:
    """A project's modules are found, also in the kernel's own subprocesses."""
    project = lab.folder / "project"
    project.mkdir()
    (project / "house_rules.py").write_text("ANSWER = 42\n")
    cell = (
        "import house_rules, subprocess, sys; print(house_rules.ANSWER, sys.path[0])\n"
        "ask = 'import house_rules; print(house_rules.ANSWER)'\n"
        "print(subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True).stdout)"
    )
    printed = lab.run(cell, env={"PYTHONPATH": str(project)})
    assert printed.split() == ["42", str(project), "42"]


def test_raw_output_is_appended_to_the_log(lab: Lab) -> None:
    """What compiled code or a subprocess writes to the descriptors lands in the file."""
    (lab.folder / "log.txt").write_text("before\n")
    lab.run("import os; os.write(1, b'from below\\n'); os.write(2, b'and an error\\n');")
    log = (lab.folder / "log.txt").read_text()
    assert log.startswith("before\n")
    assert "from below\n" in log
    assert "and an error\n" in log


def test_raw_output_just_before_the_end_is_not_lost(forked: Lab) -> None:
    """It goes through a pipe, which is emptied before the process leaves."""
    for _ in range(5):
        (forked.folder / "log.txt").write_text("")
        forked.run("import os\nfor _ in range(2000): os.write(1, b'from below\\n')\n")
        assert (forked.folder / "log.txt").read_text() == "from below\n" * 2000


def test_an_undisturbed_kernel_leaves_an_empty_log(lab: Lab) -> None:
    """No debugger's warning, no word about transports."""
    lab.run("import sys; print(sys.version)")
    assert (lab.folder / "log.txt").read_text() == ""


def test_main_is_the_notebook_and_children_by_spawn_and_fork_work(lab: Lab) -> None:
    """Pickling, multiprocessing and `__main__` behave as in any kernel."""
    cell = (
        "import __main__, multiprocessing, operator, pickle\n"
        "class Thing: pass\n"
        "assert isinstance(pickle.loads(pickle.dumps(Thing())), __main__.Thing)\n"
        "for how in ('spawn', 'fork'):\n"
        "    with multiprocessing.get_context(how).Pool(2) as pool:\n"
        "        print(pool.map(operator.neg, [1, 2, 3]))"
    )
    assert lab.run(cell).splitlines() == ["[-1, -2, -3]", "[-1, -2, -3]"]


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("import os; os._exit(7)", 7),
        ("import ctypes; ctypes.string_at(0)", -11),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
    ids=["os._exit", "segmentation fault", "killed, as for want of memory"],
)
def test_a_dead_kernel_is_noticed_at_once_with_its_status(lab: Lab, cell: str, status: int) -> None:
    """The exit status arrives, and within a tenth of a second on a quiet machine."""

    async def die(manager: LeashedKernelManager) -> tuple[int, float]:
        await execute(manager, "import faulthandler; faulthandler.disable()")
        client = manager.client()
        client.start_channels()
        started = time.monotonic()
        client.execute(cell)
        found = await within(SECONDS, wait_dead(manager))
        client.stop_channels()
        return found, time.monotonic() - started

    manager = lab.manager()
    found, seconds = asyncio.run(die(manager))
    asyncio.run(end_kernel(manager))
    assert found == status
    assert seconds < 2.0  # jupyter_client looks every second


def test_an_interrupt_from_another_thread_stops_the_cell(lab: Lab) -> None:
    """The cell ends with KeyboardInterrupt, and the kernel goes on."""
    manager = lab.manager()
    flag = lab.folder / "started"

    def press() -> None:
        until(flag.exists)
        time.sleep(0.05)
        interrupt(manager)

    presser = threading.Thread(target=press)
    presser.start()
    cell = f"import pathlib, time; pathlib.Path({str(flag)!r}).touch(); time.sleep(60)"
    printed = asyncio.run(lab.run_in(manager, cell, "print('still here')"))
    presser.join()
    assert printed.startswith("KeyboardInterrupt")
    assert printed.endswith("still here")


def test_kill_from_another_thread_ends_a_kernel_that_ignores_everything(lab: Lab) -> None:
    """No cell can withstand it."""
    manager = lab.manager()
    flag = lab.folder / "started"

    def shoot() -> None:
        until(flag.exists)
        kill(manager)

    shooter = threading.Thread(target=shoot)
    shooter.start()
    stubborn = (
        "import pathlib, signal, time\n"
        "for each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, signal.SIG_IGN)\n"
        f"pathlib.Path({str(flag)!r}).touch()\n"
        "time.sleep(60)"
    )

    async def run() -> int:
        running = asyncio.ensure_future(execute(manager, stubborn))
        try:
            while not manager.has_kernel:
                await asyncio.sleep(0.01)
            return await within(SECONDS, wait_dead(manager))
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    assert asyncio.run(run()) == -9
    shooter.join()
    asyncio.run(end_kernel(manager))


def test_a_kernel_that_does_not_go_is_killed_after_the_grace(lab: Lab) -> None:
    """`end_kernel` has a hard deadline."""
    manager = lab.manager()

    async def run() -> float:
        await execute(manager, "import os; pid = os.getpid()")
        client = manager.client()
        client.start_channels()
        flag = lab.folder / "started"
        client.execute(
            "import pathlib, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            f"pathlib.Path({str(flag)!r}).touch(); time.sleep(60)"
        )
        await asyncio.to_thread(until, flag.exists)
        client.stop_channels()
        started = time.monotonic()
        await end_kernel(manager, grace_s=0.3)
        return time.monotonic() - started

    assert 0.3 <= asyncio.run(run()) < 5.0


def test_the_end_takes_leftover_subprocesses_along(lab: Lab) -> None:
    """Also one that has left the session, and one whose parent has ended; no zombie of ours."""
    cell = (
        "import subprocess, sys, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)  # a kernel has threads, and forks\n"
        "kept = subprocess.Popen(['sleep', '300'])\n"
        "apart = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "orphan = subprocess.run([sys.executable, '-c', "
        '\'import subprocess as s; print(s.Popen(["sleep", "300"], stdout=s.DEVNULL, '
        "stderr=s.DEVNULL, start_new_session=True).pid)'], capture_output=True, text=True).stdout\n"
        "import os, time\n"
        "forked = os.fork()\n"
        "if not forked: os.setsid(); time.sleep(300)\n"
        "print(kept.pid, apart.pid, orphan, forked)"
    )
    pids = [int(word) for word in lab.run(cell).split()]
    assert len(pids) == 4
    until(lambda: all(gone(pid) for pid in pids))


def test_exit_handlers_run_and_open_files_are_flushed(lab: Lab) -> None:
    """The fast exit of a forked kernel loses nothing that a stock kernel keeps."""
    cell = (
        "import atexit, pathlib, weakref\n"
        "class Thing: pass\n"
        "thing = Thing(); thing.itself = thing\n"
        "weakref.finalize(thing, pathlib.Path('finalized').touch)\n"
        "atexit.register(pathlib.Path('exited').touch)\n"
        "unclosed = open('unclosed.txt', 'w'); print('kept', end='', file=unclosed)"
    )
    lab.run(cell)
    assert (lab.folder / "finalized").exists()
    assert (lab.folder / "exited").exists()
    assert (lab.folder / "unclosed.txt").read_text() == "kept"


def test_sockets_and_connection_file_are_private_and_go_with_the_kernel(lab: Lab) -> None:
    """Nobody else can reach the kernel, and nothing of it stays."""
    manager = lab.manager()

    async def look() -> dict[str, int]:
        await execute(manager, "1")
        folder = Path(manager.connection_file).parent
        modes = {"folder": stat.S_IMODE(folder.stat().st_mode) & 0o777}
        modes["file"] = stat.S_IMODE(Path(manager.connection_file).stat().st_mode)
        return modes

    modes = asyncio.run(look())
    key = json.loads(Path(manager.connection_file).read_text())["key"]
    asyncio.run(end_kernel(manager))
    assert modes == {"folder": 0o700, "file": 0o600}
    assert len(key) >= 32
    assert list(manager.address.stem.parent.glob(f"{manager.address.serial}[-.]*")) == []


def test_ending_twice_and_ending_what_never_started_are_fine(lab: Lab) -> None:
    """So a caller can end in a `finally` without asking."""
    manager = lab.manager()
    asyncio.run(end_kernel(manager))
    again = lab.manager()
    asyncio.run(lab.run_in(again, "1"))
    asyncio.run(end_kernel(again))


def test_twenty_kernels_at_once_in_threads_keep_apart(lab: Lab) -> None:
    """Each attempt has a thread and an event loop of its own."""
    count = 20 if lab.kernels.kind == "fork" else 4
    places = [lab.folder / str(number) for number in range(count)]
    printed = [""] * count

    def attempt(number: int) -> None:
        places[number].mkdir()
        cell = "import os; print(os.environ['NUMBER'], os.path.basename(os.getcwd()))"
        printed[number] = lab.run(cell, env={"NUMBER": str(number)}, cwd=places[number])

    threads = [threading.Thread(target=attempt, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert printed == [f"{number} {number}" for number in range(count)]


def test_a_manager_of_somebody_else_is_refused() -> None:
    """It has no leash to pull."""
    with pytest.raises(TypeError, match="not made by mlkit"):
        kill(AsyncKernelManager())
