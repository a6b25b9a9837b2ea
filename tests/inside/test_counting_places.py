"""Which paths may count for a result, told by where they stand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import mlkit
from mlkit.inside.counting_places import Places, installation, is_hidden


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, with a runs folder and another folder beside it."""
    for name in ("project", "project/scratch", "project/.git", "project/.venv", "runs", "beside"):
        (tmp_path / name).mkdir()
    return tmp_path


def places(folder: Path, *, has_links: bool = False) -> Places:
    """Of a project with a runs folder beside it."""
    return Places(
        [str(folder / "project")], [str(folder / "runs")], installation(), has_links=has_links
    )


@pytest.mark.parametrize("name", ["project/a.csv", "project/.venv/b", "beside/c.csv", "project"])
def test_a_path_of_the_project_or_beside_it_may_count(project: Path, name: str) -> None:
    """Hidden or not: that is told apart later."""
    path = project / name
    assert places(project).at(path) == str(path)


@pytest.mark.parametrize("name", ["runs/a", "runs", "project/scratch/b", "project/.git/HEAD"])
def test_what_runs_make_scratch_and_repositories_keep_never_counts(
    project: Path, name: str
) -> None:
    """However it is read."""
    assert places(project).at(project / name) is None


def test_the_installation_never_counts_but_for_the_helpers_of_notebooks(project: Path) -> None:
    """Of mlkit's own code `mlkit.ml` alone counts by source."""
    own = Path(mlkit.__file__).parent
    found = places(project)
    assert found.at(os.__file__) is None
    assert found.at(pytest.__file__) is None
    assert found.at(own / "errors.py") is None
    assert found.at(own / "ml" / "data.py") == str(own / "ml" / "data.py")


@pytest.mark.parametrize("thing", [3, None, object(), "with\0nul"])
def test_what_is_no_path_never_counts(project: Path, thing: object) -> None:
    """A number of an open file, for one."""
    assert places(project).at(thing) is None


def test_bytes_and_relative_paths_are_paths_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `open` takes them."""
    monkeypatch.chdir(project / "project")
    found = places(project)
    assert found.at(b"a.csv") == found.at("../project/a.csv") == str(project / "project" / "a.csv")


def test_a_link_of_the_stages_own_folder_stands_for_what_it_leads_to(project: Path) -> None:
    """From the moment on that there may be links; meant itself, it stands for nothing."""
    (project / "runs" / "link").symlink_to(project / "beside")
    found = places(project)
    through = project / "runs" / "link" / "c.csv"
    assert found.at(through) is None
    found.may_have_links()
    assert found.at(through) == str(project / "beside" / "c.csv")
    assert found.at(project / "runs" / "link", itself=True) is None


def test_folders_of_the_search_path_belong_to_the_project_for_each_that_asks(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places that begin anew look at the search path anew."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(project / "beside")])
    for _ in range(2):
        found = places(project)
        assert found.is_project(str(project / "beside" / "helper.py"))
        assert not found.is_project(str(project / "other.py"))
        assert not found.is_plain(str(project / "beside" / ".hidden" / "helper.py"))


@pytest.mark.parametrize(
    ("relative", "hidden"),
    [
        ("a/b.py", False),
        (".env", True),
        ("a/.b/c", True),
        ("scratch/a", True),
        ("__pycache__/a.cpython-311.pyc", False),
        ("__pycache__/a.txt", True),
    ],
)
def test_hidden_names_are_told(relative: str, hidden: bool) -> None:  # noqa: FBT001 - a case
    """A compiled copy stands for its source."""
    assert is_hidden(relative) is hidden
