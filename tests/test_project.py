"""The project's own files agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from mlkit.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"jupyter_client": "jupyter-client", "py-xgboost": "xgboost"}
CONDA_ONLY = {"python", "pip", "tinycss2"}


def _name(requirement: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(.*)", requirement.split("#")[0].strip())
    assert match is not None, requirement
    return match[1].lower(), match[2].strip()


def _direct() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(map(_name, project["dependencies"]))


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
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = {re.split(r"[\[=]", line)[0] for line in lines if "==" in line}
    wanted = {re.sub(r"[-_.]+", "-", name) for name in _direct()}
    assert wanted - pinned == set()


def test_no_lock_names_an_index() -> None:
    """No address of a package index stands in any of the locks."""
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 4
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
    for page in [*pages, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


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
    hosts = "|".join(["pypi\\.org/simple", "python" + "hosted", "registry\\.npm" + "js"])
    found = subprocess.run(
        ["git", "grep", "-nIE", f"({hosts}|/home/[a-z]+/|/root/)", "--", ".", ":!tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
