"""What a stage reads, by whatever way, is part of what its result depends on; with real kernels.

Ways of reading are crossed with ways of changing what was read: each stage reads a file of its own
in one of the ways, every file is changed in one of the ways, and then no stage may be reused.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlkit import RunOptions, plan, run
from mlkit.cli.main import app
from mlkit.core.record import RunRecord
from mlkit.driver.surroundings import THREADS
from mlkit.load.parameters import Layers
from mlkit.notebook.kernels import KernelKind
from mlkit.planner.trace import OF_LOCALE
from mlkit.testing import Sketch, write_pipeline

pytestmark = pytest.mark.kernel

# FILE is the path of a file that the stage alone reads (SHELL: quoted for a shell), NAME its name
# without an ending. A file that is Python says `V = 1` and has a main part.
PYTHON = {
    "import": "import NAME; v = NAME.V",
    "import_later": "def load():\n    import NAME\n    return NAME.V\nv = load()",
    "import_by_name": "import importlib; v = importlib.import_module('NAME').V",
    "import_in_vain_first": (
        "try:\n    import NAME_c\nexcept ImportError:\n    import NAME\nv = NAME.V"
    ),
    "import_by_magic_cell": "x = !echo 1\nimport NAME; v = NAME.V",
    "run_magic": "%run SHELL\nv = V",
    "run_module_magic": "%run -m NAME\nv = V",
    "exec": "exec(open('FILE').read()); v = V",
    "run_path": "import runpy; v = runpy.run_path('FILE')['V']",
    "run_module": "import runpy; v = runpy.run_module('NAME')['V']",
    "spec": (
        "from importlib.util import module_from_spec, spec_from_file_location\n"
        "spec = spec_from_file_location('other', 'FILE'); m = module_from_spec(spec)\n"
        "spec.loader.exec_module(m); v = m.V"
    ),
    "subprocess": (
        "import subprocess, sys\n"
        "v = subprocess.run([sys.executable, 'FILE'], capture_output=True, text=True).stdout"
    ),
    "shell_magic": "v = !INTERPRETER SHELL",
    "system": 'import os; v = os.popen("INTERPRETER SHELL").read()',
    "module_of_subprocess": (
        "import subprocess, sys\n"
        "v = subprocess.run([sys.executable, '-c', 'import NAME; print(NAME.V)'], text=True,\n"
        "    capture_output=True, env={'PYTHONPATH': 'FOLDER', 'MLKIT_TRACE': "
        "__import__('os').environ['MLKIT_TRACE']}).stdout"
    ),
    "forked_worker": (
        "import multiprocessing as mp\n"
        "def work(_):\n    import NAME\n    return NAME.V\n"
        "with mp.get_context('fork').Pool(1) as pool: v = pool.map(work, [0])"
    ),
    "joblib_worker": (
        "from joblib import Parallel, delayed\n"
        "def work():\n    import sys; sys.path.insert(0, 'FOLDER')\n"
        "    import NAME\n    return NAME.V\n"
        "v = Parallel(n_jobs=2)(delayed(work)() for _ in range(2))"
    ),
    "killed_worker": (
        "import os, tempfile\n"
        "read, write = os.pipe()\n"
        "if os.fork() == 0:\n    import NAME\n"
        "    os.write(write, str(NAME.V).encode()); os._exit(0)\n"
        "os.wait(); v = os.read(read, 9)"
    ),
}
DATA = {
    "open": "import json; v = json.load(open('FILE'))",
    "pathlib": "from pathlib import Path; v = Path('FILE').read_text()",
    "os_open": "import os; v = os.read(os.open('FILE', os.O_RDONLY), 99)",
    "pandas": "import pandas as pd; v = pd.read_json('FILE').to_dict()",
    "pandas_csv": "import pandas as pd; v = pd.read_csv('FILE').to_dict()",
    "numpy": "import numpy as np; v = np.loadtxt('FILE', dtype=str).tolist()",
    "memmap": "import numpy as np; v = bytes(np.memmap('FILE', mode='r'))",
    "mmap": (
        "import mmap; f = open('FILE', 'rb')\nv = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:]"
    ),
    "copied": "import shutil; shutil.copy('FILE', 'copy'); v = open('copy').read()",
    "cat": "v = !cat SHELL",
    "bash": "!test -f SHELL && cat SHELL > text.txt\nv = open('text.txt').read()",
    "relative": "import os; os.chdir('FOLDER'); v = open('BASE').read()",
    "worker": (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import multiprocessing as mp\n"
        "def work(path): return open(path).read()\n"
        "with ProcessPoolExecutor(1, mp.get_context('fork')) as pool:\n"
        "    v = pool.submit(work, 'FILE').result()"
    ),
}


def rewrite(file: Path, text: str) -> None:
    """Write another text."""
    file.write_text(text)


def move_over(file: Path, text: str) -> None:
    """Move a file there whose time lies in the past, as unpacking and checking out do."""
    aside = file.with_suffix(".aside")
    aside.write_text(text)
    os.utime(aside, (1_000_000_000, 1_000_000_000))
    aside.replace(file)


def rewrite_in_place(file: Path, text: str) -> None:
    """Write a text of the same length into the same inode, and set the time back."""
    stat = file.stat()
    with file.open("r+") as target:
        target.write(text)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def link(file: Path, text: str) -> None:
    """Put a link to another file in its place."""
    aside = file.with_name(f"other-{file.name}")
    aside.write_text(text)
    file.unlink()
    file.symlink_to(aside)


CHANGES: Mapping[str, Callable[[Path, str], None]] = {
    each.__name__: each for each in (rewrite, move_over, rewrite_in_place, link)
}


def go(file: Path) -> RunRecord:
    """Run a pipeline."""
    return run(file, layers=Layers(), options=RunOptions(workers=2))


def statuses(record: RunRecord) -> set[str]:
    """The statuses of a run's stages."""
    return {str(stage.status) for stage in record.stages.values()}


def values(record: RunRecord) -> dict[str, str]:
    """What the stages wrote."""
    return {n: Path(s.outputs["out"]).read_text() for n, s in record.stages.items()}


def python_text(value: int) -> str:
    """A module that is also a program."""
    return f"V = {value}\nif __name__ == '__main__': print(V)\n"


def json_text(value: int) -> str:
    """Some data."""
    return f'[{{"a": {value}}}]\n'


def text_of(way: str, value: int) -> str:
    """What the file of a stage holds."""
    return python_text(value) if way in PYTHON else json_text(value)


Readers = tuple[Path, dict[str, Path], dict[str, str]]
"""A pipeline, the file that each of its stages reads, and what each has written at first."""


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    """A stage for each way, run once; the digit 1 stands where it was read, and nowhere else."""
    folder = tmp_path_factory.mktemp("with space")
    sketches, files = [], {}
    for way, body in {**PYTHON, **DATA}.items():
        name = f"m_{way}" if way in PYTHON else f"d_{way}"
        file = files[way] = folder / (f"{name}.py" if way in PYTHON else f"{name}.json")
        file.write_text(text_of(way, 1))
        words = {"FILE": str(file), "SHELL": shlex.quote(str(file)), "NAME": name}
        words["INTERPRETER"] = shlex.quote(sys.executable)  # a bare machine has no `python`
        words |= {"FOLDER": str(folder), "BASE": file.name}
        for word, meant in words.items():
            body = body.replace(word, meant)
        sketches.append(Sketch(name=way, body=f"{body}\nopen(out, 'w').write(repr(v))"))
    file = write_pipeline(folder, *sketches)
    record = go(file)
    assert {n: s.error for n, s in record.stages.items() if s.error} == {}
    return file, files, values(record)


def test_an_unchanged_pipeline_is_reused_whole(readers: Readers) -> None:
    """Nothing that the interpreter does by itself makes a stage run again, nor new neighbours."""
    file, _, _ = readers
    (file.parent / "README.md").write_text("New.\n")
    (file.parent / "unrelated.py").write_text("x = 1\n")
    (file.parent / "runs" / "note.txt").write_text("New.\n")
    (file.parent / ".hidden").write_text("New.\n")
    found = plan(file)
    assert {k: f.reasons for k, f in found.items() if f.action != "reuse"} == {}
    assert statuses(go(file)) == {"cached"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_seen(readers: Readers, change: str) -> None:
    """Whatever way it was read in, and whatever way it was changed in, every stage runs again."""
    file, files, once = readers
    value = 2 + list(CHANGES).index(change)
    for way, path in files.items():
        CHANGES[change](path, text_of(way, value))
    found = plan(file)
    assert {k: f.reasons for k, f in found.items() if f.action == "reuse"} == {}
    record = go(file)
    assert values(record) == {way: text.replace("1", str(value)) for way, text in once.items()}
    assert statuses(go(file)) == {"cached"}


def test_a_touched_file_is_not_changed(readers: Readers) -> None:
    """Also one whose time lies in the future."""
    file, files, _ = readers
    for path in files.values():
        os.utime(path, (4_000_000_000, 4_000_000_000))
    assert statuses(go(file)) == {"cached"}


def one(folder: Path, body: str, **keys: object) -> Path:
    """A pipeline of one stage that writes `v`."""
    code = textwrap.dedent(body).strip() + "\nopen(out, 'w').write(repr(v))"
    return write_pipeline(folder, Sketch(name="s", body=code, keys=keys))


def value(file: Path, **how: object) -> str:
    """Run it and give what it wrote."""
    record = run(file, **{"layers": Layers(), "options": RunOptions(workers=1), **how})  # type: ignore[arg-type] # any
    stage = record.stages["s"]
    assert stage.error is None, stage.error
    return Path(stage.outputs["out"]).read_text()


def reasons(file: Path) -> tuple[str, ...]:
    """Why the stage would run; `nothing changed` if it would not."""
    return plan(file)["s"].reasons


UNCHANGED = ("nothing changed",)


def test_a_package_that_appears_beside_a_module_is_imported(tmp_path: Path) -> None:
    """Python prefers the package."""
    (tmp_path / "helper.py").write_text("V = 1\n")
    file = one(tmp_path, "import helper; v = helper.V")
    assert value(file) == "1"
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "__init__.py").write_text("V = 2\n")
    assert reasons(file) == ("module helper now comes from helper/__init__.py (was helper.py)",)
    assert value(file) == "2"
    assert reasons(file) == UNCHANGED


@pytest.mark.parametrize("how", ["-c", "-m", "-"])
def test_a_package_that_appears_where_a_started_python_works(tmp_path: Path, how: str) -> None:
    """Its first entry on the path is the folder in which it was started."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "beta.py").write_text("V = 1\n")
    (tmp_path / "lib" / "tool.py").write_text("import beta; print(beta.V)\n")
    code = "import beta; print(beta.V)"
    arguments = {"-c": ["-c", code], "-m": ["-m", "tool"], "-": ["-"]}[how]
    body = (
        "import subprocess, sys\n"
        f"v = subprocess.run([sys.executable, *{arguments!r}], cwd={str(tmp_path / 'lib')!r},\n"
        f"    input={code!r}, capture_output=True, text=True).stdout.strip()"
    )
    file = one(tmp_path, body)
    assert value(file) == "'1'"
    assert reasons(file) == UNCHANGED
    (tmp_path / "lib" / "beta").mkdir()
    (tmp_path / "lib" / "beta" / "__init__.py").write_text("V = 2\n")
    assert value(file) == "'2'"


def test_a_module_that_appears_further_in_front_is_imported(tmp_path: Path) -> None:
    """One in a folder that the notebook puts on the path; then beside the notebook."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "helper.py").write_text("V = 1\n")
    file = one(
        tmp_path,
        f"import sys; sys.path.append({str(tmp_path / 'lib')!r})\nimport helper; v = helper.V",
    )
    assert value(file) == "1"
    assert reasons(file) == UNCHANGED
    (tmp_path / "helper.py").write_text("V = 2\n")
    assert value(file) == "2"
    (tmp_path / "helper.py").unlink()
    assert value(file) == "1"


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.parametrize("module", ["colorsys", "pandas", "joblib"])
def test_a_module_that_takes_an_installed_ones_place(
    tmp_path: Path, module: str, start: KernelKind
) -> None:
    """A name of the standard library, or of a package, that appears beside the notebook."""
    file = one(tmp_path, f"import {module}; v = getattr({module}, 'V', 1)")
    options = RunOptions(workers=1, start=start)
    assert value(file, options=options) == "1"
    assert reasons(file) == UNCHANGED
    (tmp_path / f"{module}.py").write_text("V = 2\n")
    assert reasons(file) == (f"module {module} now comes from {module}.py",)
    assert value(file, options=options) == "2"


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.parametrize("module", ["json", "traitlets"])
def test_a_module_that_the_kernel_itself_has_loaded_keeps_its_place(
    tmp_path: Path, module: str, start: KernelKind
) -> None:
    """Nothing is looked for again, so that a file of its name changes nothing."""
    file = one(tmp_path, f"import {module}; v = getattr({module}, 'V', 1)")
    options = RunOptions(workers=1, start=start, force=True)
    assert value(file, options=options) == "1"
    (tmp_path / f"{module}.py").write_text("V = 2\n")
    assert value(file, options=options) == "1"
    assert reasons(file) == UNCHANGED


def test_a_module_that_was_missing_appears(tmp_path: Path) -> None:
    """An import in vain is an import."""
    body = "try:\n    import extra\n    v = extra.V\nexcept ImportError:\n    v = 1"
    file = one(tmp_path, body)
    assert value(file) == "1"
    (tmp_path / "extra.py").write_text("V = 2\n")
    assert reasons(file) == ("module extra now comes from extra.py",)
    assert value(file) == "2"


def test_a_submodule_that_appears(tmp_path: Path) -> None:
    """Within a package of the project, too."""
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sub.py").write_text("V = 1\n")
    body = "import pkg.sub\nv = pkg.sub.V\ntry:\n    import pkg.more\n    v += pkg.more.V\n"
    body += "except ImportError:\n    pass"
    file = one(tmp_path, body)
    assert value(file) == "1"
    (package / "more.py").write_text("V = 1\n")
    assert value(file) == "2"
    (package / "sub").mkdir()
    (package / "sub" / "__init__.py").write_text("V = 5\n")
    assert value(file) == "6"


def test_the_notebook_moves_to_other_helpers(tmp_path: Path) -> None:
    """The same cells in another folder import what stands there."""
    for folder, number in (("v1", 1), ("v2", 2)):
        one(tmp_path / folder, "import h; v = h.V")
        (tmp_path / folder / "h.py").write_text(f"V = {number}\n")
    file = tmp_path / "pipeline.yaml"
    text = (tmp_path / "v1" / "pipeline.yaml").read_text()
    file.write_text(text.replace("s.ipynb", "v1/s.ipynb"))
    assert value(file) == "1"
    file.write_text(text.replace("s.ipynb", "v2/s.ipynb"))
    assert value(file) == "2"
    (tmp_path / "v2" / "h.py").write_text("V = 1\n")
    assert reasons(file) == UNCHANGED


def test_an_equal_checkout_reuses_and_an_unequal_one_does_not(tmp_path: Path) -> None:
    """Two checkouts on one runs folder, with helpers, data, listings and a search path."""
    body = """
    import sys, os, glob
    here = sys.path[0]
    sys.path.append(os.path.join(here, "lib"))
    import h, deep
    v = (h.V, deep.V, open(os.path.join(here, "d.txt")).read(),
         sorted(map(os.path.basename, glob.glob(os.path.join(here, "d*.txt")))))
    """
    first, second, runs = tmp_path / "one", tmp_path / "two", tmp_path / "runs"
    file = one(first, body)
    (first / "h.py").write_text("V = 1\n")
    (first / "lib").mkdir()
    (first / "lib" / "deep.py").write_text("V = 1\n")
    (first / "d.txt").write_text("1")
    shutil.copytree(first, second)
    other = second / "pipeline.yaml"
    assert value(file, runs_dir=runs) == "(1, 1, '1', ['d.txt'])"
    assert plan(other, runs_dir=runs)["s"].reasons == UNCHANGED
    (second / "lib" / "deep.py").write_text("V = 2\n")
    assert value(other, runs_dir=runs) == "(1, 2, '1', ['d.txt'])"
    assert value(file, runs_dir=runs) == "(1, 1, '1', ['d.txt'])"
    (second / "d2.txt").write_text("1")
    assert value(other, runs_dir=runs) == "(1, 2, '1', ['d.txt', 'd2.txt'])"


READS_OF_VARIABLES = [
    "import os; v = os.environ.get('HOUSE')",
    "import os; v = os.getenv('HOUSE', 'none')",
    "import os; v = 'HOUSE' in os.environ and os.environ['HOUSE']",
    "from os import environ; v = environ.setdefault('HOUSE', 'none')",
    "import os; v = os.environb.get(b'HOUSE')",
    "import os; v = {k: x for k, x in os.environ.items() if k == 'HOUSE'}",
    "import os; v = dict(os.environ).get('HOUSE')",
    "import os; v = os.path.expandvars('$HOUSE')",
    "import h; v = h.value()",
    "import subprocess, sys\nv = subprocess.run([sys.executable, '-c', 'import os; "
    'print(os.getenv("HOUSE"))\'], capture_output=True, text=True).stdout',
]


@pytest.mark.parametrize("body", READS_OF_VARIABLES)
def test_a_variable_that_is_read_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Set, changed and taken away; one that is not read does not count, nor does the session's."""
    (tmp_path / "h.py").write_text("import os\ndef value():\n    return os.environ.get('HOUSE')\n")
    file = one(tmp_path, body)
    monkeypatch.delenv("HOUSE", raising=False)
    none = value(file)
    assert reasons(file) == UNCHANGED
    monkeypatch.setenv("SHLVL", "77")
    monkeypatch.setenv("HOUSE", "first")
    assert reasons(file) == ("environment variable HOUSE was set",)
    assert "first" in value(file)
    monkeypatch.setenv("HOUSE", "second")
    assert "second" in value(file)
    assert reasons(file) == UNCHANGED
    monkeypatch.delenv("HOUSE")
    assert value(file) == none


def test_values_of_variables_stand_in_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither plainly nor as a digest that others could compute; secrets do not count at all."""
    from hashlib import sha256

    monkeypatch.setenv("HOUSE", "a value of its own")
    monkeypatch.setenv("HOUSE_TOKEN", "t0ken-of-the-house")
    file = one(tmp_path, "import os; os.environ['HOUSE'], os.environ['HOUSE_TOKEN']; v = 1")
    value(file)
    plain = [b"a value of its own", b"t0ken-of-the-house"]
    forms = [f for p in plain for f in (p, sha256(p).hexdigest().encode())]
    forms += [sha256(b"HOUSE=" + plain[0]).hexdigest()[:16].encode()]
    for path in (tmp_path / "runs").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert [form for form in forms if form in data] == [], path
    key = tmp_path / "runs" / ".trace-key"
    assert key.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("HOUSE_TOKEN", "another-t0ken")
    assert reasons(file) == UNCHANGED


def test_what_the_stage_sets_itself_is_not_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set before it is read may be what it likes outside."""
    file = one(tmp_path, "import os; os.environ['HOUSE'] = '5'; v = os.environ['HOUSE']")
    assert value(file) == "'5'"
    monkeypatch.setenv("HOUSE", "6")
    assert reasons(file) == UNCHANGED


@pytest.mark.parametrize(
    "body",
    [
        "import os; v = os.path.exists('FOLDER/flag')",
        "from pathlib import Path; v = Path('FOLDER/flag').is_file()",
        "import os; v = os.access('FOLDER/flag', os.R_OK)",
        "try:\n    open('FOLDER/flag'); v = True\nexcept OSError:\n    v = False",
        "import os\ntry:\n    os.stat('FOLDER/flag'); v = True\nexcept OSError:\n    v = False",
        "import glob; v = bool(glob.glob('FOLDER/fla?'))",
        "from pathlib import Path; v = bool(list(Path('FOLDER').glob('fla*')))",
        "from pathlib import Path; v = bool(list(Path('FOLDER').rglob('flag')))",
        "import os; v = 'flag' in os.listdir('FOLDER')",
        "import os; v = any(e.name == 'flag' for e in os.scandir('FOLDER'))",
        "from pathlib import Path; v = any(p.name == 'flag' for p in Path('FOLDER').iterdir())",
        "import os; v = any('flag' in files for _, _, files in os.walk('FOLDER'))",
        "import subprocess, sys\nv = subprocess.run([sys.executable, '-c', 'import os; "
        'print(os.path.exists("FOLDER/flag"))\'], capture_output=True, text=True).stdout',
    ],
)
def test_what_was_looked_for_in_vain_appears_and_vanishes(tmp_path: Path, body: str) -> None:
    """Existence tests, failed opens, listings and patterns."""
    file = one(tmp_path, body.replace("FOLDER", str(tmp_path)))
    before = value(file)
    assert reasons(file) == UNCHANGED
    (tmp_path / "flag").write_text("")
    after = value(file)
    assert after != before
    assert reasons(file) == UNCHANGED
    (tmp_path / "flag").unlink()
    assert value(file) == before


def test_a_pattern_counts_what_it_matches_and_nothing_else(tmp_path: Path) -> None:
    """A README beside the tables is none of them."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    file = one(tmp_path, f"import glob; v = len(glob.glob({str(tmp_path)!r} + '/*.csv'))")
    assert value(file) == "1"
    (tmp_path / "README.md").write_text("Read me.\n")
    assert reasons(file) == UNCHANGED
    (tmp_path / "b.csv").write_text("x\n1\n")
    assert reasons(file) == ("the names that match *.csv changed (+b.csv)",)
    assert value(file) == "2"


def test_what_the_stage_makes_itself_does_not_count(tmp_path: Path) -> None:
    """A module that it writes and imports, a folder that it makes if it is missing."""
    body = """
    import os, sys
    os.makedirs(os.path.join(FOLDER, "results"), exist_ok=True)
    with open(os.path.join(FOLDER, "results", "r.txt"), "w") as f: f.write("1")
    open("made_here.py", "w").write("V = 4")
    sys.path.insert(0, os.getcwd())
    import made_here
    v = (made_here.V, open(os.path.join(FOLDER, "results", "r.txt")).read())
    """.replace("FOLDER", repr(str(tmp_path)))
    file = one(tmp_path, body)
    value(file)
    assert reasons(file) == UNCHANGED


def test_a_file_that_was_read_and_then_written_makes_no_reusable_result(tmp_path: Path) -> None:
    """A counter in the project; it says so."""
    (tmp_path / "counter").write_text("1")
    body = f"p = {str(tmp_path / 'counter')!r}\nv = int(open(p).read())\n"
    body += "open(p, 'w').write(str(v + 1))"
    file = one(tmp_path, body)
    assert value(file) == "1"
    assert reasons(file) == ("not reusable: counter was read by the stage and then written by it",)
    assert value(file) == "2"


def test_a_helper_that_changes_while_the_stage_runs(tmp_path: Path) -> None:
    """Moved there with a time long ago: the result belongs to the text that was read."""
    (tmp_path / "h.py").write_text("V = 1\n")
    (tmp_path / "new").write_text("V = 2\n")
    os.utime(tmp_path / "new", (1_000_000_000, 1_000_000_000))
    file = one(
        tmp_path,
        f"import h, os\nif os.path.exists({str(tmp_path / 'new')!r}):\n"
        f"    os.system('mv {tmp_path}/new {tmp_path}/h.py')\nv = h.V",
    )
    assert value(file) == "1"
    assert any("h.py changed while the stage ran" in reason for reason in reasons(file))
    assert value(file) == "2"


def test_tags_that_change_the_execution_count(tmp_path: Path) -> None:
    """A cell that is tagged skip-execution is passed over."""
    import json

    file = one(tmp_path, "v = 1")
    notebook = tmp_path / "s.ipynb"
    document = json.loads(notebook.read_text())
    cell: dict[str, Any] = {
        "cell_type": "code",
        "source": "v = 2",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    last = document["cells"].pop()
    source = "".join(last["source"])
    head, _, tail = source.rpartition("\n")
    document["cells"] += [
        {**last, "source": head},
        {**cell, "id": "extra"},
        {**last, "id": "end", "source": tail},
    ]
    notebook.write_text(json.dumps(document))
    assert value(file) == "2"
    document["cells"][-2]["metadata"] = {"tags": ["skip-execution"]}
    notebook.write_text(json.dumps(document))
    assert reasons(file) == ("code changed: cell 3 (v = 2) [skip-execution]",)
    assert value(file) == "1"
    document["cells"][-2]["metadata"] = {"tags": ["skip-execution", "remark"], "collapsed": True}
    notebook.write_text(json.dumps(document))
    assert reasons(file) == UNCHANGED


def test_the_order_of_a_mapping_counts(tmp_path: Path) -> None:
    """The notebook sees it."""
    code = "open(out, 'w').write(repr(list(table)))"
    sketch = Sketch(name="s", body=code, declares="table: dict = {}")
    file = write_pipeline(tmp_path, sketch, parameters={"table": {"b": 1, "a": 2}})
    assert value(file) == "['b', 'a']"
    write_pipeline(tmp_path, sketch, parameters={"table": {"a": 2, "b": 1}})
    assert value(file) == "['a', 'b']"


@pytest.mark.parametrize("template", ["${MONTH_X}", "from ${MONTH_X} on"])
def test_a_parameter_that_comes_from_a_variable_counts_by_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    """Alone or within a longer text; an equal value is none other, wherever it comes from."""
    monkeypatch.setenv("MONTH_X", "january")
    sketch = Sketch(name="s", body="open(out, 'w').write(month)", declares='month: str = ""')

    def written(month: str) -> Path:
        return write_pipeline(tmp_path, sketch, parameters={"month": month})

    file = written(template)
    assert value(file, layers=None) == template.replace("${MONTH_X}", "january")
    assert reasons(file) == UNCHANGED
    monkeypatch.setenv("MONTH_X", "february")
    assert reasons(file)[0].startswith("parameter month")
    assert value(file, layers=None) == template.replace("${MONTH_X}", "february")
    assert reasons(file) == UNCHANGED
    monkeypatch.setenv("MONTH_Y", "february")
    assert reasons(written(template.replace("MONTH_X", "MONTH_Y"))) == UNCHANGED
    assert reasons(written(template.replace("${MONTH_X}", "february"))) == UNCHANGED
    monkeypatch.setenv("MONTH_X", "january")
    assert reasons(written(template)) == UNCHANGED


def test_the_names_in_a_list_of_inputs_count(tmp_path: Path) -> None:
    """Equal artifacts of instances with other names."""

    def written(values: list[str]) -> Path:
        return write_pipeline(
            tmp_path,
            Sketch(
                name="m",
                body="open(out, 'w').write('same')",
                declares='x: str = ""',
                keys={"foreach": {"x": values}},
            ),
            Sketch(
                name="s",
                body="import os\nopen(out, 'w').write(repr([p.split(os.sep)[-2] for p in m]))",
                declares="m: list[str] = []",
                keys={"inputs": {"m": "m.out"}},
            ),
        )

    assert value(written(["lr", "rf"])) == "['m[lr]', 'm[rf]']"
    assert value(written(["xgb", "svm"])) == "['m[xgb]', 'm[svm]']"


def test_start_up_files_of_ipython_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run in every kernel."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    file = one(tmp_path / "p", "v = globals().get('HOUSE')")
    assert value(file) == "None"
    (startup / "10-house.py").write_text("HOUSE = 1\n")
    assert value(file) == "1"
    (startup / "10-house.py").write_text("HOUSE = 2\n")
    assert reasons(file) == ("IPython's start-up file 10-house.py changed",)
    assert value(file) == "2"
    assert reasons(file) == UNCHANGED


ORDINARY = """
import json, os, tempfile
import numpy as np, pandas as pd
import matplotlib.pyplot as plt
from joblib import Parallel, delayed, Memory
from sklearn.linear_model import LogisticRegression
times = pd.date_range("2024", periods=20, tz="Europe/Berlin")
df = pd.DataFrame({"a": np.arange(20.0), "t": times})
df.to_parquet("d.parquet"); df = pd.read_parquet("d.parquet")
fig, ax = plt.subplots(); ax.plot(df.a); ax.set_title("x"); fig.savefig("x.png"); plt.show()
model = LogisticRegression().fit(df[["a"]], df.a > 9)
n = Parallel(n_jobs=2)(delayed(abs)(i) for i in range(4))
with tempfile.TemporaryDirectory() as d:
    open(os.path.join(d, "x"), "w").write("1"); open(os.path.join(d, "x")).read()
import datetime, importlib.metadata, zoneinfo, platform, getpass, locale, logging, sqlite3
importlib.metadata.version("pandas"); list(importlib.metadata.entry_points(group="house"))
zoneinfo.ZoneInfo("Asia/Tokyo"); platform.platform(); locale.getlocale()
sqlite3.connect("own.db").execute("create table t(x)")
df
"""


def test_ordinary_cells_depend_on_nothing_outside_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches of fonts, time zones, /sys, /proc, temporary files and caches are no dependencies."""
    import json
    import sqlite3

    monkeypatch.delenv("PYARROW_IGNORE_TIMEZONE", raising=False)  # MLflow sets it for its process
    file = one(tmp_path, ORDINARY + "\nv = len(df)")
    assert value(file) == "20"
    rows = sqlite3.connect(tmp_path / "runs" / "mlkit.db").execute(
        "SELECT observed FROM fingerprints"
    )
    trace = json.loads(rows.fetchone()[0])
    assert list(trace["files"]) == []
    assert trace["unstable"] == []
    assert [name for name in trace["absent"] + trace["present"] if name != "notebook:"] == []
    assert trace["lists"] == {}
    set_ones = [n for n, d in trace["environment"]["read"].items() if d is not None]
    assert set(set_ones) <= {*THREADS, *OF_LOCALE}, "the locale was asked for"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert reasons(file) == UNCHANGED


def test_a_module_that_nobody_imports_does_not_count(tmp_path: Path) -> None:
    """A function that is not called imports nothing; prose is free."""
    (tmp_path / "extra.py").write_text("V = 1\n")
    file = one(tmp_path, "def later():\n    import extra\nv = 1")
    value(file)
    assert reasons(file) == UNCHANGED
    (tmp_path / "extra.py").write_text("V = 2\n")
    assert reasons(file) == UNCHANGED


def test_traces_of_another_version_are_no_error(tmp_path: Path) -> None:
    """A runs folder of an older mlkit: its stages run again, and the plan says why."""
    import json
    import sqlite3

    file = one(tmp_path, "v = 1")
    value(file)
    with sqlite3.connect(tmp_path / "runs" / "mlkit.db") as database:
        old: dict[str, Any] = {"modules": {}, "packages": {}, "roots": []}
        database.execute("UPDATE fingerprints SET observed = ?", (json.dumps(old),))
    assert reasons(file)[0].startswith("recorded by an older mlkit")
    with sqlite3.connect(tmp_path / "runs" / "mlkit.db") as database:
        parts = {"cells": [], "parameters": {}, "inputs": {}, "outputs": {}, "python": "3.11"}
        database.execute("UPDATE fingerprints SET parts = ?, key = 'x'", (json.dumps(parts),))
    assert reasons(file)[0].startswith("recorded by an older mlkit")
    assert value(file) == "1"
    assert reasons(file) == UNCHANGED


def test_a_runs_folder_that_holds_the_project_hides_nothing_of_it(tmp_path: Path) -> None:
    """Only what mlkit itself has put there never counts."""
    project = tmp_path / "project"
    file = one(project, "import h; v = h.V")
    (project / "h.py").write_text("V = 1\n")
    assert value(file, runs_dir=tmp_path) == "1"
    assert plan(file, runs_dir=tmp_path)["s"].reasons == UNCHANGED
    (project / "h.py").write_text("V = 2\n")
    assert value(file, runs_dir=tmp_path) == "2"


def test_secrets_that_are_handed_over_are_no_variables(tmp_path: Path) -> None:
    """They reach the kernel by its environment, and count neither by name nor by value."""
    sketch = Sketch(
        name="s",
        body="import os\nopen(out, 'w').write(str(len(token)))",
        declares='import mlkit\ntoken: mlkit.Secret = ""',
    )
    file = write_pipeline(tmp_path, sketch)
    options = RunOptions(workers=1)
    for secret in ("first-secret", "second-secret"):
        record = run(file, layers=Layers(), options=options, parameters={"token": secret})
    assert record.stages["s"].status == "cached"


def test_the_plan_names_the_programs_whose_reading_nobody_saw(tmp_path: Path) -> None:
    """Not Python, which tells of itself."""
    file = one(tmp_path, "import subprocess, sys\nsubprocess.run(['true'])\n"
               "subprocess.run([sys.executable, '-c', ''])\nv = 1")  # fmt: skip
    value(file)
    assert plan(file)["s"].unseen == ("true",)
    shown = CliRunner().invoke(app, ["plan", str(file)])
    assert "Not seen: what true read in s" in shown.output
