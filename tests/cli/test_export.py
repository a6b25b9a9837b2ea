"""`mlkit export`: files for an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.testing import Sketch, mapped, write_pipeline
from tests.cli.conftest import Call


def test_an_export_says_which_files_it_wrote(call: Call, words: Path, tmp_path: Path) -> None:
    """The entry is the one that the engine is given; a second export writes the same bytes."""
    command = ("export", "airflow", words, "--to", tmp_path / "dags", "-p", "many=3", "--json")
    document = call(*command).json()
    entry = tmp_path / "dags" / "words.py"
    assert document == {"engine": "airflow", "entry": str(entry), "files": [str(entry)]}
    text = entry.read_text(encoding="utf-8")
    assert f'PIPELINE = "{words}/pipeline.yaml"' in text
    assert '"many": 3' in text
    call(*command)
    assert entry.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("engine", "kept", "entry"),
    [
        ("prefect", "prefect.yaml", "two_flow.py"),
        ("dagster", "dagster.yaml", "two_definitions.py"),
        ("kubeflow", "recurring-run.json", "two_pipeline.py"),
    ],
)
def test_what_another_export_says_is_not_written_over(
    call: Call, tmp_path: Path, engine: str, kept: str, entry: str
) -> None:
    """A file without a pipeline's name is one pipeline's, which may be exported again."""
    made = tmp_path / "made"
    one, two = (
        write_pipeline(tmp_path / name, Sketch(name="a"), name=name, schedule=cron)
        for name, cron in (("one", "0 1 * * *"), ("two", "0 2 * * *"))
    )
    assert call("export", engine, one, "--to", made).code == 0
    text = (made / kept).read_text("utf-8")
    spoken = call("export", engine, two, "--to", made, "--json")
    assert spoken.code == 2
    assert spoken.json()["error"]["file"] == str(made / kept)
    assert (made / kept).read_text("utf-8") == text
    assert not (made / entry).exists()
    one.write_text(one.read_text("utf-8").replace("0 1 * * *", "0 3 * * *"), encoding="utf-8")
    assert call("export", engine, one, "--to", made).code == 0


def test_the_tasks_call_the_mlkit_that_is_named(call: Call, words: Path, tmp_path: Path) -> None:
    """Where the tasks run, it may stand elsewhere."""
    spoken = call("export", "airflow", words, "--to", tmp_path, "--mlkit", "/opt/mlkit/bin/mlkit")
    assert spoken.out.strip() == str(tmp_path / "words.py")
    assert 'MLKIT = "/opt/mlkit/bin/mlkit"' in (tmp_path / "words.py").read_text()


@pytest.mark.parametrize("engine", ["airflow", "dagster", "prefect", "kubeflow", "stepfunctions"])
def test_the_tasks_are_asked_for_what_was_chosen(
    call: Call, words: Path, tmp_path: Path, engine: str
) -> None:
    """What every run can be asked for reaches each task's call; by default nothing is said."""
    chosen = ("--verify", "--start", "spawn", "--force", "count")
    for given, written in ((chosen, chosen), ((), ())):
        spoken = call("export", engine, words, "--to", tmp_path / engine, *given, "--json")
        assert spoken.code == 0
        text = "".join(Path(name).read_text("utf-8") for name in spoken.json()["files"])
        assert ('"--start", "spawn"' in " ".join(text.split())) == bool(written)
        assert all((f'"{word}"' in text) == bool(written) for word in ("--verify", "--force"))


def test_a_secret_is_not_written_into_files(call: Call, tmp_path: Path) -> None:
    """It is refused, and the variable is named that hands it over."""
    secret = Sketch(name="a", declares='token: mlkit.Secret = ""')
    file = write_pipeline(tmp_path / "p", secret)
    spoken = call("export", "airflow", file, "--to", tmp_path, "-p", "token=hunter22", "--json")
    assert spoken.code == 2
    error = spoken.json()["error"]
    assert error["message"] == "the secret 'token' would stand in the files for airflow"
    assert "MLKIT_PARAM_TOKEN" in error["remedy"]
    assert "hunter22" not in spoken.out + spoken.err


def test_an_engine_that_is_not_there_says_how_to_get_it(
    call: Call, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything ran: there is no run."""
    monkeypatch.setenv("MLKIT_AIRFLOW_PYTHON", "/nowhere/python")
    spoken = call("run", words, "--on", "airflow", "--runs-dir", tmp_path / "runs", "--json")
    assert spoken.code == 2
    assert "make airflow" in spoken.json()["error"]["remedy"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("engine", "limit"),
    [
        ("airflow", "max_active_tasks=3"),
        ("dagster", '"max_concurrent": 3'),
        ("prefect", "workers=3"),
        ("kubeflow", "parallelism=3"),
        ("stepfunctions", '"MaxConcurrency": 3'),
    ],
)
def test_only_a_number_that_is_given_limits_the_tasks(
    call: Call, tmp_path: Path, engine: str, limit: str
) -> None:
    """The cores of the machine that exports say nothing of those that run."""
    file = mapped(tmp_path / "p")
    for given, written in (((), False), (("--workers", "3"), True)):
        spoken = call("export", engine, file, "--to", tmp_path / engine, *given, "--json")
        text = Path(spoken.json()["entry"]).read_text(encoding="utf-8")
        assert (limit in text, limit[:-1] in text) == (written, written)


@pytest.mark.parametrize("engine", ["airflow", "dagster", "prefect", "kubeflow", "stepfunctions"])
def test_the_pipeline_may_stand_elsewhere_for_the_tasks(
    call: Call, tmp_path: Path, engine: str
) -> None:
    """Its folder here is named nowhere; sensors look beside the pipeline there."""
    sensor = {"wait_for": {"path": "in/*.csv"}, "notebook": "a.ipynb"}
    file = write_pipeline(tmp_path / "here", Sketch(name="a", keys=sensor))
    words = ("--pipeline-path", "/data/there/pipeline.yaml", "--runs-dir", "/data/runs")
    spoken = call("export", engine, file, "--to", tmp_path / "made", *words, "--json")
    texts = "".join(Path(name).read_text("utf-8") for name in spoken.json()["files"])
    assert str(tmp_path) not in texts
    assert '"/data/there/pipeline.yaml"' in texts
    assert '"/data/there/in/*.csv"' in texts
