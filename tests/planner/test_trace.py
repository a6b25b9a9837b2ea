"""What a result was seen to depend on, and whether that still holds; without kernels."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.scrubbing import names_a_secret
from mlkit.core.states import Status
from mlkit.errors import DISTRIBUTION
from mlkit.notebook.notebook_runner import ExecutionResult
from mlkit.notebook.source import read_notebook
from mlkit.planner.checkout import Checkout
from mlkit.planner.today import Today
from mlkit.planner.trace import file_marks, observe
from mlkit.planner.variables import Circumstances
from mlkit.testing import write_notebook

ENVIRON = {"HOUSE": "5", "HOUSE_TOKEN": "t0ken", "HOME": "/h", "MLKIT_RUN_ID": "r"}
HERE = Circumstances(environ=ENVIRON, key=b"key")


def traced(folder: Path, code: str, *records: list[Any], **facts: Any) -> dict[str, Any]:
    """The trace of a notebook whose kernel told of these records."""
    notebook = read_notebook(write_notebook(folder / "n.ipynb", code))
    begin = ["begin", 1, str(folder), [str(folder), *sys.path]]
    result = ExecutionResult(status=Status.SUCCEEDED, records=(begin, *records), **facts)
    checkout = Checkout(str(folder), str(folder))
    return observe(result, notebook, checkout, HERE, time.time() + 1)


def changes(trace: dict[str, Any], folder: Path, environ: dict[str, str] | None = None) -> Any:
    """What has changed since."""
    here = HERE if environ is None else Circumstances(environ=environ, key=b"key")
    return Today(here).changes(trace, Checkout(str(folder), str(folder)))


def read(path: Path) -> list[Any]:
    """The record of a file that was opened."""
    return ["read", str(path), None, file_marks(str(path))]


def test_packages_count_by_version(tmp_path: Path) -> None:
    """A third-party package that the notebook imports stands there with its version."""
    trace = traced(tmp_path, "import yaml, numpy", imported=("numpy",))
    now = trace["packages"]["numpy"]
    assert changes(trace, tmp_path) == ()
    trace["packages"]["numpy"] = "0.1"
    assert changes(trace, tmp_path) == (f"package numpy: 0.1 → {now}",)


def test_a_package_that_was_imported_by_a_computed_name_counts(tmp_path: Path) -> None:
    """The interpreter tells of it."""
    path = [str(tmp_path), *sys.path]
    trace = traced(tmp_path, "1", ["path", 1, path], ["import", 1, "numpy"])
    assert "numpy" in trace["packages"]
    (tmp_path / "numpy.py").write_text("")
    assert changes(trace, tmp_path) == ("module numpy now comes from numpy.py",)


def test_a_package_that_is_gone_is_named(tmp_path: Path) -> None:
    """A result computed with it does not hold any more."""
    trace = traced(tmp_path, "1")
    trace["packages"]["nowhere-to-be-had"] = "1.0"
    assert changes(trace, tmp_path) == ("package nowhere-to-be-had: 1.0 → not installed",)


def test_the_standard_library_is_no_package(tmp_path: Path) -> None:
    """Python's version stands for it."""
    trace = traced(tmp_path, "import json, os", imported=("json", "os"))
    assert trace["packages"] == {}


def test_helpers_of_mlkit_count_by_source(tmp_path: Path) -> None:
    """`mlkit.ml` is part of the project; the rest of mlkit counts by version."""
    import mlkit.ml as ml

    trace = traced(tmp_path, "import mlkit.ml", modules={"mlkit.ml": str(ml.__file__)})
    assert list(trace["files"]) == ["mlkit:ml/__init__.py"]
    assert list(trace["packages"]) == [DISTRIBUTION]
    assert changes(trace, tmp_path) == ()


def test_files_are_recorded_relative_to_the_checkout(tmp_path: Path) -> None:
    """A pipeline that is moved keeps its results."""
    (tmp_path / "old").mkdir()
    module = tmp_path / "old" / "own.py"
    module.write_text("x = 1")
    trace = traced(tmp_path / "old", "import own", read(module))
    (tmp_path / "old").rename(tmp_path / "new")
    assert changes(trace, tmp_path / "new") == ()
    (tmp_path / "new" / "own.py").write_text("x = 2")
    assert changes(trace, tmp_path / "new") == ("file own.py changed",)


def test_at_a_glance_every_mark_counts(tmp_path: Path) -> None:
    """Equal marks are believed, unless everything is to be read."""
    file = tmp_path / "own.py"
    file.write_text("x = 1")
    trace = traced(tmp_path, "1", read(file))
    trace["files"]["notebook:own.py"]["digest"] = "another"
    assert changes(trace, tmp_path) == ()
    deep = Today(HERE, verify=True)
    checkout = Checkout(str(tmp_path), str(tmp_path))
    assert deep.changes(trace, checkout) == ("file own.py changed",)


def test_a_file_read_in_two_states_makes_no_reusable_result(tmp_path: Path) -> None:
    """Whichever of them the result is made of."""
    file = tmp_path / "own.py"
    file.write_text("x = 2")
    first = ["read", str(file), "another digest", [1, 2, 3, 4]]
    trace = traced(tmp_path, "1", first, read(file))
    assert changes(trace, tmp_path) == ("not reusable: own.py changed while the stage ran",)


def test_a_kernel_that_tells_nothing_is_never_reused(tmp_path: Path) -> None:
    """What a result depends on is not known, so nothing can be said to be unchanged."""
    trace = traced(tmp_path, "import own", told=False)
    assert changes(trace, tmp_path) == ("not reusable: its kernel did not tell what it had read",)


def test_what_could_not_be_recorded_is_never_reused(tmp_path: Path) -> None:
    """Nor what a runner says of it."""
    trace = traced(tmp_path, "1", ["fault", "open", "OSError: full"], unstable=("so it is",))
    assert changes(trace, tmp_path) == (
        "not reusable: so it is",
        "not reusable: what it read could not be recorded (open: OSError: full)",
    )


@pytest.mark.parametrize(
    ("name", "asker", "counts"),
    [
        ("HOUSE", "own", True),
        ("HOUSE", "package", True),
        ("NOT_SET", "package", True),
        ("HOME", "package", False),
        ("HOME", "own", True),
        ("MLKIT_RUN_ID", "own", False),
        ("MLKIT_ENGINE_RUN_ID", "own", False),
        ("AIRFLOW_HOME", "package", False),
        ("AIRFLOW_HOME", "own", True),
        ("HOUSE_TOKEN", "own", False),
    ],
)
def test_which_variables_count(tmp_path: Path, name: str, asker: str, *, counts: bool) -> None:
    """Read by name: by packages all but the session's, by the notebook itself all but mlkit's."""
    trace = traced(tmp_path, "1", ["env", name, asker, []])
    assert (name in trace["environment"]["read"]) is counts
    assert changes(trace, tmp_path) == ()
    assert bool(changes(trace, tmp_path, {**ENVIRON, name: "other"})) is counts


def test_reading_all_variables_counts_all_but_the_sessions(tmp_path: Path) -> None:
    """Also one that comes later; secrets are named and do not count."""
    trace = traced(tmp_path, "1", ["env", "*", "own", []])
    assert list(trace["environment"]["read"]) == ["HOUSE"]
    assert trace["environment"]["secret"] == ["HOUSE_TOKEN"]
    more = {
        **ENVIRON,
        "NEW": "1",
        "SSH_TTY": "x",
        "NEW_PASSWORD": "x",
        "PREFECT_HOME": "x",
        "__AIRFLOW_SUPERVISOR_FD": "9",
    }
    assert changes(trace, tmp_path, more) == ("environment variable NEW was set",)
    assert changes(trace, tmp_path, {}) == ("environment variable HOUSE is no longer set",)


def test_another_key_compares_nothing(tmp_path: Path) -> None:
    """Digests under another key say nothing about today's values."""
    trace = traced(tmp_path, "1", ["env", "HOUSE", "own", []])
    other = Today(Circumstances(environ=ENVIRON, key=b"other"))
    found = other.changes(trace, Checkout(str(tmp_path), str(tmp_path)))
    assert found == (
        "environment variables cannot be compared: they were recorded with another key",
    )


def test_another_key_compares_what_was_not_set(tmp_path: Path) -> None:
    """That a variable is not set has no digest: it is so, or it is not."""
    trace = traced(tmp_path, "1", ["env", "NOWHERE", "own", []])
    checkout = Checkout(str(tmp_path), str(tmp_path))
    other = Circumstances(environ=ENVIRON, key=b"other")
    assert Today(other).changes(trace, checkout) == ()
    now = replace(other, environ={**ENVIRON, "NOWHERE": "1"})
    assert Today(now).changes(trace, checkout) == ("environment variable NOWHERE was set",)


OF_INTERPRETER = ("PYTHONOPTIMIZE", "PYTHONWARNINGS", "LC_ALL")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("assert 1 > 0", "PYTHONOPTIMIZE"),
        ("v = __debug__", "PYTHONOPTIMIZE"),
        ("import locale; v = locale.getlocale()", "LC_ALL"),
        ("import warnings; warnings.warn('x')", "PYTHONWARNINGS"),
        ("v = 1", ""),
    ],
)
def test_a_variable_that_only_the_interpreter_reads(tmp_path: Path, code: str, name: str) -> None:
    """It counts for code that it can change."""
    trace = traced(tmp_path, code)
    now = Today(replace(HERE, environ={**ENVIRON, **dict.fromkeys(OF_INTERPRETER, "1")}))
    found = now.changes(trace, Checkout(str(tmp_path), str(tmp_path)))
    assert found == ((f"environment variable {name} was set",) if name else ())


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("API_TOKEN", True),
        ("token", True),
        ("DB_PASSWORD", True),
        ("MY_SECRET_1", True),
        ("OPENAI_API_KEY", True),
        ("OPENAIAPI_KEY", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("SECRETARY", False),
        ("KEY", False),
        ("AWS_ACCESS_KEY_ID", False),
    ],
)
def test_which_names_say_that_they_hold_a_secret(name: str, *, secret: bool) -> None:
    """By words of the name."""
    assert names_a_secret(name) is secret


def test_the_innermost_root_names_a_file(tmp_path: Path) -> None:
    """The notebook's folder, then the pipeline's, then the repository's."""
    notebooks = tmp_path / "repo" / "pipe" / "nb"
    notebooks.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    checkout = Checkout(str(notebooks), str(notebooks.parent))
    places = [notebooks / "h.py", notebooks.parent / "d.csv", tmp_path / "repo" / "lib" / "x.py"]
    names = [checkout.name(str(place)) for place in places]
    assert names == ["notebook:h.py", "pipeline:d.csv", "repository:lib/x.py"]
    assert [checkout.place(name) for name in names] == list(map(str, places))
    assert checkout.name(str(tmp_path / "else.py")) == f"path:{tmp_path / 'else.py'}"


def test_a_link_to_the_checkout_is_the_checkout(tmp_path: Path) -> None:
    """However a process came to a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    checkout = Checkout(str(tmp_path / "link"), str(tmp_path / "link"))
    assert checkout.name(str(tmp_path / "real" / "h.py")) == "notebook:h.py"
    assert checkout.name(str(tmp_path / "link" / "h.py")) == "notebook:h.py"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("data/x.csv", True),
        (".env", False),
        ("sub/.cache/x", False),
        ("scratch/x.csv", False),
        ("__pycache__/h.cpython-311.pyc", False),
        ("runs/latest", False),
    ],
)
def test_which_names_of_a_project_count(tmp_path: Path, name: str, *, counts: bool) -> None:
    """Hidden ones, scratch, compiled copies and the runs folder never do."""
    checkout = Checkout(str(tmp_path), str(tmp_path), (str(tmp_path / "runs"),))
    assert checkout.counts(str(tmp_path / name)) is counts


def test_a_notebook_that_moves_to_another_depth_finds_other_files(tmp_path: Path) -> None:
    """By `..` it reaches another folder; beside an equal checkout's it stays what it was."""
    places = {"old": "nb", "deeper": "nb/deep", "beside": "nc"}
    for folder in places.values():
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "set.yaml").write_text("1")

    def checkout(place: str) -> Checkout:
        return Checkout(str(tmp_path / places[place]), str(tmp_path))

    notebook = read_notebook(write_notebook(tmp_path / "nb/n.ipynb", "1"))
    begin = ["begin", 1, str(tmp_path / "nb"), [str(tmp_path / "nb"), *sys.path]]
    result = ExecutionResult(status=Status.SUCCEEDED, records=(begin, read(tmp_path / "set.yaml")))
    trace = observe(result, notebook, checkout("old"), HERE, time.time() + 1)
    found = {place: Today(HERE).changes(trace, checkout(place)) for place in places}
    moved = "the notebook lies elsewhere, and read files outside of its own folder"
    assert found == {"old": (), "deeper": (moved,), "beside": ()}
    del trace["ways_up"]  # of an older mlkit
    assert Today(HERE).changes(trace, checkout("deeper")) == ()
