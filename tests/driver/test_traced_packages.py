"""Installed packages are part of what a result depends on; with real kernels.

Packages come and go in an environment of this test's own, and one process runs the pipeline again
and again, as JupyterLab does; where that matters, another one does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import mlkit
from mlkit.testing import Sketch, write_pipeline
from tests.planner.never_stale.environment import Environment, private_environment
from tests.planner.never_stale.world import Driver, Outcome

pytestmark = pytest.mark.kernel

# What comes imported ahead: PyYAML is one of the packages that kernels may share, and three stages
# import it plainly before these are run. `v` is its version, as its code says it.
WAYS = {
    "cell_with_shell": "files = !ls\nimport yaml; v = yaml.__version__",
    "cell_with_magic": "%matplotlib inline\nimport yaml; v = yaml.__version__",
    "import_module": "import importlib; v = importlib.import_module('yaml').__version__",
    "computed_name": "import importlib; v = importlib.import_module('ya' + 'ml').__version__",
    "dunder_import": "v = __import__('yaml').__version__",
    "resolve_name": "import pkgutil; v = pkgutil.resolve_name('yaml:__version__')",
    "exec": "exec('import yaml as y'); v = y.__version__",
    "unpickled": (
        "import pickle, sys\npickle.loads(b'cyaml\\nYAMLError\\n.')\n"
        "v = sys.modules['yaml'].__version__"
    ),
    "through_module": "import own; v = own.load().__version__",
    "in_function": "def load():\n    import yaml\n    return yaml\nv = load().__version__",
    "forked_worker": (
        "import multiprocessing as mp, pkgutil\n"
        "with mp.get_context('fork').Pool(1) as pool:\n"
        "    v = pool.apply(pkgutil.resolve_name, ('yaml:__version__',))"
    ),
    "metadata": "import importlib.metadata as m, yaml; v = m.version('PyYAML')",
    "metadata_alone": "import importlib.metadata as m; v = m.version('PyYAML')",
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """An environment of packages that come and go."""
    with private_environment(Path(mlkit.__file__).parents[1]) as made:
        yield made


@pytest.fixture
def start(environment: Environment) -> Iterator[Callable[[], Driver]]:
    """Start a process that runs what it is told; all of them end with the test."""
    started: list[Driver] = []

    def begin() -> Driver:
        started.append(Driver(environment))
        return started[-1]

    yield begin
    for driver in started:
        driver.close()


def ask(driver: Driver, file: Path) -> Outcome:
    """Have a pipeline run."""
    question = {"pipeline": str(file), "runs": str(file.parent / "runs"), "force": False}
    outcome = driver.ask({**question, "environ": {}, "search": [], "meanwhile": []})
    assert outcome.refused is None
    assert {name: item.error for name, item in outcome.stages.items() if item.error} == {}
    return outcome


def values(outcome: Outcome) -> dict[str, str]:
    """What the stages wrote."""
    return {name: str(item.text) for name, item in outcome.stages.items()}


def statuses(outcome: Outcome) -> set[str]:
    """How they ended."""
    return {item.status for item in outcome.stages.values()}


def stages(folder: Path, bodies: Mapping[str, str], *before: Sketch) -> Path:
    """A pipeline of stages that write `v`, each after the one before it."""
    sketches = list(before)
    for name, body in bodies.items():
        code = f"{body}\nopen(out, 'w').write(str(v))"
        sketches.append(Sketch(name=name, body=code, keys={"after": [s.name for s in before]}))
    return write_pipeline(folder, *sketches)


def upgrade_yaml(site: Path, version: str) -> None:
    """Install another version of PyYAML, as pip does: other metadata, other source.

    The files are links to those of another environment, so they are replaced and not written to.
    """
    source = site / "yaml" / "__init__.py"
    head, _, tail = source.read_text(encoding="utf-8").partition("__version__ = ")
    replace(source, f"{head}__version__ = '{version}'\n{tail.partition(chr(10))[2]}")
    (old,) = site.glob("[Pp]y[Yy][Aa][Mm][Ll]-*.dist-info")
    new = site / f"pyyaml-{version}.dist-info"
    old.rename(new)
    before, _, after = (new / "METADATA").read_text(encoding="utf-8").partition("\nVersion: ")
    replace(new / "METADATA", f"{before}\nVersion: {version}\n{after.partition(chr(10))[2]}")
    record = (new / "RECORD").read_text(encoding="utf-8")
    replace(new / "RECORD", record.replace(old.name, new.name))


def replace(file: Path, text: str) -> None:
    """Put a new file in the place of one."""
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.timeout(300)
def test_a_package_counts_by_whatever_way_it_is_imported(
    environment: Environment, start: Callable[[], Driver], tmp_path: Path
) -> None:
    """Also one that is there already, because the stages before were seen to import it.

    The process that runs the pipeline is another one each time: nothing is remembered.
    """
    (tmp_path / "own.py").write_text("def load():\n    import yaml\n    return yaml\n")
    first = [
        Sketch(name=f"plain{n}", body="import yaml\nopen(out, 'w').write(yaml.__version__)")
        for n in range(3)
    ]
    file = stages(tmp_path, WAYS, *first)
    ask(start(), file)
    assert statuses(ask(start(), file)) == {"cached"}
    for version in ("90.1", "90.2"):
        upgrade_yaml(environment.site, version)
        outcome = ask(start(), file)
        assert set(values(outcome).values()) == {version}
        stale = {n: i.reason for n, i in outcome.stages.items() if i.status == "cached"}
        assert stale == {}
        assert statuses(ask(start(), file)) == {"cached"}


@pytest.mark.timeout(300)
@pytest.mark.long
def test_versions_are_read_afresh_within_one_process(
    environment: Environment, start: Callable[[], Driver], tmp_path: Path
) -> None:
    """Upgraded between two runs of one process, edited in place, and back: that is reused."""
    file = stages(
        tmp_path,
        {
            "code": "import yaml; v = yaml.__version__",
            "metadata": "import importlib.metadata as m, yaml; v = m.version('PyYAML')",
        },
    )
    driver = start()
    for version in ("91.1", "91.2"):
        upgrade_yaml(environment.site, version)
        assert values(ask(driver, file)) == {"code": version, "metadata": version}
        assert statuses(ask(driver, file)) == {"cached"}
    upgrade_yaml(environment.site, "91.1")
    outcome = ask(driver, file)
    assert (values(outcome), statuses(outcome)) == (
        {"code": "91.1", "metadata": "91.1"},
        {"cached"},
    )
    metadata = environment.site / "pyyaml-91.1.dist-info" / "METADATA"
    replace(metadata, metadata.read_text(encoding="utf-8").replace("91.1", "91.3", 1))
    assert values(ask(driver, file))["metadata"] == "91.3"


METADATA = {
    "in_vain": (
        "import importlib.metadata as m\ntry: v = m.version('lodge')\n"
        "except m.PackageNotFoundError: v = 'none'"
    ),
    "plugins": "import importlib.metadata as m; v = len(m.entry_points(group='lodge'))",
    "all": (
        "import importlib.metadata as m\n"
        "v = sum(d.metadata['Name'] == 'lodge' for d in m.distributions())"
    ),
}


@pytest.mark.timeout(300)
def test_packages_whose_metadata_alone_are_asked_for(
    environment: Environment, start: Callable[[], Driver], tmp_path: Path
) -> None:
    """One that was missing is installed; another is none of the business of who asks by name."""
    file = stages(tmp_path, METADATA)
    driver = start()
    assert values(ask(driver, file)) == {"in_vain": "none", "plugins": "0", "all": "0"}
    assert statuses(ask(driver, file)) == {"cached"}
    infos = [environment.site / f"{name}-1.0.dist-info" for name in ("hostel", "lodge")]
    try:
        for info in infos:
            name = info.name.partition("-")[0]
            replace(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            replace(info / "entry_points.txt", f"[{name}]\na = b:c\n")
            outcome = ask(driver, file)
            assert (outcome.stages["in_vain"].status == "cached") == (name == "hostel")
        assert values(outcome) == {"in_vain": "1.0", "plugins": "1", "all": "1"}
        assert statuses(ask(driver, file)) == {"cached"}
    finally:
        for info in infos:
            shutil.rmtree(info)


COPIED = {
    "package": ("house/__init__.py", "import house; v = house.V"),
    "submodule": ("house/deep/part.py", "import house.deep.part; v = house.deep.part.V"),
    "module": ("hut.py", "import hut; v = hut.V"),
    "by_name": ("shed.py", "import importlib; v = importlib.import_module('shed').V"),
    "with_shell": ("barn.py", "x = !ls\nimport barn; v = barn.V"),
    "data": (
        "mill/table.txt",
        "import importlib.resources as r\nv = r.files('mill').joinpath('table.txt').read_text()",
    ),
    "in_child": (
        "yard.py",
        "import subprocess, sys\nv = subprocess.run([sys.executable, '-c', 'import yard; "
        "print(yard.V)'], capture_output=True, text=True).stdout.strip()",
    ),
}
"""Packages that were copied into site-packages: what changes in each, and how it is read."""


def text(relative: str, number: int) -> str:
    """What stands in a file of a copied package."""
    return f"V = {number}\n" if relative.endswith(".py") else str(number)


@pytest.fixture
def copied(environment: Environment) -> Iterator[Path]:
    """The copied packages; they go with the test."""
    site = environment.site
    for package in ("house", "house/deep", "mill"):
        replace(site / package / "__init__.py", "")
    for relative, _ in COPIED.values():
        replace(site / relative, text(relative, 1))
    yield site
    for name in {relative.partition("/")[0] for relative, _ in COPIED.values()}:
        shutil.rmtree(site / name) if (site / name).is_dir() else (site / name).unlink(True)


@pytest.mark.timeout(300)
def test_a_package_without_metadata_counts_by_its_source(
    copied: Path, start: Callable[[], Driver], tmp_path: Path
) -> None:
    """Of whatever file of it, and however it is imported."""
    file = stages(tmp_path, {name: body for name, (_, body) in COPIED.items()})
    driver = start()
    assert set(values(ask(driver, file)).values()) == {"1"}
    assert statuses(ask(driver, file)) == {"cached"}
    for number in (2, 3):
        for relative, _ in COPIED.values():
            replace(copied / relative, text(relative, number))
        assert set(values(ask(driver, file)).values()) == {str(number)}
        assert statuses(ask(driver, file)) == {"cached"}


@pytest.mark.timeout(300)
@pytest.mark.long
def test_a_package_that_gets_metadata_is_another_one(
    copied: Path, start: Callable[[], Driver], tmp_path: Path
) -> None:
    """It was copied, and is then installed properly: its version counts from then on."""
    file = stages(tmp_path, {"s": "import hut; v = hut.V"})
    driver = start()
    assert values(ask(driver, file)) == {"s": "1"}
    replace(copied / "hut.py", "V = 2\n")
    info = copied / "hut-1.0.dist-info"
    replace(info / "METADATA", "Metadata-Version: 2.1\nName: hut\nVersion: 1.0\n")
    replace(info / "RECORD", "hut.py,,\nhut-1.0.dist-info/METADATA,,\n")
    try:
        assert values(ask(driver, file)) == {"s": "2"}
        assert statuses(ask(driver, file)) == {"cached"}
        replace(copied / "hut.py", "V = 3\n")
        replace(info / "METADATA", "Metadata-Version: 2.1\nName: hut\nVersion: 1.1\n")
        assert values(ask(driver, file)) == {"s": "3"}
    finally:
        shutil.rmtree(info)
