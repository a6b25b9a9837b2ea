"""Everyday changes, each to what one stage reads in its own way; with real kernels.

The run after the changes is held against a forced one into an empty folder, and no stage whose
value is another may be reused. The other way round, stages that do what people do every day are
reused after changes that are none of their business.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlkit import RunOptions, run
from mlkit.core.record import RunRecord
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(900)]

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Link:
    """A link, by where it leads."""

    target: str


@dataclass(frozen=True)
class Case:
    """A stage, what stands in its own folder FOLDER, and what stands there after the change.

    Files may also stand outside of the project, in ELSEWHERE: their names begin with `elsewhere/`.
    """

    body: str
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


def zipped(name: str, text: str) -> Make:
    """An archive with one file."""

    def make(place: Path) -> None:
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr(name, text)

    return make


def tarred(name: str, text: str) -> Make:
    """Another archive with one file."""

    def make(place: Path) -> None:
        with tarfile.open(place, "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))

    return make


def database(value: int) -> Make:
    """A database of one table."""

    def make(place: Path) -> None:
        place.unlink(missing_ok=True)
        with sqlite3.connect(place) as connection:
            connection.execute("create table t(x)")
            connection.execute("insert into t values(?)", (value,))

    return make


def table(value: int) -> Make:
    """A Parquet file."""

    def make(place: Path) -> None:
        import pandas as pd

        pd.DataFrame({"x": [value]}).to_parquet(place)

    return make


def library(value: int) -> Make:
    """A compiled library with one function."""

    def make(place: Path) -> None:
        place.unlink(missing_ok=True)
        source = f"int f(void) {{ return {value}; }}"
        command = ["cc", "-shared", "-x", "c", "-", "-o", str(place)]
        subprocess.run(command, input=source, text=True, check=True)

    return make


def dated(time_s: float) -> Make:
    """A file that is there already, with another date."""
    return lambda place: os.utime(place, (time_s, time_s))


def moded(mode: int) -> Make:
    """A file that is there already, with another mode."""
    return lambda place: place.chmod(mode)


def program(text: str) -> Make:
    """A script of a shell that may be executed."""

    def make(place: Path) -> None:
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)

    return make


def described(package: str, version: str) -> Mapping[str, str]:
    """What describes a package that was installed into a folder of the project."""
    folder = f"lib/{package}-1.dist-info"
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{folder}/RECORD": f"{package}/__init__.py,,\n",
    }


TWO_FOLDERS = {"m1/m.txt": "1", "m2/m.txt": "2", "latest": Link("m1")}
FRONT = "import sys; sys.path.insert(0, 'FOLDER')\n"

SINCE_3_12: Mapping[str, Case] = {
    "walked_by_path": Case(
        "v = sorted(n for _, _, names in Path('FOLDER').walk() for n in names)",
        {"in/a": ""},
        {"in/b": ""},
    ),
    "searched_in_any_case": Case(
        "v = sorted(p.name for p in Path('FOLDER').glob('*.csv', case_sensitive=False))",
        {"a.csv": ""},
        {"b.CSV": ""},
    ),
    "searched_deeply_in_any_case": Case(
        "v = sorted(p.name for p in Path('FOLDER').rglob('A*.csv', case_sensitive=False))",
        {"in/a.csv": ""},
        {"in/Ab.CSV": ""},
    ),
    "asked_whether_it_is_itself_there": Case(
        "v = Path('FOLDER/x').exists(follow_symlinks=False)", {}, {"x": Link("y")}
    ),
}
"""Ways that Python 3.11 does not have."""

CHANGED: Mapping[str, Case] = {
    # Files that are read in unusual ways.
    "archive": Case(
        "import zipfile; v = zipfile.ZipFile('FOLDER/a.zip').read('x')",
        {"a.zip": zipped("x", "1")},
        {"a.zip": zipped("x", "2")},
    ),
    "module_in_archive": Case(
        "import sys; sys.path.insert(0, 'FOLDER/lib.zip'); import in_zip; v = in_zip.V",
        {"lib.zip": zipped("in_zip.py", "V = 1")},
        {"lib.zip": zipped("in_zip.py", "V = 2")},
    ),
    "archive_on_the_search_path": Case(
        "import on_path; v = on_path.V",
        {"lib.zip": zipped("on_path.py", "V = 1")},
        {"lib.zip": zipped("on_path.py", "V = 2")},
    ),
    "tar": Case(
        "import tarfile; v = tarfile.open('FOLDER/a.tgz').extractfile('x').read()",
        {"a.tgz": tarred("x", "1")},
        {"a.tgz": tarred("x", "2")},
    ),
    "thread": Case(
        "from concurrent.futures import ThreadPoolExecutor\nfrom pathlib import Path\n"
        "v = list(ThreadPoolExecutor(2).map(Path.read_text, [Path('FOLDER/a.txt')]))",
        {"a.txt": "1"},
        {"a.txt": "2"},
    ),
    "spawned_worker": Case(
        FRONT + "import multiprocessing, work_of_spawned as w\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool: v = pool.map(w.read, [0])",
        {"work_of_spawned.py": "def read(_): return open(__file__[:-2] + 'txt').read()",
         "work_of_spawned.txt": "1"},
        {"work_of_spawned.txt": "2"},
    ),
    "extension": Case(
        FRONT + "%load_ext of_the_house\nv = HOUSE",
        {"of_the_house.py": "def load_ipython_extension(ip): ip.push({'HOUSE': 1})"},
        {"of_the_house.py": "def load_ipython_extension(ip): ip.push({'HOUSE': 2})"},
    ),
    "template": Case(
        "import jinja2\nfolders = jinja2.FileSystemLoader(['FOLDER/over', 'FOLDER/base'])\n"
        "v = jinja2.Environment(loader=folders).get_template('t.txt').render()",
        {"base/t.txt": "1"},
        {"over/t.txt": "2"},
    ),
    "several_settings": Case(
        "import configparser; c = configparser.ConfigParser()\n"
        "c.read(['FOLDER/base.ini', 'FOLDER/local.ini']); v = c['a']['x']",
        {"base.ini": "[a]\nx = 1\n"},
        {"local.ini": "[a]\nx = 2\n"},
    ),
    "database": Case(
        "import sqlite3; c = sqlite3.connect('file:FOLDER/d.db?mode=ro', uri=True)\n"
        "v = c.execute('select x from t').fetchall()",
        {"d.db": database(1)},
        {"d.db": database(2)},
    ),
    "compiled_library": Case(
        "import ctypes; v = ctypes.CDLL('FOLDER/l.so').f()", {"l.so": library(1)},
        {"l.so": library(2)},
    ),
    "parquet": Case(
        "import pandas as pd; v = pd.read_parquet('FOLDER/a.parquet').x.tolist()",
        {"a.parquet": table(1)},
        {"a.parquet": table(2)},
    ),
    "shelf": Case(
        "import dbm.dumb; v = dict(dbm.dumb.open('FOLDER/s', 'r'))",
        {"s.dat": "1", "s.dir": "'a', (0, 1)\n"},
        {"s.dat": "2"},
    ),
    "size": Case("import os; v = os.path.getsize('FOLDER/a')", {"a": "1"}, {"a": "22"}),
    "size_by_path": Case(
        "from pathlib import Path; v = Path('FOLDER/a').stat().st_size", {"a": "1"}, {"a": "22"}
    ),
    # What a file's status says beside its size.
    "date": Case("import os\ns = os.stat('FOLDER/a')\nv = s.st_mtime", {"a": "1"},
                 {"a": dated(1e9)}),
    "newest": Case(
        "import glob, os\nv = max(glob.glob('FOLDER/*.csv'), key=os.path.getmtime)",
        {"a.csv": "1", "b.csv": "2"},
        {"a.csv": dated(4e9)},
    ),
    "newest_by_change": Case(
        "import glob, os\nv = max(glob.glob('FOLDER/*.csv'), key=os.path.getctime)",
        {"a.csv": "1", "b.csv": "2"},
        {"a.csv": dated(1e9)},
    ),
    "newest_of_listed": Case(
        "import os; v = max(os.scandir('FOLDER'), key=lambda e: e.stat().st_mtime).name",
        {"a.csv": "1", "b.csv": "2"},
        {"a.csv": dated(4e9)},
    ),
    "mode": Case("from pathlib import Path; v = oct(Path('FOLDER/a').stat().st_mode)", {"a": "1"},
                 {"a": moded(0o700)}),
    "may_be_executed": Case("import os; v = os.access('FOLDER/a', os.X_OK)", {"a": "1"},
                            {"a": moded(0o700)}),
    "which_program": Case("import shutil; v = shutil.which('a', path='FOLDER')", {"a": "1"},
                          {"a": moded(0o700)}),
    # The one hidden file that people write by hand.
    "dotenv": Case(
        "import os; from dotenv import load_dotenv; load_dotenv('FOLDER/.env')\n"
        "v = os.environ['OF_DOTENV']",
        {".env": "OF_DOTENV=1\n"},
        {".env": "OF_DOTENV=2\n"},
    ),
    "dotenv_appears": Case(
        "from dotenv import dotenv_values; v = dict(dotenv_values('FOLDER/.env'))",
        {},
        {".env": "A=2\n"},
    ),
    "settings": Case(
        "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n"
        "    of_settings: int = 0\nv = Settings().of_settings"
    ),
    # Files outside of the project.
    "elsewhere": Case(
        "v = open('ELSEWHERE/a.csv').read()", {"elsewhere/a.csv": "1"}, {"elsewhere/a.csv": "2"}
    ),
    "elsewhere_by_package": Case(
        "import pandas as pd; v = pd.read_csv('ELSEWHERE/a.csv').x.tolist()",
        {"elsewhere/a.csv": "x\n1\n"},
        {"elsewhere/a.csv": "x\n2\n"},
    ),
    "elsewhere_in_vain": Case(
        "try: v = open('ELSEWHERE/flag').read()\nexcept OSError: v = 1",
        {},
        {"elsewhere/flag": "2"},
    ),
    "elsewhere_exists": Case(
        "import os; v = os.path.exists('ELSEWHERE/flag')", {}, {"elsewhere/flag": ""}
    ),
    "elsewhere_listed": Case(
        "import glob; v = len(glob.glob('ELSEWHERE/*.csv'))", {}, {"elsewhere/a.csv": ""}
    ),
    # Links, and what kind of thing something is.
    "linked_folder": Case("v = open('FOLDER/latest/m.txt').read()", TWO_FOLDERS,
                          {"latest": Link("m2")}),
    "resolved_link": Case(
        "from pathlib import Path; v = (Path('FOLDER/latest').resolve() / 'm.txt').read_text()",
        TWO_FOLDERS,
        {"latest": Link("m2")},
    ),
    "same_file": Case(
        "import os; v = os.path.samefile('FOLDER/latest', 'FOLDER/m1')", TWO_FOLDERS,
        {"latest": Link("m2")},
    ),
    "same_file_by_path": Case(
        "from pathlib import Path; v = Path('FOLDER/latest').samefile('FOLDER/m1')", TWO_FOLDERS,
        {"latest": Link("m2")},
    ),
    "read_link": Case(
        "import os; v = os.readlink('FOLDER/latest')", TWO_FOLDERS, {"latest": Link("m2")}
    ),
    "folder_becomes_file": Case(
        "import os; v = os.path.isdir('FOLDER/x')", {"x/y": ""}, {"x/y": None, "x": ""}
    ),
    "file_becomes_link": Case(
        "import os; v = os.path.islink('FOLDER/x')", {"x": "", "y": ""}, {"x": Link("y")}
    ),
    "link_comes_to_lead_nowhere": Case(
        "import os; v = os.path.exists('FOLDER/x')", {"y": "", "x": Link("y")}, {"y": None}
    ),
    "link_comes_to_lead_somewhere": Case(
        "import os; v = os.path.exists('FOLDER/x')", {"x": Link("y")}, {"y": ""}
    ),
    "listed_by_number": Case(
        "import os; v = os.listdir(os.open('FOLDER', os.O_RDONLY))", {"a": ""}, {"b": ""}
    ),
    "opened_by_number": Case(
        "import os; d = os.open('FOLDER', 0); v = os.read(os.open('a', 0, dir_fd=d), 9)",
        {"a": "1"},
        {"a": "2"},
    ),
    "opener_by_number": Case(
        "import os; d = os.open('FOLDER', 0)\n"
        "v = open('a', opener=lambda p, f: os.open(p, f, dir_fd=d)).read()",
        {"a": "1"},
        {"a": "2"},
    ),
    "asked_by_number": Case(
        "import os; d = os.open('FOLDER', 0)\ntry: v = os.stat('a', dir_fd=d).st_size\n"
        "except FileNotFoundError: v = None",
        {},
        {"a": "2"},
    ),
    "searched_by_number": Case(
        "import glob, os; v = sorted(glob.glob('*.csv', dir_fd=os.open('FOLDER', 0)))",
        {"a.csv": ""},
        {"b.csv": ""},
    ),
    **{
        name: Case("from pathlib import Path\n" + case.body, case.before, case.after)
        for name, case in SINCE_3_12.items()
        if sys.version_info >= (3, 12)
    },
    "file_becomes_folder": Case(
        "import os; v = [sorted(folders) for _, folders, _ in os.walk('FOLDER')]",
        {"x": ""},
        {"x": None, "x/.hidden": ""},
    ),
    "listed_with_kinds": Case(
        "import os; v = [e.is_dir() for e in os.scandir('FOLDER')]",
        {"x/y": ""},
        {"x/y": None, "x": ""},
    ),
    "listed_with_sizes": Case(
        "import os; v = sum(e.stat().st_size for e in os.scandir('FOLDER'))", {"a": "1"},
        {"a": "22"},
    ),
    "parquet_folder": Case(
        "import pandas as pd; v = pd.read_parquet('FOLDER/p').x.tolist()",
        {"p/a.parquet": table(1), "p/b.parquet": table(1)},
        {"p/b.parquet": table(2)},
    ),
    "parquet_folder_grows": Case(
        "import os, pandas as pd\nif os.path.isdir('FOLDER/p'):\n"
        "    v = pd.read_parquet('FOLDER/p').x.tolist()",
        {"p/a.parquet": table(1)},
        {"p/b.parquet": table(2)},
    ),
    # Modules.
    "portion_appears": Case(
        "import sys; sys.path[:0] = ['FOLDER/a', 'FOLDER/b']\n"
        "try: import spread_1.mod as m; v = m.V\nexcept ImportError: v = 1",
        {"a/spread_1/x.py": "", "b/y": ""},
        {"b/spread_1/mod.py": "V = 2"},
    ),
    "portion_in_front": Case(
        "import sys; sys.path[:0] = ['FOLDER/a', 'FOLDER/b', 'FOLDER/c']\n"
        "import spread_2.mod as m; v = m.V",
        {"a/spread_2/x.py": "", "b/spread_2/x.py": "", "c/spread_2/mod.py": "V = 1"},
        {"b/spread_2/mod.py": "V = 2"},
    ),
    "submodule_becomes_package": Case(
        FRONT + "import of_shadow.core; v = of_shadow.core.V",
        {"of_shadow/__init__.py": "", "of_shadow/core.py": "V = 1"},
        {"of_shadow/core/__init__.py": "V = 2"},
    ),
    "plugins": Case(
        "import pkgutil; v = [m.name for m in pkgutil.iter_modules(['FOLDER'])]",
        {},
        {"plugin.py": ""},
    ),
    "portion_of_plugins": Case(
        "import sys; sys.path[:0] = ['FOLDER/a', 'FOLDER/b']\nimport pkgutil, spread_4 as s\n"
        "v = [m.name for m in pkgutil.iter_modules(s.__path__)]",
        {"a/spread_4/x.py": "", "b/y": ""},
        {"b/spread_4/z.py": ""},
    ),
    # Packages in a folder that the cell puts on the search path.
    "package_of_the_project": Case(
        "import sys; sys.path.insert(0, 'FOLDER/lib')\nimport of_lib; v = of_lib.V",
        {"lib/of_lib/__init__.py": "V = 1", **described("of_lib", "1.0")},
        {"lib/of_lib/__init__.py": "V = 2"},
    ),
    "version_of_the_project": Case(
        "import sys; sys.path.insert(0, 'FOLDER/lib')\nimport importlib.metadata as m\n"
        "v = m.version('of_folder')",
        described("of_folder", "1.0"),
        described("of_folder", "2.0"),
    ),
    "version_appears": Case(
        "import sys; sys.path.insert(0, 'FOLDER/lib')\nimport importlib.metadata as m\n"
        "try: v = m.version('of_nobody')\nexcept m.PackageNotFoundError: v = None",
        {"lib/x": ""},
        described("of_nobody", "2.0"),
    ),
    # What a shell takes from its surroundings.
    "shell_variable": Case("v = !echo $OF_SHELL"),
    "shell_variable_with_default": Case(
        "import subprocess\nv = subprocess.run('echo ${OF_SHELL:-none}', shell=True, "
        "capture_output=True).stdout"
    ),
    "shell_variable_in_a_path": Case(
        "v = !cat $OF_PATH/b.txt", {"b.txt": "1"}, {"b.txt": "2"}
    ),
    "shell_goes_elsewhere": Case("v = !cd FOLDER && cat b.txt", {"b.txt": "1"}, {"b.txt": "2"}),
    "shell_pattern": Case("v = !cat FOLDER/*.csv", {"b.csv": "1"}, {"b.csv": "2"}),
    "shell_pattern_matches_more": Case("v = !ls FOLDER/*.csv", {"b.csv": ""}, {"c.csv": ""}),
    "shell_cell": Case(
        "%%bash\ncat FOLDER/b.txt > b.txt\n---\nv = open('b.txt').read()",
        {"b.txt": "1"},
        {"b.txt": "2"},
    ),
    "shell_prints_a_variable": Case("v = !printenv OF_SHELL"),
    "shell_prints_all": Case("v = !env | grep OF_SHELL"),
    "program_prints_a_variable": Case(
        "import subprocess as s\nv = s.run(['printenv', 'OF_SHELL'], capture_output=True).stdout"
    ),
    "shell_assigns": Case("v = !D=FOLDER; cat ${D}/b.txt", {"b.txt": "1"}, {"b.txt": "2"}),
    "shell_cell_variable": Case("%%sh --out v\necho ${OF_SHELL:-none}\n---\nv = v.strip()"),
    "shell_cell_pattern": Case(
        "%%bash --out v\nD=FOLDER\nfor f in $D/*.csv; do echo $f; done\n---\nv = v.strip()",
        {"a.csv": ""},
        {"b.csv": ""},
    ),
    "shell_cell_flag": Case(
        "%%bash --out v\ntest -f FOLDER/flag && echo yes || echo no\n---\nv = v.strip()",
        {},
        {"flag": ""},
    ),
    "script_reads": Case(
        "v = !sh FOLDER/a.sh",
        {"a.sh": 'cd "$(dirname "$0")"\n. ./b.sh', "b.sh": "cat *.csv", "x.csv": "1"},
        {"x.csv": "2"},
    ),
    "script_takes_a_variable": Case("v = !sh FOLDER/a.sh", {"a.sh": "echo $OF_SHELL"}),
    "script_of_a_cell": Case(
        "%%bash --out v\nbash FOLDER/a.sh\n---\nv = v.strip()",
        {"a.sh": "sh $(dirname $0)/b.sh", "b.sh": "echo 1"},
        {"b.sh": "echo 2"},
    ),
    "shell_cell_where_it_is": Case(
        "%cd FOLDER\n---\n%%bash --out v\ncat b.txt\n---\nv = v.strip()", {"b.txt": "1"},
        {"b.txt": "2"},
    ),
    "shell_cell_writes_on_a_condition": Case(
        "%%bash\n[ -e FOLDER/a ] || echo 1 > FOLDER/a\n---\nv = open('FOLDER/a').read()",
        {"a": "1"},
        {"a": "2"},
    ),
    "login_shell": Case("v = !bash -lc 'cat FOLDER/b.txt'", {"b.txt": "1"}, {"b.txt": "2"}),
    "shell_in_a_shell_asks": Case("v = !bash -c '[[ -e FOLDER/b ]] && echo 1'", {}, {"b": ""}),
    "option_with_a_file": Case("v = !grep -fFOLDER/p FOLDER/b",
                               {"p": "x\n", "b": "x\ny\n"}, {"p": "y\n"}),
    "cell_of_another_program": Case(
        "%%script env -u MLKIT_TRACE python3 -\nprint(open('FOLDER/b').read(),\n"
        "  file=open('said', 'w'))\n---\nv = open('said').read()",
        {"b": "1"},
        {"b": "2"},
    ),
    "makefile": Case("v = !make -s -C FOLDER", {"Makefile": "all:\n\t@echo 1"},
                     {"Makefile": "all:\n\t@echo 2"}),
    "makefile_reads": Case("v = !cd FOLDER && make -s", {"Makefile": "o: b\n\t@cat b", "b": "1"},
                           {"b": "2"}),
    # Programs of the project that are found by PATH.
    "program_on_path": Case(
        "import os, subprocess as s; os.environ['PATH'] = 'FOLDER:' + os.environ['PATH']\n"
        "v = s.check_output(['of_path'])",
        {"of_path": program("echo 1")},
        {"of_path": program("echo 2")},
    ),
    "program_on_path_in_a_shell": Case(
        "import os; os.environ['PATH'] = 'FOLDER:' + os.environ['PATH']\nv = !of_path | cat",
        {"of_path": program("echo 1")},
        {"of_path": program("echo 2")},
    ),
    "program_on_path_that_reads": Case(
        "import os; os.environ['PATH'] = 'FOLDER:' + os.environ['PATH']\n"
        "v = os.popen('of_path').read()",
        {"of_path": program('cat "$(dirname "$0")/a"'), "a": "1"},
        {"a": "2"},
    ),
    "program_in_front_on_path": Case(
        "import os, subprocess as s\n"
        "v = s.check_output(['of_path'], env={'PATH': 'FOLDER/a:FOLDER/b:/bin'})",
        {"a/x": "", "b/of_path": program("echo 1")},
        {"a/of_path": program("echo 2")},
    ),
    # Folders that a program is told to read.
    "shell_lists": Case("v = !ls FOLDER", {"a": ""}, {"b": ""}),
    "shell_lists_where_it_is": Case("v = !cd FOLDER; ls", {"a": ""}, {"b": ""}),
    "shell_cell_lists": Case("%%bash --out v\nls FOLDER | wc -l\n---\nv = v.strip()", {"a": ""},
                             {"b": ""}),
    "program_lists": Case(
        "import subprocess as s\nv = s.run(['ls', 'FOLDER'], capture_output=True).stdout",
        {"a": ""},
        {"b": ""},
    ),
    "shell_finds": Case("v = !find FOLDER -name '*.csv' | wc -l", {"a/a.csv": ""}, {"a/b.csv": ""}),
    "shell_greps": Case("v = !grep -rh x FOLDER/in", {"in/a/b": "x1"}, {"in/a/b": "x2"}),
    "shell_copies_a_folder": Case(
        "!cp -r FOLDER/in o\nv = open('o/a/b').read()", {"in/a/b": "1"}, {"in/a/b": "2"}
    ),
    "shell_braces": Case("%%bash --out v\ncat FOLDER/{a,b}.csv\n---\nv = v.strip()",
                         {"a.csv": "", "b.csv": "1"}, {"b.csv": "2"}),
    "program_prints_all": Case("import subprocess as s\nv = s.run(['env'], capture_output=True)\n"
                               "v = [x for x in v.stdout.split() if b'OF_SHELL' in x]"),
    "shell_is_given_a_text": Case(
        "import subprocess as s\nv = s.check_output(['bash', '-s'], input=b'cat FOLDER/b')",
        {"b": "1"},
        {"b": "2"},
    ),
    "own_script": Case("%%writefile a.sh\ncat FOLDER/b\n---\nv = !bash a.sh", {"b": "1"},
                       {"b": "2"}),
    "temporary_script": Case(
        "import tempfile\nwith tempfile.NamedTemporaryFile('w', suffix='.sh') as file:\n"
        "    file.write('cat FOLDER/b'); file.flush()\n    v = !bash {file.name}",
        {"b": "1"},
        {"b": "2"},
    ),
    "script_is_given_a_folder": Case("v = !bash FOLDER/a.sh FOLDER", {"a.sh": "cat $1/b", "b": "1"},
                                     {"b": "2"}),
    "script_reads_where_it_works": Case(
        "import subprocess as s\nv = s.check_output(['bash', 'in/a.sh'], cwd='FOLDER')",
        {"in/a.sh": "cat b", "b": "1"},
        {"b": "2"},
    ),
    "shell_counts": Case("%%bash --out v\ncat FOLDER/{1..3}.csv\n---\nv = v.strip()",
                         {"1.csv": "", "2.csv": "1", "3.csv": ""}, {"2.csv": "2"}),
    "script_finds_itself": Case(
        "v = !bash FOLDER/a.sh",
        {"a.sh": 'D="$(cd "$(dirname "${BASH_SOURCE[0]}")/x" && pwd)"\nbash "$D/b.sh"',
         "x/b.sh": "echo 1"},
        {"x/b.sh": "echo 2"},
    ),
    # Links that the stage makes in its own folder.
    "links_a_folder": Case(
        "import os; os.symlink('FOLDER/in', 'o'); v = open('o/a').read()",
        {"in/a": "1"},
        {"in/a": "2"},
    ),
    "links_a_folder_and_searches": Case(
        "import glob, os; os.symlink('FOLDER/in', 'o'); v = glob.glob('o/*.csv')",
        {"in/a.csv": ""},
        {"in/b.csv": ""},
    ),
    "shell_links_a_folder": Case(
        "!ln -s FOLDER/in o\nv = open('o/a').read()", {"in/a": "1"}, {"in/a": "2"}
    ),
    "links_a_module": Case(
        "import os, sys; os.symlink('FOLDER/in', 'o'); sys.path.insert(0, os.path.abspath('o'))\n"
        "import linked_module; v = linked_module.V",
        {"in/linked_module.py": "V = 1"},
        {"in/linked_module.py": "V = 2"},
    ),
    "links_hard": Case("import os; os.link('FOLDER/a', 'o'); v = open('o').read()", {"a": "1"},
                       {"a": "2"}),
    # Surroundings that the C library reads.
    "zone": Case("import datetime; v = datetime.datetime.fromtimestamp(0).isoformat()"),
    "language": Case("import locale; locale.setlocale(locale.LC_ALL, ''); v = locale.getlocale()"),
}  # fmt: skip
VARIABLES = {
    "TZ": ("UTC", "Asia/Tokyo"),
    "LC_ALL": ("C.UTF-8", "C"),
    "OF_SHELL": ("1", "2"),
    "OF_SETTINGS": ("1", "2"),
}

KEPT: Mapping[str, Case] = {
    "removes_a_folder_first": Case(
        "import os, shutil\nshutil.rmtree('FOLDER/o', ignore_errors=True)\n"
        "os.makedirs('FOLDER/o')\nopen('FOLDER/o/a', 'w').write('1'); v = 1"
    ),
    "writes_a_folder_natively": Case(
        "import pandas as pd\npd.DataFrame({'x': [1, 2], 'y': [1, 2]}).to_parquet("
        "'FOLDER/o', partition_cols=['y'])\nv = 1"
    ),
    "reads_natively_beside_others": Case(
        "import pandas as pd; v = pd.read_parquet('FOLDER/a.parquet').x.tolist()",
        {"a.parquet": table(1), "b.parquet": table(1)},
        {"b.parquet": table(2)},
    ),
    "lists_kinds_alone": Case("import os; v = [e.is_dir() for e in os.scandir('FOLDER')]",
                              {"a": "1", "b/c": "1"}, {"a": "22", "b/c": "22"}),
    "writes_natively": Case(
        "import pandas as pd; pd.DataFrame({'x': [1]}).to_parquet('FOLDER/o.parquet'); v = 1"
    ),
    "rewrites_natively": Case(
        "import pandas as pd; pd.DataFrame({'x': [1]}).to_parquet('FOLDER/o.parquet')\n"
        "v = pd.read_parquet('FOLDER/o.parquet').x.tolist()",
        {"o.parquet": table(5)},
    ),
    "rewrites": Case(
        "import pandas as pd; pd.DataFrame({'x': [1]}).to_csv('FOLDER/o.csv'); v = 1",
        {"o.csv": "old"},
    ),
    "fills_a_cache": Case(
        "from pathlib import Path; p = Path('FOLDER/c.txt')\n"
        "if not p.exists(): p.write_text('1')\nv = p.read_text()"
    ),
    "remembers": Case(
        "from joblib import Memory; m = Memory('FOLDER/.cache', verbose=0)\n"
        "v = m.cache(abs)(-1)"
    ),
    "makes_folders_elsewhere": Case(
        "import os; os.makedirs('ELSEWHERE/a/b', exist_ok=True)\n"
        "open('ELSEWHERE/a/b/c', 'w').write('1'); v = 1",
        {"elsewhere/kept": ""},
        {"elsewhere/a/b/d": ""},
    ),
    "appends_elsewhere": Case("open('ELSEWHERE/log', 'a').write('x'); v = 1",
                              {"elsewhere/log": ""}, {"elsewhere/log": "yy"}),
    "searches_elsewhere": Case(
        "import glob; v = len(glob.glob('ELSEWHERE/*.csv'))",
        {"elsewhere/a.csv": ""},
        {"elsewhere/README.md": ""},
    ),
    "searches_deeply": Case(
        "from pathlib import Path; v = len(list(Path('FOLDER').rglob('*.csv')))",
        {"in/a.csv": ""},
        {"in/README.md": ""},
    ),
    "asks_what_it_may": Case(
        "import os; v = (os.access('FOLDER/a', os.X_OK), os.access('FOLDER/a', os.R_OK))",
        {"a": ""},
    ),
    "asks_for_kinds_by_mode": Case(
        "import os, stat; v = stat.S_ISREG(os.stat('FOLDER/a').st_mode)", {"a": "1"},
        {"a": moded(0o700)},
    ),
    "date_that_nobody_asks_for": Case(
        "import os; v = (os.path.getsize('FOLDER/a'), open('FOLDER/a').read())", {"a": "1"},
        {"a": dated(1e9)},
    ),
    "date_of_its_own": Case(
        "import os; open('FOLDER/o', 'w').write('1'); os.chmod('FOLDER/o', 0o700)\n"
        "v = (os.path.getmtime('FOLDER/o') > 0, os.access('FOLDER/o', os.X_OK))"
    ),
    "makes_what_is_older": Case(
        "import os; a, o = 'FOLDER/a', 'FOLDER/o'\n"
        "if not os.path.exists(o) or os.path.getmtime(o) < os.path.getmtime(a):\n"
        "    open(o, 'w').write(open(a).read())\nv = open(o).read()",
        {"a": "1"},
    ),
    "installs_for_itself": Case(
        "from pathlib import Path\n"
        "for n, t in {'ours/__init__.py': 'V = 1', 'ours-1.dist-info/METADATA': 'Version: 1\\n',\n"
        "             'ours-1.dist-info/RECORD': 'ours/__init__.py,,\\n'}.items():\n"
        "    p = Path('lib', n); p.parent.mkdir(parents=True, exist_ok=True); p.write_text(t)\n"
        "import sys; sys.path.insert(0, str(Path('lib').absolute()))\n"
        "import ours, importlib.metadata as m; v = (ours.V, m.version('ours'))"
    ),
    "adds_to_what_it_wrote_natively": Case(
        "import lightgbm as l, numpy as np\n"
        "b = l.train({'verbose': -1}, l.Dataset(np.eye(30), np.arange(30)), 1)\n"
        "b.save_model('FOLDER/o'); v = l.Booster(model_file='FOLDER/o').num_trees()"
    ),
    "link_to_nothing": Case("import os; v = os.path.exists('FOLDER/x')", {"x": Link("y")}),
    "finds_its_root": Case(
        "import sys\nfrom pathlib import Path\np = Path(sys.path[0]).resolve()\n"
        "while not (p / 'pyproject.toml').exists() and p != p.parent: p = p.parent\nv = 1",
        {},
        {"README.md": "New.\n"},
    ),
    "names_its_own_loop": Case("v = !for i in 1 2; do echo $i $HOME; done"),
    "asks_the_shell_where_it_is": Case("v = !ls $PWD; echo $SHLVL"),
    "script_with_its_own_variables": Case(
        "v = !bash FOLDER/a.sh",
        {"a.sh": "set -e\nOUT=$(mktemp -d)\nfor i in 1 2; do echo $i > $OUT/$i; done\nls $OUT"},
        {"b": "1"},
    ),
    "shell_cell_writes": Case(
        "%%bash\nD=FOLDER/o\nmkdir -p $D\necho 1 > $D/b\nls $D/*\ncp $D/b $D/c\nrm -f $D/c\n---\n"
        "v = 1"
    ),
    "shell_writes": Case("!date +%N > FOLDER/o\nv = len(open('FOLDER/o').read()) > 0"),
    "shell_rewrites": Case("!date +%N > FOLDER/o\nv = len(open('FOLDER/o').read()) > 0",
                           {"o": "1"}),
    "shell_appends": Case("!date +%N >> FOLDER/o\nv = 1", {"o": "1"}, {"o": "2"}),
    "shell_copies_over": Case("!date +%N > n; cp n FOLDER/o; mv n FOLDER/m\nv = 1",
                              {"o": "1", "m": "1"}),
    "shell_copies_into": Case("!date +%N > n; cp n FOLDER/in\nv = 1", {"in/n": "1"},
                              {"in/n": "2"}),
    "shell_prints_on": Case("!date +%N | tee FOLDER/o\nv = 1", {"o": "1"}, {"o": "2"}),
    "shell_cell_rewrites": Case("%%bash\ndate +%N > FOLDER/o\ncat FOLDER/o\n---\nv = 1",
                                {"o": "1"}, {"o": "2"}),
    "program_copies_over": Case(
        "import subprocess, time\nopen('n', 'w').write(str(time.time_ns()))\n"
        "subprocess.run(['cp', 'n', 'FOLDER/o'], check=True)\nv = 1",
        {"o": "1"},
        {"o": "2"},
    ),
    "program_makes": Case("!sort FOLDER/a -o FOLDER/o\nv = open('FOLDER/o').read()", {"a": "1"}),
    "python_is_told_where_to_write": Case(
        "import subprocess, sys\nsubprocess.run([sys.executable, 'FOLDER/a.py', 'FOLDER/o'])\n"
        "v = 1",
        {"a.py": "import sys, time; open(sys.argv[1], 'w').write(str(time.time_ns()))", "o": "1"},
        {"o": "2"},
    ),
    "script_writes_where_it_is": Case(
        "!bash FOLDER/a.sh\nv = 1",
        {"a.sh": 'cd "$(dirname "$0")"\ndate +%N > o', "o": "1"},
        {"o": "2"},
    ),
    "shell_is_given_variables": Case("v = !env A=1 printenv A"),
    "shell_lists_and_no_more": Case("v = !ls FOLDER; find FOLDER/in", {"in/a": "1"}, {"in/a": "2"}),
    "shell_copies_a_file": Case("!cp FOLDER/a . && grep -c x a\nv = 1", {"a": "x", "in/a": "1"},
                                {"in/a": "2"}),
    "links_a_folder_of_many": Case(
        "import os; os.symlink('FOLDER/in', 'o'); open('o/a').read(); os.path.realpath('o'); v = 1",
        {"in/a": "1", "in/b": "1"},
        {"in/b": "2"},
    ),
    "lists_by_shell": Case("v = !ls FOLDER/*.csv", {"a.csv": ""}, {"README.md": ""}),
    # Hidden names: tools keep their own affairs there. Of them `.env` alone is a person's.
    "looks_at_the_system": Case(
        "import glob, os; v = len(glob.glob('/proc/[0-9]*/stat') + os.listdir('/tmp')) > 0"
    ),
    "hidden_file": Case(
        "v = len(open('FOLDER/.state.json').read())", {".state.json": "1"}, {".state.json": "2"}
    ),
    "hidden_folder": Case(
        "v = len(open('FOLDER/.config/a.toml').read())",
        {".config/a.toml": "1"},
        {".config/a.toml": "2"},
    ),
    "other_settings": Case("v = 1", {".env": "A=1\n"}, {".env": "A=2\n"}),
    "portion_that_nobody_asks_for": Case(
        "import sys; sys.path[:0] = ['FOLDER/a', 'FOLDER/b']\nimport spread_3.m as m; v = m.V",
        {"a/spread_3/m.py": "V = 1", "b/x": ""},
        {"b/spread_3/n.py": ""},
    ),
    "plots": Case(
        "import matplotlib.pyplot as plt; plt.plot([1]); plt.savefig('FOLDER/f.png'); v = 1"
    ),
    "keeps_a_database": Case(
        "import sqlite3; c = sqlite3.connect('FOLDER/own.db')\n"
        "c.execute('create table if not exists t(x)'); v = c.execute('select * from t').fetchall()"
    ),
    "same_zone": Case("import datetime; v = datetime.datetime.fromtimestamp(0).isoformat()"),
}  # fmt: skip


def put(folder: Path, elsewhere: Path, files: Mapping[str, object]) -> None:
    """Have these files there; None stands for one that goes, with a folder that it was alone in."""
    for name, content in files.items():
        outside = name.partition("elsewhere/")[2]
        place = elsewhere / outside if outside else folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or content is None:
            place.unlink()
        if content is None and place.parent != folder:
            place.parent.rmdir()
        elif isinstance(content, Link):
            place.unlink(missing_ok=True)
            place.symlink_to(content.target)
        elif isinstance(content, str):
            place.write_text(content)
        elif callable(content):
            content(place)


@dataclass(frozen=True)
class Project:
    """A pipeline with a stage for each case."""

    file: Path
    elsewhere: Path
    cases: Mapping[str, Case]

    def change(self) -> None:
        """Let everything be as it is afterwards."""
        for name, case in self.cases.items():
            put(self.file.parent / name, self.elsewhere / name, case.after)

    def go(self, runs: str = "runs", *, force: bool = False) -> RunRecord:
        """Run it."""
        record = run(
            self.file,
            runs_dir=self.file.parent / runs,
            layers=Layers(),
            options=RunOptions(workers=2, force=force),
        )
        assert {n: s.error for n, s in record.stages.items() if s.error} == {}
        return record


def project(folder: Path, elsewhere: Path, cases: Mapping[str, Case]) -> Project:
    """Write it, as all is at first."""
    sketches = []
    for name, case in cases.items():
        own, outside = folder / name, elsewhere / name
        for each in (own, outside):
            each.mkdir(parents=True)
        put(own, outside, case.before)
        body = case.body.replace("FOLDER", str(own)).replace("ELSEWHERE", str(outside))
        sketches.append(Sketch(name=name, body=f"{body}\nopen(out, 'w').write(repr(v))"))
    file = write_pipeline(folder, *sketches)
    for name in cases:
        part_cells(folder / f"{name}.ipynb")
    return Project(file, elsewhere, cases)


def part_cells(notebook: Path) -> None:
    """Make several cells of one that has lines of dashes."""
    document = json.loads(notebook.read_text())
    last = document["cells"][-1]
    parts = "".join(last["source"]).split("\n---\n")
    document["cells"][-1:] = [
        {**last, "id": f"part-{number}", "source": part} for number, part in enumerate(parts)
    ]
    notebook.write_text(json.dumps(document))


def values(record: RunRecord) -> dict[str, str]:
    """What the stages wrote."""
    return {n: Path(s.outputs["out"]).read_text() for n, s in record.stages.items()}


def by_status(record: RunRecord, status: str) -> dict[str, str | None]:
    """The stages of one status, and why they were run or not."""
    return {n: s.reason for n, s in record.stages.items() if s.status == status}


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that is neither the project's nor one of the system's temporary folders."""
    with tempfile.TemporaryDirectory(prefix="elsewhere-", dir=Path.home()) as name:
        yield Path(name)


def test_everyday_changes_are_seen(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every stage runs again, and gives what it gives in a run from nothing."""
    monkeypatch.setenv("OF_PATH", str(tmp_path / "shell_variable_in_a_path"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "archive_on_the_search_path" / "lib.zip"))
    for name, (before, _) in VARIABLES.items():
        monkeypatch.setenv(name, before)
    made = project(tmp_path, elsewhere, CHANGED)
    first = values(made.go())
    assert by_status(made.go(), "succeeded") == {}
    made.change()
    for name, (_, after) in VARIABLES.items():
        monkeypatch.setenv(name, after)
    second, fresh = made.go(), made.go("fresh", force=True)
    assert {n: v for n, v in values(fresh).items() if v == first[n]} == {}
    assert by_status(second, "cached") == {}
    assert values(second) == values(fresh)
    assert by_status(made.go(), "succeeded") == {}


def test_everyday_work_is_reused(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After changes that are none of a stage's business."""
    monkeypatch.setenv("TZ", "UTC")
    made = project(tmp_path, elsewhere, KEPT)
    made.go()
    assert by_status(made.go(), "succeeded") == {}
    made.change()
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("SHLVL", "9")
    monkeypatch.setenv("OF_SHELL", "other")
    assert by_status(made.go(), "succeeded") == {}


def test_a_module_that_the_interpreter_imports_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It appears on PYTHONPATH, changes and vanishes: every stage of the pipeline runs again."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    made = project(tmp_path, tmp_path / "e", {"s": Case("v = __import__('os').environ.get('AT')")})
    customize = tmp_path / "path" / "sitecustomize.py"
    seen = [values(made.go())["s"]]
    for text in ("1", "22", None):  # of one size, Python itself keeps what it has compiled
        if text is None:
            customize.unlink()
        else:
            customize.write_text(f"import os; os.environ['AT'] = '{text}'")
        seen.append(values(made.go())["s"])
        assert by_status(made.go(), "succeeded") == {}
    assert seen == ["None", "'1'", "'22'", "None"]
