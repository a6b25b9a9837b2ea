"""What forking could break, and does not: each test is something that it did break once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mlkit.notebook.kernels import KernelKind, end_kernel, open_kernels, wait_dead
from mlkit.notebook.kernels.kernel_process import UNKNOWN, ForkedProcess
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.notebook.kernels.mlkit_zygote.preload import AT_THE_END, KERNEL_MODULES, OURS

from .conftest import Lab, execute, start_environment

pytestmark = pytest.mark.kernel

STOCK = "import os; print('spawn' if os.environ['JPY_PARENT_PID'] == str(os.getppid()) else 'fork')"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Lab]:
    """Forked kernels of this test alone, for tests that harm the zygote."""
    said: list[str] = []
    with open_kernels("fork", env=start_environment(), say=said.append) as kernels:
        yield Lab(kernels=kernels, folder=tmp_path, said=said)


def test_the_kernels_are_forked_indeed(forked: Lab) -> None:
    """Without this test, the others could pass on stock kernels."""
    assert forked.run(STOCK) == "fork"
    assert forked.kernels.kind == "fork"


def test_preloaded_modules_are_there_and_others_are_not(forked: Lab) -> None:
    """A kernel finds its imports done at the moment when it imports, and nothing before."""
    cell = "import sys; print('pandas' in sys.modules, 'pandas' in globals())"
    assert forked.run(cell) == "False False"
    cell = (
        "import gc, {0}\n"
        "print(not any(each is vars({0}) for each in gc.get_objects()), '{0}' in sys.modules)"
    )
    for name, is_ahead in (("pandas", True), ("yaml", False)):
        assert forked.run("import sys", cell.format(name)) == f"{is_ahead} True"


def test_of_mlkit_only_what_every_notebook_calls_is_imported_beforehand(forked: Lab) -> None:
    """A project's modules, and mlkit counts as one here, are imported by the notebook alone."""
    cell = "import sys; print(*[name for name in sys.modules if name.startswith('mlkit')])"
    imported = set(forked.run(cell).split())
    assert {name for name in imported if not name.startswith("mlkit.inside")} <= {
        "mlkit",
        "mlkit.errors",
    }


def test_a_kernel_imports_little_on_its_way_to_the_first_cell(forked: Lab) -> None:
    """What ipykernel imports late is imported ahead too, by a list that a new release may outdate.

    What was imported ahead is frozen, and so not among the objects that the collector tracks.
    """
    cell = (
        "import gc, sys, types\n"
        "late = {id(each) for each in gc.get_objects() if isinstance(each, types.ModuleType)}\n"
        "print(*[name for name, each in list(sys.modules.items()) if id(each) in late])"
    )
    late = forked.run(cell).split()
    assert "__main__" in late
    assert len(late) < 10, late


def test_a_notebook_can_import_the_debugger_that_its_kernel_does_without(forked: Lab) -> None:
    """It was hidden from ipykernel only."""
    cell = "import sys; print('debugpy' in sys.modules); import debugpy; print(debugpy.__name__)"
    assert forked.run(cell).split() == ["False", "debugpy"]


def test_random_streams_differ_between_kernels(forked: Lab) -> None:
    """The zygote's state would give every kernel the same numbers."""
    cell = "import random, numpy as np; print(random.random(), np.random.rand())"
    one, other = forked.run(cell).split(), forked.run(cell).split()
    assert one[0] != other[0]
    assert one[1] != other[1]


def test_the_hash_seed_is_the_one_that_was_asked_for(forked: Lab) -> None:
    """It is fixed when an interpreter starts: with another seed the kernel is a stock one."""
    cell = f"print(hash('a'));{STOCK}"
    ask = [sys.executable, "-c", "print(hash('a'))"]
    for seed, kind in (("0", "fork"), ("7", "spawn")):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        expected = subprocess.run(ask, env=env, capture_output=True, text=True, check=True).stdout
        assert forked.run(cell, env={"PYTHONHASHSEED": seed}).split() == [expected.strip(), kind]
    assert any("PYTHONHASHSEED" in line for line in forked.said)


def test_thread_counts_that_differ_give_a_stock_kernel(forked: Lab) -> None:
    """They are read when a library is loaded."""
    assert forked.run(STOCK, env={"OMP_NUM_THREADS": "3"}) == "spawn"


def test_a_request_that_rules_preloading_out_gets_a_stock_kernel(forked: Lab) -> None:
    """For notebooks that set the environment before they import."""
    assert forked.run(STOCK, preload_ok=False) == "spawn"


def test_plots_are_inline(lab: Lab) -> None:
    """Matplotlib chooses its backend when it is imported."""
    cell = "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()"
    assert "image/png" in lab.run(cell)


def test_the_backend_of_the_request_is_obeyed(lab: Lab) -> None:
    """MPLBACKEND may differ from kernel to kernel."""
    cell = (
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()\n"
        "print(plt.get_backend().lower())"
    )
    assert lab.run(cell, env={"MPLBACKEND": "agg"}).endswith("agg")


def test_pandas_shows_as_many_columns_as_in_any_kernel(lab: Lab) -> None:
    """It asks at import whether it runs in a notebook."""
    cell = "import pandas as pd; print(pd.get_option('display.max_columns'))"
    assert lab.run(cell) == "20"


def test_the_environment_of_imports_is_repeated(lab: Lab) -> None:
    """scikit-learn sets KMP_ variables when it is imported; OpenMP in subprocesses reads them."""
    cell = "import os, sklearn; print(os.environ['KMP_DUPLICATE_LIB_OK'])"
    assert lab.run(cell) == "True"


def test_a_relative_working_directory_is_meant_from_the_driver(
    forked: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zygote stands elsewhere."""
    (forked.folder / "inner").mkdir()
    monkeypatch.chdir(forked.folder)
    printed = forked.run("import os; print(os.getcwd())", cwd=Path("inner"))
    assert printed == str(forked.folder / "inner")


def test_the_temporary_folder_and_the_time_zone_follow_the_request(forked: Lab) -> None:
    """Both are remembered by the interpreter once they were asked for."""
    (forked.folder / "tmp").mkdir()
    cell = "import tempfile, time; print(tempfile.gettempdir(), time.timezone)"
    env = {"TMPDIR": str(forked.folder / "tmp"), "TZ": "Etc/GMT-5"}
    assert forked.run(cell, env=env).split() == [env["TMPDIR"], "-18000"]


def test_a_spare_kernel_gets_directory_environment_and_log_like_any_other(own: Lab) -> None:
    """It was booted before any of them was known."""
    prepare_one(own)
    manager = own.manager({"COLOUR": "green", "TZ": "Etc/GMT-5"})
    waiting = getattr(manager.provisioner, "spare", None)
    assert isinstance(waiting, ForkedProcess)
    cell = (
        "import os, time; print(os.getpid(), os.getcwd(), os.environ['COLOUR'], time.timezone)\n"
        "print(get_ipython().starting_dir, _dh[-1]); os.write(2, b'a word\\n');"
    )
    printed = asyncio.run(own.run_in(manager, cell)).split()
    place = str(own.folder)
    assert printed[1:] == [place, "green", "-18000", place, place, "a", "word"]
    assert int(printed[0]) == waiting.pid
    assert (own.folder / "log.txt").read_text() == "a word\n"


def test_a_spare_kernel_has_the_variables_that_kernels_set_at_their_start(own: Lab) -> None:
    """The same ones as a stock kernel: programs that a notebook calls get no pager, and colours."""
    prepare_one(own)
    env = {"PAGER": "less", "TERM": "dumb"}
    names = ("TERM", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "PAGER", "GIT_PAGER")
    cell = f"import os; print(*(os.environ.get(name) for name in {names}));{STOCK}"
    with open_kernels("spawn") as stock:
        expected = Lab(kernels=stock, folder=own.folder).run(cell, env=env)
    manager = own.manager(env)
    assert isinstance(getattr(manager.provisioner, "spare", None), ForkedProcess)
    assert expected.endswith("spawn")
    assert asyncio.run(own.run_in(manager, cell)) == expected.replace("spawn", "fork")


def test_another_home_rules_a_spare_kernel_out_but_not_forking(own: Lab) -> None:
    """IPython's profile is read while a kernel boots."""
    prepare_one(own)
    home = own.folder / "home"
    home.mkdir()
    cell = f"from pathlib import Path; print(Path.home());{STOCK}"
    assert own.run(cell, env={"HOME": str(home)}).split() == [str(home), "fork"]


def test_startup_files_run_in_the_surroundings_of_the_request(own: Lab) -> None:
    """They are somebody's code, so they run in the kernel and never in the zygote."""
    startup = own.folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os\nseen = os.environ['COLOUR'], os.getcwd()\n")
    env = {"IPYTHONDIR": str(own.folder / "ipython"), "COLOUR": "red"}
    assert own.run("print(*seen)", env=env) == f"red {own.folder}"


def test_a_killed_zygote_is_noticed_and_stock_kernels_take_over(own: Lab) -> None:
    """The running kernel outlives it, later ones are stock, and it is said once."""
    zygote = zygote_of(own)

    async def bereave() -> str:
        manager = own.manager()
        await execute(manager, "here = 'still'")
        os.kill(zygote, signal.SIGKILL)
        psutil.Process(zygote).wait(timeout=10)
        return await own.run_in(manager, f"print(here);{STOCK}")

    assert asyncio.run(bereave()).split() == ["still", "fork"]
    assert own.run(STOCK) == "spawn"
    assert own.run(STOCK) == "spawn"
    assert own.kernels.kind == "spawn"
    assert len(own.said) == 1
    assert "stock kernels are used" in own.said[0]


@pytest.mark.parametrize(
    ("end", "status"), [("import os; os._exit(3)", UNKNOWN), ("exit()", 0)], ids=["died", "left"]
)
def test_the_end_of_an_orphan_is_noticed_and_its_status_may_be_unknown(
    own: Lab, end: str, status: int
) -> None:
    """Nobody is there to collect it, but a descriptor of the process tells of its end at once."""
    zygote = zygote_of(own)

    async def bereave() -> int:
        manager = own.manager()
        await execute(manager, "1")
        os.kill(zygote, signal.SIGKILL)
        psutil.Process(zygote).wait(timeout=10)
        client = manager.client()
        client.start_channels()
        client.execute(end)
        found = await asyncio.wait_for(wait_dead(manager), timeout=10)
        client.stop_channels()
        await end_kernel(manager)
        return found

    assert asyncio.run(bereave()) == status


def test_a_kernel_that_is_being_made_when_its_zygote_dies_is_made_again(
    tmp_path: Path, package: Callable[[str], str]
) -> None:
    """As a stock one; its notebook has not begun."""
    slow = package("import time; time.sleep(60)")
    with open_kernels("fork", preload=[slow], env=start_environment()) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        threading.Timer(1.5, os.kill, (zygote_of(lab), signal.SIGKILL)).start()
        assert lab.run(STOCK) == "spawn"


def test_an_orphan_dies_with_its_driver(tmp_path: Path) -> None:
    """Even when zygote and warden are gone before it."""
    program = (
        "import asyncio, os, signal, sys, psutil\n"
        "from pathlib import Path\n"
        "from mlkit.notebook.kernels import KernelRequest, open_kernels\n"
        "kernels = open_kernels('fork', env=dict(os.environ))\n"
        "manager = kernels.manager(KernelRequest(\n"
        "    cwd=Path.cwd(), env=dict(os.environ), log=Path('log.txt')))\n"
        "asyncio.run(manager.start_kernel())\n"
        "print(manager.provisioner.pid, flush=True)\n"
        "for child in psutil.Process().children():\n"
        "    child.kill(); child.wait()\n"
        "assert psutil.pid_exists(manager.provisioner.pid)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=start_environment(), capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_zygote_killed_between_two_kernels_costs_nothing_but_time(own: Lab) -> None:
    """Also when a spare kernel was waiting, which dies with it."""
    prepare_one(own)
    assert own.run(STOCK) == "fork"
    spare = psutil.Process(zygote_of(own)).children()
    os.kill(zygote_of(own), signal.SIGKILL)
    psutil.wait_procs(spare, timeout=10)
    assert own.run(STOCK) == "spawn"


@pytest.fixture
def package() -> Iterator[Callable[[str], str]]:
    """Install a module with some code, for as long as the test lasts; gives its name."""
    made: list[Path] = []

    def install(code: str) -> str:
        name = f"mlkit_test_{uuid.uuid4().hex}"
        made.append(Path(sysconfig.get_path("purelib")) / f"{name}.py")
        made[-1].write_text(code)
        return name

    yield install
    for path in made:
        path.unlink()


def _quick(name: str) -> str:
    """A cell that tells whether a module that takes two seconds is imported at once."""
    return (
        f"import time; _then = time.monotonic(); import {name}; print(time.monotonic() - _then < 1)"
    )


STARTS_A_THREAD = """
import threading, time
time.sleep(1)
threading.Thread(target=time.sleep, args=[60], daemon=True).start()
"""


def test_threads_after_the_imports_rule_forking_out(
    tmp_path: Path, package: Callable[[str], str]
) -> None:
    """Such a module is no rare thing; locks held by its threads would stay locked for ever."""
    said: list[str] = []
    preload = [package(STARTS_A_THREAD)]
    with open_kernels("fork", preload=preload, env=start_environment(), say=said.append) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        assert lab.run(STOCK) == "spawn"
    assert len(said) == 1
    assert "threads are alive" in said[0]


def test_a_kernel_forked_before_such_a_module_was_imported_lives_on(
    tmp_path: Path, package: Callable[[str], str]
) -> None:
    """Only those that come later are stock."""
    said: list[str] = []
    preload = [package(STARTS_A_THREAD)]
    with open_kernels("fork", preload=preload, env=start_environment(), say=said.append) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        early = lab.manager(imports=frozenset())
        assert asyncio.run(execute(early, STOCK)) == "fork"
        assert lab.run(STOCK) == "spawn"
        assert asyncio.run(lab.run_in(early, "print('alive')")) == "alive"
    assert len(said) == 1


def test_a_kernel_does_not_wait_for_imports_that_it_does_not_need(
    tmp_path: Path, package: Callable[[str], str]
) -> None:
    """The zygote forks between two imports, and goes on."""
    slow = package("import time; time.sleep(2)")
    probe = _quick(slow)
    with open_kernels("fork", preload=[slow], env=start_environment()) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        assert lab.run(probe, imports=frozenset()) == "False"
        assert lab.run(probe, imports=frozenset({slow})) == "True"
        assert lab.run(f"{probe};{STOCK}").split() == ["True", "fork"]


def test_the_first_requests_have_kernels_as_soon_as_their_own_imports_are_there(
    tmp_path: Path, package: Callable[[str], str]
) -> None:
    """They are used for requests that import no more than that; others get a complete kernel."""
    slow = package("import time; time.sleep(2)")
    probe = (
        "import os, sys; finder = next(f for f in sys.meta_path if type(f).__name__ == 'Hidden')\n"
        f"print({slow!r} in finder, os.getpid())"  # to import it here would take two seconds
    )
    with open_kernels("fork", preload=[slow], env=start_environment()) as kernels:
        assert isinstance(kernels, ForkKernels)
        lab = Lab(kernels=kernels, folder=tmp_path)
        kernels.prepare(first=[frozenset(), frozenset()])
        early, other, complete = (spare.process for spare in kernels._spares)
        assert lab.run(probe, imports=frozenset()).split() == ["False", str(early.pid)]
        assert lab.run(probe, imports=frozenset({slow})).split()[0] == "True"
        assert lab.run(probe).split() == ["True", str(complete.pid)]
        assert lab.run(probe, imports=frozenset()).split() == ["False", str(other.pid)]


def test_a_module_that_fails_is_left_out_and_said(forked: Lab) -> None:
    """The others are preloaded all the same."""
    forked.run("1")
    assert any("no_such_module_anywhere" in line for line in forked.said)


def test_what_a_kernel_imports_by_itself_may_be_preloaded_too(tmp_path: Path) -> None:
    """A notebook that imports gzip, or the collector, takes nothing away from the zygote."""
    said: list[str] = []
    preload = sorted({*KERNEL_MODULES, *AT_THE_END, *OURS, "numpy", "os"})
    with open_kernels("fork", preload=preload, env=start_environment(), say=said.append) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        early = lab.run(STOCK, imports=frozenset({"gzip"}))
        assert (early, lab.run(STOCK), lab.run(f"import gc, gzip;{STOCK}")) == ("fork",) * 3
        assert kernels.kind == "fork"
    assert [line for line in said if "debugpy" not in line] == []


def test_a_module_of_the_project_is_not_preloaded(tmp_path: Path) -> None:
    """Its code may change between two kernels, and may do things when it is imported."""
    (tmp_path / "house_rules.py").write_text("raise SystemExit('imported ahead')\n")
    env = {**start_environment(), "PYTHONPATH": str(tmp_path)}
    said: list[str] = []
    with open_kernels("fork", preload=["house_rules"], env=env, say=said.append) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        assert lab.run(f"import sys; print('house_rules' in sys.modules);{STOCK}") == "False\nfork"
    assert said == []


def test_no_zombie_stays_while_the_driver_lives(own: Lab) -> None:
    """The zygote collects its kernels, and their orphans too."""
    leave = (
        "import subprocess as s, sys\n"
        "s.run([sys.executable, '-c', \"import subprocess as s; s.Popen(['sleep', '300'])\"]);"
    )
    for _ in range(3):
        own.run(leave)
    zygote = psutil.Process(zygote_of(own))
    deadline = time.monotonic() + 10
    while zygote.children(recursive=True) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert zygote.children(recursive=True) == []


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_closing_ends_kernels_that_still_run(kind: KernelKind, tmp_path: Path) -> None:
    """A driver that is interrupted closes in the middle of cells."""
    with open_kernels(kind, env=start_environment()) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        pid = int(asyncio.run(execute(lab.manager(), "import os; print(os.getpid())")))
    assert not psutil.pid_exists(pid)


def prepare_one(lab: Lab) -> None:
    """Wait until a spare kernel has been forked."""
    assert isinstance(lab.kernels, ForkKernels)
    lab.kernels.prepare(1)
    spare = lab.kernels._spares[0].process
    deadline = time.monotonic() + 30
    while spare.poll() is None and not spare.pid and time.monotonic() < deadline:
        time.sleep(0.01)


def zygote_of(lab: Lab) -> int:
    """The zygote's process id."""
    assert isinstance(lab.kernels, ForkKernels)
    return lab.kernels._zygote.pid


def test_elsewhere_than_on_linux_kernels_are_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so."""
    monkeypatch.setattr(sys, "platform", "darwin")
    said: list[str] = []
    with open_kernels("fork", say=said.append) as kernels:
        assert kernels.kind == "spawn"
    assert said == ["kernels are not forked on darwin; stock kernels are used"]


def test_spawn_is_obeyed_in_silence() -> None:
    """Who asks for stock kernels gets them."""
    said: list[str] = []
    with open_kernels("spawn", say=said.append) as kernels:
        kernels.prepare(3)
        assert kernels.kind == "spawn"
    assert said == []


def test_opening_imports_neither_jupyter_nor_papermill() -> None:
    """So the zygote's imports and the driver's go on at the same time."""
    program = (
        "import sys; from mlkit.notebook.kernels import open_kernels\n"
        "open_kernels('fork').close()\n"
        "print({'zmq', 'jupyter_client', 'papermill', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() in {"set()", "{'asyncio'}"}
