"""One program, two kernels: a forked one gives what a stock one gives.

A program prints what does not differ from one run to the next; where chance is meant to differ, it
prints that it does. `FRESH` programs print a value that has to be another one in each kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlkit.notebook.kernels import Kernels, open_kernels
from mlkit.notebook.kernels.mlkit_zygote.tried import TRIED

from .conftest import Lab, open_warm, start_environment

pytestmark = pytest.mark.kernel

AHEAD = (
    *sorted(TRIED),
    *("matplotlib.pyplot", "sklearn.ensemble", "scipy.stats", "multiprocessing"),
    "concurrent.futures",
)
ODD = """
import atexit, os, random, tempfile, warnings
from collections import deque

class Holder:
    shared = random.Random()
    nested = {"a": [deque([random.Random()])]}

plain = random.Random()
seeded = random.Random(7)
copied = random.Random(); copied.setstate(random.Random(8).getstate())
def closed(generator=random.Random()):
    return generator.random()
class Own(random.Random):
    pass
own = Own()
class Willful(random.Random):
    def seed(self, *args):
        pass
willful = Willful()
folder = tempfile.mkdtemp()
atexit.register(__import__("shutil").rmtree, folder)
temporary = tempfile.TemporaryDirectory()
os.environ.setdefault("MLKIT_ODD", "by import")
seen = os.environ.get("MLKIT_ODD_READ", "nothing")
warnings.warn("an odd module", UserWarning)
warnings.filterwarnings("error", message="oddly")
"""
NUMPY = """
import numpy as np
rng = np.random.default_rng()
given = np.random.default_rng(11)
state = np.random.RandomState()
given_state = np.random.RandomState(11)
bits = np.random.Philox()
sequence = np.random.SeedSequence()
class Model:
    held = {"deep": (np.random.Generator(np.random.MT19937()),)}
"""
MORE = """
import mlkit_odd, numpy
willful = mlkit_odd.Willful()
state = numpy.random.RandomState()
"""
PARTS = {"": ODD, "_numpy": NUMPY, "_more": MORE}


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    """Installed modules with everything that importing can leave behind.

    Other processes of the suite may use them at the same time; the last one removes them.
    """
    folder = Path(sysconfig.get_path("purelib"))
    made = {folder / f"mlkit_odd{part}.py": text for part, text in PARTS.items()}
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        for path, text in made.items():
            if path.exists():
                continue
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(text)
            part.replace(path)
        yield "mlkit_odd"
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in made:
                path.unlink()
    finally:
        os.close(lock)


@pytest.fixture(scope="module")
def both(odd: str, warm_env: dict[str, str]) -> Iterator[dict[str, Kernels]]:
    """A forking and a stock owner of kernels, and one that forks from what was there before it."""
    env = start_environment()
    names = (*AHEAD, *(f"{odd}{part}" for part in PARTS))
    with (
        open_kernels("fork", preload=names, env=env) as fork,
        open_kernels("spawn") as spawn,
        open_warm(warm_env, names, print) as warm,
    ):
        yield {"fork": fork, "spawn": spawn, "warm": warm}


@pytest.fixture
def compare(both: dict[str, Kernels], tmp_path: Path) -> Callable[..., str]:
    """Run cells in both, each in a folder of its own made by `files`; what both print."""

    def run(*cells: str, files: dict[str, str] | None = None) -> str:
        printed = {}
        for kind, kernels in both.items():
            folder = tmp_path / kind
            folder.mkdir()
            for name, text in (files or {}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(textwrap.dedent(text))
            first = "import sys; sys.path.insert(0, '')"
            lab = Lab(kernels=kernels, folder=folder)
            text = lab.run(first, *(textwrap.dedent(cell) for cell in cells))
            lines = text.replace(str(folder), "FOLDER").splitlines()
            printed[kind] = "\n".join(sorted(lines))  # two streams arrive in any order
        assert printed["fork"] == printed["spawn"] == printed["warm"]
        return printed["fork"]

    return run


DEBUGGER = "('debugpy', 'pydev', '_pydev', '_cy')"
MODULES = f"print(*sorted(n for n in sys.modules if not n.startswith({DEBUGGER})), sep='\\n')"
SAME = {
    "modules_at_the_start": "import sys\n" + MODULES,
    **{
        f"modules_after_{name.replace('.', '_')}": f"import sys, {name}\n" + MODULES
        for name in (
            *sorted(TRIED),
            *("sklearn.ensemble", "scipy.stats", "matplotlib.pyplot", "secrets", "resource"),
            *("decimal", "mlflow.sklearn", "narwhals", "threadpoolctl", "dateutil", "six"),
        )
    },
    "attributes_of_submodules": """
        import scipy, sklearn, matplotlib, concurrent, xml
        for module, name in ((sklearn, 'ensemble'), (matplotlib, 'pyplot'), (concurrent, 'futures'),
                             (scipy, 'stats'), (xml, 'dom')):
            print(name, name in vars(module))
        """,
    "packages_without_a_file_of_their_own": """
        import sys
        import google.protobuf.message, opentelemetry.trace
        kept = google.protobuf.message, opentelemetry.trace
        import mlflow, fastapi
        print(kept[0] is sys.modules['google.protobuf.message'])
        print(kept[1] is mlflow.tracing.provider.trace)
        for name, module in sorted(sys.modules.items()):
            package, _, part = name.rpartition('.')
            if name.startswith(('google.', 'opentelemetry.')):
                print(name, getattr(sys.modules[package], part, None) is module)
        """,
    "what_a_package_imports_when_it_is_asked_for": """
        import sys, concurrent.futures as futures
        def shown():
            for part, kind in ('thread', 'ThreadPoolExecutor'), ('process', 'ProcessPoolExecutor'):
                print(part, f'concurrent.futures.{part}' in sys.modules, kind in vars(futures))
        shown()
        print(futures.ThreadPoolExecutor, futures.ProcessPoolExecutor)
        shown()
        """,
    "what_find_spec_says": """
        import importlib.util
        for name in ('numpy', 'json', 'pandas.core', 'gc', 'secrets', 'google', 'no_such_module'):
            spec = importlib.util.find_spec(name)
            print(name, spec and (spec.origin, type(spec.loader).__name__, spec.name))
        import sys
        print('numpy' in sys.modules)
        """,
    "finders_and_metadata": """
        import sys, importlib.metadata as metadata
        def names(): return [getattr(f, '__name__', type(f).__name__) for f in sys.meta_path]
        def shown(): print([n for n in names() if n not in ('Hidden'])
        shown()
        print(metadata.version('numpy'), len(list(metadata.distributions())) > 50)
        import six, importlib_metadata
        shown()
        print(metadata.version('numpy'), importlib_metadata.version('numpy'))
        import six.moves.urllib.parse as parse
        print(parse.quote('a b'))
        """,
    "a_hook_that_rewrites": """
        import sys, warnings
        from importlib.machinery import PathFinder, SourceFileLoader
        class Rewriting(SourceFileLoader):
            def exec_module(self, module):
                super().exec_module(module)
                module.REWRITTEN = True
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name.partition('.')[0] not in ('yaml', 'mlkit_odd'):
                    return None
                spec = PathFinder.find_spec(name, path)
                if type(spec.loader) is SourceFileLoader:
                    spec.loader = Rewriting(spec.loader.name, spec.loader.path)
                return spec
        sys.meta_path.insert(0, Finder)
        warnings.simplefilter('ignore')
        import yaml, mlkit_odd
        print([hasattr(module, 'REWRITTEN') for module in (yaml, yaml.nodes, mlkit_odd)])
        """,
    "multiprocessing_and_main": """
        import sys, joblib, multiprocessing
        main = sys.modules['__main__']
        print(sys.modules['__mp_main__'] is main, vars(main) is globals())
        """,
    "what_a_module_says_of_itself": """
        import numpy, gc, sklearn.ensemble as ensemble, xml.dom
        for module in (numpy, gc, ensemble, xml.dom):
            spec = module.__spec__
            print(module, spec.name, type(spec.loader).__name__, module.__loader__ is spec.loader)
        """,
    "a_copy_made_by_hand": """
        import importlib.util
        spec = importlib.util.find_spec('mlkit_odd')
        copy = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(copy)
        import mlkit_odd
        print(copy is mlkit_odd, copy.__name__)
        """,
    "reload": """
        import importlib, mlkit_odd
        print(importlib.reload(mlkit_odd) is mlkit_odd, mlkit_odd.seeded.random())
        """,
    "lazily_loaded": """
        import importlib.util, sys
        spec = importlib.util.find_spec('sympy')
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules['sympy'] = module
        spec.loader.exec_module(module)
        print(module.Integer(3) + 4)
        """,
    "seeded_streams": """
        import random, mlkit_odd, mlkit_odd_numpy
        print(mlkit_odd.seeded.random(), mlkit_odd.copied.random())
        print(mlkit_odd_numpy.given.random(), mlkit_odd_numpy.given_state.random_sample())
        random.seed(3); print(random.random())
        import numpy; numpy.random.seed(3); print(numpy.random.rand())
        """,
    "a_stream_seeded_before_the_import": """
        import random
        random.seed(3)
        import sklearn.ensemble
        print(random.random())
        import xgboost, lightgbm
        print(random.random())
        """,
    "environment_by_import": """
        import os
        print(os.environ.get('MLKIT_ODD'), os.environ.get('KMP_DUPLICATE_LIB_OK'))
        import mlkit_odd, sklearn
        print(os.environ.get('MLKIT_ODD'), os.environ.get('KMP_DUPLICATE_LIB_OK'))
        """,
    "environment_before_import": """
        import os
        os.environ['MLKIT_ODD'] = 'mine'
        import mlkit_odd
        print(os.environ['MLKIT_ODD'])
        """,
    "warnings_at_import": """
        import warnings
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter('always')
            import mlkit_odd
        print([str(each.message) for each in seen if 'odd' in str(each.message)])
        """,
    "warnings_that_are_errors": """
        import warnings
        warnings.simplefilter('error', UserWarning)
        try:
            import mlkit_odd
        except UserWarning as error:
            print('error', error)
        """,
    "filters_for_warnings": """
        import warnings
        def count(): return sum('oddly' in str(each) for each in warnings.filters)
        def shown(): return [(f[0], f[2].__name__) for f in warnings.filters]
        print(count(), shown())
        import mlkit_odd
        print(count())
        """,
    "loggers": """
        import logging
        def shown():
            for name, each in sorted(logging.root.manager.loggerDict.items()):
                above = getattr(getattr(each, 'parent', None), 'name', '')
                print(name, type(each).__name__, above, getattr(each, 'level', ''))
            print('')
        shown()
        import matplotlib.pyplot, requests
        shown()
        import mlflow, xgboost
        shown()
        """,
    "loggers_that_are_asked_for_before_the_import": """
        import logging, logging.config, sys
        mine = logging.getLogger('matplotlib.font_manager')
        print(mine.parent.name, mine.getEffectiveLevel())
        import matplotlib.font_manager
        print(matplotlib.font_manager._log is mine, mine.parent.name)
        """,
    "loggers_that_are_configured_before_the_import": """
        import logging, logging.config, sys
        logging.config.dictConfig({
            'version': 1,
            'handlers': {'out': {'class': 'logging.StreamHandler', 'stream': sys.stdout}},
            'root': {'level': 'INFO', 'handlers': ['out']},
        })
        import matplotlib, requests, mlflow
        for name in ('matplotlib', 'urllib3', 'mlflow', 'matplotlib.font_manager'):
            print(name, logging.getLogger(name).disabled)
        matplotlib._log.info('heard of')
        """,
    "clock_of_logging": """
        import logging, os, threading, time
        time.sleep(0.01)
        record = logging.getLogger('any').makeRecord('any', 20, 'file', 1, 'text', (), None)
        begun = time.clock_gettime(time.CLOCK_BOOTTIME) - float(
            open('/proc/self/stat').read().rpartition(')')[2].split()[19]
        ) / os.sysconf('SC_CLK_TCK')
        print(0 < record.relativeCreated <= begun * 1000 + 20)
        print(threading.main_thread().native_id == os.getpid())
        """,
    "folders_at_import": """
        import os, mlkit_odd
        print(os.path.isdir(mlkit_odd.folder), os.path.isdir(mlkit_odd.temporary.name))
        """,
    "flags_and_path": """
        import sys, builtins
        print(sys.flags, sys.path[-4:], len(sys.argv), sys.orig_argv[0] == sys.executable)
        print(sys.getrecursionlimit(), sys.getswitchinterval(), __name__, sys.dont_write_bytecode)
        print(*sorted(vars(builtins).keys() - {'execfile', 'runfile'}))  # the debugger's
        """,
    "pickles": """
        import pickle, copyreg, numpy, pandas
        class Mine: pass
        print(type(pickle.loads(pickle.dumps(Mine()))) is Mine)
        frame = pandas.DataFrame({'a': [1.5, 2]})
        print(pickle.loads(pickle.dumps(frame)).equals(frame))
        print(len(pickle.dumps(numpy.arange(5))), pickle.whichmodule(numpy.array, 'array'))
        print(len(copyreg.dispatch_table) > 0)
        """,
    "processes": """
        import multiprocessing as mp
        for method in ('fork', 'spawn', 'forkserver'):
            with mp.get_context(method).Pool(2) as pool:
                print(method, pool.map(abs, [-1, -2]))
        import concurrent.futures as cf
        with cf.ProcessPoolExecutor(2) as pool:
            print(list(pool.map(abs, [-3])))
        print(mp.current_process().name, mp.parent_process())
        """,
    "joblib": """
        import joblib
        for backend in ('loky', 'threading', 'multiprocessing'):
            print(joblib.Parallel(2, backend=backend)(joblib.delayed(abs)(-n) for n in range(3)))
        """,
    "subprocess": """
        import subprocess, sys, os
        done = subprocess.run([sys.executable, '-c', 'import sys; print(sys.flags.optimize)'],
                              capture_output=True, text=True)
        print(done.stdout, done.stderr, os.system('exit 3'))
        """,
    "signals": """
        import signal, os
        print({s.name: str(signal.getsignal(s)).partition(' at ')[0]
               for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE,
                         signal.SIGHUP, signal.SIGUSR1, signal.SIGIO)})
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1) >= 0)
        signal.signal(signal.SIGALRM, lambda *_: print('alarm'))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        import time; time.sleep(0.2)
        """,
    "output_by_descriptor": """
        import os, sys
        os.write(1, b'one\\n'); os.system('echo two'); _ = sys.stdout.write('three\\n')
        # puts writes the line's end apart where PYTHONUNBUFFERED is set, others come in between
        import ctypes; ctypes.CDLL(None).printf(b'four\\n'); ctypes.CDLL(None).fflush(None)
        facts = sys.stdin.closed, sys.stdout.encoding, sys.stdout.isatty()
        _ = sys.stdout.write(f'{facts}\\n')  # print writes twice, others come in between
        import time; time.sleep(0.5)  # a thread of ipykernel's reads what descriptors got
        """,
    "session": """
        import os
        print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getcwd())
        print(os.umask(0o22), os.nice(0))
        """,
    "the_projects_module_wins": """
        import secrets, resource, decimal, sympy
        print(secrets.WHO, resource.WHO, decimal.WHO, sympy.WHO)
        """,
    "one_that_the_kernel_has_does_not": "import json, hashlib\nprint(hasattr(json, 'WHO'))",
    "tables_and_plots": """
        import pandas, matplotlib
        print(pandas.get_option('display.max_columns'), matplotlib.get_backend())
        pandas.DataFrame({'a': [1]})
        """,
    "a_model": """
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier
        x = np.arange(40.0).reshape(20, 2); y = np.arange(20) % 2
        print(RandomForestClassifier(random_state=0).fit(x, y).predict(x))
        import xgboost
        print(xgboost.XGBClassifier(n_estimators=3).fit(x, y).predict(x))
        """,
    "missing_modules": """
        for name in ('no_such_module', 'numpy.no_such', 'sklearn.no_such', 'gc.no_such'):
            try:
                __import__(name)
            except ImportError as error:
                print(type(error).__name__, error)
        """,
    "imports_that_are_heard_of": """
        import sys
        heard = []
        sys.addaudithook(lambda event, args: heard.append(args[0]) if event == 'import' else None)
        import sklearn
        print([name in heard for name in ('sklearn', 'numpy', 'scipy', 'joblib')])
        """,
    "threads_and_loops": """
        import threading, asyncio
        print(threading.current_thread().name, threading.main_thread().name)
        await asyncio.sleep(0); print(type(asyncio.get_running_loop()).__name__)
        """,
    "a_breakpoint_that_was_left_in": """
        import os
        breakpoint(); print('after')
        os.environ['PYTHONBREAKPOINT'] = 'builtins.list'; print(breakpoint())
        """,
    "magics": "%env MLKIT_MAGIC=5\nx = !echo hello\nprint(x)\n%cd -q /\n%pwd",
}
FILES = {
    "the_projects_module_wins": {
        **{f"{name}.py": "WHO = 'mine'\n" for name in ("secrets", "resource", "decimal")},
        "sympy/__init__.py": "WHO = 'my package'\n",
    },
    "one_that_the_kernel_has_does_not": {"json.py": "WHO = 1\n", "hashlib.py": "WHO = 1\n"},
}


@pytest.mark.parametrize(
    "name",
    # One package after another: of these `make test` takes some.
    [
        pytest.param(name, marks=pytest.mark.long)
        if name.startswith("modules_after_") and number % 4
        else name
        for number, name in enumerate(SAME)
    ],
)
def test_a_program_prints_the_same(compare: Callable[..., str], name: str) -> None:
    """In a forked and in a stock kernel."""
    printed = compare(*[SAME[name]], files=FILES.get(name))
    if name in FILES:
        return
    assert printed
    assert "Traceback" not in printed


FRESH = {
    "random": "import random; print(random.random())",
    "numpy": "import numpy; print(numpy.random.rand())",
    "numpy_late": "import numpy; print(numpy.random.default_rng().random())",
    "sympy": "import sympy; print(sympy.randprime(10**40, 10**41))",
    "scipy": "import scipy.stats; print(scipy.stats.norm.rvs())",
    "in_a_module": "import mlkit_odd; print(mlkit_odd.plain.random())",
    "in_a_class": "import mlkit_odd; print(mlkit_odd.Holder.shared.random())",
    "nested": "import mlkit_odd; print(mlkit_odd.Holder.nested['a'][0][0].random())",
    "a_default": "import mlkit_odd; print(mlkit_odd.closed())",
    "a_subclass": "import mlkit_odd; print(mlkit_odd.own.random())",
    "seeds_itself": "import mlkit_odd; print(mlkit_odd.willful.random())",
    "of_another_module": "import mlkit_odd_more; print(mlkit_odd_more.willful.random())",
    "another_state": "import mlkit_odd_more; print(mlkit_odd_more.state.random_sample())",
    "generator": "import mlkit_odd_numpy as m; print(m.rng.random())",
    "state": "import mlkit_odd_numpy as m; print(m.state.random_sample())",
    "bits": "import mlkit_odd_numpy as m; print(m.bits.random_raw())",
    "sequence": "import mlkit_odd_numpy as m; print(m.sequence.spawn(1)[0].generate_state(2))",
    "deep": "import mlkit_odd_numpy as m; print(m.Model.held['deep'][0].random())",
    "spawned": "import mlkit_odd_numpy as m; print(m.rng.spawn(1)[0].random())",
    "uuid": "import uuid; print(uuid.uuid4(), uuid.uuid1())",
    "secrets": "import secrets; print(secrets.token_hex())",
    "tempfile": "import tempfile; print(tempfile.mktemp())",
    "authkey": "import multiprocessing; print(bytes(multiprocessing.current_process().authkey))",
    "pid": "import os; print(os.getpid())",
}


@pytest.mark.parametrize("kind", ["fork", "warm"])
def test_chance_is_fresh_in_each_kernel(
    kind: str, both: dict[str, Kernels], tmp_path: Path
) -> None:
    """Whatever makes it, wherever it is kept: no value appears twice in six kernels."""
    program = "\n".join(
        f"with open('{name}', 'w') as f:\n"
        f"    print = lambda *a, f=f: __builtins__.print(*a, file=f)\n"
        f"    exec({source!r})\nimport builtins; print = builtins.print"
        for name, source in FRESH.items()
    )
    found: dict[str, set[str]] = {name: set() for name in FRESH}
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        printed = Lab(kernels=both[kind], folder=folder).run(program)
        assert "Error" not in printed
        for name in FRESH:
            found[name].add((folder / name).read_text())
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(FRESH, 6)


def test_folders_made_at_import_outlive_their_kernels_and_not_the_zygote(
    odd: str, tmp_path: Path
) -> None:
    """Their exit hooks run once, in the process that made them."""
    cell = "import os, mlkit_odd as m; print(m.folder, m.temporary.name, os.path.isdir(m.folder))"
    with open_kernels("fork", preload=[odd], env=start_environment()) as kernels:
        lab = Lab(kernels=kernels, folder=tmp_path)
        seen = [lab.run("import warnings; warnings.simplefilter('ignore')", cell) for _ in range(3)]
        folder, temporary, _ = seen[0].split()
        assert set(seen) == {f"{folder} {temporary} True"}
        assert Path(folder).is_dir()
        assert Path(temporary).is_dir()
    assert not Path(folder).exists()
    assert not Path(temporary).exists()
