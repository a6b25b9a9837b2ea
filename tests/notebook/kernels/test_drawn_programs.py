"""Programs and surroundings that nobody has thought of: forked kernels print what stock ones do.

Both are drawn from a seed. `test_same_as_stock.py` has the programs that somebody has thought of.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkit.notebook.kernels.mlkit_zygote.tried import TRIED

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[3]
SEED = "MLKIT_DRAWN_SEED"
LONG = 8

IMPORTS = (
    *(f"import {name}" for name in sorted(TRIED)),
    "import pandas as pd",
    "import numpy.random",
    "import matplotlib.pyplot as plt",
    "from mpl_toolkits.mplot3d import Axes3D",
    "from sklearn.ensemble import RandomForestClassifier",
    "from sklearn.linear_model import LogisticRegression",
    "from sklearn.model_selection import train_test_split",
    "import scipy.stats, scipy.optimize",
    "import sympy.stats",
    "import pyarrow.parquet",
    "import mlflow.sklearn",
    "import opentelemetry.trace",
    "from google.protobuf import message",
    "import PIL.ImageDraw",
    "import concurrent.futures",
    "from concurrent.futures import ThreadPoolExecutor",
    "import xml.dom.minidom",
    "import multiprocessing.pool",
    "import secrets, decimal, sqlite3, zoneinfo, unittest.mock",
)
DEEDS = (
    "import random; random.seed(5); print(random.random())",
    "import random; print(random.Random(3).random())",
    "import numpy; numpy.random.seed(4); print(numpy.random.rand())",
    "import numpy; print(numpy.random.default_rng(8).random())",
    "import scipy.stats; print(scipy.stats.norm.rvs(random_state=3))",
    "import sympy; sympy.core.random.seed(3); print(sympy.core.random.random())",
    "import os; os.environ['MY_OWN'] = 'x'",
    "%env MY_OTHER=y",
    "import os; os.environ.pop('MY_OWN', None)",
    "import logging; logging.basicConfig(level='INFO', force=True)",
    "import logging; logging.getLogger('mine').setLevel('DEBUG')",
    "import warnings; warnings.simplefilter('ignore', UserWarning)",
    "import gc; gc.collect(); print(gc.isenabled())",
    "import sys; sys.path.append('/nowhere')",
    "import os; os.chdir('/')",
    "import decimal; decimal.getcontext().prec = 9",
    "def f(x): return x\nimport pickle; print(pickle.loads(pickle.dumps(f)) is f)",
    "import atexit; _ = atexit.register(print, 'at the end')",
    "import asyncio; await asyncio.sleep(0)",
    "import threading; t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()",
    "import subprocess; print(subprocess.run(['sh', '-c', 'umask; ulimit -n; echo $MY_OWN'],"
    " capture_output=True, text=True).stdout)",
)
PLACES = "('JPY_PARENT_PID', 'MLKIT_LEASH')"
OF_DEBUGGER_AND_MLFLOW = "('PYDEVD_USE_FRAME_EVAL', '_MLFLOW_TELEMETRY_SESSION_ID')"
# The debugger and what it brings; what importlib_metadata imports at its first search.
UNLIKE = "('debugpy', 'pydev', '_pydev', '_cy', 'xmlrpc', 'ipykernel.debugger', 'zipp')"
LOOKS = (
    f"""
    import sys
    print(*sorted(name for name in sys.modules if not name.startswith({UNLIKE})), sep='\\n')
    """,
    f"""
    import sys
    for name, module in sorted(sys.modules.items()):
        package, _, part = name.rpartition('.')
        if package and not name.startswith({UNLIKE}):
            print(name, getattr(sys.modules.get(package), part, None) is module)
    """,
    f"""
    import os
    for name in sorted(os.environ.keys() - set({OF_DEBUGGER_AND_MLFLOW})):
        print(name, "" if name in {PLACES} else os.environ[name])
    """,
    """
    import signal
    for each in sorted(signal.valid_signals()):
        print(int(each), str(signal.getsignal(each)).partition(' at ')[0])
    print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getitimer(0))
    """,
    """
    import resource
    for name in sorted(dir(resource)):
        if name.startswith('RLIMIT_'):
            print(name, resource.getrlimit(getattr(resource, name)))
    """,
    """
    import os
    print(os.getcwd(), os.umask(0o22), os.nice(0), os.getsid(0) == os.getpid())
    print(os.sched_getaffinity(0), os.sched_getscheduler(0))
    status = dict(line.split(':', 1) for line in open('/proc/self/status'))
    for name in ('Groups', 'CapEff', 'NoNewPrivs', 'Seccomp', 'SigBlk', 'SigIgn', 'SigPnd'):
        print(name, status[name].strip())
    """,
    """
    import sys, warnings
    print(sys.flags, sys.warnoptions, sys._xoptions, sys.path, len(sys.argv))
    print(sys.getrecursionlimit(), sys.getdlopenflags(), sys.get_int_max_str_digits())
    for each in warnings.filters:
        print(each[0], each[1], each[2].__name__, each[3], each[4])
    """,
    """
    import sys
    for name in ('stdin', 'stdout', 'stderr', '__stdin__', '__stdout__', '__stderr__'):
        each = getattr(sys, name)
        print(name, type(each).__name__, each and (each.encoding, each.errors, each.isatty()))
    """,
    """
    import locale, time, tempfile
    print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), time.tzname)
    print(tempfile.gettempdir())
    """,
    """
    import logging
    print(logging.root.level, [type(each).__name__ for each in logging.root.handlers])
    for name, each in sorted(logging.root.manager.loggerDict.items()):
        print(name, type(each).__name__, getattr(each, 'disabled', ''))
    """,
    """
    import asyncio, threading, faulthandler, gc, sys
    loop = asyncio.get_running_loop()
    print(type(loop).__name__, loop.get_debug(), type(asyncio.get_event_loop_policy()).__name__)
    print(threading.current_thread().name, threading.stack_size(), faulthandler.is_enabled())
    print(gc.isenabled(), gc.get_threshold(), sys.gettrace(), sys.getprofile())
    """,
    """
    main = __import__('sys').modules['__main__']
    print(sorted(name for name in vars(main) if not name.startswith('_') or name.endswith('__')))
    print(main.__name__, main.__doc__, main.__package__, main.__spec__, hasattr(main, '__file__'))
    """,
    """
    shell = get_ipython()
    print(type(shell).__name__, shell.history_manager.hist_file, shell.colors, shell.autocall)
    print({name: [f.__qualname__ for f in each] for name, each in shell.events.callbacks.items()})
    for kind, each in sorted(shell.magics_manager.magics.items()):
        print(kind, *sorted(each))
    """,
    """
    import matplotlib
    print(matplotlib.get_backend(), matplotlib.is_interactive(), matplotlib.get_cachedir())
    for name in matplotlib.rcParams:
        print(name, matplotlib.rcParams._get(name))
    """,
    """
    import pandas, numpy
    for name in ('display.max_columns', 'display.width', 'mode.string_storage', 'plotting.backend'):
        print(name, pandas.get_option(name))
    print(numpy.geterr(), numpy.get_printoptions(), numpy.random.get_state()[0])
    """,
    """
    import sklearn, joblib
    print(sklearn.get_config(), joblib.cpu_count())
    """,
    """
    import decimal, socket, mimetypes, zoneinfo, multiprocessing
    print(decimal.getcontext(), socket.getdefaulttimeout(), mimetypes.inited, zoneinfo.TZPATH)
    print(multiprocessing.get_start_method(allow_none=True), multiprocessing.current_process().name)
    """,
)
VARIABLES = {
    "MPLBACKEND": ("agg", "svg"),
    "TZ": ("Asia/Tokyo", "America/Sao_Paulo"),
    "LC_ALL": ("C", "C.UTF-8", "POSIX"),
    "LANG": ("de_DE.UTF-8",),
    "COLUMNS": ("133",),
    "TERM": ("dumb",),
    "NO_COLOR": ("1",),
    "OMP_NUM_THREADS": ("1", "2"),
    "PYTHONWARNINGS": ("default", "ignore"),
    "PYTHONUNBUFFERED": ("1",),
    "PYTHONFAULTHANDLER": ("1",),
    "PYTHONASYNCIODEBUG": ("1",),
    "PYTHONOPTIMIZE": ("1",),
    "PYTHONSAFEPATH": ("1",),
    "PYTHONNOUSERSITE": ("1",),
    "PYTHONIOENCODING": ("latin-1", "utf-8:replace"),
    "PYTHONBREAKPOINT": ("0",),
    "PYTHONINTMAXSTRDIGITS": ("5000",),
    "PYTHONHASHSEED": ("7",),
    "MY_OWN": ("given", ""),
}


def _drawn_program(chance: random.Random) -> tuple[list[str], list[str]]:
    """Cells, and what is imported ahead of them: what they import, more, or less."""
    imports = chance.sample(IMPORTS, chance.randrange(1, 5))
    cells = [*imports, *chance.sample(DEEDS, chance.randrange(2, 6)), *chance.sample(LOOKS, 6)]
    chance.shuffle(cells)
    ahead = {name for name in TRIED if any(name in each for each in imports)}
    ahead |= set(chance.sample(sorted(TRIED), 3))
    ahead = {name for name in ahead if chance.random() < 0.9}
    return [textwrap.dedent(cell).strip() for cell in cells], sorted(ahead)


def _drawn_surroundings(chance: random.Random) -> tuple[dict[str, str], Callable[[], None]]:
    """Environment variables, and what the process is told before it begins."""
    names = chance.sample(sorted(VARIABLES), chance.randrange(5))
    variables = {name: chance.choice(VARIABLES[name]) for name in names}
    umask, nice, files = chance.choice((0o22, 0o77, 0)), chance.choice((0, 3)), 400
    ignored = chance.sample((signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT), 1)
    limited, deaf, blocked, bound = (chance.random() < 0.3 for _ in range(4))

    def prepare() -> None:
        os.umask(umask)
        os.nice(nice)
        if limited:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for each in ignored if deaf else ():
            signal.signal(each, signal.SIG_IGN)
        if blocked:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        if bound:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    return variables, prepare


def _in_all_kernels(folder: Path, seed: int) -> dict[str, Any]:
    """What one drawn program prints in kernels of each kind, in drawn surroundings."""
    chance = random.Random(seed)
    cells, ahead = _drawn_program(chance)
    variables, prepare = _drawn_surroundings(chance)
    (folder / "runtime").mkdir(mode=0o700)
    (folder / "work").mkdir()
    left_out = ("PYTEST", "MLKIT_NO_WARM")  # a warm zygote is one of the kinds
    kept = {name: text for name, text in os.environ.items() if not name.startswith(left_out)}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.notebook.kernels.drawn_kernels"],
        cwd=ROOT,
        env={**kept, **variables, "XDG_RUNTIME_DIR": str(folder / "runtime")},
        input=json.dumps({"folder": str(folder / "work"), "cells": cells, "ahead": ahead}),
        capture_output=True,
        text=True,
        timeout=600,
        preexec_fn=prepare,  # it takes no lock
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _check(folder: Path, seed: int) -> None:
    folder.mkdir()
    found = _in_all_kernels(folder, seed)
    stock = found.pop("stock")
    assert len(stock) > 10
    for kind, lines in found.items():
        told = f"{SEED}={seed} {kind}: {sorted(set(stock) ^ set(lines))[:20]}"
        assert lines == stock, told


def _drawn() -> int:
    return int(os.environ.get(SEED) or int.from_bytes(os.urandom(4), "big"))


def test_a_drawn_program_prints_the_same(tmp_path: Path) -> None:
    """In a forked, a spare, a warm and a stock kernel."""
    _check(tmp_path / "one", _drawn())


@pytest.mark.long
def test_many_drawn_programs_print_the_same(tmp_path: Path) -> None:
    """The same, several times."""
    for number in range(LONG):
        _check(tmp_path / str(number), _drawn() + number)
