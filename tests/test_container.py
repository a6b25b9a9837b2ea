"""The Dockerfile, read without building it: everything that it names is there."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from mlkit.engines.registry import ENGINES

ROOT = Path(__file__).parents[1]


class Step(NamedTuple):
    """One instruction of a stage."""

    stage: str
    word: str
    rest: str


def _steps() -> list[Step]:
    """The instructions in order, continued lines joined; `stage` is empty before the first FROM."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    steps, stage = [], ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found = re.fullmatch(r"(\S+) AS (\w+)", rest)
            assert found is not None, f"a stage without a name: {line}"
            stage = found[2]
        steps.append(Step(stage, word, rest))
    return steps


def _of(word: str, stage: str | None = None) -> list[Step]:
    return [s for s in _steps() if s.word == word and stage in (None, s.stage)]


def _sources(engine: str) -> list[str]:
    """What is copied from the repository, for one engine."""
    copies = [step.rest for step in _of("COPY") if not step.rest.startswith("--from")]
    words = [word for rest in copies for word in rest.replace("${ENGINE}", engine).split()[:-1]]
    assert words
    return words


def _is_sent(path: str) -> bool:
    """Whether .dockerignore lets a file or folder through; the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if fnmatch.fnmatch(path, pattern.removeprefix("!")):
            sent = pattern.startswith("!")
    return sent


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_what_is_copied_is_there_and_is_sent(engine: str) -> None:
    """For each engine that the image can be built for."""
    for source in _sources(engine):
        assert (ROOT / source).exists(), source
        assert _is_sent(source), f"{source} is kept back by .dockerignore"


def test_secrets_and_history_are_not_sent() -> None:
    """Nor are environments, runs and tests."""
    for path in (".git", ".venv", ".env", "tests", "notebooks/flights/runs", "mlkit/__pycache__"):
        assert not _is_sent(path), path


def test_what_a_stage_takes_from_another_is_made_there_before() -> None:
    """The stage stands above, and makes the folder."""
    order = list(dict.fromkeys(step.stage for step in _steps() if step.stage))
    taken = [step for step in _of("COPY") if step.rest.startswith("--from=")]
    assert len(order) == 3
    assert taken
    for step in taken:
        origin, source, target = step.rest.removeprefix("--from=").split()
        assert order.index(origin) < order.index(step.stage)
        assert source == target
        assert any(f"python -m venv {source}" in made.rest for made in _of("RUN", origin))


def test_images_are_named_with_their_versions() -> None:
    """The same file makes the same image tomorrow; every ARG has a value."""
    defaults = dict(step.rest.split("=") for step in _of("ARG") if step.stage == "")
    assert defaults == {"PYTHON": "3.11", "ENGINE": "kubeflow"}
    images = {step.rest.split()[0] for step in _of("FROM")}
    assert images == {"python:${PYTHON}-slim"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


def test_the_last_stage_runs_as_nobody_special() -> None:
    """A user that was made in it, who may write where it starts."""
    (user,) = _of("USER", "run")
    (made,) = _of("RUN", "run")
    assert user.rest == "1000"
    assert "useradd --uid 1000 --create-home mlkit" in made.rest
    assert "install --directory --owner mlkit /data" in made.rest
    assert [step.rest for step in _of("WORKDIR", "run")] == ["/data"]


def test_the_command_is_a_script_of_the_project_and_on_the_path() -> None:
    """The engine's Python is found first, mlkit's own is not in its way."""
    (command,) = _of("CMD")
    (environment,) = _of("ENV")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(command.rest)[0] in scripts
    path = environment.rest.split()[0]
    assert path == "PATH=/opt/engine/bin:/opt/mlkit/bin:$PATH"


def test_mlkit_finds_the_engine_in_the_image() -> None:
    """The engine's environment also stands where `mlkit run --on` looks: beside mlkit's own."""
    (made,) = _of("RUN", "run")
    beside = [f"/opt/{engine.environment}" for engine in ENGINES.values()]
    linked = [f"/opt/.venv-{name}" for name in ENGINES]
    assert linked == beside
    assert "ln -s /opt/engine /opt/.venv-${ENGINE}" in made.rest
    assert [step.rest for step in _of("ARG", "run")] == ["ENGINE"]


def test_locks_are_usable_as_constraints() -> None:
    """Pip refuses a constraint that names extras."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "[" in line.partition(";")[0]] == []


def test_the_build_finds_what_pyproject_names() -> None:
    """The readme and the licence belong to the package's metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= set(_sources("kubeflow"))
